package proof

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// numbered are n different leaf hashes.
func numbered(n int) []protocol.Hash {
	leaves := make([]protocol.Hash, n)
	for i := range leaves {
		leaves[i] = LeafHash(binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	return leaves
}

// consistencyPath is RFC 6962, section 2.1.2, as it stands there: slow and plain.
func consistencyPath(m int, leaves []protocol.Hash, whole bool) []protocol.Hash {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return []protocol.Hash{TreeRoot(leaves)}
	}
	k := splitPoint(n)
	if m <= k {
		return append(consistencyPath(m, leaves[:k], whole), TreeRoot(leaves[k:]))
	}
	return append(consistencyPath(m-k, leaves[k:], false), TreeRoot(leaves[:k]))
}

// spoil answers every way of path with one hash changed, dropped or added.
func spoil(path []protocol.Hash) (out [][]protocol.Hash) {
	out = append(out, append(slices.Clone(path), LeafHash(nil)))
	for i := range path {
		changed := slices.Clone(path)
		changed[i][7] ^= 0x10
		out = append(out, changed, slices.Delete(slices.Clone(path), i, i+1))
		if i > 0 {
			swapped := slices.Clone(path)
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
			out = append(out, swapped)
		}
	}
	return out
}

func TestInclusionOfEveryLeafOfEverySize(t *testing.T) {
	leaves := numbered(70)
	for size := 1; size <= len(leaves); size++ {
		root := TreeRoot(leaves[:size])
		for index := range size {
			path := TreePath(leaves[:size], index)
			if err := VerifyInclusion(leaves[index], uint64(index), uint64(size), path, root); err != nil {
				t.Fatalf("%d of %d: %v", index, size, err)
			}
			for other := range size + 2 {
				if other == index {
					continue
				}
				err := VerifyInclusion(leaves[index], uint64(other), uint64(size), path, root)
				if !errors.Is(err, ErrInclusion) {
					t.Fatalf("%d of %d passes as index %d: %v", index, size, other, err)
				}
			}
			for _, bad := range spoil(path) {
				if err := VerifyInclusion(leaves[index], uint64(index), uint64(size), bad, root); !errors.Is(err, ErrInclusion) {
					t.Fatalf("%d of %d: a spoiled path passes", index, size)
				}
			}
		}
	}
}

func TestInclusionAtTheEdgeOfNumbers(t *testing.T) {
	if _, err := InclusionRoot(EmptyRoot, 0, 0, nil); !errors.Is(err, ErrInclusion) {
		t.Errorf("empty tree: %v", err)
	}
	last := ^uint64(0)
	if n := PathLength(last-1, last); n > MaxPath || n < 1 {
		t.Errorf("last leaf of the largest tree: %d hashes", n)
	}
	if n := PathLength(0, last); n != MaxPath {
		t.Errorf("first leaf of the largest tree: %d hashes", n)
	}
	if n := PathLength(123_456_789, 1_000_000_000); n != 30 {
		t.Errorf("path in a log of 1e9: %d hashes, want 30", n)
	}
}

func TestConsistencyOfEveryPairOfSizes(t *testing.T) {
	leaves := numbered(40)
	roots := make([]protocol.Hash, len(leaves)+1)
	for n := range roots {
		roots[n] = TreeRoot(leaves[:n])
	}
	for n := range roots {
		for m := range n + 1 {
			var path []protocol.Hash
			if m > 0 {
				path = consistencyPath(m, leaves[:n], true)
			}
			if err := VerifyConsistency(uint64(m), uint64(n), roots[m], roots[n], path); err != nil {
				t.Fatalf("%d to %d: %v", m, n, err)
			}
			for _, bad := range spoil(path) {
				if err := VerifyConsistency(uint64(m), uint64(n), roots[m], roots[n], bad); !errors.Is(err, ErrConsistency) {
					t.Fatalf("%d to %d: a spoiled path passes", m, n)
				}
			}
			wrong := LeafHash([]byte("wrong"))
			if VerifyConsistency(uint64(m), uint64(n), wrong, roots[n], path) == nil {
				t.Fatalf("%d to %d: a wrong old root passes", m, n)
			}
			if m > 0 && VerifyConsistency(uint64(m), uint64(n), roots[m], wrong, path) == nil {
				t.Fatalf("%d to %d: a wrong new root passes", m, n)
			}
			if m < n && VerifyConsistency(uint64(n), uint64(m), roots[n], roots[m], path) == nil {
				t.Fatalf("%d to %d backwards passes", n, m)
			}
		}
	}
}

func TestAppHashIsTheRootOfItsMap(t *testing.T) {
	logRoot, stateRoot, params := LeafHash([]byte("log")), LeafHash([]byte("state")), []byte("params")
	entries := AppEntries(7, logRoot, params, stateRoot)
	root := AppHash(7, logRoot, params, stateRoot)
	leaves := MapLeaves(entries...)
	for i, e := range entries {
		path := TreePath(leaves, i)
		if err := VerifyMap(e, uint64(i), 3, path, root); err != nil {
			t.Errorf("%s: %v", e.Key, err)
		}
		for _, wrong := range []MapEntry{{e.Key, append(slices.Clone(e.Value), 0)}, {e.Key + "x", e.Value}} {
			if err := VerifyMap(wrong, uint64(i), 3, path, root); !errors.Is(err, ErrMap) {
				t.Errorf("%s: a wrong entry passes: %v", e.Key, err)
			}
		}
	}
	slices.Reverse(entries)
	if SimpleMapRoot(entries...) != root {
		t.Error("the root depends on the order entries are given in")
	}
	if AppHash(8, logRoot, params, stateRoot) == root {
		t.Error("the size is not in the app hash")
	}
	defer func() {
		if recover() == nil {
			t.Error("a repeated key makes a map")
		}
	}()
	SimpleMapRoot(MapEntry{"a", nil}, MapEntry{"a", nil})
}
