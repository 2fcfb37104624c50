package module

import "unicode/utf8"

// reader walks bytes; the first fault sticks, after which reads answer zero.
type reader struct {
	buf []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = refuse("format", format, args...)
	}
}

func (r *reader) left() int { return len(r.buf) - r.off }

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.off >= len(r.buf) {
		r.fail("ends early, at offset %d", r.off)
		return 0
	}
	b := r.buf[r.off]
	r.off++
	return b
}

// take answers the next n bytes without copying.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.left() {
		r.fail("needs %d bytes at offset %d, %d are left", n, r.off, r.left())
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// leb reads a LEB128 number of at most bits bits. Padding inside the maximum
// length is allowed, as the specification does (linkers write padded
// indices); bits beyond the width must repeat the sign, or be zero.
func (r *reader) leb(bits uint, signed bool) uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if left := bits - shift; left < 7 {
			// The last byte there may be: its unused bits are the sign's.
			unused := b & 0x7f >> left
			wantOnes := signed && b>>(left-1)&1 == 1
			if b&0x80 != 0 || (!wantOnes && unused != 0) || (wantOnes && unused != 0x7f>>left) {
				r.fail("number too long at offset %d", r.off-1)
				return 0
			}
			if wantOnes {
				v |= ^uint64(0) << (bits - 1)
			}
			return v
		}
		if b&0x80 == 0 {
			if signed && b&0x40 != 0 {
				v |= ^uint64(0) << (shift + 7)
			}
			return v
		}
	}
}

func (r *reader) u32() uint32 { return uint32(r.leb(32, false)) }
func (r *reader) s32() int32  { return int32(r.leb(32, true)) }
func (r *reader) s64() int64  { return int64(r.leb(64, true)) }

// count reads the length of a vector, refused over its limit or when its
// items, a byte each at least, cannot be there.
func (r *reader) count(rule, what string, limit int) int {
	n := r.u32()
	if r.err != nil {
		return 0
	}
	if uint64(n) > uint64(limit) {
		r.err = over(rule, what, uint64(n), limit)
		return 0
	}
	if int(n) > r.left() {
		r.fail("%d %s do not fit what is left at offset %d", n, what, r.off)
		return 0
	}
	return int(n)
}

func (r *reader) name(limit int) string {
	b := r.take(r.count("name-bytes", "bytes of a name", limit))
	if r.err == nil && !utf8.Valid(b) {
		r.fail("name at offset %d is not UTF-8", r.off-len(b))
	}
	return string(b)
}
