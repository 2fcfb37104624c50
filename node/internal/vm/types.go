package vm

import "github.com/cairn-ledger/cairn/client/protocol"

// EntryKind is what a run asks of a contract.
type EntryKind uint8

// Kinds of entry points, in the order of contracts/abi.
const (
	Init EntryKind = iota
	Event
	Call
	Query // may not change anything
	Timer
	Migrate
	entryKinds
)

// Entrypoint is an exported function and the handler it is called for; Init
// and Migrate have none.
type Entrypoint struct {
	Kind    EntryKind
	Handler uint32 // index in the manifest's list
}

// Env is what a contract can know of its surroundings.
type Env struct {
	Height uint64
	TimeMs uint64 // of the block, Unix milliseconds
	Self   protocol.Address
	Caller protocol.Address
}

// KV is one pair of a contract's state.
type KV struct{ Key, Value []byte }

// Emission is an event a contract emits. The receiver owns the slices.
type Emission struct {
	Type    []byte
	Subject []byte // may be empty
	Data    []byte // one JSON value, by the contract's word
}

// Host is the ledger as one run sees it. Keys given to Get, Delete and Scan
// are valid during the call only; what Set and Emit receive is the host's to
// keep. A *protocol.Error ends the run with its code; any other error is a
// fault of the node and comes back from Run as it is.
type Host interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Set(key, value []byte) error
	Delete(key []byte) error
	// Scan answers up to limit pairs whose key starts with prefix and is
	// greater than after (nil: from the first), ascending, own writes included.
	Scan(prefix, after []byte, limit int) ([]KV, error)
	Emit(Emission) error
	// Call runs another contract as a part of this run. A callee that fails is
	// a result; Call keeps no slice of the request.
	Call(CallRequest) (CallResult, error)
	// Schedule sets a timer, whose data the host keeps, and answers its id.
	Schedule(TimerRequest) (id uint64, err error)
	// Cancel says whether a timer was pending.
	Cancel(id uint64) (bool, error)
	// Balance answers what an account has of an asset.
	Balance(asset string, account protocol.Address) (uint64, error)
	// Token does an operation on behalf of the running contract. One that is
	// refused is a result, and has changed nothing.
	Token(*protocol.TokenOp) (TokenResult, error)
}

// Alone is the part of a Host that has no other contracts, timers and tokens.
type Alone struct{}

// Call finds no contract.
func (Alone) Call(CallRequest) (CallResult, error) {
	return CallResult{Code: protocol.CodeContractUnknown}, nil
}

// Schedule refuses.
func (Alone) Schedule(TimerRequest) (uint64, error) {
	return 0, protocol.Refuse(protocol.CodeTimerLimit, "there are no timers here")
}

// Cancel finds no timer.
func (Alone) Cancel(uint64) (bool, error) { return false, nil }

// Balance refuses.
func (Alone) Balance(string, protocol.Address) (uint64, error) { return 0, errNoTokens }

// Token refuses.
func (Alone) Token(*protocol.TokenOp) (TokenResult, error) { return TokenResult{}, errNoTokens }

var errNoTokens = protocol.Refuse(protocol.CodeTokensUnavailable, "there are no tokens here")

// TokenResult is what an operation on tokens came to.
type TokenResult struct {
	ID   uint64 // of the hold it made
	Code protocol.Code
}

// CallRequest is a call of another contract.
type CallRequest struct {
	Contract protocol.Address
	Method   []byte
	Args     []byte // JSON
	Gas      uint64 // limit, above 0
}

// CallResult is what a call of another contract came to.
type CallResult struct {
	Code      protocol.Code
	GuestCode uint32 // the callee's own, with CodeContractAborted
	GasUsed   uint64 // at most the request's
	Output    []byte
}

// TimerRequest is a timer to set.
type TimerRequest struct {
	Handler uint32
	ByTime  bool   // At is Unix milliseconds, not a height
	At      uint64 // when it is due
	Data    []byte
}

// Result is what a run came to. All but Log is the same on every node.
type Result struct {
	GasUsed   uint64        // never above the limit; the whole limit when gas ran out
	Output    []byte        // of a call or query that succeeded
	Code      protocol.Code // CodeOK, or why the run failed
	GuestCode uint32        // the contract's own code, with CodeContractAborted
	Log       []string      // lines for the operator: the contract's, then why it failed
}
