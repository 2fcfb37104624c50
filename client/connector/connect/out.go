package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector/setting"
	"github.com/cairn-ledger/cairn/client/connector/sink"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Subscription says which events a sink gets. The node keeps its place under
// the name; see docs/events.md.
type Subscription struct {
	Name    string           `yaml:"name"`
	Node    string           `yaml:"node"`  // URL of the node that keeps it; the first of the ledger's
	Token   setting.Secret   `yaml:"token"` // of the scope consume
	From    string           `yaml:"from"`  // where a new name begins: beginning (also ""), now, an index or a time
	Type    string           `yaml:"type"`  // exact, or a prefix that ends in . / or *
	Source  string           `yaml:"source"`
	Subject string           `yaml:"subject"`
	Filters []map[string]any `yaml:"filters"` // further ones, in CloudEvents' dialects
	Batch   int              `yaml:"batch"`   // events written at once; 500
}

// SinkConfig holds one of these.
type SinkConfig struct {
	File     *sink.FileConfig     `yaml:"file"`
	Kafka    *sink.KafkaConfig    `yaml:"kafka"`
	Postgres *sink.PostgresConfig `yaml:"postgres"`
	Webhook  *sink.WebhookConfig  `yaml:"webhook"`
}

func (s *SinkConfig) open() (out sink.Sink, err error) {
	made := 0
	for _, kind := range []struct {
		there bool
		make  func() (sink.Sink, error)
	}{
		{s.File != nil, func() (sink.Sink, error) { return sink.NewFile(*s.File) }},
		{s.Kafka != nil, func() (sink.Sink, error) { return sink.NewKafka(*s.Kafka) }},
		{s.Postgres != nil, func() (sink.Sink, error) { return sink.NewPostgres(*s.Postgres) }},
		{s.Webhook != nil, func() (sink.Sink, error) { return sink.NewWebhook(*s.Webhook) }},
	} {
		if !kind.there {
			continue
		}
		if made++; made > 1 {
			return nil, errors.New("sink: holds several kinds; a connector has one")
		}
		if out, err = kind.make(); err != nil {
			return nil, fmt.Errorf("sink.%w", err)
		}
	}
	if made == 0 {
		return nil, errors.New("sink is empty: it is one of file, kafka, postgres, webhook")
	}
	return out, nil
}

// outflow brings events of a ledger to a sink: an event is acknowledged to the
// node once the sink has it.
type outflow struct {
	config *Config
	sink   sink.Sink
	wanted rest.NewSubscription
	report *reporter

	mu     sync.Mutex
	counts Counts // guarded by mu
}

func newOutflow(c *Config) (*outflow, error) {
	s := &c.Subscription
	if s.Name == "" {
		return nil, errors.New("subscription.name is missing: the node keeps the connector's place under it")
	}
	if s.From == "" {
		s.From = "beginning"
	}
	if s.Batch == 0 {
		s.Batch = 500
	}
	if s.Batch < 1 || s.Batch > 1_000 {
		return nil, fmt.Errorf("subscription.batch is %d, must be 1 to 1,000", s.Batch)
	}
	out, err := c.Sink.open()
	if err != nil {
		return nil, err
	}
	o := &outflow{config: c, sink: out, wanted: rest.NewSubscription{Name: s.Name, From: s.From}, counts: Counts{Stream: s.Name}}
	if o.wanted.Filters, err = s.filters(); err != nil {
		return nil, err
	}
	return o, nil
}

// filters renders what is wanted in CloudEvents' dialects.
func (s *Subscription) filters() (out []json.RawMessage, err error) {
	wanted := s.Filters
	for _, f := range [...]struct{ name, text string }{{"type", s.Type}, {"source", s.Source}, {"subject", s.Subject}} {
		if f.text == "" || f.text == "*" {
			continue
		}
		dialect, text := "exact", f.text
		switch text[len(text)-1] {
		case '*':
			dialect, text = "prefix", text[:len(text)-1]
		case '.', '/':
			dialect = "prefix"
		}
		wanted = append(wanted, map[string]any{dialect: map[string]string{f.name: text}})
	}
	for _, f := range wanted {
		text, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("subscription.filters: %w", err)
		}
		out = append(out, text)
	}
	return out, nil
}

// subscribe finds the node and makes the subscription.
func (o *outflow) subscribe(ctx context.Context, c *client.Client) (*client.Subscriptions, error) {
	token, err := o.config.Subscription.Token.Text()
	if err == nil && token == "" {
		err = errors.New("is missing; the node's operator makes one with `cairnd token add NAME --scope consume`")
	}
	if err != nil {
		return nil, fmt.Errorf("subscription.token: %w", err)
	}
	node := o.config.Subscription.Node
	if node == "" {
		node = c.Config().Nodes[0]
	}
	s := c.Subscriptions(node, token)
	for try := 0; ; try++ {
		made, err := s.Create(ctx, o.wanted)
		var refusal *client.Refusal
		switch {
		case err == nil:
			o.log("subscription %s goes on from entry %d, %d before the end of the log", made.Name, made.Cursor, made.Lag)
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &refusal) && !refusal.Retryable:
			return nil, fmt.Errorf("subscription %s: %w", o.wanted.Name, err)
		}
		o.log("subscription %s: %v; trying again", o.wanted.Name, err)
		if err := sleep(ctx, pause(try)); err != nil {
			return nil, err
		}
	}
}

// Run writes events until ctx ends.
func (o *outflow) Run(ctx context.Context, c *client.Client, _ protocol.PrivateKey, out io.Writer, asJSON bool) (err error) {
	o.report = newReporter(out, asJSON)
	var dead graveyard
	if o.config.DeadLetters.File != "" || o.config.DeadLetters.Kafka != nil {
		if dead, err = o.config.DeadLetters.open(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dead.Close()) }()
	}
	defer func() { err = errors.Join(err, o.sink.Close()) }()
	s, err := o.subscribe(ctx, c)
	if err == nil {
		stop := every(o.config.Report.Or(10*time.Second), func() {
			o.look(ctx, s)
			o.report.counts(o.snapshot(), false)
		})
		err = o.carry(ctx, s, dead)
		stop()
		o.report.counts(o.snapshot(), true)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (o *outflow) carry(ctx context.Context, s *client.Subscriptions, dead graveyard) error {
	follow := client.Follow{Limit: o.config.Subscription.Batch, Restart: true}
	for try := 0; ; {
		events, err := s.Next(ctx, o.wanted.Name, follow)
		if err == nil && len(events) > 0 {
			if err = o.write(ctx, events, dead); err == nil {
				last := events[len(events)-1].Index
				_, err = s.Ack(ctx, o.wanted.Name, "", rest.Acknowledgement{UpTo: &last})
			}
		}
		var refusal *client.Refusal
		switch {
		case err == nil:
			follow.Restart, try = false, 0
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refusal) && !refusal.Retryable, errors.As(err, new(*sink.Refused)):
			return err
		}
		o.log("%v; trying again", err)
		if err := sleep(ctx, pause(try)); err != nil {
			return err
		}
		follow.Restart, try = true, try+1
	}
}

// write hands events to the sink. One that it never takes becomes a dead
// letter; without a place for those it ends the connector.
func (o *outflow) write(ctx context.Context, events []rest.Delivered, dead graveyard) error {
	for len(events) > 0 {
		err := o.sink.Write(ctx, events)
		var refused *sink.Refused
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		done := len(events)
		if refused != nil {
			if dead == nil {
				return fmt.Errorf("entry %d: %w; dead_letters would keep it and go on", events[refused.At].Index, err)
			}
			if err := o.bury(&events[refused.At], refused.Reason, dead); err != nil {
				return err
			}
			done = refused.At + 1
		}
		o.mu.Lock()
		o.counts.Next = max(o.counts.Next, events[done-1].Index+1)
		o.counts.Committed += uint64(done)
		if refused != nil {
			o.counts.Committed--
			o.counts.Dead++
		}
		o.mu.Unlock()
		events = events[done:]
	}
	return nil
}

func (o *outflow) bury(e *rest.Delivered, why error, dead graveyard) error {
	text, err := json.Marshal(e.Event)
	if err != nil {
		return err
	}
	l := &Letter{Time: protocol.FormatTime(time.Now().UnixNano()), Stream: o.wanted.Name, Position: &e.Index, Reason: why.Error(), Value: string(text)}
	if err := dead.Put(l); err != nil {
		return err
	}
	return dead.Sync()
}

// look asks the node how far the log goes, for the lag that is shown.
func (o *outflow) look(ctx context.Context, s *client.Subscriptions) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	all, err := s.List(ctx)
	if err != nil {
		return // the next line may have it
	}
	for _, one := range all {
		if one.Name == o.wanted.Name {
			o.mu.Lock()
			o.counts.Next, o.counts.End = max(o.counts.Next, one.Cursor), one.Cursor+one.Lag
			o.mu.Unlock()
		}
	}
}

func (o *outflow) snapshot() []Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return []Counts{o.counts}
}

func (o *outflow) log(format string, args ...any) { o.report.log(fmt.Sprintf(format, args...)) }

// Try maps nothing: events leave as they are.
func (o *outflow) Try(context.Context, [][]byte) ([]Tried, error) { return nil, nil }

// Dial connects to the sink and says what is there.
func (o *outflow) Dial(ctx context.Context) (string, error) {
	sentence, err := o.sink.Dial(ctx)
	if err != nil {
		return "", fmt.Errorf("sink: %w", err)
	}
	return sentence, nil
}

// Signs says whether a key is needed.
func (o *outflow) Signs() bool { return false }
