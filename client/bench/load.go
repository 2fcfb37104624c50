package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// load feeds a ledger.
type load struct {
	streams   []*stream
	latencies latencies
	final     atomic.Uint64 // events that are final
	repeated  atomic.Uint64 // of them, those the ledger took for duplicates
}

// stream is one feed and its producer.
type stream struct {
	feed
	client   *client.Client
	producer *client.Producer
	sent     uint64 // events submitted; the feeding goroutine's, then the audit's
}

// sending is an event on its way.
type sending struct {
	future *client.Future
	since  time.Time // when it was submitted or, at a given rate, should have been
}

// settleWithin bounds how long a ledger may take over what it was sent.
const settleWithin = 2 * time.Minute

// run feeds every stream until stop closes, then waits until all is final.
// rate is events a second of all streams together; 0 submits as the producers
// take them.
func (l *load) run(ctx context.Context, rate int, stop <-chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range l.streams {
		queue := make(chan sending, 1<<16)
		group.Go(func() error { return l.collect(ctx, s, queue) })
		group.Go(func() error {
			defer close(queue)
			if err := s.feedAll(ctx, float64(rate)/float64(len(l.streams)), stop, queue); err != nil {
				return fmt.Errorf("stream %s: %w", s.name(), err)
			}
			ctx, cancel := context.WithTimeout(ctx, settleWithin)
			defer cancel()
			return s.producer.Flush(ctx)
		})
	}
	return group.Wait()
}

// feedAll submits events until stop closes.
func (s *stream) feedAll(ctx context.Context, rate float64, stop <-chan struct{}, queue chan<- sending) error {
	began, first := time.Now(), s.sent
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		since := time.Now()
		if rate > 0 {
			due := began.Add(time.Duration(float64(s.sent-first) / rate * float64(time.Second)))
			if early := due.Sub(since); early > 0 {
				time.Sleep(min(early, 20*time.Millisecond))
				continue
			}
			since = due // a ledger that makes its producers wait does not look faster for it
		}
		future, err := s.producer.Submit(ctx, s.event(s.sent))
		if err != nil {
			return err
		}
		s.sent++
		select {
		case queue <- sending{future, since}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// collect counts what became final.
func (l *load) collect(ctx context.Context, s *stream, queue <-chan sending) error {
	for sent := range queue {
		result, err := sent.future.Wait(ctx)
		if err != nil {
			return fmt.Errorf("stream %s, event %d: %w", s.name(), sent.future.Sequence, err)
		}
		if result.Duplicate || result.Held {
			l.repeated.Add(1)
		}
		l.latencies.add(time.Since(sent.since))
		l.final.Add(1)
	}
	return nil
}

func (l *load) sent() (sum uint64) {
	for _, s := range l.streams {
		sum += s.sent
	}
	return sum
}

// open makes a producer for each stream, spread over the nodes.
func (l *load) open(ctx context.Context, clients []*client.Client, key protocol.PrivateKey, kinds []kind, c *Config) error {
	for i := range c.Streams {
		s := &stream{feed: feed{kind: kinds[i%len(kinds)], stream: i, bytes: c.EventBytes}, client: clients[i%len(clients)]}
		config := client.ProducerConfig{MaxBatchEvents: c.BatchEvents, MaxBatchBytes: 960 << 10, MaxInFlight: c.InFlight}
		if c.BatchEvents == 1 {
			config.Linger = -1
		}
		var err error
		if s.producer, err = s.client.NewProducer(ctx, key, s.name(), config); err != nil {
			return err
		}
		l.streams = append(l.streams, s)
	}
	return nil
}

// close ends the producers.
func (l *load) close(ctx context.Context) error {
	for _, s := range l.streams {
		if err := s.producer.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}
