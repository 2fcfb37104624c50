package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	kafkaVariable   = "CAIRN_E2E_KAFKA" // port and folder of a broker that the program is to be
	kafkaTopic      = "Readings"
	kafkaPartitions = 3
)

// beKafka serves Kafka's protocol from a folder until it is killed.
func beKafka(setting string) error {
	port, dir, _ := strings.Cut(setting, " ")
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	_, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(number), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(kafkaPartitions, kafkaTopic))
	if err != nil {
		return err
	}
	select {}
}

// kafka is a broker in a process of its own.
type kafka struct {
	t       testing.TB
	setting string
	address string
	cmd     *exec.Cmd
}

func startKafka(t testing.TB) *kafka {
	t.Helper()
	port := freePorts(t, 1)
	k := &kafka{t: t, setting: fmt.Sprintf("%d %s", port, t.TempDir()), address: fmt.Sprintf("127.0.0.1:%d", port)}
	k.start()
	t.Cleanup(k.kill)
	return k
}

func (k *kafka) start() { k.cmd = child(k.t, kafkaVariable, k.setting) }

// kill is kill -9; what was acknowledged is on the disk.
func (k *kafka) kill() {
	_ = k.cmd.Process.Kill() // it may have ended
	_ = k.cmd.Wait()
}

// produce writes readings, several partitions in turn.
func (k *kafka) produce(ctx context.Context, count int, pace time.Duration) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(k.address), kgo.DefaultProduceTopic(kafkaTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.RecordRetries(1_000), kgo.UnknownTopicRetries(1_000))
	if err != nil {
		return err
	}
	defer c.Close()
	for n := range count {
		c.Produce(ctx, &kgo.Record{Partition: int32(n % kafkaPartitions), Key: fmt.Appendf(nil, "m%d", n%50), Value: reading(n)}, nil)
		if n%100 == 99 {
			time.Sleep(pace)
		}
	}
	return c.Flush(ctx)
}

// topic reads what the broker holds, as the events that the mapping makes of it.
func (k *kafka) topic(ctx context.Context, count int) ([kafkaPartitions][]protocol.Event, error) {
	var events [kafkaPartitions][]protocol.Event
	c, err := kgo.NewClient(kgo.SeedBrokers(k.address), kgo.ConsumeTopics(kafkaTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return events, err
	}
	defer c.Close()
	for read := 0; read < count; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			return events, ctx.Err()
		}
		fetches.EachRecord(func(r *kgo.Record) {
			stream := fmt.Sprintf("readings.%d", r.Partition)
			events[r.Partition] = append(events[r.Partition], protocol.Event{
				ID: fmt.Sprintf("%s/%d", stream, r.Offset), Source: "/e2e/kafka", Type: "meter.reading.v1", Subject: string(r.Key),
				DataContentType: "application/json", DataForm: protocol.DataJSON, Data: r.Value,
			})
			read++
		})
	}
	return events, nil
}

func testKafka(ctx context.Context, t *testing.T, nw *network) {
	broker := startKafka(t)
	c := nw.connect()
	conn := newConnector(t, "kafka", fmt.Sprintf(`
ledger: {network: %s}
stream: readings
source:
  kafka: {brokers: ["%s"], topic: %s}
map:
  type: '"meter.reading.v1"'
  source: '"/e2e/kafka"'
  subject: key
dead_letters: {file: DIR/dead.jsonl}
batch: {events: 500}
report: 1s
`, nw.dir, broker.address, kafkaTopic))
	conn.start()
	stop := trouble(nw, conn, func() {
		broker.kill()
		broker.start()
	}, rand.New(rand.NewPCG(*seed, 1)))
	produced := broker.produce(ctx, *connectEvents, 30*time.Millisecond)
	if produced != nil {
		stop()
		t.Fatal(produced)
	}
	producer := nw.key("producer").Address()
	for at := 0; at < *connectEvents; { // trouble goes on until half is final
		at = 0
		for p := range kafkaPartitions {
			if s, err := c.Stream(ctx, producer, fmt.Sprintf("readings.%d", p)); err == nil {
				at += int(s.Next)
			}
		}
		if 2*at >= *connectEvents {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	events, err := broker.topic(ctx, *connectEvents)
	if err != nil {
		t.Fatal(err)
	}
	for p, of := range events {
		waitStream(ctx, t, c, producer, fmt.Sprintf("readings.%d", p), uint64(len(of)))
	}
	if err := conn.stop(); err != nil {
		t.Fatalf("the connector ended with %v", err)
	}
	for p, of := range events {
		wantStream(ctx, nw, c, fmt.Sprintf("readings.%d", p), of)
	}
	if dead, err := os.ReadFile(conn.dir + "/dead.jsonl"); err != nil || len(dead) > 0 {
		t.Fatalf("dead letters: %s, %v", dead, err)
	}
}
