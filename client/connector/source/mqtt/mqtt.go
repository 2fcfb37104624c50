// Package mqtt reads topics of MQTT brokers, 5 and 3.1.1. A message is
// acknowledged to the broker once it is in the connector's journal.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/connector/journal"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/setting"
)

// Config of the source.
type Config struct {
	Broker   string         `yaml:"broker"`    // tcp://host:1883, ssl://host:8883 or ws://host/path
	Version  string         `yaml:"version"`   // 5 (also "") or 3.1.1
	ClientID string         `yaml:"client_id"` // the broker keeps a session under it
	Topics   []string       `yaml:"topics"`    // filters, such as city/+/occupancy
	QoS      *byte          `yaml:"qos"`       // 1 (also when absent) or 2
	User     string         `yaml:"user"`
	Password setting.Secret `yaml:"password"`
	TLS      *setting.TLS   `yaml:"tls"`
	// Session is how long the broker keeps messages for the connector while it is
	// away; a week. Of MQTT 5; with 3.1.1 the broker decides.
	Session        setting.Duration `yaml:"session"`
	journal.Config `yaml:",inline"`
}

// Source reads topics.
type Source struct {
	config   Config
	url      *url.URL
	password string
	tls      *tls.Config
}

// New checks a Config.
func New(c Config) (*Source, error) {
	if c.QoS == nil {
		one := byte(1)
		c.QoS = &one
	}
	u, err := url.Parse(c.Broker)
	if err != nil || u.Host == "" || !strings.Contains(" tcp mqtt ssl tls mqtts ws wss ", " "+u.Scheme+" ") {
		return nil, fmt.Errorf("mqtt.broker is %q, must be like tcp://host:1883, ssl://host:8883 or ws://host/path", c.Broker)
	}
	switch {
	case c.Version != "" && c.Version != "5" && c.Version != "3.1.1":
		return nil, fmt.Errorf("mqtt.version is %q, must be 5 or 3.1.1", c.Version)
	case c.ClientID == "":
		return nil, errors.New("mqtt.client_id is missing: the broker keeps messages under it while the connector is away")
	case len(c.Topics) == 0:
		return nil, errors.New("mqtt.topics is missing, such as [city/#]")
	case *c.QoS != 1 && *c.QoS != 2:
		return nil, fmt.Errorf("mqtt.qos is %d, must be 1 or 2: with 0 messages are lost", *c.QoS)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("mqtt.%w", err)
	}
	s := &Source{config: c, url: u}
	if s.password, err = c.Password.Text(); err != nil {
		return nil, fmt.Errorf("mqtt.password: %w", err)
	}
	if s.tls, err = c.TLS.Load(); err != nil {
		return nil, fmt.Errorf("mqtt.%w", err)
	}
	return s, nil
}

// inFlight bounds the messages that were delivered and are not in the journal.
const inFlight = 10_000

// message is one that was delivered.
type message struct {
	record *record.Record
	ack    func()
}

// Run feeds messages until ctx ends.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	return journal.Run(ctx, s.config.Config, feed, func(ctx context.Context, box *journal.Box) error {
		arrived := make(chan message, inFlight)
		listen := s.listen5
		if s.config.Version == "3.1.1" {
			listen = s.listen3
		}
		stop, err := listen(ctx, arrived, feed.Log)
		if err != nil {
			return fmt.Errorf("mqtt: %w", err)
		}
		defer stop()
		return keep(ctx, arrived, box)
	})
}

// keep makes what has arrived durable, as much at once as there is, and then
// acknowledges it, in the order in which it came.
func keep(ctx context.Context, arrived <-chan message, box *journal.Box) error {
	var messages []message
	var records []*record.Record
	for {
		messages, records = messages[:0], records[:0]
		select {
		case m := <-arrived:
			messages, records = append(messages, m), append(records, m.record)
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more && len(messages) < inFlight; {
			select {
			case m := <-arrived:
				messages, records = append(messages, m), append(records, m.record)
			default:
				more = false
			}
		}
		if err := box.Take(ctx, records, ""); err != nil {
			return err
		}
		for _, m := range messages {
			m.ack()
		}
	}
}

// Dial connects as another client, without a session.
func (s *Source) Dial(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	probe := *s
	probe.config.ClientID, probe.config.Topics = s.config.ClientID+"-check", nil
	failed := make(chan string, 16)
	log := func(format string, args ...any) {
		select {
		case failed <- fmt.Sprintf(format, args...):
		default:
		}
	}
	up := make(chan struct{})
	var stop func()
	var err error
	if s.config.Version == "3.1.1" {
		stop, err = probe.connect3(ctx, nil, func() { close(up) }, log)
	} else {
		stop, err = probe.connect5(ctx, nil, func() { close(up) }, log)
	}
	if err != nil {
		return "", fmt.Errorf("mqtt: %w", err)
	}
	defer stop()
	select {
	case <-up:
		return fmt.Sprintf("mqtt: %s answers", s.config.Broker), nil
	case sentence := <-failed:
		return "", errors.New(sentence)
	case <-ctx.Done():
		return "", fmt.Errorf("mqtt: %s does not answer", s.config.Broker)
	}
}
