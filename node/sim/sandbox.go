package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Sandbox executes single blocks of a ledger that is kept elsewhere, on the
// machine that validators run. Whatever the block asks of the ledger before it
// comes from a Source: where that answers only what is proven, what the block
// comes to is proven too.
type Sandbox struct {
	chainID string
	engine  *vm.Engine
	machine *machine.Machine

	programs map[protocol.Hash]*vm.Program // by code hash
}

// NewSandbox makes a sandbox for blocks of one chain. Close it.
func NewSandbox(chainID string) (*Sandbox, error) {
	engine, err := vm.New(ctx, vm.Config{})
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return &Sandbox{chainID, engine, machine.New(chainID, engine), map[protocol.Hash]*vm.Program{}}, nil
}

// Close frees the sandbox's memory.
func (s *Sandbox) Close() error { return s.engine.Close() }

// Source answers what a ledger was before a block. An error ends the execution
// and comes back from it.
type Source interface {
	// Value is what a key has in the state; nil where it has nothing.
	Value(key []byte) ([]byte, error)
	// Keys lists keys under a prefix, after a key.
	Keys(prefix, after []byte, limit int) ([][]byte, error)
	// Entry is an older entry of the log with what it commits to.
	Entry(index uint64) (SourceEntry, error)
	// FirstOf is the index of an event's first arrival, by a key of SourceKey,
	// where the block holds a duplicate of it.
	FirstOf(key string) (index uint64, ok bool)
}

// SourceEntry is an entry with what it commits to.
type SourceEntry struct {
	protocol.Entry
	Blind   protocol.Blind
	Payload []byte
}

// SourceKey names an event by its producer and its CloudEvents identity.
func SourceKey(producer protocol.Address, source, id string) string {
	return string(machine.SourceSide(producer, source, id))
}

// Ground is a block and what it is executed on.
type Ground struct {
	Height uint64
	Time   time.Time
	Txs    [][]byte

	LogSize   uint64          // before the block, as are the others
	LogPeaks  []protocol.Hash // roots of the log's complete subtrees, the largest first
	Params    []byte
	StateRoot protocol.Hash
	Source    Source
}

// head is what the ledger was before the block.
func (g *Ground) head() store.Head {
	return store.Head{Height: g.Height - 1, LogSize: g.LogSize, LogRoot: peaksRoot(g.LogPeaks), StateRoot: g.StateRoot, Params: g.Params}
}

// AppHash is the app hash of what the ledger was before the block, which the
// block's own header has.
func (g *Ground) AppHash() protocol.Hash {
	return proof.AppHash(g.LogSize, peaksRoot(g.LogPeaks), g.Params, g.StateRoot)
}

// LogRoot is the root of the log before the block.
func (g *Ground) LogRoot() protocol.Hash { return peaksRoot(g.LogPeaks) }

// peaksRoot folds the roots of complete subtrees, the smallest first.
func peaksRoot(peaks []protocol.Hash) protocol.Hash {
	if len(peaks) == 0 {
		return proof.EmptyRoot
	}
	root := peaks[len(peaks)-1]
	for i := len(peaks) - 2; i >= 0; i-- {
		root = proof.NodeHash(peaks[i], root)
	}
	return root
}

// Executed is what a block came to.
type Executed struct {
	LogSize uint64
	LogRoot protocol.Hash
	Entries []Entry // that the block appended
	Kept    []Pair  // of the state, by key; a nil value is a deletion
	Traces  []Trace // of the contracts' runs, in their order
	Logs    []Said  // of runs that said something or failed
	Scans   int     // lists of keys that were asked for
}

// Pair is a key of the state and its value.
type Pair struct{ Key, Value []byte }

// Trace is what one run of a contract had to do with the state. Keys are of
// the whole state.
type Trace struct {
	Contract protocol.Address
	Index    uint64 // of the entry delivered, or that the run made
	Read     []Pair // as it was the first time the run asked for it; a nil value is of an absent key
	Kept     []Pair // what stayed of its writes, by key
}

// Execute runs a block.
func (s *Sandbox) Execute(g *Ground) (*Executed, error) {
	base := &elsewhere{g: g}
	before, err := store.Elsewhere(g.head(), g.LogPeaks, base)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	batch := before.Begin(g.Height, g.Time.UnixMilli())
	watch := &tracer{}
	batch.State().Observe(watch)
	result, err := s.machine.Execute(batch, machine.Block{Height: g.Height, TimeMs: g.Time.UnixMilli(), Txs: g.Txs, Watch: watch.run})
	if base.fault != nil {
		err = base.fault
	}
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	for i := range watch.traces {
		slices.SortFunc(watch.traces[i].Kept, func(a, b Pair) int { return bytes.Compare(a.Key, b.Key) })
	}
	out := &Executed{LogSize: batch.LogSize(), LogRoot: batch.LogRoot(), Traces: watch.traces, Scans: base.scans}
	for _, kv := range batch.State().Changes() {
		out.Kept = append(out.Kept, Pair{kv.Key, kv.Value})
	}
	for _, l := range result.Logs {
		out.Logs = append(out.Logs, Said{g.Height, l.Index, l.Code, l.GuestCode, l.Lines})
	}
	for index := g.LogSize; index < out.LogSize; index++ {
		e, err := executedEntry(batch, index)
		if err != nil {
			return nil, fmt.Errorf("sim: entry %d: %w", index, err)
		}
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

func executedEntry(batch *store.Batch, index uint64) (Entry, error) {
	raw, err := batch.Entry(index)
	if err != nil {
		return Entry{}, err
	}
	entry, err := protocol.DecodeEntry(raw)
	if err != nil {
		return Entry{}, err
	}
	first, payloads, err := machine.StoredBundle(batch, index)
	if err != nil {
		return Entry{}, err
	}
	payload := payloads[index-first]
	e := Entry{Entry: entry, Index: index, Hop: payload.Hop}
	return e, e.DecodePayload(payload.Bytes)
}

// Payload is what the entry commits to.
func (e *Entry) Payload() []byte { return e.payload }

// tracer notes what runs read and keep.
type tracer struct {
	traces []Trace
	read   map[string]bool // by the last run
}

func (t *tracer) run(contract protocol.Address, cause uint64) {
	t.traces, t.read = append(t.traces, Trace{Contract: contract, Index: cause}), map[string]bool{}
}

// ofRuns says whether a key is one that runs of contracts read and write; the
// machine's own are not.
func ofRuns(key []byte) bool {
	_, _, ok := machine.Value(key)
	return ok
}

// Read notes a key that a run asked for.
func (t *tracer) Read(key, value []byte) {
	if len(t.traces) == 0 || !ofRuns(key) || t.read[string(key)] {
		return
	}
	t.read[string(key)] = true
	last := &t.traces[len(t.traces)-1]
	last.Read = append(last.Read, Pair{bytes.Clone(key), value})
}

// Keep notes what stays of a run that succeeded.
func (t *tracer) Keep(key string, value []byte) {
	if len(t.traces) > 0 && ofRuns([]byte(key)) {
		last := &t.traces[len(t.traces)-1]
		last.Kept = append(last.Kept, Pair{[]byte(key), value})
	}
}

// elsewhere is a source as the store reads it.
type elsewhere struct {
	g     *Ground
	scans int
	fault error // of the source: the machine may wrap it in words of its own
}

func (b *elsewhere) fail(err error) error {
	if err != nil && b.fault == nil {
		b.fault = err
	}
	return err
}

func (b *elsewhere) Get(key []byte) ([]byte, bool, error) {
	value, err := b.g.Source.Value(key)
	return value, value != nil, b.fail(err)
}

func (b *elsewhere) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	b.scans++
	keys, err := b.g.Source.Keys(prefix, after, limit)
	if err != nil {
		return nil, b.fail(err)
	}
	pairs := make([]state.KV, 0, len(keys))
	last := string(after)
	for _, key := range keys {
		if !bytes.HasPrefix(key, prefix) || string(key) <= last || len(pairs) == limit {
			return nil, b.fail(fmt.Errorf("the list of keys under %x is not one", prefix))
		}
		value, err := b.g.Source.Value(key)
		if err == nil && value == nil {
			err = fmt.Errorf("key %x is listed and the state has it not", key)
		}
		if err != nil {
			return nil, b.fail(err)
		}
		pairs, last = append(pairs, state.KV{Key: key, Value: value}), string(key)
	}
	return pairs, nil
}

func (b *elsewhere) Entry(index uint64) ([]byte, error) {
	e, err := b.g.Source.Entry(index)
	return e.AppendBinary(nil), b.fail(err)
}

func (b *elsewhere) Bundle(index uint64) (first uint64, count uint32, data []byte, err error) {
	e, err := b.g.Source.Entry(index)
	if err != nil {
		return 0, 0, nil, b.fail(err)
	}
	hop, err := b.hop(e.Entry)
	return index, 1, machine.Bundle(machine.Payload{Blind: e.Blind, Bytes: e.Payload, Hop: hop}), b.fail(err)
}

// hop counts the deliveries between a producer's event and an entry: the log
// does not say it, and the chain of causes does.
func (b *elsewhere) hop(e protocol.Entry) (uint8, error) {
	for hop := uint8(0); ; hop++ {
		if e.Kind != protocol.EntryEmitted {
			return hop, nil
		}
		cause, err := b.g.Source.Entry(e.Cause)
		if err != nil {
			return 0, err
		}
		if hop == 255 || cause.Height > e.Height {
			return 0, fmt.Errorf("the causes of an entry of block %d do not end", e.Height)
		}
		e = cause.Entry
	}
}

func (b *elsewhere) Side(key []byte) ([]byte, bool, error) {
	index, ok := b.g.Source.FirstOf(string(key))
	return binary.BigEndian.AppendUint64(nil, index), ok, nil
}

func (b *elsewhere) SideBefore(key []byte) (k, v []byte, ok bool, err error) {
	k, v, ok = machine.AnyRun(key)
	return k, v, ok, nil
}
