package node

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

// figure is one line of /metrics, with its labels as they are written.
func (s *solo) figure(name string) string {
	s.t.Helper()
	_, page := s.do(http.MethodGet, "/metrics", nil)
	for line := range strings.Lines(string(page)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A filter asks about the data, a mistake in one is named with its place, and
// /metrics says what the gateway and the subscriptions did.
func TestFiguresOfGatewayAndSubscriptions(t *testing.T) {
	s, secret := withGateway(t, both)
	wanted := json.RawMessage(`{"cel":"data.n % 2 == 0 && data.n > 10"}`)
	s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "even", From: "beginning", Filters: []json.RawMessage{wanted}}, &rest.Subscription{})
	hook := &rest.Webhook{URL: "http://127.0.0.1:1/nobody"}
	s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "hook", From: "beginning", Webhook: hook}, &rest.Subscription{})
	response, _, answer := s.post("/v1/subscriptions", secret, `{"name":"bad","filters":[{"cel":"data.n >\n oops"}]}`)
	if response.StatusCode != 400 || !strings.Contains(answer, "line 2, column 2: undeclared reference to 'oops'") {
		t.Errorf("%d %s", response.StatusCode, answer)
	}
	s.produce(secret, "a.v1", 0, 30, 3)
	s.post("/v1/events", secret, "{}", "Content-Type", structured)
	s.post("/v1/events", "cairn_wrong", "{}", "Content-Type", structured)
	var page rest.Deliveries
	s.call("GET", "/v1/subscriptions/even/events?wait=10s", secret, nil, &page)
	if len(page.Events) != 9 || page.Events[0].Index != 12 {
		t.Fatalf("%d events: %+v", len(page.Events), page.Events)
	}
	upTo := page.Events[4].Index
	s.call("POST", "/v1/subscriptions/even/ack", secret, rest.Acknowledgement{UpTo: &upTo}, &rest.Cursor{})
	for _, c := range []struct{ name, want string }{
		{"cairn_gateway_taken_total", "30"}, {"cairn_gateway_decided_total", "30"}, {"cairn_gateway_waiting_events", "0"}, {"cairn_gateway_queue_bytes", "0"},
		{`cairn_gateway_refused_total{code="EVENT_ATTRIBUTE_MISSING"}`, "1"}, {`cairn_gateway_refused_total{code="UNAUTHENTICATED"}`, "1"}, {"cairn_gateway_blocked", "0"},
		{"cairn_subscriptions", "2"}, {`cairn_subscription_deliveries_total{by="pull"}`, "9"}, {"cairn_subscription_acknowledged_total", "5"},
		{`cairn_subscription_lag_entries{subscription="even"}`, "8"}, {`cairn_subscription_lag_entries{subscription="hook"}`, "30"},
		{`cairn_webhooks{state="open"}`, "1"}, {`cairn_webhook_attempts_total{result="taken"}`, "0"},
	} {
		got := s.figure(c.name)
		for deadline := time.Now().Add(10 * time.Second); got != c.want && time.Now().Before(deadline); got = s.figure(c.name) {
			time.Sleep(20 * time.Millisecond)
		}
		if got != c.want {
			t.Errorf("%s is %q, want %s", c.name, got, c.want)
		}
	}
}
