package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// OrderedIndex finds ids by a key that many may share, in the key's order:
// work orders by due time, bids by price, readings by value. An entry is a
// key, an id (any bytes) and a small value of the contract's choice, empty
// where the id says all. Key and id together are one entry.
//
//	var due = sdk.NewOrderedIndex("due", sdk.TimeKey)
//
// Keys are those of a codec: IntKey, UintKey, TimeKey, BytesKey, TextKey, two of
// them by TwoKeys, or one in Descending order.
type OrderedIndex[K any] struct {
	m    Map
	keys Codec[K]
}

// IndexEntry is an entry of an OrderedIndex.
type IndexEntry[K any] struct {
	Key   K
	ID    []byte
	Value []byte
}

// pageEntries is how many entries a visit reads ahead.
const pageEntries = 64

// idMark stands between key and id: an entry sorts behind its bare key, also
// where the id is empty.
const idMark = 1

// NewOrderedIndex names an index (1 to 64 bytes); the name is unique among all
// that the contract keeps in its state.
func NewOrderedIndex[K any](name string, keys Codec[K]) OrderedIndex[K] {
	return OrderedIndex[K]{NewMap(name), keys}
}

// before is the state key that every entry of a key and of greater keys is above.
func (x OrderedIndex[K]) before(k K) []byte { return x.keys.Append(x.m.room(), k) }

func (x OrderedIndex[K]) at(k K, id []byte) []byte {
	return append(append(x.before(k), idMark), id...)
}

// entry reads a state key and its value.
func (x OrderedIndex[K]) entry(p Pair) IndexEntry[K] {
	k, rest, ok := x.keys.Take(p.Key[len(x.m.prefix):])
	if !ok || len(rest) == 0 || rest[0] != idMark {
		abortState()
	}
	return IndexEntry[K]{k, rest[1:], p.Value}
}

// Put adds an entry, or replaces its value.
func (x OrderedIndex[K]) Put(k K, id, value []byte) { Set(x.at(k, id), value) }

// Delete removes an entry; an absent one is no error.
func (x OrderedIndex[K]) Delete(k K, id []byte) { Delete(x.at(k, id)) }

// Move gives an id's entry another key.
func (x OrderedIndex[K]) Move(from, to K, id, value []byte) {
	x.Delete(from, id)
	x.Put(to, id, value)
}

// Get answers an entry's value and whether there is one.
func (x OrderedIndex[K]) Get(k K, id []byte) ([]byte, bool) { return Get(x.at(k, id)) }

// Each calls visit for every entry in ascending order of key, then id, until
// it answers false.
//
// Entries are read 64 at a time, before the first of them is visited. To
// delete or replace the entry visited or one before it is always right, and
// so is to add one anywhere: one added ahead is seen unless it falls among the
// entries already read. An entry ahead that is deleted may be visited still.
func (x OrderedIndex[K]) Each(visit func(e IndexEntry[K]) bool) {
	x.each(nil, nil, visit)
}

// From is Each for the keys not less than k.
func (x OrderedIndex[K]) From(k K, visit func(e IndexEntry[K]) bool) {
	x.each(x.before(k), nil, visit)
}

// Range is Each for the keys from lowest up to, and without, end.
func (x OrderedIndex[K]) Range(lowest, end K, visit func(e IndexEntry[K]) bool) {
	x.each(x.before(lowest), x.before(end), visit)
}

func (x OrderedIndex[K]) each(after, end []byte, visit func(e IndexEntry[K]) bool) {
	for {
		pairs := Scan(x.m.prefix, after, pageEntries)
		if len(pairs) == 0 {
			return
		}
		for _, p := range pairs {
			if end != nil && string(p.Key) >= string(end) || !visit(x.entry(p)) {
				return
			}
		}
		after = pairs[len(pairs)-1].Key
	}
}

// Page answers up to limit entries (1 to 255) with keys from lowest up to, and
// without, end, and a cursor for the entries after them: nil when there are
// none. The first page's cursor is nil. A cursor is a place, not a snapshot:
// entries added or removed behind it do not disturb the pages that follow. It
// may be handed out as bytes; a made-up one only begins elsewhere in the range.
func (x OrderedIndex[K]) Page(lowest, end K, cursor []byte, limit int) (page []IndexEntry[K], next []byte) {
	limit = min(max(limit, 1), abi.MaxScanPairs-1)
	after, bound := x.before(lowest), x.before(end)
	if from := x.m.full(cursor[:min(len(cursor), abi.MaxKeyBytes-len(x.m.prefix))]); string(from) > string(after) {
		after = from
	}
	for len(page) < limit {
		pairs := Scan(x.m.prefix, after, limit-len(page)+1) // one more tells whether any is left
		if len(pairs) == 0 {
			return page, nil
		}
		for _, p := range pairs {
			if string(p.Key) >= string(bound) {
				return page, nil
			}
			if len(page) == limit {
				return page, next
			}
			page = append(page, x.entry(p))
			next = p.Key[len(x.m.prefix):]
			after = p.Key
		}
	}
	if pairs := Scan(x.m.prefix, after, 1); len(pairs) == 0 || string(pairs[0].Key) >= string(bound) {
		return page, nil
	}
	return page, next
}

// First answers the entry with the least key, and of those the least id.
func (x OrderedIndex[K]) First() (e IndexEntry[K], found bool) {
	pairs := Scan(x.m.prefix, nil, 1)
	if len(pairs) == 0 {
		return e, false
	}
	return x.entry(pairs[0]), true
}

// Last answers the entry with the greatest key, and of those the greatest id.
// The state is read upwards only, so it is searched for: one page where that
// holds the index, else some dozens of short scans, at most 8 and a page for
// each byte of key and id. An index whose greatest key is asked for often is
// kept Descending, where it is First.
func (x OrderedIndex[K]) Last() (e IndexEntry[K], found bool) {
	pairs := Scan(x.m.prefix, nil, pageEntries)
	if len(pairs) == 0 {
		return e, false
	}
	best := pairs[len(pairs)-1]
	for at := len(x.m.prefix); ; at++ {
		// No key is above all that begin with best.Key[:at].
		pairs = Scan(x.m.prefix, best.Key, lastPage)
		if len(pairs) == 0 {
			return x.entry(best), true
		}
		best = highestByte(pairs[len(pairs)-1], at)
	}
}

// lastPage is how many entries Last reads to see whether it is at the end.
const lastPage = 16

// highestByte goes on from a pair to one of those that begin as it does up to
// a place and have the greatest byte there. It tries 1, 2, 4 and so on
// further, then halves what is left.
func highestByte(best Pair, at int) Pair {
	begin := best.Key[:at:at]
	low, high, step := int(best.Key[at]), 256, 1 // a key is at low, none at high
	for high-low > 1 {
		try := (low + high) / 2
		if high == 256 {
			try, step = min(low+step, 255), 2*step
		}
		// The greatest key there could be below begin and try.
		below := append(append(make([]byte, 0, abi.MaxKeyBytes), begin...), byte(try-1))
		for len(below) < abi.MaxKeyBytes {
			below = append(below, 255)
		}
		if pairs := Scan(begin, below, 1); len(pairs) > 0 {
			best = pairs[0]
			low = int(best.Key[at])
		} else {
			high = try
		}
	}
	return best
}
