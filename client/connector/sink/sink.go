// Package sink writes events of the ledger to other systems: files, Kafka,
// databases, webhooks. Events come at least once; each sink says how it tells
// what it has.
package sink

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/rest"
)

// Sink takes events in the order of the log.
type Sink interface {
	// Write takes events; after it they are durable, or on their way no more.
	// A *Refused says that one of them can never be taken; those before it are.
	Write(ctx context.Context, events []rest.Delivered) error
	// Dial connects, looks and says in a line what is there.
	Dial(ctx context.Context) (string, error)
	Close() error
}

// Refused marks an event that the other system does not take, however often it is sent.
type Refused struct {
	At     int // among the events of the Write
	Reason error
}

func (r *Refused) Error() string { return fmt.Sprintf("an event is refused: %v", r.Reason) }

func (r *Refused) Unwrap() error { return r.Reason }

// recent is how many of the newest events a sink that cannot look them up
// compares with what comes after a restart: more than can be delivered and not
// acknowledged.
const recent = 10_000
