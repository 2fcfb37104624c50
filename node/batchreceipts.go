package node

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// maxBatchPayload bounds the payloads of one batch receipt: what does not fit
// is left to the next one.
const maxBatchPayload = 4 << 20

// BatchReceipt proves consecutive entries from an index on, as many as there
// are and fit.
func (b *backend) BatchReceipt(ctx context.Context, first uint64, count int, withhold bool) (*proof.BatchReceipt, error) {
	size := b.store.Head().LogSize
	if first >= size {
		return nil, protocol.Refuse(protocol.CodeNotFound, "the log has no entry %d; its size is %d", first, size)
	}
	indices := make([]uint64, min(uint64(count), size-first))
	for i := range indices {
		indices[i] = first + uint64(i)
	}
	return b.proveMany(ctx, indices, withhold)
}

// ReceiptOf proves chosen entries, ascending by index, as many as fit.
func (b *backend) ReceiptOf(ctx context.Context, indices []uint64) (*proof.BatchReceipt, error) {
	return b.proveMany(ctx, indices, false)
}

// StreamReceipt proves the entries that hold a stream's sequences from one on,
// as many as there are and fit.
func (b *backend) StreamReceipt(ctx context.Context, producer protocol.Address, name string, from uint64, count int, withhold bool) (*proof.BatchReceipt, error) {
	entries, err := b.StreamEntries(producer, name, from, count)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, protocol.Refuse(protocol.CodeNotFound, "stream %s of %s does not hold sequence %d yet", name, producer, from)
	}
	indices := make([]uint64, len(entries))
	for i := range entries {
		indices[i] = entries[i].Index
	}
	return b.proveMany(ctx, indices, withhold)
}

// proveMany proves entries of ascending indices. Gaps are opened also where
// payloads are withheld: they say how many sequences they stand for.
func (b *backend) proveMany(ctx context.Context, indices []uint64, withhold bool) (*proof.BatchReceipt, error) {
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	r := &proof.BatchReceipt{ChainID: b.genesis.ChainID}
	var payloads []machine.Payload // of the bundle that begins at first
	var first uint64
	total, entries := 0, entryReader{backend: b}
	for i, index := range indices {
		entry, err := entries.at(index)
		if err != nil {
			return nil, err
		}
		if index < first || index-first >= uint64(len(payloads)) {
			if first, payloads, err = machine.ReadBundle(b.store, view, index); err != nil {
				return nil, asRefusal(err, "entry %d has no payload", index)
			}
		}
		e := proof.BatchEntry{Index: index, Entry: entry}
		p := payloads[index-first]
		if e.Withheld = p.Erased || withhold && entry.Kind != protocol.EntryGap; !e.Withheld {
			e.Blind, e.Payload = p.Blind, p.Bytes
			if total += len(p.Bytes); total > maxBatchPayload && i > 0 {
				break
			}
		}
		r.Entries = append(r.Entries, e)
	}
	indices = indices[:len(r.Entries)]
	p, err := b.waitProven(ctx, r.Entries[len(r.Entries)-1].Entry.Height)
	if err != nil {
		return nil, err
	}
	r.LogSize, r.Params, r.State, r.Header, r.Commit = p.head.LogSize, p.leaves[1], p.leaves[2], p.header, p.commit
	if r.Beside, err = b.store.MultiProof(indices, r.LogSize); err != nil {
		return nil, asRefusal(err, "entry %d is not kept", indices[0])
	}
	leaves := make([]proof.Leaf, len(indices))
	for i := range r.Entries {
		leaves[i] = proof.Leaf{Index: indices[i], Hash: protocol.LeafHash(r.Entries[i].Entry.AppendBinary(nil))}
	}
	if root, err := proof.MultiRoot(leaves, r.LogSize, r.Beside); err != nil || root != p.head.LogRoot {
		return nil, fmt.Errorf("receipt of entries %d to %d: data at rest: root %s, %v", indices[0], indices[len(indices)-1], root, err)
	}
	return r, nil
}
