package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// connector is a `cairn connect run` that a test kills and starts again.
type connector struct {
	t    testing.TB
	path string // of the settings
	dir  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

func newConnector(t testing.TB, name, settings string) *connector {
	t.Helper()
	c := &connector{t: t, dir: t.TempDir()}
	c.path = filepath.Join(c.dir, name+".yaml")
	settings = strings.ReplaceAll(settings, "DIR", c.dir)
	if err := os.WriteFile(c.path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			text, _ := os.ReadFile(c.path + ".log")
			t.Logf("last words of the connector:\n%s", text[max(0, len(text)-4_000):])
		}
	})
	return c
}

func (c *connector) start() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	log, err := os.OpenFile(c.path+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	c.log, c.cmd, c.done = log, exec.Command(binary(c.t, "cairn"), "connect", "run", "-c", c.path), make(chan error, 1)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(c.cmd, c.done)
}

// kill is kill -9.
func (c *connector) kill() { _ = c.end(syscall.SIGKILL) }

// stop asks it to end and answers how it did.
func (c *connector) stop() error { return c.end(syscall.SIGTERM) }

func (c *connector) end(signal os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(signal) // it may have ended
	err := <-c.done
	c.log.Close()
	c.cmd = nil
	return err
}

// trouble kills the connector, the broker or a validator, one after another,
// until it is told to stop; then all of them run.
func trouble(nw *network, c *connector, restart func(), random *rand.Rand) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for turn := 0; ; turn++ {
			select {
			case <-ended:
				return
			case <-time.After(time.Duration(500+random.IntN(1_500)) * time.Millisecond):
			}
			switch turn % 3 {
			case 0:
				c.kill()
				c.start()
			case 1:
				restart()
			default:
				victim := nw.nodes[random.IntN(len(nw.nodes))]
				nw.kill(victim)
				time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
				nw.start(victim)
			}
		}
	}()
	return func() { close(ended); <-done }
}

// waitStream waits until a stream's next sequence is at least next.
func waitStream(ctx context.Context, t testing.TB, c *client.Client, producer protocol.Address, name string, next uint64) {
	t.Helper()
	for {
		at, err := c.Stream(ctx, producer, name)
		if err == nil && at.Next >= next {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("stream %s stands at %d of %d (%v)", name, at.Next, next, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// auditedStream is what `cairn audit stream --json` states.
type auditedStream struct {
	Events     uint64            `json:"events"`
	Gaps       []json.RawMessage `json:"gaps"`
	Duplicates []json.RawMessage `json:"duplicates"`
}

// wantStream compares a stream with the events it must hold, one a sequence,
// and has an auditor prove that none is missing.
func wantStream(ctx context.Context, nw *network, c *client.Client, name string, events []protocol.Event) {
	nw.t.Helper()
	producer := nw.key("producer").Address()
	indexes := map[uint64]bool{}
	for at := 0; at < len(events); {
		page, err := c.StreamEntries(ctx, producer, name, uint64(at), 10_000)
		if err != nil || len(page) == 0 {
			nw.t.Fatalf("stream %s from %d: %d entries, %v", name, at, len(page), err)
		}
		for _, e := range page {
			if at == len(events) {
				nw.t.Fatalf("stream %s: holds more than the %d events", name, len(events))
			}
			if e.Sequence != uint64(at) || e.Kind != protocol.EntryEvent || indexes[e.Index] || e.Record != sha256.Sum256(events[at].AppendRecord(nil)) {
				nw.t.Fatalf("stream %s, sequence %d: %+v; want the event %s", name, at, e, events[at].ID)
			}
			indexes[e.Index] = true
			at++
		}
	}
	var s auditedStream
	out := run(nw.t, binary(nw.t, "cairn"), "audit", "stream", "producer", name, "--network", nw.dir, "--json")
	readJSON(nw.t, out, &s)
	if s.Events != uint64(len(events)) || len(s.Gaps) > 0 || len(s.Duplicates) > 0 {
		nw.t.Fatalf("stream %s: the audit states %.500s; want %d events and nothing else", name, out, len(events))
	}
}

func readJSON(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
}

// recordHash is the hash of the event that the MQTT mapping makes of reading n.
func recordHash(stream string, n int) protocol.Hash {
	e := protocol.Event{ID: fmt.Sprint(n), Source: "/e2e/" + stream, Type: "meter.reading.v1", Subject: fmt.Sprintf("m%d", n%50),
		DataContentType: "application/json", DataForm: protocol.DataJSON, Data: reading(n)}
	return sha256.Sum256(e.AppendRecord(nil))
}

// reading is what record n says.
func reading(n int) []byte {
	return fmt.Appendf(nil, `{"n": %d, "meter": "m%d", "kwh": %d.5}`, n, n%50, n%97)
}

// TestConnectors carries readings to a network while connector, broker and
// validators are killed: each is on the ledger once, in its partition's order.
func TestConnectors(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d events", *seed, *connectEvents)
	nw := startNetwork(t, 4)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	t.Run("kafka", func(t *testing.T) { testKafka(ctx, t, nw.of(t)) })
	t.Run("mqtt 5", func(t *testing.T) { testMQTT(ctx, t, nw.of(t), "5", "1") })
	t.Run("mqtt 3.1.1", func(t *testing.T) {
		if *connectEvents < 100_000 {
			t.Skip("in `make e2e` alone")
		}
		testMQTT(ctx, t, nw.of(t), "3.1.1", "2")
	})
	for _, source := range []struct {
		name string
		test func(context.Context, *testing.T, *network)
	}{{"file", testFile}, {"nats", testNATS}, {"amqp", testAMQP}, {"sensorthings", testSensorThings}, {"sinks", testSinks}} {
		t.Run(source.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
			defer cancel()
			source.test(ctx, t, nw.of(t))
		})
	}
	if before, after := nw.agreed(), nw.agreed(); before.Height > after.Height {
		t.Errorf("the network went from %+v to %+v", before, after)
	}
}

// of is the network as part of a test knows it.
func (nw *network) of(t testing.TB) *network { return &network{t: t, dir: nw.dir, nodes: nw.nodes} }

// child runs this test program as a broker; TestMain looks for the variable.
func child(t testing.TB, variable, value string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), variable+"="+value)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}
