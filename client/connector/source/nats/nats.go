// Package nats reads streams of NATS JetStream. A message's sequence, less
// one, is its position: JetStream counts from 1.
package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/setting"
)

// Config of the source. It keeps no consumer on the server: the ledger knows
// what it holds.
type Config struct {
	URL         string         `yaml:"url"` // nats://host:4222, several with commas
	Stream      string         `yaml:"stream"`
	Subjects    []string       `yaml:"subjects"`    // those to read; none means all
	Lost        string         `yaml:"lost"`        // stop (also "") or gap, for messages that were deleted before they were read
	Credentials string         `yaml:"credentials"` // file
	User        string         `yaml:"user"`
	Password    setting.Secret `yaml:"password"`
	Token       setting.Secret `yaml:"token"`
	TLS         *setting.TLS   `yaml:"tls"`
}

// Source reads one stream.
type Source struct {
	config  Config
	options []nats.Option
}

// New checks a Config.
func New(c Config) (*Source, error) {
	switch {
	case c.URL == "":
		return nil, errors.New("nats.url is missing, such as nats://localhost:4222")
	case c.Stream == "":
		return nil, errors.New("nats.stream is missing")
	case !slices.Contains([]string{"", "stop", "gap"}, c.Lost):
		return nil, fmt.Errorf("nats.lost is %q, must be stop or gap", c.Lost)
	}
	s := &Source{config: c, options: []nats.Option{nats.Name("cairn"), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.RetryOnFailedConnect(true)}}
	password, err := c.Password.Text()
	if err != nil {
		return nil, fmt.Errorf("nats.password: %w", err)
	}
	token, err := c.Token.Text()
	if err != nil {
		return nil, fmt.Errorf("nats.token: %w", err)
	}
	if c.User != "" {
		s.options = append(s.options, nats.UserInfo(c.User, password))
	}
	if token != "" {
		s.options = append(s.options, nats.Token(token))
	}
	if c.Credentials != "" {
		s.options = append(s.options, nats.UserCredentials(c.Credentials))
	}
	secured, err := c.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("nats.%w", err)
	}
	if secured != nil {
		s.options = append(s.options, nats.Secure(secured))
	}
	return s, nil
}

// Run feeds messages until ctx ends.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	stream, err := feed.Open(ctx, "")
	if err != nil {
		return err
	}
	conn, err := nats.Connect(s.config.URL, append(s.options,
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				feed.Log("nats: %v; trying again", err)
			}
		}))...)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	defer conn.Close()
	for {
		err := s.read(ctx, conn, stream, feed)
		var stopped fatal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &stopped):
			return stopped.error
		}
		feed.Log("nats: %v; trying again", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fatal marks what trying again does not help with.
type fatal struct{ error }

// read feeds from where the ledger stands until something fails.
func (s *Source) read(ctx context.Context, conn *nats.Conn, out record.Stream, feed record.Feed) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return fatal{err}
	}
	source, err := js.Stream(ctx, s.config.Stream)
	if err != nil {
		return err
	}
	info, err := source.Info(ctx)
	if err != nil {
		return err
	}
	next := out.Next() // counted from 0: it is the sequence of the last message read
	switch first, last := info.State.FirstSeq, info.State.LastSeq; {
	case next > last:
		return fatal{fmt.Errorf("nats: stream %s ends at %d and the ledger's stream stands at %d: it was made anew, or this is another one; give the connector another stream", s.config.Stream, last, next)}
	case next > 0 && first > next+1 && s.config.Lost != "gap":
		return fatal{fmt.Errorf("nats: stream %s has deleted the messages %d to %d before they were read; `lost: gap` goes on without them, and declares that", s.config.Stream, next+1, first-1)}
	case next > 0 && first > next+1:
		feed.Log("nats: the messages %d to %d were deleted before they were read; they become a declared gap", next+1, first-1)
	}
	out.End(info.State.LastSeq)
	consumer, err := source.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: s.config.Subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: next + 1,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		at, err := m.Metadata()
		if err != nil {
			return err
		}
		out.End(at.Sequence.Stream + at.NumPending)
		if err := out.Put(ctx, recordOf(m, at)); err != nil {
			return fatal{err}
		}
	}
}

func recordOf(m jetstream.Msg, at *jetstream.MsgMetadata) *record.Record {
	r := &record.Record{Position: at.Sequence.Stream - 1, Offset: int64(at.Sequence.Stream), Value: m.Data(), Topic: m.Subject(), Time: at.Timestamp}
	if headers := m.Headers(); len(headers) > 0 {
		r.Headers = make(map[string]string, len(headers))
		for name, values := range headers {
			r.Headers[name] = values[0]
		}
	}
	return r
}

// Dial says how far the stream goes.
func (s *Source) Dial(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := nats.Connect(s.config.URL, append(s.options, nats.RetryOnFailedConnect(false))...)
	if err != nil {
		return "", fmt.Errorf("nats: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return "", fmt.Errorf("nats: %w", err)
	}
	stream, err := js.Stream(ctx, s.config.Stream)
	if err != nil {
		return "", fmt.Errorf("nats: stream %s: %w", s.config.Stream, err)
	}
	state := stream.CachedInfo().State
	return fmt.Sprintf("nats: stream %s has the messages %d to %d", s.config.Stream, state.FirstSeq, state.LastSeq), nil
}
