package genesis

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A member that is missing, misspelt or there twice is refused and named: a
// rule nobody wrote down must not hold.
func TestMembersAreExact(t *testing.T) {
	text := string(testDocument(t).Bytes())
	if _, err := Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"hopLimit": 8`, `"hoplimit": 8`, "params.hoplimit: unknown"},
		{",\n    \"hopLimit\": 8", "", "params.hopLimit: is missing"},
		{`"dedupeWindowEntries": 1000000,`, "", "params.dedupeWindowEntries: is missing"},
		{`"hopLimit": 8`, `"hopLimit": 9, "hopLimit": 8`, "params.hopLimit: is there twice"},
		{`"power": 10`, `"Power": 10`, "validators[0].Power: unknown"},
		{`"power": 10`, `"power": 1, "power": 10`, "validators[0].power: is there twice"},
		{`"chainId": "cairn-test",`, `"chainId": "cairn-test", "chainId": "cairn-test",`, "chainId: is there twice"},
		{`"power": 10`, `"power": null`, "validators[0].power: must not be null"},
		{`"hopLimit": 8`, `"hopLimit": 8, "burstLimit": 1`, "burstLimit"},
		{`"hopLimit": 8`, `"hopLimit": "8"`, "params.hopLimit: must be a uint8, is a string"},
		{`"hopLimit": 8`, `"hopLimit": 256`, "params.hopLimit: must be a uint8, is a number 256"},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("%s is not in the document", c.old)
		}
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.want)
		}
	}
}

// FuzzStrict: what is accepted has the members of its canonical form, so that
// every reader of the file sees the same ledger.
func FuzzStrict(f *testing.F) {
	f.Add(DefaultParams().Canonical())
	f.Add([]byte(`{"version":1,"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p Params
		if strictJSON(text, &p) != nil {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		var members map[string]json.Number
		if err := json.Unmarshal(text, &members); err != nil || len(members) < 7 || compact.Len() < len(p.Canonical()) {
			t.Fatalf("accepted %q as %+v: %v", text, p, err)
		}
	})
}
