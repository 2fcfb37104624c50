package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// packer writes a stored record: little-endian numbers and short runs of
// bytes, one after the other. Its buffer is made of the right size beforehand: a
// reading writes a record, and an append for every number costs more gas than
// all else that is done with it.
type packer struct {
	buf []byte
	n   int
}

func newPacker(size int) packer { return packer{buf: make([]byte, size)} }

func (p *packer) bytes() []byte { return p.buf[:p.n] }

func (p *packer) u8(v uint8) {
	p.buf[p.n] = v
	p.n++
}

func (p *packer) u16(v uint16) {
	p.buf[p.n], p.buf[p.n+1] = byte(v), byte(v>>8)
	p.n += 2
}

func (p *packer) u32(v uint32) {
	sdk.PutU32(p.buf[p.n:], v)
	p.n += 4
}

func (p *packer) u64(v uint64) {
	sdk.PutU64(p.buf[p.n:], v)
	p.n += 8
}

// next answers the next n bytes, to be written at fixed offsets.
func (p *packer) next(n int) []byte {
	p.n += n
	return p.buf[p.n-n : p.n]
}

func (p *packer) raw(b []byte) { p.n += copy(p.buf[p.n:], b) }

// run writes at most 255 bytes behind their number.
func (p *packer) run(b []byte) {
	p.u8(uint8(len(b)))
	p.raw(b)
}

// unpacker reads what a packer wrote. A read past the end answers zeros and
// marks the reader.
type unpacker struct {
	b   []byte
	off int
	bad bool
}

// raw answers the next n bytes, which alias the record.
func (u *unpacker) raw(n int) []byte {
	if n > len(u.b)-u.off {
		u.bad = true
		return make([]byte, n)
	}
	u.off += n
	return u.b[u.off-n : u.off : u.off]
}

func (u *unpacker) u8() uint8   { return u.raw(1)[0] }
func (u *unpacker) u32() uint32 { return sdk.U32(u.raw(4)) }
func (u *unpacker) u64() uint64 { return sdk.U64(u.raw(8)) }
func (u *unpacker) u16() uint16 {
	b := u.raw(2)
	return uint16(b[0]) | uint16(b[1])<<8
}

// run reads bytes behind their number.
func (u *unpacker) run() []byte { return u.raw(int(u.u8())) }

// count reads how many of something follow, at most limit.
func (u *unpacker) count(limit int) int {
	n := int(u.u8())
	if n > limit {
		u.bad = true
		return 0
	}
	return n
}

// finish aborts unless the record was read exactly.
func (u *unpacker) finish() {
	if u.bad || u.off != len(u.b) {
		sdk.Abort(codeBadState, "BAD_STATE: a stored record is malformed")
	}
}
