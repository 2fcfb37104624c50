package sdk

// Table is a part of the contract's state with typed keys and values. Its
// entries are in the order of the key's codec: numbers by size, text by bytes.
type Table[K, V any] struct {
	m      Map
	keys   Codec[K]
	values Codec[V]
}

// NewTable names a table (1 to 64 bytes); the name is unique among all that the
// contract keeps in its state.
//
//	var bays = sdk.NewTable("bays", sdk.TextKey, sdk.RecordOf(1, bayFields))
func NewTable[K, V any](name string, keys Codec[K], values Codec[V]) Table[K, V] {
	return Table[K, V]{NewMap(name), keys, values}
}

// at is the state key of an entry.
func (t Table[K, V]) at(k K) []byte { return t.keys.Append(t.m.room(), k) }

// Get answers the value under a key, or the zero value and false.
func (t Table[K, V]) Get(k K) (v V, found bool) {
	b, found := Get(t.at(k))
	if found {
		v = whole(t.values, b)
	}
	return v, found
}

// Has says whether there is a value under a key.
func (t Table[K, V]) Has(k K) bool {
	_, found := GetInto(t.at(k), nil)
	return found
}

// Set stores a value under a key.
func (t Table[K, V]) Set(k K, v V) { Set(t.at(k), t.values.Append(nil, v)) }

// Delete removes a key; an absent one is no error.
func (t Table[K, V]) Delete(k K) { Delete(t.at(k)) }

// Each calls visit for every entry in ascending order until it answers false.
// Entries are read ahead, 64 at a time: one that visit changes ahead of itself
// may be seen as it was. To delete or replace the entry visited, or one before
// it, is always right.
func (t Table[K, V]) Each(visit func(k K, v V) bool) { t.each(nil, visit) }

// After is Each for the keys greater than k: the next page of a query.
func (t Table[K, V]) After(k K, visit func(k K, v V) bool) { t.each(t.at(k), visit) }

func (t Table[K, V]) each(after []byte, visit func(k K, v V) bool) {
	Each(t.m.prefix, after, func(key, value []byte) bool {
		return visit(whole(t.keys, key[len(t.m.prefix):]), whole(t.values, value))
	})
}

// whole reads a value that is all of b.
func whole[T any](c Codec[T], b []byte) T {
	v, rest, ok := c.Take(b)
	if !ok || len(rest) > 0 {
		abortState()
	}
	return v
}

//go:noinline
func abortState() { Abort(CodeState, "a stored key or value has another form than its reader expects") }

// SignedCounter is a number of the contract's state that goes up and down, 0
// until it is set.
type SignedCounter struct{ key []byte }

// NewSignedCounter names a counter as NewCounter does.
func NewSignedCounter(name string) SignedCounter { return SignedCounter{stateKey(name)} }

// Value reads the counter.
func (c SignedCounter) Value() int64 {
	v, _ := GetI64(c.key)
	return v
}

// Add adds to the counter and answers its new value. It aborts with
// CodeOverflow where an int64 does not hold it.
func (c SignedCounter) Add(n int64) int64 {
	v := sum(c.Value(), n)
	SetI64(c.key, v)
	return v
}

func sum(a, b int64) int64 {
	v, ok := CheckedAdd(a, b)
	if !ok {
		abortOverflow()
	}
	return v
}

// Counters are signed numbers under keys, each 0 until it is set: what every
// meter used, how many cars are in every street.
type Counters[K any] struct {
	m    Map
	keys Codec[K]
}

// NewCounters names them as NewTable does.
func NewCounters[K any](name string, keys Codec[K]) Counters[K] {
	return Counters[K]{NewMap(name), keys}
}

func (c Counters[K]) at(k K) []byte { return c.keys.Append(c.m.room(), k) }

// Value reads a counter.
func (c Counters[K]) Value(k K) int64 {
	v, _ := GetI64(c.at(k))
	return v
}

// Add adds to a counter as SignedCounter.Add does. One that comes to 0 is
// removed from the state.
func (c Counters[K]) Add(k K, n int64) int64 {
	key := c.at(k)
	v, _ := GetI64(key)
	if v = sum(v, n); v == 0 {
		Delete(key)
	} else {
		SetI64(key, v)
	}
	return v
}

// Each calls visit for every counter that is not 0, by the rules of Table.Each.
func (c Counters[K]) Each(visit func(k K, v int64) bool) {
	Each(c.m.prefix, nil, func(key, value []byte) bool {
		if len(value) != 8 {
			abortState()
		}
		return visit(whole(c.keys, key[len(c.m.prefix):]), int64(U64(value)))
	})
}
