package rest

import (
	"encoding/json"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Subscription is a named place in the log, kept by a node.
type Subscription struct {
	Name    string            `json:"name"`
	Owner   string            `json:"owner"` // name of the token that made it
	Filters []json.RawMessage `json:"filters,omitempty"`
	Webhook *Webhook          `json:"webhook,omitempty"` // events are sent there instead of being fetched
	Cursor  uint64            `json:"cursor"`            // wanted events below this entry are done
	Lag     uint64            `json:"lag"`               // entries from the cursor to the end of the log
	Push    *Push             `json:"push,omitempty"`    // how the webhook does
	// FilterErrors counts events, since the node started, on which an expression
	// of the filters failed; it was false of them.
	FilterErrors uint64 `json:"filterErrors,omitempty"`
}

// NewSubscription asks for one.
type NewSubscription struct {
	Name    string            `json:"name"`
	Filters []json.RawMessage `json:"filters,omitempty"`
	From    string            `json:"from,omitempty"` // "beginning", "now" (also ""), an entry's index, or a time of RFC 3339
	Webhook *Webhook          `json:"webhook,omitempty"`
}

// Webhook says where events are sent, as CloudEvents over HTTP.
type Webhook struct {
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers,omitempty"`  // such as Authorization
	Mode     string            `json:"mode,omitempty"`     // binary (also "") or structured
	Attempts int               `json:"attempts,omitempty"` // before an event is a dead letter; 0 is never
}

// Push is how a webhook does.
type Push struct {
	State       string `json:"state"` // sending, backing-off or open (the circuit: the receiver fails again and again)
	Failures    int    `json:"failures"`
	Error       string `json:"error,omitempty"` // the last one
	DeadLetters uint64 `json:"deadLetters"`     // put aside so far
}

// DeadEvent is an event that a webhook's receiver did not take.
type DeadEvent struct {
	Index    uint64 `json:"index"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error"`
}

// Subscriptions is a list of them.
type Subscriptions struct {
	Subscriptions []Subscription `json:"subscriptions"`
}

// DeadEvents is a page of a subscription's dead letters.
type DeadEvents struct {
	DeadLetters []DeadEvent `json:"deadLetters"`
}

// Acknowledgement says which delivered events are done.
type Acknowledgement struct {
	UpTo    *uint64  `json:"upTo,omitempty"`    // all that this member has, up to this index
	Indices []uint64 `json:"indices,omitempty"` // single ones
	Nack    []uint64 `json:"nack,omitempty"`    // given back, to be delivered again at once
}

// Delivered is an event of the log as it is delivered.
type Delivered struct {
	Index   uint64           `json:"index"`
	Height  uint64           `json:"height"`
	TimeMs  uint64           `json:"timeMs"`
	Origin  protocol.Address `json:"origin"`
	Event   protocol.Event   `json:"event"`
	Receipt json.RawMessage  `json:"receipt,omitempty"`
}

// Deliveries is a page of a subscription.
type Deliveries struct {
	Events []Delivered `json:"events"`
}

// Cursor answers an acknowledgement.
type Cursor struct {
	Cursor uint64 `json:"cursor"`
}
