package rest

import (
	"encoding/json"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Bounds of one page.
const (
	MaxDiff      = 1_000 // changes of a diff
	MaxStateKeys = 1_000 // keys of a list of keys
)

// Block is a decided block: what proof.Decided verifies, and what the ledger
// was before it, which its app hash commits to.
type Block struct {
	Height  uint64        `json:"height"`
	Decided proof.Decided `json:"decided"`
	Before  Before        `json:"before"`
	// After is the log's size after the block.
	After uint64 `json:"after"`
}

// Before is what a block was executed on. With it and the state, the block can
// be executed again.
type Before struct {
	TimeMs    int64           `json:"timeMs"`
	LogSize   uint64          `json:"logSize"`
	LogPeaks  []protocol.Hash `json:"logPeaks"` // roots of its complete subtrees, the largest first
	StateRoot protocol.Hash   `json:"stateRoot"`
	Params    json.RawMessage `json:"params"` // canonical
}

// Change is a key of the state whose values at two heights differ.
type Change struct {
	Key    []byte `json:"key"`
	Before *Value `json:"before,omitempty"` // nil: absent
	After  *Value `json:"after,omitempty"`
}

// MaxShownValue bounds the values a diff shows whole.
const MaxShownValue = 4 << 10

// Value is a value of the state; of one over MaxShownValue only the size and
// the SHA-256 are given.
type Value struct {
	Bytes []byte        `json:"bytes"`
	Size  int           `json:"size"`
	Hash  protocol.Hash `json:"sha256"`
}

// Diff is a page of what changed between two heights. Nothing proves a page;
// each of its values can be proven with a receipt of the state.
type Diff struct {
	From    uint64   `json:"from"`
	To      uint64   `json:"to"`
	Changes []Change `json:"changes"`        // in the order of the keys' SHA-256
	Next    []byte   `json:"next,omitempty"` // key to go on after; absent at the end
}

// StateKeys is a page of the state's keys under a prefix.
type StateKeys struct {
	Height uint64   `json:"height"`
	Keys   [][]byte `json:"keys"` // ascending
}

// StateSince says which block wrote the value that a key has after a height.
type StateSince struct {
	Height uint64 `json:"height"`
	Exists bool   `json:"exists"`
	Since  uint64 `json:"since"` // 0: the founding, or nothing is there
}
