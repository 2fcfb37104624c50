package client

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/cairn-ledger/cairn/client/proof"
)

// Result says where a final event is.
type Result struct {
	// Index is the log index of the event's entry; of a duplicate, of the
	// entry of the first event with its (source, id).
	Index uint64
	// Entry is the log index of what stands for the event in its own stream.
	// It differs from Index for a duplicate.
	Entry     uint64
	Height    uint64 // of the block that took the sequence
	Duplicate bool   // the ledger had accepted an event of the same (source, id)
	Held      bool   // the ledger held the sequence before this producer began
}

// Future is an event on its way.
type Future struct {
	Sequence uint64 // its place in the stream

	client *Client
	stats  *stats     // that it is counted in; nil where it is not
	span   trace.Span // of the event; nil where there is none
	done   chan struct{}
	result Result // set before done closes
	err    error  // set before done closes
}

// resolve settles the event, once. Only the goroutine that has its batch calls it.
func (f *Future) resolve(r Result, err error) {
	select {
	case <-f.done: // the batch failed after this event was settled
		return
	default:
	}
	f.result, f.err = r, err
	f.stats.settled(&r, err)
	endSpan(f.span, f.Sequence, r, err)
	close(f.done)
}

// Done closes when the event is final or has failed.
func (f *Future) Done() <-chan struct{} { return f.done }

// Wait waits until the event is final. After an error other than a *Refusal
// the ledger may still come to hold the event: resume the stream to find out.
func (f *Future) Wait(ctx context.Context) (Result, error) {
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// Receipt waits until the event is final and fetches its receipt. That of a
// duplicate is the first one's.
func (f *Future) Receipt(ctx context.Context) (*proof.Receipt, error) {
	result, err := f.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return f.client.Receipt(ctx, result.Index)
}
