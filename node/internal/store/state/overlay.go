package state

import (
	"errors"
	"fmt"
	"strings"
)

// KV is a key and its value.
type KV struct{ Key, Value []byte }

// Overlay is a set of changes over a committed state, or over another overlay.
// It reads its own writes. One goroutine uses it and its children.
//
// A child is how a delivery rolls back: Commit moves its changes into the
// parent, Discard forgets them. While a child is open, its parent is not used.
type Overlay struct {
	tree    *Tree             // of a root overlay
	height  uint64            // the committed version a root overlay reads
	parent  *Overlay          // of a child
	changed map[string][]byte // nil: deleted
	fresh   []string          // keys of changed that are not in order yet
	order   index             // the other keys of changed
	gaps    gaps              // of a root overlay: stretches of removed keys met so far
	spare   *Overlay          // a closed child, to be used again
	watch   Watch             // told what is read and kept; nil for nobody
}

// Overlay starts the changes of a block over the newest version.
func (t *Tree) Overlay() *Overlay {
	return &Overlay{tree: t, height: t.Height(), changed: make(map[string][]byte)}
}

// Child opens an overlay over o.
func (o *Overlay) Child() *Overlay {
	if c := o.spare; c != nil {
		o.spare = nil
		return c
	}
	return &Overlay{parent: o, changed: make(map[string][]byte), watch: o.watch}
}

// Commit moves a child's changes into its parent. The child must not be used again.
func (o *Overlay) Commit() {
	for key, value := range o.changed { // each key is set once: order does not matter
		o.parent.put(key, value)
	}
	o.Discard()
}

// Discard forgets a child's changes. The child must not be used again.
func (o *Overlay) Discard() {
	if len(o.changed) > keepKeys {
		o.parent.spare = nil
		return
	}
	clear(o.changed)
	o.fresh, o.order = o.fresh[:0], index{chunks: o.order.chunks[:0]}
	o.parent.spare = o
}

// keepKeys bounds the children that are used again: clearing a map takes as
// long as it ever was large, and one large delivery would slow every later one.
const keepKeys = 256

func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > maxKeyBytes {
		return fmt.Errorf("state: key of %d bytes, must have 1 to %d", len(key), maxKeyBytes)
	}
	return nil
}

// Get answers a key's value; the caller must not change it. An error is a
// fault of this node.
func (o *Overlay) Get(key []byte) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	if value, ok, err = o.lookUp(key); o.watch != nil && err == nil {
		o.watch.Read(key, value)
	}
	return value, ok, err
}

func (o *Overlay) lookUp(key []byte) (value []byte, ok bool, err error) {
	for at := o; at != nil; at = at.parent {
		if value, known := at.changed[string(key)]; known {
			return value, value != nil, nil
		}
		if at.parent == nil {
			return at.read(key)
		}
	}
	panic("state: overlay without a root")
}

// read asks the committed state, and what is remembered of it.
func (o *Overlay) read(key []byte) ([]byte, bool, error) {
	newest := o.height == o.tree.Height()
	if newest {
		if value, known := o.tree.hot.get(key); known {
			return value, value != nil, nil
		}
	}
	value, err := o.tree.get(key, o.height)
	if err != nil {
		return nil, false, err
	}
	if newest {
		o.tree.hot.put(string(key), value)
	}
	return value, value != nil, nil
}

// Set gives a key a value, which is copied.
func (o *Overlay) Set(key, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > maxValueBytes {
		return fmt.Errorf("state: value of %d bytes, the limit is %d", len(value), maxValueBytes)
	}
	o.put(string(key), append(make([]byte, 0, len(value)), value...))
	return nil
}

// Delete removes a key; an absent one stays absent.
func (o *Overlay) Delete(key []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	o.put(string(key), nil)
	return nil
}

func (o *Overlay) put(key string, value []byte) {
	if o.watch != nil && o.parent == nil {
		o.watch.Keep(key, value)
	}
	before := len(o.changed)
	if o.changed[key] = value; len(o.changed) > before {
		o.fresh = append(o.fresh, key)
	}
}

// layer walks an overlay's own changes in order.
type layer struct {
	changed map[string][]byte
	at      indexAt
}

// layer starts at the first changed key that is at least from.
func (o *Overlay) layer(from string) layer {
	if len(o.fresh) > 0 {
		o.order.add(o.fresh)
		o.fresh = o.fresh[:0]
	}
	return layer{o.changed, o.order.from(from)}
}

// Scan lists at most limit pairs whose keys start with prefix and are greater
// than after, by ascending key. A nil after starts at the first.
func (o *Overlay) Scan(prefix, after []byte, limit int) ([]KV, error) {
	from := string(prefix)
	if len(after) > 0 {
		from = max(from, string(after)+"\x00") // the least key above after
	}
	var layers []layer // the newest first
	root := o
	for at := o; at != nil; at = at.parent {
		root = at
		layers = append(layers, at.layer(from))
	}
	found, err := mergeScan(root, layers, prefix, after, limit)
	if o.watch != nil {
		for i := range found {
			o.watch.Read(found[i].Key, found[i].Value)
		}
	}
	return found, err
}

// nextChange takes the least key with a prefix out of the layers, with what
// the newest layer that has it says: nil is a deletion.
func nextChange(layers []layer, prefix string) (key string, value []byte, ok bool) {
	for i := range layers {
		if k, more := layers[i].at.peek(); more && strings.HasPrefix(k, prefix) && (!ok || k < key) {
			key, value, ok = k, layers[i].changed[k], true
		}
	}
	for i := range layers {
		if k, more := layers[i].at.peek(); ok && more && k == key {
			layers[i].at.advance()
		}
	}
	return key, value, ok
}

// mergeScan merges the layers with the committed pairs under a root overlay.
func mergeScan(root *Overlay, layers []layer, prefix, after []byte, limit int) (out []KV, err error) {
	it, err := root.tree.walk(root.height, prefix, after, limit, &root.gaps)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.close()) }()
	committed, more, err := it.next()
	key, value, changed := nextChange(layers, string(prefix))
	for err == nil && len(out) < limit && (more || changed) {
		if more && (!changed || string(committed.Key) < key) {
			out = append(out, committed)
			committed, more, err = it.next()
			continue
		}
		if more && string(committed.Key) == key { // the change hides it
			committed, more, err = it.next()
		}
		if value != nil {
			out = append(out, KV{[]byte(key), value})
		}
		key, value, changed = nextChange(layers, string(prefix))
	}
	return out, err
}
