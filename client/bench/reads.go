package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// readable is how many events a ledger holds before reads are measured, and
// provable of how many of them receipts are fetched.
const (
	readable = 20_000
	provable = 2_000
)

// read feeds some events and then measures queries or receipts.
func (r *run) read(ctx context.Context) (measured, error) {
	stop := make(chan struct{})
	fed, feeding := context.WithCancel(ctx)
	go func() {
		defer close(stop)
		for r.load.final.Load() < readable && fed.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err := r.load.run(ctx, 0, stop)
	feeding()
	if err != nil {
		return measured{}, err
	}
	if _, err := agree(ctx, r.net.nodes); err != nil {
		return measured{}, err
	}
	found, err := auditStreams(ctx, r.clients[len(r.clients)-1], r.load.streams, r.producer.Address(), provable)
	if err != nil {
		return measured{}, err
	}
	one := r.query
	if r.name == "verify" {
		one = func(ctx context.Context, worker int, n uint64) error {
			_, err := r.clients[worker%len(r.clients)].Receipt(ctx, found.indexes[n%uint64(len(found.indexes))])
			return err
		}
	}
	var l latencies
	var done atomic.Uint64
	return r.window(ctx, func(ctx context.Context, stop <-chan struct{}) error {
		return repeat(ctx, r.Streams, stop, func(worker int, n uint64) error {
			since := time.Now()
			if err := one(ctx, worker, n); err != nil {
				return err
			}
			l.add(time.Since(since))
			done.Add(1)
			return nil
		})
	}, done.Load, &l)
}

// query asks for the price of a car park that readings were sent of.
func (r *run) query(ctx context.Context, worker int, n uint64) error {
	s := r.load.streams[worker%len(r.load.streams)]
	_, err := s.client.Query(ctx, "parking", "price", map[string]string{"lot": s.subject(n), "band": "A"})
	return err
}

// repeat runs workers that do one thing after another until stop closes.
func repeat(ctx context.Context, workers int, stop <-chan struct{}, do func(worker int, n uint64) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for n := uint64(worker); ; n += uint64(workers) {
				select {
				case <-stop:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				default:
				}
				if err := do(worker, n); err != nil {
					return fmt.Errorf("read %d: %w", n, err)
				}
			}
		})
	}
	return group.Wait()
}

// readBeside asks queries and verifies receipts while a mixed load runs, twenty
// of each a second. What it answers ends it and says how many there were.
func (r *run) readBeside(ctx context.Context) func() (queries, receipts uint64, err error) {
	if r.name != "mixed" {
		return func() (uint64, uint64, error) { return 0, 0, nil }
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	var queries, receipts uint64
	go func() {
		done <- repeat(ctx, 1, stop, func(_ int, n uint64) error {
			time.Sleep(50 * time.Millisecond)
			if r.load.final.Load() < readable {
				return nil // nothing to ask about yet
			}
			if err := r.query(ctx, 0, n); err != nil {
				return err
			}
			queries++
			entries, err := r.load.streams[0].client.StreamEntries(ctx, r.producer.Address(), r.load.streams[0].name(), n, 1)
			if err != nil || len(entries) == 0 {
				return err
			}
			if _, err := r.clients[0].Receipt(ctx, entries[0].Index); err != nil {
				return err
			}
			receipts++
			return nil
		})
	}()
	return func() (uint64, uint64, error) {
		close(stop)
		err := <-done
		return queries, receipts, err
	}
}
