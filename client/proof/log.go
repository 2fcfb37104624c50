package proof

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxPath bounds a Merkle path: a tree of 2^64 leaves is 64 levels high.
const MaxPath = 64

// EmptyRoot is the root of a tree without leaves: SHA-256 of nothing.
var EmptyRoot = protocol.Hash(sha256.Sum256(nil))

// LeafHash is the RFC 6962 leaf hash: SHA-256(0x00 || data).
func LeafHash(data []byte) protocol.Hash {
	var buf [192]byte
	return sha256.Sum256(append(buf[:1], data...))
}

// NodeHash is the RFC 6962 inner hash: SHA-256(0x01 || left || right).
func NodeHash(left, right protocol.Hash) protocol.Hash {
	var buf [65]byte
	buf[0] = 1
	copy(buf[1:33], left[:])
	copy(buf[33:], right[:])
	return sha256.Sum256(buf[:])
}

// TreeRoot is the RFC 6962 root over leaf hashes, for small trees: a map's,
// or a block header's.
func TreeRoot(leaves []protocol.Hash) protocol.Hash {
	switch len(leaves) {
	case 0:
		return EmptyRoot
	case 1:
		return leaves[0]
	}
	k := splitPoint(len(leaves))
	return NodeHash(TreeRoot(leaves[:k]), TreeRoot(leaves[k:]))
}

// TreePath is the inclusion path of one leaf of a small tree, nearest sibling
// first. It panics when index is not below the number of leaves.
func TreePath(leaves []protocol.Hash, index int) []protocol.Hash {
	if index < 0 || index >= len(leaves) {
		panic(fmt.Sprintf("proof: index %d of %d leaves", index, len(leaves)))
	}
	if len(leaves) == 1 {
		return nil
	}
	k := splitPoint(len(leaves))
	if index < k {
		return append(TreePath(leaves[:k], index), TreeRoot(leaves[k:]))
	}
	return append(TreePath(leaves[k:], index-k), TreeRoot(leaves[:k]))
}

// splitPoint is the largest power of two below n; n is at least 2.
func splitPoint(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// PathLength is the number of hashes that lead from a leaf to the root of a
// tree of that size; index must be below size.
func PathLength(index, size uint64) int {
	inner := bits.Len64(index ^ (size - 1))
	return inner + bits.OnesCount64(index>>inner)
}

// InclusionRoot is the root of the tree of size leaves that path (nearest
// sibling first) leads to from the leaf at index. For one size and one length
// of path each index takes different turns, so a root fixes the index.
//
// Below the level where the paths to this leaf and to the last leaf part, a
// bit of the index says which side the sibling is on. Above it this leaf lies
// on the right border: there siblings are on the left, one for each set bit.
func InclusionRoot(leaf protocol.Hash, index, size uint64, path []protocol.Hash) (protocol.Hash, error) {
	if index >= size {
		return protocol.Hash{}, fmt.Errorf("%w: index %d is not below the size %d", ErrInclusion, index, size)
	}
	if want := PathLength(index, size); len(path) != want {
		return protocol.Hash{}, fmt.Errorf("%w: the path has %d hashes, index %d of %d needs %d",
			ErrInclusion, len(path), index, size, want)
	}
	inner := bits.Len64(index ^ (size - 1))
	at := leaf
	for level, sibling := range path[:inner] {
		if index>>level&1 == 0 {
			at = NodeHash(at, sibling)
		} else {
			at = NodeHash(sibling, at)
		}
	}
	for _, sibling := range path[inner:] {
		at = NodeHash(sibling, at)
	}
	return at, nil
}

// VerifyInclusion checks that the tree of that size and root has the leaf at index.
func VerifyInclusion(leaf protocol.Hash, index, size uint64, path []protocol.Hash, root protocol.Hash) error {
	got, err := InclusionRoot(leaf, index, size, path)
	if err != nil {
		return err
	}
	if got != root {
		return fmt.Errorf("%w: the path of index %d leads to root %s, not to %s", ErrInclusion, index, got, root)
	}
	return nil
}

// VerifyConsistency checks that the tree of newSize leaves and newRoot begins
// with exactly the oldSize leaves of oldRoot (RFC 9162, section 2.1.4.2). An
// empty old tree is a prefix of every tree and has an empty path.
func VerifyConsistency(oldSize, newSize uint64, oldRoot, newRoot protocol.Hash, path []protocol.Hash) error {
	switch {
	case oldSize > newSize:
		return fmt.Errorf("%w: the old size %d is over the new size %d", ErrConsistency, oldSize, newSize)
	case oldSize == 0 && oldRoot != EmptyRoot:
		return fmt.Errorf("%w: an empty log has the root %s, not %s", ErrConsistency, EmptyRoot, oldRoot)
	case oldSize == newSize && oldRoot != newRoot:
		return fmt.Errorf("%w: two roots, %s and %s, for one size %d", ErrConsistency, oldRoot, newRoot, oldSize)
	case oldSize == 0 || oldSize == newSize:
		if len(path) != 0 {
			return fmt.Errorf("%w: the path must be empty, has %d hashes", ErrConsistency, len(path))
		}
		return nil
	}
	// The largest complete subtree that ends the old tree is where both climbs
	// start; it is the whole old tree when the size is a power of two.
	level := bits.TrailingZeros64(oldSize)
	index, last := (oldSize-1)>>level, (newSize-1)>>level
	start := oldRoot
	if oldSize&(oldSize-1) != 0 {
		if len(path) == 0 {
			return fmt.Errorf("%w: the path is empty", ErrConsistency)
		}
		start, path = path[0], path[1:]
	}
	if want := PathLength(index, last+1); len(path) != want {
		return fmt.Errorf("%w: the path has %d hashes beside its start, sizes %d and %d need %d",
			ErrConsistency, len(path), oldSize, newSize, want)
	}
	inner := bits.Len64(index ^ last)
	oldAt, newAt := start, start
	for level, sibling := range path[:inner] {
		if index>>level&1 == 1 {
			oldAt = NodeHash(sibling, oldAt)
			newAt = NodeHash(sibling, newAt)
		} else {
			newAt = NodeHash(newAt, sibling)
		}
	}
	for _, sibling := range path[inner:] {
		oldAt = NodeHash(sibling, oldAt)
		newAt = NodeHash(sibling, newAt)
	}
	if oldAt != oldRoot {
		return fmt.Errorf("%w: the path leads to the old root %s, not to %s", ErrConsistency, oldAt, oldRoot)
	}
	if newAt != newRoot {
		return fmt.Errorf("%w: the path leads to the new root %s, not to %s", ErrConsistency, newAt, newRoot)
	}
	return nil
}
