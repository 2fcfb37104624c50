package light

import (
	"fmt"

	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Next is the step from the set that signed a block to the set its header
// names for the following one.
func Next(trusted, next proof.Anchor, header *types.Header, commit *types.Commit) (proof.TrustStep, error) {
	f, err := openSets(header)
	if err != nil {
		return proof.TrustStep{}, err
	}
	step := proof.TrustStep{
		TimeNs: f.timeNs, Next: next.Validators(),
		Beside: []protocol.Hash{f.leaves[0], node4(f.leaves[4:8]), f.leaves[9], proof.NodeHash(f.leaves[10], f.leaves[11]), proof.NodeHash(f.leaves[12], f.leaves[13])},
	}
	if step.Commit, err = votes(trusted, header, commit, false); err != nil {
		return proof.TrustStep{}, err
	}
	_, err = step.Verify(trusted)
	return step, err
}

// Skip is the step from a trusted set to the set that signed a later block,
// where enough of the former are still in the latter.
func Skip(trusted, own proof.Anchor, header *types.Header, commit *types.Commit) (proof.TrustStep, error) {
	f, err := openSets(header)
	if err != nil {
		return proof.TrustStep{}, err
	}
	high := proof.NodeHash(node4(f.leaves[8:12]), proof.NodeHash(f.leaves[12], f.leaves[13]))
	step := proof.TrustStep{
		Skip: true, TimeNs: f.timeNs, Next: own.Validators(),
		Beside: []protocol.Hash{f.leaves[0], proof.NodeHash(f.leaves[4], f.leaves[5]), f.leaves[6], high},
	}
	if step.Commit, err = votes(own, header, commit, true); err != nil {
		return proof.TrustStep{}, err
	}
	_, err = step.Verify(trusted)
	return step, err
}

func node4(leaves []protocol.Hash) protocol.Hash {
	return proof.NodeHash(proof.NodeHash(leaves[0], leaves[1]), proof.NodeHash(leaves[2], leaves[3]))
}

// fields are a header's time and the leaves of what a step leaves closed;
// those of chain id, height and time stay zero.
type fields struct {
	timeNs int64
	leaves [proof.HeaderFields]protocol.Hash
}

func openSets(h *types.Header) (fields, error) {
	var f fields
	var err error
	if f.timeNs, err = nanoseconds(h.Time); err != nil {
		return f, fmt.Errorf("light: header %d: %w", h.Height, err)
	}
	version, err := h.Version.Marshal()
	if err != nil {
		return f, fmt.Errorf("light: header %d: version: %w", h.Height, err)
	}
	lastBlockID := h.LastBlockID.ToProto()
	lastBlock, err := lastBlockID.Marshal()
	if err != nil {
		return f, fmt.Errorf("light: header %d: last block: %w", h.Height, err)
	}
	f.leaves[0], f.leaves[4] = proof.LeafHash(version), proof.LeafHash(lastBlock)
	for i, b := range map[int][]byte{
		5: h.LastCommitHash, 6: h.DataHash, 7: h.ValidatorsHash, 8: h.NextValidatorsHash, 9: h.ConsensusHash,
		10: h.AppHash, 11: h.LastResultsHash, 12: h.EvidenceHash, 13: h.ProposerAddress,
	} {
		f.leaves[i] = leaf(b)
	}
	return f, nil
}
