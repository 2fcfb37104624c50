package mqtt

import (
	"context"
	"math"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

// listen5 subscribes by MQTT 5.
func (s *Source) listen5(ctx context.Context, arrived chan<- message, log func(string, ...any)) (stop func(), err error) {
	return s.connect5(ctx, arrived, func() {}, log)
}

// connect5 connects, and again whenever the connection is lost. Nothing is
// subscribed to without topics.
func (s *Source) connect5(ctx context.Context, arrived chan<- message, up func(), log func(string, ...any)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	session := uint32(min(s.config.Session.Or(7*24*time.Hour)/time.Second, math.MaxUint32-1))
	if len(s.config.Topics) == 0 {
		session = 0
	}
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{s.url}, TlsCfg: s.tls, KeepAlive: 30, SessionExpiryInterval: session,
		ConnectUsername: s.config.User, ConnectPassword: []byte(s.password),
		ReconnectBackoff: func(int) time.Duration { return 200 * time.Millisecond },
		OnConnectionUp: func(m *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() { // it must not block
				if err := s.subscribe5(ctx, m); err != nil && ctx.Err() == nil {
					log("mqtt: %s: subscribing: %v", s.config.Broker, err)
					return
				}
				up()
			}()
		},
		OnConnectError: func(err error) {
			if ctx.Err() == nil {
				log("mqtt: %s: %v; trying again", s.config.Broker, err)
			}
		},
		// Without properties a broker may leave out users' own from messages.
		ConnectPacketBuilder: func(c *paho.Connect, _ *url.URL) (*paho.Connect, error) {
			if c.Properties == nil {
				c.Properties = &paho.ConnectProperties{}
			}
			limit := uint16(inFlight)
			c.Properties.ReceiveMaximum, c.Properties.RequestProblemInfo = &limit, true
			return c, nil
		},
		ClientConfig: paho.ClientConfig{
			ClientID: s.config.ClientID, EnableManualAcknowledgment: true, SendAcksInterval: time.Millisecond,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
				m := message{recordOf5(p.Packet), func() { _ = p.Client.Ack(p.Packet) }} // else it comes again
				select {
				case arrived <- m:
				case <-ctx.Done():
				}
				return true, nil
			}},
		},
	}
	manager, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		cancel()
		return nil, err
	}
	return func() {
		bounded, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer done()
		_ = manager.Disconnect(bounded) // politeness
		cancel()
		<-manager.Done()
	}, nil
}

// noRetained asks for retained messages only with a subscription that is new.
const noRetained = 1

func (s *Source) subscribe5(ctx context.Context, m *autopaho.ConnectionManager) error {
	if len(s.config.Topics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	wanted := &paho.Subscribe{}
	for _, topic := range s.config.Topics {
		wanted.Subscriptions = append(wanted.Subscriptions, paho.SubscribeOptions{Topic: topic, QoS: *s.config.QoS, RetainHandling: noRetained})
	}
	_, err := m.Subscribe(ctx, wanted)
	return err
}

func recordOf5(p *paho.Publish) *record.Record {
	r := &record.Record{Value: p.Payload, Topic: p.Topic, Time: time.Now(), Headers: map[string]string{}}
	if p.Retain {
		r.Headers["mqtt-retained"] = "true"
	}
	if p.Properties == nil {
		return r
	}
	if p.Properties.ContentType != "" {
		r.Headers["content-type"] = p.Properties.ContentType
	}
	for _, u := range p.Properties.User {
		r.Headers[u.Key] = u.Value
	}
	return r
}
