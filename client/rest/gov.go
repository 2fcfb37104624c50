package rest

import (
	"encoding/json"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Account is what an account is and may do.
type Account struct {
	At
	Address protocol.Address `json:"address"`
	protocol.Account
	// KeyOf is set where the address is of a later key: the account that key
	// speaks or spoke for.
	KeyOf  *protocol.Address `json:"keyOf,omitempty"`
	Weight uint64            `json:"weight,omitempty"` // in the council
	Usage  *Usage            `json:"usage,omitempty"`  // of its quota, in the window of the next block
}

// Usage is what an account has used of its quota.
type Usage struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
	Gas    uint64 `json:"gas"`
	Until  uint64 `json:"until"` // first height of the next window
}

// AccountRow is an account in a list.
type AccountRow struct {
	Address protocol.Address `json:"address"`
	protocol.Account
}

// Accounts is a page of accounts by ascending address. Next is where the next
// page begins, as ?after=; none is the end.
type Accounts struct {
	At
	Accounts []AccountRow      `json:"accounts"`
	Next     *protocol.Address `json:"next,omitempty"`
}

// Council lists who votes.
type Council struct {
	At
	Total   uint64                   `json:"total"` // weight
	Members []protocol.CouncilMember `json:"members"`
}

// Proposals is a page of proposals by ascending index.
type Proposals struct {
	At
	Proposals []protocol.Proposal `json:"proposals"`
	Next      *uint64             `json:"next,omitempty"`
}

// Vote is how an account voted.
type Vote struct {
	Account protocol.Address `json:"account"`
	Yes     bool             `json:"yes"`
	Weight  uint64           `json:"weight"` // it has in the council at that height
}

// Proposal is one with its votes.
type Proposal struct {
	At
	protocol.Proposal
	Votes []Vote `json:"votes"`
}

// Validators is who signs blocks.
type Validators struct {
	At
	protocol.ValidatorSet
	Power uint64 `json:"power"`
	// Next is the set that follows, where it is decided already.
	Next *protocol.ValidatorSet `json:"next,omitempty"`
}

// ValidatorSets are the sets there were, by the first height each signed.
type ValidatorSets struct {
	At
	Sets []protocol.ValidatorSet `json:"sets"`
}

// AdmittedNode is a node that is let in as a peer.
type AdmittedNode struct {
	Node protocol.NodeID `json:"nodeId"`
	Name string          `json:"name"`
}

// Nodes lists who is let in; nobody registered lets everybody in.
type Nodes struct {
	At
	Nodes []AdmittedNode `json:"nodes"`
}

// Act is something that members of an account were asked to do as it.
type Act struct {
	Index     uint64             `json:"index"`
	Account   protocol.Address   `json:"account"`
	Proposer  protocol.Address   `json:"proposer"`
	Expiry    uint64             `json:"expiry"`
	Approvals []protocol.Address `json:"approvals"`
	Kind      protocol.TxKind    `json:"kind"`
	// Asks is the body of that kind; of code, its hashes alone.
	Asks json.RawMessage `json:"asks"`
}

// Acts lists what waits for the members of an account.
type Acts struct {
	At
	Acts []Act `json:"acts"`
}

// Disputes is a page of disputes by ascending index.
type Disputes struct {
	At
	Disputes []protocol.DisputeRecord `json:"disputes"`
	Next     *uint64                  `json:"next,omitempty"`
}

// TriedEntry is an entry that a transaction would append.
type TriedEntry struct {
	Index  uint64             `json:"index"`
	Kind   protocol.EntryKind `json:"kind"`
	Origin protocol.Address   `json:"origin"`
	Cause  *uint64            `json:"cause,omitempty"`
	Act    any                `json:"act,omitempty"`
	Event  *protocol.Event    `json:"event,omitempty"`
}
