package rest

import (
	"encoding/json"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Submission is what became of events that a gateway took.
type Submission struct {
	Status   string           `json:"status"` // path to ask again
	State    State            `json:"state"`  // pending while any event is, then refused if any is
	Producer protocol.Address `json:"producer"`
	Stream   string           `json:"stream"`
	First    uint64           `json:"first"` // sequence of the first event in the stream
	Count    uint64           `json:"count"`
	Events   []SubmittedEvent `json:"events,omitempty"` // in the order they came
}

// SubmittedEvent is what became of one.
type SubmittedEvent struct {
	Sequence  uint64          `json:"sequence"`
	State     State           `json:"state"`
	Code      protocol.Code   `json:"code"`
	Name      string          `json:"name"` // of the code
	Message   string          `json:"message,omitempty"`
	Index     *uint64         `json:"index,omitempty"` // of its entry; of a duplicate, of the first one's
	Height    uint64          `json:"height,omitempty"`
	Duplicate bool            `json:"duplicate,omitempty"`
	Receipt   json.RawMessage `json:"receipt,omitempty"`
}
