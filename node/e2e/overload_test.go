package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

const overloadBatch = 500

// offered is what came of offering events.
type offered struct {
	taken, busy, other atomic.Int64 // events answered 202; requests answered 429, and otherwise
	last               atomic.Pointer[rest.Submission]
}

// offer sends batches from many clients for a while: each as fast as it is
// answered, or with a rate, in events a second, as if nobody waited for answers.
func (o *offered) offer(gate *node, token, source string, length time.Duration, rate float64) {
	var work sync.WaitGroup
	const clients = 24
	begun := time.Now()
	for p := range clients {
		work.Go(func() {
			for i := 0; time.Since(begun) < length; i++ {
				if rate > 0 { // the i-th of this client is due then
					due := begun.Add(time.Duration(float64(i*clients+p) * overloadBatch / rate * float64(time.Second)))
					time.Sleep(min(time.Until(due), time.Until(begun.Add(length))))
				}
				switch status, out := postBatch(gate, token, "", namedBatch(source, p, i)); status {
				case http.StatusAccepted:
					o.taken.Add(overloadBatch)
					if at := o.last.Load(); at == nil || at.First < out.First {
						o.last.Store(&out)
					}
				case http.StatusTooManyRequests:
					if o.busy.Add(1); rate == 0 {
						time.Sleep(20 * time.Millisecond)
					}
				default:
					o.other.Add(1)
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	work.Wait()
}

// namedBatch has events that no other batch has.
func namedBatch(source string, producer, at int) []byte {
	return batchOf(producer*1_000_000+len(source), at*overloadBatch, overloadBatch)
}

// drained waits until the ledger has decided what was taken.
func (o *offered) drained(t *testing.T, gate *node) time.Duration {
	t.Helper()
	begun := time.Now()
	for metric(t, gate, "cairn_gateway_waiting_events") > 0 {
		if time.Since(begun) > time.Minute {
			t.Fatal("the outbox does not drain")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begun)
}

// overload: offered three times what it carries, a gateway answers 429, loses
// nothing it answered 202 for, and serves as before within seconds.
func overload(t *testing.T, nw *network, token string) {
	gate, length := nw.nodes[0], span(time.Minute, 4*time.Second)
	before := metric(t, gate, "cairn_gateway_decided_total")
	var full, over offered
	begun := time.Now()
	full.offer(gate, token, "a", length/3, 0)
	full.drained(t, gate)
	capacity := (metric(t, gate, "cairn_gateway_decided_total") - before) / time.Since(begun).Seconds()
	health := make(chan times, 1)
	go func() {
		took, err := repeatFor(length, 50*time.Millisecond, healthy(gate))
		if err != nil {
			t.Error(err)
		}
		health <- took
	}()
	over.offer(gate, token, "bb", length, 3*capacity)
	ended := time.Now()
	var accepted time.Duration
	for i := 0; accepted == 0; i++ { // the next producer to come
		if status, _ := postBatch(gate, token, "", batchOf(9_999_999, i, 1)); status == http.StatusAccepted {
			accepted = time.Since(ended)
		}
		time.Sleep(10 * time.Millisecond)
	}
	drained := over.drained(t, gate) + accepted
	fresh := time.Now()
	status, _ := postBatch(gate, token, "?wait=final", batchOf(9_999_999, 1_000_000, 1))
	final := time.Since(fresh)
	var stream rest.Stream
	getJSON(t, fmt.Sprintf("%s/v1/streams/%s/gateway", gate.API, over.last.Load().Producer), &stream)
	took := <-health
	t.Logf("capacity %.0f events/s; offered %.0f for %s: %.0f/s answered 202, %d requests 429, %d otherwise",
		capacity, 3*capacity, length, float64(over.taken.Load())/length.Seconds(), over.busy.Load(), over.other.Load())
	t.Logf("a new event was taken after %s, all were decided after %s, one sent then was final in %s; /healthz %v", accepted, drained, final, took)
	if taken := full.taken.Load() + over.taken.Load(); status != http.StatusOK || int64(stream.Next) < taken || over.other.Load() > 0 {
		t.Errorf("%d events were answered 202, the ledger holds %d sequences; %d requests were answered neither 202 nor 429; the last %d", taken, stream.Next, over.other.Load(), status)
	}
	if *deep && (over.busy.Load() == 0 || drained > 5*time.Second || took.at(0.99) > time.Second) {
		t.Error("the node did not say that it was full, or did not recover within 5 s")
	}
}
