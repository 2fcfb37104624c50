package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A district's log is anchored on a hub: an entry verifies through both
// ledgers once its checkpoint is recorded and not before, and another log
// under the same name is not anchored over it.
func TestAnchor(t *testing.T) {
	district, hub, rewritten := startNetwork(t, 1), startNetwork(t, 1), startNetwork(t, 1)
	cairn := func(code int, says string, nw *network, args ...string) {
		t.Helper()
		out, got := runCode(t, binary(t, "cairn"), append(args, "--network", nw.dir)...)
		if got != code || !strings.Contains(out, says) {
			t.Fatalf("cairn %v: exit %d, want %d with %q\n%s", args, got, code, says, out)
		}
	}
	events := filepath.Join(t.TempDir(), "events.jsonl")
	text := `{"specversion":"1.0","id":"1","source":"/e2e","type":"reading.v1","data":{"v":1}}` + "\n"
	if err := os.WriteFile(events, []byte(text+strings.Replace(text, `"id":"1"`, `"id":"2"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	submit := func(nw *network) { // and wait until the validators cosigned the log with it
		t.Helper()
		cairn(0, "events      2", nw, "submit", events)
		for range 300 {
			if out, _ := runCode(t, binary(t, "cairn"), "log", "checkpoint", "--network", nw.dir); strings.Contains(out, "entries   2") {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatal("the log's checkpoint does not get to its two entries")
	}
	submit(district)
	cairn(1, "is not in a checkpoint", district, "log", "anchored", "1", "--to", hub.dir)
	cairn(0, "final on the hub", district, "log", "anchor", "--to", hub.dir)
	cairn(0, "nothing is new", district, "log", "anchor", "--to", hub.dir)
	cairn(0, "entry 1 of cairn-devnet is among the 2 entries", district, "log", "anchored", "1", "--to", hub.dir)
	cairn(0, `"anchor":0`, district, "log", "anchored", "0", "--to", hub.dir, "--json")
	submit(rewritten)
	cairn(3, "did not cosign", rewritten, "log", "anchor", "--to", hub.dir)
	cairn(3, "did not cosign", rewritten, "log", "anchored", "1", "--to", hub.dir)
	cairn(2, "--to", district, "log", "anchor")
}
