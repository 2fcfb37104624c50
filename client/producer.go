package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ProducerConfig tunes batching. The zero value of a field means its default.
type ProducerConfig struct {
	Linger         time.Duration // how long a batch waits to fill; 20 ms
	MaxBatchEvents int           // 500
	MaxBatchBytes  int           // of canonical records; 256 KiB
	MaxInFlight    int           // batches sent and not yet final; 8
}

func (c *ProducerConfig) defaults() {
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
}

// ErrClosed is what a closed producer answers.
var ErrClosed = errors.New("client: the producer is closed")

// ErrConflict marks an event whose sequence the ledger holds with another
// event: the stream is not the one that this source wrote.
var ErrConflict = errors.New("client: the stream holds another event at this sequence")

// Producer writes one stream. It batches events, keeps some batches in
// flight, and repeats what was lost on the way. Submit may be called from any
// goroutine; events take sequences in the order of the calls.
type Producer struct {
	client *Client
	key    protocol.PrivateKey
	stream string
	config ProducerConfig
	held   uint64 // sequences below it were in the ledger when the producer was made

	mu      sync.Mutex
	started bool        // guarded by mu: next is fixed
	next    uint64      // sequence of the next event; guarded by mu
	filling *batch      // guarded by mu
	timer   *time.Timer // seals filling; guarded by mu
	closed  bool        // guarded by mu

	failed atomic.Pointer[error] // why the stream cannot go on

	sealed  chan *batch // to the sender, in order; MaxInFlight batches deep
	flying  chan *batch // from the sender to the settler, in order
	resend  sync.Mutex  // held while batches are sent, in order
	window  []*batch    // sent and not settled; guarded by resend
	pending sync.WaitGroup
	done    chan struct{} // closed when the settler has ended
}

// batch is a run of events that is signed as one.
type batch struct {
	first   uint64
	records [][]byte
	bytes   int
	futures []*Future
	seed    [32]byte
	txID    protocol.Hash // of the last try
	tries   uint64        // also the nonce, so that each try is a transaction of its own
}

func (b *batch) last() uint64 { return b.first + uint64(len(b.records)) - 1 }

// NewProducer opens a stream of the key's account and asks the ledger where it stands.
func (c *Client) NewProducer(ctx context.Context, key protocol.PrivateKey, stream string, config ProducerConfig) (*Producer, error) {
	if err := protocol.CheckStreamName(stream); err != nil {
		return nil, err
	}
	config.defaults()
	at, err := c.Stream(ctx, key.Address(), stream)
	if err != nil {
		return nil, err
	}
	if _, err := c.Head(ctx); err != nil { // for expiries
		return nil, err
	}
	p := &Producer{
		client: c, key: key, stream: stream, config: config, held: at.Next, next: at.Next,
		sealed: make(chan *batch, config.MaxInFlight), flying: make(chan *batch, config.MaxInFlight), done: make(chan struct{}),
	}
	go p.send()
	go p.settle()
	return p, nil
}

// Held is the sequence the ledger expected when the producer was made: a
// source with positions of its own goes on from there.
func (p *Producer) Held() uint64 { return p.held }

// Submit takes an event under the stream's next sequence. It blocks while
// MaxInFlight batches are on their way. The Future tells when the event is final.
func (p *Producer) Submit(ctx context.Context, event protocol.Event) (*Future, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.add(ctx, p.next, event)
}

// SubmitAt takes an event under a sequence of the source's own, such as a row
// or an offset. The first call may name any sequence the ledger holds or
// expects; each later one the next. Events the ledger holds already are
// compared with what it holds and resolve without being sent.
func (p *Producer) SubmitAt(ctx context.Context, sequence uint64, event protocol.Event) (*Future, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.started && sequence <= p.held:
		p.next = sequence
	case sequence != p.next:
		return nil, fmt.Errorf("client: stream %s: sequence %d does not follow; %d does", p.stream, sequence, p.next)
	}
	return p.add(ctx, sequence, event)
}

// add appends an event to the batch that is filling. The caller holds mu.
func (p *Producer) add(ctx context.Context, sequence uint64, event protocol.Event) (*Future, error) {
	record := event.AppendRecord(nil)
	var view protocol.RecordView
	if err := view.Parse(record); err != nil {
		return nil, err // refused here: it would be refused by every node
	}
	if err := p.failure(); err != nil {
		return nil, err
	}
	if p.closed {
		return nil, ErrClosed
	}
	if b := p.filling; b != nil && (len(b.records) >= p.config.MaxBatchEvents || b.bytes+len(record) > p.config.MaxBatchBytes) {
		if err := p.seal(ctx); err != nil {
			return nil, err
		}
	}
	if p.filling == nil {
		p.filling = &batch{first: sequence}
		current := p.filling
		p.timer = time.AfterFunc(p.config.Linger, func() { p.sealLater(current) })
	}
	future := &Future{client: p.client, Sequence: sequence, done: make(chan struct{})}
	b := p.filling
	b.records, b.futures, b.bytes = append(b.records, record), append(b.futures, future), b.bytes+len(record)
	p.pending.Add(1)
	p.started, p.next = true, sequence+1
	return future, nil
}

// seal hands the filling batch to the sender, waiting for room. The caller holds mu.
func (p *Producer) seal(ctx context.Context) error {
	if p.filling == nil {
		return nil
	}
	select {
	case p.sealed <- p.filling:
		p.filling = nil
		p.timer.Stop()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sealLater seals a batch whose time is up, unless it was sealed before.
func (p *Producer) sealLater(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.filling == b && !p.closed {
		_ = p.seal(context.Background()) // only a context ends it early
	}
}

// Flush waits until every event taken so far is final or has failed.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	err := p.seal(ctx)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	settled := make(chan struct{})
	go func() { p.pending.Wait(); close(settled) }()
	select {
	case <-settled:
		return p.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close flushes and ends the producer. Events that are not final when ctx
// ends resolve with its error; the ledger may still come to hold them.
func (p *Producer) Close(ctx context.Context) error {
	err := p.Flush(ctx)
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err != nil {
		p.fail(err)
	}
	close(p.sealed)
	<-p.done
	return err
}

// fail ends the stream: what is waiting and what comes resolves with err. It
// takes no lock: Submit may hold one while it waits for room.
func (p *Producer) fail(err error) { p.failed.CompareAndSwap(nil, &err) }

func (p *Producer) failure() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// send signs and submits batches in order.
func (p *Producer) send() {
	defer close(p.flying)
	for b := range p.sealed {
		if p.failure() == nil && b.last() >= p.held {
			p.resend.Lock()
			p.window = append(p.window, b)
			if err := p.post(b); err != nil {
				p.fail(err)
			}
			p.resend.Unlock()
		}
		p.flying <- b
	}
}

// post signs a batch anew and submits it. A refusal that another try could
// change is no error: the settler finds the batch missing and repeats it.
// The caller holds resend.
func (p *Producer) post(b *batch) error {
	ctx := context.Background()
	expiry, err := p.client.expiry(ctx)
	if err != nil {
		return err
	}
	if b.seed == [32]byte{} {
		if _, err := rand.Read(b.seed[:]); err != nil {
			return fmt.Errorf("client: %w", err)
		}
	}
	body := &protocol.Batch{Stream: p.stream, First: b.first, Seed: b.seed, Records: b.records}
	raw, err := protocol.SignTx(p.client.config.ChainID, p.key, expiry, b.tries, body)
	if err != nil {
		return err
	}
	if b.txID, err = protocol.TxID(p.client.config.ChainID, raw); err != nil {
		return err
	}
	b.tries++
	_, err = p.client.Submit(ctx, raw)
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Retryable {
		return nil
	}
	return err
}

// settle follows batches to their outcome, in order.
func (p *Producer) settle() {
	defer close(p.done)
	for b := range p.flying {
		err := p.failure()
		if err == nil {
			err = p.settleOne(b)
		}
		if err != nil {
			p.fail(err)
		}
		for _, f := range b.futures {
			if err != nil {
				f.resolve(Result{}, err)
			}
			p.pending.Done()
		}
	}
}

// statusWait is how long one look at a status waits for a decision.
const statusWait = 5 * time.Second

func (p *Producer) settleOne(b *batch) error {
	if b.last() < p.held {
		return p.resolveHeld(b)
	}
	for try, looks := 0, 0; ; looks++ {
		s, err := p.client.Status(context.Background(), b.id(&p.resend), statusWait)
		switch {
		case err != nil:
			return err
		case s.State == rest.StateCommitted:
			p.landed(b)
			return p.resolve(b, s)
		case s.State == rest.StateRefused && !s.Retryable:
			return refusedStatus(s)
		case s.State == rest.StatePending && looks%4 != 3:
			continue
		}
		// Refused for a reason that passes, or lost with the node that had it.
		time.Sleep(backoff(try))
		try++
		if err := p.repeat(); err != nil {
			return err
		}
	}
}

func (b *batch) id(resend *sync.Mutex) protocol.Hash {
	resend.Lock()
	defer resend.Unlock()
	return b.txID
}

// landed takes the oldest batch out of the window.
func (p *Producer) landed(b *batch) {
	p.resend.Lock()
	defer p.resend.Unlock()
	if len(p.window) > 0 && p.window[0] == b {
		p.window = p.window[1:]
	}
}

// repeat signs and sends everything in flight again, in order. What the
// ledger has by now is absorbed.
func (p *Producer) repeat() error {
	p.resend.Lock()
	defer p.resend.Unlock()
	for _, b := range p.window {
		if err := p.post(b); err != nil {
			return err
		}
	}
	return nil
}

// resolve tells each event of a committed batch where it is.
func (p *Producer) resolve(b *batch, s rest.Status) error {
	if s.Absorbed > 0 || s.Duplicates > 0 {
		return p.resolveHeld(b)
	}
	for i, f := range b.futures {
		f.resolve(Result{Index: s.FirstIndex + uint64(i), Height: s.Height}, nil)
	}
	return nil
}

// resolveHeld asks the ledger what it holds for a batch's sequences, and
// compares it with the batch.
func (p *Producer) resolveHeld(b *batch) error {
	for at := 0; at < len(b.futures); {
		entries, err := p.client.StreamEntries(context.Background(), p.key.Address(), p.stream, b.first+uint64(at), len(b.futures)-at)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return fmt.Errorf("client: stream %s: the ledger acknowledged sequence %d and does not show it", p.stream, b.first+uint64(at))
		}
		for _, e := range entries {
			if e.Sequence != b.first+uint64(at) || e.Record != sha256.Sum256(b.records[at]) {
				return fmt.Errorf("%w: stream %s, sequence %d, entry %d; use another stream name for another source", ErrConflict, p.stream, b.first+uint64(at), e.Index)
			}
			r := Result{Index: e.Index, Height: e.Height, Duplicate: e.Kind == protocol.EntryDuplicate, Held: e.Sequence < p.held}
			if r.Duplicate && e.Cause != nil {
				r.Index = *e.Cause
			}
			b.futures[at].resolve(r, nil)
			at++
		}
	}
	return nil
}
