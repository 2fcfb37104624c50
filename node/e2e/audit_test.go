package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// audited is a network with weeks of car park readings, prices, a dead letter
// and tokens on it.
type audited struct {
	shell
	genesis string
	price   uint64 // entry of a price
	reading uint64 // of the reading before the close message
	dead    uint64
	token   uint64
}

type entry struct {
	Index uint64  `json:"index"`
	Kind  string  `json:"kind"`
	Cause *uint64 `json:"cause"`
	Event struct {
		Type    string `json:"type"`
		Subject string `json:"subject"`
	} `json:"event"`
}

func newAudited(t *testing.T) *audited {
	a := &audited{shell: shell{t, startNetwork(t, 4)}}
	a.genesis = filepath.Join(a.nw.dir, "genesis.json")
	run(t, binary(t, "cairn"), "demo", "parking", "--generate", "--weeks", "2", "--receipts", "1", "--network", a.nw.dir)
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	line := `{"specversion":"1.0","id":"bad","source":"/e2e","type":"parking.occupancy.v1","subject":"X","data":{"occupied":5,"capacity":0}}`
	if err := os.WriteFile(bad, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must("submit", bad, "--key", "producer")
	a.must("token", "issue", "EURO")
	for index := a.nw.agreed().LogSize - 1; index > 0; index-- {
		var e entry
		getJSON(t, fmt.Sprintf("%s/v1/entries/%d", a.nw.nodes[0].API, index), &e)
		switch {
		case e.Kind == "token":
			a.token = index
		case e.Kind == "dead-letter":
			a.dead = index
		case e.Event.Type == "parking.price.set.v1" && a.price == 0:
			a.price = index
		case e.Event.Type == "parking.occupancy.v1" && a.price > 0:
			a.reading = index
			return a
		}
	}
	t.Fatal("there is no reading on the ledger")
	return nil
}

func (a *audited) must(args ...string) string {
	a.t.Helper()
	out, code := a.run(args...)
	if code != 0 {
		a.t.Fatalf("cairn %v: exit %d\n%s", args, code, out)
	}
	return out
}

// whyReport is what the tests read of cairn audit why --json.
type whyReport struct {
	Reproduced bool   `json:"reproduced"`
	Verdict    string `json:"verdict"`
	Steps      []struct {
		Index      uint64 `json:"index"`
		Reproduced *bool  `json:"reproduced"`
		Signed     *struct {
			Valid bool `json:"valid"`
		} `json:"signed"`
	} `json:"steps"`
	Values []struct {
		Name    string `json:"name"`
		Writers []struct {
			Index uint64          `json:"index"`
			Data  json.RawMessage `json:"data"`
		} `json:"writers"`
		More bool `json:"more"`
	} `json:"values"`
	Blocks []struct {
		Matches bool `json:"matches"`
	} `json:"blocks"`
}

func (a *audited) why(index uint64, args ...string) whyReport {
	a.t.Helper()
	out := a.must(append([]string{"audit", "why", fmt.Sprint(index), "--json"}, args...)...)
	var r whyReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		a.t.Fatalf("%v\n%s", err, out)
	}
	return r
}

// An auditor on four validators: why things are there, down to the readings;
// blocks exported and executed again; what changed between heights; the past;
// what is left when something was erased.
func TestAudit(t *testing.T) {
	a := newAudited(t)
	t.Run("price", a.testPrice)
	t.Run("others", a.testOthers)
	t.Run("lies", a.testLies)
	t.Run("replay", a.testReplay)
	t.Run("diff", a.testDiff)
	t.Run("past", a.testPast)
	t.Run("erased", a.testErased)
}

// testPrice follows a price to every reading it was made of; the receipts in
// the report verify by themselves.
func (a *audited) testPrice(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.html")
	r := a.why(a.price, "--writers", "1000", "--html", report)
	if !r.Reproduced || len(r.Steps) != 2 || r.Steps[0].Reproduced == nil || !*r.Steps[0].Reproduced || r.Steps[1].Signed == nil || !r.Steps[1].Signed.Valid {
		t.Fatalf("%+v", r)
	}
	if len(r.Values) != 1 || r.Values[0].More {
		t.Fatalf("the price depends on %+v", r.Values)
	}
	var price entry
	getJSON(t, fmt.Sprintf("%s/v1/entries/%d", a.nw.nodes[0].API, a.price), &price)
	var data struct{ Lot, Band string }
	getJSON(t, fmt.Sprintf("%s/v1/events/%d", a.nw.nodes[0].API, a.price), &struct {
		Data any `json:"data"`
	}{&data})
	if want := "parking: p/" + data.Lot + data.Band; r.Values[0].Name != want {
		t.Errorf("the price depends on %q, want %q", r.Values[0].Name, want)
	}
	for _, w := range r.Values[0].Writers {
		var e entry
		getJSON(t, fmt.Sprintf("%s/v1/entries/%d", a.nw.nodes[0].API, w.Index), &e)
		if e.Event.Type != "parking.occupancy.v1" || e.Event.Subject != data.Lot {
			t.Errorf("entry %d wrote the value: %+v", w.Index, e)
		}
	}
	if n := len(r.Values[0].Writers); n < 30 {
		t.Errorf("%d readings made the price", n)
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if outside := regexp.MustCompile(`(?:src|href)="(?:https?:)?//`).Find(page); outside != nil {
		t.Errorf("the report loads %s", outside)
	}
	links := regexp.MustCompile(`download="receipt-\d+\.json" href="data:application/json;base64,([^"]+)"`).FindAllSubmatch(page, -1)
	if len(links) != len(r.Steps)+len(r.Values[0].Writers) {
		t.Fatalf("%d receipts in the report", len(links))
	}
	for _, link := range links[:4] {
		receipt, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(link[1]), "&#43;", "+"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "receipt.json")
		if err := os.WriteFile(file, receipt, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, binary(t, "cairn"), "receipt", "verify", file, "--trust", a.genesis)
	}
}

// testOthers asks after a reading, a dead letter and tokens, and by an event's
// identity.
func (a *audited) testOthers(t *testing.T) {
	if r := a.why(a.reading); len(r.Steps) != 1 || r.Steps[0].Reproduced != nil || r.Steps[0].Signed == nil || len(r.Blocks) != 0 {
		t.Errorf("a reading: %+v", r)
	}
	if r := a.why(a.dead); len(r.Steps) != 2 || !r.Reproduced || len(r.Blocks) == 0 {
		t.Errorf("a dead letter: %+v", r)
	}
	if r := a.why(a.token); len(r.Steps) != 1 || !r.Reproduced || r.Steps[0].Signed == nil || len(r.Blocks) != 1 || !r.Blocks[0].Matches {
		t.Errorf("tokens: %+v", r)
	}
	if out := a.must("audit", "why", "/e2e", "bad"); !strings.Contains(out, `id "bad"`) {
		t.Errorf("by identity:\n%s", out)
	}
	if out := a.must("audit", "why", "/contracts/parking", fmt.Sprint(a.price)); !strings.Contains(out, "The outcome reproduces") {
		t.Errorf("by a contract's identity:\n%s", out)
	}
	for _, args := range [][]string{{"why"}, {"why", "1", "2", "3"}, {"why", "x"}, {"why", "1", "--writers", "-1"}, {"export"}, {"replay"}} {
		if out, code := a.run(append([]string{"audit"}, args...)...); code != 2 {
			t.Errorf("audit %v: exit %d\n%s", args, code, out)
		}
	}
}

// testLies puts a node in the way that changes what passes: nothing of it is
// believed, and nothing is said to reproduce.
func (a *audited) testLies(t *testing.T) {
	target, err := url.Parse(a.nw.nodes[0].API)
	if err != nil {
		t.Fatal(err)
	}
	for _, lie := range []struct{ path, old, new, says string }{
		{"/v1/blocks/", `"logSize":`, `"logSize":1`, "the validators signed"},
		{"/v1/blocks/", `"txs":[`, `"txs":["AAAA",`, "did not sign"},
		{"/v1/receipts/", "parking", "Parking", "digest"},
		{"/v1/state?", "\x00\x00", "\x00\x01", "digest"},
		{"/v1/state/keys?", `"keys":["`, `"keys":["AAAA","`, "is not one"},
		{"/v1/state/since?", `"since":`, `"since":1`, ""},
	} {
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ModifyResponse = func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err == nil && strings.HasPrefix(r.Request.URL.RequestURI(), lie.path) {
				body = bytes.Replace(body, []byte(lie.old), []byte(lie.new), 1)
				r.Header.Set("Content-Length", fmt.Sprint(len(body)))
				r.ContentLength = int64(len(body))
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			return err
		}
		server := httptest.NewServer(proxy)
		out, code := runCode(t, binary(t, "cairn"), "audit", "why", fmt.Sprint(a.price), "--node", server.URL, "--genesis", a.genesis)
		if code != 3 || strings.Contains(out, "The outcome reproduces") || !strings.Contains(out, lie.says) {
			t.Errorf("%q for %q in %s: exit %d\n%s", lie.new, lie.old, lie.path, code, out)
		}
		server.Close()
	}
}
