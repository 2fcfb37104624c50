package state

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// getAt answers a key's value as of a height, nil if absent, and the height
// that wrote it.
func getAt(db pebble.Reader, key []byte, height uint64) (value []byte, since uint64, err error) {
	lower := valueKey(key, height)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: append(valuePrefix(key), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		return nil, 0, it.Error()
	}
	since = ^binary.BigEndian.Uint64(it.Key()[len(it.Key())-8:])
	value, err = cutValue(it.Value())
	return value, since, err
}

// cutValue reads a value record: nil for a deletion.
func cutValue(record []byte) ([]byte, error) {
	if len(record) == 1 && record[0] == 0 {
		return nil, nil
	}
	if len(record) == 0 || record[0] != 1 {
		return nil, corrupt("value record of %d bytes", len(record))
	}
	return append(make([]byte, 0, len(record)-1), record[1:]...), nil
}

// walk is a scan of pairs by ascending key.
type walk interface {
	next() (kv KV, more bool, err error)
	close() error
}

// newWalk walks a version: through the live index while it is the newest one.
func newWalk(db pebble.Reader, height uint64, prefix, after []byte) (walk, error) {
	live, err := newLiveScan(db, height, prefix, after, &gaps{})
	if errors.Is(err, errMoved) {
		return newScan(db, height, prefix, after)
	}
	return live, err
}

// scan walks the pairs of a past version under a prefix.
type scan struct {
	it     *pebble.Iterator
	height uint64
}

func newScan(db pebble.Reader, height uint64, prefix, after []byte) (*scan, error) {
	lower := appendEscapedPrefix([]byte{familyValue}, prefix)
	end := upper(lower)
	if len(after) > 0 {
		// Above every version of after: versions are eight bytes.
		past := append(valuePrefix(after), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)
		if string(past) > string(lower) {
			lower = past
		}
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: end})
	if err != nil {
		return nil, err
	}
	it.First()
	return &scan{it, height}, nil
}

func (s *scan) close() error { return s.it.Close() }

// next answers the next pair; more is false at the end.
func (s *scan) next() (kv KV, more bool, err error) {
	for s.it.Valid() {
		record := s.it.Key()
		key, version, ok := cutEscaped(record[1:])
		if !ok || len(version) != 8 {
			return kv, false, corrupt("value key %x", record)
		}
		if ^binary.BigEndian.Uint64(version) > s.height {
			s.it.SeekGE(valueKey(key, s.height)) // the newest version of this key that counts, or the next key
			continue
		}
		value, err := cutValue(s.it.Value())
		if err != nil {
			return kv, false, err
		}
		s.it.SeekGE(append(valuePrefix(key), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0))
		if value != nil {
			return KV{key, value}, true, nil
		}
	}
	return kv, false, s.it.Error()
}

// View is the state as it was at one height. It is safe for concurrent use and
// stays readable while its database is open and the height is kept; after that
// it answers ErrPruned.
type View struct {
	db     pebble.Reader
	height uint64
	root   kid
}

// View opens a past or the newest version.
func (t *Tree) View(height uint64) (*View, error) {
	if height > t.Height() {
		return nil, ErrPruned
	}
	root, err := readRoot(t.db, height)
	if err != nil {
		return nil, err
	}
	v := &View{db: t.db, height: height, root: root}
	if err := v.kept(); err != nil {
		return nil, err
	}
	return v, nil
}

// Height is the view's height.
func (v *View) Height() uint64 { return v.height }

// Root is what commits to the view.
func (v *View) Root() protocol.Hash { return v.root.rootHash() }

// Get answers a key's value.
func (v *View) Get(key []byte) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	if value, _, err = getAt(v.db, key, v.height); err == nil {
		err = v.kept()
	}
	if err != nil {
		return nil, false, err
	}
	return value, value != nil, nil
}

// Since is the height that wrote the value a key has; ok is false where it has
// none.
func (v *View) Since(key []byte) (height uint64, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return 0, false, err
	}
	value, since, err := getAt(v.db, key, v.height)
	if err == nil {
		err = v.kept()
	}
	return since, value != nil && err == nil, err
}

// kept is asked after reading: pruning writes the oldest height in the batch
// that removes what earlier ones need, so a height that is kept now was read whole.
func (v *View) kept() error {
	oldest, err := readOldest(v.db)
	if err == nil && v.height < oldest {
		err = ErrPruned
	}
	return err
}

// Scan lists at most limit pairs whose keys start with prefix and are greater
// than after, by ascending key.
func (v *View) Scan(prefix, after []byte, limit int) (out []KV, err error) {
	it, err := newWalk(v.db, v.height, prefix, after)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.close()) }()
	for len(out) < limit {
		kv, more, err := it.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		out = append(out, kv)
	}
	if err := v.kept(); err != nil {
		return nil, err
	}
	return out, nil
}

// Prove proves a key's value, or its absence, under Root.
func (v *View) Prove(key []byte) (proof.State, error) {
	p, err := v.prove(key)
	if pruned := v.kept(); pruned != nil {
		err = pruned // then what is missing is not damage
	}
	if err != nil {
		return proof.State{}, err
	}
	return p, nil
}

func (v *View) prove(key []byte) (proof.State, error) {
	value, ok, err := v.Get(key)
	if err != nil {
		return proof.State{}, err
	}
	p := proof.State{Key: slices.Clone(key)}
	if ok {
		p.Value = append([]byte{}, value...)
	}
	keyHash := protocol.Hash(sha256.Sum256(key))
	at, path := v.root, []byte(nil)
	for at.inner {
		n, err := readNode(v.db, &at, path)
		if err != nil {
			return p, err
		}
		i := digit(&keyHash, len(path))
		w := n.wide()
		at, p.Siblings = w.descend(i, p.Siblings)
		path = append(path, byte(i))
	}
	p.Leaf = at.leaf
	slices.Reverse(p.Siblings)
	if found := at.leaf != nil && at.leaf.KeyHash == keyHash; found != ok {
		return p, corrupt("key %x: value present %v, leaf present %v", key, ok, found)
	}
	return p, nil
}

// descend walks the four binary levels of a node towards kid i, adding the
// sibling of each level, the highest first. It stops at an empty subtree or a leaf.
func (n *wide) descend(i int, siblings []protocol.Hash) (kid, []protocol.Hash) {
	start, width := 0, fanout
	for width > 1 {
		count, inner, only := 0, false, 0
		for j := start; j < start+width; j++ {
			if !n[j].empty() {
				count, only = count+1, j
				inner = inner || n[j].inner
			}
		}
		if count == 0 {
			return kid{}, siblings
		}
		if count == 1 && !inner {
			return n[only], siblings
		}
		width /= 2
		if i < start+width {
			siblings = append(siblings, n.hash(start+width, width, nil))
		} else {
			siblings = append(siblings, n.hash(start, width, nil))
			start += width
		}
	}
	return n[start], siblings
}
