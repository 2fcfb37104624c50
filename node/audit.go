package node

import (
	"crypto/sha256"
	"errors"
	"slices"
	"sort"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/light"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Block answers a decided block with what proves it.
func (b *backend) Block(height uint64) (rest.Block, error) {
	head := b.store.Head()
	if height == 0 || height > head.Height {
		return rest.Block{}, protocol.Refuse(protocol.CodeNotFound, "there is no block %d; the head is %d", height, head.Height)
	}
	p, err := b.prove(height)
	if errors.Is(err, light.ErrNoQuorum) {
		return rest.Block{}, protocol.Refuse(protocol.CodeUnavailable, "this node holds too few signatures of block %d that everybody verifies; ask another node", height)
	}
	if err != nil {
		return rest.Block{}, err
	}
	block := b.comet.BlockStore().LoadBlock(int64(height))
	if block == nil {
		return rest.Block{}, protocol.Refuse(protocol.CodePruned, "this node no longer keeps block %d; ask an archive node", height)
	}
	after, err := b.store.HeadAt(height)
	if err != nil {
		return rest.Block{}, asRefusal(err, "height %d is not kept", height)
	}
	if err := b.notErased(height, p.head.LogSize, after.LogSize); err != nil {
		return rest.Block{}, err
	}
	out := rest.Block{
		Height:  height,
		Decided: proof.Decided{ChainID: b.genesis.ChainID, Header: p.header, AppHash: p.head.AppHash, Commit: p.commit},
		Before:  rest.Before{TimeMs: p.head.TimeMs, LogSize: p.head.LogSize, StateRoot: p.head.StateRoot, Params: p.head.Params},
		After:   after.LogSize,
	}
	for _, tx := range block.Txs {
		out.Decided.Txs = append(out.Decided.Txs, tx)
	}
	if err := b.showable(height, p.head.LogSize, after.LogSize, out.Decided.Txs); err != nil {
		return rest.Block{}, err
	}
	if out.Decided.Last, out.Decided.Validators, err = light.BesideData(&block.Header); err != nil {
		return out, err
	}
	out.Decided.Header.Blocks = protocol.Hash{} // it follows from the rest
	out.Before.LogPeaks, err = b.store.LogPeaks(p.head.LogSize)
	return out, err
}

// notErased refuses a block whose transactions carry what was erased since.
func (b *backend) notErased(height, from, to uint64) error {
	view, _, err := b.viewAt(0)
	if err != nil {
		return err
	}
	index, some, err := machine.NextErased(view, from)
	if err == nil && some && index < to {
		err = protocol.Refuse(protocol.CodeErased, "block %d carried the payload of entry %d, which was erased since; its transactions are not shown", height, index)
	}
	return err
}

// HeightAt is the last height whose block's time is at or before a time.
func (b *backend) HeightAt(timeMs int64) (uint64, error) {
	newest := b.store.Head()
	var fault error
	// The first height above 0 that is later: heights whose heads are not kept
	// are older than those that are.
	later := 1 + sort.Search(int(newest.Height), func(i int) bool {
		head, err := b.store.HeadAt(uint64(i) + 1)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			fault = err
		}
		return err == nil && head.TimeMs > timeMs
	})
	if fault != nil {
		return 0, fault
	}
	height := uint64(later) - 1
	if height == 0 {
		return 0, protocol.Refuse(protocol.CodeNotFound, "no block of this ledger is as old as that")
	}
	_, err := b.store.HeadAt(height)
	return height, asRefusal(err, "this node does not keep the block of that time")
}

// HeadAt is what the ledger was after a height; 0 is the newest.
func (b *backend) HeadAt(height uint64) (rest.Head, error) {
	if height == 0 {
		return b.Head()
	}
	if newest := b.store.Head().Height; height > newest {
		return rest.Head{}, protocol.Refuse(protocol.CodeNotFound, "height %d is not there yet; the head is %d", height, newest)
	}
	head, err := b.store.HeadAt(height)
	return rest.Head{
		ChainID: b.genesis.ChainID, Height: head.Height, TimeMs: head.TimeMs, LogSize: head.LogSize,
		LogRoot: head.LogRoot, StateRoot: head.StateRoot, AppHash: head.AppHash,
	}, asRefusal(err, "height %d is not kept", height)
}

// Diff lists what changed in the state between two heights.
func (b *backend) Diff(from, to uint64, after []byte, limit int) (rest.Diff, error) {
	out := rest.Diff{From: from, To: to, Changes: []rest.Change{}}
	earlier, err := b.store.View(from)
	if err != nil {
		return out, asRefusal(err, "height %d is not kept", from)
	}
	later, _, err := b.viewAt(to)
	if err != nil {
		return out, err
	}
	var at *protocol.Hash
	if after != nil {
		hash := protocol.Hash(sha256.Sum256(after))
		at = &hash
	}
	changes, more, err := later.Diff(earlier, at, limit)
	if err != nil {
		return out, err
	}
	for _, c := range changes {
		out.Changes = append(out.Changes, rest.Change{Key: c.Key, Before: shownValue(c.Before), After: shownValue(c.After)})
	}
	if more && len(changes) > 0 {
		out.Next = changes[len(changes)-1].Key
	}
	return out, nil
}

func shownValue(value []byte) *rest.Value {
	if value == nil {
		return nil
	}
	v := &rest.Value{Size: len(value), Hash: sha256.Sum256(value)}
	if len(value) <= rest.MaxShownValue {
		v.Bytes = value
	}
	return v
}

// StateKeys lists keys of the state under a prefix, after a key.
func (b *backend) StateKeys(prefix, after []byte, height uint64, limit int) (rest.StateKeys, error) {
	view, head, err := b.viewAt(height)
	if err != nil {
		return rest.StateKeys{}, err
	}
	const page = 64 // values may be large
	out := rest.StateKeys{Height: head.Height, Keys: [][]byte{}}
	for len(out.Keys) < limit {
		var found []state.KV
		want := min(page, limit-len(out.Keys))
		if found, err = view.Scan(prefix, after, want); err != nil {
			return out, err
		}
		for i := range found {
			out.Keys = append(out.Keys, slices.Clone(found[i].Key))
			after = found[i].Key
		}
		if len(found) < want {
			break
		}
	}
	return out, nil
}

// StateSince says which block wrote the value that a key has after a height.
func (b *backend) StateSince(key []byte, height uint64) (rest.StateSince, error) {
	view, head, err := b.viewAt(height)
	if err != nil {
		return rest.StateSince{}, err
	}
	since, exists, err := view.Since(key)
	if !exists {
		since = 0
	}
	return rest.StateSince{Height: head.Height, Exists: exists, Since: since}, err
}
