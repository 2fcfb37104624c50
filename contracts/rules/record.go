package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// writer appends the values of a stored record.
type writer struct{ buf []byte }

func (w *writer) byte(v uint8) { w.buf = append(w.buf, v) }

func (w *writer) bool(v bool) {
	if v {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (w *writer) u32(v uint32) {
	w.buf = append(w.buf, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func (w *writer) i64(v int64) {
	w.u32(uint32(v))
	w.u32(uint32(v >> 32))
}

func (w *writer) place(p place) {
	w.i64(p.timeNs)
	w.i64(int64(p.entry))
}

// short writes at most 255 bytes behind their number.
func (w *writer) short(b []byte) {
	w.byte(byte(len(b)))
	w.buf = append(w.buf, b...)
}

// reader takes the values of a stored record; what does not fit aborts.
type reader struct{ buf []byte }

func badState() { sdk.Abort(codeBadState, "BAD_STATE: a stored record is malformed") }

func (r *reader) take(n int) []byte {
	if n > len(r.buf) {
		badState()
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) byte() uint8  { return r.take(1)[0] }
func (r *reader) bool() bool   { return r.byte() != 0 }
func (r *reader) u32() uint32  { return sdk.U32(r.take(4)) }
func (r *reader) i64() int64   { return int64(sdk.U64(r.take(8))) }
func (r *reader) place() place { return place{r.i64(), uint64(r.i64())} }
func (r *reader) short() []byte {
	return r.take(int(r.byte()))
}

// end aborts unless the record is used up.
func (r *reader) end() {
	if len(r.buf) != 0 {
		badState()
	}
}

// format is the first byte of every record.
const format = 1

func newWriter() *writer {
	w := &writer{make([]byte, 0, 256)}
	w.byte(format)
	return w
}

func newReader(record []byte) *reader {
	r := &reader{record}
	if r.byte() != format {
		badState()
	}
	return r
}

// usualBytes is the buffer of a first attempt at a rule or state: a second
// read costs more than room does.
const usualBytes = 1536

// readRecord reads a record that may be longer than the SDK's first attempt.
func readRecord(m sdk.Map, key []byte) (record []byte, found bool) {
	buf := make([]byte, usualBytes)
	size, found := m.GetInto(key, buf)
	if size > len(buf) {
		return m.Get(key)
	}
	return buf[:size], found
}

// same says whether two texts are equal, and is whether one is a constant,
// without the copies that a guest's conversion to string makes.
func same(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if c != b[i] {
			return false
		}
	}
	return true
}

func is(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if c != b[i] {
			return false
		}
	}
	return true
}
