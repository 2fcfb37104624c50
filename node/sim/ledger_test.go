package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

func newLedger(t *testing.T, o Options) *Ledger {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deployAll deploys the contracts that call no other.
func deployAll(t *testing.T, l *Ledger) {
	t.Helper()
	for _, f := range alone() {
		_, err := l.Deploy(f.code, f.manifest, nil)
		must(t, err)
	}
}

func alone() []fixture {
	return slices.DeleteFunc(fixtures(), func(f fixture) bool { return f.name == "caller" })
}

func reading(data string) protocol.Event {
	return protocol.Event{Type: readingType, DataForm: protocol.DataJSON, Data: []byte(data)}
}

func count(t *testing.T, l *Ledger) uint64 {
	t.Helper()
	out, err := l.Query("tally", "count", nil)
	if err != nil || len(out) != 8 {
		t.Fatalf("count: %x, %v", out, err)
	}
	return binary.LittleEndian.Uint64(out)
}

// What every contract makes of three readings, from the log and run again.
func TestContractsTogether(t *testing.T) {
	l := newLedger(t, Options{})
	deployAll(t, l)
	must(t, l.Submit(reading(`{"v":4}`), reading(`{"v":5}`), reading(`{}`)))
	block, err := l.Block()
	must(t, err)
	must(t, l.Settle())
	if got := count(t, l); got != 3 {
		t.Errorf("tally counted %d", got)
	}
	for name, want := range map[string][]protocol.Code{
		"tally": nil, "fussy": {protocol.CodeContractAborted, protocol.CodeProjection},
		"broken": {protocol.CodeContractTrap, protocol.CodeContractTrap, protocol.CodeContractTrap},
		"hog":    {protocol.CodeOutOfGas, protocol.CodeOutOfGas, protocol.CodeOutOfGas},
		"relay":  {protocol.CodeHopLimit, protocol.CodeHopLimit, protocol.CodeHopLimit},
	} {
		letters, err := l.DeadLetters(name)
		must(t, err)
		var codes []protocol.Code
		for _, d := range letters {
			codes = append(codes, d.Code)
		}
		if len(codes) != len(want) || (len(want) > 0 && codes[0] != want[0]) || (len(want) > 1 && codes[1] != want[1]) {
			t.Errorf("%s: dead letters %v, want %v", name, codes, want)
		}
	}
	// Emitted tally.v1 is hop 1, so relay makes 7 more of each before the limit.
	kinds := map[protocol.EntryKind]int{}
	entries, err := l.Entries(0, int(l.Size()))
	must(t, err)
	for _, e := range entries {
		kinds[e.Kind]++
	}
	if kinds[protocol.EntryEvent] != 3 || kinds[protocol.EntryEmitted] != 3*8 || kinds[protocol.EntryDeadLetter] != 2+3+3+3 || kinds[protocol.EntryContract] != 5 {
		t.Errorf("the log has %v", kinds)
	}
	gas := uint64(0)
	for _, f := range alone() {
		runs, err := l.Runs(f.name, block.Height)
		must(t, err)
		for _, r := range runs {
			gas += r.Gas + 2_000 + 10*uint64(len(r.Input))
		}
	}
	if gas != block.Gas {
		t.Errorf("run again the deliveries took %d gas, the block %d", gas, block.Gas)
	}
}

// Runs says so where a contract cannot be run again on its own.
func TestRunsOfContractsThatCall(t *testing.T) {
	l := newLedger(t, Options{})
	for _, f := range fixtures() {
		_, err := l.Deploy(f.code, f.manifest, nil)
		must(t, err)
	}
	must(t, l.Submit(reading(`{"v":4}`), reading(`{"v":5}`)))
	must(t, l.Settle())
	if got := count(t, l); got != 3 { // two readings, and what was lent and not undone
		t.Errorf("tally counted %d", got)
	}
	for _, name := range []string{"tally", "caller"} {
		if runs, err := l.Runs(name, l.Height()); !errors.Is(err, errNotAlone) {
			t.Errorf("%s: %+v, %v", name, runs, err)
		}
	}
	c, err := l.Contract("caller")
	must(t, err)
	if said := l.Logs(c.Address); len(said) != 1 || said[0].GuestCode != codeOdd || said[0].Lines[0] != `{"seen":true}` {
		t.Errorf("caller said %+v", said)
	}
}

func TestCalls(t *testing.T) {
	l := newLedger(t, Options{Accounts: []Account{{"alice", []string{"author"}}, {"mallory", nil}}})
	deployAll(t, l)
	out, err := l.Call("alice", "tally", "add", nil)
	if err != nil || out.Entries != 2 || count(t, l) != 1 {
		t.Errorf("add: %+v, %v", out, err)
	}
	_, err = l.Call("alice", "tally", "fail", nil)
	var refused *Refused
	if !errors.As(err, &refused) || refused.GuestCode != codeFail || refused.Code != protocol.CodeContractAborted || count(t, l) != 1 {
		t.Errorf("fail: %v", err)
	}
	runs, err := l.Runs("tally", l.Height())
	if err != nil || len(runs) != 1 || runs[0].GuestCode != codeFail || runs[0].Log[0] != `{"seen":true}` || runs[0].Gas != refused.Gas {
		t.Errorf("the refused call, run again: %+v, %v; it took %d gas", runs, err, refused.Gas)
	}
	for method, account := range map[string]string{"add": "mallory", "nothing": "alice"} {
		if _, err := l.Call(account, "tally", method, nil); err == nil {
			t.Errorf("%s may call %s", account, method)
		}
	}
	if _, err := l.Deploy(fixtures()[0].code, fixtures()[0].manifest, nil); !refusedWith(err, protocol.CodeContractExists) {
		t.Errorf("a second tally: %v", err)
	}
	if _, err := l.Deploy([]byte("not a module"), fixtures()[0].manifest, nil); !refusedWith(err, protocol.CodeContractInvalid) {
		t.Errorf("no module: %v", err)
	}
}

func refusedWith(err error, code protocol.Code) bool {
	got, ok := protocol.CodeOf(err)
	return ok && got == code
}

// The same calls make the same hashes, whenever and by whichever engine.
func TestDeterminism(t *testing.T) {
	var hashes [][]byte
	for _, o := range []Options{{}, {Interpreter: true}} {
		l := newLedger(t, o)
		deployAll(t, l)
		must(t, l.Submit(reading(`{"v":4}`), reading(`{"v":5}`)))
		must(t, l.Settle())
		hash := l.AppHash()
		hashes = append(hashes, hash[:])
		replayed, err := l.Replay()
		must(t, err)
		if replayed.AppHash() != hash {
			t.Error("the replayed ledger has another app hash")
		}
		must(t, replayed.Close())
	}
	if !bytes.Equal(hashes[0], hashes[1]) {
		t.Errorf("%x compiled, %x interpreted", hashes[0], hashes[1])
	}
}

// Time moves as it is told, a backlog is worked off over blocks, and a crash
// between blocks changes nothing.
func TestBacklogAndCrash(t *testing.T) {
	l := newLedger(t, Options{Params: func(p *genesis.Params) {
		p.DeliveryGas, p.ContractGas, p.BlockGas = 1_000_000, 10_000_000, 20_000_000
	}})
	deployAll(t, l)
	var events []protocol.Event
	for range 60 {
		events = append(events, reading(`{"v":4}`))
	}
	must(t, l.Submit(events...))
	before := l.Now()
	block, err := l.Advance(time.Hour)
	must(t, err)
	lag, err := l.Lag()
	if err != nil || lag == 0 || !l.Now().Equal(before.Add(time.Hour)) || len(block.Outcomes) != 1 || block.Outcomes[0].Entries != 60 {
		t.Fatalf("lag %d, %+v, %v", lag, block, err)
	}
	hash := l.AppHash()
	must(t, l.Crash())
	if l.AppHash() != hash || l.Height() != block.Height {
		t.Fatalf("after a crash: height %d, app hash %s, was %d, %s", l.Height(), l.AppHash(), block.Height, hash)
	}
	must(t, l.Settle())
	hogged, err := l.DeadLetters("hog")
	if err != nil || len(hogged) != 60 || count(t, l) != 60 {
		t.Errorf("%d dead letters of 60, %d counted, %v", len(hogged), count(t, l), err)
	}
	runs := 0
	for height := uint64(len(alone())); height <= l.Height(); height++ { // from its deployment on
		again, err := l.Runs("hog", height)
		must(t, err)
		runs += len(again)
	}
	if runs != 61 { // the initialisation is one
		t.Errorf("hog ran %d times", runs)
	}
}
