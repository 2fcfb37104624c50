package node

import (
	"errors"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/light"
)

// Bounds of one answer: steps, and blocks looked at for them. Whoever asks
// goes on from the last step.
const (
	maxTrustSteps  = 64
	maxTrustBlocks = 10_000
)

// validatorsAt is the validator set that signs a height.
func (b *backend) validatorsAt(height uint64) (proof.Anchor, error) {
	set, err := b.sets.LoadValidators(int64(height))
	if err != nil {
		return proof.Anchor{}, protocol.Refuse(protocol.CodePruned, "this node does not keep the validators of height %d", height)
	}
	return light.Anchor(b.genesis.ChainID, set)
}

// TrustPath leads from the validators of a height to later ones: a step for
// each change, and at the end one that says that the last set still signs.
func (b *backend) TrustPath(from uint64) (*proof.TrustPath, error) {
	path := &proof.TrustPath{ChainID: b.genesis.ChainID, Steps: []proof.TrustStep{}}
	store := b.comet.BlockStore()
	last := min(uint64(store.Height()), from+maxTrustBlocks)
	if from == 0 || from > last {
		return path, nil
	}
	if from < uint64(store.Base()) {
		return nil, protocol.Refuse(protocol.CodePruned, "this node keeps blocks from height %d on; ask an archive node", store.Base())
	}
	trusted, err := b.validatorsAt(from)
	if err != nil {
		return nil, err
	}
	for height := from; height <= last && len(path.Steps) < maxTrustSteps; height++ {
		meta := store.LoadBlockMeta(int64(height))
		if meta == nil {
			return nil, fmt.Errorf("block %d is not there", height)
		}
		changes := string(meta.Header.NextValidatorsHash) != string(meta.Header.ValidatorsHash)
		if !changes && height < last {
			continue
		}
		step, next, err := b.trustStep(trusted, &meta.Header, changes)
		if errors.Is(err, light.ErrNoQuorum) && !changes {
			break // its commit is not complete here yet: the block before will do
		}
		if err != nil {
			return nil, err
		}
		path.Steps, trusted = append(path.Steps, step), next
	}
	return path, nil
}

// trustStep makes the step from a set past a block: to the next one, or to
// itself where it stays.
func (b *backend) trustStep(trusted proof.Anchor, header *cmttypes.Header, changes bool) (step proof.TrustStep, next proof.Anchor, err error) {
	next = trusted
	if changes {
		if next, err = b.validatorsAt(uint64(header.Height) + 1); err != nil {
			return step, next, err
		}
	}
	store := b.comet.BlockStore()
	err = fmt.Errorf("%w: no commit of block %d", light.ErrNoQuorum, header.Height)
	for _, load := range [...]func(int64) *cmttypes.Commit{store.LoadBlockCommit, store.LoadSeenCommit} {
		commit := load(header.Height)
		if commit == nil {
			continue
		}
		if changes {
			step, err = light.Next(trusted, next, header, commit)
		} else {
			step, err = light.Skip(trusted, trusted, header, commit)
		}
		if err == nil {
			break
		}
	}
	return step, next, err
}
