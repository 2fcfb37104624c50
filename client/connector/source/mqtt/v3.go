package mqtt

import (
	"context"
	"time"

	mqtt3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

// listen3 subscribes by MQTT 3.1.1.
func (s *Source) listen3(ctx context.Context, arrived chan<- message, log func(string, ...any)) (stop func(), err error) {
	return s.connect3(ctx, arrived, func() {}, log)
}

const version311 = 4 // of the protocol, on the wire

// connect3 connects, and again whenever the connection is lost. Nothing is
// subscribed to without topics.
func (s *Source) connect3(ctx context.Context, arrived chan<- message, up func(), log func(string, ...any)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	handle := func(_ mqtt3.Client, m mqtt3.Message) {
		r := &record.Record{Value: m.Payload(), Topic: m.Topic(), Time: time.Now(), Headers: map[string]string{}}
		if m.Retained() {
			r.Headers["mqtt-retained"] = "true"
		}
		select {
		case arrived <- message{r, m.Ack}:
		case <-ctx.Done():
		}
	}
	options := mqtt3.NewClientOptions().AddBroker(s.url.String()).SetProtocolVersion(version311).SetClientID(s.config.ClientID).
		SetUsername(s.config.User).SetPassword(s.password).SetCleanSession(len(s.config.Topics) == 0).SetAutoAckDisabled(true).
		SetOrderMatters(true).SetAutoReconnect(true).SetConnectRetry(true).SetConnectRetryInterval(200 * time.Millisecond).
		SetMaxReconnectInterval(5 * time.Second).SetKeepAlive(30 * time.Second).SetDefaultPublishHandler(handle)
	if s.tls != nil {
		options.SetTLSConfig(s.tls)
	}
	options.SetConnectionLostHandler(func(_ mqtt3.Client, err error) { log("mqtt: %s: %v; trying again", s.config.Broker, err) })
	options.SetOnConnectHandler(func(c mqtt3.Client) {
		if len(s.config.Topics) == 0 {
			up()
			return
		}
		filters := map[string]byte{}
		for _, topic := range s.config.Topics {
			filters[topic] = *s.config.QoS
		}
		token := c.SubscribeMultiple(filters, handle)
		go func() {
			switch done := token.WaitTimeout(20 * time.Second); {
			case done && token.Error() == nil:
				up()
			case ctx.Err() == nil:
				log("mqtt: %s: subscribing: %v", s.config.Broker, token.Error())
			}
		}()
	})
	client := mqtt3.NewClient(options)
	client.Connect() // goes on trying
	return func() {
		cancel()
		client.Disconnect(200)
	}, nil
}
