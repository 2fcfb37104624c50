package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// run sends what the outbox holds until it ends, in one session after another.
func (o *Outbox) run() {
	for try := 0; ; try++ {
		settled, err := o.session()
		if o.ctx.Err() != nil {
			break
		}
		if permanent(err) {
			o.fail(err)
			break
		}
		if settled > 0 {
			try = 0
		}
		if sleep(o.ctx, backoff(try)) != nil {
			break
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.queue {
		q.future.resolve(Result{}, context.Cause(o.ctx))
	}
}

// permanent says whether trying again could not help.
func permanent(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && !refusal.Retryable || errors.Is(err, ErrConflict) || errors.Is(err, ErrForgotten) || errors.Is(err, ErrOutbox)
}

// session sends with one producer until something fails. It answers how many
// events became final.
func (o *Outbox) session() (settled int, err error) {
	config := o.config
	config.NoWait, config.Seal = false, nil // the records are sealed
	p, err := o.client.NewProducer(o.ctx, o.key, o.stream, config)
	if err != nil {
		return 0, err
	}
	from, err := o.begin(p)
	if err != nil {
		p.fail(err)
		p.Close(o.ctx)
		return 0, err
	}
	ctx, cancel := context.WithCancel(o.ctx)
	flying := make(chan *Future, 4*config.MaxInFlight*config.MaxBatchEvents)
	var failed error
	var settling sync.WaitGroup
	settling.Go(func() {
		defer cancel() // the feeder need not go on
		settled, failed = o.settle(ctx, flying)
	})
	err = o.feed(ctx, p, from, flying)
	close(flying)
	p.fail(errSessionOver) // what is on its way is asked for again by the next session
	settling.Wait()
	cancel()
	p.Close(ctx)
	o.end(p)
	if failed != nil && !errors.Is(failed, errSessionOver) {
		err = failed
	}
	return settled, err
}

var errSessionOver = errors.New("client: the session is over")

// begin holds the outbox to the ledger, and says which sequence goes first.
func (o *Outbox) begin(p *Producer) (from uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.producer = p
	if p.Held() > o.next {
		return 0, fmt.Errorf("%w: the ledger holds the sequences below %d of stream %s, and the outbox %s ends at %d: it is an older copy, or another producer writes the stream",
			ErrConflict, p.Held(), o.stream, o.limits.Dir, o.next)
	}
	if len(o.queue) == 0 {
		return o.next, nil
	}
	if from = o.queue[0].future.Sequence; from > p.Held() {
		return 0, fmt.Errorf("%w: stream %s stands at %d, and %d was final", ErrForgotten, o.stream, p.Held(), from-1)
	}
	return from, nil
}

// end adds what a session's producer did to what was before.
func (o *Outbox) end(p *Producer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.past, o.producer = o.past.plus(p.Stats()), nil
	o.past.InFlight = 0
}

// feed hands durable events to the producer, from a sequence on, until ctx ends.
func (o *Outbox) feed(ctx context.Context, p *Producer, from uint64, flying chan<- *Future) error {
	for ; ; from++ {
		record, err := o.await(ctx, from)
		if err != nil {
			return err
		}
		future, err := p.addRecord(ctx, record, &from, nil)
		if err != nil {
			return err
		}
		select {
		case flying <- future:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits for the record of a sequence.
func (o *Outbox) await(ctx context.Context, sequence uint64) ([]byte, error) {
	for {
		o.mu.Lock()
		changed := o.changed
		if sequence < o.durable {
			record := o.queue[sequence-o.queue[0].future.Sequence].record
			o.mu.Unlock()
			return record, nil
		}
		o.mu.Unlock()
		if err := o.wait(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// settle waits for events in order and takes those that are final out.
func (o *Outbox) settle(ctx context.Context, flying <-chan *Future) (settled int, err error) {
	for f := range flying {
		result, err := f.Wait(context.WithoutCancel(ctx))
		if err != nil {
			return settled, err
		}
		o.mu.Lock()
		q := o.queue[0]
		o.queue[0], o.queue = nil, o.queue[1:]
		o.bytes -= int64(len(q.record))
		o.final++
		err = o.spool.drop(f.Sequence + 1)
		o.tell()
		o.mu.Unlock()
		q.future.resolve(result, nil)
		settled++
		if err != nil {
			return settled, err
		}
	}
	return settled, nil
}
