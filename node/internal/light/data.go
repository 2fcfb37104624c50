package light

import (
	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// BesideData are the hashes beside a header's hash of its transactions: the
// node over the last block and its commit, and the leaf of the validators.
func BesideData(h *types.Header) (last, validators protocol.Hash, err error) {
	f, err := openSets(h)
	return proof.NodeHash(f.leaves[4], f.leaves[5]), f.leaves[7], err
}
