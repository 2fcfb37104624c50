package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/sim"
)

// auditor fetches pieces of a ledger, verifies each with what is trusted, and
// executes blocks on them again. Nodes are believed nothing.
type auditor struct {
	*ledger
	sandbox  *sim.Sandbox
	entries  map[uint64]*provenEntry
	blocks   map[uint64]*repeated
	last     *rest.Block // that was fetched: entries of one block are met together
	progress func(format string, args ...any)
}

func newAuditor(l *ledger, progress func(format string, args ...any)) (*auditor, error) {
	sandbox, err := sim.NewSandbox(l.ChainID())
	if err != nil {
		return nil, err
	}
	return &auditor{ledger: l, sandbox: sandbox, entries: map[uint64]*provenEntry{}, blocks: map[uint64]*repeated{}, progress: progress}, nil
}

// provenEntry is an entry whose receipt was verified.
type provenEntry struct {
	sim.Entry
	receipt   *proof.Receipt
	statement proof.Statement
}

// withheld says that the entry's payload was erased, or is kept back.
func (e *provenEntry) withheld() bool { return e.receipt.Entry.Withheld }

// entry fetches an entry with its receipt.
func (a *auditor) entry(ctx context.Context, index uint64) (*provenEntry, error) {
	if e := a.entries[index]; e != nil {
		return e, nil
	}
	receipt, err := a.Receipt(ctx, index)
	if err != nil {
		return nil, err
	}
	e := &provenEntry{Entry: sim.Entry{Entry: receipt.Entry.Entry, Index: index}, receipt: receipt}
	if e.statement, err = a.Verify(ctx, receipt); err != nil {
		return nil, fmt.Errorf("%w: entry %d: %w", errInvalid, index, err)
	}
	if !e.withheld() {
		if err := e.DecodePayload(receipt.Entry.Payload); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", errInvalid, index, err)
		}
	}
	a.entries[index] = e
	return e, nil
}

// block fetches a decided block and verifies it.
func (a *auditor) block(ctx context.Context, height uint64) (*rest.Block, error) {
	if r := a.blocks[height]; r != nil {
		return &r.block, nil
	}
	if a.last == nil || a.last.Height != height {
		block, err := a.Block(ctx, height)
		if err != nil {
			return nil, err
		}
		a.last = &block
	}
	return a.last, nil
}

// value is what a key has in the state after a height; nil where it has
// nothing. root is the state's root, or zero where it is not known.
func (a *auditor) value(ctx context.Context, key []byte, height uint64, root protocol.Hash) ([]byte, error) {
	receipt, err := a.StateReceipt(ctx, key, height)
	if err != nil {
		return nil, err
	}
	statement, err := a.Verify(ctx, receipt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	s := statement.State
	if s.Height != height || !root.IsZero() && s.Root != root {
		return nil, fmt.Errorf("%w: the node proved a key after block %d, and not after block %d", errInvalid, s.Height, height)
	}
	if s.Exists && s.Value == nil {
		return []byte{}, nil
	}
	return s.Value, nil
}

// repeated is a block that was executed again.
type repeated struct {
	block    rest.Block
	ground   *sim.Ground
	source   *provenSource
	executed *sim.Executed
	// matches: its log is, octet for octet, what the validators signed.
	matches   bool
	different string // what is not, in words
}

// provenSource answers what a ledger was before a block, each piece verified.
type provenSource struct {
	ctx    context.Context
	a      *auditor
	before rest.Before
	height uint64 // that the state is of
	values map[string][]byte
	first  map[string]uint64
}

// Value fetches a key's value with its receipt.
func (s *provenSource) Value(key []byte) ([]byte, error) {
	if value, known := s.values[string(key)]; known {
		return value, nil
	}
	value, err := s.a.value(s.ctx, key, s.height, s.before.StateRoot)
	if err != nil {
		return nil, err
	}
	s.values[string(key)] = value
	return value, nil
}

// Keys asks a node; what it lists is proven key by key, that it lists all is not.
func (s *provenSource) Keys(prefix, after []byte, limit int) ([][]byte, error) {
	return s.a.StateKeys(s.ctx, prefix, after, s.height, min(limit, rest.MaxStateKeys))
}

// Entry fetches an older entry with its receipt.
func (s *provenSource) Entry(index uint64) (sim.SourceEntry, error) {
	e, err := s.a.entry(s.ctx, index)
	if err != nil {
		return sim.SourceEntry{}, err
	}
	return sim.SourceEntry{Entry: e.Entry.Entry, Blind: e.receipt.Entry.Blind, Payload: e.Payload()}, nil
}

// FirstOf knows the duplicates of the block. If they were others, the block
// would come to another log.
func (s *provenSource) FirstOf(key string) (uint64, bool) {
	index, ok := s.first[key]
	return index, ok
}

// repeat executes a block again, once.
func (a *auditor) repeat(ctx context.Context, height uint64) (*repeated, error) {
	if r := a.blocks[height]; r != nil {
		return r, nil
	}
	if height < 2 {
		return nil, errors.New("block 1 rests on the founding document; `cairn audit replay` executes it")
	}
	a.progress("executing block %d again", height)
	block, err := a.block(ctx, height)
	if err != nil {
		return nil, err
	}
	source := &provenSource{ctx: ctx, a: a, before: block.Before, height: height - 1, values: map[string][]byte{}, first: map[string]uint64{}}
	r := &repeated{block: *block, source: source, ground: &sim.Ground{
		Height: height, Time: block.Decided.Header.Time(), Txs: block.Decided.Txs, LogSize: block.Before.LogSize,
		LogPeaks: block.Before.LogPeaks, Params: block.Before.Params, StateRoot: block.Before.StateRoot, Source: source,
	}}
	if got := r.ground.AppHash(); got != block.Decided.AppHash {
		return nil, fmt.Errorf("%w: what the node says the ledger was before block %d has app hash %s, the validators signed %s", errInvalid, height, got, block.Decided.AppHash)
	}
	if err := a.execute(ctx, r); err != nil {
		return nil, err
	}
	a.blocks[height] = r
	return r, nil
}

// execute runs a block and holds its log to what was signed after it. Where
// that differs, it may hold arrivals of events that came before.
func (a *auditor) execute(ctx context.Context, r *repeated) error {
	size, root, err := a.logAfter(ctx, r)
	if err != nil {
		return err
	}
	for attempt := range 2 {
		if r.executed, err = a.sandbox.Execute(r.ground); err != nil {
			return err
		}
		r.matches = r.executed.LogSize == size && r.executed.LogRoot == root
		if r.matches || attempt > 0 {
			break
		}
		if err := a.duplicates(ctx, r); err != nil {
			return err
		}
	}
	if !r.matches {
		r.different = fmt.Sprintf("block %d, executed again, appends %d entries with log root %s; the validators signed %d with %s",
			r.block.Height, r.executed.LogSize-r.ground.LogSize, r.executed.LogRoot, size-r.ground.LogSize, root)
	}
	return nil
}

// logAfter is the size and root of the log after a block, as signed.
func (a *auditor) logAfter(ctx context.Context, r *repeated) (size uint64, root protocol.Hash, err error) {
	if r.block.After > r.ground.LogSize {
		last, err := a.entry(ctx, r.block.After-1)
		if err != nil {
			return 0, root, err
		}
		if last.statement.Height == r.block.Height+1 {
			return last.statement.Entry.LogSize, last.statement.Entry.LogRoot, nil
		}
	}
	next, err := a.Block(ctx, r.block.Height+1)
	if err != nil {
		return 0, root, err
	}
	after := sim.Ground{LogSize: next.Before.LogSize, LogPeaks: next.Before.LogPeaks, Params: next.Before.Params, StateRoot: next.Before.StateRoot}
	if after.AppHash() != next.Decided.AppHash {
		return 0, root, fmt.Errorf("%w: what the node says of the ledger before block %d is not what the validators signed", errInvalid, next.Height)
	}
	return after.LogSize, after.LogRoot(), nil
}

// duplicates notes which of the block's entries are later arrivals.
func (a *auditor) duplicates(ctx context.Context, r *repeated) error {
	for e, err := range a.Range(ctx, r.ground.LogSize, r.block.After) {
		if err != nil {
			return err
		}
		if e.Kind == protocol.EntryDuplicate && e.Event != nil && e.Cause != nil && *e.Cause < r.ground.LogSize {
			r.source.first[sim.SourceKey(e.Origin, e.Event.Source, e.Event.ID)] = *e.Cause
		}
	}
	return nil
}

// made is the entry that the repeated block appended at an index; nil where it
// appended none.
func (r *repeated) made(index uint64) *sim.Entry {
	if at := index - r.ground.LogSize; index >= r.ground.LogSize && at < uint64(len(r.executed.Entries)) {
		return &r.executed.Entries[at]
	}
	return nil
}

// run is the place among the traces of the run that led to an entry: the last
// of its cause, by the contract it is from where there is one of that. -1
// where there is none.
func (r *repeated) run(e *sim.Entry) int {
	found := -1
	for i, t := range r.executed.Traces {
		if t.Index == e.Cause && (t.Contract == e.Origin || found < 0 || r.executed.Traces[found].Contract != e.Origin) {
			found = i
		}
	}
	return found
}
