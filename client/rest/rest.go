// Package rest is the vocabulary of a node's HTTP API: the JSON its answers
// are made of. docs/api.md lists the paths.
package rest

import (
	"encoding/json"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Headers of this API.
const (
	// HeaderHeight is on every answer: a height the node has committed, at
	// least that of anything the answer is made of.
	HeaderHeight = "Cairn-Height"
	// HeaderMinHeight on a request asks for a node that has committed at least
	// this height. A node behind it waits a little, then answers UNAVAILABLE:
	// whoever sends the greatest HeaderHeight heard so far reads its own writes
	// at every node and never goes back in time.
	HeaderMinHeight = "Cairn-Min-Height"
)

// MaxStreamEntries bounds one page of a stream.
const MaxStreamEntries = 10_000

// Bounds of one page of the log. A page ends where either is reached, after
// one entry at least.
const (
	MaxEntries      = 1_000
	MaxEntriesBytes = 1 << 20 // of what the entries commit to
)

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
	Name       string        `json:"name"` // of the code
	Retryable  bool          `json:"retryable"`
	Message    string        `json:"message,omitempty"`
	Height     uint64        `json:"height,omitempty"`    // of the block that decided
	FirstIndex uint64        `json:"firstIndex"`          // log index of the first entry
	Entries    uint32        `json:"entries"`             // appended, one after the other
	Absorbed   uint32        `json:"absorbed"`            // leading events the stream held already
	Duplicates uint32        `json:"duplicates"`          // entries that stand for events met before
	Next       uint64        `json:"next"`                // sequence the stream expects after it
	GuestCode  uint32        `json:"guestCode,omitempty"` // the contract's own, of CONTRACT_ABORTED
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
	Erased     *Erasure           `json:"erased,omitempty"` // instead of the event or act
}

// Entries is a page of the log.
type Entries struct {
	Entries []Entry `json:"entries"`
	Next    uint64  `json:"next"` // index to go on from
}

// Render is the page's JSON with its events' data as they were submitted.
func (p Entries) Render() ([]byte, error) {
	out := []byte(`{"entries":[`)
	for i, e := range p.Entries {
		if i > 0 {
			out = append(out, ',')
		}
		text, err := e.Render()
		if err != nil {
			return nil, err
		}
		out = append(out, text...)
	}
	return fmt.Appendf(out, `],"next":%d}`, p.Next), nil
}

// Erasure says that an entry's payload was erased.
type Erasure struct {
	Index  uint64               `json:"index"` // of the entry that says so
	Height uint64               `json:"height"`
	TimeMs uint64               `json:"timeMs"`
	By     protocol.Address     `json:"by"`
	Reason protocol.EraseReason `json:"reason"`
}

// Render is the entry's JSON with the event's data octets as they were
// submitted: json.Marshal would drop white space in them, and what remains
// would no longer be what the entry commits to.
func (e Entry) Render() ([]byte, error) {
	event := e.Event
	e.Event = nil
	text, err := json.Marshal(e)
	if err != nil || event == nil {
		return text, err
	}
	member, err := event.MarshalJSON()
	if err != nil {
		return nil, err
	}
	text = append(text[:len(text)-1], `,"event":`...)
	return append(append(text, member...), '}'), nil
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
	Record   protocol.Hash      `json:"record"`            // SHA-256 of the entry's payload; zero where that was erased
	Erased   bool               `json:"erased,omitempty"`  // the payload was erased
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
	Paused       bool             `json:"paused"`
	Retrying     *Retry           `json:"retrying,omitempty"`
	Timers       uint64           `json:"timers"` // that wait to fire
}

// Retry is an entry that a contract aborted and is tried again.
type Retry struct {
	Index    uint64 `json:"index"`
	Attempts int    `json:"attempts"` // so far
}

// ContractLog is what one run of a contract said to the operator of the node
// that is asked, and why it failed if it did. Nothing proves it.
type ContractLog struct {
	Number    uint64        `json:"number"` // counts the contract's since the node started
	Height    uint64        `json:"height"`
	Index     uint64        `json:"index"` // log entry delivered, or that a transaction made or would have made
	TxID      protocol.Hash `json:"txId,omitzero"`
	Code      protocol.Code `json:"code"`
	Name      string        `json:"name"` // of the code
	GuestCode uint32        `json:"guestCode,omitempty"`
	Lines     []string      `json:"lines"`
}

// ContractLogs is the answer of a contract's logs.
type ContractLogs struct {
	Logs []ContractLog `json:"logs"`
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Index     uint64        `json:"index"`
	Code      protocol.Code `json:"code"`
	Name      string        `json:"name"`
	GuestCode uint32        `json:"guestCode,omitempty"`
}

// Problem is the body of every answer that is not a success.
type Problem struct {
	Code      protocol.Code `json:"code"`
	Name      string        `json:"name"`
	Message   string        `json:"message"` // a sentence that says what to do
	Retryable bool          `json:"retryable"`
}

// Submitted answers a transaction that was taken.
type Submitted struct {
	TxID protocol.Hash `json:"txId"`
}

// TypeTransactions is the media type of several transactions in one body:
// protocol.JoinTransactions.
const TypeTransactions = "application/vnd.cairn.transactions"

// SubmittedMany says for each of several transactions, in order, why it was
// not taken; with code 0 it was.
type SubmittedMany struct {
	Transactions []Problem `json:"transactions"`
}

// Statuses answers several ids, in order.
type Statuses struct {
	Transactions []Status `json:"transactions"`
}

// StreamEntries is a page of a stream.
type StreamEntries struct {
	Entries []StreamEntry `json:"entries"`
}

// Contracts is the list of deployed contracts.
type Contracts struct {
	Contracts []Contract `json:"contracts"`
}

// DeadLetters is a page of a contract's dead letters.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"deadLetters"`
}

// Consistency proves that the log of one size begins with that of an earlier one.
type Consistency struct {
	From     uint64          `json:"from"`
	To       uint64          `json:"to"`
	FromRoot protocol.Hash   `json:"fromRoot"`
	ToRoot   protocol.Hash   `json:"toRoot"`
	Path     []protocol.Hash `json:"path"`
}
