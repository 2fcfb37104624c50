package sim

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// probed is a ledger with contracts that do what they are told
// (testdata/probe), and at the end the check that its blocks, executed again
// from the founding on and after a crash, come to the same app hash.
type probed struct {
	*Ledger
	t              *testing.T
	code, manifest []byte
}

func newProbed(t *testing.T, names ...string) *probed {
	t.Helper()
	p := &probed{t: t}
	for file, text := range map[string]*[]byte{"probe.wasm": &p.code, "manifest.json": &p.manifest} {
		var err error
		*text, err = os.ReadFile("testdata/probe/" + file)
		must(t, err)
	}
	p.Ledger = newLedger(t, Options{Params: func(g *genesis.Params) { g.HopLimit = 3 }})
	for _, name := range names {
		_, err := p.Deploy(p.code, p.named(name, "1"), nil)
		must(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		hash := p.AppHash()
		again, err := p.Replay()
		must(t, err)
		defer again.Close()
		must(t, p.Crash())
		if again.AppHash() != hash || p.AppHash() != hash {
			t.Errorf("app hash %s, replayed %s, after a crash %s", hash, again.AppHash(), p.AppHash())
		}
	})
	return p
}

// named is the manifest with another name and version.
func (p *probed) named(name, version string) []byte {
	text := bytes.Replace(p.manifest, []byte(`"name": "probe"`), fmt.Appendf(nil, `"name": %q`, name), 1)
	return bytes.Replace(text, []byte(`"version": "1"`), fmt.Appendf(nil, `"version": %q`, version), 1)
}

func (p *probed) address(name string) string {
	p.t.Helper()
	c, err := p.Contract(name)
	must(p.t, err)
	return base64.StdEncoding.EncodeToString(c.Address[:])
}

func (p *probed) call(contract, method, args string) error {
	_, err := p.Call(Author, contract, method, []byte(args))
	return err
}

func (p *probed) poke(n int) {
	p.t.Helper()
	must(p.t, p.Submit(protocol.Event{Type: "probe.poke.v1", DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"n":%d}`, n)}))
	_, err := p.Block()
	must(p.t, err)
}

// want compares numbers of a contract's: pairs of name and value.
func (p *probed) want(contract string, pairs ...any) {
	p.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		answer, err := p.Query(contract, "get", fmt.Appendf(nil, `{"name":%q}`, pairs[i]))
		if err != nil || string(answer) != fmt.Sprint(pairs[i+1]) {
			p.t.Errorf("%s of %s is %s, %v; want %v", pairs[i], contract, answer, err, pairs[i+1])
		}
	}
}

func wantCode(t *testing.T, err error, code protocol.Code, guest uint32) {
	t.Helper()
	var refused *Refused
	if got, _ := protocol.CodeOf(err); got != code {
		t.Errorf("%v, want %s", err, code)
	} else if errors.As(err, &refused) && refused.GuestCode != guest {
		t.Errorf("the contract's code is %d, want %d", refused.GuestCode, guest)
	}
}

// kinds counts the log's entries from an index on, by kind and event type.
func (p *probed) kinds(from uint64) map[string]int {
	p.t.Helper()
	entries, err := p.Entries(from, 1000)
	must(p.t, err)
	kinds := map[string]int{}
	for _, e := range entries {
		name := e.Kind.String()
		if e.Event != nil {
			name = e.Event.Type
		}
		kinds[name]++
	}
	return kinds
}

// A called contract works inside the caller's delivery: what it did is kept
// with it, undone with it, or undone alone where only the callee failed.
func TestACallIsPartOfItsCaller(t *testing.T) {
	p := newProbed(t, "a", "b")
	b := p.address("b")
	relay := func(args, more string) error {
		return p.call("a", "relay", fmt.Sprintf(`{"to":%q,"method":"set","args":%q%s}`, b, args, more))
	}
	from := p.Size()
	must(t, relay(`{"name":"x","value":5}`, ""))
	p.want("a", "code", 0, "answer", len(`{"was":"x"}`), "x", 0)
	p.want("b", "x", 5)
	if k := p.kinds(from); k["probe.set.v1"] != 1 || k["probe.relayed.v1"] != 1 || k["contract"] != 1 {
		t.Errorf("entries: %v", k)
	}
	set, err := p.Entry(from + 1)
	must(t, err)
	if c, _ := p.Contract("b"); set.Origin != c.Address || set.Cause != from || set.Event.Source != "/contracts/b" {
		t.Errorf("the callee's event: %+v", set)
	}

	must(t, relay(`{"name":"x","value":-1}`, "")) // the callee refuses after it wrote
	p.want("a", "code", int(protocol.CodeContractAborted), "guest", 7)
	p.want("b", "x", 5)

	wantCode(t, relay(`{"name":"x","value":6}`, `,"refuse":true`), protocol.CodeContractAborted, 7)
	p.want("b", "x", 5)

	for args, code := range map[string]protocol.Code{
		`{"name":"x"}`:                     protocol.CodeArgument,
		`{"name":"x","value":1,"extra":1}`: protocol.CodeArgument,
		`not JSON`:                         protocol.CodeArgument,
	} {
		must(t, relay(args, ""))
		p.want("a", "code", int(code))
	}
	must(t, relay(`{"name":"x","value":6}`, `,"gas":20000`))
	p.want("a", "code", int(protocol.CodeOutOfGas))
	must(t, p.call("a", "relay", fmt.Sprintf(`{"to":%q,"method":"none","args":"{}"}`, b)))
	p.want("a", "code", int(protocol.CodeMethodUnknown))
	must(t, p.call("a", "relay", `{"to":"AAAA","method":"set","args":"{}"}`))
	p.want("a", "code", int(protocol.CodeContractUnknown))
	p.want("b", "x", 5)
}

// A contract cannot call one that waits for it, itself included, nor nest
// deeper than eight.
func TestCallsNeitherReenterNorNestTooDeep(t *testing.T) {
	names := []string{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"}
	p := newProbed(t, names...)
	must(t, p.call("c0", "relay", fmt.Sprintf(`{"to":%q,"method":"set","args":"{}"}`, p.address("c0"))))
	p.want("c0", "code", int(protocol.CodeReentry))
	must(t, p.call("c0", "relay", fmt.Sprintf(`{"to":%q,"method":"relay","args":%q}`, p.address("c1"),
		fmt.Sprintf(`{"to":%q,"method":"set","args":"{}"}`, p.address("c0")))))
	p.want("c0", "code", 0)
	p.want("c1", "code", int(protocol.CodeReentry))

	args := `{"name":"deep","value":1}`
	method := "set"
	for i := len(names) - 1; i > 0; i-- {
		args = fmt.Sprintf(`{"to":%q,"method":%q,"args":%q}`, p.address(names[i]), method, args)
		method = "relay"
	}
	must(t, p.call("c0", "relay", args))
	p.want("c6", "code", 0) // it called c7, the eighth
	p.want("c7", "code", int(protocol.CodeCallDepth))
	p.want("c8", "deep", 0)
}

// Timers fire once, at the first block that is due, in order, and can be taken
// back; each is an entry whose cause is what set it.
func TestTimers(t *testing.T) {
	p := newProbed(t, "a")
	arm := func(what string) {
		t.Helper()
		must(t, p.call("a", "arm", what))
	}
	start := p.Height()
	arm(fmt.Sprintf(`{"height":%d,"data":"third"}`, start+8))
	set := p.Size() - 1
	arm(fmt.Sprintf(`{"height":%d,"data":"first"}`, start+7))
	arm(fmt.Sprintf(`{"height":%d,"data":"canceled"}`, start+7))
	arm(fmt.Sprintf(`{"ms":%d,"data":"second"}`, p.Now().Add(4*time.Second).UnixMilli())) // block start+7, after its heights
	must(t, p.call("a", "disarm", `{"id":3}`))
	must(t, p.call("a", "disarm", `{"id":3}`)) // not pending any more
	p.want("a", "id", 4, "canceled", 1, "rang", 0)
	from := p.Size()
	for p.Height() < start+10 {
		_, err := p.Block()
		must(t, err)
	}
	p.want("a", "rang", 3, "rang-at", start+8)
	entries, err := p.Entries(from, 100)
	must(t, err)
	var order []string
	for _, e := range entries {
		if e.Kind == protocol.EntryTimer {
			order = append(order, string(e.Act.(*protocol.TimerAct).Data))
		}
	}
	if fmt.Sprint(order) != "[first second third]" {
		t.Errorf("timers fired as %v", order)
	}
	last := entries[len(entries)-2]
	if last.Kind != protocol.EntryTimer || last.Cause != set || entries[len(entries)-1].Cause != last.Index {
		t.Errorf("the last timer: %+v", last)
	}
	hash, size := p.AppHash(), p.Size()
	_, err = p.Block()
	must(t, err)
	if p.AppHash() != hash || p.Size() != size {
		t.Error("a block without timers changed something")
	}
}

// A timer that sets itself again fires once a block, however often its due
// point has passed; a paused contract's waits.
func TestATimerThatReturns(t *testing.T) {
	p := newProbed(t, "a")
	must(t, p.call("a", "arm", `{"height":1,"data":"again"}`))
	for range 5 {
		_, err := p.Block()
		must(t, err)
	}
	p.want("a", "rang", 5)
	_, err := p.Control("a", protocol.ActionPause, 0)
	must(t, err)
	for range 3 {
		_, err := p.Block()
		must(t, err)
	}
	p.want("a", "rang", 5)
	wantCode(t, p.call("a", "set", `{"name":"x","value":1}`), protocol.CodeContractPaused, 0)
	_, err = p.Control("a", protocol.ActionResume, 0)
	must(t, err)
	p.want("a", "rang", 6)
}

// An aborted delivery is tried again after 1 and 2 blocks; then it is a dead
// letter, and what came after it is delivered. Meanwhile nothing overtakes.
func TestRetriesKeepTheOrder(t *testing.T) {
	p := newProbed(t, "a")
	must(t, p.call("a", "set", `{"name":"fail","value":1}`))
	p.poke(1)
	p.poke(10) // the first retry fails in this block
	p.want("a", "sum", 0)
	if letters, _ := p.DeadLetters("a"); len(letters) != 0 {
		t.Fatalf("dead letters: %v", letters)
	}
	must(t, p.call("a", "set", `{"name":"fail","value":0}`)) // too early for the second
	p.want("a", "sum", 0)
	_, err := p.Block()
	must(t, err)
	p.want("a", "sum", 11)

	must(t, p.call("a", "set", `{"name":"fail","value":1}`))
	p.poke(100)
	for range 3 {
		_, err := p.Block()
		must(t, err)
	}
	letters, err := p.DeadLetters("a")
	must(t, err)
	if len(letters) != 1 || letters[0].Code != protocol.CodeContractAborted || letters[0].GuestCode != 7 {
		t.Fatalf("dead letters: %+v", letters)
	}

	// Redelivery fails as long as the contract does, then happens once.
	index := letters[0].Index
	_, err = p.Control("a", protocol.ActionRedeliver, index)
	wantCode(t, err, protocol.CodeContractAborted, 7)
	must(t, p.call("a", "set", `{"name":"fail","value":0}`))
	from := p.Size()
	_, err = p.Control("a", protocol.ActionRedeliver, index)
	must(t, err)
	p.want("a", "sum", 111)
	act, err := p.Entry(from)
	must(t, err)
	emitted, err := p.Entry(from + 1)
	must(t, err)
	if act.Kind != protocol.EntryContract || act.Cause != index || emitted.Cause != index || emitted.Event.Type != "probe.poked.v1" {
		t.Errorf("redelivered: %+v, %+v", act, emitted)
	}
	_, err = p.Control("a", protocol.ActionRedeliver, index)
	wantCode(t, err, protocol.CodeNotDead, 0)
}

// The author can give up an entry: one that is being retried, or a dead letter.
func TestSkip(t *testing.T) {
	p := newProbed(t, "a")
	must(t, p.call("a", "set", `{"name":"fail","value":1}`))
	p.poke(1)
	index := p.Size() - 1
	_, err := p.Control("a", protocol.ActionSkip, index)
	must(t, err)
	must(t, p.call("a", "set", `{"name":"fail","value":0}`))
	p.poke(2)
	p.want("a", "sum", 2)
	if letters, _ := p.DeadLetters("a"); len(letters) != 0 {
		t.Errorf("dead letters: %v", letters)
	}
	_, err = p.Control("a", protocol.ActionSkip, index)
	wantCode(t, err, protocol.CodeNotDead, 0)

	// A timer that fails is a dead letter at once, and is skipped as one.
	must(t, p.call("a", "set", `{"name":"fail","value":1}`))
	must(t, p.call("a", "arm", `{"height":1,"data":"refuse"}`))
	_, err = p.Block()
	must(t, err)
	letters, err := p.DeadLetters("a")
	must(t, err)
	if len(letters) != 1 || letters[0].GuestCode != 9 {
		t.Fatalf("dead letters: %+v", letters)
	}
	_, err = p.Control("a", protocol.ActionSkip, letters[0].Index)
	must(t, err)
	p.want("a", "rang", 0)
}

// An upgrade keeps address, state and queue, runs the migration, and is undone
// whole when that fails. Only the author may.
func TestUpgrade(t *testing.T) {
	p := newProbed(t, "a")
	before, err := p.Contract("a")
	must(t, err)
	p.poke(5)
	_, err = p.Control("a", protocol.ActionPause, 0)
	must(t, err)
	p.poke(6) // waits for the new code
	for _, wrong := range []struct {
		manifest []byte
		args     string
		code     protocol.Code
	}{
		{p.named("a", "1"), `{"add":1}`, protocol.CodeVersion},
		{p.named("b", "2"), `{"add":1}`, protocol.CodeVersion},
		{p.named("a", "2"), `{}`, protocol.CodeArgument},
		{[]byte(`{}`), ``, protocol.CodeManifestInvalid},
	} {
		_, err := p.Upgrade("a", p.code, wrong.manifest, []byte(wrong.args))
		wantCode(t, err, wrong.code, 0)
	}
	_, err = p.Upgrade("a", p.code, p.named("a", "2"), []byte(`{"add":100}`))
	must(t, err)
	_, err = p.Control("a", protocol.ActionResume, 0)
	must(t, err)
	p.want("a", "sum", 111)
	after, err := p.Contract("a")
	must(t, err)
	if after.Manifest.Version != "2" || after.Address != before.Address || after.Since != before.Since {
		t.Errorf("before %+v, after %+v", before, after)
	}
	_, err = p.act("alice", &protocol.Upgrade{Contract: before.Address, Deploy: protocol.Deploy{Code: p.code, Manifest: p.named("a", "3")}})
	wantCode(t, err, protocol.CodeUnauthorized, 0)
	_, err = p.act("alice", &protocol.Control{Contract: before.Address, Action: protocol.ActionPause})
	wantCode(t, err, protocol.CodeUnauthorized, 0)
}
