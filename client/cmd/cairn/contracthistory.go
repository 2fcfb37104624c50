package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/sim"
)

// historyChunk is how many entries are read between two reports of progress,
// historyAtOnce how many keys are asked for at a time.
const (
	historyChunk  = 2_000
	historyAtOnce = 16
)

// history is what a ledger recorded of a contract, as it is read.
type history struct {
	sim.History
	ledger   *ledger
	contract rest.Contract
	types    map[string]bool // of events that a version of the contract subscribes to
	hops     map[uint64]uint8
	progress func(done, all uint64)

	mu    sync.Mutex
	times map[uint64]uint64 // of blocks asked for; guarded by mu
}

// readHistory reads the log from a contract's deployment on. The new version's
// manifest says what else it subscribes to.
func readHistory(ctx context.Context, l *ledger, name string, with *abi.Manifest, progress func(done, all uint64)) (*history, error) {
	contract, ok, err := l.Contract(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("no contract is named %q; `cairn contract list` shows what there is", name)
	}
	h := &history{ledger: l, contract: contract, types: map[string]bool{}, hops: map[uint64]uint8{}, times: map[uint64]uint64{}, progress: progress}
	h.Contract = contract.Address
	h.TimeMs = func(height uint64) (uint64, error) { return h.timeOf(ctx, height) }
	h.Module = func(hash protocol.Hash) ([]byte, error) { return h.stored(ctx, sim.ModuleKey(hash)) }
	h.Manifest = func(hash protocol.Hash) ([]byte, error) { return h.stored(ctx, sim.ManifestKey(hash)) }
	text, err := l.Genesis(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(text)
	if err != nil {
		return nil, err
	}
	h.Params = doc.Params
	h.subscribe(with)
	if err := h.subscribeTo(contract.ManifestHash); err != nil {
		return nil, err
	}
	// The last height that is proven bounds the history, so that its state can
	// be held to what the validators signed.
	newest, err := l.StateReceipt(ctx, sim.ValueKey(h.Contract, "-"), 0)
	if err != nil {
		return nil, err
	}
	h.Height = newest.Commit.Height - 1
	head, err := l.Head(ctx)
	if err != nil {
		return nil, err
	}
	return h, h.readLog(ctx, head.LogSize)
}

// stored reads a value of the state, proven.
func (h *history) stored(ctx context.Context, key []byte) ([]byte, error) {
	receipt, err := h.ledger.StateReceipt(ctx, key, h.Height)
	if err != nil {
		return nil, err
	}
	if receipt.State.Value == nil {
		return nil, fmt.Errorf("the ledger keeps nothing under the key %x", key)
	}
	return receipt.State.Value, nil
}

// timeOf is the time of a block, from the header that proves the state before it.
func (h *history) timeOf(ctx context.Context, height uint64) (uint64, error) {
	h.mu.Lock()
	ms, known := h.times[height]
	h.mu.Unlock()
	if known {
		return ms, nil
	}
	receipt, err := h.ledger.StateReceipt(ctx, sim.ValueKey(h.Contract, "-"), height-1)
	if err != nil {
		return 0, err
	}
	if receipt.Commit.Height != height {
		return 0, fmt.Errorf("the node proves it by block %d only", receipt.Commit.Height)
	}
	ms = uint64(receipt.Header.Time().UnixMilli())
	h.mu.Lock()
	h.times[height] = ms
	h.mu.Unlock()
	return ms, nil
}

func (h *history) subscribe(m *abi.Manifest) {
	for i := range m.Events {
		h.types[m.Events[i].Type] = true
	}
}

func (h *history) subscribeTo(manifest protocol.Hash) error {
	text, err := h.Manifest(manifest)
	if err != nil {
		return err
	}
	m, err := abi.ParseManifest(text)
	if err == nil {
		h.subscribe(m)
	}
	return err
}

// readLog reads the entries from the deployment's block on up to the height.
func (h *history) readLog(ctx context.Context, size uint64) error {
	first := h.contract.Since
	if err := h.beginBlock(ctx, first); err != nil {
		return err
	}
	for e, err := range h.ledger.Range(ctx, first, size) {
		if err != nil {
			return err
		}
		if e.Height > h.Height {
			h.Size = e.Index
			return nil
		}
		if err := h.add(ctx, e); err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		if read := e.Index + 1 - first; read%historyChunk == 0 || e.Index+1 == size {
			h.progress(read, size-first)
		}
	}
	h.Size = size
	return nil
}

// beginBlock finds where the block of the deployment begins.
func (h *history) beginBlock(ctx context.Context, index uint64) error {
	at, err := h.ledger.Entry(ctx, index)
	if err != nil {
		return err
	}
	first := index
	for same := true; first > 0 && same; {
		from := first - min(first, historyChunk)
		before := make([]*rest.Entry, 0, first-from)
		for e, err := range h.ledger.Range(ctx, from, first) {
			if err != nil {
				return err
			}
			before = append(before, e)
		}
		for _, e := range slices.Backward(before) {
			if same = e.Height == at.Height; !same {
				break
			}
			first = e.Index
		}
	}
	h.Blocks = append(h.Blocks, sim.PastBlock{Height: at.Height, TimeMs: at.TimeMs, First: first})
	return nil
}

// add takes what an entry has to do with the contract.
func (h *history) add(ctx context.Context, e *rest.Entry) error {
	if last := h.Blocks[len(h.Blocks)-1]; e.Height > last.Height {
		h.Blocks = append(h.Blocks, sim.PastBlock{Height: e.Height, TimeMs: e.TimeMs, First: e.Index})
	}
	p := sim.Past{Index: e.Index, Height: e.Height, Kind: e.Kind, Origin: e.Origin, Cause: protocol.NoCause, Event: e.Event}
	if e.Cause != nil {
		p.Cause = *e.Cause
	}
	var err error
	if e.Kind == protocol.EntryEmitted {
		if p.Hop, err = h.hop(ctx, p.Cause); err != nil {
			return err
		}
		p.Hop++
		h.hops[e.Index] = p.Hop
	}
	own := e.Origin == h.Contract
	if e.Erased != nil {
		return h.erased(ctx, e, own)
	}
	if !own && (e.Kind == protocol.EntryDeadLetter || e.Kind == protocol.EntryTimer) {
		return nil
	}
	switch e.Kind {
	case protocol.EntryEvent, protocol.EntryEmitted, protocol.EntryForeign:
		if e.Event == nil || !own && !h.types[e.Event.Type] {
			return nil
		}
		if e.Kind == protocol.EntryForeign {
			act := new(protocol.ForeignAct)
			p.Act, err = act, again(e.Act, act)
		}
	case protocol.EntryContract:
		var about struct {
			Contract protocol.Address `json:"contract"`
		}
		if err := again(e.Act, &about); err != nil || about.Contract != h.Contract {
			return err
		}
		act, err := h.act(ctx, e.Index)
		if err == nil && act.Kind == protocol.TxUpgrade {
			err = h.subscribeTo(act.ManifestHash)
		}
		if err != nil {
			return err
		}
		p.Act = act
	case protocol.EntryDeadLetter:
		act := new(protocol.DeadLetterAct)
		p.Act, err = act, again(e.Act, act)
	case protocol.EntryTimer:
		act := new(protocol.TimerAct)
		p.Act, err = act, again(e.Act, act)
	default:
		return nil
	}
	h.Past = append(h.Past, p)
	return err
}

// erased refuses a history with a hole in it: what the contract was given
// there is gone, and a replay would come to something else without saying why.
func (h *history) erased(ctx context.Context, e *rest.Entry, own bool) error {
	switch e.Kind {
	case protocol.EntryEvent, protocol.EntryEmitted, protocol.EntryForeign:
		receipt, err := h.ledger.Receipt(ctx, e.Index)
		if err != nil {
			return err
		}
		for name := range h.types {
			own = own || receipt.Entry.Entry.Type == protocol.NewTypeHash(name)
		}
		if !own {
			return nil
		}
	case protocol.EntryTimer:
		if !own {
			return nil
		}
	case protocol.EntryContract: // of which contract, nobody knows any more
	default:
		return nil
	}
	return protocol.Refuse(protocol.CodeErased, "its payload was erased at height %d (%s): what the contract was given then cannot be replayed", e.Erased.Height, e.Erased.Reason)
}

// again reads what was decoded without a type.
func again(v, into any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// act reads what a transaction did from the receipt of its entry: proven, and
// with arguments whose numbers have every digit.
func (h *history) act(ctx context.Context, index uint64) (*protocol.ContractAct, error) {
	receipt, err := h.ledger.Receipt(ctx, index)
	if err != nil {
		return nil, err
	}
	decoded, err := protocol.DecodeAct(receipt.Entry.Payload)
	if err != nil {
		return nil, err
	}
	act, ok := decoded.(*protocol.ContractAct)
	if !ok {
		return nil, fmt.Errorf("the receipt holds another act than its entry's")
	}
	return act, nil
}

// hop counts the deliveries between a producer's event and an entry.
func (h *history) hop(ctx context.Context, index uint64) (uint8, error) {
	if index >= h.contract.Since {
		return h.hops[index], nil
	}
	for hops := uint8(0); ; hops++ {
		e, err := h.ledger.Entry(ctx, index)
		if err != nil || e.Kind != protocol.EntryEmitted || e.Cause == nil {
			return hops, err
		}
		index = *e.Cause
	}
}

// confirmed counts the keys of a state that were held to the ledger's.
type confirmed struct {
	Checked int `json:"checked"`
	Keys    int `json:"keys"`
}

// maxConfirmed bounds the keys that are asked for, each with its proof.
const maxConfirmed = 1_000

// confirm holds a final state to the ledger's, by receipts of its keys: all of
// them, or as many as are asked for, evenly spread.
func (h *history) confirm(ctx context.Context, state map[string][]byte) (confirmed, error) {
	names := sortedKeys(state)
	c := confirmed{Checked: min(len(names), maxConfirmed), Keys: len(names)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(historyAtOnce)
	for i := range c.Checked {
		name := names[i*len(names)/c.Checked]
		group.Go(func() error {
			receipt, err := h.ledger.StateReceipt(ctx, sim.ValueKey(h.Contract, name), h.Height)
			if err == nil && (receipt.State.Value == nil || !slices.Equal(receipt.State.Value, state[name])) {
				err = fmt.Errorf("run again it leaves %x under %q, the ledger has %x: the contract was called by another one, or the node does not tell its history as it was",
					state[name], name, receipt.State.Value)
			}
			return err
		})
	}
	return c, group.Wait()
}
