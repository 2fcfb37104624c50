package node

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

// Readers that sleep, fail or do not read what they are sent cost a neighbour
// nothing to speak of.
func TestSlowReadersSlowNobody(t *testing.T) {
	s, secret := withGateway(t, both)
	s.produce(secret, "old.v1", 0, 1000, 10)
	s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "fast", Filters: []json.RawMessage{json.RawMessage(`{"exact":{"type":"new.v1"}}`)}}, &rest.Subscription{})
	at := 0
	measure := func() (median, worst time.Duration) {
		var took []time.Duration
		for range 30 {
			start := time.Now()
			s.post("/v1/events", secret, fmt.Sprintf(`{"specversion":"1.0","id":"n%d","source":"/s","type":"new.v1"}`, at), "Content-Type", structured)
			at++
			var page rest.Deliveries
			s.call("GET", "/v1/subscriptions/fast/events?wait=10s", secret, nil, &page)
			if len(page.Events) != 1 {
				t.Fatalf("%d events", len(page.Events))
			}
			took = append(took, time.Since(start))
			s.call("POST", "/v1/subscriptions/fast/ack", secret, rest.Acknowledgement{UpTo: &page.Events[0].Index}, &rest.Cursor{})
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)-1]
	}
	median, worst := measure()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer failing.Close()
	for i := range 20 {
		hook := &rest.Webhook{URL: failing.URL}
		s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: fmt.Sprintf("hook%d", i), From: "beginning", Webhook: hook}, &rest.Subscription{})
		s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: fmt.Sprintf("asleep%d", i), From: "beginning"}, &rest.Subscription{})
		s.call("GET", fmt.Sprintf("/v1/subscriptions/asleep%d/events", i), secret, nil, &rest.Deliveries{})
	}
	for range 200 { // ask for everything and read nothing
		c, err := net.Dial("tcp", s.config.APIAddress)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /v1/events/stream?from=beginning HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	median2, worst2 := measure()
	t.Logf("from sent to delivered: median %s, worst %s; with 240 slow readers %s, %s", median, worst, median2, worst2)
	if median2 > 10*median+time.Second { // starved, whatever else the machine does
		t.Errorf("slow readers made a neighbour's median %s of %s", median2, median)
	}
	s.call("DELETE", "/v1/subscriptions/hook0", secret, nil, &struct{}{})
}
