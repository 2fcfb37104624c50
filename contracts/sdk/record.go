package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Record is a stored value of fixed layout: a version byte and the fields one
// behind the other, little-endian. One function lists the fields, and serves
// to read and to write them, so that the two cannot drift apart:
//
//	func bayFields(r *sdk.Record, b *bay) {
//		r.Bool(&b.taken)
//		r.I64(&b.sinceNs)
//		if r.Since(2) {
//			r.Text(&b.plate) // records of version 1 have none: it stays ""
//		}
//	}
//
//	var bays = sdk.NewTable("bays", sdk.TextKey, sdk.RecordOf(2, bayFields))
//
// The value of a version above the codec's, of version 0, or of another size
// than its fields is malformed: reading it through a table aborts with CodeState.
type Record struct {
	buf     []byte // what is written so far, or left to read
	version byte
	writing bool
	bad     bool
}

// RecordOf is the codec of values whose fields a function lists; version is 1
// to 255, and what it writes. It is no codec of keys.
func RecordOf[V any](version byte, fields func(r *Record, v *V)) Codec[V] {
	return Codec[V]{
		Append: func(dst []byte, v V) []byte {
			if dst == nil {
				dst = make([]byte, 0, 96)
			}
			r := Record{buf: append(dst, version), version: version, writing: true}
			fields(&r, &v)
			return r.buf
		},
		Take: func(b []byte) (v V, rest []byte, ok bool) {
			if len(b) == 0 || b[0] == 0 || b[0] > version {
				return v, nil, false
			}
			r := Record{buf: b[1:], version: b[0]}
			fields(&r, &v)
			return v, r.buf, !r.bad
		},
	}
}

// Since says whether the record has the fields that came with a version.
func (r *Record) Since(version byte) bool { return r.version >= version }

// take answers the next n bytes to read, or zeros past the end.
func (r *Record) take(n int) []byte {
	if n > len(r.buf) {
		r.bad, r.buf = true, nil
		return make([]byte, n)
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// small reads or writes a field of 1 byte.
//
//go:noinline
func (r *Record) small(v uint8) uint8 {
	if r.writing {
		r.buf = append(r.buf, v)
		return v
	}
	return r.take(1)[0]
}

// number reads or writes a field of 8 bytes.
//
//go:noinline
func (r *Record) number(v uint64) uint64 {
	if r.writing {
		r.buf = abi.AppendU64(r.buf, v)
		return v
	}
	return U64(r.take(8))
}

// U8 is a field of 1 byte.
func (r *Record) U8(v *uint8) { *v = r.small(*v) }

// U32 is a field of 4 bytes.
//
//go:noinline
func (r *Record) U32(v *uint32) {
	if r.writing {
		r.buf = abi.AppendU32(r.buf, *v)
		return
	}
	*v = U32(r.take(4))
}

// I32 is a field of 4 bytes.
func (r *Record) I32(v *int32) {
	n := uint32(*v)
	r.U32(&n)
	*v = int32(n)
}

// U64 is a field of 8 bytes.
func (r *Record) U64(v *uint64) { *v = r.number(*v) }

// I64 is a field of 8 bytes.
func (r *Record) I64(v *int64) { *v = int64(r.number(uint64(*v))) }

// Bool is a field of 1 byte, 0 or 1.
func (r *Record) Bool(v *bool) {
	n := uint8(0)
	if *v {
		n = 1
	}
	n = r.small(n)
	r.bad = r.bad || n > 1
	*v = n == 1
}

// Decimal is a field of 9 bytes: mantissa and scale.
func (r *Record) Decimal(v *Decimal) {
	r.I64(&v.Mantissa)
	r.U8(&v.Scale)
	r.bad = r.bad || v.Scale > MaxScale
}

// Fixed is a field of as many bytes as v has: an address, a hash.
func (r *Record) Fixed(v []byte) {
	if r.writing {
		r.buf = append(r.buf, v...)
		return
	}
	copy(v, r.take(len(v)))
}

// Bytes is a field of any size: 4 bytes of length and the bytes, which a
// reader may keep.
func (r *Record) Bytes(v *[]byte) {
	n := uint32(len(*v))
	r.U32(&n)
	if r.writing {
		r.buf = append(r.buf, *v...)
		return
	}
	if uint64(n) > uint64(len(r.buf)) {
		r.bad, r.buf = true, nil
		n = 0
	}
	*v = r.take(int(n))
}

// Text is a field of any size, as Bytes is.
func (r *Record) Text(v *string) {
	if r.writing {
		n := uint32(len(*v))
		r.U32(&n)
		r.buf = append(r.buf, *v...)
		return
	}
	var b []byte
	r.Bytes(&b)
	*v = string(b)
}
