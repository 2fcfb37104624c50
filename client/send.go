package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// signed is a batch as it was last sent.
type signed struct {
	raw    []byte
	txID   protocol.Hash
	expiry uint64   // last height at which raw may be executed
	seed   [32]byte // of the blinds; the same however often it is signed
	tries  uint64   // also the nonce, so that each signing is a transaction of its own
}

// send takes batches as they are due and sends them in order, while there is
// room in flight.
func (p *Producer) send() {
	defer close(p.flying)
	for {
		select {
		case p.slots <- struct{}{}:
		case <-p.ctx.Done():
			p.abandon()
			return
		}
		b := p.nextBatch()
		if b == nil {
			p.abandon()
			return
		}
		group := p.together(b)
		err := p.dispatch(group)
		if err != nil {
			p.fail(err)
		}
		for _, b := range group {
			if b.last() >= p.held {
				p.flying <- b // has as much room as there are slots
				continue
			}
			if err != nil { // otherwise it is settled
				b.fail(p.failure())
			}
			<-p.slots
		}
	}
}

// together takes what else is due now, as far as one request and the room in
// flight go. What the ledger holds already goes alone.
func (p *Producer) together(b *batch) []*batch {
	group, bytes := []*batch{b}, b.bytes
	for b.last() >= p.held && len(group) < protocol.MaxTransactions && bytes < maxBatchBytes/2 {
		select {
		case p.slots <- struct{}{}:
		default:
			return group
		}
		next, _, _ := p.takeDue()
		if next == nil {
			<-p.slots
			return group
		}
		group, bytes = append(group, next), bytes+next.bytes
	}
	return group
}

func (p *Producer) dispatch(group []*batch) error {
	if b := group[0]; b.last() < p.held {
		return p.resolveHeld(b)
	}
	p.order <- struct{}{}
	defer func() { <-p.order }()
	p.mu.Lock()
	p.window = append(p.window, group...)
	p.mu.Unlock()
	p.stats.batches.Add(uint64(len(group)))
	return p.postAll(group) // the last one taken may be too large for the others' request
}

// nextBatch waits until the batch that fills is due and takes it; nil when
// none will come.
func (p *Producer) nextBatch() *batch {
	for {
		b, in, done := p.takeDue()
		if b != nil || done {
			return b
		}
		var timer <-chan time.Time
		if in > 0 {
			timer = time.After(in)
		}
		select {
		case <-p.wake:
		case <-timer:
		case <-p.ctx.Done():
			return nil
		}
	}
}

// takeDue takes the batch that fills when it is due, and otherwise says in how
// long it will be; 0 is unknown. done is true when none will come.
func (p *Producer) takeDue() (b *batch, in time.Duration, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) > 0 {
		b, p.ready = p.ready[0], p.ready[1:]
		p.makeRoom()
		return b, 0, false
	}
	b = p.filling
	if b == nil {
		return nil, 0, p.closed
	}
	if left := p.config.Linger - time.Since(b.opened); !b.due && !p.closed && left > 0 {
		return nil, left, false
	}
	p.filling = nil
	p.makeRoom()
	return b, 0, false
}

// makeRoom wakes those who wait to add an event. The caller holds mu.
func (p *Producer) makeRoom() {
	close(p.room)
	p.room = make(chan struct{})
}

// abandon fails the events that will not be sent.
func (p *Producer) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, b := range append(p.ready, p.filling) {
		if b != nil {
			b.fail(context.Cause(p.ctx))
		}
	}
	p.ready, p.filling = nil, nil
}

// fail settles the events of a batch that are not settled.
func (b *batch) fail(err error) {
	for _, f := range b.futures {
		f.resolve(Result{}, err)
	}
}

// resignEvery is after how many sendings of the same bytes a batch is signed
// anew, in case a node remembers those bytes and has lost the batch.
const resignEvery = 4

// post submits batches together, signed anew where they have to be. A refusal
// that another try could change is no error: the settler finds the batch
// missing and repeats it. The caller holds order.
func (p *Producer) post(group []*batch) error {
	raws := make([][]byte, len(group))
	for i, b := range group {
		s := &b.signed
		if s.tries%resignEvery == 0 || s.raw == nil || p.client.height.Load() >= s.expiry {
			if err := p.sign(b); err != nil {
				return err
			}
		}
		if s.tries++; s.tries > 1 {
			p.stats.repeats.Add(1)
		}
		raws[i] = s.raw
	}
	p.stats.sendings.Add(uint64(len(group)))
	refused, err := p.submit(raws)
	p.mu.Lock()
	for _, b := range group {
		b.txID, b.node = b.signed.txID, p.client.node.Load()
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	for i, err := range refused {
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Retryable {
			p.unsign(group[i], refusal.Code)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// submit sends one transaction as such, so that the node's busyness makes this
// producer wait, and several as one body.
func (p *Producer) submit(raws [][]byte) (refused []error, err error) {
	if len(raws) > 1 {
		return p.client.SubmitAll(p.ctx, raws)
	}
	_, err = p.client.Submit(p.ctx, raws[0])
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return []error{err}, nil
	}
	return nil, err
}

// postAll submits batches in order, as many together as one request takes. The
// caller holds order.
func (p *Producer) postAll(batches []*batch) error {
	for len(batches) > 0 {
		n, bytes := 1, batches[0].bytes
		for n < min(len(batches), protocol.MaxTransactions) && bytes+batches[n].bytes < maxBatchBytes/2 {
			bytes += batches[n].bytes
			n++
		}
		if err := p.post(batches[:n]); err != nil {
			return err
		}
		batches = batches[n:]
	}
	return nil
}

// unsign drops a signature that expires at the wrong height. The caller holds order.
func (p *Producer) unsign(b *batch, code protocol.Code) {
	switch code {
	case protocol.CodeExpiryTooFar:
		p.client.height.Store(0) // nobody's
		b.signed.raw = nil
	case protocol.CodeExpired:
		b.signed.raw = nil
	}
}

func (p *Producer) sign(b *batch) (err error) {
	s := &b.signed
	height := p.client.height.Load()
	if height == 0 {
		head, err := p.client.Head(p.ctx)
		if err != nil {
			return err
		}
		height = head.Height
	}
	if s.seed == [32]byte{} {
		if _, err := rand.Read(s.seed[:]); err != nil {
			return fmt.Errorf("client: %w", err)
		}
	}
	s.expiry = height + p.config.ExpiryBlocks
	body := &protocol.Batch{Stream: p.stream, First: b.first, Skip: b.skip, Seed: s.seed, Records: b.records}
	if s.raw, err = protocol.SignTx(p.client.config.ChainID, p.key, s.expiry, s.tries, body); err != nil {
		return err
	}
	s.txID, err = protocol.TxID(p.client.config.ChainID, s.raw)
	return err
}
