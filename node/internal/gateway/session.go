package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	maxBatchEvents = 1000
	chunkEvents    = 64   // read from the outbox at once
	maxFutures     = 8192 // on their way at once
)

// sent is an event on its way.
type sent struct {
	sequence uint64
	bytes    int
	future   *client.Future
}

// session opens the stream and sends from the outbox until something fails, or
// the events that were to be sent alone are decided.
func (g *Gateway) session(ctx context.Context, c *client.Client) error {
	for g.config.Ledger.Ready() != nil {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	config := client.ProducerConfig{Linger: g.config.Linger, MaxBatchEvents: maxBatchEvents, Gaps: true}
	alone := g.sendsAlone()
	if alone {
		config.MaxBatchEvents, config.MaxInFlight, config.Linger = 1, 1, -1
	}
	p, err := c.NewProducer(ctx, g.config.Key, Stream, config)
	if err != nil {
		return err
	}
	from, err := g.reconcile(p.Held())
	if err != nil {
		return errors.Join(err, closeNow(p))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flying := make(chan sent, maxFutures)
	var failed uint64
	var cause error
	var settling sync.WaitGroup
	settling.Go(func() {
		defer cancel() // the feeder need not go on
		failed, cause = g.settle(ctx, flying)
	})
	defer g.sending(0)
	fed := g.feed(ctx, p, from, alone, flying)
	close(flying)
	if fed != nil { // else what is on its way is waited for
		closeNow(p)
	}
	settling.Wait()
	closeNow(p)
	if cause != nil {
		return g.blame(failed, cause)
	}
	if alone && fed == nil { // all of them are decided: the next may share batches
		g.mu.Lock()
		g.alone = 0
		g.mu.Unlock()
	}
	return fed
}

// closeNow ends a producer without waiting.
func closeNow(p *client.Producer) error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	p.Close(ended)
	return nil
}

func (g *Gateway) sendsAlone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settled < g.alone && g.open
}

// feed submits what the outbox holds, from a sequence on. With alone it ends
// where events may share batches again.
func (g *Gateway) feed(ctx context.Context, p *client.Producer, from uint64, alone bool, flying chan<- sent) error {
	for {
		g.mu.Lock()
		below := g.durable
		if alone {
			below = min(below, g.alone)
			if from >= below {
				g.mu.Unlock()
				return nil
			}
		}
		g.mu.Unlock()
		chunk, err := g.config.DB.Scan(eventKey(from), eventKey(below), chunkEvents)
		if err != nil {
			return err
		}
		for _, pair := range chunk {
			event, err := protocol.DecodeRecord(pair.Value)
			if err != nil {
				return err
			}
			sequence := sequenceOf(pair.Key)
			future, err := p.SubmitAt(ctx, sequence, event)
			if err != nil {
				return err
			}
			g.sending(1)
			select {
			case flying <- sent{sequence, len(pair.Value), future}:
			case <-ctx.Done():
				return ctx.Err()
			}
			from = sequence + 1
		}
		switch {
		case len(chunk) > 0:
			continue
		case alone: // the last of them were put aside
			from = below
			continue
		}
		select {
		case <-g.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sending counts events that the producer has; with 0 it has none any more.
func (g *Gateway) sending(n uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n == 0 {
		g.figures.Sending = 0
		return
	}
	g.figures.Sending += n
}

// settle waits for events in order. It answers the first that failed, and why.
func (g *Gateway) settle(ctx context.Context, flying <-chan sent) (failed uint64, err error) {
	for s := range flying {
		if _, err := s.future.Wait(context.WithoutCancel(ctx)); err != nil {
			return s.sequence, err
		}
		if err := g.done(s.sequence, int64(s.bytes)); err != nil {
			return s.sequence, err
		}
	}
	return 0, nil
}

// inside is the node's own API without a connection.
type inside struct{ handler http.Handler }

// RoundTrip serves a request in this goroutine.
func (t inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer gathers what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) WriteHeader(status int)         { a.status = status }
func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }
