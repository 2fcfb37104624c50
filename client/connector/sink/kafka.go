package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairn-ledger/cairn/client/connector/source/kafka"
	"github.com/cairn-ledger/cairn/client/rest"
)

// KafkaConfig is a topic. A record is the event as structured CloudEvents
// JSON, its key the subject, its header cairn-index the entry's index. The
// producer is idempotent, and at the start the newest records of every
// partition tell what is there already.
type KafkaConfig struct {
	kafka.Connection `yaml:",inline"`
	Topic            string `yaml:"topic"`
}

const indexHeader = "cairn-index"

type kafkaSink struct {
	topic   string
	options []kgo.Opt
	client  *kgo.Client // nil until the first Write
	have    map[uint64]bool
}

// NewKafka checks a KafkaConfig.
func NewKafka(c KafkaConfig) (Sink, error) {
	if c.Topic == "" {
		return nil, errors.New("kafka.topic is missing")
	}
	options, err := c.Options()
	if err != nil {
		return nil, err
	}
	return &kafkaSink{topic: c.Topic, options: append(options, kgo.DefaultProduceTopic(c.Topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))}, nil
}

// open connects and reads the newest records' indexes.
func (k *kafkaSink) open(ctx context.Context) error {
	client, err := kgo.NewClient(k.options...)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, k.topic)
	if err == nil {
		err = starts.Error()
	}
	var ends kadm.ListedOffsets
	if err == nil {
		ends, err = admin.ListEndOffsets(ctx, k.topic)
	}
	if err == nil {
		err = ends.Error()
	}
	if err == nil {
		k.have, err = k.newest(ctx, starts, ends)
	}
	if err != nil {
		client.Close()
		return err
	}
	k.client = client
	return nil
}

func (k *kafkaSink) newest(ctx context.Context, starts, ends kadm.ListedOffsets) (map[uint64]bool, error) {
	have, from, end := map[uint64]bool{}, map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if start, ok := starts.Lookup(o.Topic, o.Partition); ok && o.Offset > start.Offset {
			from[o.Partition], end[o.Partition] = kgo.NewOffset().AtEnd().Relative(-recent), o.Offset
		}
	})
	if len(from) == 0 {
		return have, nil
	}
	reader, err := kgo.NewClient(append(k.options, kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: from}))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for len(end) > 0 {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		fetches := reader.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("reading the newest records of %s: %w", k.topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= end[r.Partition] {
				delete(end, r.Partition)
			}
			for _, h := range r.Headers {
				if index, err := strconv.ParseUint(string(h.Value), 10, 64); err == nil && h.Key == indexHeader {
					have[index] = true
				}
			}
		})
	}
	return have, nil
}

// Write produces and waits until all in-sync replicas have the records.
func (k *kafkaSink) Write(ctx context.Context, events []rest.Delivered) error {
	if k.client == nil {
		if err := k.open(ctx); err != nil {
			return fmt.Errorf("kafka: %w", err)
		}
	}
	var records []*kgo.Record
	for i := range events {
		e := &events[i]
		if k.have[e.Index] {
			continue
		}
		text, err := json.Marshal(e.Event)
		if err != nil {
			return err
		}
		r := &kgo.Record{Value: text, Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}, {Key: indexHeader, Value: strconv.AppendUint(nil, e.Index, 10)},
		}}
		if e.Event.Subject != "" {
			r.Key = []byte(e.Event.Subject)
		}
		records = append(records, r)
	}
	if err := k.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		k.client.Close()
		k.client = nil // the next Write looks at what is there
		return fmt.Errorf("kafka: %w", err)
	}
	if len(records) == len(events) {
		k.have = nil // what was there has been passed
	}
	return nil
}

// Dial looks for the topic.
func (k *kafkaSink) Dial(ctx context.Context) (string, error) {
	if err := k.open(ctx); err != nil {
		return "", fmt.Errorf("kafka: %w", err)
	}
	defer k.Close()
	return fmt.Sprintf("kafka: topic %s is there", k.topic), nil
}

func (k *kafkaSink) Close() error {
	if k.client != nil {
		k.client.Close()
	}
	return nil
}
