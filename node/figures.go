package node

import (
	"maps"
	"slices"

	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/gateway"
	"github.com/cairn-ledger/cairn/node/internal/subscription"
)

// gatewayFigures shows the gateway at /metrics.
func gatewayFigures(g *gateway.Gateway) []api.Gauge {
	f := g.Figures()
	out := []api.Gauge{
		{Name: "gateway_taken_total", Help: "Events answered 202 since the start.", Value: float64(f.Taken), Counter: true},
		{Name: "gateway_decided_total", Help: "Events of the gateway that the ledger took since the start.", Value: float64(f.Decided), Counter: true},
		{Name: "gateway_waiting_events", Help: "Events taken and not decided.", Value: float64(f.Waiting)},
		{Name: "gateway_waiting_events_max", Help: "Events that may wait before the answer is BUSY.", Value: float64(f.MaxEvents)},
		{Name: "gateway_queue_bytes", Help: "Bytes of the events that wait.", Value: float64(f.Bytes)},
		{Name: "gateway_queue_bytes_max", Help: "Bytes that may wait before the answer is BUSY.", Value: float64(f.MaxBytes)},
		{Name: "gateway_in_flight_events", Help: "Events that wait and were handed to the producer.", Value: float64(f.Sending)},
		{Name: "gateway_blocked", Help: "1 while the gateway takes nothing: it starts, or the ledger refuses its account.", Value: truth(f.Blocked)},
	}
	for _, code := range slices.Sorted(maps.Keys(f.PutAside)) {
		out = append(out, api.Gauge{
			Name: "gateway_put_aside_total", Help: "Events answered 202 that the ledger refused for good, by code.",
			Label: "code", Of: code.Name(), Value: float64(f.PutAside[code]), Counter: true,
		})
	}
	return out
}

// subscriptionFigures shows subscriptions and webhooks at /metrics.
func subscriptionFigures(m *subscription.Manager) []api.Gauge {
	f := m.Figures()
	out := []api.Gauge{
		{Name: "subscriptions", Help: "Subscriptions this node keeps.", Value: float64(f.Subscriptions)},
		{Name: "subscription_acknowledged_total", Help: "Events acknowledged since the start.", Value: float64(f.Acknowledged), Counter: true},
		{Name: "subscription_window_bytes", Help: "Bytes of events held for readers and webhooks.", Value: float64(f.WindowBytes)},
		{Name: "subscription_filter_errors_total", Help: "Events on which an expression of a filter failed.", Value: float64(f.FilterErrs), Counter: true},
		{Name: "webhook_dead_letters", Help: "Events that webhooks' receivers did not take.", Value: float64(f.DeadLetters)},
	}
	labelled := func(name, help, label string, counter bool, of string, value uint64) {
		out = append(out, api.Gauge{Name: name, Help: help, Label: label, Of: of, Value: float64(value), Counter: counter})
	}
	const deliveries, attempts = "Events delivered since the start, repeats included.", "Attempts of webhooks since the start, by what came of them."
	labelled("subscription_deliveries_total", deliveries, "by", true, "pull", f.Pulled)
	labelled("subscription_deliveries_total", deliveries, "by", true, "webhook", f.Pushed)
	labelled("webhook_attempts_total", attempts, "result", true, "taken", f.Taken)
	labelled("webhook_attempts_total", attempts, "result", true, "refused", f.Refused)
	labelled("webhook_attempts_total", attempts, "result", true, "failed", f.Failed)
	for _, state := range slices.Sorted(maps.Keys(f.Hooks)) {
		labelled("webhooks", "Webhooks by the state of their circuit.", "state", false, state, uint64(f.Hooks[state]))
	}
	for _, lag := range f.Lags {
		labelled("subscription_lag_entries", "Log entries from a subscription's cursor to the end; the 100 furthest behind.", "subscription", false, lag.Name, lag.Entries)
	}
	return out
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
