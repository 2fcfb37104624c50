package node

import (
	"sync"

	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/subscription"
)

// keptBundles is how many runs of entries are kept unpacked: readers near the
// end of the log share them.
const keptBundles = 8

// farBehind is how many entries from the end of the log a reader catches up, at
// the pace of one core for all of them, so that they slow nobody else.
const farBehind = 512

// eventLog reads the log's events for those who follow it.
type eventLog struct {
	*backend

	behind chan struct{} // one token: those far behind read one after the other

	mu      sync.Mutex
	height  uint64   // what bundles were read at: an erasure changes them; guarded by mu
	bundles []bundle // newest last; guarded by mu
}

type bundle struct {
	first    uint64
	payloads []machine.Payload
}

// Size is how many entries are committed.
func (l *eventLog) Size() uint64 { return l.store.Head().LogSize }

// Grown closes when a block is committed after the call.
func (l *eventLog) Grown() <-chan struct{} { return l.app.Committed() }

// Read looks at entries from one on, at most count, and answers the events
// among them; next is the first it did not look at.
func (l *eventLog) Read(from uint64, count int) (events []subscription.Item, next uint64, err error) {
	size := l.Size()
	if size > from && size-from > farBehind {
		l.behind <- struct{}{}
		defer func() { <-l.behind }()
	}
	entries := entryReader{backend: l.backend}
	for next = from; next < size && next-from < uint64(count); {
		b, err := l.bundle(next)
		if err != nil {
			return events, next, err
		}
		for ; next-b.first < uint64(len(b.payloads)) && next < size && next-from < uint64(count); next++ {
			payload := b.payloads[next-b.first]
			if payload.Erased {
				continue
			}
			e, err := entries.at(next)
			if err != nil {
				return events, next, err
			}
			record, err := machine.EventRecord(e.Kind, payload.Bytes)
			if err != nil {
				return events, next, err
			}
			if record != nil {
				events = append(events, subscription.Item{Index: next, Height: e.Height, TimeMs: e.TimeMs, Origin: e.Origin, Record: record})
			}
		}
	}
	return events, next, nil
}

// NextErased finds the first entry from one on whose payload was erased.
func (l *eventLog) NextErased(from uint64) (index uint64, ok bool, err error) {
	view, _, err := l.viewAt(0)
	if err != nil {
		return 0, false, err
	}
	return machine.NextErased(view, from)
}

func (l *eventLog) bundle(index uint64) (bundle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	view, head, err := l.viewAt(0)
	if err != nil {
		return bundle{}, err
	}
	if head.Height != l.height {
		l.height, l.bundles = head.Height, nil
	}
	for _, b := range l.bundles {
		if index >= b.first && index-b.first < uint64(len(b.payloads)) {
			return b, nil
		}
	}
	first, payloads, err := machine.ReadBundle(l.store, view, index)
	if err != nil {
		return bundle{}, asRefusal(err, "entry %d has no payload", index)
	}
	b := bundle{first, payloads}
	if len(l.bundles) == keptBundles {
		l.bundles = l.bundles[1:]
	}
	l.bundles = append(l.bundles, b)
	return b, nil
}
