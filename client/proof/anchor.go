package proof

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	// MaxValidators bounds a validator set (CometBFT's own limit is 10,000).
	MaxValidators = 10_000
	// MaxTotalPower is CometBFT's bound of a set's voting power.
	MaxTotalPower = math.MaxInt64 / 8
)

// ValidatorKey is an ed25519 public key: what a validator signs blocks with.
type ValidatorKey [ed25519.PublicKeySize]byte

// Address is CometBFT's: SHA-256(key), cut to 20 bytes.
func (k ValidatorKey) Address() [20]byte {
	sum := sha256.Sum256(k[:])
	return [20]byte(sum[:20])
}

// Validator is one member of a validator set.
type Validator struct {
	PubKey ValidatorKey
	Power  uint64 // voting power, at least 1
}

// Anchor is what a verifier trusts: that on this chain, more than two thirds
// of the power of this validator set is honest. The zero Anchor trusts nobody;
// NewAnchor makes the others.
type Anchor struct {
	chainID    string
	validators []Validator // in CometBFT's order
	total      uint64
}

// NewAnchor checks a validator set and puts it into CometBFT's order: by
// power, the greatest first, then by address. Receipts name validators by
// their place in that order.
func NewAnchor(chainID string, validators []Validator) (Anchor, error) {
	if err := checkChainID(chainID); err != nil {
		return Anchor{}, fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	if len(validators) == 0 || len(validators) > MaxValidators {
		return Anchor{}, fmt.Errorf("%w: %d validators, must be 1 to %d", ErrAnchor, len(validators), MaxValidators)
	}
	sorted := slices.SortedFunc(slices.Values(validators), func(a, b Validator) int {
		addressA, addressB := a.PubKey.Address(), b.PubKey.Address()
		return cmp.Or(cmp.Compare(b.Power, a.Power), bytes.Compare(addressA[:], addressB[:]))
	})
	seen := make(map[ValidatorKey]bool, len(sorted))
	var total uint64
	for _, v := range sorted {
		switch {
		case v.Power == 0 || v.Power > MaxTotalPower-total:
			return Anchor{}, fmt.Errorf("%w: power %d of validator %x: each must be at least 1, the sum at most %d",
				ErrAnchor, v.Power, v.PubKey, uint64(MaxTotalPower))
		case seen[v.PubKey]:
			return Anchor{}, fmt.Errorf("%w: validator %x is in the set twice", ErrAnchor, v.PubKey)
		}
		seen[v.PubKey] = true
		total += v.Power
	}
	return Anchor{chainID: chainID, validators: sorted, total: total}, nil
}

// ChainID is the chain trusted.
func (a Anchor) ChainID() string { return a.chainID }

// Validators is a copy of the set, in the order receipts count in.
func (a Anchor) Validators() []Validator { return slices.Clone(a.validators) }

// TotalPower is the sum of the set's voting powers.
func (a Anchor) TotalPower() uint64 { return a.total }

// IsQuorum says whether that much power is more than two thirds of the total.
func (a Anchor) IsQuorum(power uint64) bool {
	return a.total > 0 && power > a.total*2/3 // the total is below 2^60
}

// checkChainID allows what CometBFT does in length, and of printable ASCII
// what every JSON writer leaves as it is.
func checkChainID(chainID string) error {
	if chainID == "" || len(chainID) > protocol.MaxChainID {
		return fmt.Errorf("%w: a chain id has 1 to %d characters, this one has %d",
			ErrForm, protocol.MaxChainID, len(chainID))
	}
	for _, c := range []byte(chainID) {
		if c <= ' ' || c > '~' || bytes.IndexByte([]byte("\"\\<>&"), c) >= 0 {
			return fmt.Errorf("%w: chain id %q: only printable ASCII, without space, \", \\, <, > and &", ErrForm, chainID)
		}
	}
	return nil
}
