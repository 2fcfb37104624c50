package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ProducerConfig tunes batching. The zero value of a field means its default.
type ProducerConfig struct {
	Linger         time.Duration // how long a batch waits to fill; 20 ms, below 0 not at all
	MaxBatchEvents int           // 500; at most protocol.MaxBatchEvents
	MaxBatchBytes  int           // of canonical records; 256 KiB; at most 960 KiB
	MaxInFlight    int           // batches sent and not yet final; 8. As many small ones may wait behind them
	ExpiryBlocks   uint64        // how far ahead of the head batches expire; 2,000
	// Gaps lets SubmitAt leave sequences out. The ledger records that they will
	// never come, so that an auditor does not miss them.
	Gaps bool
	// Account is the one that the key speaks for, where that is not the one of
	// the key's address: an account that changed its key. Client.AccountOf finds it.
	Account protocol.Address
	// NoWait has Submit answer ErrFull where it would block for room.
	NoWait bool
	// Tracer, where it is set, records a span for each event, from Submit until
	// it is final, and has the event carry its trace (CloudEvents' extension
	// for distributed tracing), unless it carries one. Events of SubmitAt are
	// left as they are, so that they are the same after a restart.
	Tracer trace.Tracer
	// Seal, where it is set, seals each event before it is taken: a
	// seal.Sealer's. One that fails refuses the event.
	Seal func(ctx context.Context, e protocol.Event) (protocol.Event, error)
}

// maxBatchBytes leaves room for what surrounds records that do not compress.
const maxBatchBytes = protocol.MaxTxBytes - 64<<10

func (c *ProducerConfig) validate() error {
	if c.Linger == 0 {
		c.Linger = 20 * time.Millisecond
	}
	if c.MaxBatchEvents == 0 {
		c.MaxBatchEvents = 500
	}
	if c.MaxBatchBytes == 0 {
		c.MaxBatchBytes = 256 << 10
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 8
	}
	if c.ExpiryBlocks == 0 {
		c.ExpiryBlocks = expiryBlocks
	}
	switch {
	case c.MaxBatchEvents < 0 || c.MaxBatchEvents > protocol.MaxBatchEvents:
		return fmt.Errorf("client: MaxBatchEvents is %d, must be 1 to %d", c.MaxBatchEvents, protocol.MaxBatchEvents)
	case c.MaxBatchBytes < 0 || c.MaxBatchBytes > maxBatchBytes:
		return fmt.Errorf("client: MaxBatchBytes is %d, must be 1 to %d", c.MaxBatchBytes, maxBatchBytes)
	case c.MaxInFlight < 0 || c.MaxInFlight > 1024:
		return fmt.Errorf("client: MaxInFlight is %d, must be 1 to 1024", c.MaxInFlight)
	}
	return nil
}

var (
	// ErrClosed is what a closed producer answers.
	ErrClosed = errors.New("client: the producer is closed")
	// ErrConflict marks an event whose sequence the ledger holds with another
	// event: the stream is not the one that this source wrote.
	ErrConflict = errors.New("client: the stream holds another event at this sequence")
	// ErrForgotten marks a ledger that expects an earlier sequence than it has
	// acknowledged: it is not the one this producer began with.
	ErrForgotten = errors.New("client: the ledger no longer holds what it acknowledged")
	// ErrFull is what Submit answers with NoWait where there is no room: the
	// event was not taken.
	ErrFull = errors.New("client: the producer is full; submit the event again later")
)

// Producer writes one stream. It batches events, keeps some batches in
// flight, and repeats what was lost on the way. Its methods may be called from
// any goroutine; events take sequences in the order of the calls.
type Producer struct {
	client  *Client
	key     protocol.PrivateKey
	account protocol.Address // whose stream it is
	stream  string
	config  ProducerConfig
	held    uint64 // sequences below it were in the ledger when the producer was made

	ctx  context.Context // ends with the producer; its cause is the reason
	fail context.CancelCauseFunc

	mu      sync.Mutex
	started bool          // next is fixed; guarded by mu
	next    uint64        // sequence of the next event; guarded by mu
	filling *batch        // guarded by mu
	ready   []*batch      // full, before filling; guarded by mu
	room    chan struct{} // closes when the sender takes filling; guarded by mu
	last    *Future       // of the last event taken; guarded by mu
	closed  bool          // no more events are taken; guarded by mu

	wake   chan struct{} // tells the sender that filling has changed
	slots  chan struct{} // one token for each batch in flight
	flying chan *batch   // from the sender to the settler, in order

	order  chan struct{} // a lock that is held while batches are sent, in order
	window []*batch      // sent and not settled, in order; guarded by mu

	done chan struct{} // closes when all batches are settled

	stats stats
}

// batch is a run of events that is signed as one. The producer's mu guards it
// while it fills; then it is the sender's, and then the settler's.
type batch struct {
	first   uint64
	skip    uint64 // sequences left out right before first
	records [][]byte
	bytes   int
	futures []*Future
	opened  time.Time
	due     bool // goes out without waiting to fill

	known  rest.Status   // of the last sending, where it is committed; the settler's
	signed signed        // guarded by the producer's order
	txID   protocol.Hash // of the last sending; guarded by mu
	node   uint32        // the client's count of failovers then; guarded by mu
}

func (b *batch) last() uint64 { return b.first + uint64(len(b.records)) - 1 }

// NewProducer opens a stream of the key's account and asks the ledger where it
// stands. ctx is for that question alone. Close the producer to free what it holds.
func (c *Client) NewProducer(ctx context.Context, key protocol.PrivateKey, stream string, config ProducerConfig) (*Producer, error) {
	if err := protocol.CheckStreamName(stream); err != nil {
		return nil, err
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	account := config.Account
	if account.IsZero() {
		account = key.Address()
	}
	at, err := c.Stream(ctx, account, stream)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		client: c, key: key, account: account, stream: stream, config: config, held: at.Next, next: at.Next,
		room: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}), order: make(chan struct{}, 1),
		slots: make(chan struct{}, config.MaxInFlight), flying: make(chan *batch, config.MaxInFlight),
	}
	p.ctx, p.fail = context.WithCancelCause(context.Background())
	go p.send()
	go p.settle()
	return p, nil
}

// Held is the sequence the ledger expected when the producer was made: a
// source with positions of its own goes on from there.
func (p *Producer) Held() uint64 { return p.held }

// Submit takes an event under the stream's next sequence. While MaxInFlight
// batches are on their way and the next one is full, it blocks. The Future
// tells when the event is final.
func (p *Producer) Submit(ctx context.Context, event protocol.Event) (*Future, error) {
	event, span := p.config.begin(ctx, p.stream, event, true)
	return p.add(ctx, event, nil, span)
}

// SubmitAt takes an event under a sequence of the source's own, such as a row
// or an offset. The first call may name any sequence the ledger holds or
// expects, each later one the next; with Gaps, also a later one. Events whose
// sequences the ledger holds already are not sent: the ledger is asked what it
// holds there, and the Future says so, or fails with ErrConflict when that is
// another event. So a source may start from its beginning after every restart,
// or save time and go on from Held.
func (p *Producer) SubmitAt(ctx context.Context, sequence uint64, event protocol.Event) (*Future, error) {
	event, span := p.config.begin(ctx, p.stream, event, false)
	return p.add(ctx, event, &sequence, span)
}

func (p *Producer) add(ctx context.Context, event protocol.Event, at *uint64, span trace.Span) (*Future, error) {
	record, err := p.config.record(ctx, event)
	if err == nil {
		var future *Future
		if future, err = p.addRecord(ctx, record, at, span); err == nil {
			return future, nil
		}
	}
	endSpan(span, 0, Result{}, err)
	return nil, err
}

// record seals an event where that is wanted and checks it.
func (c *ProducerConfig) record(ctx context.Context, event protocol.Event) ([]byte, error) {
	if c.Seal != nil {
		var err error
		if event, err = c.Seal(ctx, event); err != nil {
			return nil, err
		}
	}
	record := event.AppendRecord(nil)
	var view protocol.RecordView
	if err := view.Parse(record); err != nil {
		return nil, err // refused here: it would be refused by every node
	}
	return record, nil
}

func (p *Producer) addRecord(ctx context.Context, record []byte, at *uint64, span trace.Span) (*Future, error) {
	for {
		future, room, err := p.tryAdd(record, at, span)
		if future != nil || err != nil {
			return future, err
		}
		if p.config.NoWait {
			p.stats.full.Add(1)
			return nil, ErrFull
		}
		select {
		case <-room:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.ctx.Done():
		}
	}
}

// tryAdd appends a record to the batch that is filling. Where that has no
// room, it answers a channel that closes when there is.
func (p *Producer) tryAdd(record []byte, at *uint64, span trace.Span) (*Future, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ctx.Err() != nil:
		return nil, nil, context.Cause(p.ctx)
	case p.closed:
		return nil, nil, ErrClosed
	}
	sequence, err := p.place(at)
	if err != nil {
		return nil, nil, err
	}
	b := p.filling
	if b != nil && !p.fits(b, sequence, len(record)) {
		b.due = true
		p.tell()
		if !p.mayWait(b) {
			return nil, p.room, nil
		}
		p.ready, b = append(p.ready, b), nil
	}
	if b == nil {
		b = &batch{first: sequence, opened: time.Now(), due: p.config.Linger < 0}
		if expected := max(p.next, p.held); sequence > expected {
			b.skip = sequence - expected
		}
		p.filling = b
		p.tell()
	}
	future := &Future{client: p.client, Sequence: sequence, done: make(chan struct{}), stats: &p.stats, span: span}
	b.records, b.futures, b.bytes = append(b.records, record), append(b.futures, future), b.bytes+len(record)
	p.started, p.next, p.last = true, sequence+1, future
	p.stats.taken.Add(1)
	if len(b.records) >= p.config.MaxBatchEvents {
		b.due = true
		p.tell()
	}
	return future, nil, nil
}

// place says which sequence an event takes. The caller holds mu.
func (p *Producer) place(at *uint64) (uint64, error) {
	switch {
	case at == nil:
		return p.next, nil
	case *at > protocol.MaxSequence:
		return 0, fmt.Errorf("client: stream %s: sequence %d is over the limit of %d", p.stream, *at, uint64(protocol.MaxSequence))
	case *at == p.next, !p.started && *at < p.next:
		return *at, nil
	case *at > p.next && p.config.Gaps && *at-p.next <= protocol.MaxSkip:
		return *at, nil
	case *at > p.next:
		return 0, fmt.Errorf("client: stream %s: sequence %d leaves out %d to %d; send those first, or allow Gaps", p.stream, *at, p.next, *at-1)
	}
	return 0, fmt.Errorf("client: stream %s: sequence %d was taken already; %d is the next", p.stream, *at, p.next)
}

// fits says whether an event may join a batch. What the ledger holds already
// and what it does not never share one. The caller holds mu.
func (p *Producer) fits(b *batch, sequence uint64, bytes int) bool {
	return sequence == p.next && len(b.records) < p.config.MaxBatchEvents && b.bytes+bytes <= p.config.MaxBatchBytes &&
		(b.first < p.held) == (sequence < p.held)
}

// readyBytes bounds the records of full batches that wait to be sent. Small
// batches are sent together; where batches are large, the next event waits.
const readyBytes = 16 << 10

// mayWait says whether a full batch may wait beside the others. The caller holds mu.
func (p *Producer) mayWait(b *batch) bool {
	if len(p.ready) >= p.config.MaxInFlight {
		return false
	}
	bytes := b.bytes
	for _, r := range p.ready {
		bytes += r.bytes
	}
	return bytes <= readyBytes
}

// tell wakes the sender.
func (p *Producer) tell() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

// Flush waits until every event taken so far is final, or the first has failed.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	last := p.last
	if p.filling != nil {
		p.filling.due = true
		p.tell()
	}
	p.mu.Unlock()
	if last == nil {
		return p.failure()
	}
	select {
	case <-last.done:
		return p.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes no more events, waits until all are final and ends the producer.
// When ctx ends first, events that are not final fail; the ledger may still
// come to hold them. It may be called again, with the same answer.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.tell()
	p.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.fail(fmt.Errorf("client: the producer was closed before all events were final: %w", ctx.Err()))
		<-p.done
	}
	p.fail(ErrClosed) // unless it has failed before
	return p.failure()
}

// failure is why the stream cannot go on, or nil.
func (p *Producer) failure() error {
	if err := context.Cause(p.ctx); err != ErrClosed {
		return err
	}
	return nil
}
