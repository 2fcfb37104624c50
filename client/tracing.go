package client

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Attributes of the CloudEvents extension for distributed tracing, which carry
// W3C Trace Context of where an event began, not of the last hop.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// TraceOf is the trace context that an event carries; an invalid one where it
// carries none.
func TraceOf(e *protocol.Event) trace.SpanContext {
	var config trace.SpanContextConfig
	for _, x := range e.Extensions {
		switch {
		case x.Kind != protocol.ExtensionString:
		case x.Name == traceParent:
			config.TraceID, config.SpanID, config.TraceFlags = parseTraceParent(x.Text)
		case x.Name == traceState:
			if state, err := trace.ParseTraceState(x.Text); err == nil {
				config.TraceState = state
			}
		}
	}
	config.Remote = true
	return trace.NewSpanContext(config)
}

// parseTraceParent reads version 00, and what later versions have in common
// with it; zero values where it is neither (W3C Trace Context, section 3.2).
func parseTraceParent(text string) (id trace.TraceID, span trace.SpanID, flags trace.TraceFlags) {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' || strings.ToLower(text) != text ||
		text[:2] == "ff" || text[:2] == "00" && len(text) != length || len(text) > length && text[length] != '-' {
		return id, span, 0
	}
	id, err1 := trace.TraceIDFromHex(text[3:35])
	span, err2 := trace.SpanIDFromHex(text[36:52])
	digit := strings.IndexByte("0123456789abcdef", text[54])
	if err1 != nil || err2 != nil || digit < 0 {
		return trace.TraceID{}, trace.SpanID{}, 0
	}
	return id, span, trace.TraceFlags(digit) & trace.FlagsSampled
}

// InTrace is a context in the trace that an event carries, for spans of
// whoever handles it.
func InTrace(ctx context.Context, e *protocol.Event) context.Context {
	if parent := TraceOf(e); parent.IsValid() {
		return trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	return ctx
}

// withTrace gives an event the trace context of a span.
func withTrace(e protocol.Event, of trace.SpanContext) protocol.Event {
	e.Extensions = slices.Clone(e.Extensions)
	set := func(name, text string) {
		at, there := slices.BinarySearchFunc(e.Extensions, name, func(x protocol.Extension, name string) int { return strings.Compare(x.Name, name) })
		if !there && text != "" {
			e.Extensions = slices.Insert(e.Extensions, at, protocol.Extension{Name: name, Kind: protocol.ExtensionString, Text: text})
		}
	}
	set(traceParent, "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-"+of.TraceFlags().String())
	set(traceState, of.TraceState().String())
	return e
}

// begin starts an event's span, from Submit until it is final. With mark an
// event without a trace is given that of the span. Without a tracer it does nothing.
func (c *ProducerConfig) begin(ctx context.Context, stream string, e protocol.Event, mark bool) (protocol.Event, trace.Span) {
	if c.Tracer == nil {
		return e, nil
	}
	origin := TraceOf(&e)
	if origin.IsValid() && !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, origin)
	}
	_, span := c.Tracer.Start(ctx, "cairn submit", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "cairn"), attribute.String("cairn.stream", stream),
		attribute.String("cloudevents.event_id", e.ID), attribute.String("cloudevents.event_source", e.Source), attribute.String("cloudevents.event_type", e.Type),
	))
	if mark && !origin.IsValid() && span.SpanContext().IsValid() {
		e = withTrace(e, span.SpanContext())
	}
	return e, span
}

// endSpan closes an event's span with what became of it.
func endSpan(span trace.Span, sequence uint64, r Result, err error) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.Int64("cairn.sequence", int64(sequence)))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	} else {
		span.SetAttributes(attribute.Int64("cairn.entry", int64(r.Entry)), attribute.Int64("cairn.height", int64(r.Height)))
	}
	span.End()
}
