package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// packer writes a stored record: little-endian numbers and short runs of
// bytes, one after the other.
type packer []byte

func (p *packer) u8(v uint8)   { *p = append(*p, v) }
func (p *packer) u16(v uint16) { *p = append(*p, byte(v), byte(v>>8)) }
func (p *packer) u32(v uint32) { *p = append(*p, byte(v), byte(v>>8), byte(v>>16), byte(v>>24)) }
func (p *packer) u64(v uint64) {
	p.u32(uint32(v))
	p.u32(uint32(v >> 32))
}
func (p *packer) raw(b []byte) { *p = append(*p, b...) }

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

var zeros [8]byte

// raw answers the next n bytes, which alias the record. Numbers read at most
// 8 of them, so zeros are enough where the record has ended.
func (u *unpacker) raw(n int) []byte {
	if n > len(u.b)-u.off {
		u.bad = true
		return zeros[:min(n, len(zeros))]
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
