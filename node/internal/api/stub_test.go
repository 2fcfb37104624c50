package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// stub is a ledger of five entries at height 7: four events and a gap.
type stub struct {
	receipt *proof.Receipt
	fault   error // what Head fails with

	mu        sync.Mutex
	height    uint64        // guarded by mu
	changed   chan struct{} // closed when height changes; guarded by mu
	submitted [][]byte      // guarded by mu
	hold      chan struct{} // submissions wait for it to close, where it is not nil
}

const stubHeight, stubSize = 7, 5

var (
	stubProducer = protocol.Address{1, 2, 3}
	errDisk      = errors.New("pebble: /var/secret/000123.sst: read error")
)

func newStub(t testing.TB) *stub {
	t.Helper()
	text, err := os.ReadFile("../../../docs/vectors/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Receipts []struct{ Binary string } }
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Receipts) == 0 {
		t.Fatalf("vectors of receipts: %v", err)
	}
	encoded, err := hex.DecodeString(vectors.Receipts[0].Binary)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := proof.Parse(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return &stub{receipt: receipt, height: stubHeight, changed: make(chan struct{})}
}

func (b *stub) grow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.height++
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *stub) at() (uint64, chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.height, b.changed
}

func (b *stub) Height(ctx context.Context, atLeast uint64) uint64 {
	for {
		height, changed := b.at()
		if height >= atLeast {
			return height
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return height
		}
	}
}

func (b *stub) Submit(ctx context.Context, raw []byte) (protocol.Hash, error) {
	b.mu.Lock()
	b.submitted = append(b.submitted, raw)
	b.mu.Unlock()
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
		}
	}
	switch string(raw) {
	case "panic":
		panic("a broken invariant")
	case "full":
		return protocol.Hash{}, protocol.Refuse(protocol.CodeBusy, "the stub is full")
	}
	return protocol.TxID("cairn-stub", raw)
}

func (b *stub) SubmitAll(ctx context.Context, raws [][]byte) ([]error, error) {
	errs := make([]error, len(raws))
	for i, raw := range raws {
		_, errs[i] = b.Submit(ctx, raw)
	}
	return errs, nil
}

// Status knows no transaction but that of the zero id.
func (b *stub) Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error) {
	if id.IsZero() {
		return rest.Status{State: rest.StateCommitted, Name: "OK", Height: 3}, nil
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return rest.Status{TxID: id, State: rest.StateUnknown, Name: "OK", Retryable: true}, nil
}

func (b *stub) HeadAt(at uint64) (rest.Head, error) {
	height, _ := b.at()
	if at > height {
		return rest.Head{}, protocol.Refuse(protocol.CodeNotFound, "height %d is not there yet", at)
	}
	if at > 0 {
		height = at
	}
	return rest.Head{ChainID: "cairn-stub", Height: height, LogSize: stubSize}, b.fault
}

// HeightAt is of a ledger that makes a block every second from 1970 on.
func (b *stub) HeightAt(timeMs int64) (uint64, error) {
	height, _ := b.at()
	return min(height, uint64(timeMs/1000)), nil
}

func (b *stub) Block(height uint64) (rest.Block, error) {
	if newest, _ := b.at(); height > newest {
		return rest.Block{}, protocol.Refuse(protocol.CodeNotFound, "there is no block %d", height)
	}
	return rest.Block{Height: height, Before: rest.Before{Params: []byte("{}")}}, nil
}

func (b *stub) Diff(from, to uint64, after []byte, limit int) (rest.Diff, error) {
	return rest.Diff{From: from, To: to, Changes: make([]rest.Change, limit), Next: after}, nil
}

func (b *stub) StateSince(_ []byte, height uint64) (rest.StateSince, error) {
	return rest.StateSince{Height: height, Exists: true, Since: height - 1}, nil
}

func (b *stub) StateKeys(prefix, after []byte, height uint64, limit int) (rest.StateKeys, error) {
	return rest.StateKeys{Height: height, Keys: [][]byte{prefix, after}}, nil
}

func (b *stub) Entry(index uint64) (rest.Entry, error) {
	e := rest.Entry{Index: index, Kind: protocol.EntryEvent, Height: 1, Origin: stubProducer, Stream: "meters", Sequence: index}
	switch {
	case index >= stubSize:
		return e, protocol.Refuse(protocol.CodeNotFound, "the log has no entry %d; its size is %d", index, stubSize)
	case index == stubSize-1:
		e.Kind, e.Act = protocol.EntryGap, map[string]int{"count": 3}
	default:
		e.Event = &protocol.Event{ID: "1", Source: "/s", Type: "t.v1", DataForm: protocol.DataJSON, Data: []byte(`{"a": "<1>"}`)}
	}
	return e, nil
}

func (b *stub) Entries(from uint64, count int) (out []rest.Entry, err error) {
	for ; from < stubSize && len(out) < count; from++ {
		e, err := b.Entry(from)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (b *stub) FindEvent(producer protocol.Address, source, id string) (uint64, error) {
	if source == "/s" && id == "1" && (producer.IsZero() || producer == stubProducer) {
		return 0, nil
	}
	return 0, protocol.Refuse(protocol.CodeNotFound, "no event has the source %q and the id %q", source, id)
}

func (b *stub) Receipt(_ context.Context, index uint64) (*proof.Receipt, error) {
	if _, err := b.Entry(index); err != nil {
		return nil, err
	}
	return b.receipt, nil
}

func (b *stub) Erasure(_ context.Context, index uint64) (*proof.Erasure, error) {
	return nil, protocol.Refuse(protocol.CodeNotFound, "the payload of entry %d was not erased", index)
}

func (b *stub) StateReceipt(_ context.Context, _ []byte, height uint64) (*proof.Receipt, error) {
	if height == 1 {
		return nil, protocol.Refuse(protocol.CodePruned, "this node does not keep that height")
	}
	return b.receipt, nil
}

func (b *stub) Stream(producer protocol.Address, name string) (rest.Stream, error) {
	return rest.Stream{Producer: producer, Name: name, Next: stubSize}, nil
}

func (b *stub) StreamEntries(_ protocol.Address, _ string, from uint64, count int) ([]rest.StreamEntry, error) {
	if from == 1_000 { // a page that is large
		return make([]rest.StreamEntry, count), nil
	}
	var out []rest.StreamEntry
	for ; from < stubSize && len(out) < count; from++ {
		out = append(out, rest.StreamEntry{Sequence: from, Index: from, Height: 1, Kind: protocol.EntryEvent})
	}
	return out, nil
}

func (b *stub) Contracts() ([]rest.Contract, error) { return nil, nil }

func (b *stub) Contract(name string) (rest.Contract, error) {
	if name != "parking" {
		return rest.Contract{}, protocol.Refuse(protocol.CodeContractUnknown, "no contract is named %q", name)
	}
	return rest.Contract{Name: name, Events: []string{}, Calls: []string{}, Queries: []string{"price"}}, nil
}

func (b *stub) Query(_ context.Context, contract, method string, args Args, height uint64) (json.RawMessage, error) {
	if _, err := b.Contract(contract); err != nil {
		return nil, err
	}
	if method != "price" {
		return nil, protocol.Refuse(protocol.CodeMethodUnknown, "contract %s has no query %q", contract, method)
	}
	return json.Marshal(map[string]any{"text": args.Text, "json": string(args.JSON), "height": height})
}

func (b *stub) DeadLetters(contract string, from uint64, limit int) ([]rest.DeadLetter, error) {
	_, err := b.Contract(contract)
	return nil, err
}

func (b *stub) TrustPath(uint64) (*proof.TrustPath, error) {
	return &proof.TrustPath{ChainID: "cairn-stub"}, nil
}

func (b *stub) ContractLogs(contract string, after uint64) ([]rest.ContractLog, error) {
	_, err := b.Contract(contract)
	return nil, err
}

func (b *stub) Checkpoint() ([]byte, error) { return []byte("cairn-stub\n5\nroot\n"), nil }

func (b *stub) Tile(level int, index uint64, width int) ([]byte, error) {
	if level != 0 || index*256+uint64(width) > stubSize {
		return nil, protocol.Refuse(protocol.CodeNotFound, "no such tile")
	}
	return make([]byte, 32*width), nil
}

func (b *stub) EntryBundle(index uint64, width int) ([]byte, error) {
	if index*256+uint64(width) > stubSize {
		return nil, protocol.Refuse(protocol.CodeNotFound, "no such bundle")
	}
	return make([]byte, 120*width), nil
}

func (b *stub) Consistency(from, to uint64) (rest.Consistency, error) {
	return rest.Consistency{From: from, To: to}, nil
}

func (b *stub) ReceiptOf(_ context.Context, indices []uint64) (*proof.BatchReceipt, error) {
	return b.BatchReceipt(context.Background(), indices[0], 1, false)
}

func (b *stub) BatchReceipt(_ context.Context, first uint64, count int, withhold bool) (*proof.BatchReceipt, error) {
	return nil, protocol.Refuse(protocol.CodeNotFound, "the log has no entry %d; asked for %d, %v", first, count, withhold)
}

func (b *stub) StreamReceipt(_ context.Context, _ protocol.Address, name string, from uint64, count int, withhold bool) (*proof.BatchReceipt, error) {
	return nil, protocol.Refuse(protocol.CodeNotFound, "stream %s lacks %d; asked for %d, %v", name, from, count, withhold)
}

func (b *stub) HeldReceipt(index uint64, level uint8) (*proof.HeldReceipt, error) {
	return nil, protocol.Refuse(protocol.CodeNotFound, "entry %d, level %d", index, level)
}

func (b *stub) ExportReceipt(_ context.Context, index uint64, format string) ([]byte, error) {
	return []byte(format), nil
}

func (b *stub) Genesis() []byte { return []byte(`{"chainId":"cairn-stub"}`) }
func (b *stub) Version() string { return "v0.0.0-test" }

func (b *stub) Ready() error {
	if height, _ := b.at(); height < stubHeight+1 {
		return errors.New("1 peer is connected, 2 are needed for a quorum")
	}
	return nil
}

func (b *stub) Gauges() []Gauge {
	height, _ := b.at()
	return []Gauge{{Name: "height", Help: "Newest committed block.", Value: float64(height)}}
}

func newServer(t testing.TB, b Backend, c Config) *Server {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	s, err := New(b, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
