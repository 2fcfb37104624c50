package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// The state tree is a binary sparse Merkle tree over SHA-256(key) in which a
// subtree with one leaf is that leaf (Jellyfish Merkle tree), hashed as
// Penumbra's jmt hashes it, so that ICS23 can verify its proofs.
const (
	stateLeafTag  = "JMT::LeafNode"
	stateInnerTag = "JMT::IntrnalNode" // 16 bytes; the missing e is Penumbra's
)

// StatePlaceholder stands for an empty subtree, and is the root of an empty state.
var StatePlaceholder = protocol.Hash([]byte("SPARSE_MERKLE_PLACEHOLDER_HASH__"))

// Bounds of a state proof.
const (
	// MaxStateKey bounds a key, in bytes.
	MaxStateKey = 1024
	// MaxStateValue bounds a value, in bytes.
	MaxStateValue = protocol.MaxTxBytes
	// MaxStateDepth bounds the siblings: one for each bit of a key's hash.
	MaxStateDepth = 256
)

// StateLeaf is a leaf of the state tree: the hashes of its key and its value.
type StateLeaf struct {
	KeyHash   protocol.Hash
	ValueHash protocol.Hash
}

// NewStateLeaf hashes a key and a value.
func NewStateLeaf(key, value []byte) StateLeaf {
	return StateLeaf{KeyHash: sha256.Sum256(key), ValueHash: sha256.Sum256(value)}
}

// Hash is SHA-256("JMT::LeafNode" || key hash || value hash).
func (l StateLeaf) Hash() protocol.Hash {
	var buf [len(stateLeafTag) + 64]byte
	n := copy(buf[:], stateLeafTag)
	n += copy(buf[n:], l.KeyHash[:])
	copy(buf[n:], l.ValueHash[:])
	return sha256.Sum256(buf[:])
}

// StateNodeHash is SHA-256("JMT::IntrnalNode" || left || right).
func StateNodeHash(left, right protocol.Hash) protocol.Hash {
	var buf [len(stateInnerTag) + 64]byte
	n := copy(buf[:], stateInnerTag)
	n += copy(buf[n:], left[:])
	copy(buf[n:], right[:])
	return sha256.Sum256(buf[:])
}

// State proves that a key has a value in the state, or that it has none.
type State struct {
	// Key is what was asked for.
	Key []byte
	// Value is what it has; nil where the key is absent. An empty value that
	// is present is not nil.
	Value []byte
	// Leaf is the leaf the key's path ends at: its own where it is present, of
	// another key or nil (an empty subtree) where it is absent.
	Leaf *StateLeaf
	// Siblings lie along the path, the lowest first; StatePlaceholder where a
	// subtree is empty.
	Siblings []protocol.Hash
}

// Exists says whether the proof is one of existence.
func (s *State) Exists() bool { return s.Value != nil }

// Root is the state root the proof leads to, after checking that it proves
// what it says: the whole difference between two proofs is their root.
func (s *State) Root() (protocol.Hash, error) {
	if err := s.check(); err != nil {
		return protocol.Hash{}, err
	}
	keyHash := protocol.Hash(sha256.Sum256(s.Key))
	depth := len(s.Siblings)
	at := StatePlaceholder
	switch {
	case s.Exists():
		if own := NewStateLeaf(s.Key, s.Value); s.Leaf == nil || *s.Leaf != own {
			return protocol.Hash{}, fmt.Errorf("%w: the leaf is not that of the key and its value", ErrState)
		}
		at = s.Leaf.Hash()
	case s.Leaf != nil:
		if s.Leaf.KeyHash == keyHash {
			return protocol.Hash{}, fmt.Errorf("%w: the leaf of the key itself cannot show its absence", ErrState)
		}
		if n := commonBits(s.Leaf.KeyHash, keyHash); n < depth {
			return protocol.Hash{}, fmt.Errorf("%w: the leaf shares %d bits with the key, the path has %d",
				ErrState, n, depth)
		}
		at = s.Leaf.Hash()
	}
	for i, sibling := range s.Siblings {
		if bit(keyHash, depth-1-i) == 0 {
			at = StateNodeHash(at, sibling)
		} else {
			at = StateNodeHash(sibling, at)
		}
	}
	return at, nil
}

// Verify checks the proof against a state root.
func (s *State) Verify(root protocol.Hash) error {
	got, err := s.Root()
	if err != nil {
		return err
	}
	if got != root {
		return fmt.Errorf("%w: state root %s, not %s", ErrRoot, got, root)
	}
	return nil
}

// check bounds the parts. The lowest sibling is never empty: its parent would
// be a subtree of at most one leaf, and that is not an inner node.
func (s *State) check() error {
	switch {
	case len(s.Key) > MaxStateKey:
		return fmt.Errorf("%w: the key has %d bytes, over the limit %d", ErrForm, len(s.Key), MaxStateKey)
	case len(s.Value) > MaxStateValue:
		return fmt.Errorf("%w: the value has %d bytes, over the limit %d", ErrForm, len(s.Value), MaxStateValue)
	case len(s.Siblings) > MaxStateDepth:
		return fmt.Errorf("%w: %d siblings, over the limit %d", ErrForm, len(s.Siblings), MaxStateDepth)
	case len(s.Siblings) > 0 && s.Siblings[0] == StatePlaceholder:
		return fmt.Errorf("%w: the lowest sibling is empty", ErrState)
	}
	return nil
}

// Forms of an encoded state proof.
const (
	stateExists     = 1 // value follows; the leaf follows from key and value
	stateAbsent     = 2 // the path ends at an empty subtree
	stateAbsentLeaf = 3 // the path ends at another key's leaf, which follows
)

// AppendBinary appends the canonical encoding: key, form, value or leaf, the
// number of siblings, one bit for each sibling that is not empty (most
// significant first, padded with zeros), and those siblings.
func (s *State) AppendBinary(dst []byte) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	dst = appendBytes(dst, s.Key)
	switch {
	case s.Exists():
		if own := NewStateLeaf(s.Key, s.Value); s.Leaf == nil || *s.Leaf != own {
			return nil, fmt.Errorf("%w: the leaf is not that of the key and its value", ErrState)
		}
		dst = appendBytes(append(dst, stateExists), s.Value)
	case s.Leaf == nil:
		dst = append(dst, stateAbsent)
	default:
		dst = append(dst, stateAbsentLeaf)
		dst = append(dst, s.Leaf.KeyHash[:]...)
		dst = append(dst, s.Leaf.ValueHash[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Siblings)))
	start := len(dst)
	dst = append(dst, make([]byte, (len(s.Siblings)+7)/8)...)
	bitmap := dst[start:]
	for i := range s.Siblings {
		if s.Siblings[i] != StatePlaceholder {
			bitmap[i/8] |= 0x80 >> (i % 8)
		}
	}
	for i := range s.Siblings {
		if s.Siblings[i] != StatePlaceholder {
			dst = append(dst, s.Siblings[i][:]...)
		}
	}
	return dst, nil
}

// DecodeState reads an encoded state proof. The answer shares no memory with b.
func DecodeState(b []byte) (State, error) {
	c := cursor{buf: b}
	s := c.state()
	return s, c.end()
}

func (c *cursor) state() (s State) {
	s.Key = c.bytes(MaxStateKey, "state key")
	switch form := c.u8("state form"); form {
	case stateExists:
		s.Value = c.bytes(MaxStateValue, "state value")
		leaf := NewStateLeaf(s.Key, s.Value)
		s.Leaf = &leaf
	case stateAbsent:
	case stateAbsentLeaf:
		s.Leaf = &StateLeaf{KeyHash: c.hash("leaf key"), ValueHash: c.hash("leaf value")}
	default:
		c.fail("state form %d is not known", form)
	}
	n := c.uvarint(MaxStateDepth, "number of siblings")
	if n == 0 {
		return s
	}
	bitmap := c.take((n+7)/8, "bits of siblings")
	if c.err != nil {
		return s
	}
	if last := bitmap[len(bitmap)-1]; n%8 != 0 && last<<(n%8) != 0 {
		c.fail("bits of siblings are not padded with zeros")
		return s
	}
	s.Siblings = make([]protocol.Hash, n)
	for i := range s.Siblings {
		if bitmap[i/8]&(0x80>>(i%8)) == 0 {
			s.Siblings[i] = StatePlaceholder
			continue
		}
		if s.Siblings[i] = c.hash("sibling"); s.Siblings[i] == StatePlaceholder {
			c.fail("sibling %d is empty and written out", i)
		}
	}
	if c.err == nil {
		c.err = s.check()
	}
	return s
}

// bit is the i-th bit of a hash, the most significant being 0.
func bit(h protocol.Hash, i int) byte { return h[i/8] >> (7 - i%8) & 1 }

// commonBits counts the leading bits two hashes share.
func commonBits(a, b protocol.Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * len(a)
}
