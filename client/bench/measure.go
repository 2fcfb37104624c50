package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// look is all validators at about one moment.
type look struct {
	readings   []reading
	wire, disk float64 // bytes of all validators
	ownCPU     float64 // seconds of this process
}

// look reads the validators; thoroughly means also what takes time.
func (r *run) look(ctx context.Context, thoroughly bool) (*look, error) {
	return lookAt(ctx, r.net.nodes, thoroughly)
}

func lookAt(ctx context.Context, nodes []*validator, thoroughly bool) (*look, error) {
	l := &look{ownCPU: ownCPU()}
	for _, n := range nodes {
		reading, err := n.read(ctx)
		if err != nil {
			return nil, err
		}
		l.readings = append(l.readings, reading)
		if thoroughly {
			l.wire += float64(n.sent(ctx))
			l.disk += float64(n.disk())
		}
	}
	return l, nil
}

// measured is what happened between two looks under load.
type measured struct {
	begin, end        *look
	beganAt, endedAt  time.Time
	final             uint64
	latency           Latency
	maxMs             float64
	points            []point
	firstTenth        float64
	lastTenth         float64
	names             []string
	queries, receipts uint64
	err               error
}

func (m *measured) seconds() float64   { return m.endedAt.Sub(m.beganAt).Seconds() }
func (m *measured) perSecond() float64 { return float64(m.final) / m.seconds() }

// plotEvery is the interval of the plot's points.
const plotEvery = 250 * time.Millisecond

// window runs a load: warm-up, the time that is measured, and the end of it.
func (r *run) window(ctx context.Context, load func(context.Context, <-chan struct{}) error, final func() uint64, l *latencies) (m measured, err error) {
	for _, n := range r.net.nodes {
		m.names = append(m.names, n.Name)
	}
	err = m.under(ctx, r.Config, r.net.nodes, load, final, l)
	return m, err
}

func (m *measured) under(ctx context.Context, c *Config, nodes []*validator, load func(context.Context, <-chan struct{}) error, final func() uint64, l *latencies) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop, done, points := make(chan struct{}), make(chan error, 1), make(chan []point, 1)
	go func() { done <- load(ctx, stop) }()
	watching, end := context.WithCancel(ctx)
	defer end()
	go func() { points <- watch(watching, final, l, plotEvery) }()
	fail := func(err error) error {
		if err == nil {
			err = errors.New("the load ended early")
		}
		return err
	}
	if ended, err := pause(ctx, c.Warmup, done); ended || err != nil {
		return fail(err)
	}
	afterBlock(ctx, final)
	before, counts := final(), l.snapshot()
	m.beganAt = time.Now()
	var err error
	if m.begin, err = lookAt(ctx, nodes, false); err != nil {
		return err
	}
	if ended, err := pause(ctx, time.Duration(c.Seconds)*time.Second, done); ended || err != nil {
		return fail(err)
	}
	afterBlock(ctx, final)
	m.final, m.endedAt, m.latency = final()-before, time.Now(), l.since(counts)
	m.maxMs = float64(l.max.Load()) / 1000
	if m.end, err = lookAt(ctx, nodes, false); err != nil {
		return err
	}
	close(stop)
	end()
	m.points = <-points
	m.firstTenth, m.lastTenth = growth(m.points, c.Warmup.Seconds())
	if err := <-done; err != nil {
		return err
	}
	if m.final == 0 {
		return fmt.Errorf("nothing became final in %d seconds", c.Seconds)
	}
	return nil
}

// afterBlock waits until a block's events have become final and no more follow
// at once. Events become final a block at a time: a time measured from one such
// moment to another holds whole blocks, so that one more or less of them is no
// error of the figure.
func afterBlock(ctx context.Context, final func() uint64) {
	const quiet, patience = 20 * time.Millisecond, 5 * time.Second
	began, first, last, since := time.Now(), final(), final(), time.Now()
	for ctx.Err() == nil && time.Since(began) < patience {
		time.Sleep(2 * time.Millisecond)
		switch now := final(); {
		case now != last:
			last, since = now, time.Now()
		case last != first && time.Since(since) >= quiet:
			return
		}
		if last != first && time.Since(began) > patience/10 && time.Since(since) < quiet {
			return // they become final without a pause
		}
	}
}

// into writes the figures.
func (m *measured) into(r *Result) {
	d := &r.Details
	r.EventsPerSecond, r.LatencyMs = round(m.perSecond(), 0), m.latency
	first, last := m.begin.readings[0], m.end.readings[0]
	between := last.at.Sub(first.at).Seconds()
	if entries := last.entries - first.entries; entries > 0 { // both counted block by block, at one moment
		r.ExecutedPerSecond = round(m.perSecond()*(last.delivered-first.delivered)/entries, 0)
	}
	d.MaxMs, d.points, d.QueriesBeside, d.ReceiptsBeside = m.maxMs, m.points, m.queries, m.receipts
	d.FirstTenth, d.LastTenth = m.firstTenth, m.lastTenth
	d.BlockMs, d.CPUMicros = m.blockMs(), m.cpuMicros()
	d.TxsPerSecond = (last.txs - first.txs) / between
	if last.txs > first.txs {
		d.RefusedShare = (last.refused - first.refused) / (last.txs - first.txs)
	}
	d.ExecuteShare = (last.executeSeconds - first.executeSeconds) / between
	d.CommitShare = (last.commitSeconds - first.commitSeconds) / between
	d.LoadCPU = (m.end.ownCPU - m.begin.ownCPU) / between
	for i, last := range m.end.readings {
		first := m.begin.readings[i]
		p := Process{Name: m.names[i], RSSBytes: last.rssBytes}
		p.Cores = (last.cpuSeconds - first.cpuSeconds) / last.at.Sub(first.at).Seconds()
		if all := last.gcCPU + last.userCPU - first.gcCPU - first.userCPU; all > 0 {
			p.GCShare = (last.gcCPU - first.gcCPU) / all
		}
		d.Processes = append(d.Processes, p)
	}
}

// cpuMicros is the processor time of all validators for one event.
func (m *measured) cpuMicros() (micros float64) {
	for i, last := range m.end.readings {
		first := m.begin.readings[i]
		micros += (last.cpuSeconds - first.cpuSeconds) / last.at.Sub(first.at).Seconds() * 1e6 / m.perSecond()
	}
	return micros
}

func (m *measured) blockMs() float64 {
	first, last := m.begin.readings[0], m.end.readings[0]
	if last.blocks <= first.blocks {
		return 0
	}
	return last.at.Sub(first.at).Seconds() * 1000 / (last.blocks - first.blocks)
}

// measureNoop is the same load on the engine alone.
func measureNoop(ctx context.Context, c *Config) (*Baseline, error) {
	fmt.Fprintf(c.Say, "the engine alone: %d validators with an application that does nothing\n", c.Validators)
	d, err := startDevnet(ctx, c.Cairnd, filepath.Join(c.Dir, "noop"), c.Validators, "--noop")
	if err != nil {
		return nil, err
	}
	defer d.stop()
	before, err := lookAt(ctx, d.nodes, true)
	if err != nil {
		return nil, err
	}
	var m measured
	l := newNoopLoad()
	err = m.under(ctx, c, d.nodes, func(ctx context.Context, stop <-chan struct{}) error {
		return l.run(ctx, d.nodes, c, stop)
	}, l.final.Load, &l.latencies)
	if err != nil {
		return nil, errors.Join(err, d.died())
	}
	after, err := lookAt(ctx, d.nodes, true)
	if err != nil {
		return nil, err
	}
	if l.final.Load() != l.sent.Load() {
		return nil, fmt.Errorf("no figures: the engine alone took %d events and has %d", l.sent.Load(), l.final.Load())
	}
	sent := float64(l.sent.Load()) * float64(c.Validators)
	b := &Baseline{
		EventsPerSecond: round(m.perSecond(), 0), LatencyMs: m.latency, BlockMs: m.blockMs(), CPUMicros: m.cpuMicros(),
		WireBytes: (after.wire - before.wire) / sent, DiskBytes: (after.disk - before.disk) / sent,
	}
	fmt.Fprintf(c.Say, "the engine alone: %.0f events/s\n", b.EventsPerSecond)
	return b, nil
}

func round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

// ownCPU is the processor time of this process; 0 where there is no /proc.
func ownCPU() float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // USER_HZ, the same on every Linux that Go runs on
}

// loadAverage is the machine's of the last minute; empty where it does not say.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
