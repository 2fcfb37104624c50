package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts"
)

// Run measures a scenario. There is no result where events were lost or
// duplicated, nodes disagree or a receipt does not verify: the error says what.
func Run(ctx context.Context, c Config) (*Result, error) {
	s, err := c.validate()
	if err != nil {
		return nil, err
	}
	result := &Result{Scenario: s.name, Validators: c.Validators, EventBytes: c.EventBytes}
	result.Details.LoadAverage = loadAverage()
	if c.Baseline && !s.reads {
		if result.Details.Baseline, err = measureNoop(ctx, &c); err != nil {
			return nil, err
		}
		result.BaselineEventsPerSecond = result.Details.Baseline.EventsPerSecond
	}
	if err := measureLedger(ctx, &c, s, result); err != nil {
		return nil, err
	}
	if result.BaselineEventsPerSecond > 0 {
		result.Ratio = round(result.EventsPerSecond/result.BaselineEventsPerSecond, 3)
	}
	return result, nil
}

// run is one network under load.
type run struct {
	*Config
	*scenario
	net      *devnet
	clients  []*client.Client // one for each node, which it asks first
	producer protocol.PrivateKey
	author   protocol.PrivateKey
	load     load
	meters   *meters // nil where none is read
}

func measureLedger(ctx context.Context, c *Config, s *scenario, result *Result) error {
	fmt.Fprintf(c.Say, "%s: %s\nstarting %d validators\n", s.name, s.about, c.Validators)
	var flags []string
	if c.Profile {
		flags = []string{"--cpu-profile"}
	}
	d, err := startDevnet(ctx, c.Cairnd, filepath.Join(c.Dir, "ledger"), c.Validators, flags...)
	if err != nil {
		return err
	}
	defer d.stop()
	r := &run{Config: c, scenario: s, net: d}
	if err := r.measure(ctx, result); err != nil {
		if died := d.died(); died != nil {
			return errors.Join(err, died)
		}
		return err
	}
	if c.Profile {
		result.Details.Profile = filepath.Join(d.nodes[0].Home, "cpu.pprof")
	}
	return d.died()
}

func (r *run) measure(ctx context.Context, result *Result) error {
	if err := r.connect(); err != nil {
		return err
	}
	if err := r.deploy(ctx); err != nil {
		return err
	}
	if err := r.load.open(ctx, r.clients, r.producer, r.kinds, r.Config); err != nil {
		return err
	}
	if err := r.setUpMeters(ctx); err != nil {
		return err
	}
	before, err := r.look(ctx, true)
	if err != nil {
		return err
	}
	var m measured
	switch {
	case r.reads:
		m, err = r.read(ctx)
	case r.Ramp:
		m, err = r.ramp(ctx, &result.Details)
	default:
		m, err = r.feed(ctx, r.Rate)
	}
	if err != nil {
		return err
	}
	if r.Profile { // ends here: the audit is not to be in it
		if err := syscall.Kill(r.net.nodes[0].PID, syscall.SIGUSR1); err != nil {
			return err
		}
	}
	m.into(result)
	return r.audit(ctx, before, result)
}

// feed offers events at a rate and measures.
func (r *run) feed(ctx context.Context, rate int) (measured, error) {
	beside := r.readBeside(ctx)
	m, err := r.window(ctx, func(ctx context.Context, stop <-chan struct{}) error {
		return r.load.run(ctx, rate, stop)
	}, r.load.final.Load, &r.load.latencies)
	m.queries, m.receipts, m.err = beside()
	return m, errors.Join(err, m.err)
}

// ramp raises the rate until the ledger does not keep up. What counts is the
// last rate at which it did.
func (r *run) ramp(ctx context.Context, details *Details) (best measured, err error) {
	for rate := max(r.Rate, 1000); ; rate += rate / 2 {
		m, err := r.feed(ctx, rate)
		if err != nil {
			return m, err
		}
		step := Step{Offered: rate, PerSecond: m.perSecond(), LatencyMs: m.latency}
		step.Held = step.PerSecond >= 0.95*float64(rate)
		details.Steps = append(details.Steps, step)
		fmt.Fprintf(r.Say, "offered %d/s: %.0f/s final, p50 %.0f ms, p99 %.0f ms\n", rate, step.PerSecond, m.latency.P50, m.latency.P99)
		if !step.Held {
			if best.final == 0 {
				best = m
			}
			return best, nil
		}
		best = m
	}
}

// audit counts again what the ledger holds and verifies receipts. It is what a
// result depends on.
func (r *run) audit(ctx context.Context, before *look, result *Result) error {
	if err := r.load.close(ctx); err != nil {
		return err
	}
	fmt.Fprintf(r.Say, "auditing %d events\n", r.load.sent())
	head, err := agree(ctx, r.net.nodes)
	if err != nil {
		return err
	}
	found, err := auditStreams(ctx, r.clients[len(r.clients)-1], r.load.streams, r.producer.Address(), r.Receipts)
	if err != nil {
		return err
	}
	result.Lost, result.Duplicated = found.lost, found.duplicated+r.load.repeated.Load()
	if result.Lost > 0 || result.Duplicated > 0 {
		return fmt.Errorf("no figures: of %d events %d were lost and %d duplicated", r.load.sent(), result.Lost, result.Duplicated)
	}
	after, err := r.look(ctx, true)
	if err != nil {
		return err
	}
	if err := r.checkExecuted(before, after); err != nil {
		return err
	}
	if err := r.checkPaid(ctx); err != nil {
		return err
	}
	if result.ReceiptsVerified, err = verifyReceipts(ctx, r.clients, found.indexes); err != nil {
		return fmt.Errorf("no figures: a receipt does not verify: %w", err)
	}
	sent := float64(r.load.sent())
	result.Details.Events = r.load.sent()
	result.Details.WireBytes = (after.wire - before.wire) / sent / float64(r.Validators)
	result.Details.DiskBytes = (after.disk - before.disk) / sent / float64(r.Validators)
	event := r.load.streams[0].event(0)
	result.Details.RecordBytes = len(event.AppendRecord(nil))
	fmt.Fprintf(r.Say, "%d nodes agree at height %d with %d entries\n", len(r.net.nodes), head.Height, head.LogSize)
	return nil
}

// checkExecuted compares deliveries with events, where contracts run.
func (r *run) checkExecuted(before, after *look) error {
	if len(r.contracts) == 0 {
		return nil
	}
	first, last := before.readings[0], after.readings[0]
	delivered, dead := last.delivered-first.delivered, last.dead-first.dead
	if dead > 0 || delivered != float64(r.load.sent()) {
		return fmt.Errorf("no figures: of %d events %.0f were delivered, %.0f of them refused by a contract", r.load.sent(), delivered+dead, dead)
	}
	return nil
}

// deploy deploys the scenario's contracts.
func (r *run) deploy(ctx context.Context) error {
	for _, name := range r.contracts {
		module, manifest, err := contracts.Shipped(name)
		if err != nil {
			return err
		}
		var args []byte
		if name == "metering" {
			args = []byte(meterTariff)
		}
		if _, err := r.clients[0].Deploy(ctx, r.author, module, manifest, args); err != nil {
			return fmt.Errorf("deploy %s: %w", name, err)
		}
	}
	return nil
}

// pause waits, less when the context ends or done has an error.
func pause(ctx context.Context, d time.Duration, done <-chan error) (ended bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case err := <-done:
		return true, err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
