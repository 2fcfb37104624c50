// Package subscription delivers the log's events to those who follow it: named
// subscriptions with a cursor that outlives both ends, shared by the members
// of a group, pulled or pushed. Readers read from the store at their own pace.
// An event is delivered at least once, and in the log's order within a subject.
package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

// Log is what is followed.
type Log interface {
	Size() uint64
	// Grown closes when the log grows after the call.
	Grown() <-chan struct{}
	// Read looks at up to count entries from one on and answers the events
	// among them; next is the first it did not look at.
	Read(from uint64, count int) (events []Item, next uint64, err error)
	// NextErased finds the first entry from one on whose payload was erased.
	NextErased(from uint64) (index uint64, ok bool, err error)
}

// maxSubscriptions bounds those of one node.
const maxSubscriptions = 1000

// family begins the keys of subscriptions at rest.
const family = 's'

// Manager keeps a node's subscriptions. It is safe for concurrent use.
type Manager struct {
	db  *local.DB
	log Log
	out *slog.Logger

	pulled, pushed, acked       atomic.Uint64 // events
	failed                      atomic.Uint64 // events on which an expression failed
	taken, rejected, unanswered atomic.Uint64 // attempts of webhooks

	mu   sync.Mutex
	subs map[string]*Subscription // guarded by mu
	run  func(*Subscription)      // starts a webhook; nil before Run; guarded by mu
}

// Subscription is one of them.
type Subscription struct {
	manager *Manager
	wanted  filter
	failed  atomic.Uint64   // events on which an expression of its filters failed
	ended   context.Context // ends when it is deleted
	end     context.CancelFunc

	mu      sync.Mutex
	terms   rest.Subscription // cursor included; guarded by mu
	window  window            // guarded by mu
	changed chan struct{}     // closes when events are given back or done; guarded by mu
	gone    bool              // deleted; guarded by mu
	push    push              // guarded by mu
}

// Open reads a node's subscriptions.
func Open(db *local.DB, log Log, out *slog.Logger) (*Manager, error) {
	m := &Manager{db: db, log: log, out: out, subs: map[string]*Subscription{}}
	pairs, err := db.Scan([]byte{family}, []byte{family + 1}, maxSubscriptions)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		var terms rest.Subscription
		if err := json.Unmarshal(pair.Value, &terms); err != nil {
			return nil, err
		}
		s, err := m.make(terms)
		if err != nil {
			return nil, err
		}
		m.subs[terms.Name] = s
	}
	return m, nil
}

func (m *Manager) make(terms rest.Subscription) (*Subscription, error) {
	s := &Subscription{manager: m, terms: terms, changed: make(chan struct{})}
	var err error
	if s.wanted, err = compile(terms.Filters, func() { s.failed.Add(1); m.failed.Add(1) }); err != nil {
		return nil, err
	}
	s.window.examined = terms.Cursor
	s.ended, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Create makes a subscription from an entry on. The same again changes nothing.
func (m *Manager) Create(terms rest.Subscription) (rest.Subscription, error) {
	if err := protocol.CheckStreamName(terms.Name); err != nil {
		return terms, protocol.Refuse(protocol.CodeBadRequest, "name: %v", err)
	}
	if err := checkWebhook(terms.Webhook); err != nil {
		return terms, err
	}
	s, err := m.make(terms)
	if err != nil {
		return terms, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if there := m.subs[terms.Name]; there != nil {
		is := there.Terms()
		if is.Owner == terms.Owner && reflect.DeepEqual(is.Webhook, terms.Webhook) &&
			slices.EqualFunc(is.Filters, terms.Filters, func(a, b json.RawMessage) bool { return bytes.Equal(compact(a), compact(b)) }) {
			return is, nil
		}
		return terms, protocol.Refuse(protocol.CodeBadRequest, "a subscription %q is there with other terms; delete it first, or choose another name", terms.Name)
	}
	if len(m.subs) == maxSubscriptions {
		return terms, protocol.Refuse(protocol.CodeBusy, "this node keeps %d subscriptions and no more; delete some", maxSubscriptions)
	}
	if err := s.keep(); err != nil {
		return terms, err
	}
	if err := m.db.Sync(); err != nil {
		return terms, err
	}
	m.subs[terms.Name] = s
	if m.run != nil {
		m.run(s)
	}
	return terms, nil
}

func compact(text []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return text
	}
	return out.Bytes()
}

// keep writes the terms with the cursor. The caller holds mu, or nobody else
// has the subscription.
func (s *Subscription) keep() error {
	text, err := json.Marshal(s.terms)
	if err != nil {
		return err
	}
	return s.manager.db.Put(local.Pair{Key: append([]byte{family}, s.terms.Name...), Value: text})
}

// List answers those of an owner, by name.
func (m *Manager) List(owner string) []rest.Subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []rest.Subscription{}
	for _, name := range slices.Sorted(maps.Keys(m.subs)) {
		if terms := m.subs[name].Terms(); terms.Owner == owner {
			out = append(out, terms)
		}
	}
	return out
}

// Find answers an owner's subscription.
func (m *Manager) Find(owner, name string) (*Subscription, error) {
	m.mu.Lock()
	s := m.subs[name]
	m.mu.Unlock()
	if s == nil || s.Terms().Owner != owner {
		return nil, protocol.Refuse(protocol.CodeNotFound, "the token has no subscription %.64q", name)
	}
	return s, nil
}

// Delete removes one with its cursor and its dead letters.
func (m *Manager) Delete(s *Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.end()
	s.tell()
	delete(m.subs, s.terms.Name)
	letters := letterKey(s.terms.Name, 0)
	if err := m.db.Drop(letters, letterKey(s.terms.Name, 1<<63)); err != nil {
		return err
	}
	if err := m.db.Put(local.Pair{Key: append([]byte{family}, s.terms.Name...)}); err != nil {
		return err
	}
	return m.db.Sync()
}

// Terms is the subscription as it is now.
func (s *Subscription) Terms() rest.Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.terms
	out.Lag = s.manager.log.Size() - min(s.manager.log.Size(), out.Cursor)
	out.Push = s.push.status()
	out.FilterErrors = s.failed.Load()
	return out
}

// tell wakes those who wait. The caller holds mu.
func (s *Subscription) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// recheck is how often a waiting reader looks for leases that ran out.
const recheck = time.Second

// Next leases a member the next events, at most limit. It waits for the first
// until ctx ends, and answers none then.
func (s *Subscription) Next(ctx context.Context, member string, limit int) ([]Item, error) {
	for {
		grown := s.manager.log.Grown()
		items, more, changed, err := s.look(member, limit)
		if err != nil || len(items) > 0 {
			return items, err
		}
		if more {
			if ctx.Err() != nil {
				return nil, nil
			}
			continue
		}
		timer := time.NewTimer(recheck)
		select {
		case <-grown:
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil
		}
		timer.Stop()
	}
}

func (s *Subscription) look(member string, limit int) (items []Item, more bool, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil, false, nil, protocol.Refuse(protocol.CodeNotFound, "the subscription was deleted")
	}
	if err = s.window.forget(s.manager.log); err != nil {
		return nil, false, nil, err
	}
	if more, err = s.window.fill(s.manager.log, s.wanted); err != nil {
		return nil, false, nil, err
	}
	more = more && s.window.examined < s.manager.log.Size()
	s.terms.Cursor = s.window.cursor() // past what was not wanted, or erased
	items = s.window.lease(member, limit, time.Now())
	if s.push.on {
		s.manager.pushed.Add(uint64(len(items)))
	} else {
		s.manager.pulled.Add(uint64(len(items)))
	}
	return items, more, s.changed, nil
}

// Restart gives back what a member has: it begins anew.
func (s *Subscription) Restart(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window.release(func(at *slot) bool { return at.member == member })
	s.tell()
}

// Ack marks events as done or gives them back. It answers the cursor.
func (s *Subscription) Ack(member string, a rest.Acknowledgement) (cursor uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window.release(func(at *slot) bool { return slices.Contains(a.Nack, at.Index) })
	cursor, acked := s.window.ack(func(at *slot) bool {
		return slices.Contains(a.Indices, at.Index) || a.UpTo != nil && at.Index <= *a.UpTo && !at.until.IsZero() && at.member == member
	})
	s.manager.acked.Add(acked)
	s.tell()
	if s.gone || cursor == s.terms.Cursor {
		return cursor, nil
	}
	s.terms.Cursor = cursor
	return cursor, s.keep()
}
