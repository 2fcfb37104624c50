package connect

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ledger is a node in memory that decides at once: it keeps the rules of
// streams, gaps and grants. Now and then it loses a request or an answer.
type ledger struct {
	t      testing.TB
	key    protocol.PrivateKey
	client *client.Client

	mu       sync.Mutex
	random   *rand.Rand // nil: no faults
	grants   protocol.Grants
	entries  map[string][]rest.StreamEntry // by stream
	next     map[string]uint64
	met      map[string]uint64
	statuses map[protocol.Hash]rest.Status
	events   map[string][]protocol.Event // by stream, in order
	size     uint64
}

const chain = "cairn-connect"

func newLedger(t testing.TB, random *rand.Rand) *ledger {
	t.Helper()
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, key: key, random: random, entries: map[string][]rest.StreamEntry{}, next: map[string]uint64{}, met: map[string]uint64{},
		statuses: map[protocol.Hash]rest.Status{}, events: map[string][]protocol.Event{}}
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(server.Close)
	if l.client, err = client.New(client.Config{Nodes: []string{server.URL}, ChainID: chain}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *ledger) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fault := 0
	if l.random != nil {
		fault = l.random.IntN(20)
	}
	if fault == 1 { // it never came
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	answer, code := l.answer(r)
	if fault == 2 { // it was done, and nobody heard of it
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set(rest.HeaderHeight, "10")
	if code != protocol.CodeOK {
		w.WriteHeader(http.StatusForbidden)
		answer = rest.Problem{Code: code, Name: code.Name(), Message: code.Meaning(), Retryable: code.Retryable()}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		l.t.Error(err)
	}
}

func (l *ledger) answer(r *http.Request) (any, protocol.Code) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case parts[0] == "head":
		return rest.Head{ChainID: chain, Height: 10}, 0
	case parts[0] == "accounts":
		return rest.Account{Address: l.key.Address(), Account: protocol.Account{Grants: l.grants}}, 0
	case parts[0] == "streams" && len(parts) == 3:
		return rest.Stream{Producer: l.key.Address(), Name: parts[2], Next: l.next[parts[2]]}, 0
	case parts[0] == "streams":
		return rest.StreamEntries{Entries: l.page(parts[2], r)}, 0
	case parts[0] == "transactions" && r.Method == http.MethodPost:
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, protocol.CodeBadRequest
		}
		if r.Header.Get("Content-Type") != rest.TypeTransactions {
			return l.execute(raw)
		}
		return l.executeAll(raw)
	case parts[0] == "transactions" && len(parts) == 1:
		var all rest.Statuses
		for text := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
			var id protocol.Hash
			if err := json.Unmarshal([]byte(strconv.Quote(text)), &id); err != nil {
				return nil, protocol.CodeBadRequest
			}
			all.Transactions = append(all.Transactions, l.status(id))
		}
		return all, 0
	case parts[0] == "transactions":
		var id protocol.Hash
		if err := json.Unmarshal([]byte(strconv.Quote(parts[1])), &id); err != nil {
			return nil, protocol.CodeBadRequest
		}
		return l.status(id), 0
	}
	return nil, protocol.CodeNotFound
}

func (l *ledger) status(id protocol.Hash) rest.Status {
	if s, known := l.statuses[id]; known {
		return s
	}
	return rest.Status{TxID: id, State: rest.StateUnknown}
}

func (l *ledger) executeAll(body []byte) (any, protocol.Code) {
	raws, err := protocol.SplitTransactions(body)
	if err != nil {
		l.t.Error(err)
		return nil, protocol.CodeMalformed
	}
	var taken rest.SubmittedMany
	for _, raw := range raws {
		_, code := l.execute(raw)
		taken.Transactions = append(taken.Transactions, rest.Problem{Code: code, Name: code.Name(), Message: code.Meaning(), Retryable: code.Retryable()})
	}
	return taken, 0
}

func (l *ledger) page(stream string, r *http.Request) (page []rest.StreamEntry) {
	from, _ := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	count, _ := strconv.Atoi(r.URL.Query().Get("count"))
	for _, e := range l.entries[stream] {
		if e.Sequence+max(e.Skipped, 1) > from && len(page) < count {
			page = append(page, e)
		}
	}
	return page
}

// execute takes a batch, absorbing what the stream holds.
func (l *ledger) execute(raw []byte) (any, protocol.Code) {
	tx, err := protocol.DecodeTx(chain, raw)
	if err != nil {
		l.t.Error(err)
		return nil, protocol.CodeMalformed
	}
	b := tx.Body.(*protocol.Batch)
	next := l.next[b.Stream]
	s := rest.Status{TxID: tx.ID, State: rest.StateCommitted, Name: "OK", Height: 10, FirstIndex: l.size}
	if b.First-b.Skip > next {
		s = rest.Status{TxID: tx.ID, State: rest.StateRefused, Code: protocol.CodeSequenceGap, Retryable: true}
		l.statuses[tx.ID] = s
		return rest.Submitted{TxID: tx.ID}, 0
	}
	var view protocol.RecordView
	for i, record := range b.Records {
		if err := view.Parse(record); err != nil {
			l.t.Error(err)
		}
		if b.First+uint64(i) >= next && string(view.Type) == "odd.1" {
			return nil, protocol.CodeSchemaMismatch
		}
		if b.First+uint64(i) >= next && !l.grants.Cover(view.Source, view.Type) {
			return nil, protocol.CodeSource
		}
	}
	if skipped := b.First - next; b.First > next {
		l.add(b.Stream, rest.StreamEntry{Sequence: next, Kind: protocol.EntryGap, Skipped: skipped}, &s)
	}
	for i, record := range b.Records {
		sequence := b.First + uint64(i)
		if sequence < next {
			s.Absorbed++
			continue
		}
		event, err := protocol.DecodeRecord(record)
		if err != nil {
			l.t.Error(err)
		}
		e := rest.StreamEntry{Sequence: sequence, Kind: protocol.EntryEvent, Record: sha256.Sum256(record)}
		if first, met := l.met[event.Source+" "+event.ID]; met {
			e.Kind, e.Cause = protocol.EntryDuplicate, &first
			s.Duplicates++
		} else {
			l.met[event.Source+" "+event.ID] = l.size
			l.events[b.Stream] = append(l.events[b.Stream], event)
		}
		l.add(b.Stream, e, &s)
	}
	l.next[b.Stream] = max(next, b.Last()+1)
	s.Next = l.next[b.Stream]
	l.statuses[tx.ID] = s
	return rest.Submitted{TxID: tx.ID}, 0
}

func (l *ledger) add(stream string, e rest.StreamEntry, s *rest.Status) {
	e.Index, e.Height = l.size, 10
	l.entries[stream] = append(l.entries[stream], e)
	l.size++
	s.Entries++
}

// story is a stream's entries in a line, such as "e0 e1 g2+3 e5 d6".
func (l *ledger) story(stream string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var words []string
	for _, e := range l.entries[stream] {
		word := fmt.Sprintf("e%d", e.Sequence)
		switch e.Kind {
		case protocol.EntryGap:
			word = fmt.Sprintf("g%d+%d", e.Sequence, e.Skipped)
		case protocol.EntryDuplicate:
			word = fmt.Sprintf("d%d", e.Sequence)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
