package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// queue is a source without positions: what was not acknowledged comes again.
type queue struct {
	messages int
	acked    int // the settler's until Run has ended and the stream is closed
}

func (q *queue) Dial(context.Context) (string, error) { return "", nil }

func (q *queue) Run(ctx context.Context, feed record.Feed) error {
	stream, err := feed.Open(ctx, "")
	if err != nil {
		return err
	}
	for n := range q.messages {
		r := &record.Record{Value: fmt.Appendf(nil, `{"t":"a.1","id":"m%d"}`, n), Done: func() { q.acked++ }}
		if err := stream.Append(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// late is a batch of a connector that was killed: the ledger decides it after
// the next one has asked where the stream stands.
func (l *ledger) late(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body := &protocol.Batch{Stream: "s", First: l.next["s"]}
	for _, id := range ids {
		e := protocol.Event{ID: id, Source: "/s", Type: "a.1", DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"t":"a.1","id":"%s"}`, id)}
		body.Records = append(body.Records, e.AppendRecord(nil))
	}
	raw, err := protocol.SignTx(chain, l.key, 20, l.size, body)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, code := l.execute(raw); code != protocol.CodeOK {
		l.t.Fatal(code)
	}
}

func (f *flow) runQueue(q *queue, overtake func()) error {
	f.t.Helper()
	config, err := Parse([]byte(f.settings("")))
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := newRunner(config)
	if err != nil {
		f.t.Fatal(err)
	}
	r.source = sourceFunc(overtake, q)
	return r.Run(f.t.Context(), f.ledger.client, f.ledger.key, io.Discard, true)
}

// A connector of a queue is killed with batches on their way and started
// again, and the ledger decides those batches after the new one has asked for
// the next sequence. The queue's messages have no sequence of their own: they
// go on behind what came in between, and each is in the stream once.
func TestOvertakenByWhatAKilledConnectorSent(t *testing.T) {
	f := newFlow(t, nil)
	q := &queue{messages: 100}
	if err := f.runQueue(q, func() { f.ledger.late("m3", "m0", "m1"); f.ledger.late("gone") }); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range f.ledger.events["s"] {
		seen[e.ID]++
	}
	for n := range q.messages {
		if id := fmt.Sprintf("m%d", n); seen[id] != 1 {
			t.Fatalf("message %s is %d events of the stream", id, seen[id])
		}
	}
	if q.acked != q.messages {
		t.Fatalf("%d of %d messages were acknowledged", q.acked, q.messages)
	}
}

// A source with positions says by them what its stream must hold: another
// event there is another source's, and nothing goes on behind it.
func TestAnotherSourcesStream(t *testing.T) {
	f := newFlow(t, nil)
	f.write(`{"t":"a.1","id":"0"}`, `{"t":"a.1","id":"1"}`)
	config, err := Parse([]byte(f.settings("")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(config)
	if err != nil {
		t.Fatal(err)
	}
	r.source = sourceFunc(func() { f.ledger.late("else") }, r.source)
	if err := r.Run(t.Context(), f.ledger.client, f.ledger.key, io.Discard, true); !errors.Is(err, client.ErrConflict) {
		t.Fatalf("the run ended with %v", err)
	}
	if got := f.ledger.story("s"); got != "e0 e1" {
		t.Fatalf("the stream is %s", got)
	}
}
