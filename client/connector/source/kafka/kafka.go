package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Config of the source. Each partition has a stream of its own, whose
// sequences are its offsets. There is no consumer group: the ledger knows what
// it holds.
type Config struct {
	Connection `yaml:",inline"`
	Topic      string  `yaml:"topic"`
	Partitions []int32 `yaml:"partitions"` // those to read; none means all, also ones added later
	From       string  `yaml:"from"`       // where a new stream begins: earliest (also "") or latest
	// Base is the offset that is sequence 0, for topics that begin so far on that
	// no gap can be declared up to there: over 2^32.
	Base int64 `yaml:"base"`
	// Lost says what to do when the broker has deleted offsets that the ledger
	// lacks: stop (also ""), or gap, which declares them left out.
	Lost string `yaml:"lost"`
	// Uncommitted reads records of transactions that are not decided too.
	Uncommitted bool `yaml:"read_uncommitted"`
}

// Source reads a topic.
type Source struct {
	config  Config
	options []kgo.Opt
	streams map[int32]record.Stream
}

// New checks a Config.
func New(c Config) (*Source, error) {
	options, err := c.Options()
	switch {
	case err != nil:
		return nil, err
	case c.Topic == "":
		return nil, errors.New("kafka.topic is missing")
	case !slices.Contains([]string{"", "earliest", "latest"}, c.From):
		return nil, fmt.Errorf("kafka.from is %q, must be earliest or latest", c.From)
	case c.Base < 0:
		return nil, fmt.Errorf("kafka.base is %d, must be 0 or more", c.Base)
	case !slices.Contains([]string{"", "stop", "gap"}, c.Lost):
		return nil, fmt.Errorf("kafka.lost is %q, must be stop or gap", c.Lost)
	}
	isolation := kgo.ReadCommitted()
	if c.Uncommitted {
		isolation = kgo.ReadUncommitted()
	}
	options = append(options, kgo.FetchIsolationLevel(isolation), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.MetadataMaxAge(time.Minute))
	return &Source{config: c, options: options, streams: map[int32]record.Stream{}}, nil
}

// lookEvery is how often new partitions are looked for.
const lookEvery = 30 * time.Second

// Run feeds every partition until ctx ends.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	client, err := kgo.NewClient(s.options...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	var looked time.Time
	for {
		if time.Since(looked) > lookEvery {
			if err := s.open(ctx, client, feed); err != nil {
				return err
			}
			looked = time.Now()
		}
		polling, cancel := context.WithTimeout(ctx, lookEvery)
		fetches := client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.feed(ctx, fetches, feed); err != nil {
			return err
		}
	}
}

// open begins with the partitions that are not read yet, where the ledger stands.
func (s *Source) open(ctx context.Context, client *kgo.Client, feed record.Feed) error {
	starts, ends, err := s.offsets(ctx, client)
	if err != nil {
		if len(s.streams) > 0 || ctx.Err() != nil { // brokers come and go
			return ctx.Err()
		}
		feed.Log("kafka: %v; trying again", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		return s.open(ctx, client, feed)
	}
	begin := map[int32]kgo.Offset{}
	for _, partition := range s.wanted(ends) {
		if s.streams[partition] != nil {
			continue
		}
		stream, err := feed.Open(ctx, strconv.Itoa(int(partition)))
		if err != nil {
			return err
		}
		at, err := s.begin(partition, s.config.Base+int64(stream.Next()), starts[partition], ends[partition], feed)
		if err != nil {
			return err
		}
		stream.End(s.position(ends[partition]))
		s.streams[partition], begin[partition] = stream, kgo.NewOffset().At(at)
	}
	if len(begin) > 0 {
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.config.Topic: begin})
	}
	return nil
}

// begin is the offset that a partition is read from.
func (s *Source) begin(partition int32, at, start, end int64, feed record.Feed) (int64, error) {
	begins := at == s.config.Base // it is a new stream
	switch {
	case start-at > protocol.MaxSkip:
		return 0, fmt.Errorf("kafka: partition %d of %s begins at offset %d, too far from %d for a gap to be declared; `base: %d` makes that offset the stream's sequence 0",
			partition, s.config.Topic, start, at, start)
	case at > end:
		return 0, fmt.Errorf("kafka: partition %d of %s ends at offset %d and the ledger's stream stands at %d: it was made anew, or this is another one; give the connector another stream",
			partition, s.config.Topic, end, at)
	case begins && s.config.From == "latest":
		return end, nil
	case at >= start:
		return at, nil
	case !begins && s.config.Lost != "gap":
		return 0, fmt.Errorf("kafka: partition %d of %s: the broker has deleted the offsets %d to %d before they were read; `lost: gap` goes on without them, and declares that",
			partition, s.config.Topic, at, start-1)
	case !begins:
		feed.Log("kafka: partition %d of %s: the offsets %d to %d were deleted before they were read; they become a declared gap", partition, s.config.Topic, at, start-1)
	}
	return start, nil
}

// wanted are the partitions to read, in order.
func (s *Source) wanted(there map[int32]int64) []int32 {
	wanted := slices.Clone(s.config.Partitions)
	if len(wanted) == 0 {
		for partition := range there {
			wanted = append(wanted, partition)
		}
	}
	slices.Sort(wanted)
	return slices.Compact(wanted)
}

// offsets asks how far the partitions reach.
func (s *Source) offsets(ctx context.Context, client *kgo.Client) (starts, ends map[int32]int64, err error) {
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(10_000)
	first, err := admin.ListStartOffsets(ctx, s.config.Topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	list := admin.ListEndOffsets
	if !s.config.Uncommitted {
		list = admin.ListCommittedOffsets
	}
	last, err := list(ctx, s.config.Topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	starts, ends = map[int32]int64{}, map[int32]int64{}
	first.Each(func(o kadm.ListedOffset) { starts[o.Partition] = o.Offset })
	last.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	for _, partition := range s.config.Partitions {
		if _, there := ends[partition]; !there {
			return nil, nil, fmt.Errorf("topic %s has no partition %d", s.config.Topic, partition)
		}
	}
	return starts, ends, nil
}

func (s *Source) feed(ctx context.Context, fetches kgo.Fetches, feed record.Feed) (err error) {
	fetches.EachError(func(topic string, partition int32, failed error) {
		switch {
		case errors.Is(failed, context.DeadlineExceeded), errors.Is(failed, context.Canceled):
		case errors.Is(failed, kerr.OffsetOutOfRange):
			err = fmt.Errorf("kafka: partition %d of %s: the broker no longer has the offset that is read next; start again to see what is missing: %w", partition, topic, failed)
		default:
			feed.Log("kafka: partition %d of %s: %v; trying again", partition, topic, failed)
		}
	})
	if err != nil {
		return err
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		stream := s.streams[p.Partition]
		if err != nil || stream == nil {
			return
		}
		stream.End(s.position(p.LastStableOffset))
		for _, r := range p.Records {
			if r.Offset < s.config.Base {
				continue
			}
			if err = stream.Put(ctx, s.recordOf(r)); err != nil {
				return
			}
		}
	})
	return err
}

// position is an offset's sequence in the stream.
func (s *Source) position(offset int64) uint64 { return uint64(max(offset-s.config.Base, 0)) }

func (s *Source) recordOf(r *kgo.Record) *record.Record {
	out := &record.Record{
		Position: s.position(r.Offset), Key: r.Key, Value: r.Value, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp,
	}
	if len(r.Headers) > 0 {
		out.Headers = make(map[string]string, len(r.Headers))
		for _, h := range r.Headers {
			out.Headers[h.Key] = string(h.Value)
		}
	}
	return out
}

// Dial says which partitions are there.
func (s *Source) Dial(ctx context.Context) (string, error) {
	client, err := kgo.NewClient(s.options...)
	if err != nil {
		return "", fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	starts, ends, err := s.offsets(ctx, client)
	if err != nil {
		return "", fmt.Errorf("kafka: %w", err)
	}
	records := int64(0)
	for partition := range ends {
		records += ends[partition] - starts[partition]
	}
	return fmt.Sprintf("kafka: topic %s has %d partitions, and offsets for %d records", s.config.Topic, len(ends), records), nil
}
