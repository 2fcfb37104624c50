package state

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// change is one key's change in a block.
type change struct {
	key, value []byte // value nil: delete
	keyHash    protocol.Hash
	leaf       *proof.StateLeaf // of a set

	// Filled by the update:
	effective bool   // the tree differs for it
	had       bool   // a value was there
	since     uint64 // height of that value
	keep      *kid   // not a change: a leaf that moves to another place
}

// written is the record of a node an update made.
type written struct{ key, record []byte }

// updater applies a block's changes to one subtree. Each goroutine has its own.
type updater struct {
	tree   *Tree
	height uint64
	path   []byte
	made   []written
	stale  [][]byte // keys of replaced nodes
	space  arena    // of the records made and the keys
}

// arena gives out byte slices that live as long as a block is written.
type arena struct{ chunk []byte }

// Chunks grow with what is needed: a block that changes little takes little.
const (
	arenaFirst = 4 << 10
	arenaChunk = 256 << 10
)

// room answers an empty slice to append at most n bytes to.
func (a *arena) room(n int) []byte {
	if cap(a.chunk)-len(a.chunk) < n {
		a.chunk = make([]byte, 0, max(n, arenaFirst, min(2*cap(a.chunk), arenaChunk)))
	}
	return a.chunk[len(a.chunk):]
}

// keep makes what was appended to the last room lasting.
func (a *arena) keep(b []byte) []byte {
	a.chunk = a.chunk[:len(a.chunk)+len(b)]
	return b[:len(b):len(b)]
}

// newChanges hashes and sorts what a block changed.
func newChanges(changed map[string][]byte) []*change {
	changes := make([]*change, 0, len(changed))
	for key, value := range changed { // sorted below
		changes = append(changes, &change{key: []byte(key), value: value})
	}
	inParallel(len(changes), func(i int) {
		c := changes[i]
		c.keyHash = sha256.Sum256(c.key)
		if c.value != nil {
			leaf := proof.StateLeaf{KeyHash: c.keyHash, ValueHash: sha256.Sum256(c.value)}
			c.leaf = &leaf
		}
	})
	slices.SortFunc(changes, func(a, b *change) int { return bytes.Compare(a.keyHash[:], b.keyHash[:]) })
	return changes
}

// inParallel calls f for 0..n-1, in any order; f writes its result by index.
func inParallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n/64+1)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	group.Wait()
}

// parallelFrom is the number of changes below which one goroutine is faster.
const parallelFrom = 256

// update answers the tree after the changes. Results do not depend on how many
// goroutines work: each owns whole subtrees below the root.
func (t *Tree) update(root kid, height uint64, changes []*change) (kid, []updater, error) {
	if !root.inner || len(changes) < parallelFrom {
		u := updater{tree: t, height: height}
		out, err := u.subtree(root, 0, changes)
		return out, []updater{u}, err
	}
	u := updater{tree: t, height: height}
	top, err := u.load(&root)
	if err != nil {
		return kid{}, nil, err
	}
	updaters, errs, old, next := make([]updater, fanout), make([]error, fanout), top.wide(), wide{}
	inParallelGroups(func(i int) {
		part := group(changes, 0, i)
		updaters[i] = updater{
			tree: t, height: height, path: append(make([]byte, 0, 16), byte(i)),
			made: make([]written, 0, 2*len(part)), stale: make([][]byte, 0, 2*len(part)),
		}
		next[i], errs[i] = updaters[i].subtree(old[i], 1, part)
	})
	for _, err := range errs {
		if err != nil {
			return kid{}, nil, err
		}
	}
	out := u.close(root, top, &old, &next)
	return out, append(updaters, u), nil
}

// inParallelGroups calls f for each of the sixteen subtrees of the root.
func inParallelGroups(f func(i int)) {
	work := make(chan int, fanout)
	for i := range fanout {
		work <- i
	}
	close(work)
	var group sync.WaitGroup
	for range min(fanout, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := range work {
				f(i)
			}
		})
	}
	group.Wait()
}

// group cuts out the changes whose nibble at depth is i; changes are sorted
// and share the nibbles before.
func group(changes []*change, depth, i int) []*change {
	from, _ := slices.BinarySearchFunc(changes, i, func(c *change, i int) int { return digit(&c.keyHash, depth) - i })
	to, _ := slices.BinarySearchFunc(changes, i+1, func(c *change, i int) int { return digit(&c.keyHash, depth) - i })
	return changes[from:to]
}

// subtree applies changes to a subtree whose nodes begin at depth nibbles.
func (u *updater) subtree(k kid, depth int, changes []*change) (kid, error) {
	switch {
	case len(changes) == 0:
		return k, nil
	case k.inner:
		return u.inner(k, depth, changes)
	}
	if k.leaf != nil {
		changes = u.displace(k, changes)
	}
	return u.build(depth, changes)
}

// displace makes the leaf of a subtree one of the changes to it: replaced
// by the change of the same key, or kept beside the others.
func (u *updater) displace(k kid, changes []*change) []*change {
	at, same := slices.BinarySearchFunc(changes, k.leaf.KeyHash, func(c *change, h protocol.Hash) int { return bytes.Compare(c.keyHash[:], h[:]) })
	if same {
		c := changes[at]
		c.had, c.since = true, k.height
		if c.leaf == nil || c.leaf.ValueHash != k.leaf.ValueHash {
			return changes
		}
		// The same value again: the leaf stays as it was.
		unchanged := slices.Clone(changes)
		unchanged[at] = &change{keyHash: c.keyHash, keep: &k}
		return unchanged
	}
	return slices.Insert(slices.Clone(changes), at, &change{keyHash: k.leaf.KeyHash, keep: &k})
}

// build makes a subtree of changes alone.
func (u *updater) build(depth int, changes []*change) (kid, error) {
	live := changes[:0:0]
	for _, c := range changes {
		if c.keep == nil {
			c.effective = c.leaf != nil || c.had
		}
		if c.leaf != nil || c.keep != nil {
			live = append(live, c)
		}
	}
	switch {
	case len(live) == 0:
		return kid{}, nil
	case len(live) == 1 && live[0].keep != nil:
		return *live[0].keep, nil
	case len(live) == 1:
		return kid{leaf: live[0].leaf, hash: live[0].leaf.Hash(), height: u.height}, nil
	}
	var next wide
	for i := range next {
		part := group(live, depth, i)
		if len(part) == 0 {
			continue
		}
		u.path = append(u.path, byte(i))
		var err error
		next[i], err = u.build(depth+1, part)
		u.path = u.path[:len(u.path)-1]
		if err != nil {
			return kid{}, err
		}
	}
	n := next.node()
	n.base = u.height
	return u.seal(n, &next, nil, 0), nil
}

// inner applies changes to a node.
func (u *updater) inner(k kid, depth int, changes []*change) (kid, error) {
	loaded, err := u.load(&k)
	if err != nil {
		return kid{}, err
	}
	old := loaded.wide()
	next := old
	for rest := changes; len(rest) > 0; {
		i := digit(&rest[0].keyHash, depth)
		part := rest[:1]
		for len(part) < len(rest) && digit(&rest[len(part)].keyHash, depth) == i {
			part = rest[:len(part)+1]
		}
		rest = rest[len(part):]
		u.path = append(u.path, byte(i))
		next[i], err = u.subtree(old[i], depth+1, part)
		u.path = u.path[:len(u.path)-1]
		if err != nil {
			return kid{}, err
		}
	}
	return u.close(k, loaded, &old, &next), nil
}

// close turns the new kids of a node into its subtree: the same node if none
// changed, the leaf that is left, or a new node that replaces the old.
func (u *updater) close(k kid, before *node, old, next *wide) kid {
	var changed uint16
	for i := range next {
		a, b := &old[i], &next[i]
		if a.hash != b.hash || a.height != b.height || a.inner != b.inner {
			changed |= 1 << i
		}
	}
	if changed == 0 {
		return k
	}
	n := next.node()
	gone := len(n.kids) == 0 || len(n.kids) == 1 && !n.kids[0].inner
	if since := changed | before.changed; !gone && bits.OnesCount16(since) <= maxDelta && before.base != u.height {
		n.base, n.changed = before.base, since
		if k.height != before.base {
			u.replaced(k.height)
		}
		return u.seal(n, next, before, changed)
	}
	u.replaced(k.height)
	if k.height != before.base {
		u.replaced(before.base)
	}
	switch {
	case len(n.kids) == 0:
		return kid{}
	case gone:
		return n.kids[0]
	}
	n.base = u.height
	return u.seal(n, next, before, changed)
}

// replaced lists the record of the node at the current path as unneeded from
// this height on; one written at this height is overwritten.
func (u *updater) replaced(height uint64) {
	if height != u.height {
		u.stale = append(u.stale, u.space.keep(appendNodeKey(u.space.room(10+len(u.path)), height, u.path)))
	}
}

// seal hashes a new node and encodes its record. It may say which node it
// replaces, and in which kids they differ.
func (u *updater) seal(n *node, w *wide, before *node, changed uint16) kid {
	if len(n.kids) >= manyKids {
		var known *quarters
		if before != nil {
			known = before.quarters
		}
		n.quarters = w.quarters(known, changed)
	}
	key := u.space.keep(appendNodeKey(u.space.room(10+len(u.path)), u.height, u.path))
	u.made = append(u.made, written{key, u.space.keep(n.encode(u.space.room(maxRecord), u.height))})
	return kid{inner: true, height: u.height, node: n, hash: w.hash(0, fanout, n.quarters)}
}

// load answers the node of a kid, reading it once.
func (u *updater) load(k *kid) (*node, error) {
	if k.node != nil {
		return k.node, nil
	}
	n, err := readNode(u.tree.db, k, u.path)
	if err != nil {
		return nil, err
	}
	k.node = n
	return n, nil
}
