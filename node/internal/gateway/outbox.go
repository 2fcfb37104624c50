package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

// Families of the outbox's keys, each followed by a sequence.
const (
	familyEvent   = 'e' // the record of an event that is not decided
	familyRefused = 'r' // why an event was refused for good
	familyMoved   = 'm' // the sequence an event has instead
)

// keepRefused is how many refusals are kept for those who ask later.
const keepRefused = 100_000

func key(family byte, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{family}, sequence)
}

func eventKey(sequence uint64) []byte { return key(familyEvent, sequence) }

func sequenceOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// refusal is a familyRefused value.
type refusal struct {
	Code    protocol.Code `json:"code"`
	Message string        `json:"message"`
}

// reconcile holds the outbox to the ledger, which holds the sequences below
// held: what is there is decided. It answers where to go on. An event whose
// sequence the ledger gave to another, because this home was restored from a
// copy or the key is in use elsewhere, takes a new one.
func (g *Gateway) reconcile(held uint64) (from uint64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	db := g.config.DB
	next := held
	for _, family := range []byte{familyEvent, familyRefused} {
		last, ok, err := db.Last(key(family, 0), key(family+1, 0))
		if err != nil {
			return 0, err
		}
		if ok {
			next = max(next, sequenceOf(last.Key)+1)
		}
	}
	next = max(next, g.next)
	for {
		decided, err := db.Scan(eventKey(0), eventKey(held), chunkEvents)
		if err != nil {
			return 0, err
		}
		for _, pair := range decided {
			if next, err = g.settleHeld(pair, next); err != nil {
				return 0, err
			}
		}
		if len(decided) == 0 {
			break
		}
	}
	if err := db.Sync(); err != nil {
		return 0, err
	}
	return g.resume(next)
}

// settleHeld removes an event whose sequence the ledger holds, or moves it.
// The caller holds mu.
func (g *Gateway) settleHeld(pair local.Pair, next uint64) (uint64, error) {
	sequence := sequenceOf(pair.Key)
	entries, err := g.config.Ledger.StreamEntries(g.address, Stream, sequence, 1)
	if err != nil {
		return next, err
	}
	if len(entries) == 0 {
		return next, fmt.Errorf("the ledger does not hold sequence %d yet", sequence)
	}
	if e := entries[0]; e.Erased || e.Record == sha256.Sum256(pair.Value) {
		return next, g.config.DB.Put(local.Pair{Key: pair.Key})
	}
	g.config.Log.Warn("the ledger holds another event under a sequence of the gateway; was its home restored from a copy?", "sequence", sequence, "now", next)
	var moved [8]byte
	binary.BigEndian.PutUint64(moved[:], next)
	return next + 1, g.config.DB.Put(local.Pair{Key: pair.Key}, local.Pair{Key: eventKey(next), Value: pair.Value},
		local.Pair{Key: key(familyMoved, sequence), Value: moved[:]})
}

// resume counts what the outbox holds and opens the gateway. The caller holds mu.
func (g *Gateway) resume(next uint64) (from uint64, err error) {
	g.next, g.durable, g.bytes, from = next, max(g.durable, next), 0, next
	for at := uint64(0); ; {
		pairs, err := g.config.DB.Scan(eventKey(at), eventKey(next), chunkEvents)
		if err != nil {
			return 0, err
		}
		for _, p := range pairs {
			from, at = min(from, sequenceOf(p.Key)), sequenceOf(p.Key)+1
			g.bytes += int64(len(p.Value))
		}
		if len(pairs) == 0 {
			break
		}
	}
	g.settled, g.open = from, true
	return from, nil
}

// done removes an event that the ledger has decided. The removal need not
// outlive a crash: reconcile finds it again.
func (g *Gateway) done(sequence uint64, bytes int64) error {
	err := g.config.DB.Put(local.Pair{Key: eventKey(sequence)})
	g.mu.Lock()
	g.settled, g.bytes = max(g.settled, sequence+1), g.bytes-bytes
	g.figures.Decided++
	g.figures.Sending--
	g.mu.Unlock()
	return err
}

// refuse puts an event aside that the ledger will never take.
func (g *Gateway) refuse(sequence uint64, code protocol.Code, message string) error {
	why, err := json.Marshal(refusal{code, message})
	if err != nil {
		return err
	}
	g.config.Log.Warn("the ledger refused an event for good", "sequence", sequence, "code", code)
	if err := g.config.DB.Put(local.Pair{Key: eventKey(sequence)}, local.Pair{Key: key(familyRefused, sequence), Value: why}); err != nil {
		return err
	}
	g.mu.Lock()
	if g.figures.PutAside == nil {
		g.figures.PutAside = map[protocol.Code]uint64{}
	}
	g.figures.PutAside[code]++
	g.mu.Unlock()
	if sequence > keepRefused {
		if err := g.config.DB.Drop(key(familyRefused, 0), key(familyRefused, sequence-keepRefused)); err != nil {
			return err
		}
	}
	return g.config.DB.Sync()
}

// Taken describes events that nothing is known of yet.
func (g *Gateway) Taken(first, count uint64) rest.Submission {
	return rest.Submission{State: rest.StatePending, Producer: g.address, Stream: Stream, First: first, Count: count}
}

// Look says what became of events.
func (g *Gateway) Look(first, count uint64) (rest.Submission, error) {
	out := g.Taken(first, count)
	g.mu.Lock()
	next, open := g.next, g.open
	g.mu.Unlock()
	switch {
	case !open:
		return out, protocol.Refuse(protocol.CodeUnavailable, "the gateway is starting; ask again in a second")
	case first+count > next:
		return out, protocol.Refuse(protocol.CodeNotFound, "the gateway has taken no events %d to %d", first, first+count-1)
	}
	for at := first; at < first+count; {
		some, err := g.look(at, first+count-at)
		if err != nil {
			return out, err
		}
		out.Events, at = append(out.Events, some...), at+uint64(len(some))
	}
	out.State = overall(out.Events)
	return out, nil
}

// overall is pending while any event is, then refused if any is.
func overall(events []rest.SubmittedEvent) rest.State {
	state := rest.StateCommitted
	for _, e := range events {
		switch {
		case e.State == rest.StatePending:
			return rest.StatePending
		case e.State == rest.StateRefused:
			state = rest.StateRefused
		}
	}
	return state
}

// look describes one event or more, at most count.
func (g *Gateway) look(at, count uint64) ([]rest.SubmittedEvent, error) {
	if moved, err := g.config.DB.Get(key(familyMoved, at)); err != nil || moved != nil {
		if err != nil {
			return nil, err
		}
		return g.look(binary.BigEndian.Uint64(moved), 1)
	}
	why, err := g.config.DB.Get(key(familyRefused, at))
	if err != nil {
		return nil, err
	}
	if why != nil {
		var r refusal
		if err := json.Unmarshal(why, &r); err != nil {
			return nil, fmt.Errorf("gateway: refusal %d at rest: %w", at, err)
		}
		return []rest.SubmittedEvent{{Sequence: at, State: rest.StateRefused, Code: r.Code, Name: r.Code.Name(), Message: r.Message}}, nil
	}
	entries, err := g.config.Ledger.StreamEntries(g.address, Stream, at, int(min(count, rest.MaxStreamEntries)))
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return []rest.SubmittedEvent{{Sequence: at, State: rest.StatePending, Name: protocol.CodeOK.Name()}}, nil
	}
	var out []rest.SubmittedEvent
	for _, e := range entries {
		if e.Kind == protocol.EntryGap {
			break
		}
		index := e.Index
		s := rest.SubmittedEvent{Sequence: e.Sequence, State: rest.StateCommitted, Name: protocol.CodeOK.Name(), Index: &index, Height: e.Height}
		if e.Cause != nil && e.Kind == protocol.EntryDuplicate {
			s.Duplicate, s.Index = true, e.Cause
		}
		out = append(out, s)
	}
	if len(out) == 0 { // left out, and the reason is no longer kept
		return []rest.SubmittedEvent{{Sequence: at, State: rest.StateRefused, Name: protocol.CodeOK.Name(), Message: "the event was refused; the reason is no longer kept"}}, nil
	}
	return out, nil
}
