package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// noise is what no compression hides.
func noise(text string) []byte {
	var out []byte
	for i := range 20 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", text, i))
		out = append(out, sum[:]...)
	}
	return out
}

func personal(id string) protocol.Event {
	return protocol.Event{ID: id, Source: "/erase/e2e", Type: "person.v1", DataForm: protocol.DataBinary, Data: noise(id)}
}

// holds says which files below a folder have octets.
func holds(t testing.TB, dir string, octets []byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // a file may go while we look
		}
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, octets) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// gone waits until no file below a folder of any node has octets.
func (nw *network) gone(folder string, octets []byte) {
	nw.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, n := range nw.nodes {
		for {
			found := holds(nw.t, filepath.Join(n.Home, "data", folder), octets)
			if len(found) == 0 {
				break
			}
			if time.Now().After(deadline) {
				nw.t.Fatalf("what was erased is in %v", found)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// An event is erased while one validator is down and another has lost its data:
// every node forgets it, the blocks that carried it are pruned, and what was
// proved stays proved.
func TestErasedEverywhere(t *testing.T) {
	t.Setenv("CAIRN_KEEP_BLOCKS", "20")
	nw := startNetwork(t, 4)
	c := nw.connect()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	events := []protocol.Event{personal("a"), personal("b"), personal("c")}
	if err := stream(ctx, c, nw.key("producer"), "people", events, 0); err != nil {
		t.Fatal(err)
	}
	nw.agreed()
	secret := noise("b")[:100]
	if len(holds(t, nw.nodes[3].Home, secret)) == 0 {
		t.Fatal("the search finds nothing: it proves nothing")
	}
	before, err := c.Receipt(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	nw.kill(nw.nodes[3])
	said := run(t, binary(t, "cairn"), "--network", nw.dir, "event", "erase", "1", "--reason", "request", "--json")
	t.Log(said)
	nw.start(nw.nodes[3])
	nw.waitReady()
	nw.loseData(nw.nodes[2]) // it replays the event, and then the erasure
	nw.agreed()
	nw.gone("ledger", secret)
	nw.checkErased(ctx, before)

	filler := make([]protocol.Event, 1)
	for i := range 60 { // a block each, and then some: the first ones are pruned
		filler[0] = personal(fmt.Sprint("filler", i))
		if err := stream(ctx, c, nw.key("producer"), fmt.Sprint("filler", i), filler, 0); err != nil {
			t.Fatal(err)
		}
	}
	nw.agreed()
	nw.gone("comet", secret)
	nw.kill(nw.nodes[0])
	nw.start(nw.nodes[0])
	nw.waitReady()
	nw.checkErased(ctx, before)
	if len(holds(t, nw.nodes[1].Home, noise("c")[:100])) == 0 {
		t.Fatal("what was not erased went with it")
	}
	erased, err := nw.connect().EraseStream(ctx, nw.key("producer"), "people", 0, 3, protocol.ReasonRetention)
	if err != nil || erased != 2 { // one was erased before
		t.Fatalf("%d events of the stream were erased, %v", erased, err)
	}
	nw.agreed()
	nw.gone("ledger", noise("c")[:100])
}

// loseData stops a node, takes its data away and has it fetch the chain again.
func (nw *network) loseData(n *node) {
	nw.t.Helper()
	nw.kill(n)
	state, err := os.ReadFile(filepath.Join(n.Home, "data", "validator-state.json"))
	if err != nil {
		nw.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(n.Home, "data")); err != nil {
		nw.t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(n.Home, "data"), 0o700); err != nil {
		nw.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.Home, "data", "validator-state.json"), state, 0o600); err != nil {
		nw.t.Fatal(err)
	}
	nw.start(n)
	nw.waitReady()
}

// checkErased asks every node for the erased entry and holds old and new proofs.
func (nw *network) checkErased(ctx context.Context, before *proof.Receipt) {
	nw.t.Helper()
	for _, n := range nw.nodes {
		var entry rest.Entry
		getJSON(nw.t, n.API+"/v1/entries/1", &entry)
		if entry.Event != nil || entry.Erased == nil || entry.Erased.Reason != protocol.ReasonRequest {
			nw.t.Fatalf("%s answers %+v", n.Name, entry)
		}
		if status, body := get(n.API + "/v1/events/1"); status != 410 {
			nw.t.Fatalf("%s answers %d %s", n.Name, status, body)
		}
	}
	if status, body := get(fmt.Sprintf("%s/v1/blocks/%d", nw.nodes[0].API, before.Entry.Entry.Height)); status != 410 {
		nw.t.Fatalf("the block is shown: %d %s", status, body)
	}
	c := nw.connect()
	if _, err := c.Verify(ctx, before); err != nil || before.Entry.Withheld {
		nw.t.Fatal("the receipt issued before:", err)
	}
	erasure, err := c.Erasure(ctx, 1)
	if err != nil || erasure.Entry.Entry.Entry != before.Entry.Entry {
		nw.t.Fatal(err)
	}
	file := filepath.Join(nw.t.TempDir(), "erasure.json")
	run(nw.t, binary(nw.t, "cairn"), "--network", nw.dir, "receipt", "get", "1", "-o", file)
	nw.t.Log(run(nw.t, binary(nw.t, "cairn"), "receipt", "verify", file, "--trust", filepath.Join(nw.dir, "genesis.json")))
	// A source that begins anew finds all it sent, the erased event too.
	producer, err := c.NewProducer(ctx, nw.key("producer"), "people", client.ProducerConfig{})
	if err != nil {
		nw.t.Fatal(err)
	}
	for i, id := range []string{"a", "b", "c"} {
		future, err := producer.SubmitAt(ctx, uint64(i), personal(id))
		if err != nil {
			nw.t.Fatal(err)
		}
		if result, err := future.Wait(ctx); err != nil || !result.Held {
			nw.t.Fatalf("event %s: %+v %v", id, result, err)
		}
	}
	if err := producer.Close(ctx); err != nil {
		nw.t.Fatal(err)
	}
}
