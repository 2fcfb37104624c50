package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// bundles holds the payloads of a block in one buffer, each behind the count of
// its entries, as it will be at rest: a block may have thousands of them.
type bundles struct {
	list []bundle // by ascending first
	data []byte
}

// bundle is the payload of a run of entries.
type bundle struct {
	first uint64
	count uint32
	value span
}

// keepBundles bounds the buffer that the next block uses again.
const keepBundles = 16 << 20

func (b *bundles) reset() { b.list, b.data = b.list[:0], b.data[:0] }

func (b *bundles) add(first uint64, count uint32, data []byte) {
	from := uint32(len(b.data))
	b.data = append(binary.BigEndian.AppendUint32(b.data, count), data...)
	b.list = append(b.list, bundle{first, count, span{from, uint32(len(b.data))}})
}

// find answers the bundle that holds an entry's payload.
func (b *bundles) find(index uint64) (first uint64, count uint32, data []byte, ok bool) {
	at, exact := slices.BinarySearchFunc(b.list, index, func(p bundle, index uint64) int { return cmp.Compare(p.first, index) })
	if !exact {
		at-- // the last one that begins before index
	}
	if at < 0 || index-b.list[at].first >= uint64(b.list[at].count) {
		return 0, 0, nil, false
	}
	p := b.list[at]
	return p.first, p.count, b.data[p.value.from+4 : p.value.to : p.value.to], true
}

func (b *bundles) write(batch *pebble.Batch) error {
	var key [1 + 8]byte
	key[0] = familyBundle
	for _, p := range b.list {
		binary.BigEndian.PutUint64(key[1:], p.first)
		if err := batch.Set(key[:], b.data[p.value.from:p.value.to], nil); err != nil {
			return err
		}
	}
	return nil
}
