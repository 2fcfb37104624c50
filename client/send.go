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
		err := p.dispatch(b)
		if err != nil {
			p.fail(err)
		}
		if b.last() < p.held { // settled, or failed
			if err != nil {
				b.fail(p.failure())
			}
			<-p.slots
			continue
		}
		p.flying <- b // has as much room as there are slots
	}
}

func (p *Producer) dispatch(b *batch) error {
	if b.last() < p.held {
		return p.resolveHeld(b)
	}
	p.order <- struct{}{}
	defer func() { <-p.order }()
	p.mu.Lock()
	p.window = append(p.window, b)
	p.mu.Unlock()
	p.stats.batches.Add(1)
	return p.post(b)
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
	b = p.filling
	if b == nil {
		return nil, 0, p.closed
	}
	if left := p.config.Linger - time.Since(b.opened); !b.due && !p.closed && left > 0 {
		return nil, left, false
	}
	p.filling = nil
	close(p.room)
	p.room = make(chan struct{})
	return b, 0, false
}

// abandon fails the events that will not be sent.
func (p *Producer) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.filling != nil {
		p.filling.fail(context.Cause(p.ctx))
		p.filling = nil
	}
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

// post submits a batch, signed anew where it has to be. A refusal that another
// try could change is no error: the settler finds the batch missing and
// repeats it. The caller holds order.
func (p *Producer) post(b *batch) error {
	s := &b.signed
	if s.tries%resignEvery == 0 || s.raw == nil || p.client.height.Load() >= s.expiry {
		if err := p.sign(b); err != nil {
			return err
		}
	}
	if s.tries++; s.tries > 1 {
		p.stats.repeats.Add(1)
	}
	p.stats.sendings.Add(1)
	_, err := p.client.Submit(p.ctx, s.raw)
	p.mu.Lock()
	b.txID, b.node = s.txID, p.client.node.Load()
	p.mu.Unlock()
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Retryable {
		p.unsign(b, refusal.Code)
		return nil
	}
	return err
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
