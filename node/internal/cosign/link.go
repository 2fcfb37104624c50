package cosign

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Link is what a Keeper and one peer say to each other: each asks the other what
// it signed, and is answered once that is final there. Its methods may be called
// from any goroutine.
type Link struct {
	keeper *Keeper
	wake   chan struct{}

	// Guarded by keeper.mu:
	due      bool     // the peer is to be asked
	asked    bool     // it was, and did not answer: what it says unasked is not looked at
	question question // of the peer, its newest; of size 0 where there is none
}

// Join makes the link of a peer that was connected. Leave it in the end.
func (k *Keeper) Join() *Link {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := &Link{keeper: k, wake: make(chan struct{}, 1), due: true}
	k.links[l] = true
	l.rouse()
	return l
}

// Leave ends a link.
func (l *Link) Leave() {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	delete(l.keeper.links, l)
}

// Wake receives a value when there may be something to send: ask Next then.
func (l *Link) Wake() <-chan struct{} { return l.wake }

func (l *Link) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Next is the message to send now, or nil.
func (l *Link) Next() []byte {
	k := l.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if q := l.question; q.size > 0 && q.size <= k.newestSize() {
		l.question = question{}
		if parts := k.answer(q); len(parts) > 0 {
			return answerMessage(parts)
		}
	}
	if !l.due || k.asking.size == 0 {
		return nil
	}
	q := k.asking
	if k.served != nil && k.served.Quorum {
		q.have = k.served.Size
	}
	l.due, l.asked = false, true
	return q.message()
}

// answer is what this node has for a question; the caller holds mu.
func (k *Keeper) answer(q question) (parts []part) {
	if t := k.find(q.size); t != nil {
		if s, own := t.by[k.public]; q.more {
			parts = appendPart(parts, t, slices.Collect(maps.Values(t.by)))
		} else if own {
			parts = appendPart(parts, t, []cosignature{s})
		}
	}
	if q.more && k.served != nil && k.served.Quorum && k.served.Size > q.have && k.served.Size != q.size {
		if t := k.find(k.served.Size); t != nil {
			parts = appendPart(parts, t, slices.Collect(maps.Values(t.by)))
		}
	}
	return parts
}

func appendPart(parts []part, t *tally, by []cosignature) []part {
	if len(by) == 0 {
		return parts
	}
	slices.SortFunc(by, func(a, b cosignature) int { return bytes.Compare(a.key[:], b.key[:]) })
	return append(parts, part{t.Size, t.Root, by[:min(len(by), protocol.MaxValidators)]})
}

// Receive takes a message of the peer. An error says what was not taken of it;
// nothing of it was kept that does not hold.
func (l *Link) Receive(message []byte) error {
	if len(message) > 0 && message[0] == tagQuestion {
		q, err := parseQuestion(message)
		if err != nil {
			return err
		}
		l.keeper.mu.Lock()
		l.question = q
		l.keeper.mu.Unlock()
		l.rouse()
		return nil
	}
	if len(message) == 0 || message[0] != tagAnswer {
		return errForm
	}
	l.keeper.mu.Lock()
	asked := l.asked
	l.asked = false
	l.keeper.mu.Unlock()
	if !asked {
		return nil // it is late, or pushes
	}
	parts, err := parseAnswer(message)
	for i := range parts {
		if err == nil {
			err = l.keeper.take(&parts[i])
		}
	}
	return err
}

// take keeps what validators of the set of today signed of a checkpoint that is
// final here. Keys of nobody are passed over: the peer may know another set.
func (k *Keeper) take(p *part) error {
	k.mu.Lock()
	t := k.find(p.size)
	lacking := map[proof.LogKey]bool{}
	if t == nil || k.reached(p.size+1) {
		k.mu.Unlock()
		return nil // not final here yet, or of no use any more
	}
	for _, c := range k.by.List() {
		_, has := t.by[c.Key]
		lacking[c.Key] = c.Key != proof.LogKey{} && (!has || p.root != t.Root)
	}
	k.mu.Unlock()
	said := proof.Checkpoint{Origin: t.Origin, Size: p.size, Root: p.root}
	var fresh []cosignature
	for i := range p.by {
		s := &p.by[i]
		if !lacking[s.key] {
			continue
		}
		lacking[s.key] = false // each key once, whatever the peer sends
		if err := s.verify(said); err != nil {
			return err
		}
		fresh = append(fresh, *s)
	}
	if p.root != t.Root {
		return k.split(t, p, fresh)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range fresh {
		t.by[s.key] = s
	}
	if len(fresh) > 0 {
		k.publish(t)
	}
	return nil
}

// split reports another root of the same size. With a signature that holds, it
// proves that a validator vouched for a log that is not this node's.
func (k *Keeper) split(t *tally, p *part, by []cosignature) error {
	for i := range by {
		k.config.Log.Warn("a validator signed another log: keep this, it proves that one of the two is wrong", "logKey", fmt.Sprintf("%x", by[i].key),
			"size", p.size, "root", p.root, "here", t.Root, "time", by[i].time, "cosignature", fmt.Sprintf("%x", by[i].note))
	}
	return fmt.Errorf("cosign: the peer has the root %s for %d entries, here it is %s", p.root, p.size, t.Root)
}
