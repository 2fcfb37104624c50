package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector/expr"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Connector is what settings describe.
type Connector interface {
	// Run carries events until the source ends, ctx does, which is no error, or
	// nothing can be done any more. Lines about its progress go to out, as JSON
	// if asked for.
	Run(ctx context.Context, c *client.Client, key protocol.PrivateKey, out io.Writer, asJSON bool) error
	// Try maps the samples of the settings, or the values given instead; of a
	// file, its first records where there are neither.
	Try(ctx context.Context, values [][]byte) ([]Tried, error)
	// Dial connects to the other system and says what is there.
	Dial(ctx context.Context) (string, error)
	// Signs says whether it sends events, and so needs a key.
	Signs() bool
}

// New makes a connector of settings. It connects to nothing yet.
func New(c *Config) (Connector, error) {
	if c.Sink == nil {
		return newRunner(c)
	}
	if c.Source != nil || c.Stream != "" || len(c.Samples) > 0 {
		return nil, errors.New("source, stream and samples do not go with a sink: a connector has one direction")
	}
	return newOutflow(c)
}

// Runner is a connector that brings events to a ledger.
type Runner struct {
	config   *Config
	client   *client.Client
	key      protocol.PrivateKey
	account  protocol.Address
	producer client.ProducerConfig
	mapping  *expr.Mapping
	source   record.Source
	dead     graveyard
	report   *reporter

	settling context.Context // outlives the source, so that what was read becomes final
	stop     context.CancelCauseFunc

	mu    sync.Mutex
	pipes map[string]*pipe // by stream; guarded by mu
	order []*pipe          // as they were opened; guarded by mu
}

func newRunner(c *Config) (*Runner, error) {
	if c.Subscription.Name != "" {
		return nil, errors.New("subscription goes with a sink, which is missing")
	}
	source, placed, err := c.Source.open()
	if err != nil {
		return nil, err
	}
	if err := protocol.CheckStreamName(c.Stream); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	mapping, err := expr.New(c.Map, !placed)
	if err != nil {
		return nil, err
	}
	if c.DeadLetters.StopAfter == 0 {
		c.DeadLetters.StopAfter = 1_000
	}
	if c.DeadLetters.File == "" && c.DeadLetters.Kafka == nil {
		_, err := c.DeadLetters.open(context.Background())
		return nil, err
	}
	producer, err := c.Batch.producer(protocol.Address{})
	return &Runner{config: c, mapping: mapping, source: source, producer: producer, pipes: map[string]*pipe{}}, err
}

// Signs says that events are sent with a key.
func (r *Runner) Signs() bool { return true }

// Run carries events to the ledger.
func (r *Runner) Run(ctx context.Context, c *client.Client, key protocol.PrivateKey, out io.Writer, asJSON bool) (err error) {
	r.client, r.key = c, key
	r.report = newReporter(out, asJSON)
	if r.account, err = c.AccountOf(ctx, key.Public()); err != nil {
		return err
	}
	r.producer.Account = r.account
	if r.dead, err = r.config.DeadLetters.open(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.dead.Close()) }()
	reading, stop := context.WithCancelCause(ctx)
	r.stop = stop
	defer stop(nil)
	settling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.settling = settling
	reporting := every(r.config.Report.Or(10*time.Second), func() { r.report.counts(r.snapshots(), false) })
	err = r.source.Run(reading, r)
	if cause := context.Cause(reading); err != nil && cause != nil {
		err = cause // a stream's failure, which the source saw as the end of its context
		if ctx.Err() != nil {
			err = nil
		}
	}
	err = errors.Join(err, r.drain())
	if closer, ok := r.source.(io.Closer); ok { // acknowledgements went through it
		err = errors.Join(err, closer.Close())
	}
	reporting()
	r.report.counts(r.snapshots(), true)
	return err
}

// drain waits until what was read is final.
func (r *Runner) drain() error {
	ctx, cancel := context.WithTimeout(r.settling, r.config.Drain.Or(30*time.Second))
	defer cancel()
	r.mu.Lock()
	pipes := slices.Clone(r.order)
	r.mu.Unlock()
	errs := make([]error, len(pipes))
	var closing sync.WaitGroup
	for i, p := range pipes {
		closing.Go(func() { errs[i] = p.close(ctx) })
	}
	closing.Wait()
	for _, err := range errs { // the first says enough: they share the ledger
		if err != nil {
			return err
		}
	}
	return nil
}

// Open opens the stream of a partition.
func (r *Runner) Open(ctx context.Context, part string) (record.Stream, error) {
	return r.openPart(ctx, part)
}

func (r *Runner) openPart(ctx context.Context, part string) (*pipe, error) {
	name := r.config.Stream
	if part != "" {
		name += "." + part
	}
	if err := protocol.CheckStreamName(name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	_, twice := r.pipes[name]
	r.mu.Unlock()
	if twice {
		return nil, fmt.Errorf("the stream %s has two sources", name)
	}
	p, err := r.openPipe(ctx, name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pipes[name], r.order = p, append(r.order, p)
	r.log("stream %s goes on from %d", name, p.Next())
	return p, nil
}

// Log tells whoever runs the connector.
func (r *Runner) Log(format string, args ...any) { r.log(format, args...) }

func (r *Runner) log(format string, args ...any) { r.report.log(fmt.Sprintf(format, args...)) }

func (r *Runner) snapshots() []Counts {
	r.mu.Lock()
	pipes := slices.Clone(r.order)
	r.mu.Unlock()
	counts := make([]Counts, len(pipes))
	for i, p := range pipes {
		counts[i] = p.snapshot()
	}
	slices.SortFunc(counts, func(a, b Counts) int { return strings.Compare(a.Stream, b.Stream) })
	return counts
}

// every calls a function at a time until the answered one is called.
func every(interval time.Duration, f func()) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				f()
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
