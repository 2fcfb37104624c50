package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

// oneValidator founds a network of a single validator, a process of its own,
// and makes it the one that commands speak to.
func oneValidator(t *testing.T) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "cairnd")
	build := exec.Command("go", "build", "-o", bin, "./node/cmd/cairnd")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	home := filepath.Join(t.TempDir(), "net")
	var out []byte
	var err error
	for range 5 { // the ports may be taken
		start := exec.Command(bin, "devnet", "--home", home, "--validators", "1", "--base-port", fmt.Sprint(12_000+rand.IntN(17_000)), "--detach")
		if out, err = start.CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(bin, "devnet", "stop", "--home", home).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Setenv("CAIRN_NETWORK", home)
}

func mustCairn(t *testing.T, args ...string) string {
	t.Helper()
	out, sentence, code := cairn(t, args...)
	if code != 0 {
		t.Fatalf("cairn %s: exit %d, %s", strings.Join(args, " "), code, sentence)
	}
	return out
}

// readings are those of one lot over weeks, some of them refused.
func readings(from, to int) []byte {
	var out bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintf(&out, `{"specversion":"1.0","id":"r%d","source":"/t","type":"parking.occupancy.v1","subject":"North","time":"2016-10-%02dT%02d:00:00Z","data":{"occupied":%d,"capacity":%d}}`+"\n",
			i, 1+i/2, 8+i%2*8, 50+i, (i%7)*30)
	}
	return out.Bytes()
}

func TestReplayNeedsItsFlags(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "")
	module := filepath.Join(repository, "contracts", "parking", "parking.wasm")
	for line, want := range map[string]string{
		"":                                       "--contract NAME",
		"--contract parking":                     "--wasm FILE",
		"--contract parking --wasm " + module:    "--network DIR",
		"--contract parking --wasm x --from -1":  "invalid argument",
		"parking --contract parking --wasm x.wa": "unknown command",
	} {
		if _, sentence, code := cairn(t, append([]string{"contract", "replay"}, strings.Fields(line)...)...); code != exitUsage || !strings.Contains(sentence, want) {
			t.Errorf("replay %s: exit %d, %s", line, code, sentence)
		}
	}
}

// What a real network did with contracts is run again.
func TestReplayOfARealHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a validator")
	}
	oneValidator(t)
	t.Run("another version", replayOfParking)
	t.Run("timers, retries and an upgrade", replayOfProbe)
}

// The same code makes no difference; another manifest does, and it is told where.
func replayOfParking(t *testing.T) {
	mustCairn(t, "contract", "deploy", "parking", "--args", `{"startCents":300}`)
	mustCairn(t, "submit", writeFile(t, "a.jsonl", readings(0, 20)), "--stream", "a")
	mustCairn(t, "contract", "call", "parking", "gate", "--args", `{"address":"AAECAwQFBgcICQoLDA0ODxAREhM=","open":true}`)
	mustCairn(t, "submit", writeFile(t, "b.jsonl", readings(20, 50)), "--stream", "b")

	module := filepath.Join(repository, "contracts", "parking", "parking.wasm")
	replay := func(args ...string) (r replayReport, sentence string, code int) {
		out, sentence, code := cairn(t, append([]string{"contract", "replay", "--contract", "parking", "--wasm", module, "--json"}, args...)...)
		if out != "" && json.Unmarshal([]byte(out), &r) != nil {
			t.Fatalf("exit %d, %s: %s", code, sentence, out)
		}
		return r, sentence, code
	}
	r, sentence, code := replay()
	if code != 0 || !r.Same || r.Confirmed.Checked == 0 || r.Confirmed.Checked != r.Confirmed.Keys || r.Deployed != r.New {
		t.Fatalf("the same code: exit %d, %s, %+v", code, sentence, r)
	}
	if d := r.Deployed; d.Deliveries == 0 || d.Calls != 1 || d.Emitted == 0 || d.DeadLetters == 0 {
		t.Fatalf("the history is poor: %+v", d)
	}

	// A version that wants a field which no reading has.
	text := mustRead(t, repository, "contracts", "parking", "manifest.json")
	other := writeFile(t, "other.json", bytes.Replace(text, []byte(`"name": "occupied", "kind": "int"`), []byte(`"name": "occupied", "kind": "int", "path": "taken"`), 1))
	was := r.Deployed
	r, sentence, code = replay("--manifest", other)
	if code != exitFailed || r.Same || !strings.Contains(sentence, "differs") || r.Deployed != was {
		t.Fatalf("another manifest: exit %d, %s, %+v", code, sentence, r)
	}
	if r.New.Deliveries != 0 || r.New.DeadLetters != 50 || r.New.Emitted != 0 || r.New.Calls != 1 || len(r.Entries) != 50 || r.Entries[0].New.Code != "PROJECTION" {
		t.Errorf("another manifest: %+v", r)
	}

	// From an entry on, only what comes after it differs.
	from := r.Entries[30].Index
	r, _, code = replay("--manifest", other, "--from", fmt.Sprint(from))
	if code != exitFailed || len(r.Entries) == 0 || len(r.Entries) >= 50 || r.From != from || r.Entries[0].Index > from {
		t.Errorf("from entry %d: exit %d, %+v", from, code, r)
	}
	out, _, _ := cairn(t, "contract", "replay", "--contract", "parking", "--wasm", module, "--manifest", other)
	for _, want := range []string{"confirmed", "dead letters", "PROJECTION", "emits parking.price.set.v1", "state at the end", "entries more"} {
		if !strings.Contains(out, want) {
			t.Errorf("a person is not told %q:\n%s", want, out)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--contract parking --from 100000", "the log has no entry"},
		{"--contract nobody", "no contract is named"},
	} {
		_, sentence, code := cairn(t, append([]string{"contract", "replay", "--wasm", module, "--manifest", other}, strings.Fields(c.args)...)...)
		if code != exitFailed || !strings.Contains(sentence, c.want) {
			t.Errorf("%s: exit %d, %s", c.args, code, sentence)
		}
	}
}

// Times of blocks without entries come from signed headers; code that was
// replaced is still there.
func replayOfProbe(t *testing.T) {
	dir := filepath.Join(repository, "node", "sim", "testdata", "probe")
	module, manifest := filepath.Join(dir, "probe.wasm"), filepath.Join(dir, "manifest.json")
	mustCairn(t, "contract", "deploy", "--wasm", module, "--manifest", manifest)
	set := func(v int) {
		mustCairn(t, "contract", "call", "probe", "set", "--args", fmt.Sprintf(`{"name":"fail","value":%d}`, v))
	}
	send := func(id, eventType string) {
		event := fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/t","type":%q,"data":{"n":5}}`+"\n", id, eventType)
		mustCairn(t, "submit", writeFile(t, "event.jsonl", event), "--stream", id)
	}
	poke := func(id string) { send(id, "probe.poke.v1") }
	poke("first")
	set(1)
	poke("second") // is refused, and tried again in two later blocks
	for _, ms := range []int{300, 1200, 1500} {
		mustCairn(t, "contract", "call", "probe", "arm", "--args", fmt.Sprintf(`{"ms":%d,"data":"x"}`, time.Now().Add(time.Duration(ms)*time.Millisecond).UnixMilli()))
	}
	mustCairn(t, "contract", "call", "probe", "arm", "--args", `{"ms":9000000000000,"data":"x"}`)
	for waited := 0; ; waited++ {
		var list []rest.Contract
		if err := json.Unmarshal([]byte(mustCairn(t, "contract", "list", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(list, func(c rest.Contract) bool { return c.Name == "probe" })
		if list[at].Timers == 1 && list[at].Lag == 0 {
			break
		}
		if waited == 100 {
			t.Fatalf("%+v", list[at])
		}
		time.Sleep(200 * time.Millisecond)
		send(fmt.Sprint("noise", waited), "noise.v1") // a network at rest makes few blocks
	}
	next := writeFile(t, "next.json", bytes.Replace(mustRead(t, manifest), []byte(`"version": "1"`), []byte(`"version": "2"`), 1))
	mustCairn(t, "contract", "upgrade", "probe", "--wasm", module, "--manifest", next, "--args", `{"add":37}`)
	set(0)
	poke("third")

	out, sentence, code := cairn(t, "contract", "replay", "--contract", "probe", "--wasm", module, "--json")
	var r replayReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("exit %d, %s: %s", code, sentence, out)
	}
	d := r.Deployed
	if d.Deliveries != 2+3 || d.Again != 2 || d.DeadLetters != 1 || d.Calls != 6 || d.Timers != 1 || r.Confirmed.Checked != r.Confirmed.Keys {
		t.Errorf("the history: %+v, %+v", d, r.Confirmed)
	}
	// As if it had been there from the beginning: no migration added 37.
	if code != exitFailed || len(r.State) != 1 || len(r.Entries) != 1 || !strings.Contains(string(r.Entries[0].New.Emitted[0].Data), `10`) || r.New.Again != 2 {
		t.Errorf("exit %d, %s: %+v", code, sentence, r)
	}
}
