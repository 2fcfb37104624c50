package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/autopaho/queue/memory"
	"github.com/eclipse/paho.golang/paho"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// mosquitto is a broker that keeps sessions on the disk. It writes them when it
// is asked to end; what kill -9 would take from its memory is not the
// connector's to bring back.
type mosquitto struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

func startMosquitto(t testing.TB) *mosquitto {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("mosquitto is not installed; scripts/brokers.sh installs it")
	}
	m := &mosquitto{t: t, dir: t.TempDir(), port: freePorts(t, 1)}
	settings := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nmax_inflight_messages 2000\nmax_packet_size 1000000\nlog_dest none\nuser root\n", m.port, m.dir)
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(program, "-c", filepath.Join(m.dir, "mosquitto.conf"))
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.cmd.Path, m.cmd.Args[1:]...)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	for range 100 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.port)); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	m.t.Error("mosquitto does not listen")
}

func (m *mosquitto) stop() {
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	_ = m.cmd.Wait()
}

// publish sends readings in order, at least once.
func (m *mosquitto) publish(ctx context.Context, count int, pace time.Duration) error {
	u, err := url.Parse(fmt.Sprintf("mqtt://127.0.0.1:%d", m.port))
	if err != nil {
		return err
	}
	q := memory.New()
	c, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 30, SessionExpiryInterval: 3600, Queue: q,
		ReconnectBackoff: func(int) time.Duration { return 100 * time.Millisecond }, ClientConfig: paho.ClientConfig{ClientID: "sensors"},
	})
	if err != nil {
		return err
	}
	for n := range count {
		if err := c.PublishViaQueue(ctx, &autopaho.QueuePublish{Publish: &paho.Publish{
			QoS: 1, Topic: fmt.Sprintf("meters/m%d", n%50), Payload: reading(n), Properties: &paho.PublishProperties{ContentType: "application/json"},
		}}); err != nil {
			return err
		}
		if n%100 == 99 {
			time.Sleep(pace)
		}
	}
	for { // the last is acknowledged when the queue is empty and a little later
		if entry, err := q.Peek(); err != nil {
			break
		} else if err := entry.Leave(); err != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	time.Sleep(2 * time.Second)
	return c.Disconnect(ctx)
}

func testMQTT(ctx context.Context, t *testing.T, nw *network, version, qos string) {
	broker := startMosquitto(t)
	c := nw.connect()
	stream := "mqtt" + strings.ReplaceAll(version, ".", "")
	conn := newConnector(t, stream, fmt.Sprintf(`
ledger: {network: %s}
stream: %s
source:
  mqtt: {broker: "tcp://127.0.0.1:%d", version: %s, client_id: cairn, topics: ["meters/#"], qos: %s, journal: DIR/journal}
map:
  type: '"meter.reading.v1"'
  source: '"/e2e/%s"'
  id: value.n
  subject: value.meter
dead_letters: {file: DIR/dead.jsonl}
batch: {events: 500}
report: 1s
`, nw.dir, stream, broker.port, version, qos, stream))
	conn.start()
	waitLog(t, conn, "goes on from")
	time.Sleep(2 * time.Second) // the subscription; without it the broker keeps nothing
	stop := trouble(nw, conn, func() {
		broker.stop()
		broker.start()
	}, rand.New(rand.NewPCG(*seed, 2)))
	err := broker.publish(ctx, *connectEvents, 20*time.Millisecond)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	producer := nw.key("producer").Address()
	waitStream(ctx, t, c, producer, stream, uint64(*connectEvents))
	wantEachOnce(ctx, t, nw, c, stream)
	if err := conn.stop(); err != nil {
		t.Fatalf("the connector ended with %v", err)
	}
}

func waitLog(t testing.TB, c *connector, words string) {
	t.Helper()
	waitLogs(t, c, words, 1)
}

// waitLogs waits until the connector has said something so many times.
func waitLogs(t testing.TB, c *connector, words string, times int) {
	t.Helper()
	for range 600 {
		if text, err := os.ReadFile(c.path + ".log"); err == nil && bytes.Count(text, []byte(words)) >= times {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the connector did not say %q", words)
}

// wantEachOnce reads a stream into which a broker may have delivered readings
// twice: each is there as an event once, first deliveries in their order, and
// every sequence is accounted for.
func wantEachOnce(ctx context.Context, t *testing.T, nw *network, c *client.Client, stream string) {
	t.Helper()
	producer := nw.key("producer").Address()
	seen, repeats := 0, 0
	for sequence := uint64(0); seen < *connectEvents; {
		page, err := c.StreamEntries(ctx, producer, stream, sequence, 10_000)
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		for _, e := range page {
			if e.Sequence != sequence {
				t.Fatalf("stream %s: sequence %d is missing", stream, sequence)
			}
			sequence++
			if e.Kind == protocol.EntryDuplicate {
				repeats++
				continue
			}
			if e.Kind != protocol.EntryEvent || e.Record != recordHash(stream, seen) {
				t.Fatalf("stream %s: entry %+v is not reading %d", stream, e, seen)
			}
			seen++
		}
		if len(page) == 0 {
			time.Sleep(200 * time.Millisecond)
		}
	}
	var s auditedStream
	readJSON(t, run(t, binary(t, "cairn"), "audit", "stream", "producer", stream, "--network", nw.dir, "--json"), &s)
	if s.Events != uint64(*connectEvents) || len(s.Gaps) > 0 {
		t.Fatalf("stream %s: the audit states %d events and %d gaps; want %d and none", stream, s.Events, len(s.Gaps), *connectEvents)
	}
	t.Logf("stream %s: %d events, %d repeats of what the broker delivered twice", stream, seen, repeats)
	found, err := c.FindEvent(ctx, producer, "/e2e/"+stream, strconv.Itoa(*connectEvents-1))
	if err != nil || found.Kind != protocol.EntryEvent {
		t.Fatalf("the last reading: %+v, %v", rest.Entry{Kind: found.Kind}, err)
	}
}
