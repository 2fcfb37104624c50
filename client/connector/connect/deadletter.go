package connect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/source/kafka"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Letter is a record that could not be mapped, or that the ledger refuses for
// good, with the reason.
type Letter struct {
	Time      string            `json:"time"` // when it was put aside
	Stream    string            `json:"stream"`
	Position  *uint64           `json:"position,omitempty"` // the sequence left out; none of a source without positions
	Reason    string            `json:"reason"`
	Code      string            `json:"code,omitempty"` // of the ledger's table, where it has one for it
	Topic     string            `json:"topic,omitempty"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp string            `json:"timestamp,omitempty"` // the record's own
	Headers   map[string]string `json:"headers,omitempty"`
	Key       string            `json:"key,omitempty"`
	KeyBytes  []byte            `json:"keyBase64,omitempty"` // instead, where it is not UTF-8
	Value     string            `json:"value,omitempty"`
	Bytes     []byte            `json:"valueBase64,omitempty"` // instead, where it is not UTF-8
	Truncated bool              `json:"truncated,omitempty"`   // the value is the first MiB
}

func letterOf(stream string, i *item, why error, placed bool) *Letter {
	r := i.record
	l := &Letter{
		Time: protocol.FormatTime(time.Now().UnixNano()), Stream: stream, Reason: why.Error(),
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Headers: r.Headers,
	}
	if placed {
		l.Position = &i.position
	}
	if code, ok := protocol.CodeOf(why); ok {
		l.Code = code.Name()
	}
	if !r.Time.IsZero() {
		l.Timestamp = r.Time.UTC().Format(time.RFC3339Nano)
	}
	value := r.Value
	if r.Columns != nil {
		names := map[string]string{}
		for _, c := range r.Columns {
			names[c.Name] = c.Text
		}
		value, _ = json.Marshal(names) // a map of texts: it cannot fail
	}
	if len(value) > record.MaxValueBytes {
		value, l.Truncated = value[:record.MaxValueBytes], true
	}
	l.Key, l.KeyBytes = textOf(r.Key)
	l.Value, l.Bytes = textOf(value)
	return l
}

func textOf(b []byte) (string, []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	return "", b
}

// DeadLetters says where what cannot be an event goes.
type DeadLetters struct {
	File  string       `yaml:"file"`  // JSON lines
	Kafka *KafkaTarget `yaml:"kafka"` // instead
	// StopAfter so many in a row the connector stops: then it is the mapping
	// that is wrong. 0 means 1,000; below 0 never.
	StopAfter int `yaml:"stop_after"`
}

// KafkaTarget is a topic that is written.
type KafkaTarget struct {
	kafka.Connection `yaml:",inline"`
	Topic            string `yaml:"topic"`
}

// graveyard keeps dead letters. Its methods may be called from any goroutine.
type graveyard interface {
	// Begin tells which positions of a stream may come again: those from next on.
	Begin(stream string, next uint64) error
	Put(l *Letter) error
	// Sync makes durable what was put.
	Sync() error
	Close() error
}

func (d *DeadLetters) open(ctx context.Context) (graveyard, error) {
	switch {
	case d.Kafka != nil:
		return newKafkaLetters(ctx, d.Kafka)
	case d.File != "":
		return openLetterFile(d.File)
	}
	return nil, errors.New("dead_letters is missing: say where records go that cannot be events, such as dead_letters: {file: dead.jsonl}")
}

// letterFile appends to a file. A letter whose position is read again after a
// restart, because no event followed it, is not written twice.
type letterFile struct {
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	dirty bool
	there map[string]map[uint64][32]byte // hashes of values by stream and position, that may come again
}

func openLetterFile(path string) (*letterFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	l := &letterFile{file: file, there: map[string]map[uint64][32]byte{}}
	if err := l.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("dead letters: %s: %w", path, err), file.Close())
	}
	l.out = bufio.NewWriter(file)
	return l, nil
}

// read notes what is there and cuts off a line that a crash left unfinished.
func (l *letterFile) read() error {
	in := bufio.NewReaderSize(l.file, 1<<20)
	whole := int64(0)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var letter Letter
		if err := json.Unmarshal(line, &letter); err != nil {
			return fmt.Errorf("at byte %d: is not a dead letter: %w", whole, err)
		}
		whole += int64(len(line))
		if letter.Position == nil {
			continue
		}
		if l.there[letter.Stream] == nil {
			l.there[letter.Stream] = map[uint64][32]byte{}
		}
		l.there[letter.Stream][*letter.Position] = letter.hash()
	}
	if err := l.file.Truncate(whole); err != nil {
		return err
	}
	_, err := l.file.Seek(whole, io.SeekStart)
	return err
}

func (l *Letter) hash() [32]byte {
	return sha256.Sum256(bytes.Join([][]byte{[]byte(l.Reason), []byte(l.Value), l.Bytes, []byte(l.Key), l.KeyBytes}, []byte{0}))
}

// Begin forgets the letters that the stream has passed.
func (l *letterFile) Begin(stream string, next uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for position := range l.there[stream] {
		if position < next {
			delete(l.there[stream], position)
		}
	}
	return nil
}

func (l *letterFile) Put(letter *Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if letter.Position != nil {
		if hash, there := l.there[letter.Stream][*letter.Position]; there && hash == letter.hash() {
			return nil
		}
	}
	text, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	l.dirty = true
	if _, err := l.out.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

func (l *letterFile) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return nil
	}
	if err := errors.Join(l.out.Flush(), l.file.Sync()); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	l.dirty = false
	return nil
}

func (l *letterFile) Close() error { return errors.Join(l.Sync(), l.file.Close()) }

// kafkaLetters writes to a topic. One that is read again after a restart is
// there again, with the same stream and position.
type kafkaLetters struct {
	ctx    context.Context // of the run
	client *kgo.Client

	mu    sync.Mutex
	wait  sync.WaitGroup
	first error
	dirty bool
}

func newKafkaLetters(ctx context.Context, t *KafkaTarget) (*kafkaLetters, error) {
	if t.Topic == "" {
		return nil, errors.New("dead_letters.kafka.topic is missing")
	}
	options, err := t.Options()
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	c, err := kgo.NewClient(append(options, kgo.DefaultProduceTopic(t.Topic))...)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &kafkaLetters{ctx: ctx, client: c}, nil
}

func (k *kafkaLetters) Begin(string, uint64) error { return nil }

func (k *kafkaLetters) Put(letter *Letter) error {
	text, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dirty = true
	k.wait.Add(1)
	k.client.Produce(k.ctx, &kgo.Record{Key: []byte(letter.Stream), Value: text}, func(_ *kgo.Record, err error) {
		defer k.wait.Done()
		if err != nil {
			k.mu.Lock()
			k.first = err
			k.mu.Unlock()
		}
	})
	return nil
}

func (k *kafkaLetters) Sync() error {
	k.mu.Lock()
	dirty := k.dirty
	k.mu.Unlock()
	if !dirty {
		return nil
	}
	k.wait.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first != nil {
		return fmt.Errorf("dead letters: %w", k.first)
	}
	k.dirty = false
	return nil
}

func (k *kafkaLetters) Close() error {
	err := k.Sync()
	k.client.Close()
	return err
}
