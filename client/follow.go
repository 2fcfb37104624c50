package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Subscriptions are kept by one node for one caller, so they are asked for at
// that node and at no other.
type Subscriptions struct {
	node, token string
	http        *http.Client
}

// Subscriptions opens those that a node keeps for a token of the scope consume:
// an API token or a JWT. Without one the caller is who the client's certificate
// says.
func (c *Client) Subscriptions(node, token string) *Subscriptions {
	return &Subscriptions{node: node, token: token, http: c.config.HTTP}
}

// Create makes a subscription. The same again changes nothing.
func (s *Subscriptions) Create(ctx context.Context, wanted rest.NewSubscription) (rest.Subscription, error) {
	var out rest.Subscription
	err := s.ask(ctx, http.MethodPost, "", wanted, &out)
	return out, err
}

// List answers the caller's.
func (s *Subscriptions) List(ctx context.Context) ([]rest.Subscription, error) {
	var out rest.Subscriptions
	err := s.ask(ctx, http.MethodGet, "", nil, &out)
	return out.Subscriptions, err
}

// Delete removes one with its cursor.
func (s *Subscriptions) Delete(ctx context.Context, name string) error {
	return s.ask(ctx, http.MethodDelete, "/"+url.PathEscape(name), nil, nil)
}

// Follow is how events are fetched.
type Follow struct {
	Member  string        // of a group that shares the work
	Limit   int           // at once; 0 means 100
	Wait    time.Duration // for the first; 0 means 20 s
	Receipt bool          // each event comes with its receipt
	Restart bool          // begin with what this member has not acknowledged
	// Tracer, where it is set, has EachIn record a span for each event, in the
	// trace that the event carries.
	Tracer trace.Tracer
}

// Next leases the next events to the member for 30 seconds; none where
// nothing came in time.
func (s *Subscriptions) Next(ctx context.Context, name string, f Follow) ([]rest.Delivered, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Wait == 0 {
		f.Wait = 20 * time.Second
	}
	q := url.Values{"limit": {fmt.Sprint(f.Limit)}, "wait": {f.Wait.String()}}
	if f.Member != "" {
		q.Set("member", f.Member)
	}
	if f.Receipt {
		q.Set("receipt", "true")
	}
	if f.Restart {
		q.Set("restart", "true")
	}
	var out rest.Deliveries
	err := s.ask(ctx, http.MethodGet, "/"+url.PathEscape(name)+"/events?"+q.Encode(), nil, &out)
	return out.Events, err
}

// Ack says which events are done, and answers the cursor.
func (s *Subscriptions) Ack(ctx context.Context, name, member string, a rest.Acknowledgement) (uint64, error) {
	var out rest.Cursor
	err := s.ask(ctx, http.MethodPost, "/"+url.PathEscape(name)+"/ack?member="+url.QueryEscape(member), a, &out)
	return out.Cursor, err
}

// ErrDone is what a function given to Each answers to end it after this event.
var ErrDone = errors.New("client: done")

// Each hands events to a function, in order, and acknowledges those for which
// it answers no error; at the first error it ends, and a later call begins with
// that event. A node that does not answer is asked again until ctx ends.
func (s *Subscriptions) Each(ctx context.Context, name string, f Follow, handle func(rest.Delivered) error) error {
	return s.EachIn(ctx, name, f, func(_ context.Context, e rest.Delivered) error { return handle(e) })
}

// EachIn is Each with a context for each event: in the event's trace, and
// where Follow.Tracer is set in a span of its handling.
func (s *Subscriptions) EachIn(ctx context.Context, name string, f Follow, handle func(context.Context, rest.Delivered) error) error {
	return s.EachPage(ctx, name, f, func(page []rest.Delivered) (done int, err error) {
		for i, e := range page {
			switch err := f.traced(ctx, name, e, handle); err {
			case nil:
			case ErrDone:
				return i + 1, ErrDone
			default:
				return i, err
			}
		}
		return len(page), nil
	})
}

// EachPage is Each for whoever works on many events at once: the function is
// handed what was fetched, at least one event, and answers how many of them,
// from the first, are done, even where it answers an error as well.
func (s *Subscriptions) EachPage(ctx context.Context, name string, f Follow, handle func([]rest.Delivered) (done int, err error)) error {
	f.Restart = true
	for try := 0; ; {
		events, err := s.Next(ctx, name, f)
		if err != nil {
			var refusal *Refusal
			if ctx.Err() != nil || errors.As(err, &refusal) && !refusal.Retryable {
				return err
			}
			if sleep(ctx, backoff(try)) != nil {
				return err
			}
			f.Restart, try = true, try+1
			continue
		}
		f.Restart, try = false, 0
		if len(events) == 0 {
			continue
		}
		count, failed := handle(events)
		var done rest.Acknowledgement
		for _, e := range events[:count] {
			done.Indices = append(done.Indices, e.Index)
		}
		if count > 0 {
			if _, err := s.Ack(ctx, name, f.Member, done); err != nil {
				f.Restart = true // they come again
			}
		}
		switch failed {
		case nil:
		case ErrDone:
			return nil
		default:
			return failed
		}
	}
}

// traced handles one event in its trace.
func (f *Follow) traced(ctx context.Context, name string, e rest.Delivered, handle func(context.Context, rest.Delivered) error) error {
	ctx = InTrace(ctx, &e.Event)
	if f.Tracer == nil {
		return handle(ctx, e)
	}
	ctx, span := f.Tracer.Start(ctx, "cairn consume", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "cairn"), attribute.String("cairn.subscription", name),
		attribute.Int64("cairn.entry", int64(e.Index)), attribute.Int64("cairn.height", int64(e.Height)),
	))
	defer span.End()
	err := handle(ctx, e)
	if err != nil && err != ErrDone {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// ask sends one request and reads its JSON answer.
func (s *Subscriptions) ask(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.node+"/v1/subscriptions"+path, sent)
	if err != nil {
		return err
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		refusal := &Refusal{Status: response.StatusCode}
		if json.Unmarshal(text, &refusal.Problem) != nil {
			refusal.Problem = rest.Problem{Code: protocol.CodeUnavailable, Name: protocol.CodeUnavailable.Name(), Message: response.Status, Retryable: response.StatusCode >= 500}
		}
		return refusal
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
