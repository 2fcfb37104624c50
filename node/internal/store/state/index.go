package state

import (
	"slices"
	"sort"
)

// index keeps keys in order, in chunks of at most chunkKeys, so that adding
// one to many moves little: a block may change and scan tens of thousands of
// times in turn, and each scan costs the gas of one.
type index struct {
	chunks [][]string
	size   int
}

const chunkKeys = 256

// add puts in keys that are not there yet, in any order, and may sort keys.
// Only many at once are worth sorting all again: then what was sorted before
// grows by a share each time, and adding n keys takes n log n steps.
func (x *index) add(keys []string) {
	few := len(keys) < x.size/4
	x.size += len(keys)
	if few {
		for _, key := range keys {
			x.insert(key)
		}
		return
	}
	for _, chunk := range x.chunks {
		keys = append(keys, chunk...)
	}
	slices.Sort(keys)
	x.chunks = x.chunks[:0]
	for part := range slices.Chunk(keys, chunkKeys/2) {
		x.chunks = append(x.chunks, slices.Clone(part))
	}
}

func (x *index) insert(key string) {
	c := max(0, x.chunkOf(key))
	chunk := x.chunks[c]
	at, _ := slices.BinarySearch(chunk, key)
	chunk = slices.Insert(chunk, at, key)
	if x.chunks[c] = chunk; len(chunk) > chunkKeys {
		half := len(chunk) / 2
		x.chunks[c] = slices.Clip(chunk[:half])
		x.chunks = slices.Insert(x.chunks, c+1, slices.Clone(chunk[half:]))
	}
}

// chunkOf is the last chunk that starts at or before a key; -1 if none does.
func (x *index) chunkOf(key string) int {
	return sort.Search(len(x.chunks), func(i int) bool { return x.chunks[i][0] > key }) - 1
}

// from is a position at the first key that is at least key.
func (x *index) from(key string) indexAt {
	at := indexAt{index: x, chunk: max(0, x.chunkOf(key))}
	if at.chunk < len(x.chunks) {
		at.key, _ = slices.BinarySearch(x.chunks[at.chunk], key)
		at.settle()
	}
	return at
}

// indexAt is a position in an index that does not change meanwhile.
type indexAt struct {
	index      *index
	chunk, key int
}

func (a *indexAt) settle() {
	if a.key == len(a.index.chunks[a.chunk]) {
		a.chunk, a.key = a.chunk+1, 0
	}
}

// peek is the key at the position; ok is false past the last.
func (a *indexAt) peek() (key string, ok bool) {
	if a.chunk >= len(a.index.chunks) {
		return "", false
	}
	return a.index.chunks[a.chunk][a.key], true
}

func (a *indexAt) advance() {
	a.key++
	a.settle()
}
