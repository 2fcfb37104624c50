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
	"github.com/cairn-ledger/cairn/client/rest"
)

// Backend is the node behind the API. Errors that carry a protocol.Code are
// answers; any other is a fault of the node. Methods are safe for concurrent use.
type Backend interface {
	Auditor

	// Height is the newest committed block's. It waits until that is atLeast,
	// or ctx ends; 0 waits for nothing.
	Height(ctx context.Context, atLeast uint64) uint64
	// Submit hands a transaction to the network and answers its id.
	Submit(ctx context.Context, raw []byte) (protocol.Hash, error)
	// SubmitAll hands over many in order and answers what refused each. Once one
	// finds no room, those after it are refused alike, so that a stream's batches
	// stay in order. The error is a refusal of them all.
	SubmitAll(ctx context.Context, raws [][]byte) ([]error, error)
	// Status says where a transaction is, waiting up to wait for a decision.
	// When ctx ends it answers what it knows.
	Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error)
	Entry(index uint64) (rest.Entry, error)
	// Entries reads up to count entries from one on; fewer where the log ends,
	// or they commit to rest.MaxEntriesBytes.
	Entries(from uint64, count int) ([]rest.Entry, error)
	// FindEvent finds an event by its CloudEvents identity; a zero producer is any.
	FindEvent(producer protocol.Address, source, id string) (index uint64, err error)
	// Receipt proves an entry; it waits for the block that signs it.
	Receipt(ctx context.Context, index uint64) (*proof.Receipt, error)
	// Erasure proves that an entry existed, and who erased its payload and why.
	Erasure(ctx context.Context, index uint64) (*proof.Erasure, error)
	// StateReceipt proves a key's value or absence at a height; 0 is the newest.
	StateReceipt(ctx context.Context, key []byte, height uint64) (*proof.Receipt, error)
	// TrustPath leads from the validators of a height to later ones.
	TrustPath(from uint64) (*proof.TrustPath, error)
	Stream(producer protocol.Address, name string) (rest.Stream, error)
	// StreamEntries lists the entries of a stream from a sequence on.
	StreamEntries(producer protocol.Address, name string, from uint64, count int) ([]rest.StreamEntry, error)
	Contracts() ([]rest.Contract, error)
	// Contract finds one by name or address.
	Contract(nameOrAddress string) (rest.Contract, error)
	// Query asks a contract; height 0 is the newest.
	Query(ctx context.Context, contract, method string, args Args, height uint64) (json.RawMessage, error)
	// DeadLetters lists those of a contract whose index is at least from.
	DeadLetters(contract string, from uint64, limit int) ([]rest.DeadLetter, error)
	// ContractLogs lists what a contract said on this node, after a number.
	ContractLogs(contract string, after uint64) ([]rest.ContractLog, error)
	Bank
	Log
	// BatchReceipt proves up to count consecutive entries; with withhold it
	// leaves out what they commit to.
	BatchReceipt(ctx context.Context, first uint64, count int, withhold bool) (*proof.BatchReceipt, error)
	// ReceiptOf proves chosen entries, ascending by index, as many as fit.
	ReceiptOf(ctx context.Context, indices []uint64) (*proof.BatchReceipt, error)
	// StreamReceipt proves the entries of a stream's sequences from one on.
	StreamReceipt(ctx context.Context, producer protocol.Address, name string, from uint64, count int, withhold bool) (*proof.BatchReceipt, error)
	// HeldReceipt proves an entry up to the subtree of 2^level entries that has
	// it, which must be full.
	HeldReceipt(index uint64, level uint8) (*proof.HeldReceipt, error)
	// ExportReceipt proves an entry by a checkpoint of the log, in a format of
	// others: "tlog-proof" or "cose". It waits for that checkpoint.
	ExportReceipt(ctx context.Context, index uint64, format string) ([]byte, error)
	Genesis() []byte
	Version() string
	// Ready is nil when the node can serve: caught up and connected.
	Ready() error
	// Gauges are figures for /metrics.
	Gauges() []Gauge
}

// Args are a query's arguments: a JSON object, or texts that the contract's
// manifest says how to read.
type Args struct {
	JSON json.RawMessage
	Text map[string]string
}

// Gauge is one figure for /metrics.
type Gauge struct {
	Name, Help string
	Value      float64
	Counter    bool // only ever grows
	// Label and Of tell apart figures of one name; empty where there is one.
	Label, Of string
}
