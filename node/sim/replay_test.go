package sim

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// historyOf is what a ledger in memory recorded of a contract.
func historyOf(t *testing.T, l *Ledger, name string, types ...string) *History {
	t.Helper()
	c, err := l.Contract(name)
	must(t, err)
	h := &History{Contract: c.Address, Params: l.genesis.Params, Height: l.Height(), Size: l.Size()}
	h.TimeMs = func(height uint64) (uint64, error) { return uint64(l.BlockAt(height).Time.UnixMilli()), nil }
	view, err := l.store.View(l.Height())
	must(t, err)
	read := func(key []byte) ([]byte, error) {
		value, ok, err := view.Get(key)
		if !ok {
			t.Errorf("the state has nothing under %x", key)
		}
		return value, err
	}
	h.Module = func(hash protocol.Hash) ([]byte, error) { return read(ModuleKey(hash)) }
	h.Manifest = func(hash protocol.Hash) ([]byte, error) { return read(ManifestKey(hash)) }
	entries, err := l.Entries(c.Since, int(l.Size()-c.Since))
	must(t, err)
	for _, e := range entries {
		if n := len(h.Blocks); n == 0 || h.Blocks[n-1].Height < e.Height {
			first := e.Index
			for first > 0 { // the deployment's block may begin before it
				before, err := l.Entry(first - 1)
				must(t, err)
				if before.Height != e.Height {
					break
				}
				first--
			}
			h.Blocks = append(h.Blocks, PastBlock{Height: e.Height, TimeMs: e.TimeMs, First: first})
		}
		act, _ := e.Act.(*protocol.ContractAct)
		if e.Origin == c.Address || act != nil && act.Contract == c.Address || e.Event != nil && slices.Contains(types, e.Event.Type) {
			h.Past = append(h.Past, Past{
				Index: e.Index, Height: e.Height, Kind: e.Kind, Origin: e.Origin, Cause: e.Cause, Hop: e.Hop, Event: e.Event, Act: e.Act,
			})
		}
	}
	return h
}

// sameReplay compares what two replays came to, but for indexes that only one
// of them gave.
func sameReplay(a, b *Replayed) string {
	strip := func(r *Replayed) (runs []string) {
		for _, run := range r.Runs {
			if run.Kind == "init" || run.Kind == "migrate" {
				continue
			}
			text := fmt.Sprint(run.Kind, run.Index, run.Height, run.Code, run.GuestCode, run.Gas, run.Again)
			for _, e := range run.Emitted {
				text += fmt.Sprint(e.ID, e.Type, e.Subject, e.TimeNs, string(e.Data))
			}
			runs = append(runs, text)
		}
		return runs
	}
	was, would := strip(a), strip(b)
	for i := range min(len(was), len(would)) {
		if was[i] != would[i] {
			return fmt.Sprintf("run %d: %s, not %s", i, would[i], was[i])
		}
	}
	if len(was) != len(would) || !maps.EqualFunc(a.State, b.State, bytes.Equal) || !slices.Equal(a.Dead, b.Dead) || a.Timers != b.Timers {
		return fmt.Sprintf("%d runs, %d keys, dead %v, %d timers; not %d, %d, %v, %d",
			len(would), len(b.State), b.Dead, b.Timers, len(was), len(a.State), a.Dead, a.Timers)
	}
	return ""
}

// life does at random what accounts do to a contract, and answers how far
// behind the contract was.
func (p *probed) life(random *rand.Rand, steps int) (behind uint64) {
	p.t.Helper()
	paused := false
	p.poke(1)
	for range steps {
		lag, err := p.Lag()
		must(p.t, err)
		behind = max(behind, lag)
		switch n := random.IntN(20); {
		case n < 6:
			for range 1 + random.IntN(200) { // more than a block may deliver
				must(p.t, p.Submit(poke(random.IntN(9))))
			}
			_, err = p.Block()
		case n < 8:
			_, err = p.Advance(time.Duration(1+random.IntN(5000)) * time.Millisecond)
		case n < 11:
			_, err = p.Call(Author, "a", "set", fmt.Appendf(nil, `{"name":"fail","value":%d}`, random.IntN(2)))
		case n < 13:
			_, err = p.Call(Author, "a", "arm", fmt.Appendf(nil, `{"height":%d,"data":%q}`, p.Height()+random.Uint64N(6), []string{"refuse", "x"}[random.IntN(2)]))
		case n < 15:
			_, err = p.Call(Author, "a", "arm", fmt.Appendf(nil, `{"ms":%d,"data":"refuse"}`, p.Now().Add(time.Duration(random.IntN(20_000))*time.Millisecond).UnixMilli()))
		case n == 15:
			_, err = p.Call(Author, "a", "disarm", fmt.Appendf(nil, `{"id":%d}`, 1+random.IntN(5)))
		case n == 16:
			paused = !paused
			action := protocol.ActionResume
			if paused {
				action = protocol.ActionPause
			}
			_, err = p.Control("a", action, 0)
		case n == 17:
			_, err = p.Upgrade("a", p.code, p.named("a", fmt.Sprint("v", p.Height())), []byte(`{"add":0}`))
		default:
			letters, deadErr := p.DeadLetters("a")
			must(p.t, deadErr)
			if len(letters) > 0 {
				action := []protocol.Action{protocol.ActionRedeliver, protocol.ActionSkip}[random.IntN(2)]
				_, err = p.Control("a", action, letters[random.IntN(len(letters))].Index)
			}
		}
		if _, refused := protocol.CodeOf(err); err != nil && !refused {
			p.t.Fatal(err)
		}
	}
	return behind
}

func poke(n int) protocol.Event {
	return protocol.Event{Type: "probe.poke.v1", DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// Whatever happened to a contract, its history run off chain appends what the
// ledger has and leaves the state the ledger has; and the same code in its own
// place, from wherever on, makes no difference.
func TestReplayComesToTheLedger(t *testing.T) {
	files, behind := newProbed(t), uint64(0)
	for seed := range uint64(5) {
		p := &probed{t: t, code: files.code, manifest: files.manifest}
		p.Ledger = newLedger(t, Options{Params: func(g *genesis.Params) {
			g.DeliveryGas, g.ContractGas = 5_000_000, 10_000_000
		}})
		random := rand.New(rand.NewPCG(seed, 1))
		for _, name := range []string{"b", "a"} {
			_, err := p.Deploy(p.code, p.named(name, "1"), nil)
			must(t, err)
		}
		behind = max(behind, p.life(random, 60))
		h := historyOf(t, p.Ledger, "a", "probe.poke.v1")
		same := Version{p.code, p.named("a", "2"), []byte(`{"add":0}`)}
		want, err := p.State("a")
		must(t, err)
		dead, err := p.DeadLetters("a")
		must(t, err)
		for i := range 3 {
			from := uint64(0)
			if i > 0 {
				from = h.Past[min(len(h.Past)-1, 3)].Index + random.Uint64N(h.Size-h.Past[0].Index-8)
			}
			was, would, err := Replay(h, min(from, h.Size-1), same)
			if err != nil {
				t.Fatalf("seed %d, from %d: %v", seed, from, err)
			}
			if difference := sameReplay(was, would); difference != "" {
				t.Fatalf("seed %d, from %d: %s", seed, from, difference)
			}
			if !maps.EqualFunc(was.State, want, bytes.Equal) || !slices.Equal(was.Dead, dead) {
				t.Fatalf("seed %d: the state or the dead letters %v are not the ledger's %v", seed, was.Dead, dead)
			}
		}
	}
	if behind < 100 {
		t.Errorf("the contract was never more than %d entries behind", behind)
	}
}

// A version that does something else is seen to, from the entry on that it is
// asked from; what it emits and consumes itself is its own.
func TestReplayOfAnotherVersion(t *testing.T) {
	l := newLedger(t, Options{Params: func(g *genesis.Params) { g.HopLimit = 3 }})
	manifest := asm.Manifest("echo", readingType, relayType)
	echo := asm.Contract(fixtureMemory(relayType), "", addOne+emit(relayType)+done)
	quiet := asm.Contract(fixtureMemory(relayType), "", addOne+done)
	_, err := l.Deploy(echo, manifest, nil)
	must(t, err)
	for range 3 {
		must(t, l.Submit(reading(`{}`)))
		_, err := l.Block()
		must(t, err)
	}
	h := historyOf(t, l, "echo", readingType, relayType)
	count := func(r *Replayed) (n [3]int) {
		for _, run := range r.Runs {
			n[0]++
			n[1] += len(run.Emitted)
		}
		n[2] = len(r.Dead)
		return n
	}
	for _, c := range []struct {
		from uint64
		want [3]int // runs, emissions, dead letters
	}{{0, [3]int{3, 0, 0}}, {h.Past[0].Index + 1, [3]int{3, 0, 0}}, {h.Past[0].Index + 6, [3]int{6, 3, 1}}} {
		was, would, err := Replay(h, c.from, Version{Wasm: quiet, Manifest: manifest})
		must(t, err)
		if got := count(was); got != [3]int{12, 9, 3} { // each reading goes three hops and is a dead letter at the fourth
			t.Errorf("the ledger's: %v", got)
		}
		if got := count(would); got != c.want {
			t.Errorf("from %d: %v, want %v", c.from, got, c.want)
		}
	}
	if _, _, err := Replay(h, 0, Version{Wasm: quiet, Manifest: asm.Manifest("other", readingType)}); err == nil || !strings.Contains(err.Error(), "named") {
		t.Errorf("another name: %v", err)
	}
	h.Past = slices.DeleteFunc(h.Past, func(p Past) bool { return p.Index == h.Past[len(h.Past)-1].Index })
	var diverged *Diverged
	if _, _, err := Replay(h, 0, Version{Wasm: quiet, Manifest: manifest}); !errors.As(err, &diverged) {
		t.Errorf("a history that lacks an entry: %v", err)
	}
}

// Contracts that call others are refused, and say so.
func TestReplayRefusesCallsOfOthers(t *testing.T) {
	p := newProbed(t, "a", "b")
	must(t, p.call("a", "relay", fmt.Sprintf(`{"to":%q,"method":"set","args":"{}"}`, p.address("b"))))
	h := historyOf(t, p.Ledger, "a", "probe.poke.v1")
	if _, _, err := Replay(h, 0, Version{Wasm: p.code, Manifest: p.manifest}); err == nil || !strings.Contains(err.Error(), "named") {
		t.Errorf("another name: %v", err)
	}
	if _, _, err := Replay(h, 0, Version{Wasm: p.code, Manifest: p.named("a", "2")}); err == nil || !strings.Contains(err.Error(), "calls another contract") {
		t.Errorf("a contract that calls others: %v", err)
	}
}
