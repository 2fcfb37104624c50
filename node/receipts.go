package node

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/light"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// Receipt proves an entry by the block after the one that appended it, whose
// header carries the app hash. CometBFT makes that block by itself.
func (b *backend) Receipt(ctx context.Context, index uint64) (*proof.Receipt, error) {
	encoded, err := b.store.Entry(index)
	if err != nil {
		return nil, asRefusal(err, "the log has no entry %d", index)
	}
	entry, err := protocol.DecodeEntry(encoded)
	if err != nil {
		return nil, err
	}
	head, err := b.store.HeadAt(entry.Height)
	if err != nil {
		return nil, asRefusal(err, "height %d is no longer kept", entry.Height)
	}
	payload, err := machine.ReadPayload(b.store, index)
	if err != nil {
		return nil, asRefusal(err, "entry %d has no payload", index)
	}
	path, err := b.store.InclusionProof(index, head.LogSize)
	if err != nil {
		return nil, err
	}
	leaves := appLeaves(head)
	receipt, err := b.signed(ctx, entry.Height+1)
	if err != nil {
		return nil, err
	}
	receipt.Entry = &proof.EntryProof{
		Index: index, LogSize: head.LogSize, Entry: entry, Blind: payload.Blind, Payload: payload.Bytes,
		Path: path, Params: leaves[1], State: leaves[2],
	}
	return receipt, b.selfCheck(receipt)
}

// StateReceipt proves a key's value, or its absence, after a height; 0 is the
// newest one.
func (b *backend) StateReceipt(ctx context.Context, key []byte, height uint64) (*proof.Receipt, error) {
	if height == 0 {
		height = b.store.Head().Height
	}
	view, head, err := b.viewAt(height)
	if err != nil {
		return nil, err
	}
	state, err := view.Prove(key)
	if err != nil {
		return nil, err
	}
	leaves := appLeaves(head)
	receipt, err := b.signed(ctx, height+1)
	if err != nil {
		return nil, err
	}
	receipt.State = &proof.StateProof{State: state, LogParams: proof.NodeHash(leaves[0], leaves[1])}
	return receipt, b.selfCheck(receipt)
}

// appLeaves are the leaves of the app hash's map: log, params, state.
func appLeaves(head store.Head) []protocol.Hash {
	return proof.MapLeaves(proof.AppEntries(head.LogSize, head.LogRoot, head.Params, head.StateRoot)...)
}

// signed waits for a block and answers a receipt's header and commit.
func (b *backend) signed(ctx context.Context, height uint64) (*proof.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptWithin)
	defer cancel()
	for {
		committed := b.app.Committed()
		if b.store.Head().Height >= height {
			break
		}
		select {
		case <-committed:
		case <-ctx.Done():
			return nil, protocol.Refuse(protocol.CodeTimeout, "block %d, whose header proves this, is not there yet; ask again", height)
		}
	}
	blocks := b.comet.BlockStore()
	meta := blocks.LoadBlockMeta(int64(height))
	commit := blocks.LoadBlockCommit(int64(height))
	if commit == nil {
		commit = blocks.LoadSeenCommit(int64(height)) // the newest block's
	}
	if meta == nil || commit == nil {
		return nil, protocol.Refuse(protocol.CodePruned, "this node no longer keeps block %d", height)
	}
	header, votes, err := light.Evidence(b.anchor, &meta.Header, commit)
	if err != nil {
		return nil, err
	}
	return &proof.Receipt{ChainID: b.genesis.ChainID, Header: header, Commit: votes}, nil
}

// selfCheck verifies a receipt before it leaves: a wrong one would be found by
// someone else.
func (b *backend) selfCheck(receipt *proof.Receipt) error {
	if _, err := receipt.Verify(b.anchor); err != nil {
		return fmt.Errorf("node: made a receipt that does not verify: %w", err)
	}
	return nil
}
