package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// desk runs cairn against a network, as the people at several desks do.
type desk struct {
	t  *testing.T
	nw *network
}

func (d desk) file(name string) string { return filepath.Join(d.nw.dir, name) }

func (d desk) cairn(words ...string) string {
	d.t.Helper()
	return run(d.t, binary(d.t, "cairn"), append([]string{"--network", d.nw.dir}, words...)...)
}

// refused runs cairn where it has to fail, and say why.
func (d desk) refused(code int, why string, words ...string) {
	d.t.Helper()
	said, got := runCode(d.t, binary(d.t, "cairn"), append([]string{"--network", d.nw.dir}, words...)...)
	if got != code || !strings.Contains(said, why) {
		d.t.Fatalf("cairn %v: exit %d, %s; want exit %d, %q", words, got, said, code, why)
	}
}

// A meter's readings are sealed for the utility, shown in part to a landlord,
// and forgotten when the tenant moves out.
func TestSealedDiscloseForget(t *testing.T) {
	d := desk{t, startNetwork(t, 4)}
	recipients := map[string]string{}
	for _, name := range []string{"utility", "auditor", "eve"} {
		var made struct {
			Recipient string `json:"recipient"`
		}
		if err := json.Unmarshal([]byte(d.cairn("seal", "keygen", d.file(name), "--json")), &made); err != nil {
			t.Fatal(err)
		}
		recipients[name] = made.Recipient
	}
	d.send(recipients["utility"])
	opened := d.cairn("seal", "open", d.index("r1"), "--identity", d.file("utility"))
	if !strings.Contains(opened, `"tenant":"A. Müller"`) || strings.Contains(d.cairn("event", d.index("r1"), "--json"), "ller") {
		t.Fatalf("opened: %s", opened)
	}
	d.refused(1, "not wrapped for this reader", "seal", "open", d.index("r1"), "--identity", d.file("eve"))
	d.cairn("seal", "share", "m-7", "--keys", d.file("subjects"), "--to", recipients["auditor"], "--stream", "readings")
	if d.cairn("seal", "open", d.index("r1"), "--identity", d.file("auditor")) != opened {
		t.Fatal("the auditor reads something else")
	}
	d.disclose()
	d.cairn("seal", "rotate", "m-7", "--keys", d.file("subjects"))

	said := d.cairn("seal", "forget", "m-7", "--keys", d.file("subjects"), "--json")
	var forgotten struct {
		Keys    int      `json:"keys"`
		Entries []uint64 `json:"entries"`
	}
	if err := json.Unmarshal([]byte(said), &forgotten); err != nil || forgotten.Keys != 2 || len(forgotten.Entries) != 2 {
		t.Fatalf("%s: %v", said, err)
	}
	for _, name := range []string{"utility", "auditor"} {
		d.refused(1, "were erased", "seal", "open", d.index("r1"), "--identity", d.file(name))
	}
	d.refused(1, "no key of this subject", "seal", "open", d.index("r1"), "--keys", d.file("subjects"))
	if other := d.cairn("seal", "open", d.index("r3"), "--identity", d.file("utility")); !strings.Contains(other, "B. Okafor") {
		t.Fatalf("another subject was forgotten too: %s", other)
	}
	// What was shown before is still proven: nobody can unsay it.
	run(t, binary(t, "cairn"), "seal", "verify-disclosure", d.file("shown.json"), "--trust", d.file("genesis.json"))
}

// send seals and submits three readings of two meters, twice.
func (d desk) send(recipient string) {
	d.t.Helper()
	var lines []string
	for i, who := range []string{"A. Müller", "A. Müller", "B. Okafor"} {
		lines = append(lines, fmt.Sprintf(`{"specversion":"1.0","id":"r%d","source":"/meters/e2e","type":"meter.reading.v1","subject":"m-%d","data":{"kwh":%d.5,"tenant":"%s","district":"north"}}`, i+1, 7+i/2, i, who))
	}
	if err := os.WriteFile(d.file("readings.jsonl"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	words := []string{"seal", "send", d.file("readings.jsonl"), "--keys", d.file("subjects"), "--to", recipient, "--clear", "district", "--fields", "--json"}
	for _, held := range []int{0, 3} { // the second time it is all there
		var sum struct{ Events, Held int }
		if err := json.Unmarshal([]byte(d.cairn(words...)), &sum); err != nil || sum.Events != 3 || sum.Held != held {
			d.t.Fatalf("%+v %v", sum, err)
		}
	}
}

// index finds an event by its id.
func (d desk) index(id string) string {
	d.t.Helper()
	var entry struct {
		Index uint64          `json:"index"`
		Event *protocol.Event `json:"event"`
	}
	text := d.cairn("event", "--source", "/meters/e2e", "--id", id, "--json")
	if err := json.Unmarshal([]byte(text), &entry); err != nil || entry.Event == nil || !strings.Contains(string(entry.Event.Data), `"district":"north"`) {
		d.t.Fatalf("%s: %v", text, err)
	}
	return fmt.Sprint(entry.Index)
}

// disclose shows one member of a reading, and refuses what was tampered with.
func (d desk) disclose() {
	d.t.Helper()
	d.cairn("seal", "disclose", d.index("r1"), "--identity", d.file("utility"), "--field", "kwh", "-o", d.file("shown.json"))
	verify := []string{"seal", "verify-disclosure", d.file("shown.json"), "--trust", d.file("genesis.json")}
	if said := run(d.t, binary(d.t, "cairn"), verify...); !strings.Contains(said, `"kwh" = 0.5`) || strings.Contains(said, "tenant") {
		d.t.Fatalf("shown: %s", said)
	}
	text, err := os.ReadFile(d.file("shown.json"))
	if err != nil || strings.Contains(string(text), "ller") {
		d.t.Fatal("the tenant is in what was shown", err)
	}
	forged := strings.Replace(string(text), `"value":0.5`, `"value":9.5`, 1)
	if err := os.WriteFile(d.file("forged.json"), []byte(forged), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.refused(3, "does not hold", "seal", "verify-disclosure", d.file("forged.json"), "--trust", d.file("genesis.json"))
	d.refused(1, "not proven", "seal", "disclose", d.index("r1"), "--identity", d.file("utility"), "--field", "watt")
}
