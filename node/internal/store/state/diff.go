package state

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Change is a key whose values in two versions differ; nil stands for none.
type Change struct{ Key, Before, After []byte }

// Diff lists what differs from an earlier version to this one, in the order of
// the keys' hashes, above the hash after where that is not nil, at most limit
// changes, fewer where their values are large. Subtrees with equal hashes are passed over, so that the work is that
// of what differs. more says that there are others after the last.
func (v *View) Diff(earlier *View, after *protocol.Hash, limit int) (changes []Change, more bool, err error) {
	d := differ{from: earlier, to: v, after: after, limit: limit}
	err = d.subtrees(earlier.root, v.root, nil, after != nil)
	if errors.Is(err, errFull) {
		more, err = true, nil
	}
	if pruned := errors.Join(earlier.kept(), v.kept()); pruned != nil {
		err = ErrPruned // then what is missing is not damage
	}
	if err != nil {
		return nil, false, err
	}
	return d.changes, more, nil
}

// errFull ends a walk that has listed as many changes as it may.
var errFull = errors.New("state: the list of changes is full")

// differ walks two versions at once.
type differ struct {
	from, to *View
	after    *protocol.Hash
	limit    int
	bytes    int // of the values listed
	changes  []Change
}

// maxDiffBytes bounds the values of one list, but for the last change's.
const maxDiffBytes = 4 << 20

// subtrees lists the changes between two subtrees at one path. onEdge says
// that the path is the beginning of after.
func (d *differ) subtrees(a, b kid, path []byte, onEdge bool) error {
	if a.rootHash() == b.rootHash() {
		return nil
	}
	if !a.inner && !b.inner {
		return d.leaves(a, b)
	}
	before, err := d.spread(d.from, a, path)
	if err != nil {
		return err
	}
	now, err := d.spread(d.to, b, path)
	if err != nil {
		return err
	}
	first := 0
	if onEdge {
		first = digit(d.after, len(path))
	}
	for i := first; i < fanout; i++ {
		if err := d.subtrees(before[i], now[i], append(path, byte(i)), onEdge && i == first); err != nil {
			return err
		}
	}
	return nil
}

// spread is a subtree as the sixteen it consists of.
func (d *differ) spread(v *View, k kid, path []byte) (w wide, err error) {
	switch {
	case k.inner:
		n, err := readNode(v.db, &k, path)
		if err != nil {
			return w, err
		}
		return n.wide(), nil
	case k.leaf != nil:
		w[digit(&k.leaf.KeyHash, len(path))] = k
	}
	return w, nil
}

// leaves lists the changes between two places of at most one leaf each.
func (d *differ) leaves(a, b kid) error {
	switch {
	case a.leaf == nil:
		return d.change(b.leaf, b.height)
	case b.leaf == nil:
		return d.change(a.leaf, 0)
	case a.leaf.KeyHash == b.leaf.KeyHash:
		return d.change(b.leaf, b.height)
	case bytes.Compare(a.leaf.KeyHash[:], b.leaf.KeyHash[:]) < 0:
		return errors.Join(d.change(a.leaf, 0), d.change(b.leaf, b.height))
	}
	return errors.Join(d.change(b.leaf, b.height), d.change(a.leaf, 0))
}

// change lists the key of a leaf that a height set; 0: that was removed.
func (d *differ) change(leaf *proof.StateLeaf, height uint64) error {
	if d.after != nil && bytes.Compare(leaf.KeyHash[:], d.after[:]) <= 0 {
		return nil
	}
	if len(d.changes) == d.limit || d.bytes > maxDiffBytes {
		return errFull
	}
	var c Change
	var err error
	if height > 0 {
		c.Key, err = nameSet(d.to.db, leaf.KeyHash, height)
	} else {
		c.Key, err = nameGone(d.to.db, leaf.KeyHash)
	}
	if err != nil {
		return err
	}
	if sha256.Sum256(c.Key) != leaf.KeyHash {
		return corrupt("the key noted for leaf %s is %x", leaf.KeyHash, c.Key)
	}
	if c.Before, _, err = d.from.Get(c.Key); err == nil {
		c.After, _, err = d.to.Get(c.Key)
	}
	if err == nil && (c.Before != nil) == (c.After != nil) && bytes.Equal(c.Before, c.After) {
		err = corrupt("key %x: its leaves differ and its values do not", c.Key)
	}
	d.changes, d.bytes = append(d.changes, c), d.bytes+len(c.Before)+len(c.After)
	return err
}
