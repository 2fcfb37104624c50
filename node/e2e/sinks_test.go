package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// testSinks carries the readings of testFile out again, each sink's connector
// being killed on the way.
func testSinks(ctx context.Context, t *testing.T, nw *network) {
	token := strings.TrimSpace(run(t, binary(t, "cairnd"), "token", "add", "sinks", "--home", nw.nodes[0].Home, "--scope", "consume"))
	for _, sink := range []struct {
		name string
		test func(context.Context, *testing.T, func(sink string) *connector)
	}{{"file", sinkFile}, {"kafka", sinkKafka}, {"postgres", sinkPostgres}, {"webhook", sinkWebhook}} {
		t.Run(sink.name, func(t *testing.T) {
			sink.test(ctx, t, func(settings string) *connector {
				c := newConnector(t, sink.name, fmt.Sprintf(`
ledger: {network: %s}
subscription: {name: %s, node: "%s", token: {file: DIR/token}, source: /e2e/lines, type: meter., batch: 10}
sink:
  %s
report: 1s
`, nw.dir, sink.name, nw.nodes[0].API, settings))
				if err := os.WriteFile(filepath.Join(c.dir, "token"), []byte(token+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				c.start()
				return c
			})
		})
	}
}

// carried waits until the sink has everything, killing the connector when it
// has a third, and again when it has two. have answers the readings' numbers.
func carried(ctx context.Context, t *testing.T, c *connector, repeats bool, have func() []int) {
	t.Helper()
	for third, kills := sourceEvents*3/10, 0; ; {
		got := have()
		if kills < 2 && len(got) >= (kills+1)*third {
			c.kill()
			c.start()
			kills++
			waitLogs(t, c, "goes on from", kills+1)
		}
		seen := map[int]bool{}
		for _, n := range got {
			seen[n] = true
		}
		if len(seen) == sourceEvents*9/10 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the sink has %d events, %d of them different", len(got), len(seen))
		}
		time.Sleep(50 * time.Millisecond)
	}
	finish(t, c)
	got := have()
	if !repeats && len(got) != sourceEvents*9/10 {
		t.Fatalf("the sink has %d events, want %d", len(got), sourceEvents*9/10)
	}
	if len(got) != sourceEvents*9/10 {
		t.Logf("%d repeats", len(got)-sourceEvents*9/10)
	}
}

// numberOf is the number of a reading.
func numberOf(t testing.TB, data []byte) int {
	t.Helper()
	var reading struct {
		N *int `json:"n"`
	}
	if err := json.Unmarshal(data, &reading); err != nil || reading.N == nil {
		t.Fatalf("%s is no reading (%v)", data, err)
	}
	return *reading.N
}

func sinkFile(ctx context.Context, t *testing.T, start func(string) *connector) {
	c := start("file: {path: DIR/out.jsonl}")
	carried(ctx, t, c, false, func() (numbers []int) {
		file, err := os.Open(filepath.Join(c.dir, "out.jsonl"))
		if err != nil {
			return nil
		}
		defer file.Close()
		last := int64(-1)
		for scan := bufio.NewScanner(file); scan.Scan(); {
			var line struct {
				Index int64 `json:"index"`
				Event struct {
					Data json.RawMessage `json:"data"`
				} `json:"event"`
			}
			if json.Unmarshal(scan.Bytes(), &line) != nil {
				break // it is being written
			}
			if line.Index <= last {
				t.Fatalf("entry %d comes after %d", line.Index, last)
			}
			last = line.Index
			numbers = append(numbers, numberOf(t, line.Event.Data))
		}
		return numbers
	})
}

func sinkKafka(ctx context.Context, t *testing.T, start func(string) *connector) {
	broker := startKafka(t)
	reader, err := kgo.NewClient(kgo.SeedBrokers(broker.address), kgo.ConsumeTopics(kafkaTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	c := start(fmt.Sprintf("kafka: {brokers: ['%s'], topic: %s}", broker.address, kafkaTopic))
	var numbers []int
	carried(ctx, t, c, false, func() []int {
		wait, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		reader.PollFetches(wait).EachRecord(func(r *kgo.Record) {
			var event struct {
				Subject string          `json:"subject"`
				Data    json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(r.Value, &event); err != nil || event.Subject != string(r.Key) {
				t.Fatalf("key %s: %s (%v)", r.Key, r.Value, err)
			}
			numbers = append(numbers, numberOf(t, event.Data))
		})
		return numbers
	})
}

// startPostgres makes a database that listens in a folder alone.
func startPostgres(t testing.TB) (url string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Skip("PostgreSQL is not installed; scripts/brokers.sh installs it")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "cairn-e2e-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // which it refuses to run as
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("there is no user postgres to run the database as")
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	setUp := exec.Command(filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "cairn", "-A", "trust", "--no-sync")
	setUp.SysProcAttr, setUp.Dir = as, dir
	if out, err := setUp.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePorts(t, 1)
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", dir+"/data", "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-k", dir)
	server.SysProcAttr, server.Dir = as, dir
	serve(t, port, server)
	return fmt.Sprintf("postgres://cairn@127.0.0.1:%d/postgres?sslmode=disable", port)
}

func sinkPostgres(ctx context.Context, t *testing.T, start func(string) *connector) {
	url := startPostgres(t)
	c := start(fmt.Sprintf("postgres: {url: '%s', table: readings}", url))
	conn, err := pgx.Connect(ctx, url)
	for err != nil && ctx.Err() == nil { // it listens before it is ready
		time.Sleep(100 * time.Millisecond)
		conn, err = pgx.Connect(ctx, url)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	carried(ctx, t, c, false, func() []int {
		rows, err := conn.Query(ctx, "SELECT (data->>'n')::int FROM readings WHERE subject = 'm' || (data->>'n')::int % 50 ORDER BY index")
		if err != nil {
			return nil
		}
		numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return nil // the table is not there yet
		}
		return numbers
	})
}

func sinkWebhook(ctx context.Context, t *testing.T, start func(string) *connector) {
	var mu sync.Mutex
	var numbers []int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("ce-type") != "meter.reading.v1" || r.Header.Get("Cairn-Index") == "" {
			t.Errorf("%v: %v", r.Header, err)
		}
		if len(numbers) == 100 {
			numbers = append(numbers, numberOf(t, body))
			w.WriteHeader(http.StatusServiceUnavailable) // it took the event and says that it did not
			return
		}
		numbers = append(numbers, numberOf(t, body))
	}))
	t.Cleanup(server.Close)
	c := start("webhook: {url: '" + server.URL + "/events'}")
	carried(ctx, t, c, true, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return append([]int(nil), numbers...)
	})
}
