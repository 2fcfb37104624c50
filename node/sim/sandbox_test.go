package sim

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// past is a ledger before a block, as a source.
type past struct {
	l     *Ledger
	view  *store.View
	first map[string]uint64
	lie   func(key, value []byte) []byte // may be nil
}

func (p *past) Value(key []byte) ([]byte, error) {
	value, _, err := p.view.Get(key)
	if p.lie != nil {
		value = p.lie(key, value)
	}
	return value, err
}

func (p *past) Keys(prefix, after []byte, limit int) ([][]byte, error) {
	found, err := p.view.Scan(prefix, after, limit)
	var keys [][]byte
	for _, kv := range found {
		keys = append(keys, kv.Key)
	}
	return keys, err
}

func (p *past) Entry(index uint64) (SourceEntry, error) {
	e, err := p.l.Entry(index)
	if err != nil {
		return SourceEntry{}, err
	}
	payload, err := machine.ReadPayload(p.l.store, p.view, index)
	return SourceEntry{e.Entry, payload.Blind, payload.Bytes}, err
}

func (p *past) FirstOf(key string) (uint64, bool) {
	index, ok := p.first[key]
	return index, ok
}

// groundOf is a block of a ledger's and what it was executed on.
func groundOf(t *testing.T, l *Ledger, height uint64) (*Ground, *past) {
	t.Helper()
	before, err := l.store.HeadAt(height - 1)
	must(t, err)
	after, err := l.store.HeadAt(height)
	must(t, err)
	view, err := l.store.View(height - 1)
	must(t, err)
	peaks, err := l.store.LogPeaks(before.LogSize)
	must(t, err)
	source := &past{l: l, view: view, first: map[string]uint64{}}
	entries, err := l.Entries(before.LogSize, int(after.LogSize-before.LogSize))
	must(t, err)
	for _, e := range entries {
		if e.Kind == protocol.EntryDuplicate && e.Cause < before.LogSize {
			source.first[SourceKey(e.Origin, e.Event.Source, e.Event.ID)] = e.Cause
		}
	}
	block := l.BlockAt(height)
	ground := &Ground{
		Height: height, Time: block.Time, Txs: block.Txs, LogSize: before.LogSize, LogPeaks: peaks,
		Params: before.Params, StateRoot: before.StateRoot, Source: source,
	}
	if ground.AppHash() != before.AppHash {
		t.Fatalf("height %d: the ground has app hash %s, the ledger %s", height, ground.AppHash(), before.AppHash)
	}
	return ground, source
}

// Every block of random histories, executed apart on what the ledger was before
// it, comes to the ledger's log, entries and state; and not where it was told
// of another state.
func TestSandboxComesToTheLedger(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 5))
		p := newProbed(t, "a", "b")
		p.life(random, 40)
		must(t, p.Submit(protocol.Event{ID: "twice", Source: "/s", Type: "probe.poke.v1", DataForm: protocol.DataJSON, Data: []byte(`{"n":1}`)}))
		_, err := p.Block()
		must(t, err)
		must(t, p.Submit(protocol.Event{ID: "twice", Source: "/s", Type: "probe.poke.v1", DataForm: protocol.DataJSON, Data: []byte(`{"n":1}`)}))
		_, err = p.Block()
		must(t, err)
		s, err := NewSandbox(p.Genesis().ChainID)
		must(t, err)
		lies := 0
		for height := uint64(1); height <= p.Height(); height++ {
			ground, source := groundOf(t, p.Ledger, height)
			got, err := s.Execute(ground)
			if err != nil {
				t.Fatalf("seed %d, height %d: %v", seed, height, err)
			}
			sandboxAgrees(t, p.Ledger, height, got)
			source.lie = func(key, value []byte) []byte {
				if name := bytes.TrimPrefix(key, []byte("k")); len(name) < len(key) && len(value) > 0 {
					return append([]byte{value[0] ^ 1}, value[1:]...)
				}
				return value
			}
			if other, err := s.Execute(ground); err != nil || other.LogRoot != got.LogRoot || len(other.Kept) != len(got.Kept) {
				lies++
			}
		}
		if lies == 0 {
			t.Errorf("seed %d: no block depends on the state", seed)
		}
		must(t, s.Close())
	}
}

func sandboxAgrees(t *testing.T, l *Ledger, height uint64, got *Executed) {
	t.Helper()
	after, err := l.store.HeadAt(height)
	must(t, err)
	if got.LogSize != after.LogSize || got.LogRoot != after.LogRoot {
		t.Fatalf("height %d: log of %d entries with root %s, the ledger has %d with %s", height, got.LogSize, got.LogRoot, after.LogSize, after.LogRoot)
	}
	view, err := l.store.View(height)
	must(t, err)
	for _, kv := range got.Kept {
		value, ok, err := view.Get(kv.Key)
		must(t, err)
		if ok != (kv.Value != nil) || !bytes.Equal(value, kv.Value) {
			t.Fatalf("height %d: key %x is %x, the ledger has %x", height, kv.Key, kv.Value, value)
		}
	}
	kept := map[string][]byte{}
	for _, trace := range got.Traces {
		for _, kv := range trace.Kept {
			kept[string(kv.Key)] = kv.Value
		}
	}
	for _, kv := range got.Kept {
		if value, traced := kept[string(kv.Key)]; ofRuns(kv.Key) && (!traced || !bytes.Equal(value, kv.Value)) {
			t.Fatalf("height %d: key %x was kept and no run is said to have written it", height, kv.Key)
		}
	}
	for i, e := range got.Entries {
		want, err := l.Entry(after.LogSize - uint64(len(got.Entries)-i))
		must(t, err)
		if e.Entry != want.Entry || e.Index != want.Index || e.Hop != want.Hop || !bytes.Equal(e.payload, want.payload) {
			t.Fatalf("height %d: entry %+v, the ledger has %+v", height, e, want)
		}
	}
}

// A source that fails or lists what is not there ends the execution.
func TestSandboxRefusesABadSource(t *testing.T) {
	p := newProbed(t, "probe")
	p.poke(1)
	s, err := NewSandbox(p.Genesis().ChainID)
	must(t, err)
	defer s.Close()
	ground, source := groundOf(t, p.Ledger, p.Height())
	broken := errors.New("the proof does not hold")
	ground.Source = &liar{past: source, values: broken}
	if _, err := s.Execute(ground); !errors.Is(err, broken) {
		t.Errorf("a value that is not proven: %v", err)
	}
	ground.Source = &liar{past: source, key: []byte("zz")}
	if _, err := s.Execute(ground); err == nil {
		t.Error("a key of another prefix is believed")
	}
	ground.Source = source
	ground.LogPeaks = append([]protocol.Hash{{1}}, ground.LogPeaks...)
	if _, err := s.Execute(ground); err == nil {
		t.Error("peaks of another size are believed")
	}
}

type liar struct {
	*past
	values error
	key    []byte
}

func (l *liar) Value(key []byte) ([]byte, error) {
	if l.values != nil {
		return nil, fmt.Errorf("key %x: %w", key, l.values)
	}
	return l.past.Value(key)
}

func (l *liar) Keys(prefix, after []byte, limit int) ([][]byte, error) {
	if l.key != nil {
		return [][]byte{l.key}, nil
	}
	return l.past.Keys(prefix, after, limit)
}

// Of the keys a run read, a price depends on its own lot's record, and on no
// other lot's and on no count.
func TestWhatAPriceDependsOn(t *testing.T) {
	wasm, manifest, err := contracts.Shipped("parking")
	must(t, err)
	l := newLedger(t, Options{})
	_, err = l.Deploy(wasm, manifest, []byte(`{"startCents":200}`))
	must(t, err)
	event := func(kind, subject, data, at string) protocol.Event {
		when, err := time.Parse(time.RFC3339, at)
		must(t, err)
		return protocol.Event{Type: kind, Subject: subject, TimeNs: when.UnixNano(), HasTime: true, DataForm: protocol.DataJSON, Data: []byte(data)}
	}
	for i, lot := range []string{"East", "West", "West"} {
		at := fmt.Sprintf("2023-12-2%dT09:00:00Z", i)
		must(t, l.Submit(event("parking.occupancy.v1", lot, fmt.Sprintf(`{"occupied":%d,"capacity":100}`, 40+i), at)))
		_, err := l.Block()
		must(t, err)
	}
	must(t, l.Submit(event("parking.week.close.v1", "*", `{}`, "2023-12-25T00:00:00Z")))
	_, err = l.Block()
	must(t, err)

	s, err := NewSandbox(l.Genesis().ChainID)
	must(t, err)
	defer s.Close()
	ground, _ := groundOf(t, l, l.Height())
	x, err := s.Execute(ground)
	must(t, err)
	if len(x.Traces) != 1 || len(x.Entries) != 3 {
		t.Fatalf("%d runs, %d entries", len(x.Traces), len(x.Entries))
	}
	cause, price := &x.Entries[0], &x.Entries[2]
	if price.Event == nil || price.Event.Subject != "West" || price.Cause != cause.Index {
		t.Fatalf("entry %+v", price)
	}
	depends, err := s.Depends(ground, cause, &x.Traces[0], price)
	must(t, err)
	for i, kv := range x.Traces[0].Read {
		name := string(kv.Key[1+len(protocol.Address{}):])
		if want := name == "\x01pWestA"; depends[i] != want {
			t.Errorf("the price depends on %q (%x): %v", name, kv.Value, depends[i])
		}
	}
}
