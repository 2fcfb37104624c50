package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

const (
	maxTraced    = 4096 // events that are watched at once; more are not traced
	tracedFor    = 10 * time.Minute
	tracesWithin = 3 * time.Second // for the last spans to be sent when the node stops
)

// traces records what happens to events that this node took and whose producer
// samples their trace: a span from submission to commit, and one from there
// until each contract has had the event. It looks at what is committed, beside
// the chain: nothing is agreed on here, and a node without it does nothing.
type traces struct {
	backend  *backend
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger

	mu      sync.Mutex
	watched map[streamPlace]*traced // guarded by mu
}

type streamPlace struct {
	stream   protocol.StreamID
	sequence uint64
}

// traced is an event on its way. Only the goroutine of run uses it once it is watched.
type traced struct {
	parent trace.SpanContext // what the event carries
	kind   string
	taken  time.Time

	index     uint64
	committed time.Time         // zero before
	commit    trace.SpanContext // of the span that ended then
	contracts []protocol.Address
}

// newTraces sends spans to a collector as OTLP over HTTP; nil without an endpoint.
func newTraces(ctx context.Context, endpoint, name string, b *backend, log *slog.Logger) (*traces, error) {
	if endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("trace_endpoint: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("trace_endpoint: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "cairnd"), attribute.String("service.instance.id", name))),
	)
	return &traces{backend: b, provider: provider, tracer: provider.Tracer("github.com/cairn-ledger/cairn/node"), log: log, watched: map[streamPlace]*traced{}}, nil
}

// took notes the sampled events of a transaction that the mempool took.
func (t *traces) took(raw []byte) {
	if t == nil {
		return
	}
	tx, err := protocol.DecodeTx(t.backend.genesis.ChainID, raw)
	if err != nil {
		return
	}
	batch, ok := tx.Body.(*protocol.Batch)
	if !ok {
		return
	}
	var stream protocol.StreamID // found when the first sampled event is met
	for i, record := range batch.Records {
		event, err := protocol.DecodeRecord(record)
		if err != nil {
			return
		}
		parent := client.TraceOf(&event)
		if !parent.IsSampled() || !parent.IsValid() {
			continue
		}
		if stream == (protocol.StreamID{}) {
			if stream, err = t.streamOf(tx.Sender(), batch.Stream); err != nil {
				return
			}
		}
		at := streamPlace{stream, batch.First + uint64(i)}
		if _, there, err := machine.StreamEntry(t.backend.store, at.stream, at.sequence); err != nil || there {
			continue // sent again, and recorded before
		}
		t.mu.Lock()
		if t.watched[at] == nil && len(t.watched) < maxTraced {
			t.watched[at] = &traced{parent: parent, kind: event.Type, taken: time.Now()}
		}
		t.mu.Unlock()
	}
}

// streamOf is the stream of the account that a key's address speaks for.
func (t *traces) streamOf(sender protocol.Address, name string) (protocol.StreamID, error) {
	view, head, err := t.backend.viewAt(0)
	if err != nil {
		return protocol.StreamID{}, err
	}
	party, err := membership.Resolve(view, sender, head.Height)
	return protocol.NewStreamID(party.Address, name), err
}

// run looks at what each block did until ctx ends.
func (t *traces) run(ctx context.Context) {
	for ctx.Err() == nil {
		committed := t.backend.app.Committed()
		if err := t.look(); err != nil {
			t.log.Warn("events' traces cannot be followed", "err", err)
		}
		select {
		case <-committed:
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracesWithin)
	defer cancel()
	if err := t.provider.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.log.Warn("the last spans were not sent", "err", err)
	}
}

// look records what has happened to the events that are watched.
func (t *traces) look() error {
	t.mu.Lock()
	places := make(map[streamPlace]*traced, len(t.watched))
	for at, e := range t.watched { // order does not matter: each is looked at by itself
		places[at] = e
	}
	t.mu.Unlock()
	if len(places) == 0 {
		return nil
	}
	view, head, err := t.backend.viewAt(0)
	if err != nil {
		return err
	}
	contracts, err := t.backend.machine.Contracts(view)
	if err != nil {
		return err
	}
	now := time.Now()
	for at, e := range places { // order does not matter
		if e.committed.IsZero() {
			if err := t.committed(at, e, contracts, now); err != nil {
				return err
			}
		}
		if !e.committed.IsZero() {
			if err := t.delivered(e, view, head.LogSize, contracts, now); err != nil {
				return err
			}
		}
		if !e.committed.IsZero() && len(e.contracts) == 0 || now.Sub(e.taken) > tracedFor {
			t.mu.Lock()
			delete(t.watched, at)
			t.mu.Unlock()
		}
	}
	return nil
}

// committed records that an event is in the log, where it is.
func (t *traces) committed(at streamPlace, e *traced, contracts []*machine.Contract, now time.Time) error {
	index, there, err := machine.StreamEntry(t.backend.store, at.stream, at.sequence)
	if err != nil || !there {
		return err
	}
	entry, err := t.backend.entryAt(index)
	if err != nil {
		return err
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), e.parent)
	_, span := t.tracer.Start(ctx, "cairn commit", trace.WithTimestamp(e.taken), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.Int64("cairn.entry", int64(index)), attribute.Int64("cairn.height", int64(entry.Height)),
		attribute.String("cairn.kind", entry.Kind.String()), attribute.String("cloudevents.event_type", e.kind),
	))
	span.End(trace.WithTimestamp(now))
	e.index, e.committed, e.commit = index, now, span.SpanContext()
	if entry.Kind != protocol.EntryEvent {
		return nil // a duplicate is delivered to nobody
	}
	for _, c := range contracts {
		for i := range c.Manifest.Events {
			if c.Manifest.Events[i].Type == e.kind && !c.Paused && c.Since < index {
				e.contracts = append(e.contracts, c.Address)
				break
			}
		}
	}
	return nil
}

// delivered records the contracts whose cursor has passed an event.
func (t *traces) delivered(e *traced, view machine.State, size uint64, contracts []*machine.Contract, now time.Time) error {
	for _, c := range contracts {
		at := slices.Index(e.contracts, c.Address)
		if at < 0 {
			continue
		}
		lag, err := machine.Lag(view, c.Address, size)
		if err != nil {
			return err
		}
		if size-lag <= e.index {
			continue
		}
		ctx := trace.ContextWithSpanContext(context.Background(), e.commit)
		_, span := t.tracer.Start(ctx, "cairn deliver "+c.Manifest.Name, trace.WithTimestamp(e.committed), trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(
			attribute.String("cairn.contract", c.Manifest.Name), attribute.Int64("cairn.entry", int64(e.index)),
		))
		span.End(trace.WithTimestamp(now))
		e.contracts = slices.Delete(e.contracts, at, at+1)
	}
	return nil
}
