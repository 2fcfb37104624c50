package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/access"
	"github.com/cairn-ledger/cairn/node/internal/subscription"
)

func (s *Server) subscriptionRoutes() []route {
	return []route{
		{pattern: "GET /v1/events/stream", params: []string{"from", "type", "source", "subject", "receipt"}, handle: s.tail},
		{pattern: "GET /v1/transactions/{id}/stream", handle: s.statusStream},
		{pattern: "POST /v1/subscriptions", handle: s.subscribe, body: true},
		{pattern: "GET /v1/subscriptions", handle: s.subscriptions},
		{pattern: "GET /v1/subscriptions/{name}", handle: s.subscription},
		{pattern: "DELETE /v1/subscriptions/{name}", handle: s.unsubscribe},
		{pattern: "GET /v1/subscriptions/{name}/events", params: []string{"wait", "limit", "member", "restart", "receipt"}, handle: s.deliver},
		{pattern: "POST /v1/subscriptions/{name}/ack", params: []string{"member"}, handle: s.acknowledge, body: true},
		{pattern: "GET /v1/subscriptions/{name}/dead-letters", params: []string{"from", "limit"}, handle: s.deadEvents},
		{pattern: "POST /v1/subscriptions/{name}/redeliver", handle: s.redeliver, body: true},
	}
}

var errNoSubscriptions = protocol.Refuse(protocol.CodeUnavailable, "this node keeps no subscriptions")

// consumer is the token of a request that may keep subscriptions.
func (s *Server) consumer(r *request) (access.Token, error) {
	if s.config.Subscriptions == nil {
		return access.Token{}, errNoSubscriptions
	}
	return s.caller(r, access.Consume)
}

// named finds the subscription in the path, of the token's own.
func (s *Server) named(r *request) (*subscription.Subscription, error) {
	token, err := s.consumer(r)
	if err != nil {
		return nil, err
	}
	return s.config.Subscriptions.Find(token.Name, r.PathValue("name"))
}

func (r *request) json(into any) error {
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return protocol.Refuse(protocol.CodeBadRequest, "the body is not what this path takes: %v", err)
	}
	return nil
}

func (s *Server) subscribe(r *request) (any, error) {
	token, err := s.consumer(r)
	if err != nil {
		return nil, err
	}
	var wanted rest.NewSubscription
	if err := r.json(&wanted); err != nil {
		return nil, err
	}
	from, err := s.startOf(wanted.From)
	if err != nil {
		return nil, err
	}
	return s.config.Subscriptions.Create(rest.Subscription{
		Name: wanted.Name, Owner: token.Name, Filters: wanted.Filters, Webhook: wanted.Webhook, Cursor: from,
	})
}

// startOf is the entry that "beginning", "now", an index or a time means.
func (s *Server) startOf(from string) (uint64, error) {
	switch from {
	case "beginning":
		return 0, nil
	case "", "now":
		return s.config.Events.Size(), nil
	}
	if index, err := strconv.ParseUint(from, 10, 62); err == nil {
		return index, nil
	}
	at, err := time.Parse(time.RFC3339Nano, from)
	if err != nil {
		return 0, protocol.Refuse(protocol.CodeBadRequest, `from: %q must be "beginning", "now", an index or a time of RFC 3339`, clip(from))
	}
	height, err := s.backend.HeightAt(at.UnixMilli() - 1) // the last block before
	if code, _ := protocol.CodeOf(err); err != nil && (code == protocol.CodeNotFound || code == protocol.CodeBadRequest) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if height == 0 {
		return 0, nil
	}
	head, err := s.backend.HeadAt(height)
	return head.LogSize, err
}

func (s *Server) subscriptions(r *request) (any, error) {
	token, err := s.consumer(r)
	if err != nil {
		return nil, err
	}
	return rest.Subscriptions{Subscriptions: s.config.Subscriptions.List(token.Name)}, nil
}

func (s *Server) subscription(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	return sub.Terms(), nil
}

func (s *Server) unsubscribe(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	return map[string]string{}, s.config.Subscriptions.Delete(sub)
}

// flag reads a parameter that is true or absent.
func (r *request) flag(name string) (bool, error) {
	switch text := r.params.Get(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, protocol.Refuse(protocol.CodeBadRequest, "%s: %q must be true or false", name, clip(text))
	}
}

const maxMember = 64

func (r *request) member() (string, error) {
	member := r.params.Get("member")
	if len(member) > maxMember {
		return "", protocol.Refuse(protocol.CodeBadRequest, "member: at most %d bytes", maxMember)
	}
	return member, nil
}

// deliver leases events to a reader: at once or within ?wait=, or as
// server-sent events where the client accepts those.
func (s *Server) deliver(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	if sub.Terms().Webhook != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "the subscription's events are sent to its webhook")
	}
	member, err := r.member()
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	wait, err := r.wait()
	if err != nil {
		return nil, err
	}
	receipt, err := r.flag("receipt")
	if err != nil {
		return nil, err
	}
	asStream := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	restart, err := r.flag("restart")
	if err != nil {
		return nil, err
	}
	if restart || asStream {
		sub.Restart(member)
	}
	if asStream {
		return live(func(ctx context.Context) ([]sse, bool, error) {
			items, err := sub.Next(ctx, member, int(limit))
			if err != nil {
				return nil, false, err
			}
			lines, err := s.lines(r.Context(), items, receipt)
			return lines, false, err
		}), nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	items, err := sub.Next(ctx, member, int(limit))
	if err != nil {
		return nil, err
	}
	out := []byte(`{"events":[`)
	for i, item := range items {
		text, err := s.delivered(r.Context(), item, receipt)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	return raw{"application/json", append(out, "]}\n"...)}, nil
}

func (s *Server) lines(ctx context.Context, items []subscription.Item, receipt bool) (out []sse, err error) {
	if !receipt && len(items) > 1 { // many readers that catch up leave a core to others
		s.renders <- struct{}{}
		defer func() { <-s.renders }()
	}
	for _, item := range items {
		text, err := s.delivered(ctx, item, receipt)
		if err != nil {
			return nil, err
		}
		out = append(out, sse{id: strconv.FormatUint(item.Index, 10), data: text})
	}
	return out, nil
}

// delivered renders an event with its place, and its data as they were submitted.
func (s *Server) delivered(ctx context.Context, item subscription.Item, receipt bool) ([]byte, error) {
	event, err := protocol.DecodeRecord(item.Record)
	if err != nil {
		return nil, err
	}
	text, err := event.MarshalJSON()
	if err != nil {
		return nil, err
	}
	out := fmt.Appendf(nil, `{"index":%d,"height":%d,"timeMs":%d,"origin":%q,"event":%s`, item.Index, item.Height, item.TimeMs, item.Origin, text)
	if receipt {
		r, err := s.backend.Receipt(ctx, item.Index)
		if err != nil {
			return nil, err
		}
		proof, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out = append(append(out, `,"receipt":`...), bytes.TrimSpace(proof)...)
	}
	return append(out, '}'), nil
}

func (s *Server) acknowledge(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	member, err := r.member()
	if err != nil {
		return nil, err
	}
	var a rest.Acknowledgement
	if err := r.json(&a); err != nil {
		return nil, err
	}
	if len(a.Indices)+len(a.Nack) > 2000 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "at most 2000 indices at once")
	}
	cursor, err := sub.Ack(member, a)
	return rest.Cursor{Cursor: cursor}, err
}

func (s *Server) deadEvents(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	letters, err := sub.DeadLetters(from, int(limit))
	return rest.DeadEvents{DeadLetters: letters}, err
}

func (s *Server) redeliver(r *request) (any, error) {
	sub, err := s.named(r)
	if err != nil {
		return nil, err
	}
	var which struct {
		Indices []uint64 `json:"indices"`
	}
	if err := r.json(&which); err != nil {
		return nil, err
	}
	count, err := sub.Redeliver(which.Indices)
	return map[string]int{"redelivered": count}, err
}

// tail tells of every event as it comes, from ?from= or after Last-Event-ID.
// Its place is the client's to keep.
func (s *Server) tail(r *request) (any, error) {
	if s.config.Events == nil {
		return nil, errNoSubscriptions
	}
	from, err := s.startOf(r.params.Get("from"))
	if err != nil {
		return nil, err
	}
	if at, ok, err := r.lastEventID(); err != nil {
		return nil, err
	} else if ok {
		from = at
	}
	receipt, err := r.flag("receipt")
	if err != nil {
		return nil, err
	}
	next, err := subscription.Tail(s.config.Events, from, tailFilters(r))
	if err != nil {
		return nil, err
	}
	return live(func(ctx context.Context) ([]sse, bool, error) {
		items, err := next(ctx)
		if err != nil {
			return nil, false, err
		}
		lines, err := s.lines(r.Context(), items, receipt)
		return lines, false, err
	}), nil
}

// tailFilters turns ?type=reading.* into a filter: a star at the end is any end.
func tailFilters(r *request) (out []json.RawMessage) {
	for _, name := range []string{"type", "source", "subject"} {
		text := r.params.Get(name)
		if text == "" {
			continue
		}
		dialect := "exact"
		if head, star := strings.CutSuffix(text, "*"); star {
			if head == "" {
				continue
			}
			dialect, text = "prefix", head
		}
		filter, _ := json.Marshal(map[string]map[string]string{dialect: {name: text}})
		out = append(out, filter)
	}
	return out
}

func marshalLine(v any) ([]byte, error) { return json.Marshal(v) }
