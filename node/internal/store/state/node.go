package state

import (
	"encoding/binary"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// kid is a subtree as its parent knows it: empty, one leaf, or a node.
type kid struct {
	hash   protocol.Hash
	height uint64           // that wrote the leaf's value, or the node
	leaf   *proof.StateLeaf // of a leaf
	inner  bool
	node   *node // of a node, once it was read; nil otherwise
}

func (k *kid) empty() bool { return !k.inner && k.leaf == nil }

// node is sixteen subtrees: four binary levels of the tree. A node is never
// changed once its block is applied, but for the node fields of its kids,
// which remember what was read.
type node struct{ kids [16]kid }

// hash is the root of the kids in [start, start+width): an empty range is the
// placeholder, a range with one leaf is that leaf.
func (n *node) hash(start, width int) protocol.Hash {
	only, count, inner := 0, 0, false
	for i := start; i < start+width; i++ {
		if !n.kids[i].empty() {
			only = i
			count++
			inner = inner || n.kids[i].inner
		}
	}
	switch {
	case count == 0:
		return proof.StatePlaceholder
	case count == 1 && (!inner || width == 1):
		return n.kids[only].hash
	}
	half := width / 2
	return proof.StateNodeHash(n.hash(start, half), n.hash(start+half, half))
}

// shape counts the kids; single is the one kid of a node that has one.
func (n *node) shape() (count int, single *kid) {
	for i := range n.kids {
		if !n.kids[i].empty() {
			count++
			single = &n.kids[i]
		}
	}
	return count, single
}

// encode is two bitmaps (present, leaf), then each kid: its height and, for a
// leaf, both hashes, else the node's hash.
func (n *node) encode() []byte {
	var present, leaves uint16
	for i := range n.kids {
		if !n.kids[i].empty() {
			present |= 1 << i
		}
		if n.kids[i].leaf != nil {
			leaves |= 1 << i
		}
	}
	out := make([]byte, 0, 4+bits.OnesCount16(present)*70)
	out = binary.BigEndian.AppendUint16(out, present)
	out = binary.BigEndian.AppendUint16(out, leaves)
	for i := range n.kids {
		if k := &n.kids[i]; !k.empty() {
			out = k.appendTo(out)
		}
	}
	return out
}

func (k *kid) appendTo(out []byte) []byte {
	out = binary.AppendUvarint(out, k.height)
	if k.leaf != nil {
		return append(append(out, k.leaf.KeyHash[:]...), k.leaf.ValueHash[:]...)
	}
	return append(out, k.hash[:]...)
}

func (k *kid) read(b []byte, leaf bool) (rest []byte, ok bool) {
	height, n := binary.Uvarint(b)
	size := 32
	if leaf {
		size = 64
	}
	if n <= 0 || len(b)-n < size {
		return nil, false
	}
	k.height, b = height, b[n:]
	if leaf {
		k.leaf = &proof.StateLeaf{KeyHash: protocol.Hash(b), ValueHash: protocol.Hash(b[32:])}
		k.hash = k.leaf.Hash()
	} else {
		k.inner, k.hash = true, protocol.Hash(b)
	}
	return b[size:], true
}

func decodeNode(b []byte) (*node, error) {
	if len(b) < 4 {
		return nil, corrupt("node of %d bytes", len(b))
	}
	present, leaves := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if leaves&^present != 0 {
		return nil, corrupt("node bitmaps %016b and %016b", present, leaves)
	}
	n, ok := &node{}, true
	b = b[4:]
	for i := range n.kids {
		if present&(1<<i) == 0 {
			continue
		}
		if b, ok = n.kids[i].read(b, leaves&(1<<i) != 0); !ok {
			return nil, corrupt("node ends early")
		}
	}
	if len(b) != 0 {
		return nil, corrupt("node has %d bytes left over", len(b))
	}
	return n, nil
}

// encodeRoot writes the tree's top: 0 empty, 1 a leaf, 2 a node.
func encodeRoot(k *kid) []byte {
	switch {
	case k.leaf != nil:
		return k.appendTo([]byte{1})
	case k.inner:
		return k.appendTo([]byte{2})
	}
	return []byte{0}
}

func decodeRoot(b []byte) (kid, error) {
	var k kid
	if len(b) == 1 && b[0] == 0 {
		return k, nil
	}
	if len(b) > 1 && (b[0] == 1 || b[0] == 2) {
		if rest, ok := k.read(b[1:], b[0] == 1); ok && len(rest) == 0 {
			return k, nil
		}
	}
	return k, corrupt("root record of %d bytes", len(b))
}

// rootHash is what commits to the whole state.
func (k *kid) rootHash() protocol.Hash {
	if k.empty() {
		return proof.StatePlaceholder
	}
	return k.hash
}

// nibble is the i-th group of four bits of a key's hash.
func nibble(h *protocol.Hash, i int) int {
	if i%2 == 0 {
		return int(h[i/2] >> 4)
	}
	return int(h[i/2] & 15)
}
