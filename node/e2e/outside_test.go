package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// What comes from outside a node, hostile, failing or too much, harms neither
// it nor whoever else uses it. The parts share one network.
func TestOutsidersHarmNobody(t *testing.T) {
	nw := startNetwork(t, 4)
	gate := nw.nodes[0]
	token := strings.TrimSpace(run(t, binary(t, "cairnd"), "token", "add", "test", "--home", gate.Home, "--scope", "produce,consume"))
	t.Run("failing consumers", func(t *testing.T) { failingConsumers(t, nw, token) })
	t.Run("hostile connections", func(t *testing.T) { hostileConnections(t, nw) })
	t.Run("overload", func(t *testing.T) { overload(t, nw, token) })
}

// times are durations that are measured one after the other.
type times []time.Duration

func (d times) at(share float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)].Round(time.Millisecond / 10)
}

func (d times) String() string {
	return fmt.Sprintf("median %s, p99 %s, worst %s of %d", d.at(0.5), d.at(0.99), d.at(1), len(d))
}

// ratio compares two medians.
func ratio(with, without times) float64 { return float64(with.at(0.5)) / float64(without.at(0.5)) }

// repeatFor measures a step again and again, with a pause in between.
func repeatFor(d, pause time.Duration, step func() error) (took times, err error) {
	for begun := time.Now(); time.Since(begun) < d; time.Sleep(pause) {
		at := time.Now()
		if err := step(); err != nil {
			return took, err
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}

// healthy measures /healthz, each time on a connection of its own.
func healthy(n *node) func() error {
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return func() error {
		response, err := c.Get(n.API + "/healthz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/healthz: %s", response.Status)
		}
		return nil
	}
}

// submits measures one event of the SDK's from Submit until it is final.
func (nw *network) submits(t *testing.T, stream string) (step func() error, stop func()) {
	t.Helper()
	c, err := client.New(client.Config{Nodes: []string{nw.nodes[0].API}, ChainID: nw.connect().ChainID()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	p, err := c.NewProducer(ctx, nw.key("producer"), stream, client.ProducerConfig{Linger: -1})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return func() error {
		n++
		f, err := p.Submit(ctx, protocol.Event{ID: fmt.Sprint(n), Source: "/e2e/" + stream, Type: "reading.v1"})
		if err == nil {
			_, err = f.Wait(ctx)
		}
		return err
	}, func() { p.Close(ctx); cancel() }
}

// hostile keeps a connection that costs the node something and gives nothing,
// and makes another one whenever the node ends it.
func hostile(ctx context.Context, address string, kind int, ended *atomic.Int64) {
	for ctx.Err() == nil {
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		switch kind % 3 {
		case 0: // half a header, then a byte at a time
			fmt.Fprintf(c, "GET /v1/head HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		case 1: // a body that comes a byte at a time
			fmt.Fprintf(c, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n")
		case 2: // asks for much, again and again, and reads nothing
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
			fmt.Fprint(c, strings.Repeat("GET /v1/entries?count=1000 HTTP/1.1\r\nHost: x\r\n\r\n", 50))
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		for ; ctx.Err() == nil; time.Sleep(time.Second + rand.N(time.Second)) {
			if _, err := c.Write([]byte("a")); err != nil && kind%3 != 2 {
				break
			}
			if kind%3 == 2 && rand.IntN(30) == 0 {
				break
			}
		}
		stop()
		c.Close()
		ended.Add(1)
	}
}

// hostileConnections: half-open requests, slow bodies and readers that do not
// read leave /healthz and other producers unharmed, and memory bounded.
func hostileConnections(t *testing.T, nw *network) {
	n, count, length := nw.nodes[0], 2_000, span(45*time.Second, 4*time.Second)
	submit, stop := nw.submits(t, "beside")
	defer stop()
	resident := func() float64 { return metric(t, n, "process_resident_memory_bytes") / (1 << 20) }
	measure := func(length time.Duration) (health, final times, most float64) {
		var work sync.WaitGroup
		var err1, err2 error
		work.Go(func() { health, err1 = repeatFor(length, 50*time.Millisecond, healthy(n)) })
		work.Go(func() { final, err2 = repeatFor(length, 20*time.Millisecond, submit) })
		for begun := time.Now(); time.Since(begun) < length; time.Sleep(500 * time.Millisecond) {
			most = max(most, resident())
		}
		work.Wait()
		if err1 != nil || err2 != nil {
			t.Errorf("%v, %v", err1, err2)
		}
		return health, final, most
	}
	healthBefore, finalBefore, before := measure(length / 3)
	ctx, cancel := context.WithCancel(context.Background())
	var ended atomic.Int64
	var crowd sync.WaitGroup
	for i := range count {
		crowd.Go(func() { hostile(ctx, strings.TrimPrefix(n.API, "http://"), i, &ended) })
	}
	for deadline := time.Now().Add(30 * time.Second); metric(t, n, "cairn_http_connections") < float64(count)*0.9 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	open := metric(t, n, "cairn_http_connections")
	health, final, most := measure(length)
	cancel()
	crowd.Wait()
	t.Logf("%d hostile connections (%.0f open at once, %d ended and made anew) for %s", count, open, ended.Load(), length)
	t.Logf("/healthz     %v; before %v", health, healthBefore)
	t.Logf("submit-final %v; before %v; ratio of medians %.2f", final, finalBefore, ratio(final, finalBefore))
	t.Logf("resident     %.0f MiB at most; before %.0f MiB", most, before)
	// What is held for answers is 128 MiB at most, and the collector lets garbage
	// of four times the live heap wait; the crowd shares the processor, too.
	if *deep && (health.at(1) > time.Second || most > before+1024 || ratio(final, finalBefore) > 4) {
		t.Error("the node was harmed")
	}
}

// metric reads a figure that has no labels.
func metric(t *testing.T, n *node, name string) (value float64) {
	t.Helper()
	status, page := get(n.API + "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, page)
	}
	for line := range strings.Lines(string(page)) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return value
}
