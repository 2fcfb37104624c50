// Package api serves the ledger over HTTP: submit and follow transactions,
// read events, receipts, streams and contracts. It knows no consensus engine
// and no store: a Backend answers.
package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Backend is the node behind the API. Errors that carry a protocol.Code are
// answers; any other is a fault of the node. Methods are safe for concurrent use.
type Backend interface {
	// Submit hands a transaction to the network and answers its id.
	Submit(ctx context.Context, raw []byte) (protocol.Hash, error)
	// Status says where a transaction is, waiting up to wait for a decision.
	Status(ctx context.Context, id protocol.Hash, wait time.Duration) (Status, error)
	Head() (Head, error)
	Entry(index uint64) (Entry, error)
	// FindEvent finds an event by its CloudEvents identity; a zero producer is any.
	FindEvent(producer protocol.Address, source, id string) (index uint64, err error)
	// Receipt proves an entry; it waits for the block that signs it.
	Receipt(ctx context.Context, index uint64) (*proof.Receipt, error)
	// StateReceipt proves a key's value or absence at a height; 0 is the newest.
	StateReceipt(ctx context.Context, key []byte, height uint64) (*proof.Receipt, error)
	Stream(producer protocol.Address, name string) (Stream, error)
	// StreamEntries lists the entries of a stream from a sequence on.
	StreamEntries(producer protocol.Address, name string, from uint64, count int) ([]StreamEntry, error)
	Contracts() ([]Contract, error)
	// Contract finds one by name or address.
	Contract(nameOrAddress string) (Contract, error)
	// Query asks a contract; height 0 is the newest.
	Query(ctx context.Context, contract, method string, args Args, height uint64) (json.RawMessage, error)
	// DeadLetters lists those of a contract whose index is at least from.
	DeadLetters(contract string, from uint64, limit int) ([]DeadLetter, error)
	Genesis() []byte
	Version() string
	// Ready is nil when the node can serve: caught up and connected.
	Ready() error
	// Gauges are figures for /metrics.
	Gauges() []Gauge
}

// State is how far a transaction has come.
type State string

// States of a transaction.
const (
	StatePending   State = "pending"   // waits for a block
	StateCommitted State = "committed" // executed, final
	StateRefused   State = "refused"   // executed to a refusal, final
	StateUnknown   State = "unknown"   // this node has not seen it
)

// Status is the one status of a submission.
type Status struct {
	TxID       protocol.Hash `json:"txId"`
	State      State         `json:"state"`
	Code       protocol.Code `json:"code"`
	Name       string        `json:"name"`
	Retryable  bool          `json:"retryable"`
	Message    string        `json:"message,omitempty"`
	Height     uint64        `json:"height,omitempty"`
	FirstIndex uint64        `json:"firstIndex"`
	Entries    uint32        `json:"entries"`
	Absorbed   uint32        `json:"absorbed"`
	Duplicates uint32        `json:"duplicates"`
	Next       uint64        `json:"next"`
	GuestCode  uint32        `json:"guestCode,omitempty"`
}

// Head is the newest block this node has committed.
type Head struct {
	ChainID   string        `json:"chainId"`
	Height    uint64        `json:"height"`
	TimeMs    int64         `json:"timeMs"`
	LogSize   uint64        `json:"logSize"`
	LogRoot   protocol.Hash `json:"logRoot"`
	StateRoot protocol.Hash `json:"stateRoot"`
	AppHash   protocol.Hash `json:"appHash"`
	Lag       uint64        `json:"lag"` // log entries the slowest contract has yet to look at
}

// Entry is an entry of the log with what it commits to.
type Entry struct {
	Index      uint64             `json:"index"`
	Kind       protocol.EntryKind `json:"kind"`
	Height     uint64             `json:"height"`
	TimeMs     uint64             `json:"timeMs"`
	Origin     protocol.Address   `json:"origin"`
	Stream     string             `json:"stream,omitempty"` // name
	Sequence   uint64             `json:"sequence"`
	Cause      *uint64            `json:"cause,omitempty"`
	Commitment protocol.Hash      `json:"commitment"`
	Event      *protocol.Event    `json:"event,omitempty"`
	Act        any                `json:"act,omitempty"`
}

// Stream is a producer's stream.
type Stream struct {
	Producer protocol.Address `json:"producer"`
	Name     string           `json:"name"`
	Next     uint64           `json:"next"` // sequence the ledger expects
}

// StreamEntry is what became of a sequence of a stream.
type StreamEntry struct {
	Sequence uint64             `json:"sequence"`
	Index    uint64             `json:"index"`
	Height   uint64             `json:"height"`
	Kind     protocol.EntryKind `json:"kind"`
	Cause    *uint64            `json:"cause,omitempty"`   // of a duplicate: the first one's index
	Skipped  uint64             `json:"skipped,omitempty"` // of a gap: how many sequences it stands for
}

// Contract is a deployed contract.
type Contract struct {
	Name         string           `json:"name"`
	Address      protocol.Address `json:"address"`
	Author       protocol.Address `json:"author"`
	Version      string           `json:"version"`
	Description  string           `json:"description,omitempty"`
	CodeHash     protocol.Hash    `json:"codeHash"`
	ManifestHash protocol.Hash    `json:"manifestHash"`
	Since        uint64           `json:"since"` // log index of the deployment
	Events       []string         `json:"events"`
	Calls        []string         `json:"calls"`
	Queries      []string         `json:"queries"`
	Lag          uint64           `json:"lag"`
}

// Args are a query's arguments: a JSON object, or texts that the contract's
// manifest says how to read.
type Args struct {
	JSON json.RawMessage
	Text map[string]string
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Index     uint64        `json:"index"`
	Code      protocol.Code `json:"code"`
	Name      string        `json:"name"`
	GuestCode uint32        `json:"guestCode,omitempty"`
}

// Gauge is one figure for /metrics.
type Gauge struct {
	Name, Help string
	Value      float64
	Counter    bool // only ever grows
}
