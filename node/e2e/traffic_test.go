package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// traffic is a producer that never rests.
type traffic struct {
	t    testing.TB
	stop chan struct{}
	done chan error
	sent atomic.Uint64
}

// traffic submits an event every few milliseconds, on a stream of its own,
// until end.
func (nw *network) traffic(c *client.Client, key protocol.PrivateKey, account protocol.Address, stream string) *traffic {
	nw.t.Helper()
	ctx := context.Background()
	p, err := c.NewProducer(ctx, key, stream, client.ProducerConfig{Account: account, MaxBatchEvents: 5})
	if err != nil {
		nw.t.Fatal(err)
	}
	tr := &traffic{t: nw.t, stop: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		for {
			select {
			case <-tr.stop:
				tr.done <- p.Close(ctx)
				return
			case <-time.After(8 * time.Millisecond):
			}
			n := tr.sent.Load()
			if _, err := p.Submit(ctx, protocol.Event{ID: fmt.Sprint(n), Source: "/load/" + stream, Type: "load.v1"}); err != nil {
				tr.done <- errors.Join(err, p.Close(ctx))
				return
			}
			tr.sent.Add(1)
		}
	}()
	return tr
}

// end waits until all that was sent is final: the chain was alive throughout.
func (tr *traffic) end() uint64 {
	tr.t.Helper()
	close(tr.stop)
	select {
	case err := <-tr.done:
		if err != nil {
			tr.t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		tr.t.Fatal("what was submitted is not final after two minutes")
	}
	return tr.sent.Load()
}
