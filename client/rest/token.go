package rest

import "github.com/cairn-ledger/cairn/client/protocol"

// At is the block that an answer about the state is of.
type At struct {
	Height uint64 `json:"height"`
	TimeMs uint64 `json:"timeMs"`
}

// TokenBalance is what an account has of one asset.
type TokenBalance struct {
	Asset    string `json:"asset"`
	Decimals uint64 `json:"decimals"`
	protocol.Balance
}

// Balances is a page of what an account has.
type Balances struct {
	At
	Account  protocol.Address `json:"account"`
	Balances []TokenBalance   `json:"balances"`
}

// Asset is one asset.
type Asset struct {
	At
	protocol.Asset
}

// Assets is a page of the assets.
type Assets struct {
	At
	Assets []protocol.Asset `json:"assets"`
}

// Allowance is what a payer lets a spender debit.
type Allowance struct {
	Payer    protocol.Address `json:"payer"`
	Spender  protocol.Address `json:"spender"`
	Asset    string           `json:"asset"`
	Decimals uint64           `json:"decimals"`
	protocol.Allowance
	Left uint64 `json:"left,string"` // to debit at the time of the answer
}

// Allowances is a page of what a payer allows.
type Allowances struct {
	At
	Allowances []Allowance `json:"allowances"`
}

// TokenTerms is a hold, a stream or a schedule.
type TokenTerms struct {
	protocol.TokenTerms
	Decimals uint64 `json:"decimals"`
	Flowed   uint64 `json:"flowed,omitempty,string"` // of a stream, at the time of the answer
}

// TokenTermsList is a page of an account's holds, streams or schedules.
type TokenTermsList struct {
	At
	Terms []TokenTerms `json:"terms"`
}

// TokenRules are what governance set.
type TokenRules struct {
	At
	Rewards []Reward `json:"rewards"`
	Fees    *Fees    `json:"fees,omitempty"`
}

// Reward is what an accepted event of a type earns its producer.
type Reward struct {
	Type     string           `json:"type"`
	Asset    string           `json:"asset"`
	From     protocol.Address `json:"from"`
	Each     uint64           `json:"each,string"`
	Limit    uint64           `json:"limit,string"` // in a period, in all
	PeriodMs uint64           `json:"periodMs"`
	Used     uint64           `json:"used,string"` // in this period
}

// Fees are what the ledger takes.
type Fees struct {
	Asset         string           `json:"asset"`
	To            protocol.Address `json:"to"`
	PerEvent      uint64           `json:"perEvent,string"`
	PerMillionGas uint64           `json:"perMillionGas,string"`
}

// DryRun is what a transaction would come to now.
type DryRun struct {
	At
	Code      protocol.Code          `json:"code"`
	Name      string                 `json:"name"`
	Message   string                 `json:"message,omitempty"`
	Movements []protocol.MovementAct `json:"movements"`
	Entries   []TriedEntry           `json:"entries,omitempty"` // of kinds other than token: all it would append
}
