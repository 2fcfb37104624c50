package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"
	merkle "github.com/transparency-dev/merkle/proof"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Entry reads a committed entry.
func (l *Log) Entry(index uint64) ([]byte, error) {
	entries, err := l.Entries(index, 1)
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}

// Entries reads up to count committed entries from index on; fewer at the end
// of a stored chunk, at least one.
func (l *Log) Entries(index uint64, count int) (out [][]byte, err error) {
	if index >= l.Size() || count < 1 {
		return nil, fmt.Errorf("%w: index %d, size %d", ErrNotFound, index, l.Size())
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entriesKey(index - index%tileWidth), UpperBound: entriesKey(index + 1)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return nil, errors.Join(it.Error(), corrupt("entry %d is missing", index))
	}
	first := binary.BigEndian.Uint64(it.Key()[1:])
	chunk := it.Value()
	from := (index - first) * protocol.EntryBytes
	if len(chunk)%protocol.EntryBytes != 0 || from >= uint64(len(chunk)) {
		return nil, corrupt("chunk of entries at %d has %d bytes, entry %d is not in it", first, len(chunk), index)
	}
	chunk = append([]byte(nil), chunk[from:min(from+uint64(count)*protocol.EntryBytes, uint64(len(chunk)))]...)
	for ; len(chunk) > 0; chunk = chunk[protocol.EntryBytes:] {
		out = append(out, chunk[:protocol.EntryBytes:protocol.EntryBytes])
	}
	return out, nil
}

// Tile reads the first width hashes of a tile: level 0 holds leaf hashes, each
// level above the roots of full tiles below. A partial tile is the front of
// what is stored.
func (l *Log) Tile(level int, index uint64, width int) ([]protocol.Hash, error) {
	if level < 0 || level >= tileLevels || width < 1 || width > tileWidth {
		return nil, fmt.Errorf("%w: tile level %d, width %d", ErrNotFound, level, width)
	}
	stored, closer, err := l.db.Get(tileKey(level, index))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, corrupt("tile %d of level %d is missing", index, level)
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if len(stored)%32 != 0 || len(stored) < width*32 {
		return nil, corrupt("tile %d of level %d has %d bytes, needs %d", index, level, len(stored), width*32)
	}
	tile := make([]protocol.Hash, width)
	for i := range tile {
		tile[i] = protocol.Hash(stored[i*32:])
	}
	return tile, nil
}

// nodes reads what a proof consists of and folds what RFC 6962 wants folded.
func (l *Log) nodes(n merkle.Nodes) ([]protocol.Hash, error) {
	raw := make([][]byte, len(n.IDs))
	for i, id := range n.IDs {
		h, err := l.subtree(int(id.Level), id.Index)
		if err != nil {
			return nil, err
		}
		raw[i] = h[:]
	}
	folded, err := n.Rehash(raw, func(left, right []byte) []byte {
		h := proof.NodeHash(protocol.Hash(left), protocol.Hash(right))
		return h[:]
	})
	if err != nil {
		return nil, err
	}
	path := make([]protocol.Hash, len(folded))
	for i := range folded {
		path[i] = protocol.Hash(folded[i])
	}
	return path, nil
}

// InclusionProof proves that an entry is in the log of a size (RFC 6962 2.1.1).
func (l *Log) InclusionProof(index, size uint64) ([]protocol.Hash, error) {
	if index >= size || size > l.Size() {
		return nil, fmt.Errorf("%w: index %d in size %d of %d", ErrNotFound, index, size, l.Size())
	}
	n, err := merkle.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return l.nodes(n)
}

// ConsistencyProof proves that the log of one size begins with that of an
// earlier size (RFC 6962 2.1.2).
func (l *Log) ConsistencyProof(from, to uint64) ([]protocol.Hash, error) {
	if from > to || to > l.Size() {
		return nil, fmt.Errorf("%w: sizes %d and %d of %d", ErrNotFound, from, to, l.Size())
	}
	n, err := merkle.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	return l.nodes(n)
}

// Root is the root of the log as it was at a size.
func (l *Log) Root(size uint64) (protocol.Hash, error) {
	if size > l.Size() {
		return protocol.Hash{}, fmt.Errorf("%w: size %d of %d", ErrNotFound, size, l.Size())
	}
	e := edge{size: size}
	for level := range 64 {
		if size>>level&1 == 1 {
			var err error
			if e.subtrees[level], err = l.subtree(level, size>>level-1); err != nil {
				return protocol.Hash{}, err
			}
		}
	}
	return e.root(), nil
}

// Range is the root of the leaves lo to hi, where that is a node of the tree
// of some size: whole, or at the tree's right side.
func (l *Log) Range(lo, hi uint64) (protocol.Hash, error) {
	if lo >= hi || hi > l.Size() {
		return protocol.Hash{}, fmt.Errorf("%w: leaves %d to %d of %d", ErrNotFound, lo, hi, l.Size())
	}
	n := hi - lo
	if level := bits.TrailingZeros64(n); n == 1<<level && lo%n == 0 {
		return l.subtree(level, lo>>level)
	}
	middle := lo + 1<<(bits.Len64(n-1)-1)
	left, err := l.Range(lo, middle)
	if err != nil {
		return protocol.Hash{}, err
	}
	right, err := l.Range(middle, hi)
	return proof.NodeHash(left, right), err
}

// MultiProof is what proof.MultiRoot wants beside entries of these ascending
// indices in the log of a size.
func (l *Log) MultiProof(indices []uint64, size uint64) ([]protocol.Hash, error) {
	if len(indices) == 0 || indices[len(indices)-1] >= size || size > l.Size() {
		return nil, fmt.Errorf("%w: %d indices in size %d of %d", ErrNotFound, len(indices), size, l.Size())
	}
	ranges := proof.BesideRanges(indices, size)
	out := make([]protocol.Hash, len(ranges))
	for i, r := range ranges {
		var err error
		if out[i], err = l.Range(r[0], r[1]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
