package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rabbitmq/amqp091-go"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// sourceEvents is how many readings the tests of further sources carry.
const sourceEvents = 2_000

// settings are a connector's for readings by their number.
func settings(nw *network, stream, source string) string {
	return fmt.Sprintf(`
ledger: {network: %s}
stream: %s
source:
  %s
map:
  filter: value.n %% 10 != 9
  type: '"meter.reading.v1"'
  source: '"/e2e/%s"'
  id: value.n
  subject: value.meter
dead_letters: {file: DIR/dead.jsonl}
batch: {events: 200}
report: 1s
`, nw.dir, stream, source, stream)
}

// program finds a broker, or skips the test.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/lib/rabbitmq/bin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Skipf("%s is not installed; scripts/brokers.sh installs it", name)
	return ""
}

// serve runs a broker until the test ends, and waits until it listens.
func serve(t testing.TB, port int, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 1_200 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return cmd
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", cmd.Path)
	return nil
}

// wantReadings waits for the readings that the filter leaves, each once. gaps
// says that those left out have positions, which the audit must account for.
func wantReadings(ctx context.Context, t *testing.T, nw *network, stream string, gaps bool) {
	t.Helper()
	c, producer := nw.connect(), nw.key("producer").Address()
	last := sourceEvents - 2 // the greatest number that is not left out
	for {
		if _, err := c.FindEvent(ctx, producer, "/e2e/"+stream, strconv.Itoa(last)); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	var s auditedStream
	readJSON(t, run(t, binary(t, "cairn"), "audit", "stream", "producer", stream, "--network", nw.dir, "--json"), &s)
	if s.Events != sourceEvents*9/10 || gaps && len(s.Gaps) != sourceEvents/10-1 {
		t.Fatalf("stream %s: %d events, %d gaps, %d repeats; want %d events", stream, s.Events, len(s.Gaps), len(s.Duplicates), sourceEvents*9/10)
	}
	if len(s.Duplicates) > 0 {
		t.Logf("stream %s: %d repeats", stream, len(s.Duplicates))
	}
	want, n := 0, 0
	for sequence := uint64(0); n < sourceEvents*9/10; {
		page, err := c.StreamEntries(ctx, producer, stream, sequence, 10_000)
		if err != nil || len(page) == 0 {
			t.Fatalf("stream %s from %d: %v", stream, sequence, err)
		}
		for _, e := range page {
			sequence = max(sequence, e.Sequence+max(e.Skipped, 1))
			if e.Kind != protocol.EntryEvent {
				continue
			}
			if want%10 == 9 {
				want++
			}
			if e.Record != recordHash(stream, want) {
				t.Fatalf("stream %s: entry %+v is not reading %d", stream, e, want)
			}
			want, n = want+1, n+1
		}
	}
}

// halfway kills the connector once the ledger has part of the stream.
func halfway(ctx context.Context, t *testing.T, nw *network, conn *connector, stream string) {
	t.Helper()
	waitStream(ctx, t, nw.connect(), nw.key("producer").Address(), stream, 300)
	conn.kill()
	conn.start()
}

func finish(t *testing.T, conn *connector) {
	t.Helper()
	if err := conn.stop(); err != nil {
		t.Fatalf("the connector ended with %v", err)
	}
}

func testFile(ctx context.Context, t *testing.T, nw *network) {
	conn := newConnector(t, "lines", settings(nw, "lines", "file: {path: DIR/readings.jsonl, follow: true}"))
	file, err := os.Create(filepath.Join(conn.dir, "readings.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	conn.start()
	for n := range sourceEvents {
		text := append(reading(n), '\n')
		half := len(text) / 2 // whoever writes does not write whole lines
		if _, err := file.Write(text[:half]); err != nil {
			t.Fatal(err)
		}
		if n == sourceEvents/2 {
			halfway(ctx, t, nw, conn, "lines")
		}
		if _, err := file.Write(text[half:]); err != nil {
			t.Fatal(err)
		}
	}
	wantReadings(ctx, t, nw, "lines", true)
	finish(t, conn)
}

func testNATS(ctx context.Context, t *testing.T, nw *network) {
	port, dir := freePorts(t, 1), t.TempDir()
	path := program(t, "nats-server")
	args := []string{"-a", "127.0.0.1", "-p", strconv.Itoa(port), "-js", "-sd", dir}
	server := serve(t, port, exec.Command(path, args...))
	conn, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "METERS", Subjects: []string{"meters.>"}}); err != nil {
		t.Fatal(err)
	}
	c := newConnector(t, "nats", settings(nw, "jetstream", fmt.Sprintf("nats: {url: 'nats://127.0.0.1:%d', stream: METERS}", port)))
	c.start()
	for n := range sourceEvents {
		if n == sourceEvents/2 {
			halfway(ctx, t, nw, c, "jetstream")
			_ = server.Process.Kill()
			_ = server.Wait()
			serve(t, port, exec.Command(path, args...))
		}
		for {
			_, err := js.Publish(ctx, fmt.Sprintf("meters.m%d", n%50), reading(n), jetstream.WithMsgID(strconv.Itoa(n)))
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	wantReadings(ctx, t, nw, "jetstream", true)
	finish(t, c)
}

// rabbit starts RabbitMQ with everything it writes in one folder.
func rabbit(t testing.TB) (url string) {
	t.Helper()
	path, dir, port := program(t, "rabbitmq-server"), t.TempDir(), freePorts(t, 2)
	if err := os.WriteFile(filepath.Join(dir, "rabbitmq.conf"), fmt.Appendf(nil, "listeners.tcp.1 = 127.0.0.1:%d\nloopback_users = none\n", port), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plugins"), []byte("[]."), 0o644); err != nil {
		t.Fatal(err)
	}
	server := filepath.Join("/usr/lib/rabbitmq/bin", filepath.Base(path))
	if _, err := os.Stat(server); err != nil {
		server = path
	}
	cmd := exec.Command(server)
	epmd := freePorts(t, 1) // the name service that Erlang would start for good
	serve(t, epmd, exec.Command(program(t, "epmd"), "-address", "127.0.0.1", "-port", strconv.Itoa(epmd)))
	cmd.Env = append(os.Environ(), "HOME="+dir, "RABBITMQ_NODENAME=cairn"+strconv.Itoa(port)+"@localhost", "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq"),
		"RABBITMQ_MNESIA_BASE="+dir+"/mnesia", "RABBITMQ_LOG_BASE="+dir+"/log", "RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(port+1_000), "RABBITMQ_PID_FILE="+dir+"/pid", "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+strconv.Itoa(epmd),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}")
	cmd.SysProcAttr = ownGroup()
	t.Cleanup(func() { endGroup(cmd) })
	serve(t, port, cmd)
	return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port)
}

func testAMQP(ctx context.Context, t *testing.T, nw *network) {
	url := rabbit(t)
	var conn *amqp091.Connection
	for { // it listens before it takes logins
		var err error
		if conn, err = amqp091.Dial(url); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare("meters", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	c := newConnector(t, "amqp", settings(nw, "amqp", "amqp: {url: '"+url+"', queue: meters, prefetch: 500}"))
	c.start()
	for n := range sourceEvents {
		if n == sourceEvents/2 {
			halfway(ctx, t, nw, c, "amqp")
		}
		if err := channel.PublishWithContext(ctx, "", "meters", false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: reading(n)}); err != nil {
			t.Fatal(err)
		}
	}
	wantReadings(ctx, t, nw, "amqp", false)
	finish(t, c)
	if queue, err := channel.QueueDeclarePassive("meters", true, false, false, false, nil); err != nil || queue.Messages != 0 {
		t.Fatalf("the queue holds %d messages after the connector was stopped (%v)", queue.Messages, err)
	}
}

// things is an OGC SensorThings service whose observations arrive as they are
// asked for, and that fails now and then.
func things(t testing.TB) *httptest.Server {
	const page = 100
	arrived, asked := 500, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked%5 == 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		arrived = min(arrived+250, sourceEvents)
		after, err := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("$filter"), "id gt "))
		if err != nil || r.URL.Path != "/v1.1/Observations" || r.URL.Query().Get("$orderby") != "id asc" {
			http.Error(w, r.URL.String(), http.StatusBadRequest)
			return
		}
		answer := map[string]any{}
		items := []json.RawMessage{}
		for id := after + 1; id <= arrived && len(items) < page; id++ {
			items = append(items, fmt.Appendf(nil, `{"@iot.id": %d, "result": %s}`, id, reading(id-1)))
		}
		answer["value"] = items
		if after+page < arrived {
			answer["@iot.nextLink"] = fmt.Sprintf("http://%s/v1.1/Observations?$orderby=id%%20asc&$filter=id%%20gt%%20%d", r.Host, after+page)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server
}

func testSensorThings(ctx context.Context, t *testing.T, nw *network) {
	server := things(t)
	text := settings(nw, "things", "sensorthings: {url: "+server.URL+"/v1.1, every: 200ms, journal: DIR/journal}")
	text = strings.ReplaceAll(text, "value.", "value.result.") + "\n"
	text = strings.Replace(text, "dead_letters", "  data: value.result\ndead_letters", 1)
	c := newConnector(t, "things", text)
	c.start()
	halfway(ctx, t, nw, c, "things")
	wantThings(ctx, t, nw)
	finish(t, c)
}

// wantThings is wantReadings for data that went through an expression.
func wantThings(ctx context.Context, t *testing.T, nw *network) {
	t.Helper()
	c, producer := nw.connect(), nw.key("producer").Address()
	for n := range sourceEvents {
		if n%10 == 9 || n%97 != 0 && n != sourceEvents-2 {
			continue
		}
		for {
			e, err := c.FindEvent(ctx, producer, "/e2e/things", strconv.Itoa(n))
			if err == nil && strings.Contains(string(e.Event.Data), fmt.Sprintf(`"n":%d`, n)) {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("observation %d: %v", n, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	var s auditedStream
	readJSON(t, run(t, binary(t, "cairn"), "audit", "stream", "producer", "things", "--network", nw.dir, "--json"), &s)
	if s.Events != sourceEvents*9/10 {
		t.Fatalf("the audit states %d events; want %d", s.Events, sourceEvents*9/10)
	}
}
