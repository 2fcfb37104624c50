package meter

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// appendU32 appends minimal unsigned LEB128.
func appendU32(dst []byte, v uint32) []byte { return binary.AppendUvarint(dst, uint64(v)) }

// appendS64 appends minimal signed LEB128.
func appendS64(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}

func appendName(dst []byte, s string) []byte { return append(appendU32(dst, uint32(len(s))), s...) }

// appendSection appends a section's id, size and contents.
func appendSection(dst []byte, id byte, contents []byte) []byte {
	dst = appendU32(append(dst, id), uint32(len(contents)))
	return append(dst, contents...)
}

// code assembles instructions.
type code struct{ out []byte }

// op appends opcodes without immediates.
func (c *code) op(ops ...byte) { c.out = append(c.out, ops...) }

// index appends an instruction with one index.
func (c *code) index(op byte, i uint32) { c.out = appendU32(append(c.out, op), i) }

func (c *code) i32Const(v int32) { c.out = appendS64(append(c.out, module.OpI32Const), int64(v)) }
func (c *code) i64Const(v int64) { c.out = appendS64(append(c.out, module.OpI64Const), v) }

// trapIf ends what left an i32 condition on the stack: nonzero traps.
func (c *code) trapIf() { c.op(module.OpIf, 0x40, module.OpUnreachable, module.OpEnd) }

// scratch are the locals a body gets when it needs them.
type scratch struct {
	base  uint32 // locals the body already has
	types []byte // of the scratch locals
	index map[string]uint32
}

// local answers the scratch local of a name, added on first use.
func (s *scratch) local(name string, kind byte) uint32 {
	if i, ok := s.index[name]; ok {
		return i
	}
	i := s.base + uint32(len(s.types))
	s.types = append(s.types, kind)
	s.index[name] = i
	return i
}
