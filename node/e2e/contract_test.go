package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A contract's life at the command line, on four validators: deployed, called,
// failing, mended, its dead letters delivered, upgraded, paused, resumed, with
// a timer that fires; and what each step says.
func TestALifeOfAContract(t *testing.T) {
	nw := startNetwork(t, 4)
	cairn := func(args ...string) (string, int) {
		t.Helper()
		return runCode(t, binary(t, "cairn"), append(args, "--network", nw.dir)...)
	}
	ok := func(args ...string) string {
		t.Helper()
		out, code := cairn(args...)
		if code != 0 {
			t.Fatalf("cairn %v: exit %d\n%s", args, code, out)
		}
		return out
	}
	number := func(name string) string {
		t.Helper()
		return strings.TrimSpace(ok("contract", "query", "probe", "get", "name="+name))
	}
	eventually := func(name, want string) {
		t.Helper()
		for range 150 {
			if number(name) == want {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s is %s, want %s", name, number(name), want)
	}
	const probe = "../sim/testdata/probe/"
	ok("contract", "deploy", "--wasm", probe+"probe.wasm", "--manifest", probe+"manifest.json")
	ok("contract", "call", "probe", "set", "--args", `{"name":"fail","value":1}`)

	// Two pokes fail until retries are used up, which the blocks of calls bring.
	events := filepath.Join(t.TempDir(), "events.jsonl")
	var lines strings.Builder
	for i := range 2 {
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":"%d","source":"/e2e","type":"probe.poke.v1","data":{"n":%d}}`+"\n", i, 10*(i+1))
	}
	if err := os.WriteFile(events, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ok("submit", events, "--key", "producer")
	for i := range 12 {
		ok("contract", "call", "probe", "set", "--args", fmt.Sprintf(`{"name":"n","value":%d}`, i))
	}
	if letters := ok("contract", "dead-letters", "probe"); strings.Count(letters, "CONTRACT_ABORTED") != 2 {
		t.Fatalf("dead letters:\n%s", letters)
	}
	if logs := ok("contract", "logs", "probe"); !strings.Contains(logs, "CONTRACT_ABORTED 7") || !strings.Contains(logs, "told to refuse") {
		t.Fatalf("logs:\n%s", logs)
	}
	if out, code := cairn("contract", "redeliver", "probe", "all"); code != 1 || !strings.Contains(out, "its code 7") {
		t.Fatalf("redelivered to a contract that fails: exit %d\n%s", code, out)
	}
	ok("contract", "call", "probe", "set", "--args", `{"name":"fail","value":0}`)
	ok("contract", "redeliver", "probe", "all")
	if sum := number("sum"); sum != "30" {
		t.Fatalf("the sum is %s after redelivery", sum)
	}

	manifest, err := os.ReadFile(probe + "manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(next, []byte(strings.Replace(string(manifest), `"version": "1"`, `"version": "2"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	ok("contract", "pause", "probe")
	if out, code := cairn("contract", "call", "probe", "set", "--args", `{"name":"n","value":1}`); code != 1 || !strings.Contains(out, "paused") {
		t.Fatalf("called a paused contract: exit %d\n%s", code, out)
	}
	if list := ok("contract", "list"); !strings.Contains(list, "paused") {
		t.Fatalf("list:\n%s", list)
	}
	ok("contract", "upgrade", "probe", "--wasm", probe+"probe.wasm", "--manifest", next, "--args", `{"add":100}`)
	ok("contract", "resume", "probe")
	if sum := number("sum"); sum != "130" {
		t.Fatalf("the sum is %s after the migration", sum)
	}
	ok("contract", "call", "probe", "arm", "--args", fmt.Sprintf(`{"ms":%d,"data":"bell"}`, time.Now().UnixMilli()))
	ok("contract", "call", "probe", "set", "--args", `{"name":"n","value":1}`)
	eventually("rang", "1")
	nw.agreed()
}
