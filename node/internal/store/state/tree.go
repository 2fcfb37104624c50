package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Options of a Tree.
type Options struct {
	// KeepVersions is how many of the newest versions stay readable; 0 keeps all.
	KeepVersions uint64
	// MaxNodes bounds the nodes of the newest version kept in memory, about
	// 1 KiB each; 0 means 200,000.
	MaxNodes int
}

// Tree is the newest version of the state, and the way to older ones. One
// goroutine applies blocks; views may be opened and used beside it.
type Tree struct {
	db      pebble.Reader
	options Options
	height  atomic.Uint64
	root    kid // owned by the goroutine that applies blocks
	nodes   int // in memory; owned by the same
	evict   int // next subtree to drop from memory
}

// Open reads the version of a height, the newest the database holds.
func Open(db pebble.Reader, height uint64, o Options) (*Tree, error) {
	if o.MaxNodes == 0 {
		o.MaxNodes = 200_000
	}
	root, err := readRoot(db, height)
	if err != nil {
		return nil, err
	}
	t := &Tree{db: db, options: o, root: root}
	t.height.Store(height)
	return t, nil
}

// Height is the newest version's.
func (t *Tree) Height() uint64 { return t.height.Load() }

// Root commits to the newest version. Only the goroutine that applies blocks may ask.
func (t *Tree) Root() protocol.Hash { return t.root.rootHash() }

// readRoot finds the newest root at or below a height; before the first one
// the state is empty.
func readRoot(db pebble.Reader, height uint64) (root kid, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{familyRoot}, UpperBound: rootKey(height + 1)})
	if err != nil {
		return root, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return root, it.Error()
	}
	return decodeRoot(it.Value())
}

func readNode(db pebble.Reader, k *kid, path []byte) (*node, error) {
	record, closer, err := db.Get(nodeKey(k.height, path))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, corrupt("node %x of height %d is missing", path, k.height)
	}
	if err != nil {
		return nil, err
	}
	n, err := decodeNode(record)
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, err
	}
	if n.hash(0, 16) != k.hash {
		return nil, corrupt("node %x of height %d does not have the hash its parent says", path, k.height)
	}
	return n, nil
}

func readOldest(db pebble.Reader) (uint64, error) {
	value, closer, err := db.Get([]byte{familyOldest})
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, corrupt("oldest height of %d bytes", len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// Pending is an applied block that was not adopted yet.
type Pending struct {
	height   uint64
	root     kid
	before   kid // the root it replaces
	changes  []*change
	updaters []updater
}

// Apply works out the version that an overlay's changes make. It writes
// nothing; the tree stays as it was until Adopt. A large state can be imported
// in parts that only add keys, each applied and adopted at the same height.
func (t *Tree) Apply(o *Overlay, height uint64) (*Pending, error) {
	if o.tree != t {
		return nil, errors.New("state: the overlay is of another tree")
	}
	p := &Pending{height: height, before: t.root, changes: newChanges(o.changed)}
	var err error
	p.root, p.updaters, err = t.update(t.root, height, p.changes)
	return p, err
}

// Root commits to the version.
func (p *Pending) Root() protocol.Hash { return p.root.rootHash() }

// Write puts the version into a pebble batch: values, nodes, root, and what
// became unneeded; then it removes what no kept version needs.
func (t *Tree) Write(batch *pebble.Batch, p *Pending) error {
	for _, c := range p.changes {
		if !c.effective {
			continue
		}
		if err := t.writeValue(batch, p.height, c); err != nil {
			return err
		}
	}
	for i := range p.updaters {
		u := &p.updaters[i]
		for _, w := range u.made {
			if err := batch.Set(nodeKey(p.height, w.path), w.node.encode(), nil); err != nil {
				return err
			}
		}
		for _, key := range u.stale {
			if err := t.markStale(batch, p.height, key); err != nil {
				return err
			}
		}
	}
	if p.root.hash != p.before.hash || p.height == 0 {
		if err := batch.Set(rootKey(p.height), encodeRoot(&p.root), nil); err != nil {
			return err
		}
	}
	return t.prune(batch, p.height)
}

func (t *Tree) writeValue(batch *pebble.Batch, height uint64, c *change) error {
	key := valueKey(c.key, height)
	record := []byte{0}
	if c.value != nil {
		record = append(append(make([]byte, 0, 1+len(c.value)), 1), c.value...)
	}
	if err := batch.Set(key, record, nil); err != nil {
		return err
	}
	if c.had {
		if err := t.markStale(batch, height, valueKey(c.key, c.since)); err != nil {
			return err
		}
	}
	if c.value == nil {
		// A deletion hides older values, so it goes after them.
		return t.markStale(batch, height+1, key)
	}
	return nil
}

func (t *Tree) markStale(batch *pebble.Batch, height uint64, key []byte) error {
	if t.options.KeepVersions == 0 {
		return nil
	}
	return batch.Set(staleKey(height, key), nil, nil)
}

// pruneAtMost bounds the records one block removes, so that a long overdue
// pruning is spread over many blocks.
const pruneAtMost = 100_000

// prune removes what only versions before the oldest kept one need: records
// that became stale at or below it.
func (t *Tree) prune(batch *pebble.Batch, height uint64) (err error) {
	keep := t.options.KeepVersions
	if keep == 0 || height < keep {
		return nil
	}
	oldest := height - keep + 1
	before, err := readOldest(t.db)
	if err != nil || before >= oldest {
		return err
	}
	it, err := t.db.NewIter(&pebble.IterOptions{LowerBound: staleKey(0, nil), UpperBound: staleKey(oldest+1, nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	removed := 0
	for ok := it.First(); ok && removed < pruneAtMost; ok = it.Next() {
		if err := batch.Delete(it.Key()[9:], nil); err != nil {
			return err
		}
		if err := batch.Delete(it.Key(), nil); err != nil {
			return err
		}
		removed++
	}
	if err := t.pruneRoots(batch, oldest); err != nil {
		return err
	}
	return batch.Set([]byte{familyOldest}, binary.BigEndian.AppendUint64(nil, oldest), nil)
}

// pruneRoots removes the roots below the one that is in force at oldest.
func (t *Tree) pruneRoots(batch *pebble.Batch, oldest uint64) (err error) {
	it, err := t.db.NewIter(&pebble.IterOptions{LowerBound: []byte{familyRoot}, UpperBound: rootKey(oldest + 1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.Last() && it.Prev(); ok; ok = it.Prev() {
		if err := batch.Delete(it.Key(), nil); err != nil {
			return err
		}
	}
	return nil
}

// Adopt makes an applied version the newest one, once its batch is durable.
func (t *Tree) Adopt(p *Pending) {
	if p.before.hash != t.root.hash || p.height < t.Height() {
		panic(fmt.Sprintf("state: height %d was applied to another version", p.height))
	}
	t.root = p.root
	t.height.Store(p.height)
	for i := range p.updaters {
		t.nodes += len(p.updaters[i].made)
	}
	for range 16 {
		if t.nodes <= t.options.MaxNodes {
			break
		}
		t.forget()
	}
}

// forget drops one sixteenth of the tree from memory; it is read again when needed.
func (t *Tree) forget() {
	if t.root.node == nil {
		t.nodes = 0
		return
	}
	top := *t.root.node
	top.kids[t.evict].node = nil
	t.root.node = &top
	t.evict = (t.evict + 1) % 16
	t.nodes = count(t.root.node)
}

// count is the nodes in memory at and below n.
func count(n *node) int {
	if n == nil {
		return 0
	}
	total := 1
	for i := range n.kids {
		total += count(n.kids[i].node)
	}
	return total
}
