package node

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts"
)

// spans is a collector of OTLP over HTTP.
type spans struct {
	url string

	mu    sync.Mutex
	names map[string][]string // by trace id; guarded by mu
}

func collect(t *testing.T) *spans {
	s := &spans{names: map[string][]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(text, &sent) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					s.names[string(span.TraceId)] = append(s.names[string(span.TraceId)], span.Name)
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *spans) of(trace string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Clone(s.names[trace])
	slices.Sort(names)
	return names
}

// produceTraced sends one event and waits until it is final.
func (s *solo) produceTraced(ctx context.Context, c *client.Client, id string, tracer trace.Tracer) {
	s.t.Helper()
	p, err := c.NewProducer(ctx, s.network.Accounts["producer"], "traced", client.ProducerConfig{Tracer: tracer, Linger: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	f, err := p.Submit(ctx, protocol.Event{ID: id, Source: "/lot", Type: "parking.occupancy.v1", Subject: "lot1", HasTime: true, TimeNs: 1, DataForm: protocol.DataJSON, Data: []byte(`{"occupied":1,"capacity":9}`)})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := f.Wait(ctx); err != nil {
		s.t.Fatal(err)
	}
	p.Close(ctx)
}

// One trace leads from the producer through commit and contract to the
// consumer; an event that is not sampled leaves nothing at the node.
func TestOneTraceFromProducerToConsumer(t *testing.T) {
	collector := collect(t)
	s := found(t)
	s.config.TraceEndpoint = collector.url
	secret, err := AddToken(s.home, Token{Name: "test", Scopes: []string{"consume"}})
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	c, err := client.New(client.Config{Nodes: []string{"http://" + s.config.APIAddress}, ChainID: "cairn-test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	module, manifest, err := contracts.Shipped("parking")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Deploy(ctx, s.network.Accounts["author"], module, manifest, nil); err != nil {
		t.Fatal(err)
	}
	recorded := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorded)).Tracer("test")
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("test")
	s.produceTraced(ctx, c, "a", tracer)
	s.produceTraced(ctx, c, "b", never)
	var traces []string // of the two events
	subs := c.Subscriptions(c.Config().Nodes[0], secret)
	if _, err := subs.Create(ctx, rest.NewSubscription{Name: "traced", From: "beginning", Filters: nil}); err != nil {
		t.Fatal(err)
	}
	err = subs.EachIn(ctx, "traced", client.Follow{Tracer: tracer}, func(_ context.Context, e rest.Delivered) error {
		if e.Event.Source != "/lot" {
			return nil
		}
		id := client.TraceOf(&e.Event).TraceID()
		if traces = append(traces, string(id[:])); len(traces) == 2 {
			return client.ErrDone
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, span := range recorded.GetSpans() {
		if id := span.SpanContext.TraceID(); string(id[:]) == traces[0] {
			own = append(own, span.Name)
		}
	}
	if want := []string{"cairn submit", "cairn consume"}; !slices.Equal(own, want) {
		t.Errorf("the client's spans are %v, want %v", own, want)
	}
	want := []string{"cairn commit", "cairn deliver parking"}
	for deadline := time.Now().Add(10 * time.Second); !slices.Equal(collector.of(traces[0]), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the node's spans are %v, want %v", collector.of(traces[0]), want)
		}
	}
	if names := collector.of(traces[1]); len(names) > 0 {
		t.Errorf("an event that is not sampled left %v", names)
	}
}
