package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/genesis"
)

// testReplay exports the blocks and executes them again, offline; a changed
// block and another founding are found out.
func (a *audited) testReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "blocks.jsonl")
	a.must("audit", "export", "-o", file)
	replay := func(file, founding string, args ...string) (string, int) {
		return runCode(t, binary(t, "cairn"), append([]string{"audit", "replay", file, "--genesis", founding}, args...)...)
	}
	out, code := replay(file, a.genesis, "--json")
	var done struct {
		Blocks, Compared, Height, LogSize uint64
		AppHash                           string
		Same                              bool
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil || code != 0 || !done.Same || done.Compared != done.Blocks+1 {
		t.Fatalf("exit %d, %v\n%s", code, err, out)
	}
	var there head
	getJSON(t, fmt.Sprintf("%s/v1/head?height=%d", a.nw.nodes[1].API, done.Height), &there)
	if there.AppHash != done.AppHash || there.LogSize != done.LogSize {
		t.Errorf("executed here: %+v, there %+v", done, there)
	}
	if out, code := replay(file, a.genesis, "--from", "3", "--to", "5"); code != 0 || !strings.Contains(out, "executed 5 blocks") || !strings.Contains(out, "after block 5") {
		t.Errorf("a part: exit %d\n%s", code, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	changed := strings.Replace(string(text), `"txs":["`, `"txs":["AAAA","`, 1)
	if err := os.WriteFile(bad, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := replay(bad, a.genesis); code != 3 || !strings.Contains(out, "did not sign") {
		t.Errorf("a transaction more: exit %d\n%s", code, out)
	}
	doc, err := os.ReadFile(a.genesis)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(other, []byte(strings.Replace(string(doc), `"hopLimit": `, `"hopLimit": 1`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := replay(file, other); code != 1 || !strings.Contains(out, "after the founding the app hash is") {
		t.Errorf("another founding: exit %d\n%s", code, out)
	}
	a.must("audit", "export", "--from", "3", "--to", "4", "-o", bad)
	if out, code := replay(bad, a.genesis); code != 3 || !strings.Contains(out, "block 1 is next") {
		t.Errorf("without the first blocks: exit %d\n%s", code, out)
	}
}

// testErased exports across a block that carried what was erased since: both
// ends say what is missing, and go on with what is left.
func (a *audited) testErased(t *testing.T) {
	var e struct{ Height uint64 }
	getJSON(t, fmt.Sprintf("%s/v1/entries/%d", a.nw.nodes[0].API, a.reading), &e)
	a.must("event", "erase", fmt.Sprint(a.reading), "--reason", "request")
	a.must("token", "issue", "YEN") // and the ledger goes on
	a.nw.agreed()
	file := filepath.Join(t.TempDir(), "blocks.jsonl")
	if out := a.must("audit", "export", "-o", file); !strings.Contains(out, fmt.Sprintf("Missing is block %d (entr", e.Height)) {
		t.Errorf("the export says: %s", out)
	}
	replay := func(args ...string) (string, int) {
		return runCode(t, binary(t, "cairn"), append([]string{"audit", "replay", file, "--genesis", a.genesis}, args...)...)
	}
	out, code := replay()
	for _, words := range []string{fmt.Sprintf("executed %d blocks", e.Height-1), fmt.Sprintf("%d app hashes compared", e.Height),
		fmt.Sprintf("Missing is block %d", e.Height), "such as the validators decided them", "cannot be executed again"} {
		if code != 3 || !strings.Contains(out, words) {
			t.Errorf("exit %d, %q is not in:\n%s", code, words, out)
		}
	}
	if out, code := replay("--to", fmt.Sprint(e.Height-1)); code != 0 || !strings.Contains(out, "all equal") {
		t.Errorf("before it: exit %d\n%s", code, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for what, bad := range map[string]string{
		"left out":  strings.Join(append(lines[:e.Height:e.Height], lines[e.Height+1:]...), ""),
		"misplaced": strings.Replace(string(text), fmt.Sprintf(`"missing":{"height":%d`, e.Height), fmt.Sprintf(`"missing":{"height":%d`, e.Height+1), 1),
	} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := replay(); code != 3 || !strings.Contains(out, "follows block") {
			t.Errorf("%s: exit %d\n%s", what, code, out)
		}
	}
}

// testDiff holds what is said to have changed, and what is not, to receipts of
// every key at both heights.
func (a *audited) testDiff(t *testing.T) {
	doc, err := genesis.Load(a.genesis)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := doc.Trust()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Nodes: []string{a.nw.nodes[2].API}, Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	to := a.nw.agreed().Height - 1
	from := to / 2
	var d struct {
		Changes []struct{ Key, Kind, Contract, Name string }
	}
	if err := json.Unmarshal([]byte(a.must("diff", "--from", fmt.Sprint(from), "--to", fmt.Sprint(to), "--json")), &d); err != nil {
		t.Fatal(err)
	}
	changed, kinds := map[string]bool{}, map[string]int{}
	for _, change := range d.Changes {
		key, err := hex.DecodeString(change.Key)
		if err != nil {
			t.Fatal(err)
		}
		changed[string(key)] = true
		kinds[change.Kind]++
	}
	if kinds["value"] == 0 || kinds["stream"] == 0 || kinds["asset"] != 1 || kinds["dead letter"] != 1 {
		t.Errorf("changes by kind: %v", kinds)
	}
	all := map[string]bool{}
	for _, height := range []uint64{from, to} {
		keys, err := c.StateKeys(t.Context(), nil, nil, height, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			all[string(key)] = true
		}
	}
	for key := range changed {
		all[key] = true
	}
	for key := range all {
		before, err := c.StateReceipt(t.Context(), []byte(key), from)
		if err != nil {
			t.Fatal(err)
		}
		after, err := c.StateReceipt(t.Context(), []byte(key), to)
		if err != nil {
			t.Fatal(err)
		}
		same := before.State.Exists() == after.State.Exists() && string(before.State.Value) == string(after.State.Value)
		if same == changed[key] {
			t.Errorf("key %x: said to have changed %v, by receipts %v", key, changed[key], !same)
		}
	}
	if out := a.must("diff", "--from", fmt.Sprint(from), "--to", fmt.Sprint(to), "--contract", "parking"); strings.Contains(out, "stream") || !strings.Contains(out, "p/CITY-") {
		t.Errorf("of one contract:\n%s", out)
	}
}

// testPast asks for the ledger, and a price, as they were.
func (a *audited) testPast(t *testing.T) {
	var early, late struct {
		Height uint64
		TimeMs int64
	}
	getJSON(t, a.nw.nodes[0].API+"/v1/head?height=3", &early)
	getJSON(t, a.nw.nodes[0].API+"/v1/head?height=4", &late)
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	for ms, want := range map[int64]uint64{early.TimeMs: 3, late.TimeMs - 1: 3, late.TimeMs: 4} {
		out := a.must("status", "--time", at(ms), "--json")
		var got head
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.Height != want {
			t.Errorf("at %s: %s, want height %d", at(ms), out, want)
		}
		byTime := a.ok("query", "parking", "evaluations", "--time", at(ms))
		if byHeight := a.ok("query", "parking", "evaluations", "--height", fmt.Sprint(want)); byTime != byHeight {
			t.Errorf("at %s: %s, at height %d: %s", at(ms), byTime, want, byHeight)
		}
	}
	if then, now := a.ok("query", "parking", "evaluations", "--height", "3"), a.ok("query", "parking", "evaluations"); then == now {
		t.Errorf("evaluations at height 3 and now: %s", now)
	}
	if out, code := a.run("status", "--time", "2001-01-01T00:00:00Z"); code != 1 {
		t.Errorf("before the ledger: exit %d\n%s", code, out)
	}
}
