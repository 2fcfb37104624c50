// Package kafka reads topics of Apache Kafka and what speaks its protocol.
package kafka

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/cairn-ledger/cairn/client/connector/setting"
)

// Connection says how brokers are reached.
type Connection struct {
	Brokers []string     `yaml:"brokers"` // host:port
	TLS     *setting.TLS `yaml:"tls"`
	SASL    *SASL        `yaml:"sasl"`
}

// SASL is how the client says who it is.
type SASL struct {
	Mechanism string         `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User      string         `yaml:"user"`
	Password  setting.Secret `yaml:"password"`
}

// Options are the client's; secrets and files are read now.
func (c *Connection) Options() ([]kgo.Opt, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("kafka.brokers is missing, such as [localhost:9092]")
	}
	options := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("cairn")}
	secured, err := c.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("kafka.%w", err)
	}
	if secured != nil {
		options = append(options, kgo.DialTLSConfig(secured))
	}
	if c.SASL == nil {
		return options, nil
	}
	password, err := c.SASL.Password.Text()
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl.password: %w", err)
	}
	who := scram.Auth{User: c.SASL.User, Pass: password}
	switch c.SASL.Mechanism {
	case "PLAIN":
		return append(options, kgo.SASL(plain.Auth{User: c.SASL.User, Pass: password}.AsMechanism())), nil
	case "SCRAM-SHA-256":
		return append(options, kgo.SASL(who.AsSha256Mechanism())), nil
	case "SCRAM-SHA-512":
		return append(options, kgo.SASL(who.AsSha512Mechanism())), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism is %q, must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASL.Mechanism)
}
