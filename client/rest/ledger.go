package rest

import "github.com/cairn-ledger/cairn/client/protocol"

// MaxIndices bounds the log indexes that one question names.
const MaxIndices = 500

// LedgerRow is another ledger in a list.
type LedgerRow struct {
	protocol.LedgerRecord
	Address protocol.Address `json:"address"` // origin of what it is the source of
}

// Ledger is another ledger that the council registered.
type Ledger struct {
	At
	LedgerRow
}

// Ledgers is a page of them by name. Next is where the next page begins, as
// ?after=; none is the end.
type Ledgers struct {
	At
	Ledgers []LedgerRow `json:"ledgers"`
	Next    string      `json:"next,omitempty"`
}

// RelayedEntries says of each index asked for whether it was relayed.
type RelayedEntries struct {
	At
	Relayed []bool `json:"relayed"`
}

// EventsSince is a page of events in the order of the log. Next is the first
// entry that was not looked at.
type EventsSince struct {
	Events []Delivered `json:"events"`
	Next   uint64      `json:"next"`
}
