package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

var both = Token{Scopes: []string{"produce", "consume"}}

// call asks with the token and reads the answer into a value.
func (s *solo) call(method, path, secret string, body any, into any) int {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequest(method, "http://"+s.config.APIAddress+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var out bytes.Buffer
		out.ReadFrom(response.Body)
		if into != nil {
			s.t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, &out)
		}
	} else if into != nil {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return response.StatusCode
}

// produce submits events of some subjects in turn and waits until they are final.
func (s *solo) produce(secret, kind string, from, count, subjects int) {
	s.t.Helper()
	var batch []string
	for i := from; i < from+count; i++ {
		batch = append(batch, fmt.Sprintf(`{"specversion":"1.0","id":"%s%d","source":"/s","type":"%s","subject":"s%d","data":{"n": %d}}`, kind, i, kind, i%subjects, i))
	}
	response, _, text := s.post("/v1/events?wait=30s", secret, "["+strings.Join(batch, ",")+"]", "Content-Type", "application/cloudevents-batch+json")
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%d %s", response.StatusCode, text)
	}
}

func number(t *testing.T, e protocol.Event) (n int) {
	t.Helper()
	var data struct{ N int }
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data.N
}

func TestSubscriptionOutlivesBothEnds(t *testing.T) {
	s, secret := withGateway(t, both)
	s.produce(secret, "a.v1", 0, 100, 3)
	s.produce(secret, "b.v1", 0, 50, 3)
	var made rest.Subscription
	ask := rest.NewSubscription{Name: "follow", From: "beginning", Filters: []json.RawMessage{json.RawMessage(`{"any":[{"suffix":{"type":"b.v1"}},{"all":[{"exact":{"type":"a.v1"}},{"not":{"prefix":{"subject":"s0"}}}]}]}`)}}
	s.call("POST", "/v1/subscriptions", secret, ask, &made)
	s.call("POST", "/v1/subscriptions", secret, ask, &made) // the same again
	var page rest.Deliveries
	s.call("GET", "/v1/subscriptions/follow/events?limit=30&receipt=true", secret, nil, &page)
	if len(page.Events) != 30 || page.Events[0].Index != 1 || len(page.Events[0].Receipt) == 0 || string(page.Events[0].Event.Data) != `{"n": 1}` {
		t.Fatalf("first page: %d events, %+v", len(page.Events), page.Events[0])
	}
	upTo := page.Events[19].Index
	var at rest.Cursor
	s.call("POST", "/v1/subscriptions/follow/ack", secret, rest.Acknowledgement{UpTo: &upTo}, &at)
	if at.Cursor != page.Events[20].Index {
		t.Errorf("cursor %d, want %d", at.Cursor, page.Events[20].Index)
	}
	want := page.Events[20].Index
	s.halt()
	s.start()
	s.gatewayUp()
	seen := 20
	for { // what was leased and not acknowledged comes again
		var page rest.Deliveries
		s.call("GET", "/v1/subscriptions/follow/events?limit=1000&wait=100ms", secret, nil, &page)
		if len(page.Events) == 0 {
			break
		}
		if seen == 20 && page.Events[0].Index != want {
			t.Errorf("after a restart: %d, want %d", page.Events[0].Index, want)
		}
		seen += len(page.Events)
		upTo := page.Events[len(page.Events)-1].Index
		s.call("POST", "/v1/subscriptions/follow/ack", secret, rest.Acknowledgement{UpTo: &upTo}, &at)
	}
	if want := 100 - 34 + 50; seen != want {
		t.Errorf("delivered %d, want %d", seen, want)
	}
	if status := s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "follow"}, nil); status != 400 {
		t.Errorf("other terms: %d", status)
	}
	if status := s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "bad", Filters: []json.RawMessage{json.RawMessage(`{"sql":"1"}`)}}, nil); status != 400 {
		t.Errorf("unknown dialect: %d", status)
	}
	s.call("DELETE", "/v1/subscriptions/follow", secret, nil, &struct{}{})
	if status := s.call("GET", "/v1/subscriptions/follow", secret, nil, nil); status != 404 {
		t.Errorf("after its end: %d", status)
	}
}

// Members of a group share the events; each subject's stay in order, also when
// a member dies with some in hand.
func TestGroupSharesInOrder(t *testing.T) {
	s, secret := withGateway(t, both)
	s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "group", From: "beginning"}, &rest.Subscription{})
	const events, subjects = 900, 7
	s.produce(secret, "a.v1", 0, events, subjects)
	var lost rest.Deliveries // taken by a member that dies
	s.call("GET", "/v1/subscriptions/group/events?limit=5&member=dead", secret, nil, &lost)
	var nack rest.Acknowledgement
	for _, e := range lost.Events {
		nack.Nack = append(nack.Nack, e.Index)
	}
	var mu sync.Mutex
	last, seen, shares := map[string]int{}, 0, map[string]int{}
	var work sync.WaitGroup
	for _, member := range []string{"x", "y", "z"} {
		work.Go(func() {
			for {
				var page rest.Deliveries
				s.call("GET", "/v1/subscriptions/group/events?limit=20&wait=300ms&member="+member, secret, nil, &page)
				if len(page.Events) == 0 {
					return
				}
				var done rest.Acknowledgement
				mu.Lock()
				for _, e := range page.Events {
					n := number(t, e.Event)
					if before, ok := last[e.Event.Subject]; ok && n != before+subjects {
						t.Errorf("%s: %d after %d", e.Event.Subject, n, before)
					}
					last[e.Event.Subject] = n
					seen++
					shares[member]++
					done.Indices = append(done.Indices, e.Index)
				}
				mu.Unlock()
				s.call("POST", "/v1/subscriptions/group/ack?member="+member, secret, done, &rest.Cursor{})
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	s.call("POST", "/v1/subscriptions/group/ack?member=dead", secret, nack, &rest.Cursor{})
	work.Wait()
	if seen != events || len(shares) < 2 {
		t.Errorf("%d of %d events, shares %v", seen, events, shares)
	}
}

// readLines reads server-sent events until it has enough.
func (s *solo) readLines(path, lastID string, count int) (ids, data []string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.config.APIAddress+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for len(data) < count && lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, text)
		}
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data = append(data, text)
		}
	}
	return ids, data
}

func TestTailResumes(t *testing.T) {
	s, secret := withGateway(t, both)
	s.produce(secret, "a.v1", 0, 10, 2)
	s.produce(secret, "b.v1", 0, 10, 2)
	ids, data := s.readLines("/v1/events/stream?from=beginning&type=a.*&subject=s1", "", 3)
	if len(ids) != 3 || ids[2] != "5" || !strings.Contains(data[2], `"data":{"n": 5}`) {
		t.Fatalf("%v %v", ids, data)
	}
	go func() {
		time.Sleep(200 * time.Millisecond)
		s.post("/v1/events", secret, `{"specversion":"1.0","id":"new","source":"/s","type":"a.v1","subject":"s1"}`, "Content-Type", structured)
	}()
	if ids, _ = s.readLines("/v1/events/stream?type=a.*&subject=s1", "5", 3); len(ids) != 3 || ids[0] != "7" || ids[2] != "20" {
		t.Errorf("resumed: %v", ids)
	}
	raw := s.batch(0, 5)
	id, _ := protocol.TxID("cairn-test", raw)
	go func() {
		time.Sleep(100 * time.Millisecond)
		s.do(http.MethodPost, "/v1/transactions", raw)
	}()
	_, data = s.readLines("/v1/transactions/"+id.String()+"/stream", "", 9)
	if len(data) < 2 || !strings.Contains(data[0], `"unknown"`) || !strings.Contains(data[len(data)-1], `"committed"`) {
		t.Errorf("status: %v", data)
	}
}

// receiver is the stock receiver of the CloudEvents SDK.
type receiver struct {
	url string

	mu     sync.Mutex
	down   bool             // answers 500; guarded by mu
	refuse int              // answers 422 to it; guarded by mu
	got    map[string][]int // by subject; guarded by mu
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{down: true, refuse: 13, got: map[string][]int{}}
	binding, err := cloudevents.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := cloudevents.NewHTTPReceiveHandler(t.Context(), binding, func(e cloudevents.Event) cloudevents.Result {
		r.mu.Lock()
		defer r.mu.Unlock()
		var data struct{ N int }
		if err := e.DataAs(&data); err != nil || e.Validate() != nil {
			t.Errorf("%v: %v", e, err)
		}
		switch {
		case r.down:
			return cloudevents.NewHTTPResult(http.StatusInternalServerError, "down")
		case data.N == r.refuse:
			return cloudevents.NewHTTPResult(http.StatusUnprocessableEntity, "never")
		}
		r.got[e.Subject()] = append(r.got[e.Subject()], data.N)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) set(down bool, refuse int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down, r.refuse = down, refuse
}

func (r *receiver) total() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.got {
		n += len(list)
	}
	return n
}

// The stock receiver of the CloudEvents SDK takes what webhooks send. It fails
// for a while, and refuses one event for good.
func TestWebhookReachesTheSDK(t *testing.T) {
	s, secret := withGateway(t, both)
	r := newReceiver(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d events", what, r.total())
			}
		}
	}
	hook := &rest.Webhook{URL: r.url + "/in", Attempts: 6, Headers: map[string]string{"Authorization": "Bearer x"}}
	s.call("POST", "/v1/subscriptions", secret, rest.NewSubscription{Name: "hook", From: "beginning", Webhook: hook}, &rest.Subscription{})
	s.produce(secret, "a.v1", 0, 40, 4)
	until("the circuit opens", func() bool {
		var is rest.Subscription
		s.call("GET", "/v1/subscriptions/hook", secret, nil, &is)
		return is.Push != nil && is.Push.State == "open" && is.Cursor == 0
	})
	r.set(false, 13)
	until("all but one", func() bool { return r.total() == 39 })
	var letters rest.DeadEvents
	until("a dead letter", func() bool {
		s.call("GET", "/v1/subscriptions/hook/dead-letters", secret, nil, &letters)
		return len(letters.DeadLetters) == 1
	})
	if l := letters.DeadLetters[0]; l.Index != 13 || l.Attempts != 6 || !strings.Contains(l.Error, "422") {
		t.Errorf("dead letter: %+v", l)
	}
	for subject, list := range r.got {
		for i := 1; i < len(list); i++ {
			if list[i] <= list[i-1] {
				t.Errorf("%s: %v", subject, list)
			}
		}
	}
	r.set(false, -1)
	s.call("POST", "/v1/subscriptions/hook/redeliver", secret, map[string]any{}, &struct{ Redelivered int }{})
	until("redelivered", func() bool { return r.total() == 40 })
	until("no dead letter", func() bool {
		s.call("GET", "/v1/subscriptions/hook/dead-letters", secret, nil, &letters)
		return len(letters.DeadLetters) == 0
	})
}

// The SDK's consumer goes on after a handler that failed, and verifies receipts.
func TestClientFollows(t *testing.T) {
	s, secret := withGateway(t, both)
	s.produce(secret, "a.v1", 0, 30, 2)
	c, err := client.New(client.Config{Nodes: []string{"http://" + s.config.APIAddress}, ChainID: "cairn-test"})
	if err != nil {
		t.Fatal(err)
	}
	subs := c.Subscriptions(c.Config().Nodes[0], secret)
	if _, err := subs.Create(t.Context(), rest.NewSubscription{Name: "sdk", From: "beginning"}); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	failure := errors.New("handler")
	err = subs.Each(t.Context(), "sdk", client.Follow{Limit: 4}, func(e rest.Delivered) error {
		if len(got) == 10 {
			return failure
		}
		got = append(got, e.Index)
		return nil
	})
	if err != failure {
		t.Fatal(err)
	}
	err = subs.Each(t.Context(), "sdk", client.Follow{}, func(e rest.Delivered) error {
		if got = append(got, e.Index); len(got) == 30 {
			return client.ErrDone
		}
		return nil
	})
	for i, index := range got {
		if index != uint64(i) {
			t.Fatalf("%v", got)
		}
	}
	list, err2 := subs.List(t.Context())
	if err != nil || err2 != nil || len(list) != 1 || list[0].Cursor != 30 || list[0].Lag != 0 {
		t.Errorf("%v %v %+v", err, err2, list)
	}
	wrong := c.Subscriptions(c.Config().Nodes[0], "cairn_wrong")
	if _, err := wrong.Next(t.Context(), "sdk", client.Follow{}); err == nil {
		t.Error("a wrong token reads")
	}
}
