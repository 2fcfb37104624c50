package sim

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// eraseRequest is an erasure as the model sees it.
type eraseRequest struct {
	stream       string // empty: first is a log index
	first, count uint64
}

// erase makes a random erasure, of events mostly: what was erased, delivered or
// never there is among them.
func (w *world) erase(r *request) protocol.Body {
	r.account = pick(w.random, "p1", "p2")
	e := &eraseRequest{stream: pick(w.random, "a", "b", ""), count: 1}
	if e.stream != "" {
		e.first, e.count = w.random.Uint64N(w.model.next[streamKey{r.account, e.stream}]+2), 1+w.random.Uint64N(4)
	} else if places := w.model.places[streamKey{pick(w.random, "p1", "p2"), "a"}]; len(places) > 0 {
		e.first = places[w.random.Uint64N(uint64(len(places)))]
	}
	r.erase = e
	return &protocol.Erase{Reason: protocol.ReasonRequest, Stream: e.stream, First: e.first, Count: e.count}
}

// mayEraseAny says whether an account has a role with which it may erase anything.
func (m *model) mayEraseAny(account string) bool {
	return m.roles[account] == "producer" || m.roles[account] == "author"
}

func (m *model) erase(r *request, height uint64) protocol.Outcome {
	e, next := r.erase, m.size
	if e.stream != "" {
		next = m.next[streamKey{r.account, e.stream}]
	}
	if e.first+e.count > next {
		return protocol.Outcome{Code: protocol.CodeEntryUnknown}
	}
	var out protocol.Outcome
	var targets []uint64
	before := uint64(protocol.NoCause)
	for n := e.first; n < e.first+e.count; n++ {
		index := n
		if e.stream != "" {
			index = m.places[streamKey{r.account, e.stream}][n]
		}
		if index == before {
			continue // one gap
		}
		before = index
		entry := m.entries[index]
		_, erased := m.erased[index]
		switch {
		case erased:
			out.Absorbed++
		case entry.kind != protocol.EntryEvent && entry.kind != protocol.EntryDuplicate:
		case entry.origin != r.account:
			out.Code = protocol.CodeEraseDenied
			return out
		default:
			targets = append(targets, index)
		}
	}
	if len(targets) == 0 {
		out.Code = protocol.CodeNotErasable
		return out
	}
	m.executed[r.id] = true
	out.First, out.Entries = m.size, uint32(len(targets))
	for _, index := range targets {
		m.erased[index] = height
		m.append(expected{kind: protocol.EntryErase, origin: r.account, cause: index})
	}
	return out
}

// recall gives an erased entry back what it was, for the model to judge by.
func (m *model) recall(e *Entry) error {
	_, erased := m.erased[e.Index]
	if erased != e.Erased || erased && (e.Event != nil || len(e.payload) > 0) {
		return fmt.Errorf("entry %d: erased is %v, the model has %v", e.Index, e.Erased, erased)
	}
	if erased {
		event := m.entries[e.Index].event
		e.Event = &event
	}
	return nil
}

// missed says whether a delivery came too late: its event was erased by then.
// An answer of the erasure's height is after it, since deliveries follow the
// transactions of their block.
func (m *model) missed(contract string, e, answer *Entry) bool {
	at, erased := m.erased[e.Index]
	if !erased || answer == nil || answer.Cause != e.Index || answer.Height < at {
		return false
	}
	m.late[delivery{contract, e.Index}] = true
	return true
}

// scrub makes some replicas take what was erased off their disks: it must not
// matter to anything who did and when.
func (w *world) scrub() error {
	for _, l := range w.others {
		if w.random.IntN(4) > 0 {
			continue
		}
		if _, err := machine.Scrub(ctx, l.store); err != nil {
			return err
		}
	}
	return nil
}
