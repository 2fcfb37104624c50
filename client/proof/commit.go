package proof

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Commit is why a block is final: precommit votes of validators for one
// block at one height and round.
type Commit struct {
	Height uint64
	Round  uint32 // at most 2^31-1
	// Parts is the block's part set header: votes sign it beside the hash.
	Parts PartSet
	// Signatures are in ascending order of validator. Votes for nil and absent
	// ones prove nothing and are left out.
	Signatures []Signature
}

// PartSet says how a block was cut into parts for gossip.
type PartSet struct {
	Total uint32 // at least 1
	Hash  protocol.Hash
}

// Signature is one validator's vote for the block.
type Signature struct {
	Validator uint32 // place in the Anchor's order
	TimeNs    int64  // of the vote, Unix nanoseconds
	Bytes     [ed25519.SignatureSize]byte
}

// Signed says who was behind a block.
type Signed struct {
	Validators []uint32 `json:"validators"` // places in the Anchor's order
	Power      uint64   `json:"power"`
	TotalPower uint64   `json:"totalPower"`
}

// VoteBytes are what a validator signs when it precommits a block: CometBFT's
// CanonicalVote (v0.40.0) in protobuf, preceded by its length.
func VoteBytes(chainID string, height uint64, round uint32, block protocol.Hash, parts PartSet, timeNs int64) []byte {
	vote := make([]byte, 0, 192)
	vote = append(vote, 0x08, 2) // 1 type: precommit
	if height != 0 {
		vote = binary.LittleEndian.AppendUint64(append(vote, 0x11), height) // 2 sfixed64
	}
	if round != 0 {
		vote = binary.LittleEndian.AppendUint64(append(vote, 0x19), uint64(round)) // 3 sfixed64
	}
	var buf [64]byte
	set := buf[:0]
	if parts.Total != 0 {
		set = binary.AppendUvarint(append(set, 0x08), uint64(parts.Total)) // 1 uint32
	}
	set = appendBytes(append(set, 0x12), parts.Hash[:]) // 2 bytes
	blockID := make([]byte, 0, 96)
	blockID = appendBytes(append(blockID, 0x0a), block[:]) // 1 bytes
	blockID = appendBytes(append(blockID, 0x12), set)      // 2 message
	vote = appendBytes(append(vote, 0x22), blockID)        // 4 message
	vote = appendBytes(append(vote, 0x2a), appendTime(buf[:0], timeNs))
	if chainID != "" {
		vote = appendBytes(append(vote, 0x32), chainID) // 6 string
	}
	return appendBytes(make([]byte, 0, len(vote)+2), vote)
}

// Verify checks that validators with more than two thirds of the anchor's
// power signed the block of that hash. Every signature carried must hold, also
// those beyond the quorum: nothing in a receipt goes unchecked.
//
// Signatures are checked as RFC 8032 says, by the standard library. CometBFT
// is more lenient (ZIP 215: it also accepts encodings and low-order components
// that no honest signer makes), so a block can be final with a signature that
// is refused here. The node leaves such signatures out of receipts; where too
// few remain, the next block proves the same.
func (c *Commit) Verify(anchor Anchor, block protocol.Hash) (Signed, error) {
	signed := Signed{TotalPower: anchor.total}
	if err := c.check(); err != nil {
		return signed, err
	}
	var wrong error
	for _, s := range c.Signatures {
		if uint64(s.Validator) >= uint64(len(anchor.validators)) {
			return signed, fmt.Errorf("%w: position %d, and the set has %d", ErrValidator, s.Validator, len(anchor.validators))
		}
		validator := anchor.validators[s.Validator]
		message := VoteBytes(anchor.chainID, c.Height, c.Round, block, c.Parts, s.TimeNs)
		if !ed25519.Verify(validator.PubKey[:], message, s.Bytes[:]) {
			if wrong == nil {
				wrong = fmt.Errorf("%w: validator %d (%x)", ErrSignature, s.Validator, validator.PubKey.Address())
			}
			continue
		}
		signed.Validators = append(signed.Validators, s.Validator)
		signed.Power += validator.Power
	}
	switch {
	case len(signed.Validators) == 0 && wrong != nil:
		return signed, fmt.Errorf("%w: no signature is over block %s at height %d, which the contents lead to",
			ErrUnsigned, block, c.Height)
	case wrong != nil:
		return signed, wrong
	case !anchor.IsQuorum(signed.Power):
		return signed, fmt.Errorf("%w: %d of %d", ErrPower, signed.Power, signed.TotalPower)
	}
	return signed, nil
}

// check bounds the parts and holds the order that rules out a second vote by
// one validator.
func (c *Commit) check() error {
	switch {
	case c.Height == 0 || c.Height > MaxInteger:
		return fmt.Errorf("%w: commit height %d, must be 1 to 2^53-1", ErrForm, c.Height)
	case c.Round > math.MaxInt32:
		return fmt.Errorf("%w: commit round %d is over 2^31-1", ErrForm, c.Round)
	case c.Parts.Total == 0:
		return fmt.Errorf("%w: a block has at least one part", ErrForm)
	case len(c.Signatures) > MaxValidators:
		return fmt.Errorf("%w: %d signatures, over the limit %d", ErrForm, len(c.Signatures), MaxValidators)
	}
	for i, s := range c.Signatures {
		if s.Validator >= MaxValidators {
			return fmt.Errorf("%w: validator %d, must be below %d", ErrForm, s.Validator, MaxValidators)
		}
		if i > 0 && s.Validator <= c.Signatures[i-1].Validator {
			return fmt.Errorf("%w: validator %d signs after validator %d, must be in ascending order, each once",
				ErrForm, s.Validator, c.Signatures[i-1].Validator)
		}
	}
	return nil
}
