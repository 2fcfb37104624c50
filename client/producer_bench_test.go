//go:build unix

package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// stubVariable makes the test program a stubNode, whose work is then not the
// benchmark's.
const stubVariable = "CAIRN_TEST_STUB_NODE"

func init() {
	if os.Getenv(stubVariable) != "" {
		serveStub()
		os.Exit(0)
	}
}

// stubNode takes whatever it is sent and every 50 ms decides all it has.
type stubNode struct {
	mu      sync.Mutex
	next    uint64                             // log index; guarded by mu
	taken   map[protocol.Hash]*stubTransaction // guarded by mu
	decided chan struct{}                      // closes with the next block; guarded by mu
}

type stubTransaction struct {
	index   uint64
	decided chan struct{}
}

func (n *stubNode) take(raw []byte) protocol.Hash {
	id, _ := protocol.TxID("cairn-stub", raw)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken[id] = &stubTransaction{n.next, n.decided}
	n.next++
	return id
}

func (n *stubNode) status(text string, wait bool) rest.Status {
	id, _ := protocol.ParseHash(text)
	n.mu.Lock()
	tx := n.taken[id]
	n.mu.Unlock()
	if wait {
		<-tx.decided
	}
	select {
	case <-tx.decided:
		return rest.Status{TxID: id, State: rest.StateCommitted, Name: "OK", Height: 5, FirstIndex: tx.index, Entries: 1}
	default:
		return rest.Status{TxID: id, State: rest.StatePending, Name: "OK"}
	}
}

func (n *stubNode) answer(r *http.Request) any {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Header.Get("Content-Type") == rest.TypeTransactions:
		raws, _ := protocol.SplitTransactions(body)
		for _, raw := range raws {
			n.take(raw)
		}
		return rest.SubmittedMany{Transactions: make([]rest.Problem, len(raws))}
	case r.Method == http.MethodPost:
		return rest.Submitted{TxID: n.take(body)}
	case r.URL.Path == "/v1/transactions":
		var out rest.Statuses
		for i, id := range strings.Split(r.URL.Query().Get("ids"), ",") {
			out.Transactions = append(out.Transactions, n.status(id, i == 0))
		}
		return out
	case strings.HasPrefix(r.URL.Path, "/v1/transactions/"):
		return n.status(strings.TrimPrefix(r.URL.Path, "/v1/transactions/"), true)
	}
	return rest.Stream{}
}

// serveStub says where it is and serves until its input ends.
func serveStub() {
	n := &stubNode{taken: map[protocol.Hash]*stubTransaction{}, decided: make(chan struct{})}
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			n.mu.Lock()
			close(n.decided)
			n.decided = make(chan struct{})
			n.mu.Unlock()
		}
	}()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(rest.HeaderHeight, "5")
		json.NewEncoder(w).Encode(n.answer(r))
	}))
	fmt.Println(s.URL)
	io.Copy(io.Discard, os.Stdin)
	s.CloseClientConnections()
}

// BenchmarkProducer is what an event of a transaction of its own costs its
// producer, one of 32, from Submit until it is final: above all processor time.
func BenchmarkProducer(b *testing.B) {
	stub := exec.Command(os.Args[0])
	stub.Env = append(os.Environ(), stubVariable+"=1")
	in, err1 := stub.StdinPipe()
	out, err2 := stub.StdoutPipe()
	if err1 != nil || err2 != nil || stub.Start() != nil {
		b.Fatal("the stub does not start", err1, err2)
	}
	defer stub.Wait()
	defer in.Close()
	var url string
	if _, err := fmt.Fscanln(out, &url); err != nil {
		b.Fatal(err)
	}
	c, err := client.New(client.Config{Nodes: []string{url}, ChainID: "cairn-stub"})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	producers := make([]*client.Producer, 32)
	for i := range producers {
		if producers[i], err = c.NewProducer(ctx, newKey(b), fmt.Sprintf("s%d", i), client.ProducerConfig{MaxBatchEvents: 1, MaxInFlight: 128, Linger: -1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime()
	var all sync.WaitGroup
	for i, p := range producers {
		all.Go(func() {
			for n := i; n < b.N; n += len(producers) {
				if _, err := p.Submit(ctx, event(n)); err != nil {
					b.Error(err)
					return
				}
			}
			if err := p.Close(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// processorTime is this process's.
func processorTime() time.Duration {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
