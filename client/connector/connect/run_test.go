package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// flow is a file on its way to a ledger.
type flow struct {
	t      testing.TB
	dir    string
	ledger *ledger
}

func newFlow(t testing.TB, random *rand.Rand) *flow {
	return &flow{t, t.TempDir(), newLedger(t, random)}
}

func (f *flow) write(lines ...string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "in.jsonl"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// settings are a file's; more is added to them.
func (f *flow) settings(more string) string {
	return strings.ReplaceAll(`
stream: s
source: {file: {path: DIR/in.jsonl}}
map: {type: value.t, source: '"/s"', id: 'has(value.id) ? value.id : string(position)', filter: '!has(value.skip)'}
dead_letters: {file: DIR/dead.jsonl}
`+more, "DIR", f.dir)
}

func (f *flow) run(ctx context.Context, settings string) error {
	f.t.Helper()
	config, err := Parse([]byte(settings))
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := New(config)
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Run(ctx, f.ledger.client, f.ledger.key, io.Discard, true)
}

func (f *flow) letters() (letters []Letter) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "dead.jsonl"))
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var l Letter
		if err := json.Unmarshal(line, &l); err != nil {
			f.t.Fatal(err)
		}
		letters = append(letters, l)
	}
	return letters
}

// What is left out becomes gaps, what cannot be an event dead letters, once;
// a mapping that was mended takes what no event has followed yet.
func TestGapsAndDeadLetters(t *testing.T) {
	f := newFlow(t, nil)
	f.ledger.grants = protocol.Grants{Types: []string{"ok."}}
	f.write(`{"t":"ok.1"}`, `{"t":"ok.1","skip":1}`, `{"t":`, `{"t":"ok.1"}`, ``, `{"t":"no.1"}`, `{"t":"ok.2"}`, `{"t":"ok.3","id":"3"}`, `{"x":1}`, `{"t":5}`)
	for run := range 2 {
		if err := f.run(t.Context(), f.settings("")); err != nil {
			t.Fatal(err)
		}
		if got, want := f.ledger.story("s"), "e0 g1+2 e3 g4+2 e6 d7"; got != want {
			t.Fatalf("run %d: the stream is %s; want %s", run, got, want)
		}
		var positions []uint64
		for _, l := range f.letters() {
			positions = append(positions, *l.Position)
		}
		if fmt.Sprint(positions) != "[2 5 8 9]" {
			t.Fatalf("run %d: dead letters of %v", run, positions)
		}
	}
	if l := f.letters()[1]; l.Code != "SOURCE_NOT_GRANTED" || l.Value != `{"t":"no.1"}` {
		t.Errorf("the dead letter says %+v", l)
	}
	mended := strings.Replace(f.settings(""), "type: value.t", `type: 'has(value.t) ? "ok." + string(value.t) : "ok.x"'`, 1)
	if err := f.run(t.Context(), mended); err != nil {
		t.Fatal(err)
	}
	if got, want := f.ledger.story("s"), "e0 g1+2 e3 g4+2 e6 d7 e8 e9"; got != want {
		t.Fatalf("mended, the stream is %s; want %s", got, want)
	}
}

// Whatever requests and answers are lost, and wherever the connector dies,
// each record is in the stream once, at its position.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 6))
		f := newFlow(t, rand.New(rand.NewPCG(seed, 7)))
		const count = 3_000
		lines, want := make([]string, count), 0
		for n := range lines {
			switch n % 11 {
			case 3:
				lines[n] = `{"t":"a.1","skip":true}`
			case 7:
				lines[n] = `{"n":` // what a crash of the writer leaves
			default:
				lines[n] = fmt.Sprintf(`{"t":"a.1","n":%d}`, n)
				want++
			}
		}
		f.write(lines...)
		settings := f.settings("batch: {events: 37, linger: 1ms, in_flight: 3}\ndrain: 1ms")
		for deaths := 0; ; deaths++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+random.IntN(400))*time.Millisecond)
			if deaths > 10 {
				ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				settings = strings.Replace(settings, "drain: 1ms", "drain: 1m", 1)
			}
			err := f.run(ctx, settings)
			done := ctx.Err() == nil && err == nil
			cancel()
			if done {
				break
			}
			if deaths > 10 {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		f.wantEach(seed, want)
	}
}

func (f *flow) wantEach(seed uint64, want int) {
	f.t.Helper()
	events := f.ledger.events["s"]
	if len(events) != want {
		f.t.Fatalf("seed %d: %d events, want %d", seed, len(events), want)
	}
	next := uint64(0)
	for _, e := range f.ledger.entries["s"] {
		if e.Sequence != next {
			f.t.Fatalf("seed %d: sequence %d follows %d", seed, e.Sequence, next)
		}
		next += max(e.Skipped, 1)
	}
	positions := map[uint64]bool{}
	for _, l := range f.letters() {
		if positions[*l.Position] {
			f.t.Fatalf("seed %d: two dead letters of position %d", seed, *l.Position)
		}
		positions[*l.Position] = true
	}
	if len(positions) != 273 {
		f.t.Fatalf("seed %d: %d dead letters, want 273", seed, len(positions))
	}
}

// Grants that are withdrawn while events are on their way make dead letters of
// those, and the others arrive.
func TestGrantsWithdrawn(t *testing.T) {
	f := newFlow(t, nil)
	f.write(`{"t":"a.1"}`, `{"t":"b.1"}`, `{"t":"a.1"}`)
	config, err := Parse([]byte(f.settings("")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(config)
	if err != nil {
		t.Fatal(err)
	}
	r.source = sourceFunc(func() { // between the look at the grants and the batch
		f.ledger.mu.Lock()
		f.ledger.grants = protocol.Grants{Types: []string{"a."}}
		f.ledger.mu.Unlock()
	}, r.source)
	if err := r.Run(t.Context(), f.ledger.client, f.ledger.key, io.Discard, true); err != nil {
		t.Fatal(err)
	}
	if got, want := f.ledger.story("s"), "e0 g1+1 e2"; got != want || len(f.letters()) != 1 {
		t.Fatalf("the stream is %s with %d dead letters; want %s with 1", got, len(f.letters()), want)
	}
}

// An event that the ledger alone can judge is found among thousands, and put
// aside; the others arrive.
func TestRefusedForGood(t *testing.T) {
	f := newFlow(t, nil)
	lines := make([]string, 5_000)
	for n := range lines {
		lines[n] = `{"t":"a.1"}`
	}
	lines[1_234], lines[1_235], lines[4_000], lines[4_999] = `{"t":"odd.1"}`, `{"t":"odd.1"}`, `{"t":"odd.1"}`, `{"t":"odd.1"}`
	f.write(lines...)
	if err := f.run(t.Context(), f.settings("")); err != nil {
		t.Fatal(err)
	}
	var positions []uint64
	for _, l := range f.letters() {
		positions = append(positions, *l.Position)
		if l.Code != "SCHEMA_MISMATCH" {
			t.Errorf("%+v", l)
		}
	}
	if fmt.Sprint(positions) != "[1234 1235 4000 4999]" || len(f.ledger.events["s"]) != len(lines)-4 {
		t.Fatalf("dead letters of %v, %d events", positions, len(f.ledger.events["s"]))
	}
	if story := f.ledger.story("s"); !strings.Contains(story, "e1233 g1234+2 e1236") || !strings.Contains(story, "e3999 g4000+1 e4001") {
		t.Error("the gaps are not where the dead letters were")
	}
}

// What waiting cannot help with ends a connector, and says what to do.
func TestEnds(t *testing.T) {
	f := newFlow(t, nil)
	f.write(`{"t":"a"}`, `{"t":"b"}`)
	if err := f.run(t.Context(), f.settings("")); err != nil {
		t.Fatal(err)
	}
	f.write(`{"t":"a"}`)
	if err := f.run(t.Context(), f.settings("")); err == nil || !strings.Contains(err.Error(), "not the file that was read before") {
		t.Errorf("a shorter file: %v", err)
	}
	f.write(`x`, `x`, `x`, `x`, `x`, `x`)
	if err := f.run(t.Context(), strings.Replace(f.settings(""), "dead.jsonl}", "dead.jsonl, stop_after: 3}", 1)); err == nil || !strings.Contains(err.Error(), "3 records in a row") {
		t.Errorf("nothing but dead letters: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.run(ctx, f.settings("")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("stopped before it began: %v", err)
	}
}

func TestMistakesInSettings(t *testing.T) {
	const good = "stream: s\nsource: {file: {path: x}}\nmap: {type: '\"t\"', source: '\"/s\"'}\ndead_letters: {file: d}\n"
	for _, c := range []struct{ text, want string }{
		{"", "is empty"},
		{"a: [", "line 1"},
		{good + "streem: x", `line 5: unknown field "streem"`},
		{good + "stream: t", "already defined"},
		{good + "---\nstream: x", "more than one document"},
		{strings.Replace(good, "file: {path: x}", "", 1), "source is empty"},
		{strings.Replace(good, "file: {path: x}", "file: {path: x}, kafka: {brokers: [b], topic: t}", 1), "several kinds"},
		{strings.Replace(good, "path: x", "pth: x", 1), `unknown field "pth"`},
		{strings.Replace(good, "stream: s", "stream: S", 1), "stream: "},
		{strings.Replace(good, "dead_letters: {file: d}", "", 1), "dead_letters is missing"},
		{strings.Replace(good, "file: {path: x}", "kafka: {brokers: [b]}", 1), "kafka.topic is missing"},
		{strings.Replace(good, "file: {path: x}", "mqtt: {broker: 'tcp://b', client_id: c, topics: [t]}", 1), "journal is missing"},
		{strings.Replace(good, "file: {path: x}", "mqtt: {broker: 'tcp://b', client_id: c, topics: [t], journal: j}", 1), "map.id is missing"},
		{strings.Replace(good, "file: {path: x}", "mqtt: {broker: 'tcp://b', client_id: c, topics: [t], journal: j, password: {env: CAIRN_TEST_UNSET}}", 1), "CAIRN_TEST_UNSET is not set"},
		{good + "batch: {events: 100000}", "batch.events"},
		{good + "drain: 3", "line 5"},
		{good + "sink: {file: {path: x}}", "one direction"},
		{"sink: {file: {path: x}}", "subscription.name is missing"},
		{"sink: {postgres: {url: x, table: 'a; drop'}}\nsubscription: {name: a}", "postgres.table"},
	} {
		config, err := Parse([]byte(c.text))
		if err == nil {
			_, err = New(config)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n: %v; want %q", c.text, err, c.want)
		}
	}
}
