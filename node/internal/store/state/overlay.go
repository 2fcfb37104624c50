package state

import (
	"fmt"
	"slices"
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
	sorted  []string          // keys of changed, ascending; nil when it must be made again
	reads   map[string][]byte // of a root overlay: committed values met so far; nil: absent
	spare   *Overlay          // a closed child, to be used again
}

// Overlay starts the changes of a block over the newest version.
func (t *Tree) Overlay() *Overlay {
	return &Overlay{tree: t, height: t.Height(), changed: make(map[string][]byte), reads: make(map[string][]byte)}
}

// Child opens an overlay over o.
func (o *Overlay) Child() *Overlay {
	if c := o.spare; c != nil {
		o.spare = nil
		return c
	}
	return &Overlay{parent: o, changed: make(map[string][]byte)}
}

// Commit moves a child's changes into its parent. The child must not be used again.
func (o *Overlay) Commit() {
	for key, value := range o.changed { // each key is set once: order does not matter
		if _, known := o.parent.changed[key]; !known {
			o.parent.sorted = nil
		}
		o.parent.changed[key] = value
	}
	o.Discard()
}

// Discard forgets a child's changes. The child must not be used again.
func (o *Overlay) Discard() {
	clear(o.changed)
	o.sorted = nil
	o.parent.spare = o
}

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
	for at := o; at != nil; at = at.parent {
		if value, known := at.changed[string(key)]; known {
			return value, value != nil, nil
		}
		if at.tree != nil {
			return at.read(key)
		}
	}
	panic("state: overlay without a tree")
}

// read asks the committed state and remembers the answer for the block.
func (o *Overlay) read(key []byte) ([]byte, bool, error) {
	value, known := o.reads[string(key)]
	if !known {
		var err error
		if value, _, err = getAt(o.tree.db, key, o.height); err != nil {
			return nil, false, err
		}
		o.reads[string(key)] = value
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
	o.put(key, append(make([]byte, 0, len(value)), value...))
	return nil
}

// Delete removes a key; an absent one stays absent.
func (o *Overlay) Delete(key []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	o.put(key, nil)
	return nil
}

func (o *Overlay) put(key, value []byte) {
	if o.sorted != nil {
		if _, known := o.changed[string(key)]; !known {
			o.sorted = nil
		}
	}
	o.changed[string(key)] = value
}

// keys lists the changed keys with a prefix, ascending.
func (o *Overlay) keys(prefix string) []string {
	if o.sorted == nil {
		o.sorted = make([]string, 0, len(o.changed))
		for key := range o.changed {
			o.sorted = append(o.sorted, key)
		}
		slices.Sort(o.sorted)
	}
	from, _ := slices.BinarySearch(o.sorted, prefix)
	to := from
	for to < len(o.sorted) && strings.HasPrefix(o.sorted[to], prefix) {
		to++
	}
	return o.sorted[from:to]
}

// Scan lists at most limit pairs whose keys start with prefix and are greater
// than after, by ascending key. A nil after starts at the first.
func (o *Overlay) Scan(prefix, after []byte, limit int) ([]KV, error) {
	merged := map[string][]byte{}
	var names []string
	root := o
	for at := o; at != nil; at = at.parent {
		root = at
		for _, key := range at.keys(string(prefix)) {
			if _, known := merged[key]; !known && key > string(after) {
				merged[key] = at.changed[key]
				names = append(names, key)
			}
		}
	}
	slices.Sort(names)
	return mergeScan(root, names, merged, prefix, after, limit)
}

// mergeScan merges sorted names, whose values are in changed (nil: absent),
// with the committed pairs under a root overlay.
func mergeScan(root *Overlay, names []string, changed map[string][]byte, prefix, after []byte, limit int) ([]KV, error) {
	it, err := newScan(root.tree.db, root.height, prefix, after)
	if err != nil {
		return nil, err
	}
	defer it.close()
	var out []KV
	committed, more, err := it.next()
	for err == nil && len(out) < limit && (more || len(names) > 0) {
		if more && (len(names) == 0 || string(committed.Key) < names[0]) {
			out = append(out, committed)
			committed, more, err = it.next()
			continue
		}
		if more && string(committed.Key) == names[0] {
			if committed, more, err = it.next(); err != nil {
				break
			}
		}
		if value := changed[names[0]]; value != nil {
			out = append(out, KV{[]byte(names[0]), value})
		}
		names = names[1:]
	}
	return out, err
}
