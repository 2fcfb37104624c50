// Package record is the agreement between sources and what carries their
// records to the ledger: a foreign record, where it stood, and the stream that
// takes it.
package record

import (
	"context"
	"time"
)

// MaxValueBytes bounds the value of a record that is looked at. A longer one
// becomes a dead letter: an event holds 64 KiB at most.
const MaxValueBytes = 1 << 20

// Record is one record of a source as it came.
type Record struct {
	// Position is its sequence in the stream, of a source that has positions
	// of its own: an offset, a row, a sequence.
	Position  uint64
	Key       []byte
	Value     []byte
	Headers   map[string]string
	Topic     string // or subject, routing key, file, URL
	Partition int32
	Offset    int64
	Time      time.Time // as the source says; zero is unknown
	Columns   []Column  // of a row of CSV, instead of Value
	// Bad is why the source itself could not read the record; it becomes a
	// dead letter.
	Bad error
	// Done, where it is set, is called once the record is final on the ledger,
	// left out by the filter or a durable dead letter, in the order of a stream.
	Done func()
}

// Column is one field of a row.
type Column struct{ Name, Text string }

// Stream takes the records of one partition, in order.
type Stream interface {
	// Next is the position to go on from: what the ledger expects.
	Next() uint64
	// Put takes a record at its Position, which must ascend. Positions left
	// out are declared as a gap once an event follows. It blocks while as much
	// as can be is on its way.
	Put(ctx context.Context, r *Record) error
	// Append takes a record of a source without positions under the next one.
	Append(ctx context.Context, r *Record) error
	// End tells how far the source goes, for the lag that is shown.
	End(position uint64)
}

// Feed opens streams. part names the partition; "" is a source that has one.
type Feed interface {
	Open(ctx context.Context, part string) (Stream, error)
	// Log says something that whoever runs the connector should know.
	Log(format string, args ...any)
}

// Source reads a foreign system.
type Source interface {
	// Run feeds until the source ends, which is nil, until ctx does, or until
	// it cannot go on.
	Run(ctx context.Context, feed Feed) error
	// Dial connects, looks and says in a line what is there.
	Dial(ctx context.Context) (string, error)
}
