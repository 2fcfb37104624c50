// Package amqp reads queues by AMQP 0.9.1, as RabbitMQ speaks it. A message is
// acknowledged once its event is final, so the broker keeps what the ledger
// lacks; what it delivers twice is told by the event's id.
package amqp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/setting"
)

// Config of the source. The queue must be there.
type Config struct {
	URL      string         `yaml:"url"` // amqp://host:5672/vhost or amqps://
	User     string         `yaml:"user"`
	Password setting.Secret `yaml:"password"`
	TLS      *setting.TLS   `yaml:"tls"`
	Queue    string         `yaml:"queue"`
	Prefetch int            `yaml:"prefetch"` // messages delivered and not acknowledged; 2,000
}

// Source reads one queue.
type Source struct {
	config Config
	url    string
	tls    *tls.Config

	mu   sync.Mutex
	conn *amqp091.Connection // of now; guarded by mu
}

// New checks a Config.
func New(c Config) (*Source, error) {
	if c.Prefetch == 0 {
		c.Prefetch = 2_000
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "amqp" && u.Scheme != "amqps":
		return nil, fmt.Errorf("amqp.url must be like amqp://host:5672/vhost or amqps://host/vhost")
	case c.Queue == "":
		return nil, errors.New("amqp.queue is missing")
	case c.Prefetch < 1 || c.Prefetch > 60_000:
		return nil, fmt.Errorf("amqp.prefetch is %d, must be 1 to 60,000", c.Prefetch)
	}
	s := &Source{config: c}
	password, err := c.Password.Text()
	if err != nil {
		return nil, fmt.Errorf("amqp.password: %w", err)
	}
	if c.User != "" {
		u.User = url.UserPassword(c.User, password)
	}
	s.url = u.String()
	if s.tls, err = c.TLS.Load(); err != nil {
		return nil, fmt.Errorf("amqp.%w", err)
	}
	return s, nil
}

// Run feeds messages until ctx ends. Close ends the connection, which
// acknowledgements use after that.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	stream, err := feed.Open(ctx, "")
	if err != nil {
		return err
	}
	for {
		err := s.read(ctx, stream)
		var stopped fatal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &stopped):
			return stopped.error
		}
		feed.Log("amqp: %v; trying again", err)
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the connection.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.IsClosed() {
		return nil
	}
	return s.conn.Close()
}

// fatal marks what trying again does not help with.
type fatal struct{ error }

func (s *Source) dial() (*amqp091.Connection, error) {
	return amqp091.DialConfig(s.url, amqp091.Config{
		TLSClientConfig: s.tls, Heartbeat: 10 * time.Second, Dial: amqp091.DefaultDial(10 * time.Second),
		Properties: amqp091.Table{"connection_name": "cairn"},
	})
}

// read feeds one connection's messages until it fails.
func (s *Source) read(ctx context.Context, stream record.Stream) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	channel, err := conn.Channel()
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	if err := channel.Qos(s.config.Prefetch, 0, false); err != nil {
		return errors.Join(err, conn.Close())
	}
	deliveries, err := channel.Consume(s.config.Queue, "cairn", false, false, false, false, nil)
	if err != nil {
		var refused *amqp091.Error
		if errors.As(err, &refused) && (refused.Code == amqp091.NotFound || refused.Code == amqp091.AccessRefused) {
			return fatal{fmt.Errorf("amqp: %w", errors.Join(err, conn.Close()))}
		}
		return errors.Join(err, conn.Close())
	}
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	for {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), channel.Cancel("cairn", false)) // the rest is acknowledged as it becomes final
		case d, open := <-deliveries:
			if !open {
				if err := <-closed; err != nil {
					return err
				}
				return errors.New("the queue was deleted, or the connection lost")
			}
			r := recordOf(&d, s.config.Queue)
			r.Done = func() { _ = d.Ack(false) } // where the connection is lost, it comes again
			if err := stream.Append(ctx, r); err != nil {
				return fatal{err}
			}
		}
	}
}

func recordOf(d *amqp091.Delivery, queue string) *record.Record {
	r := &record.Record{Value: d.Body, Topic: d.RoutingKey, Time: d.Timestamp, Offset: int64(d.DeliveryTag), Headers: map[string]string{"queue": queue, "exchange": d.Exchange}}
	for name, value := range d.Headers {
		switch v := value.(type) {
		case string:
			r.Headers[name] = v
		case []byte:
			r.Headers[name] = string(v)
		case bool:
			r.Headers[name] = strconv.FormatBool(v)
		case int8, int16, int32, int64, uint8, float32, float64:
			r.Headers[name] = fmt.Sprint(v)
		}
	}
	for name, value := range map[string]string{"content-type": d.ContentType, "message-id": d.MessageId, "correlation-id": d.CorrelationId, "type": d.Type, "app-id": d.AppId} {
		if value != "" {
			r.Headers[name] = value
		}
	}
	return r
}

// Dial says how many messages the queue has.
func (s *Source) Dial(context.Context) (string, error) {
	conn, err := s.dial()
	if err != nil {
		return "", fmt.Errorf("amqp: %w", err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		return "", fmt.Errorf("amqp: %w", err)
	}
	queue, err := channel.QueueDeclarePassive(s.config.Queue, false, false, false, false, nil)
	if err != nil {
		return "", fmt.Errorf("amqp: %w", err)
	}
	return fmt.Sprintf("amqp: queue %s has %d messages", queue.Name, queue.Messages), nil
}
