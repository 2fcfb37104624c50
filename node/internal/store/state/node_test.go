package state

import (
	"bytes"
	"testing"

	"github.com/cairn-ledger/cairn/client/proof"
)

// What decodes as a record of a node or a root encodes to the same bytes.
func FuzzRecords(f *testing.F) {
	leaf := proof.NewStateLeaf([]byte("key"), []byte("value"))
	var w wide
	w[3] = kid{leaf: &leaf, hash: leaf.Hash(), height: 7}
	w[9] = kid{inner: true, hash: leaf.KeyHash, height: 300}
	base := w.node()
	base.base = 300
	delta := w.node()
	delta.base, delta.changed = 300, 1<<3|1<<4
	f.Add(base.encode(nil, 300), uint64(300))
	f.Add(delta.encode(nil, 301), uint64(301))
	f.Add(encodeRoot(&w[3]), uint64(7))
	f.Add(encodeRoot(&w[9]), uint64(7))
	f.Add([]byte{2, 0x80, 0}, uint64(0))
	f.Add(append([]byte{2, 0x80, 0}, make([]byte, 32)...), uint64(0)) // an over-long height
	f.Fuzz(func(t *testing.T, b []byte, height uint64) {
		n, err := decodeNode(b, height, func(uint64) (*node, error) { return base, nil })
		if err == nil {
			if again := n.encode(nil, height); !bytes.Equal(again, b) {
				t.Errorf("node %x encodes to %x", b, again)
			}
		}
		root, err := decodeRoot(b)
		if err == nil {
			if again := encodeRoot(&root); !bytes.Equal(again, b) {
				t.Errorf("root %x encodes to %x", b, again)
			}
		}
	})
}
