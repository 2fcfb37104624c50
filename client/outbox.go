package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// OutboxConfig is where and how an Outbox keeps events. Dir is required.
type OutboxConfig struct {
	Dir string // of this stream alone; made where it is not there
	// SyncEvery is when events outlive a power cut: 0 before Submit answers,
	// which shares an fsync among those that wait; else at most that much later.
	// The crash of the process loses nothing that was answered in either case.
	SyncEvery time.Duration
	// MaxBytes bounds the events that are not final, in memory and on disk,
	// where up to an eighth more is kept; 0 means 64 MiB. Beyond it Submit waits
	// for room, or with ProducerConfig.NoWait answers ErrFull.
	MaxBytes int64
	// DeadLetters is how many events that the ledger refuses for good, for what
	// they are, may be put aside while the rest go on; at most MaxDeadLetters.
	// With 0 the first such event ends the outbox, so that nothing passes it:
	// then the stream has every event in the order of the calls. Otherwise its
	// sequence becomes a gap of the stream, which the ledger records as left out
	// by the producer, and an event that is redelivered comes behind later ones.
	// One event more than may be put aside ends the outbox as well. That an
	// account or its key may not write is no event's fault and ends it always.
	DeadLetters int
}

// minSegmentBytes keeps files from becoming many and small.
const minSegmentBytes = 64 << 10

// ErrOutbox marks an outbox that cannot be used as it is on disk.
var ErrOutbox = errors.New("client: outbox")

// Outbox is a producer whose events outlive its process: once Submit answers,
// an event is in a file under its sequence of the stream, and is sent until
// the ledger has it, by this process or by the next one that opens the outbox.
// The ledger itself says what it holds, so none is there twice. It takes
// events while no node answers. The stream is the outbox's alone.
//
// When it fails for good, as when the ledger refuses an event and
// OutboxConfig.DeadLetters does not let that be put aside, Submit and the
// futures answer why, and the events stay in the files: mend the reason, such
// as a grant that is missing, and open it again.
type Outbox struct {
	client *Client
	key    protocol.PrivateKey
	stream string
	config ProducerConfig
	limits OutboxConfig

	ctx  context.Context // ends with the outbox; its cause is the reason
	fail context.CancelCauseFunc
	work sync.WaitGroup

	redelivering sync.Mutex // held while a dead letter is submitted again; before mu
	careful      int        // events a batch, and one on its way, while the ledger refuses some event; 0 is as set. Run's
	suspect      uint64     // the refused event is below it. Run's

	mu       sync.Mutex
	spool    *spool        // guarded by mu
	dead     *morgue       // guarded by mu
	shut     bool          // the files are closed; guarded by mu
	queue    []*queued     // not final, in order; guarded by mu
	buried   int           // of the queue, events that were put aside; guarded by mu
	bytes    int64         // of the others' records; guarded by mu
	next     uint64        // sequence of the next event; guarded by mu
	durable  uint64        // events below it may be sent; guarded by mu
	closed   bool          // no more events are taken; guarded by mu
	changed  chan struct{} // closes whenever one of them changes; guarded by mu
	producer *Producer     // of the session; nil between two; guarded by mu
	past     Stats         // of earlier sessions; guarded by mu
	taken    uint64        // events; guarded by mu
	final    uint64        // events; guarded by mu
	failed   uint64        // events put aside; guarded by mu
	full     uint64        // events not taken; guarded by mu

	closing sync.Once
	ended   error // of Close; set once by closing
}

// queued is an event that is not final.
type queued struct {
	record []byte // nil: it was put aside by an earlier process
	future *Future
}

// OpenOutbox opens a stream's outbox and goes on with what it holds. A new
// one asks the ledger once where the stream stands; ctx is for that alone.
func (c *Client) OpenOutbox(ctx context.Context, key protocol.PrivateKey, stream string, config ProducerConfig, limits OutboxConfig) (*Outbox, error) {
	if err := protocol.CheckStreamName(stream); err != nil {
		return nil, err
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	if limits.MaxBytes == 0 {
		limits.MaxBytes = 64 << 20
	}
	if limits.Dir == "" || limits.MaxBytes < minSegmentBytes || limits.SyncEvery < 0 || limits.DeadLetters < 0 || limits.DeadLetters > MaxDeadLetters {
		return nil, fmt.Errorf("%w: Dir must be set, MaxBytes at least %d, SyncEvery not negative, DeadLetters 0 to %d", ErrOutbox, minSegmentBytes, MaxDeadLetters)
	}
	if config.Account.IsZero() {
		config.Account = key.Address()
	}
	o := &Outbox{client: c, key: key, stream: stream, config: config, limits: limits, changed: make(chan struct{})}
	o.ctx, o.fail = context.WithCancelCause(context.Background())
	if err := o.open(ctx); err != nil {
		return nil, err
	}
	o.work.Go(o.sync)
	o.work.Go(o.run)
	return o, nil
}

// open reads the files, or begins them where the stream stands.
func (o *Outbox) open(ctx context.Context) error {
	identity := spoolIdentity(o.client.ChainID(), o.config.Account, o.stream)
	s, records, err := openSpool(o.limits.Dir, identity, max(minSegmentBytes, o.limits.MaxBytes/8))
	if err != nil {
		return err
	}
	if o.dead, err = openMorgue(o.limits.Dir, identity); err != nil {
		return errors.Join(err, s.close())
	}
	if len(s.segments) == 0 {
		at, err := o.client.Stream(ctx, o.config.Account, o.stream)
		if err == nil {
			err = s.begin(at.Next)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%w: a new one asks where the stream stands: %w", ErrOutbox, err), s.close())
		}
	}
	o.spool, o.next = s, s.segments[0].first
	for _, record := range records {
		if o.dead.has(o.next) {
			record = nil
			o.buried++
		}
		o.enqueue(record, nil)
	}
	o.pass()
	o.durable = o.next // synced when it was opened
	if err := o.dead.forget(s.segments[0].first); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// enqueue gives a record its sequence. The caller holds mu, or is the only one.
func (o *Outbox) enqueue(record []byte, span trace.Span) *Future {
	f := &Future{client: o.client, Sequence: o.next, done: make(chan struct{}), span: span}
	o.queue = append(o.queue, &queued{record, f})
	o.bytes += int64(len(record))
	o.next++
	return f
}

// tell wakes those who wait for a change. The caller holds mu.
func (o *Outbox) tell() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// wait waits for a change after ch was read.
func (o *Outbox) wait(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-o.ctx.Done():
		return context.Cause(o.ctx)
	}
}

// Submit keeps an event under the stream's next sequence. When it answers
// without an error the event is in the outbox. After an error of ctx it may be;
// after any other it is not.
func (o *Outbox) Submit(ctx context.Context, event protocol.Event) (*Future, error) {
	event, span := o.config.begin(ctx, o.stream, event, true)
	future, err := o.add(ctx, event, span)
	if future == nil {
		endSpan(span, 0, Result{}, err)
		return nil, err
	}
	if o.limits.SyncEvery == 0 {
		err = o.waitDurable(ctx, future.Sequence)
	}
	return future, err
}

func (o *Outbox) add(ctx context.Context, event protocol.Event, span trace.Span) (*Future, error) {
	record, err := o.config.record(ctx, event)
	if err != nil {
		return nil, err
	}
	return o.addRecord(ctx, record, span)
}

func (o *Outbox) addRecord(ctx context.Context, record []byte, span trace.Span) (*Future, error) {
	for {
		future, changed, err := o.take(record, span)
		if future != nil || err != nil {
			return future, err
		}
		if err := o.wait(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// take writes a record to the file; where there is no room it answers what
// closes when that may have changed.
func (o *Outbox) take(record []byte, span trace.Span) (*Future, <-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ctx.Err() != nil:
		return nil, nil, context.Cause(o.ctx)
	case o.closed:
		return nil, nil, ErrClosed
	case o.bytes+int64(len(record)) > o.limits.MaxBytes && len(o.queue) > 0:
		if o.config.NoWait {
			o.full++
			return nil, nil, ErrFull
		}
		return nil, o.changed, nil
	}
	if err := o.spool.append(o.next, record); err != nil {
		if errors.Is(err, errDisk) {
			o.fail(err)
		}
		return nil, nil, err // not taken: the file is as it was
	}
	o.taken++
	future := o.enqueue(record, span)
	o.tell()
	return future, nil, nil
}

// waitDurable waits until an event outlives a power cut.
func (o *Outbox) waitDurable(ctx context.Context, sequence uint64) error {
	for {
		o.mu.Lock()
		done, changed := o.durable > sequence, o.changed
		o.mu.Unlock()
		if done {
			return nil
		}
		if err := o.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// sync makes events durable, all that were written meanwhile at once.
func (o *Outbox) sync() {
	for {
		o.mu.Lock()
		file, upTo, durable, changed := o.spool.file, o.next, o.durable, o.changed
		o.mu.Unlock()
		if upTo == durable {
			if o.wait(context.Background(), changed) != nil {
				return
			}
			continue
		}
		if o.limits.SyncEvery > 0 && sleep(o.ctx, o.limits.SyncEvery) != nil {
			return
		}
		if err := file.Sync(); err != nil { // what is on disk is not known: another try could lie
			o.fail(fmt.Errorf("%w: %w", errDisk, err))
			return
		}
		o.mu.Lock()
		o.durable = upTo
		o.tell()
		o.mu.Unlock()
	}
}

// Flush waits until every event taken so far is final or was put aside.
func (o *Outbox) Flush(ctx context.Context) error {
	o.mu.Lock()
	below := o.next
	o.mu.Unlock()
	for {
		o.mu.Lock()
		done, changed := len(o.queue) == 0 || o.queue[0].future.Sequence >= below, o.changed
		o.mu.Unlock()
		if done {
			return nil
		}
		if err := o.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// Close takes no more events, waits until all are final or were put aside, and
// closes the files.
// When ctx ends first, the error says how many remain: the next process that
// opens the outbox goes on with them. It may be called again, with the same answer.
func (o *Outbox) Close(ctx context.Context) error {
	o.closing.Do(func() {
		o.mu.Lock()
		o.closed = true
		o.mu.Unlock()
		err := o.Flush(ctx)
		o.fail(ErrClosed) // unless it has failed before
		o.work.Wait()
		if err != nil {
			err = fmt.Errorf("%d events remain in the outbox %s: %w", len(o.queue)-o.buried, o.limits.Dir, err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.shut = true
		o.ended = errors.Join(err, o.spool.close())
	})
	return o.ended
}

// Next is the sequence of the next event: a source with positions of its own
// goes on from there, as all before it are in the outbox, on the ledger or put aside.
func (o *Outbox) Next() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next
}

// Pending is how many events are neither final nor put aside, and their bytes.
func (o *Outbox) Pending() (events int, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) - o.buried, o.bytes
}

// Stats are those of the producers the outbox has sent with since it was
// opened. Taken, Final, Failed and Full are the outbox's own: Final counts
// events of earlier processes too, and Failed those that became dead letters.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.past
	if o.producer != nil {
		s = s.plus(o.producer.Stats())
	}
	s.Taken, s.Final, s.Full, s.Failed = o.taken, o.final, o.full, o.failed
	return s
}
