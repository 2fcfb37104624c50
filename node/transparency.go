package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/cosign"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// logKeyFile is the key a validator signs the log's checkpoints with. Whoever
// has it can vouch for checkpoints in this validator's name, and sign no block.
const logKeyFile = "log-key.json"

// tileWidth is C2SP tlog-tiles'.
const tileWidth = 256

// newKeeper makes what signs checkpoints and collects signatures.
func (n *Node) newKeeper(home string, b *backend) error {
	var err error
	c := cosign.Config{
		Every: time.Duration(n.config.CosignEvery), Log: n.log.With("in", "cosign"),
	}
	if c.Key, err = cosign.LoadKey(filepath.Join(home, logKeyFile)); err != nil {
		return err
	}
	if c.Witnesses, err = n.config.witnesses(); err != nil {
		return err
	}
	b.keeper, err = cosign.New(c, b)
	return err
}

// maxFinalised bounds how many heights are signed at once after a pause: of
// older ones the checkpoints are of no use.
const maxFinalised = 256

// Finalised lists checkpoints that the next block's header commits to. While
// the node catches up, none: what it has is not the newest there is.
func (b *backend) Finalised(after uint64) (out []proof.Checkpoint, height uint64, err error) {
	height = b.store.Head().Height
	if stored := uint64(b.comet.BlockStore().Height()); stored < height {
		height = stored
	}
	if height <= after || b.comet.ConsensusReactor().WaitSync() {
		return nil, after, nil
	}
	if height > maxFinalised {
		after = max(after, height-maxFinalised)
	}
	if after == 0 {
		after = height - 1
	}
	for at := after + 1; at <= height; at++ {
		meta := b.comet.BlockStore().LoadBlockMeta(int64(at))
		head, err := b.store.HeadAt(at - 1)
		if meta == nil || err != nil {
			continue // pruned
		}
		if string(meta.Header.AppHash) != string(head.AppHash[:]) {
			return nil, height, fmt.Errorf("header %d has app hash %s, the ledger %s at height %d", at, meta.Header.AppHash, head.AppHash, head.Height)
		}
		out = append(out, proof.Checkpoint{Origin: b.genesis.ChainID, Size: head.LogSize, Root: head.LogRoot})
	}
	return out, height, nil
}

// Cosigners are the validators of the newest set with their log keys.
func (b *backend) Cosigners(known uint64) (by proof.Cosigners, since uint64, err error) {
	head := b.store.Head()
	if head.Height == 0 {
		by, err = b.genesis.Cosigners()
		return by, governance.FirstSet, err
	}
	view, err := b.store.View(head.Height)
	if err != nil {
		return by, 0, err
	}
	set, err := governance.Latest(view)
	if err != nil || set.Since == known {
		return by, known, err
	}
	by, err = proof.SetCosigners(b.genesis.ChainID, set)
	return by, set.Since, err
}

// Committed is closed when the next block is committed.
func (b *backend) Committed() <-chan struct{} { return b.app.Committed() }

// ConsistencyProof is the store's.
func (b *backend) ConsistencyProof(from, to uint64) ([]protocol.Hash, error) {
	return b.store.ConsistencyProof(from, to)
}

// Checkpoint is the newest signed one.
func (b *backend) Checkpoint() ([]byte, error) {
	c, err := b.keeper.Newest()
	if err != nil {
		return nil, err
	}
	return c.Marshal(), nil
}

// inTile refuses what lies beyond the log. A tile of a level has the hashes of
// whole subtrees only.
func (b *backend) inTile(level int, index uint64, width int) error {
	size := b.store.Head().LogSize
	if level > 7 || index >= 1<<55 || index*tileWidth+uint64(width) > size>>(8*level) {
		return protocol.Refuse(protocol.CodeNotFound, "tile %d of level %d has not %d hashes in a log of %d entries", index, level, width, size)
	}
	return nil
}

// Tile is cut from the stored tile, whole or not.
func (b *backend) Tile(level int, index uint64, width int) ([]byte, error) {
	if err := b.inTile(level, index, width); err != nil {
		return nil, err
	}
	hashes, err := b.store.Tile(level, index, width)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 32*width)
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out, nil
}

// EntryBundle has each entry after its length.
func (b *backend) EntryBundle(index uint64, width int) ([]byte, error) {
	if err := b.inTile(0, index, width); err != nil {
		return nil, err
	}
	out := make([]byte, 0, width*(2+protocol.EntryBytes))
	for at, end := index*tileWidth, index*tileWidth+uint64(width); at < end; {
		entries, err := b.store.Entries(at, int(end-at))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			out = append(binary.BigEndian.AppendUint16(out, uint16(len(e))), e...)
		}
		at += uint64(len(entries))
	}
	return out, nil
}

// Consistency proves that one size begins with another.
func (b *backend) Consistency(from, to uint64) (c rest.Consistency, err error) {
	c = rest.Consistency{From: from, To: to, Path: []protocol.Hash{}}
	if c.FromRoot, err = b.store.LogRoot(from); err == nil {
		c.ToRoot, err = b.store.LogRoot(to)
	}
	if err != nil {
		return c, asRefusal(err, "the log has %d entries", b.store.Head().LogSize)
	}
	if from == 0 || from == to {
		return c, nil
	}
	path, err := b.store.ConsistencyProof(from, to)
	c.Path = append(c.Path, path...)
	return c, err
}

// entryFact is an entry and what it commits to, or that it was erased.
func (b *backend) entryFact(index uint64) (fact proof.EntryProof, err error) {
	entry, err := b.entryAt(index)
	if err != nil {
		return fact, err
	}
	view, _, err := b.viewAt(0)
	if err != nil {
		return fact, err
	}
	payload, err := machine.ReadPayload(b.store, view, index)
	if err != nil {
		return fact, asRefusal(err, "entry %d has no payload", index)
	}
	return proof.EntryProof{Index: index, Entry: entry, Withheld: payload.Erased, Blind: payload.Blind, Payload: payload.Bytes}, nil
}

// HeldReceipt proves an entry up to a full subtree. The path in the log that
// ends with the subtree begins inside it.
func (b *backend) HeldReceipt(index uint64, level uint8) (*proof.HeldReceipt, error) {
	size := b.store.Head().LogSize
	end := (index>>level + 1) << level
	if end > size {
		return nil, protocol.Refuse(protocol.CodeNotFound, "the subtree of entry %d at level %d is full at %d entries, the log has %d", index, level, end, size)
	}
	fact, err := b.entryFact(index)
	if err != nil {
		return nil, err
	}
	path, err := b.store.InclusionProof(index, end)
	if err != nil {
		return nil, asRefusal(err, "entry %d is not kept", index)
	}
	fact.Path = path[:level]
	return &proof.HeldReceipt{Level: level, Entry: fact}, nil
}

// ExportReceipt proves an entry by a cosigned checkpoint.
func (b *backend) ExportReceipt(ctx context.Context, index uint64, format string) ([]byte, error) {
	fact, err := b.entryFact(index)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, receiptWithin)
	defer cancel()
	c, err := b.keeper.Covering(ctx, index)
	if err != nil {
		return nil, err
	}
	fact.LogSize = c.Size
	if fact.Path, err = b.store.InclusionProof(index, c.Size); err != nil {
		return nil, asRefusal(err, "entry %d is not kept", index)
	}
	if format == "cose" {
		if c.Size == 1 {
			return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "a COSE receipt cannot express a log of one entry; ask again when there are two")
		}
		r := proof.CoseReceipt{Origin: c.Origin, Entry: fact, Signatures: c.By.TrimCose(c.Cose)}
		if _, err := r.Verify(c.By); err != nil {
			return nil, fmt.Errorf("receipt of entry %d: data at rest: %w", index, err)
		}
		return r.MarshalCose()
	}
	r := proof.LogReceipt{Entry: fact, Checkpoint: *c.By.Trim(&c.SignedCheckpoint)}
	if _, err := r.Verify(c.By); err != nil {
		return nil, fmt.Errorf("receipt of entry %d: data at rest: %w", index, err)
	}
	return r.MarshalTlogProof()
}
