package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// run sends what the outbox holds until it ends, in one session after another.
func (o *Outbox) run() {
	forgotten := 0 // sessions in a row
	for try := 0; ; try++ {
		settled, err := o.session()
		if o.ctx.Err() != nil {
			break
		}
		again, err := o.blame(err)
		if again {
			try = 0
			continue
		}
		if forgotten++; !errors.Is(err, ErrForgotten) {
			forgotten = 0
		}
		if permanent(err) && (forgotten == 0 || forgotten > forgottenTries) { // the node may be behind
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
	for _, q := range o.queue { // a dead letter's is settled
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
	config.Gaps = true                      // for dead letters
	if o.careful > 0 {
		config.MaxBatchEvents, config.MaxInFlight = o.careful, 1
	}
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
	from = o.oldest()
	for at := p.Held(); at < from; at++ { // the ledger may lack dead letters alone
		if !o.dead.has(at) {
			return 0, fmt.Errorf("%w: stream %s stands at %d, and %d was final", ErrForgotten, o.stream, p.Held(), at)
		}
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

// feed hands durable events to the producer, from a sequence on, until ctx
// ends. It leaves out those that were put aside.
func (o *Outbox) feed(ctx context.Context, p *Producer, from uint64, flying chan<- *Future) error {
	for ; ; from++ {
		record, err := o.await(ctx, from)
		if err != nil {
			return err
		}
		if record == nil {
			continue
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

// await waits for the record of a sequence; one that was put aside has none.
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
		q := o.pop()
		o.final++
		err = o.spool.drop(f.Sequence + 1)
		if err == nil {
			err = o.dead.forget(o.spool.segments[0].first)
		}
		o.mu.Unlock()
		q.future.resolve(result, nil)
		settled++
		if err != nil {
			return settled, err
		}
		if o.careful > 0 && settled >= o.careful && f.Sequence+1 >= o.suspect {
			return settled, errCalm
		}
	}
	return settled, nil
}

// pop takes the oldest event out, and those behind it that were put aside
// before. The caller holds mu.
func (o *Outbox) pop() *queued {
	q := o.queue[0]
	o.queue[0], o.queue = nil, o.queue[1:]
	o.bytes -= int64(len(q.record))
	o.pass()
	o.tell()
	return q
}

// pass takes events that were put aside by an earlier process out, up to one
// that was not. The caller holds mu, or is the only one.
func (o *Outbox) pass() {
	for len(o.queue) > 0 && o.queue[0].record == nil {
		o.queue[0], o.queue = nil, o.queue[1:]
		o.buried--
	}
}

// narrowing is the factor by which batches shrink, one on its way, until the
// event that the ledger refuses is alone, and grow again afterwards. Of batches
// that share the way, the refusal does not say which it was.
const narrowing = 8

// errCalm ends a session whose batches may be larger.
var errCalm = errors.New("client: the ledger refuses no event any more")

// blame looks for the event that a batch was refused for, and puts it aside
// once it is alone. again says that the next session goes on without waiting;
// else the error is why the last one ended.
func (o *Outbox) blame(err error) (again bool, why error) {
	if errors.Is(err, errCalm) {
		if o.careful *= narrowing; o.careful >= o.config.MaxBatchEvents {
			o.careful = 0
		}
		return true, nil
	}
	var refusal *Refusal
	if o.limits.DeadLetters == 0 || !errors.As(err, &refusal) || !refusal.OfEvents() {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.careful == 0:
		o.careful = o.config.MaxBatchEvents
		o.suspect = o.oldest() + uint64(o.config.MaxInFlight*o.config.MaxBatchEvents)
	case o.careful > 1:
		o.suspect = o.oldest() + uint64(o.careful)
		o.careful = max(1, o.careful/narrowing)
	default: // one event was on its way: the oldest
		if err := o.bury(refusal); err != nil {
			return false, err
		}
		o.careful, o.suspect = min(narrowing, o.config.MaxBatchEvents), 0
	}
	return true, nil
}

// oldest is the sequence of the oldest event, or of the next. The caller holds mu.
func (o *Outbox) oldest() uint64 {
	if len(o.queue) == 0 {
		return o.next
	}
	return o.queue[0].future.Sequence
}

// bury makes the oldest event a dead letter. A crash before the letter is
// written sends the event again; after it, the event is left out. The caller holds mu.
func (o *Outbox) bury(refusal *Refusal) error {
	if len(o.dead.letters) >= o.limits.DeadLetters {
		return fmt.Errorf("%w %s: %d events were put aside, which is as many as may be; redeliver or drop some, or mend what they are refused for, and open it again: %w",
			ErrOutbox, o.limits.Dir, len(o.dead.letters), refusal)
	}
	head := o.queue[0]
	letter := &DeadLetter{
		Sequence: head.future.Sequence, Time: time.Now().UTC(), Code: refusal.Code, Name: refusal.Code.Name(),
		Message: refusal.Message[:min(len(refusal.Message), maxMessage)], Record: head.record,
	}
	if err := o.dead.put(letter); err != nil {
		return err
	}
	o.failed++
	o.pop()
	head.future.resolve(Result{}, fmt.Errorf("%w: %w", ErrDeadLetter, refusal))
	return nil
}
