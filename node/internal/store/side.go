package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// sideTable holds what a block writes to the side tables: a hash table over
// one buffer, because a block writes a key for each event and a map would make
// garbage of three pieces for each. Setting a key again leaves the old value
// behind in the buffer.
type sideTable struct {
	seed    maphash.Seed
	slots   []uint32 // 1 + place in entries; open addressing, a power of two, at most half full
	entries []sideEntry
	data    []byte // keys with their family in front, and values
}

type sideEntry struct {
	hash       uint64
	prefix     uint64 // first bytes of the key: most comparisons end here
	key, value span
}

type span struct{ from, to uint32 }

const sideSlots = 1 << 10 // at first

func newSideTable() *sideTable {
	return &sideTable{seed: maphash.MakeSeed(), slots: make([]uint32, sideSlots)}
}

// keepSide bounds the buffer of a table that the next block uses again.
const keepSide = 16 << 20

// reset empties the table.
func (t *sideTable) reset() {
	clear(t.slots)
	t.entries, t.data = t.entries[:0], t.data[:0]
}

func (t *sideTable) bytes(s span) []byte { return t.data[s.from:s.to:s.to] }

// find answers the slot that holds a key, or where it belongs.
func (t *sideTable) find(hash uint64, key []byte) (slot int, e *sideEntry) {
	for slot = int(hash) & (len(t.slots) - 1); ; slot = (slot + 1) & (len(t.slots) - 1) {
		at := t.slots[slot]
		if at == 0 {
			return slot, nil
		}
		if e = &t.entries[at-1]; e.hash == hash && bytes.Equal(t.bytes(e.key)[1:], key) {
			return slot, e
		}
	}
}

func (t *sideTable) get(key []byte) (value []byte, ok bool) {
	if len(t.entries) == 0 {
		return nil, false
	}
	_, e := t.find(maphash.Bytes(t.seed, key), key)
	if e == nil {
		return nil, false
	}
	return t.bytes(e.value), true
}

func (t *sideTable) set(key, value []byte) {
	hash := maphash.Bytes(t.seed, key)
	slot, e := t.find(hash, key)
	if e != nil {
		e.value = t.add(value)
		return
	}
	at := uint32(len(t.data))
	t.data = append(append(t.data, familySide), key...)
	added := sideEntry{hash: hash, key: span{at, uint32(len(t.data))}, value: t.add(value)}
	var prefix [8]byte
	copy(prefix[:], key)
	added.prefix = binary.BigEndian.Uint64(prefix[:])
	t.entries = append(t.entries, added)
	t.slots[slot] = uint32(len(t.entries))
	if 2*len(t.entries) > len(t.slots) {
		t.grow()
	}
}

func (t *sideTable) add(value []byte) span {
	from := uint32(len(t.data))
	t.data = append(t.data, value...)
	return span{from, uint32(len(t.data))}
}

func (t *sideTable) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	mask := len(t.slots) - 1
	for i := range t.entries {
		slot := int(t.entries[i].hash) & mask
		for t.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.slots[slot] = uint32(i) + 1
	}
}

// write puts the table into a batch in ascending order, which is what inserting
// into a sorted structure is fastest with. The table must be reset after it.
func (t *sideTable) write(batch *pebble.Batch) error {
	slices.SortFunc(t.entries, func(a, b sideEntry) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return bytes.Compare(t.bytes(a.key), t.bytes(b.key))
	})
	for i := range t.entries {
		if err := batch.Set(t.bytes(t.entries[i].key), t.bytes(t.entries[i].value), nil); err != nil {
			return err
		}
	}
	return nil
}
