// Package connect carries events between foreign systems and a ledger: a
// process of its own beside the nodes, set up by one YAML file. docs/connect.md
// is its manual.
//
// Files, in reading order: config.go is the settings, run.go a run, pipe.go one
// stream on its way to the ledger, deadletter.go what cannot go there, out.go the
// way from the ledger, check.go looks before anything runs.
package connect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector/expr"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/setting"
	"github.com/cairn-ledger/cairn/client/connector/source/amqp"
	"github.com/cairn-ledger/cairn/client/connector/source/file"
	"github.com/cairn-ledger/cairn/client/connector/source/kafka"
	"github.com/cairn-ledger/cairn/client/connector/source/mqtt"
	"github.com/cairn-ledger/cairn/client/connector/source/nats"
	"github.com/cairn-ledger/cairn/client/connector/source/poll"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// maxConfigBytes bounds the settings.
const maxConfigBytes = 1 << 20

// Config is the settings of a connector. Fields without a default say so.
type Config struct {
	Ledger Ledger `yaml:"ledger"`
	// Stream names the ledger's stream. Of a source with partitions it is what
	// stands before the partition: meters.0, meters.1. Required with a source.
	Stream      string        `yaml:"stream"`
	Source      *SourceConfig `yaml:"source"`
	Map         expr.Config   `yaml:"map"`
	Samples     []Sample      `yaml:"samples"` // what `cairn connect check` maps
	DeadLetters DeadLetters   `yaml:"dead_letters"`
	Batch       Batch         `yaml:"batch"`
	// Sink, and the subscription that it gets events of, instead of a source.
	Sink         *SinkConfig  `yaml:"sink"`
	Subscription Subscription `yaml:"subscription"`
	// Drain is how long a stop waits for what is on its way; 30s.
	Drain setting.Duration `yaml:"drain"`
	// Report is how often a line says how things stand; 10s.
	Report setting.Duration `yaml:"report"`
}

// Ledger says which ledger, and as whom.
type Ledger struct {
	Network string   `yaml:"network"` // folder with network.json; or:
	Nodes   []string `yaml:"nodes"`   // URLs of nodes' APIs, with
	Genesis string   `yaml:"genesis"` // the founding document
	Key     string   `yaml:"key"`     // a producer's key: a file, or a name in the network's keys folder; producer
}

// KeyName is the key's file or name; "producer" where none was given.
func (l *Ledger) KeyName() string {
	if l.Key == "" {
		return "producer"
	}
	return l.Key
}

// Batch tunes how events are sent; 0 is the default.
type Batch struct {
	Events   int              `yaml:"events"`    // in a batch; 1,000
	Linger   setting.Duration `yaml:"linger"`    // how long one waits to fill; 20ms
	InFlight int              `yaml:"in_flight"` // batches sent and not final; 8
}

// SourceConfig holds one of these.
type SourceConfig struct {
	File         *file.Config       `yaml:"file"`
	Kafka        *kafka.Config      `yaml:"kafka"`
	MQTT         *mqtt.Config       `yaml:"mqtt"`
	NATS         *nats.Config       `yaml:"nats"`
	AMQP         *amqp.Config       `yaml:"amqp"`
	HTTP         *poll.Config       `yaml:"http"`
	SensorThings *poll.SensorThings `yaml:"sensorthings"`
}

// Sample is a record to try the mapping on.
type Sample struct {
	Key       string            `yaml:"key"`
	Value     string            `yaml:"value"`
	Headers   map[string]string `yaml:"headers"`
	Topic     string            `yaml:"topic"`
	Partition int32             `yaml:"partition"`
	Offset    int64             `yaml:"offset"`
	Time      time.Time         `yaml:"timestamp"`
	Columns   map[string]string `yaml:"columns"`
}

func (s *Sample) record() *record.Record {
	r := &record.Record{Position: uint64(max(s.Offset, 0)), Headers: s.Headers, Topic: s.Topic, Partition: s.Partition, Offset: s.Offset, Time: s.Time, Value: []byte(s.Value)}
	if s.Key != "" {
		r.Key = []byte(s.Key)
	}
	for _, name := range sortedKeys(s.Columns) {
		r.Columns = append(r.Columns, record.Column{Name: name, Text: s.Columns[name]})
	}
	return r
}

// Load reads settings. Fields that are not known are refused.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("%s has %d bytes; settings have %d at most", path, info.Size(), maxConfigBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads settings from their text.
func Parse(text []byte) (*Config, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	c := new(Config)
	if err := decoder.Decode(c); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("is empty")
		}
		return nil, plainly(err)
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document")
	}
	return c, nil
}

var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

// plainly says what is wrong without the names of Go's types.
func plainly(err error) error {
	var several *yaml.TypeError
	if !errors.As(err, &several) {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	lines := make([]string, len(several.Errors))
	for i, line := range several.Errors {
		lines[i] = unknownField.ReplaceAllString(line, `unknown field "$1"`)
	}
	return errors.New(strings.Join(lines, "; "))
}

// open makes the source. placed says that its records have positions that an
// id can be made of.
func (s *SourceConfig) open() (source record.Source, placed bool, err error) {
	if s == nil {
		return nil, false, errors.New("source is missing, or sink")
	}
	made := 0
	for _, kind := range []struct {
		there  bool
		placed bool
		make   func() (record.Source, error)
	}{
		{s.File != nil, true, func() (record.Source, error) { return file.New(*s.File) }},
		{s.Kafka != nil, true, func() (record.Source, error) { return kafka.New(*s.Kafka) }},
		{s.MQTT != nil, false, func() (record.Source, error) { return mqtt.New(*s.MQTT) }},
		{s.NATS != nil, true, func() (record.Source, error) { return nats.New(*s.NATS) }},
		{s.AMQP != nil, false, func() (record.Source, error) { return amqp.New(*s.AMQP) }},
		{s.HTTP != nil, false, func() (record.Source, error) { return prefixed("http.", poll.New, *s.HTTP) }},
		{s.SensorThings != nil, false, func() (record.Source, error) {
			return prefixed("sensorthings.", poll.NewSensorThings, *s.SensorThings)
		}},
	} {
		if !kind.there {
			continue
		}
		if made++; made > 1 {
			return nil, false, errors.New("source: holds several kinds; a connector has one")
		}
		if source, err = kind.make(); err != nil {
			return nil, false, fmt.Errorf("source.%w", err)
		}
		placed = kind.placed
	}
	if made == 0 {
		return nil, false, errors.New("source is empty: it is one of file, kafka, mqtt, nats, amqp, http, sensorthings")
	}
	return source, placed, nil
}

// prefixed makes a source and says whose settings are wrong.
func prefixed[C any](prefix string, make func(C) (*poll.Source, error), c C) (record.Source, error) {
	source, err := make(c)
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err)
	}
	return source, nil
}

// producer is how batches are made.
func (b *Batch) producer(account protocol.Address) (client.ProducerConfig, error) {
	p := client.ProducerConfig{MaxBatchEvents: 1_000, Linger: b.Linger.Or(0), MaxInFlight: b.InFlight, Gaps: true, Account: account}
	if b.Events != 0 {
		p.MaxBatchEvents = b.Events
	}
	switch {
	case p.MaxBatchEvents < 1 || p.MaxBatchEvents > protocol.MaxBatchEvents:
		return p, fmt.Errorf("batch.events is %d, must be 1 to %d", b.Events, protocol.MaxBatchEvents)
	case b.InFlight < 0 || b.InFlight > 64:
		return p, fmt.Errorf("batch.in_flight is %d, must be 1 to 64", b.InFlight)
	}
	return p, nil
}
