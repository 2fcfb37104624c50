package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
)

// auditor is the command line in a folder of files, with and without a network.
type auditor struct {
	t   *testing.T
	dir string
	nw  *network
}

func (a auditor) file(name string) string { return filepath.Join(a.dir, name) }

// online asks the network; offline has the founding document alone.
func (a auditor) online(code int, args ...string) string {
	a.t.Helper()
	return a.run(code, append(args, "--network", a.nw.dir))
}

func (a auditor) offline(code int, args ...string) string {
	a.t.Helper()
	return a.run(code, args)
}

func (a auditor) run(code int, args []string) string {
	a.t.Helper()
	out, got := runCode(a.t, binary(a.t, "cairn"), args...)
	if got != code {
		a.t.Fatalf("cairn %v: exit %d, must be %d\n%s", args, got, code, out)
	}
	return out
}

// submit appends events from..to-1 to a stream.
func (a auditor) submit(stream string, from, to int) {
	a.t.Helper()
	var lines strings.Builder
	for i := range to {
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":"%s-%d","source":"/e2e","type":"reading.v1","data":{"n":%d}}`+"\n", stream, i, i)
	}
	path := a.file(stream + ".jsonl")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.online(0, "submit", path, "--stream", stream)
}

// checkpoint waits for a checkpoint of a size, cosigned, and keeps it.
func (a auditor) checkpoint(name string, size int) {
	a.t.Helper()
	for range 100 {
		out, code := runCode(a.t, binary(a.t, "cairn"), "log", "checkpoint", "-o", a.file(name), "--network", a.nw.dir)
		if code == 0 && strings.Contains(out, fmt.Sprintf("entries   %d\n", size)) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	a.t.Fatalf("no checkpoint of %d entries", size)
}

// damage flips a bit in the middle of a file and answers the copy's path.
func (a auditor) damage(name string) string {
	a.t.Helper()
	text, err := os.ReadFile(a.file(name))
	if err != nil {
		a.t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(a.file("damaged-"+name), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return a.file("damaged-" + name)
}

// An auditor's day at the command line, on four validators: checkpoints that
// three of them cosign, consistency, exports, batches, a complete stream, small
// receipts; all of it again offline, and none of it with a bit flipped.
func TestAnAuditorsDay(t *testing.T) {
	a := auditor{t, t.TempDir(), startNetwork(t, 4)}
	genesis := filepath.Join(a.nw.dir, "genesis.json")
	a.submit("meters", 0, 300)
	a.checkpoint("old", 300)
	a.submit("parking", 0, 400)
	a.checkpoint("new", 700)

	a.online(0, "log", "consistency", a.file("old"), a.file("new"), "-o", a.file("consistency"))
	a.online(0, "log", "consistency", "17", "699")
	a.offline(0, "log", "consistency", a.file("old"), a.file("new"), "--proof", a.file("consistency"), "--genesis", genesis)
	a.offline(3, "log", "consistency", a.damage("old"), a.file("new"), "--proof", a.file("consistency"), "--genesis", genesis)
	a.offline(0, "log", "checkpoint", a.file("new"), "--genesis", genesis)
	policy, err := torchwood.ParsePolicy([]byte(a.offline(0, "log", "key", "--policy", "--genesis", genesis)))
	if err != nil {
		t.Fatal(err)
	}
	note, err := os.ReadFile(a.file("new"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(note, policy); err != nil {
		t.Errorf("torchwood: %v", err)
	}
	if out := a.online(0, "log", "tile", "entries/002.p/3"); strings.Count(out, "\n") != 3 {
		t.Errorf("bundle: %s", out)
	}
	a.online(0, "log", "tile", "1/000.p/2")

	for _, format := range []string{"json", "binary", "tlog-proof", "cose"} {
		a.online(0, "receipt", "get", "299", "--format", format, "-o", a.file(format))
		if out := a.offline(0, "receipt", "verify", a.file(format), "--trust", genesis); !strings.Contains(out, `"meters-299"`) {
			t.Errorf("%s proves %s", format, out)
		}
		a.offline(3, "receipt", "verify", a.damage(format), "--trust", genesis)
	}
	a.online(0, "receipt", "get", "250", "--count", "100", "--format", "binary", "-o", a.file("batch"))
	a.offline(0, "receipt", "verify", a.file("batch"), "--trust", genesis)
	a.offline(3, "receipt", "verify", a.damage("batch"), "--trust", genesis)

	if out := a.online(0, "audit", "stream", "producer", "parking", "-o", a.file("stream")); !strings.Contains(out, "sequences 0 to 399 none is missing") {
		t.Errorf("audit: %s", out)
	}
	a.offline(0, "audit", "stream", "--proof", a.file("stream"), "--trust", genesis)
	a.offline(3, "audit", "stream", "--proof", a.damage("stream"), "--trust", genesis)
	a.online(0, "audit", "stream", "producer", "parking", "--from", "100", "--to", "200", "--payloads")
	a.online(3, "audit", "stream", "producer", "parking", "--to", "401")

	a.online(0, "log", "hold", "-o", a.file("held"), "--level", "4")
	a.online(0, "receipt", "get", "299", "--held", a.file("held"), "-o", a.file("fetched"))
	a.offline(0, "receipt", "verify", a.file("fetched"), "--held", a.file("held"), "--trust", genesis)
	a.online(0, "receipt", "get", "280", "--format", "binary", "-o", a.file("binary"))
	a.offline(0, "receipt", "shrink", a.file("binary"), "--held", a.file("held"), "--trust", genesis, "-o", a.file("small"))
	a.offline(0, "receipt", "verify", a.file("small"), "--held", a.file("held"), "--trust", genesis)
	a.offline(3, "receipt", "verify", a.damage("small"), "--held", a.file("held"), "--trust", genesis)
	if small, whole := size(t, a.file("small")), size(t, a.file("binary")); small > whole/2 {
		t.Errorf("shrunk from %d to %d bytes", whole, small)
	}

	a.nw.kill(a.nw.nodes[0]) // the log goes on with three of four
	a.submit("more", 0, 50)
	a.checkpoint("later", 750)
	for i := 1; i < 4; i++ {
		status, body := get(a.nw.nodes[i].API + "/log/checkpoint")
		if status != 200 || !bytes.HasPrefix(body, []byte(a.chainID(note))) {
			t.Errorf("node %d: %d %s", i, status, body)
		}
	}
}

func (a auditor) chainID(note []byte) string { return strings.SplitAfter(string(note), "\n")[0] }

func size(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
