package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// probe is a contract that does what it is told.
const probe = "../sim/testdata/probe/"

// shell is the command line on a network.
type shell struct {
	t  *testing.T
	nw *network
}

func (s shell) run(args ...string) (string, int) {
	s.t.Helper()
	return runCode(s.t, binary(s.t, "cairn"), append(args, "--network", s.nw.dir)...)
}

// ok runs a contract command that is expected to succeed.
func (s shell) ok(args ...string) string {
	s.t.Helper()
	out, code := s.run(append([]string{"contract"}, args...)...)
	if code != 0 {
		s.t.Fatalf("cairn contract %v: exit %d\n%s", args, code, out)
	}
	return out
}

// refused runs one that is expected to be refused in these words.
func (s shell) refused(words string, args ...string) {
	s.t.Helper()
	if out, code := s.run(append([]string{"contract"}, args...)...); code != 1 || !strings.Contains(out, words) {
		s.t.Fatalf("cairn contract %v: exit %d, without %q\n%s", args, code, words, out)
	}
}

// set gives a number of the probe's a value.
func (s shell) set(name string, value int) {
	s.t.Helper()
	s.ok("call", "probe", "set", "--args", fmt.Sprintf(`{"name":%q,"value":%d}`, name, value))
}

// want waits for a number of the probe's.
func (s shell) want(name, want string) {
	s.t.Helper()
	got := ""
	for range 150 {
		if got = strings.TrimSpace(s.ok("query", "probe", "get", "name="+name)); got == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("%s is %s, want %s", name, got, want)
}

// A contract's life at the command line, on four validators: deployed, called,
// failing, mended, its dead letters delivered, upgraded, paused, resumed, with
// a timer that fires; and what each step says.
func TestALifeOfAContract(t *testing.T) {
	s := shell{t, startNetwork(t, 4)}
	s.ok("deploy", "--wasm", probe+"probe.wasm", "--manifest", probe+"manifest.json")
	s.set("fail", 1)

	// Two events fail until retries are used up, which the blocks of calls bring.
	events := filepath.Join(t.TempDir(), "events.jsonl")
	var lines strings.Builder
	for i := range 2 {
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":"%d","source":"/e2e","type":"probe.poke.v1","data":{"n":%d}}`+"\n", i, 10*(i+1))
	}
	if err := os.WriteFile(events, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run("submit", events, "--key", "producer"); code != 0 {
		t.Fatalf("submit: exit %d\n%s", code, out)
	}
	for i := range 12 {
		s.set("n", i)
	}
	if letters := s.ok("dead-letters", "probe"); strings.Count(letters, "CONTRACT_ABORTED") != 2 {
		t.Fatalf("dead letters:\n%s", letters)
	}
	if logs := s.ok("logs", "probe"); !strings.Contains(logs, "CONTRACT_ABORTED 7") || !strings.Contains(logs, "told to refuse") {
		t.Fatalf("logs:\n%s", logs)
	}
	s.refused("its code 7", "redeliver", "probe", "all")
	s.set("fail", 0)
	s.ok("redeliver", "probe", "all")
	s.want("sum", "30")

	manifest, err := os.ReadFile(probe + "manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(next, []byte(strings.Replace(string(manifest), `"version": "1"`, `"version": "2"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("pause", "probe")
	s.refused("paused", "call", "probe", "set", "--args", `{"name":"n","value":1}`)
	if list := s.ok("list"); !strings.Contains(list, "paused") {
		t.Fatalf("list:\n%s", list)
	}
	s.ok("upgrade", "probe", "--wasm", probe+"probe.wasm", "--manifest", next, "--args", `{"add":100}`)
	s.ok("resume", "probe")
	s.want("sum", "130")
	s.ok("call", "probe", "arm", "--args", fmt.Sprintf(`{"ms":%d,"data":"bell"}`, time.Now().UnixMilli()))
	s.set("n", 1)
	s.want("rang", "1")
	s.nw.agreed()
}
