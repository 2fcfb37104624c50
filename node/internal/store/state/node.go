package state

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// A stored node holds digitBits binary levels. With two instead of four, a
// change writes fewer bytes and more records, and a million keys took 250 ms a block instead of 150.
const (
	digitBits = 4
	fanout    = 1 << digitBits
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

// wide is sixteen subtrees, empty ones included: four binary levels of the tree.
type wide [fanout]kid

// node is a wide without its empty kids. It is never changed once its block is
// applied, but for the node fields of its kids, which remember what was read.
//
// A change to a node is written as what differs from its last whole record,
// until maxDelta kids do: most changes touch one kid of sixteen.
type node struct {
	present uint16 // bit i: kid i is there
	kids    []kid  // those that are, in order

	base    uint64 // height of the node's last whole record
	changed uint16 // bit i: kid i differs from that record

	quarters *quarters // of a node of many kids, once they were worked out
}

// quarters are the hashes two binary levels below a node: what a change to one
// kid of sixteen does not touch need not be hashed again.
type quarters [4]protocol.Hash

// manyKids is from where on remembering quarters is worth their memory.
const manyKids = 6

// maxDelta bounds the kids of a record that is not whole.
const maxDelta = 5

// wide spreads a node's kids out.
func (n *node) wide() (w wide) {
	for i, at := 0, 0; at < len(n.kids); i++ {
		if n.present&(1<<i) != 0 {
			w[i] = n.kids[at]
			at++
		}
	}
	return w
}

// node drops the empty kids.
func (w *wide) node() *node {
	n := &node{kids: make([]kid, 0, w.count())}
	for i := range w {
		if !w[i].empty() {
			n.present |= 1 << i
			n.kids = append(n.kids, w[i])
		}
	}
	return n
}

// hash is the root of the kids in [start, start+width): an empty range is the
// placeholder, a range with one leaf is that leaf. Quarters that are known need
// not be worked out again.
func (n *wide) hash(start, width int, known *quarters) protocol.Hash {
	if known != nil && width == 4 {
		return known[start/4]
	}
	only, count, inner := 0, 0, false
	for i := start; i < start+width; i++ {
		if !n[i].empty() {
			only = i
			count++
			inner = inner || n[i].inner
		}
	}
	switch {
	case count == 0:
		return proof.StatePlaceholder
	case count == 1 && (!inner || width == 1):
		return n[only].hash
	}
	half := width / 2
	return proof.StateNodeHash(n.hash(start, half, known), n.hash(start+half, half, known))
}

// quarters works the quarters out. Where before is there, only those of changed
// kids differ from it.
func (n *wide) quarters(before *quarters, changed uint16) *quarters {
	q := new(quarters)
	for i := range q {
		if before != nil && changed>>(4*i)&0xf == 0 {
			q[i] = before[i]
		} else {
			q[i] = n.hash(4*i, 4, nil)
		}
	}
	return q
}

// count is the kids that are there.
func (n *wide) count() (count int) {
	for i := range n {
		if !n[i].empty() {
			count++
		}
	}
	return count
}

// maxRecord bounds a node's record: kind, base, changed and bitmaps, then each
// kid's height and hashes.
const maxRecord = 1 + binary.MaxVarintLen64 + 2 + 4 + fanout*(binary.MaxVarintLen64+64)

// Kinds of node records.
const (
	recordWhole = 0
	recordDelta = 1
)

// encode appends a node's record: whole, or what differs from its base. Both are bitmaps
// of the kids that are there and of the leaves among them, then each kid: its
// height and, for a leaf, both hashes, else the node's hash.
func (n *node) encode(out []byte, height uint64) []byte {
	mask := ^uint16(0)
	if n.base == height {
		out = append(out, recordWhole)
	} else {
		out = binary.AppendUvarint(append(out, recordDelta), n.base)
		out = binary.BigEndian.AppendUint16(out, n.changed)
		mask = n.changed
	}
	at := len(out)
	out = append(out, 0, 0, 0, 0)
	var leaves uint16
	for i, next := 0, 0; next < len(n.kids); i++ {
		if n.present&(1<<i) == 0 {
			continue
		}
		if k := &n.kids[next]; mask&(1<<i) != 0 {
			if k.leaf != nil {
				leaves |= 1 << i
			}
			out = k.appendTo(out)
		}
		next++
	}
	binary.BigEndian.PutUint16(out[at:], n.present&mask)
	binary.BigEndian.PutUint16(out[at+2:], leaves)
	return out
}

func (k *kid) appendTo(out []byte) []byte {
	out = binary.AppendUvarint(out, k.height)
	if k.leaf != nil {
		return append(append(out, k.leaf.KeyHash[:]...), k.leaf.ValueHash[:]...)
	}
	return append(out, k.hash[:]...)
}

// uvarint is binary.Uvarint without over-long forms: those answer size 0.
func uvarint(b []byte) (x uint64, size int) {
	x, size = binary.Uvarint(b)
	if size > 1 && b[size-1] == 0 {
		return 0, 0
	}
	return x, size
}

func (k *kid) read(b []byte, leaf bool) (rest []byte, ok bool) {
	height, n := uvarint(b)
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

// decodeNode reads a record written at a height. For one that is not whole,
// whole answers the record it builds on.
func decodeNode(b []byte, height uint64, whole func(base uint64) (*node, error)) (*node, error) {
	if len(b) == 0 || b[0] > recordDelta {
		return nil, corrupt("node record of %d bytes", len(b))
	}
	kind, b := b[0], b[1:]
	if kind == recordWhole {
		w, err := decodeKids(b, ^uint16(0))
		if err != nil {
			return nil, err
		}
		n := w.node()
		n.base = height
		return n, nil
	}
	base, size := uvarint(b)
	if size <= 0 || len(b) < size+2 || base >= height {
		return nil, corrupt("node record with base %d at height %d", base, height)
	}
	changed := binary.BigEndian.Uint16(b[size:])
	delta, err := decodeKids(b[size+2:], changed)
	if err != nil {
		return nil, err
	}
	under, err := whole(base)
	if err != nil {
		return nil, err
	}
	w := under.wide()
	for i := range w {
		if changed&(1<<i) != 0 {
			w[i] = delta[i]
		}
	}
	n := w.node()
	n.base, n.changed = base, changed
	return n, nil
}

// decodeKids reads bitmaps and kids; only those of mask may be there.
func decodeKids(b []byte, mask uint16) (w wide, err error) {
	if len(b) < 4 {
		return w, corrupt("node of %d bytes", len(b))
	}
	present, leaves := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if leaves&^present != 0 || present&^mask != 0 {
		return w, corrupt("node bitmaps %016b and %016b", present, leaves)
	}
	b = b[4:]
	for i := range w {
		if present&(1<<i) == 0 {
			continue
		}
		var ok bool
		if b, ok = w[i].read(b, leaves&(1<<i) != 0); !ok {
			return w, corrupt("node ends early")
		}
	}
	if len(b) != 0 {
		return w, corrupt("node has %d bytes left over", len(b))
	}
	return w, nil
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

// digit is the i-th group of digitBits of a key's hash.
func digit(h *protocol.Hash, i int) int {
	at := i * digitBits
	return int(h[at/8]>>(8-digitBits-at%8)) & (fanout - 1)
}
