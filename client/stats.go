package client

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// Stats are a producer's figures since it was made. They are read one by one:
// their sums may be off by what happens meanwhile.
type Stats struct {
	Taken      uint64 // events taken
	Final      uint64 // events the ledger holds, duplicates and held ones included
	Duplicates uint64 // of those, repeats of a (source, id)
	Held       uint64 // of those, in the ledger before this producer began
	Failed     uint64 // events that were given up
	Full       uint64 // events not taken for want of room: ErrFull

	Batches  uint64 // batches sent, each counted once
	Sendings uint64 // of batches, repeats included
	Repeats  uint64 // sendings of a batch beyond its first: lost answers, failovers, refusals that pass

	InFlight  int    // batches sent and not final
	Failovers uint64 // of the client, which others may share: changes of the node in use
}

// stats are the counters behind Stats.
type stats struct {
	taken, final, duplicates, held, failed, full, batches, sendings, repeats atomic.Uint64
}

// settled counts an event that is final or was given up.
func (s *stats) settled(r *Result, err error) {
	switch {
	case s == nil:
		return
	case err != nil:
		s.failed.Add(1)
		return
	case r.Duplicate:
		s.duplicates.Add(1)
	}
	if r.Held {
		s.held.Add(1)
	}
	s.final.Add(1)
}

// Stats reads the producer's figures.
func (p *Producer) Stats() Stats {
	s := &p.stats
	p.mu.Lock()
	inFlight := len(p.window)
	p.mu.Unlock()
	return Stats{
		Taken: s.taken.Load(), Final: s.final.Load(), Duplicates: s.duplicates.Load(), Held: s.held.Load(), Failed: s.failed.Load(), Full: s.full.Load(),
		Batches: s.batches.Load(), Sendings: s.sendings.Load(), Repeats: s.repeats.Load(),
		InFlight: inFlight, Failovers: uint64(p.client.node.Load()),
	}
}

// Observe shows figures, a producer's or an outbox's Stats, as instruments of
// an OpenTelemetry meter until stop is called.
func Observe(meter metric.Meter, read func() Stats) (stop func() error, err error) {
	var faults []error
	counter := func(name, help string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter("cairn.producer."+name, metric.WithDescription(help))
		faults = append(faults, err)
		return c
	}
	taken, final := counter("taken", "Events taken."), counter("final", "Events the ledger holds.")
	duplicates, failed := counter("duplicates", "Repeats of a source and id."), counter("failed", "Events given up.")
	full := counter("full", "Events not taken for want of room.")
	sendings, repeats := counter("sendings", "Batches sent, repeats included."), counter("repeats", "Batches sent again.")
	inFlight, err := meter.Int64ObservableGauge("cairn.producer.in_flight", metric.WithDescription("Batches sent and not final."))
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := read()
		for _, c := range [...]struct {
			counter metric.Int64ObservableCounter
			value   uint64
		}{{taken, s.Taken}, {final, s.Final}, {duplicates, s.Duplicates}, {failed, s.Failed}, {full, s.Full}, {sendings, s.Sendings}, {repeats, s.Repeats}} {
			o.ObserveInt64(c.counter, int64(c.value))
		}
		o.ObserveInt64(inFlight, int64(s.InFlight))
		return nil
	}, taken, final, duplicates, failed, full, sendings, repeats, inFlight)
	if err != nil {
		return nil, err
	}
	return registered.Unregister, nil
}

// plus adds the figures of a later producer; of failovers, which the client
// counts, it takes the newest.
func (s Stats) plus(later Stats) Stats {
	return Stats{
		Taken: s.Taken + later.Taken, Final: s.Final + later.Final, Duplicates: s.Duplicates + later.Duplicates, Held: s.Held + later.Held,
		Failed: s.Failed + later.Failed, Full: s.Full + later.Full,
		Batches: s.Batches + later.Batches, Sendings: s.Sendings + later.Sendings, Repeats: s.Repeats + later.Repeats,
		InFlight: later.InFlight, Failovers: later.Failovers,
	}
}
