// Package light turns CometBFT's headers, commits and validator sets into the
// types of client/proof, so that a node can issue receipts. Its tests hold
// client/proof equal to CometBFT, to ICS23 and to transparency-dev/merkle.
package light

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"time"

	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// ErrNoQuorum: the commit holds too little power that client/proof accepts.
// The next block's commit proves the same and more; ask for a receipt there.
var ErrNoQuorum = errors.New("light: the commit's usable signatures hold no quorum of the trusted set")

// Anchor is the trust anchor that a validator set is.
func Anchor(chainID string, set *types.ValidatorSet) (proof.Anchor, error) {
	validators := make([]proof.Validator, set.Size())
	for i, v := range set.Validators {
		key, err := validatorKey(v.PubKey)
		if err != nil {
			return proof.Anchor{}, fmt.Errorf("light: validator %d: %w", i, err)
		}
		validators[i] = proof.Validator{PubKey: key, Power: uint64(v.VotingPower)}
	}
	return proof.NewAnchor(chainID, validators)
}

func validatorKey(key cmtcrypto.PubKey) (proof.ValidatorKey, error) {
	if k, ok := key.(cmted25519.PubKey); ok && len(k) == len(proof.ValidatorKey{}) {
		return proof.ValidatorKey(k), nil
	}
	return proof.ValidatorKey{}, fmt.Errorf("key of type %T, must be ed25519", key)
}

// Evidence opens a header and keeps as much of its block's commit as the
// anchor needs: signatures in the anchor's order, until they hold more than
// two thirds of its power. It checks what it answers, so a receipt built from
// it verifies. Votes for nil, absent ones, ones by validators the anchor does
// not have, and ones that the standard library refuses are left out.
func Evidence(anchor proof.Anchor, header *types.Header, commit *types.Commit) (proof.Header, proof.Commit, error) {
	opening, err := Open(header)
	if err != nil {
		return proof.Header{}, proof.Commit{}, err
	}
	out, err := votes(anchor, header, commit, false)
	return opening, out, err
}

// votes are the usable signatures of a commit, in the anchor's order: all of
// them, or only as many as make a quorum.
func votes(anchor proof.Anchor, header *types.Header, commit *types.Commit, all bool) (proof.Commit, error) {
	if header.ChainID != anchor.ChainID() || commit.Height != header.Height || commit.Round < 0 ||
		string(commit.BlockID.Hash) != string(header.Hash()) || len(commit.BlockID.PartSetHeader.Hash) != len(protocol.Hash{}) {
		return proof.Commit{}, fmt.Errorf("light: commit of block %s at height %d is not for header %s at height %d of chain %q",
			commit.BlockID.Hash, commit.Height, header.Hash(), header.Height, header.ChainID)
	}
	out := proof.Commit{
		Height: uint64(commit.Height),
		Round:  uint32(commit.Round),
		Parts: proof.PartSet{
			Total: commit.BlockID.PartSetHeader.Total,
			Hash:  protocol.Hash(commit.BlockID.PartSetHeader.Hash),
		},
	}
	cast := make(map[string]*types.CommitSig, len(commit.Signatures))
	for i := range commit.Signatures {
		if s := &commit.Signatures[i]; s.BlockIDFlag == types.BlockIDFlagCommit {
			cast[string(s.ValidatorAddress)] = s
		}
	}
	block := protocol.Hash(header.Hash())
	var power uint64
	for i, v := range anchor.Validators() {
		address := v.PubKey.Address()
		vote := cast[string(address[:])]
		if vote == nil {
			continue
		}
		timeNs, err := nanoseconds(vote.Timestamp)
		if err != nil || len(vote.Signature) != ed25519.SignatureSize {
			continue
		}
		message := proof.VoteBytes(anchor.ChainID(), out.Height, out.Round, block, out.Parts, timeNs)
		if !ed25519.Verify(v.PubKey[:], message, vote.Signature) {
			continue
		}
		out.Signatures = append(out.Signatures, proof.Signature{
			Validator: uint32(i), TimeNs: timeNs, Bytes: [ed25519.SignatureSize]byte(vote.Signature),
		})
		if power += v.Power; anchor.IsQuorum(power) && !all {
			break
		}
	}
	if anchor.IsQuorum(power) {
		_, err := out.Verify(anchor, block)
		return out, err
	}
	return proof.Commit{}, fmt.Errorf("%w: height %d, %d of %d", ErrNoQuorum, commit.Height, power, anchor.TotalPower())
}

// Open is the opening of a header at chain id, height, time and app hash. It
// checks that the opening leads to CometBFT's own hash of the header.
func Open(h *types.Header) (proof.Header, error) {
	hash := h.Hash()
	if len(hash) != len(protocol.Hash{}) || len(h.AppHash) != len(protocol.Hash{}) || h.Height < 0 {
		return proof.Header{}, fmt.Errorf("light: header %d cannot be opened: hash %s, app hash %s", h.Height, hash, h.AppHash)
	}
	f, err := openSets(h)
	if err != nil {
		return proof.Header{}, err
	}
	opening := proof.Header{
		TimeNs: f.timeNs, Version: f.leaves[0], Blocks: node4(f.leaves[4:8]), Next: proof.NodeHash(f.leaves[8], f.leaves[9]),
		Results: f.leaves[11], Tail: proof.NodeHash(f.leaves[12], f.leaves[13]),
	}
	if got := opening.BlockHash(h.ChainID, uint64(h.Height), protocol.Hash(h.AppHash)); got != protocol.Hash(hash) {
		return proof.Header{}, fmt.Errorf("light: header %d opens to %s, its hash is %s", h.Height, got, hash)
	}
	return opening, nil
}

// leaf is the leaf hash of a field of octets: protobuf's BytesValue, and
// nothing at all where there are none. Hashes and addresses have fewer than
// 128 octets, so their length is one.
func leaf(b []byte) protocol.Hash {
	if len(b) == 0 {
		return proof.LeafHash(nil)
	}
	return proof.LeafHash(append([]byte{0x0a, byte(len(b))}, b...))
}

// nanoseconds refuses a time outside what 64 bits of nanoseconds since 1970
// hold, about the years 1678 to 2262.
func nanoseconds(t time.Time) (int64, error) {
	low, high := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	if t.Before(low) || t.After(high) {
		return 0, fmt.Errorf("time %s does not fit 64 bits of nanoseconds", t)
	}
	return t.UnixNano(), nil
}
