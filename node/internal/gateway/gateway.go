// Package gateway submits events on behalf of callers that have no key on the
// ledger: it keeps them on disk, signs them with the node's own account and
// sends them until the ledger has decided.
//
// An event's place in the outbox is its sequence in the gateway's one stream,
// given before the caller hears that it was taken. So whatever crashes, the
// ledger itself says which events it holds, and none is there twice.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

// Stream is the name of the stream a gateway writes.
const Stream = "gateway"

// Ledger is what a gateway asks of its own node.
type Ledger interface {
	Stream(producer protocol.Address, name string) (rest.Stream, error)
	StreamEntries(producer protocol.Address, name string, from uint64, count int) ([]rest.StreamEntry, error)
	Height(ctx context.Context, atLeast uint64) uint64
	Ready() error
	// Conforms refuses an event that the schema of its type refuses.
	Conforms(events []protocol.Event) error
}

// Config of a Gateway. Key, ChainID, DB, Ledger and Log are required.
type Config struct {
	Key     protocol.PrivateKey // of an account that may submit events
	ChainID string
	DB      *local.DB
	Ledger  Ledger
	Log     *slog.Logger

	MaxEvents int           // taken and not decided; 0 means 50,000
	MaxBytes  int64         // of their records; 0 means 64 MiB
	Linger    time.Duration // how long a batch waits to fill; 0 means 10 ms
}

// Gateway takes events and sees them through. It is safe for concurrent use.
type Gateway struct {
	config  Config
	address protocol.Address

	mu      sync.Mutex
	open    bool          // next is known; guarded by mu
	next    uint64        // sequence of the next event; guarded by mu
	durable uint64        // events below it outlive a crash and may be sent; guarded by mu
	settled uint64        // events below it are decided; guarded by mu
	bytes   int64         // of records that are not; guarded by mu
	trouble error         // why nothing is sent now, or nil; guarded by mu
	alone   uint64        // events below it are sent one by one; guarded by mu
	figures Figures       // its counters; guarded by mu
	wake    chan struct{} // tells the feeder that durable has grown
}

// New makes a gateway; it takes events once Run has found where its stream stands.
func New(c Config) *Gateway {
	if c.MaxEvents == 0 {
		c.MaxEvents = 50_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Linger == 0 {
		c.Linger = 10 * time.Millisecond
	}
	return &Gateway{config: c, address: c.Key.Address(), wake: make(chan struct{}, 1)}
}

// Address is the account the gateway signs with.
func (g *Gateway) Address() protocol.Address { return g.address }

// Figures are what operators watch. Counters are of events, since the node started.
type Figures struct {
	Taken     uint64                   // answered 202
	Decided   uint64                   // that the ledger took
	PutAside  map[protocol.Code]uint64 // that the ledger refused for good
	Waiting   uint64                   // taken and not decided
	Bytes     int64                    // of their records
	Sending   uint64                   // of those, handed to the producer
	MaxEvents int
	MaxBytes  int64
	Blocked   bool // the ledger refuses the node's own account, or the gateway is starting
}

// Figures reads them.
func (g *Gateway) Figures() Figures {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.figures
	f.PutAside = maps.Clone(f.PutAside)
	f.Waiting, f.Bytes, f.Blocked = g.next-g.settled, g.bytes, !g.open || g.trouble != nil
	f.MaxEvents, f.MaxBytes = g.config.MaxEvents, g.config.MaxBytes
	return f
}

// Take keeps events, as one. When it returns without an error they are on this
// node's disk, and will be sent until the ledger has decided about each.
func (g *Gateway) Take(events []protocol.Event) (first uint64, err error) {
	if err := g.config.Ledger.Conforms(events); err != nil {
		return 0, err // it would refuse other callers' events with it
	}
	records, size := make([][]byte, len(events)), int64(0)
	for i := range events {
		records[i] = events[i].AppendRecord(nil)
		size += int64(len(records[i]))
	}
	if first, err = g.place(records, size); err != nil {
		return 0, err
	}
	if err := g.config.DB.Sync(); err != nil {
		return 0, err
	}
	g.mu.Lock()
	g.durable = max(g.durable, first+uint64(len(records)))
	g.figures.Taken += uint64(len(records))
	g.mu.Unlock()
	g.tell()
	return first, nil
}

// place writes records under the next sequences, where there is room.
func (g *Gateway) place(records [][]byte, size int64) (first uint64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch waiting := int(g.next - g.settled); {
	case !g.open:
		return 0, protocol.Refuse(protocol.CodeUnavailable, "the gateway is starting; send it again in a second")
	case g.trouble != nil:
		return 0, protocol.Refuse(protocol.CodeUnavailable, "the gateway cannot submit: %v", g.trouble)
	case waiting > 0 && (waiting+len(records) > g.config.MaxEvents || g.bytes+size > g.config.MaxBytes):
		return 0, protocol.Refuse(protocol.CodeBusy, "%d events wait for the ledger; send it again in a second", waiting)
	}
	pairs := make([]local.Pair, len(records))
	for i, record := range records {
		pairs[i] = local.Pair{Key: eventKey(g.next + uint64(i)), Value: record}
	}
	if err := g.config.DB.Put(pairs...); err != nil {
		return 0, err
	}
	first = g.next
	g.next += uint64(len(records))
	g.bytes += size
	return first, nil
}

func (g *Gateway) tell() {
	select {
	case g.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run sends what was taken until ctx ends. api answers as the node's API does.
func (g *Gateway) Run(ctx context.Context, api http.Handler) error {
	c, err := client.New(client.Config{
		Nodes: []string{"http://self"}, ChainID: g.config.ChainID, HTTP: &http.Client{Transport: inside{api}},
	})
	if err != nil {
		return err
	}
	for tries := 0; ctx.Err() == nil; tries++ {
		began := time.Now()
		err := g.session(ctx, c)
		if ctx.Err() != nil {
			break
		}
		g.setTrouble(err)
		if err == nil {
			tries = 0
			continue
		}
		if time.Since(began) > time.Minute {
			tries = 0
		}
		g.config.Log.Warn("the gateway's stream was interrupted", "err", err)
		select {
		case <-time.After(min(5*time.Second, 100*time.Millisecond<<min(tries, 10))):
		case <-ctx.Done():
		}
	}
	return nil
}

// setTrouble keeps callers away while the ledger refuses the gateway itself.
func (g *Gateway) setTrouble(err error) {
	var refusal *client.Refusal
	if !errors.As(err, &refusal) || refusal.Retryable {
		err = nil // it passes; the outbox's bounds are enough
	}
	g.mu.Lock()
	g.trouble = err
	g.mu.Unlock()
}

// ofTheGateway are refusals that no other event would escape.
func ofTheGateway(code protocol.Code) bool {
	switch code {
	case protocol.CodeUnauthorized, protocol.CodeAccountRevoked, protocol.CodeKeyRetired, protocol.CodeKeyEarly,
		protocol.CodeBadSignature, protocol.CodeWrongChain, protocol.CodeUnknownKind, protocol.CodeMalformed, protocol.CodeKeyTaken:
		return true
	}
	return false
}

// blame says what the end of a session means: an event that is refused for
// good is put aside with the reason, everything else is tried again.
func (g *Gateway) blame(failed uint64, err error) error {
	var refusal *client.Refusal
	if !errors.As(err, &refusal) || refusal.Retryable || ofTheGateway(refusal.Code) {
		return err
	}
	g.mu.Lock()
	alone := failed < g.alone
	if !alone {
		g.alone = failed + maxBatchEvents
	}
	g.mu.Unlock()
	if !alone {
		return nil // send each alone, to find those it is about
	}
	if err := g.refuse(failed, refusal.Code, refusal.Message); err != nil {
		return fmt.Errorf("put event %d aside: %w", failed, err)
	}
	return nil
}
