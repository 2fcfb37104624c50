package store

import (
	"hash/maphash"
	"math"
)

// recent remembers which side keys the newest entries set, so that asking for
// one that they did not set reads nothing from the disk: almost every event is
// new, and looking it up in a table of random keys costs more than all the
// rest of its execution.
//
// It is a blocked Bloom filter in two generations. It never forgets a key that
// was set at or after since, and is wrong about others, harmlessly, in fewer
// than one case of a hundred. It starts empty with the process: until it has
// seen a window of entries pass, what it does not hold is looked up.
type recent struct {
	seed       maphash.Seed // of this process: nobody can choose keys that collide
	young, old generation
}

// generation is one filter and the log size it began at.
type generation struct {
	since  uint64
	keys   int
	blocks []filterBlock // none before the first key
}

// filterBlock is a cache line.
type filterBlock [8]uint64

const (
	recentKeys   = 1 << 21 // of a generation: with 12 bits for each, 3 MiB
	recentBlocks = recentKeys * 12 / 512
	recentProbes = 8
	nowhere      = math.MaxUint64 // what no generation began at
)

// newRecent starts a filter over a log of a size.
func newRecent(size uint64) recent {
	return recent{
		seed: maphash.MakeSeed(), young: generation{since: size}, old: generation{since: nowhere},
	}
}

// covers says whether every key set from a log index on is remembered.
func (r *recent) covers(index uint64) bool { return min(r.old.since, r.young.since) <= index }

// add remembers a key that the entry after a log of a size sets.
func (r *recent) add(key []byte, size uint64) {
	if r.young.keys == recentKeys {
		spare := r.old.blocks
		clear(spare)
		r.old, r.young = r.young, generation{since: size, blocks: spare}
	}
	if r.young.blocks == nil {
		r.young.blocks = make([]filterBlock, recentBlocks)
	}
	r.young.keys++
	block, probes := r.place(key)
	for i, word := range probes {
		r.young.blocks[block][i] |= word
	}
}

// has says whether a key may have been added.
func (r *recent) has(key []byte) bool {
	block, probes := r.place(key)
	return r.young.has(block, &probes) || r.old.has(block, &probes)
}

func (g *generation) has(block int, probes *filterBlock) bool {
	if g.blocks == nil {
		return false
	}
	for i, word := range probes {
		if g.blocks[block][i]&word != word {
			return false
		}
	}
	return true
}

// place chooses a key's block and the bits in it, from one 64-bit hash: its
// product with the number of blocks gives the block, a second mix the bits.
func (r *recent) place(key []byte) (block int, bits filterBlock) {
	h := maphash.Bytes(r.seed, key)
	block = int(h >> 32 * recentBlocks >> 32)
	h *= 0x9e3779b97f4a7c15 // 2^64 / golden ratio: spreads the low bits
	step := h>>55 | 1
	for at, i := h>>7, 0; i < recentProbes; i++ {
		bit := at % 512
		bits[bit/64] |= 1 << (bit % 64)
		at += step
	}
	return block, bits
}
