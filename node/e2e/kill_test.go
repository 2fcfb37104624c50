package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts"
	"github.com/cairn-ledger/cairn/genesis"
)

// connect makes a client of all nodes that verifies receipts.
func (nw *network) connect() *client.Client {
	nw.t.Helper()
	doc, err := genesis.Load(filepath.Join(nw.dir, "genesis.json"))
	if err != nil {
		nw.t.Fatal(err)
	}
	trust, err := doc.Trust()
	if err != nil {
		nw.t.Fatal(err)
	}
	var urls []string
	for _, n := range nw.nodes {
		urls = append(urls, n.API)
	}
	c, err := client.New(client.Config{Nodes: urls, ChainID: doc.ChainID, Trust: trust, GiveUpAfter: 3 * time.Minute})
	if err != nil {
		nw.t.Fatal(err)
	}
	return c
}

// key reads a demo account's key.
func (nw *network) key(name string) protocol.PrivateKey {
	nw.t.Helper()
	text, err := os.ReadFile(filepath.Join(nw.dir, "keys", name+".json"))
	if err != nil {
		nw.t.Fatal(err)
	}
	var file struct {
		Secret string `json:"secretKey"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		nw.t.Fatal(err)
	}
	secret, err := hex.DecodeString(file.Secret)
	if err != nil {
		nw.t.Fatal(err)
	}
	key, err := protocol.PrivateKeyFromBytes(secret)
	if err != nil {
		nw.t.Fatal(err)
	}
	return key
}

func (nw *network) deployParking(c *client.Client) {
	nw.t.Helper()
	module, manifest, err := contracts.Shipped("parking")
	if err != nil {
		nw.t.Fatal(err)
	}
	if _, err := c.Deploy(context.Background(), nw.key("author"), module, manifest, nil); err != nil {
		nw.t.Fatal(err)
	}
}

// readings reads a file of car park readings as events, one a row.
func readings(t testing.TB, path string) []protocol.Event {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var events []protocol.Event
	for _, row := range rows[1:] {
		at, err1 := time.Parse(time.DateTime, row[3])
		capacity, err2 := strconv.Atoi(row[1])
		occupied, err3 := strconv.Atoi(row[2])
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatalf("row %v", row)
		}
		events = append(events, protocol.Event{
			ID: row[0] + "@" + at.Format("2006-01-02T15:04:05"), Source: "/parking/e2e", Type: "parking.occupancy.v1", Subject: row[0], TimeNs: at.UnixNano(),
			HasTime: true, DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"occupied":%d,"capacity":%d}`, occupied, capacity),
		})
	}
	return events
}

// Validators are killed with kill -9 at random moments while readings stream
// in, one at a time and now and then all at once. Afterwards the nodes agree, every
// acknowledged reading is in the log once, in order, and every price is the
// recomputed one.
func TestKilledValidatorsLoseNothing(t *testing.T) {
	file := needBirmingham(t)
	want, err := recompute(file)
	if err != nil {
		t.Fatal(err)
	}
	events := readings(t, file)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d cycles", *seed, *killCycles)
	random := rand.New(rand.NewPCG(*seed, 0))
	nw := startNetwork(t, 4)
	c := nw.connect()
	nw.deployParking(c)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	streamed := make(chan error, 1)
	pace := time.Duration(*killCycles) * 700 * time.Millisecond / time.Duration(len(events)/100+1)
	go func() { streamed <- stream(ctx, c, nw.key("producer"), "kill", events, pace) }()
	for cycle := range *killCycles {
		time.Sleep(time.Duration(50+random.IntN(400)) * time.Millisecond)
		victims := []*node{nw.nodes[random.IntN(len(nw.nodes))]}
		if cycle%7 == 6 {
			victims = nw.nodes
		}
		for _, n := range victims {
			nw.kill(n)
		}
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		for _, n := range victims {
			nw.start(n)
		}
		if len(victims) > 1 {
			nw.waitReady()
		}
	}
	if err := <-streamed; err != nil {
		t.Fatal(err)
	}
	nw.waitReady()
	closing := protocol.Event{ID: "close", Source: "/parking/e2e", Type: "parking.week.close.v1", Subject: "*"}
	if err := stream(ctx, c, nw.key("producer"), "kill-close", []protocol.Event{closing}, 0); err != nil {
		t.Fatal(err)
	}
	before := nw.agreed()
	nw.audit(ctx, c, "kill", events)
	comparePrices(t, nw, want)
	// A power cut of the whole network, after everything was acknowledged.
	for _, n := range nw.nodes {
		nw.kill(n)
	}
	for _, n := range nw.nodes {
		nw.start(n)
	}
	nw.waitReady()
	if after := nw.agreed(); after.AppHash != before.AppHash || after.LogSize != before.LogSize {
		t.Fatalf("the network restarted with %+v, it had %+v", after, before)
	}
}

// stream submits events under their place as sequence and waits for all.
func stream(ctx context.Context, c *client.Client, key protocol.PrivateKey, name string, events []protocol.Event, pace time.Duration) error {
	producer, err := c.NewProducer(ctx, key, name, client.ProducerConfig{MaxBatchEvents: 100})
	if err != nil {
		return err
	}
	futures := make([]*client.Future, len(events))
	for i, e := range events {
		if futures[i], err = producer.SubmitAt(ctx, uint64(i), e); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		if i%100 == 99 {
			time.Sleep(pace)
		}
	}
	if err := producer.Close(ctx); err != nil {
		return err
	}
	for i, f := range futures {
		if _, err := f.Wait(ctx); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// audit walks a stream as an auditor does: one entry for each sequence, with
// the very event that was sent, in ascending order of the log.
func (nw *network) audit(ctx context.Context, c *client.Client, name string, events []protocol.Event) {
	nw.t.Helper()
	indexes, at := map[uint64]bool{}, 0
	for at < len(events) {
		page, err := c.StreamEntries(ctx, nw.key("producer").Address(), name, uint64(at), 10_000)
		if err != nil || len(page) == 0 {
			nw.t.Fatalf("stream from %d: %d entries, %v", at, len(page), err)
		}
		for _, e := range page {
			if e.Sequence != uint64(at) || indexes[e.Index] || e.Record != sha256.Sum256(events[at].AppendRecord(nil)) {
				nw.t.Fatalf("sequence %d: entry %+v", at, e)
			}
			indexes[e.Index] = true
			at++
		}
	}
	for i := 0; i < len(events); i += 1 + len(events)/50 { // receipts verify in the client
		page, err := c.StreamEntries(ctx, nw.key("producer").Address(), name, uint64(i), 1)
		if err != nil {
			nw.t.Fatal(err)
		}
		if _, err := c.Receipt(ctx, page[0].Index); err != nil {
			nw.t.Fatal(err)
		}
	}
}
