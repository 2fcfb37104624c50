package subscription

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Bounds of what one subscription holds in memory: beyond them it does not
// look further until something is acknowledged. A slow reader costs this much.
const (
	windowEvents = 1024
	windowBytes  = 256 << 10 // and one event more
	chunkEntries = 256
	scanEntries  = 4096 // looked at in one go, for filters that let little through
)

// LeaseFor is how long a delivered event belongs to its reader.
const LeaseFor = 30 * time.Second

// Item is an event of the log.
type Item struct {
	Index  uint64
	Height uint64
	TimeMs uint64
	Origin protocol.Address
	Record []byte
}

// slot is a wanted event that is not acknowledged, or waits for one before it.
type slot struct {
	Item
	subject uint64 // hash of what keeps its order
	acked   bool
	member  string    // who has it
	until   time.Time // and how long; zero while nobody does
}

// window is what a subscription has read ahead of its cursor.
type window struct {
	slots    []slot
	bytes    int
	examined uint64 // entries below it were looked at
}

var seed = maphash.MakeSeed()

func subjectOf(e *protocol.Event) uint64 {
	return maphash.String(seed, e.Source+"\x00"+e.Subject)
}

func (w *window) full() bool { return len(w.slots) >= windowEvents || w.bytes >= windowBytes }

// fill reads ahead; more is true where there is more to look at.
func (w *window) fill(log Log, wanted filter) (more bool, err error) {
	for start := w.examined; !w.full() && w.examined-start < scanEntries; {
		items, next, err := log.Read(w.examined, chunkEntries)
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if w.full() { // the rest is read again later
				next = item.Index
				break
			}
			event, err := protocol.DecodeRecord(item.Record)
			if err != nil {
				return false, err
			}
			if wanted(&event) {
				w.slots = append(w.slots, slot{Item: item, subject: subjectOf(&event)})
				w.bytes += len(item.Record)
			}
		}
		if next == w.examined {
			return false, nil
		}
		w.examined = next
	}
	return !w.full(), nil
}

// forget lets go of events whose payload was erased since they were read: they
// count as done.
func (w *window) forget(log Log) error {
	var next uint64 // no entry from the last question on to before it is erased
	some := false
	for i := range w.slots {
		s := &w.slots[i]
		if i > 0 && s.Index < next {
			continue
		}
		if i == 0 || s.Index > next {
			index, ok, err := log.NextErased(s.Index)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			next = index
		}
		if s.Index == next {
			w.bytes -= len(s.Record)
			s.Record, s.acked, some = nil, true, true
		}
	}
	if some {
		w.ack(func(*slot) bool { return false })
	}
	return nil
}

// lease gives a member the next events. While somebody has an event of a
// subject, or one before it is left out, nobody else gets later ones of it.
func (w *window) lease(member string, limit int, now time.Time) (out []Item) {
	held := map[uint64]bool{}
	for i := range w.slots {
		s := &w.slots[i]
		switch {
		case s.acked || held[s.subject]:
			continue
		case now.Before(s.until):
			if s.member != member {
				held[s.subject] = true
			}
			continue
		case len(out) == limit:
			return out
		}
		s.member, s.until = member, now.Add(LeaseFor)
		out = append(out, s.Item)
	}
	return out
}

// release takes back what a member has, so that it is delivered again.
func (w *window) release(has func(*slot) bool) {
	for i := range w.slots {
		if has(&w.slots[i]) {
			w.slots[i].until = time.Time{}
		}
	}
}

// ack marks events as done and drops those that nothing waits for any more. It
// answers the cursor, below which every wanted event is done, and how many it marked.
func (w *window) ack(is func(*slot) bool) (cursor, marked uint64) {
	for i := range w.slots {
		if s := &w.slots[i]; !s.acked && is(s) {
			s.acked = true
			marked++
		}
	}
	n := 0
	for n < len(w.slots) && w.slots[n].acked {
		w.bytes -= len(w.slots[n].Record)
		n++
	}
	w.slots = append([]slot(nil), w.slots[n:]...) // the records dropped are freed
	return w.cursor(), marked
}

func (w *window) cursor() uint64 {
	if len(w.slots) > 0 {
		return w.slots[0].Index
	}
	return w.examined
}

// tailEvents is how many events a reader without a subscription gets at once.
const tailEvents = 100

// Tail follows the log from an entry on without a subscription. What it answers
// waits for the next events until ctx ends, and then answers none.
func Tail(log Log, from uint64, filters []json.RawMessage) (next func(ctx context.Context) ([]Item, error), err error) {
	wanted, err := compile(filters, func() {})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (out []Item, err error) {
		for {
			grown := log.Grown()
			items, to, err := log.Read(from, chunkEntries)
			if err != nil {
				return nil, err
			}
			for _, item := range items {
				event, err := protocol.DecodeRecord(item.Record)
				if err != nil {
					return nil, err
				}
				if len(out) == tailEvents {
					to = item.Index
					break
				}
				if wanted(&event) {
					out = append(out, item)
				}
			}
			idle := to == from
			from = to
			if len(out) > 0 || ctx.Err() != nil {
				return out, nil
			}
			if !idle {
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return nil, nil
			}
		}
	}, nil
}
