package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
)

// The live index lists the keys of the newest version, in order. Walking the
// versions themselves would meet every key there ever was: a queue that is
// filled and emptied for a year would be scanned through a year of deletions.

func appendLiveKey(dst, key []byte) []byte { return appendEscaped(append(dst, familyLive), key) }

// writeLive brings the index to a version. A key is set once between two
// removals, which is what SingleDelete asks for: the two cancel out as soon as
// they meet.
func writeLive(batch *pebble.Batch, p *Pending) error {
	var space arena
	var fresh, gone [][]byte
	for _, c := range p.changes {
		if !c.effective || c.had == (c.value != nil) {
			continue
		}
		key := space.keep(appendLiveKey(space.room(2*len(c.key)+4), c.key))
		if c.had {
			gone = append(gone, key)
		} else {
			fresh = append(fresh, key)
		}
	}
	slices.SortFunc(fresh, slices.Compare)
	for _, key := range fresh {
		if err := batch.Set(key, nil, nil); err != nil {
			return err
		}
	}
	for _, key := range gone {
		if err := batch.SingleDelete(key, nil); err != nil {
			return err
		}
	}
	return batch.Set([]byte{familyLiveAt}, binary.BigEndian.AppendUint64(nil, p.height), nil)
}

// gaps remembers where a scan of the live index had to step over many removed
// keys that pebble still holds: a block walks each such stretch once, however
// often it scans. One goroutine uses it.
type gaps struct {
	from, to []string // disjoint, ascending; no live key in [from, to)
	walked   int      // steps of all scans
}

// farFrom is how many steps make a gap worth remembering.
const farFrom = 32

// jump is where to go on from a position: past the gap it lies in, or the same
// slice.
func (g *gaps) jump(key []byte) []byte {
	i := sort.SearchStrings(g.from, string(key)+"\x00") - 1 // the last that starts at or before key
	if i >= 0 && string(key) < g.to[i] {
		return []byte(g.to[i])
	}
	return key
}

// add notes a gap; those inside it become part of it.
func (g *gaps) add(from, to []byte) {
	i := sort.SearchStrings(g.from, string(from))
	j := i
	for j < len(g.from) && g.from[j] < string(to) {
		j++
	}
	g.from = slices.Replace(g.from, i, j, string(from))
	g.to = slices.Replace(g.to, i, j, string(to))
}

// liveScan walks the pairs of the newest version under a prefix.
type liveScan struct {
	it     *pebble.Iterator
	values *pebble.Iterator // of the same snapshot; nil before the first pair
	height uint64
	gaps   *gaps
	end    []byte // upper bound of the keys
}

// errMoved says that the newest version is another one than was asked for.
var errMoved = errors.New("state: the newest version moved on")

func newLiveScan(db pebble.Reader, height uint64, prefix, after []byte, g *gaps) (*liveScan, error) {
	lower := appendEscapedPrefix([]byte{familyLive}, prefix)
	end := upper(lower)
	if len(after) > 0 {
		if past := append(appendLiveKey(nil, after), 0); string(past) > string(lower) {
			lower = past
		}
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{familyLive}, UpperBound: []byte{familyLiveAt, 0}})
	if err != nil {
		return nil, err
	}
	s := &liveScan{it: it, height: height, gaps: g, end: end}
	if err := s.sameVersion(); err != nil {
		return nil, errors.Join(err, it.Close())
	}
	s.advance(lower, false)
	return s, nil
}

// sameVersion holds the iterator's snapshot to the height that was asked for.
// A store that was never written has no index, and height 0.
func (s *liveScan) sameVersion() error {
	at := uint64(0)
	if s.it.SeekGE([]byte{familyLiveAt}) {
		if len(s.it.Value()) != 8 {
			return corrupt("height of the live index")
		}
		at = binary.BigEndian.Uint64(s.it.Value())
	} else if err := s.it.Error(); err != nil {
		return err
	}
	if at != s.height {
		return errMoved
	}
	return nil
}

// advance goes to the first live key at or above a position; next says that
// the iterator stands right before it.
func (s *liveScan) advance(from []byte, next bool) {
	before := s.it.Stats()
	if start := s.gaps.jump(from); next && &start[0] == &from[0] {
		s.it.Next()
	} else {
		s.it.SeekGE(start)
		from = start
	}
	after := s.it.Stats()
	steps := after.ForwardStepCount[pebble.InternalIterCall] - before.ForwardStepCount[pebble.InternalIterCall]
	if s.gaps.walked += steps; steps < farFrom {
		return
	}
	to := s.end
	if s.it.Valid() {
		to = s.it.Key()
	}
	if to != nil {
		s.gaps.add(from, to)
	}
}

func (s *liveScan) close() error {
	err := s.it.Close()
	if s.values != nil {
		err = errors.Join(err, s.values.Close())
	}
	return err
}

// value reads a live key's value.
func (s *liveScan) value(key []byte) ([]byte, error) {
	if s.values == nil {
		var err error
		bounds := &pebble.IterOptions{LowerBound: []byte{familyValue}, UpperBound: []byte{familyValue + 1}}
		if s.values, err = s.it.Clone(pebble.CloneOptions{IterOptions: bounds}); err != nil {
			return nil, err
		}
	}
	at := valueKey(key, s.height)
	if !s.values.SeekGE(at) || !bytes.HasPrefix(s.values.Key(), at[:len(at)-8]) {
		return nil, errors.Join(s.values.Error(), corrupt("key %x is live and has no version", key))
	}
	value, err := cutValue(s.values.Value())
	if err == nil && value == nil {
		err = corrupt("key %x is live and deleted", key)
	}
	return value, err
}

// next answers the next pair; more is false at the end.
func (s *liveScan) next() (kv KV, more bool, err error) {
	if !s.it.Valid() || s.end != nil && string(s.it.Key()) >= string(s.end) {
		return kv, false, s.it.Error()
	}
	record := s.it.Key()
	key, rest, ok := cutEscaped(record[1:])
	if !ok || len(rest) != 0 {
		return kv, false, corrupt("live key %x", record)
	}
	value, err := s.value(key)
	if err != nil {
		return kv, false, err
	}
	s.advance(append(slices.Clone(record), 0), true)
	return KV{key, value}, true, nil
}
