package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector/expr"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// maxWaiting bounds the records of one stream that are taken and not final.
const maxWaiting = 16 << 10

// item is a record that was taken: an event on its way, or one that was left
// out and waits for those before it, so that Done is called in order.
type item struct {
	position uint64
	event    *protocol.Event // nil: left out
	future   *client.Future  // nil: not sent yet
	unsent   error           // why it could not be
	record   *record.Record
}

// pipe is one stream of the ledger: it maps records, sends their events under
// the records' own positions, and after any failure goes on from what the
// ledger holds. Events wait in memory only; whoever feeds it can read its
// source again from Next.
type pipe struct {
	run     *Runner
	name    string // of the stream
	mapping *expr.Mapping
	room    chan struct{} // one token for each item that waits
	wake    chan struct{} // tells the settler that waiting has changed

	sending  sync.Mutex // held while events are submitted, and while the producer is made anew
	producer *client.Producer
	grants   protocol.Grants
	careful  int // events a batch while the ledger refuses some event; 0 is as many as set. Guarded by sending
	calm     int // events that were final since it last did. The settler's

	appends     bool // its records have no positions of their own; guarded by sending
	renumber    bool // what waits takes new sequences once the producer is made; guarded by sending
	overtakings int  // how often it did; guarded by sending

	mu      sync.Mutex
	next    uint64  // position after the last record taken; guarded by mu
	waiting []*item // in order; guarded by mu
	ended   bool    // no more records come; guarded by mu
	failed  error   // why the stream cannot go on; guarded by mu
	counts  Counts  // guarded by mu
	done    chan struct{}
}

// open asks the ledger where the stream stands and starts to settle it.
func (r *Runner) openPipe(ctx context.Context, name string) (*pipe, error) {
	p := &pipe{run: r, name: name, mapping: r.mapping, room: make(chan struct{}, maxWaiting), wake: make(chan struct{}, 1), done: make(chan struct{})}
	for try := 0; ; try++ {
		err := p.connect(ctx)
		if err == nil {
			break
		}
		if final(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		r.log("stream %s: %v; trying again", name, err)
		if err := sleep(ctx, pause(try)); err != nil {
			return nil, err
		}
	}
	p.next = p.producer.Held()
	p.counts = Counts{Stream: name, Next: p.next}
	if err := r.dead.Begin(name, p.next); err != nil {
		return nil, err
	}
	go p.settle(r.settling)
	return p, nil
}

// connect makes the producer and learns what the account may speak for.
func (p *pipe) connect(ctx context.Context) error {
	account, err := p.run.client.Account(ctx, p.run.account.String(), 0)
	if err != nil {
		return fmt.Errorf("account %s: %w", p.run.account, err)
	}
	config := p.run.producer
	if p.careful > 0 {
		config.MaxBatchEvents, config.MaxInFlight = min(p.careful, config.MaxBatchEvents), 1
	}
	producer, err := p.run.client.NewProducer(ctx, p.run.key, p.name, config)
	if err != nil {
		return err
	}
	p.producer, p.grants = producer, account.Grants
	return nil
}

// Next is the position that the stream goes on from.
func (p *pipe) Next() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// End notes how far the source goes.
func (p *pipe) End(position uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.End = max(position, p.next)
}

// Put takes a record at its own position. One that was taken before is passed over.
func (p *pipe) Put(ctx context.Context, r *record.Record) error { return p.take(ctx, r, true) }

// Append takes a record under the next position. One that becomes a dead
// letter takes none.
func (p *pipe) Append(ctx context.Context, r *record.Record) error { return p.take(ctx, r, false) }

func (p *pipe) take(ctx context.Context, r *record.Record, placed bool) error {
	select {
	case p.room <- struct{}{}:
	case <-p.done:
		return p.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
	p.sending.Lock()
	defer p.sending.Unlock()
	position := p.Next()
	if placed && r.Position < position {
		<-p.room
		return nil
	}
	if placed {
		position = r.Position
	}
	p.appends = !placed
	event, why := p.mapping.Event(p.name, position, r)
	if why == nil {
		why = p.granted(&event)
	}
	i := &item{position: position, record: r}
	switch {
	case why == nil:
		i.event = &event
	case errors.Is(why, expr.ErrFiltered):
		p.count(func(c *Counts) { c.Filtered++ })
	default:
		if err := p.bury(i, why, placed); err != nil {
			return err
		}
	}
	next := position + 1
	if i.event == nil && !placed {
		next = position
	}
	p.mu.Lock()
	if p.failed != nil {
		p.mu.Unlock()
		return p.failed
	}
	p.next = next
	p.waiting = append(p.waiting, i)
	p.mu.Unlock()
	defer p.tell()
	if i.event == nil {
		return nil
	}
	return p.submit(ctx, i)
}

// granted refuses an event that the account may not speak for, before it
// spoils the batch it would share with others.
func (p *pipe) granted(e *protocol.Event) error {
	if p.grants.Cover([]byte(e.Source), []byte(e.Type)) {
		return nil
	}
	return protocol.Refuse(protocol.CodeSource, "the account was not granted source %q with type %q; ask the council for it", e.Source, e.Type)
}

// submit sends an item's event. Dead letters before it are made durable first:
// the event's batch may declare their positions as a gap, and then nothing
// would read them again. A failure of the producer is the settler's to mend.
// The caller holds sending.
func (p *pipe) submit(ctx context.Context, i *item) error {
	if err := p.run.dead.Sync(); err != nil {
		return err
	}
	future, err := p.producer.SubmitAt(ctx, i.position, *i.event)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.mu.Lock()
		i.unsent = err
		p.mu.Unlock()
		return nil
	}
	p.mu.Lock()
	i.future = future
	p.mu.Unlock()
	return nil
}

// bury makes a dead letter of an item.
func (p *pipe) bury(i *item, why error, placed bool) error {
	if err := p.run.dead.Put(letterOf(p.name, i, why, placed)); err != nil {
		return err
	}
	var row int
	p.count(func(c *Counts) {
		c.Dead++
		c.deadInRow++
		row = c.deadInRow
	})
	if limit := p.run.config.DeadLetters.StopAfter; limit > 0 && row >= limit {
		return fmt.Errorf("stream %s: %d records in a row became dead letters, which looks like a mistake in the mapping (dead_letters.stop_after); the last: %w", p.name, row, why)
	}
	return nil
}

func (p *pipe) count(change func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

// tell wakes the settler.
func (p *pipe) tell() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// settle waits for events in order until the stream ends or fails.
func (p *pipe) settle(ctx context.Context) {
	defer close(p.done)
	for try := 0; ; {
		i := p.head(ctx)
		if i == nil {
			return
		}
		err := p.settled(ctx, i)
		if err == nil {
			p.pop(i)
			try = 0
			if p.calm++; p.calm < calmAfter || !p.isCareful() {
				continue
			}
			err = p.relax(ctx)
			if err == nil {
				continue
			}
			p.fail(err)
			return
		}
		if err = p.mend(ctx, err, try); err != nil {
			p.fail(err)
			return
		}
		try++
	}
}

func (p *pipe) isCareful() bool {
	p.sending.Lock()
	defer p.sending.Unlock()
	return p.careful > 0
}

// head is the oldest item; nil when none will come.
func (p *pipe) head(ctx context.Context) *item {
	for {
		p.mu.Lock()
		if len(p.waiting) > 0 {
			i := p.waiting[0]
			p.mu.Unlock()
			return i
		}
		ended := p.ended
		p.mu.Unlock()
		if ended {
			return nil
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			p.fail(ctx.Err())
			return nil
		}
	}
}

var errUnsent = errors.New("the event was not sent")

// settled waits until an item's event is final.
func (p *pipe) settled(ctx context.Context, i *item) error {
	p.mu.Lock()
	event, future := i.event, i.future
	p.mu.Unlock()
	if event == nil {
		if i.record.Done == nil {
			return nil
		}
		return p.run.dead.Sync()
	}
	if future == nil { // it is being submitted, or was when the producer had failed
		p.sending.Lock()
		p.mu.Lock()
		future = i.future
		why := i.unsent
		p.mu.Unlock()
		p.sending.Unlock()
		if future == nil {
			return errors.Join(errUnsent, why)
		}
	}
	result, err := future.Wait(ctx)
	if err != nil {
		return err
	}
	p.count(func(c *Counts) {
		c.deadInRow = 0
		if result.Duplicate {
			c.Duplicates++
		} else {
			c.Committed++
		}
	})
	return nil
}

// pop takes the oldest item out and tells its source.
func (p *pipe) pop(i *item) {
	p.mu.Lock()
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	p.counts.Next = max(p.counts.Next, i.position+1)
	if i.event == nil && len(p.waiting) == 0 {
		p.counts.Next = p.next
	}
	p.mu.Unlock()
	if i.record.Done != nil {
		i.record.Done()
	}
	<-p.room
}

// mend makes the producer anew after it failed with err and sends again what
// waits; what the ledger holds of it is compared, not repeated. The error is
// why that cannot help.
func (p *pipe) mend(ctx context.Context, err error, try int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.sending.Lock()
	defer p.sending.Unlock()
	if errors.Is(err, errUnsent) { // the producer knows why
		failed := p.producer.Flush(ctx)
		if failed == nil { // the producer lives and does not take it
			return fmt.Errorf("stream %s: %w", p.name, err)
		}
		err = failed
	}
	closeNow(p.producer)
	switch {
	case aboutEvents(err):
		if err := p.narrow(err, try); err != nil {
			return err
		}
	case p.overtaken(err):
		return p.goBehind(ctx, try)
	case final(err):
		return fmt.Errorf("stream %s: %w", p.name, err)
	}
	return p.again(ctx, err, try)
}

// again makes the producer anew, as often as it takes, and resends what waits.
// The caller holds sending.
func (p *pipe) again(ctx context.Context, err error, try int) error {
	for ; ; try++ {
		if err != nil && !aboutEvents(err) {
			p.run.log("stream %s: %v; trying again", p.name, err)
			if err := sleep(ctx, pause(try)); err != nil {
				return err
			}
		}
		if err = p.connect(ctx); err == nil {
			if p.renumber {
				if err := p.number(); err != nil {
					return err
				}
			}
			return p.resend(ctx)
		}
		if final(err) || ctx.Err() != nil {
			return fmt.Errorf("stream %s: %w", p.name, err)
		}
	}
}

// narrowing is the factor by which batches shrink until the event that the
// ledger refuses is alone, and calmAfter how many events later they are as
// large as before.
const (
	narrowing = 8
	calmAfter = 1_000
)

// narrow finds the event that is to blame for a batch's refusal: batches in
// flight are one, and shrink until it is the oldest event that waits alone.
// The caller holds sending.
func (p *pipe) narrow(why error, try int) error {
	p.calm = 0
	code, _ := protocol.CodeOf(why)
	switch {
	case code == protocol.CodeSource && try == 0 && p.careful == 0:
		return nil // the grants are read again, and tell
	case p.careful == 0:
		p.careful = max(1, p.run.producer.MaxBatchEvents/narrowing)
		p.run.log("stream %s: the ledger refuses an event (%v); sending fewer at once to find it", p.name, why)
	case p.careful > 1:
		p.careful = max(1, p.careful/narrowing)
	default:
		p.mu.Lock()
		head := p.waiting[0]
		p.mu.Unlock()
		if err := p.bury(head, why, true); err != nil {
			return err
		}
		p.mu.Lock()
		head.event = nil
		p.mu.Unlock()
		p.careful = narrowing
	}
	return nil
}

// relax makes batches large again once no event was refused for a while.
func (p *pipe) relax(ctx context.Context) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.careful, p.calm = 0, 0
	closeNow(p.producer)
	return p.again(ctx, nil, 0)
}

// aboutEvents says that a batch was refused for what an event in it is.
func aboutEvents(err error) bool {
	var refusal *client.Refusal
	return errors.As(err, &refusal) && refusal.OfEvents()
}

// resend submits what waits. The caller holds sending.
func (p *pipe) resend(ctx context.Context) error {
	p.mu.Lock()
	waiting := p.waiting[:len(p.waiting):len(p.waiting)]
	p.mu.Unlock()
	for _, i := range waiting {
		if i.event == nil {
			continue
		}
		if why := p.granted(i.event); why != nil { // it was, when it was taken
			if err := p.bury(i, why, true); err != nil {
				return err
			}
			p.mu.Lock()
			i.event = nil
			p.mu.Unlock()
			continue
		}
		p.mu.Lock()
		i.future = nil
		p.mu.Unlock()
		if err := p.submit(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// final says that trying again cannot help.
func final(err error) bool {
	if errors.Is(err, client.ErrConflict) || errors.Is(err, client.ErrForgotten) {
		return true
	}
	var refusal *client.Refusal
	return errors.As(err, &refusal) && !refusal.Retryable
}

// fail ends the stream.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	if p.failed == nil {
		p.failed = err
	}
	p.mu.Unlock()
	p.run.stop(err)
}

func (p *pipe) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	return fmt.Errorf("stream %s has ended", p.name)
}

// close waits until everything taken is final, or ctx ends.
func (p *pipe) close(ctx context.Context) error {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.tell()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	p.sending.Lock()
	closeNow(p.producer)
	p.sending.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 && p.failed == nil {
		return fmt.Errorf("stream %s: %d records were not final in time; they are read again at the next start", p.name, len(p.waiting))
	}
	return p.failed
}

// snapshot is how the stream does.
func (p *pipe) snapshot() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// closeNow ends a producer without waiting for what is on its way.
func closeNow(p *client.Producer) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Close(ended) // why it failed is known, or does not matter
}

// pause grows from a second to half a minute.
func pause(try int) time.Duration { return min(time.Second<<min(try, 5), 30*time.Second) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
