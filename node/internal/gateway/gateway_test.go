package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

const chain = "cairn-test"

// ledger is one stream that refuses events whose type begins with "bad".
type ledger struct {
	address protocol.Address

	mu      sync.Mutex
	entries []rest.StreamEntry // by sequence; guarded by mu
	outcome map[protocol.Hash]rest.Status
	closed  bool // refuses everything as unauthorised; guarded by mu
}

func (l *ledger) Ready() error { return nil }

func (l *ledger) Conforms([]protocol.Event) error { return nil }

func (l *ledger) Height(ctx context.Context, atLeast uint64) uint64 {
	if atLeast > 1 {
		<-ctx.Done()
	}
	return 1
}

func (l *ledger) Stream(producer protocol.Address, name string) (rest.Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return rest.Stream{Producer: producer, Name: name, Next: uint64(len(l.entries))}, nil
}

func (l *ledger) StreamEntries(_ protocol.Address, _ string, from uint64, count int) ([]rest.StreamEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from >= uint64(len(l.entries)) {
		return nil, nil
	}
	return l.entries[from:min(uint64(len(l.entries)), from+uint64(count))], nil
}

// ServeHTTP is as much of the API as a producer asks for.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(rest.HeaderHeight, "1")
	var answer any
	switch path := r.URL.Path; {
	case r.Method == http.MethodPost:
		raw := make([]byte, r.ContentLength)
		r.Body.Read(raw)
		id, status := l.take(raw)
		if status.State == rest.StateRefused {
			w.WriteHeader(http.StatusForbidden)
			answer = rest.Problem{Code: status.Code, Name: status.Name, Message: status.Code.Meaning()}
			break
		}
		answer = rest.Submitted{TxID: id}
	case strings.HasPrefix(path, "/v1/transactions/"):
		id, _ := protocol.ParseHash(strings.TrimPrefix(path, "/v1/transactions/"))
		l.mu.Lock()
		answer = l.outcome[id]
		l.mu.Unlock()
	case path == "/v1/head":
		answer = rest.Head{ChainID: chain, Height: 1}
	default:
		answer, _ = l.Stream(l.address, Stream)
	}
	json.NewEncoder(w).Encode(answer)
}

func (l *ledger) take(raw []byte) (protocol.Hash, rest.Status) {
	id, _ := protocol.TxID(chain, raw)
	tx, err := protocol.DecodeTx(chain, raw)
	if err != nil {
		return id, refusedAs(id, protocol.CodeMalformed)
	}
	batch := tx.Body.(*protocol.Batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return id, refusedAs(id, protocol.CodeUnauthorized)
	}
	for _, record := range batch.Records {
		event, _ := protocol.DecodeRecord(record)
		if strings.HasPrefix(event.Type, "bad") {
			return id, refusedAs(id, protocol.CodeSource)
		}
	}
	status := rest.Status{TxID: id, State: rest.StateCommitted, Height: 1, FirstIndex: uint64(len(l.entries)), Entries: uint32(len(batch.Records))}
	if batch.First-batch.Skip != uint64(len(l.entries)) {
		status = refusedAs(id, protocol.CodeSequenceGap)
		status.Retryable = true
		l.outcome[id] = status
		return id, rest.Status{}
	}
	for i := range batch.Skip {
		l.entries = append(l.entries, rest.StreamEntry{Sequence: batch.First - batch.Skip + i, Kind: protocol.EntryGap})
	}
	if batch.Skip > 0 {
		status.Entries++
	}
	for i, record := range batch.Records {
		sequence := batch.First + uint64(i)
		l.entries = append(l.entries, rest.StreamEntry{Sequence: sequence, Index: sequence, Height: 1, Kind: protocol.EntryEvent, Record: sha256.Sum256(record)})
	}
	l.outcome[id] = status
	return id, status
}

func refusedAs(id protocol.Hash, code protocol.Code) rest.Status {
	return rest.Status{TxID: id, State: rest.StateRefused, Code: code, Name: code.Name()}
}

func start(t *testing.T, l *ledger, dir string, key protocol.PrivateKey) (g *Gateway, stop func()) {
	t.Helper()
	db, err := local.Open(dir, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g = New(Config{Key: key, ChainID: chain, DB: db, Ledger: l, Log: slog.New(slog.DiscardHandler), MaxEvents: 100})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx, l) }()
	return g, func() { cancel(); <-done; db.Close() }
}

func event(id, kind string) protocol.Event { return protocol.Event{ID: id, Source: "/s", Type: kind} }

// take tries until the gateway takes the events.
func take(t *testing.T, g *Gateway, events ...protocol.Event) uint64 {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		first, err := g.Take(events)
		if err == nil {
			return first
		}
		if code, ok := protocol.CodeOf(err); !ok || !code.Retryable() || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func decided(t *testing.T, g *Gateway, first, count uint64) rest.Submission {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		out, err := g.Look(first, count)
		if err == nil && out.State != rest.StatePending {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", out, err)
		}
	}
}

func TestOneBadEventIsPutAside(t *testing.T) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{address: key.Address(), outcome: map[protocol.Hash]rest.Status{}}
	dir := t.TempDir()
	g, stop := start(t, l, dir, key)
	first := take(t, g, event("1", "ok"), event("2", "ok"), event("3", "bad"), event("4", "ok"), event("5", "bad"))
	out := decided(t, g, first, 5)
	for i, e := range out.Events {
		want := rest.StateCommitted
		if i == 2 || i == 4 {
			want = rest.StateRefused
		}
		if e.State != want || want == rest.StateRefused && e.Code != protocol.CodeSource {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	stop()
	g, stop = start(t, l, dir, key) // the reasons are kept, and the next event takes the next sequence
	if next := take(t, g, event("6", "ok")); next != 5 || decided(t, g, 5, 1).State != rest.StateCommitted {
		t.Errorf("sequence %d", next)
	}
	if e := decided(t, g, 4, 1).Events[0]; e.State != rest.StateRefused || e.Code != protocol.CodeSource {
		t.Errorf("after a restart: %+v", e)
	}
	stop()
}

// While the ledger refuses the gateway's account, what was taken waits, and
// nothing more is taken.
func TestRefusedAccountKeepsWhatItTook(t *testing.T) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{address: key.Address(), outcome: map[protocol.Hash]rest.Status{}, closed: true}
	g, stop := start(t, l, t.TempDir(), key)
	defer func() { stop() }()
	first := take(t, g, event("1", "ok"))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g.mu.Lock()
		trouble := g.trouble
		g.mu.Unlock()
		if trouble != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no trouble")
		}
	}
	_, err = g.Take([]protocol.Event{event("2", "ok")})
	if code, _ := protocol.CodeOf(err); code != protocol.CodeUnavailable {
		t.Errorf("taken while the account is refused: %v", err)
	}
	l.mu.Lock()
	l.closed = false
	l.mu.Unlock()
	if out := decided(t, g, first, 1); out.State != rest.StateCommitted {
		t.Errorf("%+v", out)
	}
}

func TestBoundsAreBusy(t *testing.T) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{address: key.Address(), outcome: map[protocol.Hash]rest.Status{}, closed: true}
	g, stop := start(t, l, t.TempDir(), key)
	defer func() { stop() }()
	take(t, g, event("1", "ok"))
	g.mu.Lock()
	g.trouble, g.config.MaxEvents = nil, 3
	g.mu.Unlock()
	_, err = g.Take([]protocol.Event{event("2", "ok"), event("3", "ok"), event("4", "ok")})
	var refusal *protocol.Error
	if !errors.As(err, &refusal) || refusal.Code != protocol.CodeBusy && refusal.Code != protocol.CodeUnavailable {
		t.Errorf("over the bound: %v", err)
	}
}
