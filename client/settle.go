package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

const (
	// statusWait is how long one look at a status waits for a decision.
	statusWait = 2 * time.Second
	// stalledLooks is after how many looks at a batch that waits for a block
	// another node is tried: this one may be cut off from the others.
	stalledLooks = 5
	// forgottenTries is how often a ledger may expect an earlier sequence than
	// it acknowledged before that is believed.
	forgottenTries = 5
)

// settle follows batches to their outcome, in order.
func (p *Producer) settle() {
	defer close(p.done)
	for b := range p.flying {
		err := p.failure()
		if err == nil {
			err = p.follow(b)
		}
		if err != nil {
			p.fail(err)
			b.fail(p.failure())
		}
		<-p.slots
	}
}

// follow waits until a batch is final. It and those after it are sent again
// when it was refused for a reason that passes, when nobody knows it, and when
// the node that has it no longer answers. The batches before it are final.
func (p *Producer) follow(b *batch) error {
	var stuck error // why the batch is not even waiting for a block
	since, looks := time.Now(), 0
	for try := 0; ; {
		id, node := p.sent(b)
		if node != p.client.node.Load() {
			if err := p.repeat(b, protocol.CodeOK); err != nil {
				return err
			}
			id, _ = p.sent(b)
		}
		s, err := p.look(b, id)
		switch {
		case errors.Is(err, errMoved):
			continue
		case err != nil:
			return err
		case s.State == rest.StateCommitted:
			p.landed(b)
			return p.resolve(b, s)
		case s.State == rest.StatePending:
			since = time.Now()
			looks++
			p.client.waitsForBlock(id, looks)
			if looks%stalledLooks == 0 {
				p.client.node.CompareAndSwap(node, node+1)
			}
			continue
		case s.State == rest.StateRefused && !s.Retryable:
			return refusedStatus(s)
		case s.State == rest.StateRefused:
			stuck = refusedStatus(s)
			if s.Code == protocol.CodeSequenceGap && try >= forgottenTries {
				if err := p.remembered(b); err != nil {
					return err
				}
			}
		default:
			stuck = fmt.Errorf("client: no node knows the batch of sequences %d to %d", b.first, b.last())
		}
		if time.Since(since) > p.client.config.GiveUpAfter {
			return fmt.Errorf("client: stream %s: nothing was taken for %s: %w", p.stream, p.client.config.GiveUpAfter, stuck)
		}
		if err := sleep(p.ctx, backoff(try)); err != nil {
			return p.failure()
		}
		try++
		if err := p.repeat(b, s.Code); err != nil {
			return err
		}
	}
}

// look asks for a batch's status and, in the same request, for those of the
// batches after it: a block decides many at once.
func (p *Producer) look(b *batch, id protocol.Hash) (rest.Status, error) {
	if b.known.TxID == id && b.known.State == rest.StateCommitted {
		return b.known, nil
	}
	behind, ids := p.behind(b, id)
	ask := request{wait: statusWait, sticky: true}
	if len(behind) == 0 {
		ask.path = statusRequest(id, statusWait).path
		return get[rest.Status](p.ctx, p.client, ask)
	}
	all, err := statusesOf(p.ctx, p.client, ids, ask)
	if err != nil {
		return rest.Status{}, err
	}
	for i, b := range behind {
		b.known = all[i+1]
	}
	return all[0], nil
}

// behind lists the batches after b that were last sent to the same node, and
// their ids behind b's.
func (p *Producer) behind(b *batch, id protocol.Hash) (batches []*batch, ids []protocol.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids = append(ids, id)
	for _, later := range p.window {
		if later != b && later.node == b.node && !later.txID.IsZero() && len(ids) < protocol.MaxTransactions {
			batches, ids = append(batches, later), append(ids, later.txID)
		}
	}
	return batches, ids
}

// sent is how a batch was last sent.
func (p *Producer) sent(b *batch) (id protocol.Hash, node uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return b.txID, b.node
}

// landed takes the oldest batch out of the window.
func (p *Producer) landed(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.window) > 0 && p.window[0] == b {
		p.window = p.window[1:]
	}
}

// repeat sends everything in flight again, in order. What the ledger has by
// now is absorbed. code is why b was refused.
func (p *Producer) repeat(b *batch, code protocol.Code) error {
	p.order <- struct{}{}
	defer func() { <-p.order }()
	p.mu.Lock()
	window := slices.Clone(p.window)
	p.mu.Unlock()
	p.unsign(b, code)
	return p.postAll(window)
}

// remembered checks that the ledger still expects nothing before b.
func (p *Producer) remembered(b *batch) error {
	at, err := p.client.Stream(p.ctx, p.account, p.stream)
	if err == nil && at.Next < b.first-b.skip {
		err = fmt.Errorf("%w: stream %s stands at %d, and %d was final", ErrForgotten, p.stream, at.Next, b.first-b.skip-1)
	}
	return err
}

// resolve tells each event of a committed batch where it is.
func (p *Producer) resolve(b *batch, s rest.Status) error {
	entries, gap := uint32(len(b.records)), uint64(0)
	if b.skip > 0 {
		gap = 1
	}
	if s.Absorbed > 0 || s.Duplicates > 0 || s.Entries != entries+uint32(gap) {
		return p.resolveHeld(b)
	}
	for i, f := range b.futures {
		index := s.FirstIndex + gap + uint64(i)
		f.resolve(Result{Index: index, Entry: index, Height: s.Height}, nil)
	}
	return nil
}

// resolveHeld asks the ledger what it holds for a batch's sequences, and
// compares it with the batch.
func (p *Producer) resolveHeld(b *batch) error {
	for at := 0; at < len(b.futures); {
		count := min(len(b.futures)-at, rest.MaxStreamEntries)
		entries, err := p.client.StreamEntries(p.ctx, p.account, p.stream, b.first+uint64(at), count)
		if err != nil {
			return err
		}
		if len(entries) == 0 || len(entries) > count {
			return fmt.Errorf("%w: stream %s, sequence %d", ErrForgotten, p.stream, b.first+uint64(at))
		}
		for _, e := range entries {
			if e.Sequence != b.first+uint64(at) || !e.Erased && e.Record != sha256.Sum256(b.records[at]) {
				return fmt.Errorf("%w: stream %s, sequence %d, entry %d; use another stream name for another source", ErrConflict, p.stream, b.first+uint64(at), e.Index)
			}
			r := Result{Index: e.Index, Entry: e.Index, Height: e.Height, Duplicate: e.Kind == protocol.EntryDuplicate, Held: e.Sequence < p.held}
			if r.Duplicate && e.Cause != nil {
				r.Index = *e.Cause
			}
			b.futures[at].resolve(r, nil)
			at++
		}
	}
	return nil
}
