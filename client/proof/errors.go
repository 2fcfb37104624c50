package proof

import "errors"

// One sentinel a check. Errors wrap them with the values at hand, so a caller
// branches with errors.Is and a person reads which check failed and why.
var (
	// ErrForm: bytes or text that no receipt, or part of one, encodes to.
	ErrForm = errors.New("the receipt is malformed")
	// ErrDigest: what the receipt holds is not what it held when it was written.
	ErrDigest = errors.New("the receipt is damaged: its digest does not match its contents")
	// ErrCanonical: the right values, written in another way than the one way.
	ErrCanonical = errors.New("the receipt is not in its canonical form")
	// ErrAnchor: the trust anchor itself is not usable.
	ErrAnchor = errors.New("the trust anchor is not valid")
	// ErrChain: a receipt of another ledger.
	ErrChain = errors.New("the receipt is of another chain")
	// ErrInclusion: the path cannot lead from that index to a root of that size.
	ErrInclusion = errors.New("the entry is not proven to be in the log")
	// ErrConsistency: the larger log does not extend the smaller one.
	ErrConsistency = errors.New("the larger log is not proven to extend the smaller one")
	// ErrMap: a leaf that is not in a map of that root.
	ErrMap = errors.New("the value is not proven to be in the map")
	// ErrState: the state proof does not show what it says.
	ErrState = errors.New("the key is not proven to be in the state, or absent from it")
	// ErrRoot: a sound proof, of another state root.
	ErrRoot = errors.New("the proof leads to another root")
	// ErrCommitment: blind and payload are not what the entry commits to.
	ErrCommitment = errors.New("the payload is not what the entry commits to")
	// ErrEvent: the payload of an event entry is not a canonical event record.
	ErrEvent = errors.New("the payload is not an event")
	// ErrAct: the payload of another entry is not a canonical act of its kind.
	ErrAct = errors.New("the payload is not an act of the entry's kind")
	// ErrType: the entry names another event type than its payload has.
	ErrType = errors.New("the entry's type is not the event's type")
	// ErrHeight: the block that should prove the entry is not later than it.
	ErrHeight = errors.New("the signed block is too early to prove this entry")
	// ErrValidator: a signature by a position the trusted set does not have.
	ErrValidator = errors.New("a signature is not by a validator of the trusted set")
	// ErrSignature: some signatures hold, and one does not.
	ErrSignature = errors.New("a validator's signature does not verify")
	// ErrUnsigned: no signature at all is over what the receipt leads to. Its
	// contents were changed, or other validators signed it.
	ErrUnsigned = errors.New("the validators of the trusted set did not sign this")
	// ErrPower: the signatures hold, and are too few.
	ErrPower = errors.New("the signers do not hold more than two thirds of the voting power")
)
