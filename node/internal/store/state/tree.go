package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Options of a Tree.
type Options struct {
	// KeepVersions is how many of the newest versions stay readable; 0 keeps all.
	KeepVersions uint64
	// MaxNodes bounds the nodes of the newest version kept in memory, about
	// 300 bytes each; 0 means a million.
	MaxNodes int
	// HotBytes bounds the values kept in memory, twice; 0 means 32 MiB.
	HotBytes int
}

const hotBytes = 32 << 20

// Tree is the newest version of the state, and the way to older ones. One
// goroutine applies blocks; views may be opened and used beside it.
type Tree struct {
	db      pebble.Reader // nil where base is set
	base    Base          // of Elsewhere
	options Options
	height  atomic.Uint64
	root    kid // owned by the goroutine that applies blocks
	nodes   int // in memory; owned by the same
	evict   int // next subtree to drop from memory
	hot     hot // owned by the same
}

// Open reads the version of a height, the newest the database holds.
func Open(db pebble.Reader, height uint64, o Options) (*Tree, error) {
	if o.MaxNodes == 0 {
		o.MaxNodes = 1_000_000
	}
	if o.HotBytes == 0 {
		o.HotBytes = hotBytes
	}
	root, err := readRoot(db, height)
	if err != nil {
		return nil, err
	}
	t := &Tree{db: db, options: o, root: root, hot: newHot(o.HotBytes)}
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

// readNode reads the node of a kid and holds it to the hash its parent says.
func readNode(db pebble.Reader, k *kid, path []byte) (*node, error) {
	n, err := readRecord(db, k.height, path, true)
	if err != nil {
		return nil, err
	}
	if w := n.wide(); w.hash(0, fanout, nil) != k.hash {
		return nil, corrupt("node %x of height %d does not have the hash its parent says", path, k.height)
	}
	return n, nil
}

// readRecord reads a node's record and, where it is not whole and may build on
// another, that one too.
func readRecord(db pebble.Reader, height uint64, path []byte, delta bool) (*node, error) {
	record, closer, err := db.Get(nodeKey(height, path))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, corrupt("node %x of height %d is missing", path, height)
	}
	if err != nil {
		return nil, err
	}
	n, err := decodeNode(record, height, func(base uint64) (*node, error) {
		if !delta {
			return nil, corrupt("node %x of height %d is not whole", path, height)
		}
		return readRecord(db, base, path, false)
	})
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, err
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
	records, stale := p.records()
	if p.height != t.Height() { // the parts of an import have no version before them
		records = append(records, p.names(&stale)...)
	}
	for _, r := range records {
		if err := batch.Set(r.key, r.record, nil); err != nil {
			return err
		}
	}
	if t.options.KeepVersions > 0 {
		if err := stale.write(batch, p.height, len(p.changes) > 0); err != nil {
			return err
		}
	}
	if err := writeLive(batch, p); err != nil {
		return err
	}
	if p.root.hash != p.before.hash || p.height == 0 {
		if err := batch.Set(rootKey(p.height), encodeRoot(&p.root), nil); err != nil {
			return err
		}
	}
	return t.prune(batch, p.height)
}

// records lists what the version writes and makes unneeded, by ascending key:
// pebble takes sorted records faster. Values come before nodes in that order,
// so the lists are made and sorted side by side.
func (p *Pending) records() (records []written, stale staleKeys) {
	var nodes []written
	var group sync.WaitGroup
	group.Go(func() {
		made := 0
		for i := range p.updaters {
			made += len(p.updaters[i].made)
		}
		nodes = make([]written, 0, made)
		for i := range p.updaters {
			nodes = append(nodes, p.updaters[i].made...)
		}
		slices.SortFunc(nodes, func(a, b written) int { return bytes.Compare(a.key, b.key) })
	})
	records = make([]written, 0, len(p.changes))
	var space arena
	for _, c := range p.changes {
		if !c.effective {
			continue
		}
		key := space.keep(appendValueKey(space.room(2*len(c.key)+12), c.key, p.height))
		if c.had {
			stale.older = append(stale.older, space.keep(appendValueKey(space.room(2*len(c.key)+12), c.key, c.since)))
		}
		if c.value == nil {
			stale.deletions = append(stale.deletions, key)
			records = append(records, written{key, []byte{0}})
		} else {
			records = append(records, written{key, space.keep(append(append(space.room(1+len(c.value)), 1), c.value...))})
		}
	}
	slices.SortFunc(records, func(a, b written) int { return bytes.Compare(a.key, b.key) })
	for i := range p.updaters {
		stale.older = append(stale.older, p.updaters[i].stale...)
	}
	slices.SortFunc(stale.older, bytes.Compare)
	group.Wait()
	return append(records, nodes...), stale
}

// staleKeys gathers the records that a height makes unneeded, for versions
// before it. Deletions come last: they hide older values of their keys.
type staleKeys struct{ older, deletions [][]byte }

// write keeps the list under its height. A height that is written in parts,
// as an import is, has nothing to replace.
func (s *staleKeys) write(batch *pebble.Batch, height uint64, changed bool) error {
	if !changed || len(s.older)+len(s.deletions) == 0 {
		return nil
	}
	size := 0
	for _, keys := range [][][]byte{s.older, s.deletions} {
		for _, key := range keys {
			size += len(key) + binary.MaxVarintLen16
		}
	}
	list := make([]byte, 0, size)
	for _, keys := range [][][]byte{s.older, s.deletions} {
		for _, key := range keys {
			list = append(binary.AppendUvarint(list, uint64(len(key))), key...)
		}
	}
	return batch.Set(staleKey(height), list, nil)
}

// pruneAtMost bounds the heights one block prunes, so that an overdue pruning
// is spread over many blocks.
const pruneAtMost = 16

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
	it, err := t.db.NewIter(&pebble.IterOptions{LowerBound: staleKey(0), UpperBound: staleKey(oldest + 1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	pruned := 0
	for ok := it.First(); ok && pruned < pruneAtMost; ok = it.Next() {
		if err := deleteListed(batch, it.Value()); err != nil {
			return err
		}
		if err := batch.Delete(it.Key(), nil); err != nil {
			return err
		}
		pruned++
	}
	if err := t.pruneRoots(batch, oldest); err != nil {
		return err
	}
	return batch.Set([]byte{familyOldest}, binary.BigEndian.AppendUint64(nil, oldest), nil)
}

// deleteListed removes each record of a stale list.
func deleteListed(batch *pebble.Batch, list []byte) error {
	for len(list) > 0 {
		size, n := binary.Uvarint(list)
		if n <= 0 || size > uint64(len(list)-n) {
			return corrupt("list of stale records")
		}
		if err := batch.SingleDelete(list[n:n+int(size)], nil); err != nil {
			return err
		}
		list = list[n+int(size):]
	}
	return nil
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
	t.hot.follow(p.changes)
	for i := range p.updaters {
		t.nodes += len(p.updaters[i].made)
	}
	if t.nodes > t.options.MaxNodes { // replaced nodes are in the sum: see how many there are
		t.nodes = count(t.root.node)
	}
	for i := 0; i < fanout && t.nodes > t.options.MaxNodes; i++ {
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
	w := top.wide()
	w[t.evict].node = nil
	top.kids = w.node().kids
	t.root.node = &top
	t.evict = (t.evict + 1) % fanout
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
