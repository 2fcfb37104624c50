package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ledger is a network of nodes in memory that keeps the protocol's rules:
// signatures, sequences, absorption, gaps, duplicates and expiry. Transactions
// wait in the nodes' own mempools, and are lost with them.
type ledger struct {
	chainID   string
	maxExpiry uint64

	mu       sync.Mutex
	nodes    []*fakeNode // guarded by mu
	height   uint64
	entries  []fakeEntry
	streams  map[protocol.StreamID][]stretch
	met      map[string]uint64 // first index by source and id
	outcomes map[protocol.Hash]rest.Status
	executed map[protocol.Hash]int // how often a transaction that is not a batch was executed
	refused  map[protocol.Code]int
	banned   protocol.Address     // lacks its role
	refuses  func(id string) bool // events of no granted source; nil is none
	atDoor   bool                 // nodes refuse those when they are submitted too
}

type fakeEntry struct {
	rest.StreamEntry
	id string
}

// stretch is how far a stream came in a block.
type stretch struct{ height, next uint64 }

// fakeNode sees the ledger up to its own height.
type fakeNode struct {
	up      bool
	height  uint64
	mempool [][]byte
	seen    map[protocol.Hash]bool // the mempool's cache, also of what was committed
}

func newLedger(nodes int) *ledger {
	l := &ledger{
		chainID: "cairn-fake", maxExpiry: 10_000, height: 1, streams: map[protocol.StreamID][]stretch{}, met: map[string]uint64{},
		outcomes: map[protocol.Hash]rest.Status{}, executed: map[protocol.Hash]int{}, refused: map[protocol.Code]int{},
	}
	for range nodes {
		l.nodes = append(l.nodes, &fakeNode{up: true, height: 1, seen: map[protocol.Hash]bool{}})
	}
	return l
}

func (l *ledger) urls() []string {
	var urls []string
	for i := range l.nodes {
		urls = append(urls, fmt.Sprintf("http://node%d", i))
	}
	return urls
}

// block executes what some node's mempool holds. shuffle is a proposer that
// does not keep an order. The nodes catch up at random.
func (l *ledger) block(random *rand.Rand, shuffle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	proposer := l.nodes[random.IntN(len(l.nodes))]
	if !proposer.up {
		return
	}
	txs := slices.Clone(proposer.mempool)
	if shuffle {
		random.Shuffle(len(txs), func(i, j int) { txs[i], txs[j] = txs[j], txs[i] })
	}
	txs = txs[:min(len(txs), 1+random.IntN(6))]
	l.height++
	for _, raw := range txs {
		l.execute(raw)
	}
	for _, n := range l.nodes {
		n.mempool = slices.DeleteFunc(n.mempool, func(raw []byte) bool {
			return slices.ContainsFunc(txs, func(done []byte) bool { return string(done) == string(raw) })
		})
		for _, raw := range txs {
			id, _ := protocol.TxID(l.chainID, raw)
			if l.outcomes[id].State == rest.StateRefused {
				delete(n.seen, id)
			}
		}
		if n.up && random.IntN(2) == 0 {
			n.height = l.height
		}
	}
}

func (l *ledger) execute(raw []byte) {
	tx, err := protocol.DecodeTx(l.chainID, raw)
	if err != nil {
		panic(err) // a node let it in
	}
	s := rest.Status{TxID: tx.ID, State: rest.StateCommitted, Name: "OK", Height: l.height}
	switch body := tx.Body.(type) {
	case *protocol.Batch:
		err = l.batch(tx, body, &s)
	default:
		if l.executed[tx.ID] > 0 {
			return // its first outcome stands
		}
		if err = l.inTime(tx, l.height); err == nil {
			l.executed[tx.ID]++
		}
	}
	if err != nil {
		s.State = rest.StateRefused
		s.Code, _ = protocol.CodeOf(err)
		s.Name, s.Retryable, s.Message = s.Code.Name(), s.Code.Retryable(), err.Error()
		l.refused[s.Code]++
	}
	l.outcomes[tx.ID] = s
}

func (l *ledger) inTime(tx *protocol.Tx, height uint64) error {
	switch {
	case tx.Expiry < height:
		return protocol.Refuse(protocol.CodeExpired, "expired at %d", tx.Expiry)
	case tx.Expiry > height+l.maxExpiry:
		return protocol.Refuse(protocol.CodeExpiryTooFar, "expires at %d", tx.Expiry)
	case tx.Sender() == l.banned:
		return protocol.Refuse(protocol.CodeUnauthorized, "%s is no producer", tx.Sender())
	}
	return nil
}

func (l *ledger) next(id protocol.StreamID, height uint64) uint64 {
	next := uint64(0)
	for _, s := range l.streams[id] {
		if s.height <= height {
			next = s.next
		}
	}
	return next
}

func (l *ledger) batch(tx *protocol.Tx, b *protocol.Batch, s *rest.Status) error {
	if err := l.inTime(tx, l.height); err != nil {
		return err
	}
	if err := l.granted(b); err != nil {
		return err
	}
	id := protocol.NewStreamID(tx.Sender(), b.Stream)
	next := l.next(id, l.height)
	s.Next = next
	if b.First-b.Skip > next {
		return protocol.Refuse(protocol.CodeSequenceGap, "expects %d, the batch starts at %d", next, b.First-b.Skip)
	}
	s.FirstIndex = uint64(len(l.entries))
	if b.Last() < next {
		s.Absorbed = uint32(len(b.Records))
		return nil
	}
	if b.First > next {
		l.append(id, rest.StreamEntry{Sequence: next, Kind: protocol.EntryGap, Skipped: b.First - next}, "")
		s.Entries++
	}
	for i, record := range b.Records {
		sequence := b.First + uint64(i)
		if sequence < next {
			s.Absorbed++
			continue
		}
		event, err := protocol.DecodeRecord(record)
		if err != nil {
			panic(err)
		}
		e := rest.StreamEntry{Sequence: sequence, Kind: protocol.EntryEvent, Record: sha256.Sum256(record)}
		identity := event.Source + "\n" + event.ID
		if first, met := l.met[identity]; met {
			e.Kind, e.Cause = protocol.EntryDuplicate, &first
			s.Duplicates++
		} else {
			l.met[identity] = uint64(len(l.entries))
		}
		l.append(id, e, event.ID)
		s.Entries++
	}
	s.Next = b.Last() + 1
	l.streams[id] = append(l.streams[id], stretch{l.height, s.Next})
	return nil
}

// granted refuses a batch with an event that the ledger does not take. The
// caller holds mu.
func (l *ledger) granted(b *protocol.Batch) error {
	for _, record := range b.Records {
		event, err := protocol.DecodeRecord(record)
		if err != nil {
			panic(err)
		}
		if l.refuses != nil && l.refuses(event.ID) {
			return protocol.Refuse(protocol.CodeSource, "event %s: its source was not granted", event.ID)
		}
	}
	return nil
}

// refuse sets which events the ledger takes from now on.
func (l *ledger) refuse(refuses func(id string) bool, atDoor bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses, l.atDoor = refuses, atDoor
}

func (l *ledger) append(_ protocol.StreamID, e rest.StreamEntry, id string) {
	e.Index, e.Height = uint64(len(l.entries)), l.height
	l.entries = append(l.entries, fakeEntry{e, id})
}

// ids lists the ids of a single stream's events in the log's order.
func (l *ledger) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, e := range l.entries {
		if e.Kind != protocol.EntryGap {
			ids = append(ids, e.id)
		}
	}
	return ids
}

func (l *ledger) crash(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[i].up, l.nodes[i].mempool, l.nodes[i].seen = false, nil, map[protocol.Hash]bool{}
}

func (l *ledger) restart(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[i].up = true
}

// submit is one node's mempool. gossip is where it reaches.
func (l *ledger) submit(at int, raw []byte, gossip []int) (protocol.Hash, error) {
	tx, err := protocol.DecodeTx(l.chainID, raw)
	if err != nil {
		return protocol.Hash{}, err
	}
	if err := tx.VerifySignature(); err != nil {
		return protocol.Hash{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes[at].seen[tx.ID] {
		return tx.ID, nil
	}
	if err := l.inTime(tx, l.nodes[at].height+1); err != nil {
		return protocol.Hash{}, err
	}
	if b, ok := tx.Body.(*protocol.Batch); ok && l.atDoor {
		if err := l.granted(b); err != nil {
			return protocol.Hash{}, err
		}
	}
	for _, i := range append(gossip, at) {
		if n := l.nodes[i]; n.up && !n.seen[tx.ID] {
			n.seen[tx.ID] = true
			n.mempool = append(n.mempool, raw)
		}
	}
	return tx.ID, nil
}

func (l *ledger) submitMany(at int, body []byte, gossip []int) (any, error) {
	raws, err := protocol.SplitTransactions(body)
	if err != nil {
		return nil, err
	}
	out := rest.SubmittedMany{}
	for _, raw := range raws {
		_, err := l.submit(at, raw, gossip)
		code, _ := protocol.CodeOf(err)
		taken := rest.Problem{Code: code, Name: code.Name(), Retryable: code.Retryable()}
		if err != nil {
			taken.Message = err.Error()
		}
		out.Transactions = append(out.Transactions, taken)
	}
	return out, nil
}

func (l *ledger) status(at int, id protocol.Hash) rest.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[at]
	waiting := slices.ContainsFunc(n.mempool, func(raw []byte) bool { tx, _ := protocol.TxID(l.chainID, raw); return tx == id })
	if s, ok := l.outcomes[id]; ok && s.Height <= n.height && (s.State == rest.StateCommitted || !waiting) {
		return s
	}
	s := rest.Status{TxID: id, State: rest.StateUnknown, Name: "OK", Retryable: true}
	if waiting {
		s.State = rest.StatePending
	}
	return s
}

func (l *ledger) page(at int, id protocol.StreamID, from uint64, count int) []rest.StreamEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []rest.StreamEntry{}
	for _, e := range l.entries { // of the one stream these tests write
		if e.Height <= l.nodes[at].height && e.Sequence+max(e.Skipped, 1) > from && len(out) < count && l.next(id, l.height) > 0 {
			out = append(out, e.StreamEntry)
		}
	}
	return out
}

// catchUp waits until a node has a height, as the API does.
func (l *ledger) catchUp(ctx context.Context, at int, least uint64) (height uint64, up bool) {
	for waited := time.Duration(0); ; waited += 50 * time.Millisecond {
		l.mu.Lock()
		height, up = l.nodes[at].height, l.nodes[at].up
		l.mu.Unlock()
		if height >= least || !up || waited >= 5*time.Second || ctx.Err() != nil {
			return height, up
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// serve answers one request as node at.
func (l *ledger) serve(at int, gossip []int) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			least, _ := strconv.ParseUint(r.Header.Get(rest.HeaderMinHeight), 10, 64)
			height, _ := l.catchUp(r.Context(), at, least)
			value, err := any(nil), error(nil)
			if height < least {
				err = protocol.Refuse(protocol.CodeUnavailable, "at height %d", height)
			} else {
				value, err = answer(r)
				height, _ = l.catchUp(r.Context(), at, 0)
			}
			w.Header().Set(rest.HeaderHeight, strconv.FormatUint(height, 10))
			write(w, value, err)
		})
	}
	handle("GET /v1/head", func(*http.Request) (any, error) {
		height, _ := l.catchUp(context.Background(), at, 0)
		return rest.Head{ChainID: l.chainID, Height: height}, nil
	})
	handle("POST /v1/transactions", func(r *http.Request) (any, error) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if r.Header.Get("Content-Type") == rest.TypeTransactions {
			return l.submitMany(at, raw, gossip)
		}
		id, err := l.submit(at, raw, gossip)
		return rest.Submitted{TxID: id}, err
	})
	l.handleStatus(handle, at)
	stream := func(r *http.Request) (protocol.Address, protocol.StreamID) {
		producer, _ := protocol.ParseAddress(r.PathValue("producer"))
		return producer, protocol.NewStreamID(producer, r.PathValue("name"))
	}
	handle("GET /v1/streams/{producer}/{name}", func(r *http.Request) (any, error) {
		producer, id := stream(r)
		l.mu.Lock()
		defer l.mu.Unlock()
		return rest.Stream{Producer: producer, Name: r.PathValue("name"), Next: l.next(id, l.nodes[at].height)}, nil
	})
	handle("GET /v1/streams/{producer}/{name}/entries", func(r *http.Request) (any, error) {
		_, id := stream(r)
		from, _ := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
		count, _ := strconv.Atoi(r.URL.Query().Get("count"))
		return rest.StreamEntries{Entries: l.page(at, id, from, count)}, nil
	})
	return mux
}

// handleStatus answers where transactions are, as node at knows it.
func (l *ledger) handleStatus(handle func(string, func(*http.Request) (any, error)), at int) {
	await := func(r *http.Request, text string) (any, error) {
		id, err := protocol.ParseHash(text)
		if err != nil {
			return nil, err
		}
		wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
		for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
			s := l.status(at, id)
			if _, up := l.catchUp(r.Context(), at, 0); !up || r.Context().Err() != nil {
				return nil, errors.New("gone")
			}
			if s.State == rest.StateCommitted || s.State == rest.StateRefused || !time.Now().Before(end) {
				return s, nil
			}
		}
	}
	handle("GET /v1/transactions/{id}", func(r *http.Request) (any, error) { return await(r, r.PathValue("id")) })
	handle("GET /v1/transactions", func(r *http.Request) (any, error) {
		texts := strings.Split(r.URL.Query().Get("ids"), ",")
		first, err := await(r, texts[0])
		if err != nil {
			return nil, err
		}
		all := rest.Statuses{Transactions: []rest.Status{first.(rest.Status)}}
		for _, text := range texts[1:] {
			id, _ := protocol.ParseHash(text)
			all.Transactions = append(all.Transactions, l.status(at, id))
		}
		return all, nil
	})
}

func write(w http.ResponseWriter, value any, err error) {
	if err == nil {
		json.NewEncoder(w).Encode(value)
		return
	}
	code, _ := protocol.CodeOf(err)
	status := http.StatusConflict
	switch code {
	case protocol.CodeUnavailable:
		status = http.StatusServiceUnavailable
	case protocol.CodeInternal:
		status = http.StatusInternalServerError
	case protocol.CodeBusy:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(rest.Problem{Code: code, Name: code.Name(), Message: err.Error(), Retryable: code.Retryable()})
}

// wire is the network between a client and the nodes. Faults are drawn from
// random: lost requests, lost answers, slow and hanging nodes, refusals.
type wire struct {
	ledger *ledger
	faulty bool

	mu       sync.Mutex
	random   *rand.Rand // guarded by mu
	requests int        // guarded by mu
	silent   bool       // nothing is answered; guarded by mu
	isolated bool       // no gossip; guarded by mu
}

func newWire(l *ledger, seed uint64, faulty bool) *wire {
	return &wire{ledger: l, faulty: faulty, random: rand.New(rand.NewPCG(seed, 1))}
}

func (w *wire) isolate(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isolated = on
}

func (w *wire) draw() (fault int, pause time.Duration, gossip []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	pause = time.Duration(1+w.random.IntN(10)) * time.Millisecond
	for i := range w.ledger.nodes {
		if !w.isolated && (!w.faulty || w.random.IntN(4) > 0) {
			gossip = append(gossip, i)
		}
	}
	if w.faulty {
		fault = w.random.IntN(40)
		if w.random.IntN(30) == 0 {
			pause = time.Duration(w.random.IntN(3000)) * time.Millisecond
		}
	}
	if w.silent {
		fault = 3
	}
	return fault, pause, gossip
}

var errWire = errors.New("connection lost")

// RoundTrip is http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	fault, pause, gossip := w.draw()
	at, err := strconv.Atoi(strings.TrimPrefix(r.URL.Host, "node"))
	if err != nil {
		return nil, err
	}
	time.Sleep(pause)
	if _, up := w.ledger.catchUp(r.Context(), at, 0); !up {
		return nil, errors.New("connection refused")
	}
	answer := httptest.NewRecorder()
	switch fault {
	case 1:
		return nil, errWire // before the node had it
	case 3:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case 4:
		write(answer, nil, protocol.Refuse(protocol.CodeUnavailable, "catching up"))
		return answer.Result(), nil
	case 5:
		write(answer, nil, protocol.Refuse(protocol.CodeBusy, "at capacity"))
		return answer.Result(), nil
	case 6:
		write(answer, nil, protocol.Refuse(protocol.CodeInternal, "disk"))
		return answer.Result(), nil
	}
	w.ledger.serve(at, gossip).ServeHTTP(answer, r)
	if _, up := w.ledger.catchUp(r.Context(), at, 0); !up || fault == 2 {
		return nil, errWire // after the node had it
	}
	return answer.Result(), nil
}
