// Package derive makes events out of events, each once: predictions out of
// readings, proposals out of measurements. A service reads a subscription and
// writes streams of its own, one for each series of inputs. Nothing but those
// streams is kept: where a series stands is read from its stream's last event,
// which names its inputs. So a crash anywhere neither loses nor repeats an
// event, and two services that do the same do no harm, as they say the same
// under the same sequences.
package derive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Series makes the events of one stream. What it makes follows from its inputs
// alone: no clock, no randomness.
type Series interface {
	// Next makes the event that follows from an input, which is the greatest
	// of those that the event declares (Inputs); false where none follows. An
	// error ends the service.
	Next(in *rest.Delivered) (protocol.Event, bool, error)
}

// Maker says which series there are.
type Maker interface {
	// Key names the series that an input belongs to; false where it is of none.
	Key(in *protocol.Event) (key string, ok bool)
	// Stream names a series' stream.
	Stream(key string) string
	// Open begins a series. last is the newest event of its stream; nil where
	// the stream is new, and then first, where it is not nil, becomes its first event.
	Open(ctx context.Context, key string, last *protocol.Event) (s Series, first *protocol.Event, err error)
}

// Config of a service.
type Config struct {
	Client        *client.Client
	Key           protocol.PrivateKey // of the account whose streams are written
	Subscriptions *client.Subscriptions
	Name          string // of the subscription, which exists
	Page          int    // inputs at once; 0 means 500
	Verify        bool   // have each input's receipt fetched and verified
	// Progress, where it is set, hears after each page.
	Progress func(Progress)
	// Idle, where it is above 0, ends the service once no input came for so long.
	Idle time.Duration
}

// Progress is what a service did so far.
type Progress struct {
	Inputs  uint64 // that came, repeats included
	Made    uint64 // events that are final
	Known   uint64 // inputs that an event had been made of before
	Nothing uint64 // inputs that no event follows from
	Last    uint64 // index of the last input
}

// service is a run of one.
type service struct {
	Config
	maker  Maker
	series map[string]*open
	did    Progress
}

// open is a series at work.
type open struct {
	Series
	producer *client.Producer
	after    uint64 // inputs below it are done
}

// MaxSeries bounds the series of a service: each keeps a stream open.
const MaxSeries = 10_000

// Run serves until ctx ends, which is no error, or for Idle.
func Run(ctx context.Context, c Config, m Maker) error {
	s := &service{Config: c, maker: m, series: map[string]*open{}}
	if s.Page == 0 {
		s.Page = 500
	}
	defer s.close()
	follow := client.Follow{Limit: s.Page, Restart: true, Receipt: s.Verify}
	if s.Idle > 0 {
		return s.untilIdle(ctx, follow)
	}
	err := s.Subscriptions.EachPage(ctx, s.Name, follow, func(page []rest.Delivered) (int, error) { return s.page(ctx, page) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// untilIdle serves pages until one does not come in time.
func (s *service) untilIdle(ctx context.Context, follow client.Follow) error {
	follow.Wait = s.Idle
	for {
		page, err := s.Subscriptions.Next(ctx, s.Name, follow)
		if err != nil || len(page) == 0 {
			return err
		}
		follow.Restart = false
		if _, err := s.page(ctx, page); err != nil {
			return err
		}
		last := page[len(page)-1].Index
		if _, err := s.Subscriptions.Ack(ctx, s.Name, "", rest.Acknowledgement{UpTo: &last}); err != nil {
			return err
		}
	}
}

func (s *service) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // whatever is not final yet is made again by the next run
	for _, o := range s.series {
		_ = o.producer.Close(ended)
	}
}

// page makes the events of a page's inputs and waits until all are final. All
// of the page is done then, and may be acknowledged, or nothing is.
func (s *service) page(ctx context.Context, page []rest.Delivered) (done int, err error) {
	var made []*client.Future
	for i := range page {
		future, err := s.input(ctx, &page[i])
		if err != nil {
			return 0, fmt.Errorf("input %d: %w", page[i].Index, err)
		}
		if future != nil {
			made = append(made, future)
		}
	}
	for _, future := range made {
		if _, err := future.Wait(ctx); err != nil {
			return 0, fmt.Errorf("derived event %d: %w", future.Sequence, err)
		}
	}
	s.did.Made += uint64(len(made))
	s.did.Last = page[len(page)-1].Index
	if s.Progress != nil {
		s.Progress(s.did)
	}
	return len(page), nil
}

// input makes the event of one input; nil where none is to be made.
func (s *service) input(ctx context.Context, in *rest.Delivered) (*client.Future, error) {
	s.did.Inputs++
	if err := s.verify(ctx, in); err != nil {
		return nil, err
	}
	key, ok := s.maker.Key(&in.Event)
	if !ok {
		s.did.Nothing++
		return nil, nil
	}
	o := s.series[key]
	if o == nil {
		var err error
		if o, err = s.open(ctx, key); err != nil {
			return nil, fmt.Errorf("series %q: %w", key, err)
		}
		s.series[key] = o
	}
	if in.Index < o.after {
		s.did.Known++
		return nil, nil
	}
	e, ok, err := o.Next(in)
	if err != nil {
		return nil, err
	}
	o.after = in.Index + 1
	if !ok {
		s.did.Nothing++
		return nil, nil
	}
	if next, err := afterInputs(&e); err != nil || next != o.after {
		return nil, fmt.Errorf("the event made of it must declare it as its newest input (%v)", err)
	}
	return o.producer.Submit(ctx, e)
}

// open finds where a series stands.
func (s *service) open(ctx context.Context, key string) (*open, error) {
	if len(s.series) == MaxSeries {
		return nil, fmt.Errorf("there are over %d series; filter the subscription and run several services", MaxSeries)
	}
	stream := s.maker.Stream(key)
	account, err := s.Client.AccountOf(ctx, s.Key.Public())
	if err != nil {
		return nil, err
	}
	producer, err := s.Client.NewProducer(ctx, s.Key, stream, client.ProducerConfig{Account: account})
	if err != nil {
		return nil, err
	}
	o := &open{producer: producer}
	var last, first *protocol.Event
	if held := producer.Held(); held > 0 {
		if last, err = Last(ctx, s.Client, account, stream, held-1); err != nil {
			return nil, err
		}
		if o.after, err = afterInputs(last); err != nil {
			return nil, err
		}
	}
	if o.Series, first, err = s.maker.Open(ctx, key, last); err != nil {
		return nil, err
	}
	if last == nil && first != nil {
		_, err = producer.Submit(ctx, *first)
	}
	return o, err
}

// Last reads the event at a sequence of a stream.
func Last(ctx context.Context, c *client.Client, account protocol.Address, stream string, sequence uint64) (*protocol.Event, error) {
	at, err := c.StreamEntries(ctx, account, stream, sequence, 1)
	if err != nil {
		return nil, err
	}
	if len(at) != 1 || at[0].Sequence != sequence {
		return nil, fmt.Errorf("stream %s: the node does not have sequence %d, which the ledger holds", stream, sequence)
	}
	entry, err := c.Entry(ctx, at[0].Index)
	if err != nil {
		return nil, err
	}
	if entry.Event == nil {
		return nil, fmt.Errorf("stream %s: sequence %d, entry %d, has no event any more; go on under another stream", stream, sequence, at[0].Index)
	}
	return entry.Event, nil
}

// afterInputs is the index after the newest input of an event; 0 without any.
func afterInputs(e *protocol.Event) (uint64, error) {
	inputs, err := InputsOf(e)
	if err != nil || len(inputs) == 0 {
		return 0, err
	}
	return inputs[len(inputs)-1] + 1, nil
}

// verify holds an input to its receipt, where receipts were asked for.
func (s *service) verify(ctx context.Context, in *rest.Delivered) error {
	if !s.Verify {
		return nil
	}
	receipt := new(proof.Receipt)
	if err := receipt.UnmarshalJSON(in.Receipt); err != nil {
		return err
	}
	if _, err := s.Client.Verify(ctx, receipt); err != nil {
		return err
	}
	if receipt.Entry == nil || receipt.Entry.Index != in.Index || string(receipt.Entry.Payload) != string(in.Event.AppendRecord(nil)) {
		return errors.New("the receipt is of another event than was delivered")
	}
	return nil
}
