package seal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// salt hides a member until it is shown: the hash of a guessable reading would
// give it away.
type salt [16]byte

// salt derives a member's from the event's key: who has no key knows no salt,
// and one salt tells nothing of another.
func (k EventKey) salt(name string) salt {
	return salt(mac(k.derive(tagSalt), []byte(name))[:16])
}

// leaf commits to one member: SHA-256(0x00 || tag || salt || text name || bytes value).
func (s salt) leaf(m *member) protocol.Hash {
	b := append(append([]byte{0}, tagField...), s[:]...)
	return sha256.Sum256(appendBytes(appendBytes(b, m.name), m.value))
}

// tree is the RFC 6962 tree over the members of an object. Leaves stand by
// their hash, so that a place tells nothing of a name.
type tree struct {
	leaves []fieldLeaf
}

type fieldLeaf struct {
	member
	salt salt
	hash protocol.Hash
}

func newTree(key EventKey, members []member) (*tree, error) {
	if len(members) == 0 || len(members) > MaxFields {
		return nil, fmt.Errorf("%w: an object of %d members, must have 1 to %d", ErrForm, len(members), MaxFields)
	}
	t := &tree{make([]fieldLeaf, len(members))}
	for i, m := range members {
		s := key.salt(m.name)
		t.leaves[i] = fieldLeaf{m, s, s.leaf(&m)}
	}
	slices.SortFunc(t.leaves, func(a, b fieldLeaf) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return t, nil
}

func (t *tree) root() protocol.Hash { return t.fold(0, len(t.leaves)) }

// fold is the root of the leaves from lo to hi.
func (t *tree) fold(lo, hi int) protocol.Hash {
	if hi-lo == 1 {
		return t.leaves[lo].hash
	}
	middle := lo + split(hi-lo)
	return proof.NodeHash(t.fold(lo, middle), t.fold(middle, hi))
}

// beside lists the roots of the subtrees without any of the leaves shown, from
// left to right.
func (t *tree) beside(shown []bool, lo, hi int) []protocol.Hash {
	if !slices.Contains(shown[lo:hi], true) {
		return []protocol.Hash{t.fold(lo, hi)}
	}
	if hi-lo == 1 {
		return nil
	}
	middle := lo + split(hi-lo)
	return append(t.beside(shown, lo, middle), t.beside(shown, middle, hi)...)
}

// split is the greatest power of two below n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}
