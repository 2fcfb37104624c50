package client

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Batches that are due together go in order, in requests that a node takes,
// however large the last one is and however little they compress.
func TestRequestsAreBounded(t *testing.T) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	var largest int
	var firsts []uint64 // of the batches that came
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		largest = max(largest, len(body))
		raws := [][]byte{body}
		if r.Header.Get("Content-Type") == rest.TypeTransactions {
			raws, _ = protocol.SplitTransactions(body)
		}
		for _, raw := range raws {
			if tx, err := protocol.DecodeTx("cairn-test", raw); err == nil {
				firsts = append(firsts, tx.Body.(*protocol.Batch).First)
			}
		}
		if len(raws) > 1 {
			json.NewEncoder(w).Encode(rest.SubmittedMany{Transactions: make([]rest.Problem, len(raws))})
		} else {
			json.NewEncoder(w).Encode(rest.Submitted{})
		}
	}))
	defer node.Close()
	c, err := New(Config{Nodes: []string{node.URL}, ChainID: "cairn-test"})
	if err != nil {
		t.Fatal(err)
	}
	c.heard(1)
	for _, kilobytes := range [][]int{{450, 900}, {479, 960}, {1, 1, 10, 960}, {960}, {1, 2, 3}} {
		largest, firsts = 0, nil
		p := &Producer{client: c, key: key, stream: "large", order: make(chan struct{}, 1), ctx: context.Background(), config: ProducerConfig{ExpiryBlocks: 10}}
		var group []*batch
		var want []uint64
		for _, size := range kilobytes {
			want = append(want, p.next)
			group = append(group, noisyBatch(p.next, size<<10))
			p.next += uint64(len(group[len(group)-1].records))
		}
		if err := p.dispatch(group); err != nil {
			t.Fatal(err)
		}
		if largest > protocol.MaxTxBytes {
			t.Errorf("batches of %d KiB: a request has %d octets, nodes take %d", kilobytes, largest, protocol.MaxTxBytes)
		}
		if !slices.Equal(firsts, want) {
			t.Errorf("batches of %d KiB: came %d, were %d", kilobytes, firsts, want)
		}
	}
}

// noisyBatch has events that do not compress, in at most so many bytes.
func noisyBatch(first uint64, bytes int) *batch {
	random := rand.NewChaCha8([32]byte{byte(first)})
	b := &batch{first: first}
	for b.bytes < bytes {
		noise := make([]byte, min(60<<10, max(bytes-b.bytes-100, 1)))
		random.Read(noise)
		e := protocol.Event{ID: "1", Source: "/test", Type: "noise", DataForm: protocol.DataBinary, Data: noise}
		record := e.AppendRecord(nil)
		if b.bytes+len(record) > bytes && b.bytes > 0 {
			break
		}
		b.records, b.bytes = append(b.records, record), b.bytes+len(record)
	}
	return b
}
