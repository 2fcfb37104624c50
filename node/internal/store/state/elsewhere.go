package state

import (
	"maps"
	"slices"
)

// Base is a version of the state that is kept elsewhere, and read piece by
// piece.
type Base interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(prefix, after []byte, limit int) ([]KV, error)
}

// Elsewhere is a tree whose one version is kept elsewhere. Overlays over it
// are read and changed like any other; they cannot be applied.
func Elsewhere(base Base, height uint64) *Tree {
	t := &Tree{base: base, hot: newHot(hotBytes)}
	t.height.Store(height)
	return t
}

// get reads a committed value; nil where there is none.
func (t *Tree) get(key []byte, height uint64) ([]byte, error) {
	if t.base == nil {
		value, _, err := getAt(t.db, key, height)
		return value, err
	}
	value, ok, err := t.base.Get(key)
	if ok && value == nil {
		value = []byte{}
	}
	return value, err
}

// walk starts a scan of committed pairs.
func (t *Tree) walk(height uint64, prefix, after []byte, limit int, g *gaps) (walk, error) {
	if t.base == nil {
		return newLiveScan(t.db, height, prefix, after, g)
	}
	return &baseScan{base: t.base, prefix: prefix, after: after, size: max(1, min(limit, basePage))}, nil
}

// basePage is how many pairs are asked for at once, at most.
const basePage = 256

// baseScan walks the pairs of a version kept elsewhere.
type baseScan struct {
	base          Base
	prefix, after []byte
	size          int // of a page
	page          []KV
	last          bool // no page follows
}

func (s *baseScan) close() error { return nil }

func (s *baseScan) next() (kv KV, more bool, err error) {
	if len(s.page) == 0 && !s.last {
		if s.page, err = s.base.Scan(s.prefix, s.after, s.size); err != nil {
			return kv, false, err
		}
		s.last = len(s.page) < s.size
	}
	if len(s.page) == 0 {
		return kv, false, nil
	}
	kv, s.page = s.page[0], s.page[1:]
	s.after = kv.Key
	return kv, true, nil
}

// Changes lists what a root overlay changed, by key; a nil value is a
// deletion. A key may have the value it had before.
func (o *Overlay) Changes() []KV {
	changes := make([]KV, 0, len(o.changed))
	for _, key := range slices.Sorted(maps.Keys(o.changed)) {
		changes = append(changes, KV{[]byte(key), o.changed[key]})
	}
	return changes
}

// Watch is told what happens to an overlay and its children.
type Watch interface {
	// Read: a key was asked for, or met in a scan; nil where it has no value.
	Read(key, value []byte)
	// Keep: the root overlay got a value; nil is a deletion.
	Keep(key string, value []byte)
}

// Observe has a root overlay without children report to a watch.
func (o *Overlay) Observe(w Watch) { o.watch = w }
