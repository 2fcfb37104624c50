package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/rest"
)

// seen is what a consumer was given: of each subject the next number that is new.
type seen struct {
	mu      sync.Mutex
	next    map[string]int // guarded by mu
	total   int            // guarded by mu
	repeats int            // guarded by mu
	holes   []string       // guarded by mu
}

func newSeen() *seen { return &seen{next: map[string]int{}} }

func (s *seen) add(subject string, data []byte) {
	var body struct{ N int }
	err := json.Unmarshal(data, &body)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch at := s.next[subject]; {
	case err == nil && body.N == at:
		s.next[subject]++
		s.total++
	case err == nil && body.N < at:
		s.repeats++
	default:
		s.holes = append(s.holes, fmt.Sprintf("%s: %d follows %d (%v)", subject, body.N, at-1, err))
	}
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// feed posts events of a few subjects at a steady pace until it is told to stop.
type feed struct {
	sent    atomic.Int64
	stop    chan struct{}
	stopped chan struct{}
}

const feedSubjects, feedBatch = 8, 16

func startFeed(gate *node, token string) *feed {
	f := &feed{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(f.stopped)
		for i := 0; ; {
			var parts []string
			for k := range feedBatch {
				parts = append(parts, fmt.Sprintf(`{"specversion":"1.0","id":"%d-%d","source":"/feed","type":"feed.v1","subject":"s%d","data":{"n":%d}}`, i, k, k%feedSubjects, 2*i+k/feedSubjects))
			}
			if status, _ := postBatch(gate, token, "", []byte("["+strings.Join(parts, ",")+"]")); status == http.StatusAccepted {
				i++
				f.sent.Add(feedBatch)
			}
			select {
			case <-f.stop:
				return
			case <-time.After(40 * time.Millisecond):
			}
		}
	}()
	return f
}

// neighbour measures one event from POST until a consumer of its own has it.
func neighbour(t *testing.T, gate *node, token string, subs *client.Subscriptions) func() error {
	t.Helper()
	name := "neighbour"
	wanted := []json.RawMessage{json.RawMessage(`{"exact":{"type":"neighbour.v1"}}`)}
	if _, err := subs.Create(t.Context(), rest.NewSubscription{Name: name, Filters: wanted}); err != nil {
		t.Fatal(err)
	}
	n := 0
	return func() error {
		n++
		body := fmt.Sprintf(`[{"specversion":"1.0","id":"n%d","source":"/neighbour","type":"neighbour.v1"}]`, n)
		if status, _ := postBatch(gate, token, "", []byte(body)); status != http.StatusAccepted {
			return fmt.Errorf("POST: %d", status)
		}
		events, err := subs.Next(t.Context(), name, client.Follow{})
		if err != nil || len(events) != 1 {
			return fmt.Errorf("%d events, %v", len(events), err)
		}
		_, err = subs.Ack(t.Context(), name, "", rest.Acknowledgement{UpTo: &events[0].Index})
		return err
	}
}

// badConsumers are one that sleeps, one that crashes again and again with
// events in hand, and one that answers 500, until they are mended.
type badConsumers struct {
	sleeper, crasher, webhook *seen
	mended                    atomic.Bool
	crashes                   atomic.Int64
	failures                  atomic.Int64
}

func startBad(ctx context.Context, t *testing.T, subs *client.Subscriptions) *badConsumers {
	t.Helper()
	b := &badConsumers{sleeper: newSeen(), crasher: newSeen(), webhook: newSeen()}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.mended.Load() {
			b.failures.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var data [256]byte
		n, _ := r.Body.Read(data[:])
		b.webhook.add(r.Header.Get("ce-subject"), data[:n])
	}))
	t.Cleanup(receiver.Close)
	feed := []json.RawMessage{json.RawMessage(`{"exact":{"type":"feed.v1"}}`)}
	for name, hook := range map[string]*rest.Webhook{"sleeper": nil, "crasher": nil, "webhook": {URL: receiver.URL}} {
		if _, err := subs.Create(ctx, rest.NewSubscription{Name: name, From: "beginning", Filters: feed, Webhook: hook}); err != nil {
			t.Fatal(err)
		}
	}
	go func() { // takes a page, then sleeps
		subs.Next(ctx, "sleeper", client.Follow{Limit: 500})
		for !b.mended.Load() && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		subs.Each(ctx, "sleeper", client.Follow{Limit: 500, Wait: time.Second}, func(e rest.Delivered) error {
			b.sleeper.add(e.Event.Subject, e.Event.Data)
			return nil
		})
	}()
	go func() { // dies in the middle of each page
		for ctx.Err() == nil {
			n := 0
			subs.Each(ctx, "crasher", client.Follow{Limit: 100, Wait: time.Second}, func(e rest.Delivered) error {
				b.crasher.add(e.Event.Subject, e.Event.Data)
				if n++; n == 7 && !b.mended.Load() {
					b.crashes.Add(1)
					return errors.New("crash")
				}
				return nil
			})
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return b
}

// failingConsumers: one that sleeps, crashes or answers 500 gets everything in
// the end, in order, at least once, and its neighbours do not notice.
func failingConsumers(t *testing.T, nw *network, token string) {
	gate, length := nw.nodes[0], span(time.Minute, 4*time.Second)
	subs := nw.connect().Subscriptions(gate.API, token)
	step := neighbour(t, gate, token, subs)
	f := startFeed(gate, token)
	before, err := repeatFor(length/2, 30*time.Millisecond, step)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := startBad(ctx, t, subs)
	during, err := repeatFor(length, 30*time.Millisecond, step)
	if err != nil {
		t.Fatal(err)
	}
	failures, crashes := b.failures.Load(), b.crashes.Load()
	b.mended.Store(true)
	mended := time.Now()
	close(f.stop)
	<-f.stopped
	want := int(f.sent.Load())
	for _, c := range []struct {
		name string
		seen *seen
	}{{"sleeper", b.sleeper}, {"crasher", b.crasher}, {"webhook", b.webhook}} {
		for c.seen.count() < want && time.Since(mended) < 2*time.Minute {
			time.Sleep(20 * time.Millisecond)
		}
		c.seen.mu.Lock()
		if c.seen.total != want || len(c.seen.holes) > 0 {
			t.Errorf("%s was given %d of %d, out of order: %v", c.name, c.seen.total, want, c.seen.holes[:min(3, len(c.seen.holes))])
		}
		t.Logf("%s: all %d events %s after it was mended, %d of them again", c.name, want, time.Since(mended).Round(time.Millisecond), c.seen.repeats)
		c.seen.mu.Unlock()
	}
	t.Logf("%d answers of 500, %d crashes in %s", failures, crashes, length)
	t.Logf("neighbour, POST to delivered: %v; before %v; ratio of medians %.2f", during, before, ratio(during, before))
	if *deep && ratio(during, before) > 1.5 {
		t.Error("failing consumers cost a neighbour half as much again")
	}
	for _, name := range []string{"sleeper", "crasher", "webhook", "neighbour"} {
		if err := subs.Delete(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}
