package state

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Check derives the newest version's hashes again: every node from its
// children, every leaf from the key and value at rest. each gets every key, for
// progress. The first fault names the node or the key.
func (t *Tree) Check(each func(key, value []byte) error) error {
	height := t.Height()
	root, err := readRoot(t.db, height)
	if err != nil {
		return err
	}
	var tree, values digest
	if err := checkNodes(t.db, root, nil, &tree); err != nil {
		return err
	}
	it, err := newLiveScan(t.db, height, nil, nil, &gaps{})
	if err != nil {
		return err
	}
	for {
		kv, more, err := it.next()
		if err != nil || !more {
			if err != nil {
				it.close()
				return err
			}
			break
		}
		values.add(proof.NewStateLeaf(kv.Key, kv.Value).Hash())
		if err := each(kv.Key, kv.Value); err != nil {
			it.close()
			return err
		}
	}
	if err := it.close(); err != nil || tree == values {
		return err
	}
	return t.findWrong(height)
}

// digest sums hashes up: equal for equal sets of them, however they are met.
type digest struct {
	count uint64
	sum   [4]uint64
}

func (d *digest) add(h protocol.Hash) {
	d.count++
	var carry uint64
	for i := range d.sum {
		d.sum[i], carry = bits.Add64(d.sum[i], binary.LittleEndian.Uint64(h[8*i:]), carry)
	}
}

// checkNodes reads a subtree, which holds each node to its parent, and sums
// its leaves.
func checkNodes(db pebble.Reader, k kid, path []byte, leaves *digest) error {
	switch {
	case k.empty():
		return nil
	case !k.inner:
		leaves.add(k.leaf.Hash())
		return nil
	}
	n, err := readNode(db, &k, path)
	if err != nil {
		return err
	}
	w := n.wide()
	for i := range w {
		if err := checkNodes(db, w[i], append(path[:len(path):len(path)], byte(i)), leaves); err != nil {
			return err
		}
	}
	return nil
}

// findWrong names the first key whose value the tree does not have.
func (t *Tree) findWrong(height uint64) error {
	view, err := t.View(height)
	if err != nil {
		return err
	}
	var after []byte
	for {
		pairs, err := view.Scan(nil, after, 256)
		if err != nil || len(pairs) == 0 {
			if err == nil {
				err = corrupt("the tree of height %d has leaves that no key accounts for", height)
			}
			return err
		}
		for _, kv := range pairs {
			p, err := view.prove(kv.Key)
			if err == nil {
				err = p.Verify(view.Root())
			}
			if err != nil {
				return corrupt("key %x (SHA-256 %x) has a value that the tree of height %d does not have: %v", kv.Key, sha256.Sum256(kv.Key), height, err)
			}
			after = kv.Key
		}
	}
}
