package sdk

// firstRead is the buffer of a first attempt at a value, in bytes. A longer
// value costs a second host call; use GetInto where that is common.
const firstRead = 512

// Pair is a key of the contract's state and its value.
type Pair struct{ Key, Value []byte }

// Get answers the value under a key of the contract's own state, and whether
// there is one. It sees what this delivery wrote.
func Get(key []byte) (value []byte, found bool) {
	buf := make([]byte, firstRead)
	size, found := GetInto(key, buf)
	if !found {
		return nil, false
	}
	if size > len(buf) {
		buf = make([]byte, size)
		size, _ = GetInto(key, buf)
	}
	return buf[:size], true
}

// GetInto copies the value under a key into buf, as far as it fits, and
// answers the value's whole size. It allocates nothing.
func GetInto(key, buf []byte) (size int, found bool) {
	n := hostStateGet(key, buf)
	if n < 0 {
		return 0, false
	}
	return int(n), true
}

// Set stores a value (up to abi.MaxValueBytes) under a key (1 to abi.MaxKeyBytes).
func Set(key, value []byte) { hostStateSet(key, value) }

// Delete removes a key; an absent one is no error.
func Delete(key []byte) { hostStateDelete(key) }

// Scan answers up to limit pairs (1 to abi.MaxScanPairs) whose key starts with
// prefix and is greater than after, in ascending byte order: fewer when no
// more fit a page. An empty answer means that none is left. Start with a nil
// after, go on with the last key.
func Scan(prefix, after []byte, limit int) []Pair {
	buf := make([]byte, pageBytes(limit))
	n := hostStateScan(prefix, after, uint32(limit), buf)
	if n < 0 { // one pair is larger than the page
		buf = make([]byte, -n)
		n = hostStateScan(prefix, after, uint32(limit), buf)
	}
	pairs := make([]Pair, 0, min(max(limit, 1), 64))
	for rest := buf[:n]; len(rest) > 0; {
		var pair Pair
		pair.Key, rest = run(rest)
		pair.Value, rest = run(rest)
		pairs = append(pairs, pair)
	}
	return pairs
}

// run cuts a length and that many bytes off a scan's page.
func run(page []byte) (b, rest []byte) {
	if len(page) < 4 || uint64(U32(page)) > uint64(len(page)-4) {
		Abort(CodeState, "a scan's page is malformed")
	}
	end := 4 + int(U32(page))
	return page[4:end:end], page[end:]
}

// pageBytes is a guess at what limit small pairs need.
func pageBytes(limit int) int { return min(max(limit, 1)*128, 16<<10) }

// Each calls visit for every pair whose key starts with prefix and is greater
// than after, in ascending byte order, until visit answers false. Pairs that
// visit changes ahead of itself are seen changed or not: change them after.
func Each(prefix, after []byte, visit func(key, value []byte) bool) {
	for {
		pairs := Scan(prefix, after, 64)
		if len(pairs) == 0 {
			return
		}
		for _, p := range pairs {
			if !visit(p.Key, p.Value) {
				return
			}
		}
		after = pairs[len(pairs)-1].Key
	}
}

// Counter is a number of the contract's state, 0 until it is set.
type Counter struct{ key []byte }

// NewCounter names a counter; the name is unique among the contract's counters and maps.
func NewCounter(name string) Counter { return Counter{stateKey(name)} }

// Value reads the counter.
func (c Counter) Value() uint64 {
	v, _ := GetU64(c.key)
	return v
}

// Add adds to the counter and answers its new value, which wraps at 2^64.
func (c Counter) Add(n uint64) uint64 {
	v := c.Value() + n
	SetU64(c.key, v)
	return v
}

// Map is a part of the contract's state with keys of its own.
type Map struct{ prefix []byte }

// NewMap names a map (1 to 64 bytes); the name is unique among the contract's
// counters and maps. Maps never overlap, whatever their names and keys.
func NewMap(name string) Map { return Map{stateKey(name)} }

// stateKey is the name behind its length, so that no name begins another.
func stateKey(name string) []byte {
	if len(name) == 0 || len(name) > 64 {
		panic("the name of a map or counter has 1 to 64 bytes")
	}
	key := make([]byte, 0, 1+len(name))
	return append(append(key, byte(len(name))), name...)
}

// full is the state key of a map's key. Its array is fresh: appending to the
// prefix in place could overwrite another key's bytes.
func (m Map) full(key []byte) []byte {
	k := make([]byte, 0, len(m.prefix)+len(key))
	return append(append(k, m.prefix...), key...)
}

// room is the start of a state key, with space for a typed key to be appended.
func (m Map) room() []byte {
	return append(make([]byte, 0, len(m.prefix)+48), m.prefix...)
}

// Get answers the value under a key and whether there is one.
func (m Map) Get(key []byte) ([]byte, bool) { return Get(m.full(key)) }

// GetInto copies the value under a key into buf and answers its whole size.
func (m Map) GetInto(key, buf []byte) (int, bool) { return GetInto(m.full(key), buf) }

// Set stores a value under a key. Key and map name together are at most
// abi.MaxKeyBytes-1 bytes.
func (m Map) Set(key, value []byte) { Set(m.full(key), value) }

// Delete removes a key.
func (m Map) Delete(key []byte) { Delete(m.full(key)) }

// Each calls visit for every key greater than after (nil for all), in
// ascending byte order, until it answers false.
func (m Map) Each(after []byte, visit func(key, value []byte) bool) {
	if len(after) > 0 {
		after = m.full(after)
	}
	Each(m.prefix, after, func(key, value []byte) bool { return visit(key[len(m.prefix):], value) })
}

// GetU64 reads an 8-byte little-endian number; another size aborts with CodeState.
func GetU64(key []byte) (v uint64, found bool) {
	var b [8]byte
	size, found := GetInto(key, b[:])
	if !found {
		return 0, false
	}
	if size != len(b) {
		Abort(CodeState, "a stored number has not 8 bytes")
	}
	return U64(b[:]), true
}

// SetU64 stores an 8-byte little-endian number.
func SetU64(key []byte, v uint64) {
	var b [8]byte
	PutU64(b[:], v)
	Set(key, b[:])
}

// GetI64 reads a signed number, two's complement.
func GetI64(key []byte) (int64, bool) {
	v, found := GetU64(key)
	return int64(v), found
}

// SetI64 stores a signed number, two's complement.
func SetI64(key []byte, v int64) { SetU64(key, uint64(v)) }

// U64 reads the little-endian number in the first 8 bytes of b.
func U64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// PutU64 writes a little-endian number into the first 8 bytes of b.
func PutU64(b []byte, v uint64) {
	_ = b[7]
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	b[4], b[5], b[6], b[7] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
}

// U32 reads the little-endian number in the first 4 bytes of b.
func U32(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// PutU32 writes a little-endian number into the first 4 bytes of b.
func PutU32(b []byte, v uint32) {
	_ = b[3]
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}
