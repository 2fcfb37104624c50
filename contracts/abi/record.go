package abi

// Sizes of the fixed parts of input records, in bytes.
const (
	EventHeaderBytes = 53
	CallHeaderBytes  = 36
	TimerHeaderBytes = 32
)

// EventHeader begins the input of cairn_event. The byte slices point into the
// record they were read from.
type EventHeader struct {
	Height      uint64 // of the block that delivers
	TimeMs      uint64 // of that block, Unix milliseconds
	Index       uint64 // of the event's entry in the log
	EventTimeNs int64  // what the producer said, Unix nanoseconds; 0 without HasTime
	HasTime     bool
	Origin      [AddressBytes]byte // who signed it, or the contract that emitted it
	ID          []byte
	Source      []byte
	Type        []byte
	Subject     []byte // may be empty
}

// CallHeader begins the input of cairn_init, cairn_call and cairn_query.
type CallHeader struct {
	Height uint64
	TimeMs uint64
	Caller [AddressBytes]byte // zero for queries
}

// TimerHeader is the input of cairn_timer.
type TimerHeader struct {
	Height uint64 // of the block in which it fires
	TimeMs uint64 // of that block
	Index  uint64 // of its entry in the log
	ID     uint64 // what schedule answered
	Data   []byte // what schedule was given
}

// Reader walks a record in order, without allocating. A read past the end
// answers zero and marks the reader; Done tells whether the record was read
// exactly. The host writes what the manifest says, so a mark means that the
// contract was built against another manifest.
type Reader struct {
	buf []byte
	off int
	bad bool
}

// NewReader reads from the start of record, which it does not copy.
func NewReader(record []byte) Reader { return Reader{buf: record} }

// Ok says whether every read so far was inside the record and well formed.
func (r *Reader) Ok() bool { return !r.bad }

// Done says whether the record was well formed and is used up.
func (r *Reader) Done() bool { return !r.bad && r.off == len(r.buf) }

// take answers the next n bytes, or nil past the end. n is never negative.
func (r *Reader) take(n int) []byte {
	if r.bad || n > len(r.buf)-r.off {
		r.bad = true
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Uint reads 8 bytes: the value of a uint field.
func (r *Reader) Uint() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// Int reads 8 bytes: the value of an int, decimal or time field.
func (r *Reader) Int() int64 { return int64(r.Uint()) }

// Bool reads 1 byte: the value of a bool field. Other bytes than 0 and 1 mark the reader.
func (r *Reader) Bool() bool {
	b := r.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		r.bad = true
	}
	return b[0] == 1
}

// Present reads the presence byte that precedes every field's value.
func (r *Reader) Present() bool { return r.Bool() }

// Bytes reads a length and that many bytes, which alias the record: the value
// of a string or bytes field.
func (r *Reader) Bytes() []byte {
	b := r.take(4)
	if b == nil {
		return nil
	}
	n := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	if n > MaxInputBytes {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

// address reads 20 bytes.
func (r *Reader) address() (a [AddressBytes]byte) {
	copy(a[:], r.take(AddressBytes))
	return a
}

// EventHeader reads the header of an event record; the fields follow.
func (r *Reader) EventHeader() EventHeader {
	var h EventHeader
	h.Height = r.Uint()
	h.TimeMs = r.Uint()
	h.Index = r.Uint()
	h.EventTimeNs = r.Int()
	h.HasTime = r.Bool()
	h.Origin = r.address()
	h.ID = r.Bytes()
	h.Source = r.Bytes()
	h.Type = r.Bytes()
	h.Subject = r.Bytes()
	return h
}

// CallHeader reads the header of an init, call or query record; the fields follow.
func (r *Reader) CallHeader() CallHeader {
	var h CallHeader
	h.Height = r.Uint()
	h.TimeMs = r.Uint()
	h.Caller = r.address()
	return h
}

// TimerHeader reads a timer record.
func (r *Reader) TimerHeader() TimerHeader {
	var h TimerHeader
	h.Height = r.Uint()
	h.TimeMs = r.Uint()
	h.Index = r.Uint()
	h.ID = r.Uint()
	h.Data = r.Bytes()
	return h
}

// AppendTimerHeader writes what Reader.TimerHeader reads.
func AppendTimerHeader(dst []byte, h *TimerHeader) []byte {
	dst = AppendU64(dst, h.Height)
	dst = AppendU64(dst, h.TimeMs)
	dst = AppendU64(dst, h.Index)
	dst = AppendU64(dst, h.ID)
	return AppendRun(dst, h.Data)
}

// AppendEventHeader writes what Reader.EventHeader reads.
func AppendEventHeader(dst []byte, h *EventHeader) []byte {
	dst = AppendU64(dst, h.Height)
	dst = AppendU64(dst, h.TimeMs)
	dst = AppendU64(dst, h.Index)
	dst = AppendU64(dst, uint64(h.EventTimeNs))
	dst = AppendFlag(dst, h.HasTime)
	dst = append(dst, h.Origin[:]...)
	dst = AppendRun(dst, h.ID)
	dst = AppendRun(dst, h.Source)
	dst = AppendRun(dst, h.Type)
	return AppendRun(dst, h.Subject)
}

// AppendCallHeader writes what Reader.CallHeader reads.
func AppendCallHeader(dst []byte, h *CallHeader) []byte {
	dst = AppendU64(dst, h.Height)
	dst = AppendU64(dst, h.TimeMs)
	return append(dst, h.Caller[:]...)
}

// AppendU32 appends a little-endian number, such as the lengths of a scan page.
func AppendU32(dst []byte, v uint32) []byte {
	return append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// AppendU64 appends a little-endian number: the value of a uint, int, decimal
// or time field (signed ones in two's complement).
func AppendU64(dst []byte, v uint64) []byte {
	return append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24),
		byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
}

// AppendFlag appends 0 or 1: a presence byte or the value of a bool field.
func AppendFlag(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendRun appends a length and the bytes: the value of a string or bytes field.
func AppendRun(dst, b []byte) []byte {
	dst = AppendU32(dst, uint32(len(b)))
	return append(dst, b...)
}
