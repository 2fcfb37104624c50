package bench

import (
	"context"
	"crypto/sha256"
	"encoding/json"

	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Events are of the size asked for, alike each time they are made, and what
// CloudEvents JSON makes of them is what the engine alone is fed.
func TestFeed(t *testing.T) {
	for _, k := range []kind{parking, metering} {
		for _, size := range []int{minEventBytes, 313, 1000} {
			f := feed{kind: k, stream: 7, bytes: size}
			for n := range uint64(200) {
				e := f.event(n)
				text, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				line := f.appendJSON(nil, n)
				if len(line) != size+1 {
					t.Fatalf("%s %d has %d bytes, want %d: %s", k, n, len(line)-1, size, line)
				}
				parsed, err := protocol.ParseEventJSON(line)
				if err != nil {
					t.Fatal(err)
				}
				again := f.event(n)
				if string(parsed.AppendRecord(nil)) != string(e.AppendRecord(nil)) || string(again.AppendRecord(nil)) != string(e.AppendRecord(nil)) {
					t.Fatalf("%s %d differs: %s, %s", k, n, text, line)
				}
			}
		}
	}
}

// Percentiles are right to an eighth.
func TestLatencies(t *testing.T) {
	var l latencies
	for micros := range 100_000 {
		l.add(time.Duration(micros) * time.Microsecond)
	}
	got := l.since([buckets]uint64{})
	for _, p := range []struct{ got, want float64 }{{got.P50, 50}, {got.P95, 95}, {got.P99, 99}} {
		if p.got < p.want || p.got > p.want*1.13 {
			t.Errorf("%v", got)
		}
	}
	if again := l.since(l.snapshot()); again != (Latency{}) {
		t.Errorf("%v of nothing", again)
	}
	for micros := uint64(1); micros < 1<<40; micros += 1 + micros/3 {
		if b := bucket(micros); upper(b) <= micros || b > 0 && upper(b-1) > micros {
			t.Fatalf("%d is in bucket %d below %d", micros, b, upper(b))
		}
	}
}

// fake is a node that answers what a stream holds.
func fake(t *testing.T, entries []rest.StreamEntry) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
		if err != nil {
			http.Error(w, "from", http.StatusBadRequest)
			return
		}
		at := slices.IndexFunc(entries, func(e rest.StreamEntry) bool { return e.Sequence >= from })
		var page rest.StreamEntries
		if at >= 0 {
			page.Entries = entries[at:min(at+40, len(entries))]
		}
		json.NewEncoder(w).Encode(page)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Nodes: []string{server.URL}, ChainID: "fake"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The audit finds what is missing, at the end and in between, what is there
// twice and what is not the event that was sent.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	const sent = 100
	f := feed{kind: parking, stream: 3, bytes: 313}
	whole := func() (all []rest.StreamEntry) {
		for n := range uint64(sent) {
			e := f.event(n)
			all = append(all, rest.StreamEntry{Sequence: n, Index: 10 + n, Height: 5, Kind: protocol.EntryEvent, Record: sha256.Sum256(e.AppendRecord(nil))})
		}
		return all
	}
	for _, c := range []struct {
		name             string
		damage           func([]rest.StreamEntry) []rest.StreamEntry
		lost, duplicated uint64
	}{
		{"nothing", func(all []rest.StreamEntry) []rest.StreamEntry { return all }, 0, 0},
		{"the end is missing", func(all []rest.StreamEntry) []rest.StreamEntry { return all[:97] }, 3, 0},
		{"everything is missing", func([]rest.StreamEntry) []rest.StreamEntry { return nil }, sent, 0},
		{"one in between is missing", func(all []rest.StreamEntry) []rest.StreamEntry { return slices.Delete(all, 50, 51) }, 1, 0},
		{"the first is missing", func(all []rest.StreamEntry) []rest.StreamEntry { return all[1:] }, 1, 0},
		{"another event", func(all []rest.StreamEntry) []rest.StreamEntry { all[7].Record[0]++; return all }, 1, 0},
		{"one place twice", func(all []rest.StreamEntry) []rest.StreamEntry { all[8].Index = all[7].Index; return all }, 0, 1},
		{"taken for a duplicate", func(all []rest.StreamEntry) []rest.StreamEntry { all[8].Kind = protocol.EntryDuplicate; return all }, 0, 1},
	} {
		s := &stream{feed: f, sent: sent}
		found, err := auditStreams(context.Background(), fake(t, c.damage(whole())), []*stream{s}, protocol.Address{1}, 10)
		if err != nil || found.lost != c.lost || found.duplicated != c.duplicated {
			t.Errorf("%s: %d lost, %d duplicated, %v", c.name, found.lost, found.duplicated, err)
		}
		if c.lost+c.duplicated == 0 && len(found.indexes) == 0 {
			t.Errorf("%s: no receipt would be verified", c.name)
		}
	}
}

// Nodes that disagree are no basis for figures.
func TestNodesThatDisagree(t *testing.T) {
	node := func(name string, head rest.Head) *validator {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(head) }))
		t.Cleanup(server.Close)
		return &validator{Name: name, API: server.URL}
	}
	head := rest.Head{Height: 9, LogSize: 4, AppHash: protocol.Hash{1}}
	if got, err := agree(context.Background(), []*validator{node("a", head), node("b", head)}); err != nil || got.Height != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	other := head
	other.AppHash = protocol.Hash{2}
	_, err := agree(context.Background(), []*validator{node("a", head), node("b", other)})
	if err == nil || !strings.Contains(err.Error(), "a and b disagree about height 9") {
		t.Errorf("%v", err)
	}
}

// Names of scenarios lead to runs, others to a sentence.
func TestConfig(t *testing.T) {
	names, _ := Scenarios()
	for _, name := range names {
		c := Default()
		c.Scenario = name
		if s, err := c.validate(); err != nil || s.name != name {
			t.Error(err)
		}
	}
	for want, change := range map[string]func(*Config){
		"no scenario": func(c *Config) { c.Scenario = "fast" }, "--seconds": func(c *Config) { c.Seconds = 0 },
		"event size": func(c *Config) { c.EventBytes = 10 }, "--rate": func(c *Config) { c.Scenario, c.Ramp = "query", true },
	} {
		c := Default()
		change(&c)
		if _, err := c.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// The plot is one document without anything from elsewhere.
func TestPlot(t *testing.T) {
	r := Result{Scenario: "order", Validators: 4, EventBytes: 313, EventsPerSecond: 100}
	for i := range 10 {
		r.Details.points = append(r.Details.points, point{float64(i), float64(i * 100), Latency{1, 2, float64(i)}})
	}
	var text strings.Builder
	if err := r.Plot(&text); err != nil || strings.Count(text.String(), "<polyline") != 4 || strings.Count(text.String(), "http") != 1 {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestGrowth tells a ledger that slows down from one that does not, and says
// nothing of a short run.
func TestGrowth(t *testing.T) {
	var points []point
	for i := range 200 {
		points = append(points, point{seconds: float64(i) / 4, perSecond: 1000 - float64(i)})
	}
	if first, last := growth(points[:100], 2); first != 0 || last != 0 {
		t.Errorf("a short run grew from %v to %v", first, last)
	}
	first, last := growth(points, 2)
	if first < 970 || first > 990 || last < 805 || last > 815 {
		t.Errorf("from %v to %v", first, last)
	}
}
