package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/light"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// receiptWithin bounds the wait for the block that signs an entry. CometBFT
// makes that block by itself, right after the entry's own.
const receiptWithin = 10 * time.Second

// proven is what receipts of one height share: the app hash of a height is in
// the header of the next one.
type proven struct {
	head   store.Head // the height whose app hash is proven
	leaves []protocol.Hash
	header proof.Header // of head.Height+1
	commit proof.Commit // of head.Height+1
}

// maxProven bounds the heights remembered: whoever asks for one receipt of a
// block asks for the others.
const maxProven = 512

// Receipt proves an entry. It waits for the block after the entry's.
func (b *backend) Receipt(ctx context.Context, index uint64) (*proof.Receipt, error) {
	entry, err := b.entryAt(index)
	if err != nil {
		return nil, err
	}
	p, err := b.waitProven(ctx, entry.Height)
	if err != nil {
		return nil, err
	}
	return b.receipt(p, index, entry)
}

// receipt proves an entry by what receipts of a later height share.
func (b *backend) receipt(p *proven, index uint64, entry protocol.Entry) (*proof.Receipt, error) {
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	payload, err := machine.ReadPayload(b.store, view, index)
	if err != nil {
		return nil, asRefusal(err, "entry %d has no payload", index)
	}
	path, err := b.store.InclusionProof(index, p.head.LogSize)
	if err != nil {
		return nil, asRefusal(err, "entry %d is not kept", index)
	}
	leaf := proof.LeafHash(entry.AppendBinary(nil))
	if err := proof.VerifyInclusion(leaf, index, p.head.LogSize, path, p.head.LogRoot); err != nil {
		return nil, fmt.Errorf("receipt of entry %d: data at rest: %w", index, err)
	}
	return &proof.Receipt{
		ChainID: b.genesis.ChainID, Header: p.header, Commit: p.commit,
		Entry: &proof.EntryProof{
			Index: index, LogSize: p.head.LogSize, Entry: entry, Withheld: payload.Erased, Blind: payload.Blind, Payload: payload.Bytes, Path: path,
			Params: p.leaves[1], State: p.leaves[2],
		},
	}, nil
}

// Erasure proves that an entry existed, and who erased its payload and why.
func (b *backend) Erasure(ctx context.Context, index uint64) (*proof.Erasure, error) {
	if _, err := b.entryAt(index); err != nil {
		return nil, err
	}
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	by, ok, err := machine.ErasedBy(view, index)
	if err != nil || !ok {
		return nil, orRefusal(err, protocol.CodeNotFound, "the payload of entry %d was not erased", index)
	}
	entry, err := b.Receipt(ctx, index)
	if err != nil {
		return nil, err
	}
	erase, err := b.Receipt(ctx, by)
	return &proof.Erasure{Entry: entry, Erase: erase}, err
}

// orRefusal answers err, or a refusal where there is none.
func orRefusal(err error, code protocol.Code, format string, args ...any) error {
	if err != nil {
		return err
	}
	return protocol.Refuse(code, format, args...)
}

// StateReceipt proves what a key has after a height, or that it has nothing.
// Height 0 is the newest state; a resting network proves it at an earlier
// height of the same app hash.
func (b *backend) StateReceipt(ctx context.Context, key []byte, height uint64) (*proof.Receipt, error) {
	head := b.store.Head()
	switch {
	case height > head.Height:
		return nil, protocol.Refuse(protocol.CodeNotFound, "height %d: the head is at height %d", height, head.Height)
	case height == 0:
		height = head.Height
		if signed := uint64(b.comet.BlockStore().Height()); signed > 1 && signed <= head.Height {
			same, err := b.store.HeadAt(signed - 1)
			if err == nil && same.AppHash == head.AppHash {
				height = signed - 1
			}
		}
	}
	p, err := b.waitProven(ctx, height)
	if err != nil {
		return nil, err
	}
	if p.head.Height != height {
		same, err := b.store.HeadAt(height)
		if err != nil || same.AppHash != p.head.AppHash {
			return nil, orRefusal(asRefusal(err, "height %d is not kept", height), protocol.CodePruned, "this node no longer keeps the block that proves height %d; ask an archive node", height)
		}
	}
	view, err := b.store.View(height)
	if err != nil {
		return nil, asRefusal(err, "height %d is not kept", height)
	}
	state, err := view.Prove(key)
	if err != nil {
		return nil, asRefusal(err, "height %d is not kept", height)
	}
	if err := state.Verify(p.head.StateRoot); err != nil {
		return nil, fmt.Errorf("receipt of state at height %d: data at rest: %w", height, err)
	}
	return &proof.Receipt{
		ChainID: b.genesis.ChainID, Header: p.header, Commit: p.commit,
		State: &proof.StateProof{State: state, LogParams: proof.NodeHash(p.leaves[0], p.leaves[1])},
	}, nil
}

// waitProven waits until some block proves what a height committed to, or
// what a later one did where the next block's usable signatures are too few.
func (b *backend) waitProven(ctx context.Context, height uint64) (*proven, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptWithin)
	defer cancel()
	for {
		committed := b.app.Committed()
		p, err := b.proveFrom(height)
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-committed:
		case <-ctx.Done():
			return nil, protocol.Refuse(protocol.CodeTimeout, "height %d is committed and block %d, which proves it, is not there yet; ask again", height, height+1)
		}
	}
}

// maxLaterBlocks bounds how many blocks are looked at for usable signatures.
const maxLaterBlocks = 16

// proveFrom answers the first usable proof at or after a height; nil without
// an error while there is none.
func (b *backend) proveFrom(height uint64) (*proven, error) {
	last := min(uint64(b.comet.BlockStore().Height()), b.store.Head().Height+1)
	first := max(height+1, uint64(b.comet.BlockStore().Base())) // a later block proves what an older one did
	for next := first; next <= last && next <= first+maxLaterBlocks; next++ {
		p, err := b.prove(next)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, light.ErrNoQuorum) {
			return nil, err
		}
	}
	return nil, nil
}

// prove opens the header of block next and takes its commit.
func (b *backend) prove(next uint64) (*proven, error) {
	b.mu.Lock()
	p := b.proven[next]
	b.mu.Unlock()
	if p != nil {
		return p, nil
	}
	head, err := b.store.HeadAt(next - 1)
	if err != nil {
		return nil, asRefusal(err, "height %d is not kept", next-1)
	}
	meta := b.comet.BlockStore().LoadBlockMeta(int64(next))
	if meta == nil {
		return nil, protocol.Refuse(protocol.CodePruned, "this node no longer keeps block %d; ask an archive node", next)
	}
	if string(meta.Header.AppHash) != string(head.AppHash[:]) {
		return nil, fmt.Errorf("header %d has app hash %s, the ledger %s at height %d", next, meta.Header.AppHash, head.AppHash, head.Height)
	}
	anchor, err := b.validatorsAt(next)
	if err != nil {
		return nil, err
	}
	p = &proven{head: head, leaves: proof.MapLeaves(proof.AppEntries(head.LogSize, head.LogRoot, head.Params, head.StateRoot)...)}
	err = fmt.Errorf("%w: no commit of block %d", light.ErrNoQuorum, next)
	for _, load := range [...]func(int64) *cmttypes.Commit{b.comet.BlockStore().LoadBlockCommit, b.comet.BlockStore().LoadSeenCommit} {
		commit := load(int64(next))
		if commit == nil {
			continue
		}
		if p.header, p.commit, err = light.Evidence(anchor, &meta.Header, commit); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.proven) >= maxProven {
		clear(b.proven)
	}
	b.proven[next] = p
	return p, nil
}
