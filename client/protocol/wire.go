package protocol

import (
	"encoding/binary"
	"fmt"
)

// reader walks a canonical encoding. The first fault sticks; after it every
// read answers zero values, so decoders check err once at the end.
type reader struct {
	buf []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes without copying.
func (r *reader) take(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf)-r.off {
		r.fail("%s: needs %d bytes, %d left", what, n, len(r.buf)-r.off)
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) u8(what string) byte {
	if b := r.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u64(what string) uint64 {
	if b := r.take(8, what); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// uvarint reads a minimal LEB128 number no greater than limit.
func (r *reader) uvarint(limit uint64, what string) uint64 {
	if r.err != nil {
		return 0
	}
	// The one-byte case is nearly every case: lengths of short attributes.
	if r.off < len(r.buf) && r.buf[r.off] < 0x80 {
		v := uint64(r.buf[r.off])
		r.off++
		if v > limit {
			r.fail("%s: %d is over the limit %d", what, v, limit)
			return 0
		}
		return v
	}
	v, n := binary.Uvarint(r.buf[r.off:])
	switch {
	case n <= 0:
		r.fail("%s: truncated or overflowing number", what)
		return 0
	case r.buf[r.off+n-1] == 0:
		r.fail("%s: number is not minimal", what)
		return 0
	case v > limit:
		r.fail("%s: %d is over the limit %d", what, v, limit)
		return 0
	}
	r.off += n
	return v
}

// bytes reads a length-prefixed run of at most limit bytes without copying.
func (r *reader) bytes(limit int, what string) []byte {
	n := r.uvarint(uint64(limit), what)
	return r.take(int(n), what)
}

func (r *reader) string(limit int, what string) string { return string(r.bytes(limit, what)) }

// end answers the sticky fault, or one about bytes left over.
func (r *reader) end() error {
	if r.err == nil && r.off != len(r.buf) {
		r.fail("%d bytes left over", len(r.buf)-r.off)
	}
	return r.err
}

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}
