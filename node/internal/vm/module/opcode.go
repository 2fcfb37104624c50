package module

// Opcodes that something here treats specially; the rest are known by their
// place in the immediates table. Two-byte opcodes are 0xfc00 plus the second.
const (
	OpUnreachable  = 0x00
	OpBlock        = 0x02
	OpLoop         = 0x03
	OpIf           = 0x04
	OpElse         = 0x05
	OpEnd          = 0x0b
	OpBr           = 0x0c
	OpBrIf         = 0x0d
	OpBrTable      = 0x0e
	OpReturn       = 0x0f
	OpCall         = 0x10
	OpCallIndirect = 0x11
	OpSelect       = 0x1b
	OpLocalGet     = 0x20
	OpLocalSet     = 0x21
	OpLocalTee     = 0x22
	OpGlobalGet    = 0x23
	OpGlobalSet    = 0x24
	OpMemorySize   = 0x3f
	OpMemoryGrow   = 0x40
	OpI32Const     = 0x41
	OpI64Const     = 0x42
	OpF32Const     = 0x43
	OpF64Const     = 0x44
	OpI32Eqz       = 0x45
	OpI64Eqz       = 0x50
	OpI32Eq        = 0x46
	OpI64Eq        = 0x51
	OpI64LtS       = 0x53
	OpI32LtS       = 0x48
	OpF32Eq        = 0x5b
	OpF64Eq        = 0x61
	OpI32Add       = 0x6a
	OpI32Sub       = 0x6b
	OpI32Mul       = 0x6c
	OpI32DivS      = 0x6d
	OpI32DivU      = 0x6e
	OpI32RemS      = 0x6f
	OpI32RemU      = 0x70
	OpI32And       = 0x71
	OpI32Or        = 0x72
	OpI64Add       = 0x7c
	OpI64Sub       = 0x7d
	OpI64Mul       = 0x7e
	OpI64DivS      = 0x7f
	OpI64DivU      = 0x80
	OpI64RemS      = 0x81
	OpI64RemU      = 0x82
	OpI64And       = 0x83
	OpI64Or        = 0x84
	OpI64ShrU      = 0x88
	OpI64ExtendU   = 0xad // i64.extend_i32_u
	OpI64Extend32S = 0xc4 // the last one-byte opcode understood
	OpMemoryCopy   = 0xfc0a
	OpMemoryFill   = 0xfc0b
)

// immediate says what follows an opcode.
type immediate uint8

const (
	immRefused immediate = iota
	immNone
	immBlock    // block type
	immLabel    // label index
	immTable    // br_table
	immFunc     // function index
	immIndirect // type index, table index
	immLocal
	immGlobal
	immMemory // alignment, offset
	immZero   // memory index, zero
	immZeros  // two of them
	immI32
	immI64
	immF32
	immF64
)

// immediates has one entry per one-byte opcode.
var immediates = func() (t [256]immediate) {
	for _, r := range [...]struct {
		from, to int
		imm      immediate
	}{
		{0x00, 0x01, immNone}, {OpBlock, OpIf, immBlock}, {OpElse, OpElse, immNone}, {OpEnd, OpEnd, immNone},
		{OpBr, OpBrIf, immLabel}, {OpBrTable, OpBrTable, immTable}, {OpReturn, OpReturn, immNone},
		{OpCall, OpCall, immFunc}, {OpCallIndirect, OpCallIndirect, immIndirect},
		{0x1a, OpSelect, immNone}, {OpLocalGet, OpLocalTee, immLocal}, {OpGlobalGet, OpGlobalSet, immGlobal},
		{0x28, 0x3e, immMemory}, {OpMemorySize, OpMemoryGrow, immZero},
		{OpI32Const, OpI32Const, immI32}, {OpI64Const, OpI64Const, immI64},
		{OpF32Const, OpF32Const, immF32}, {OpF64Const, OpF64Const, immF64},
		{OpI32Eqz, OpI64Extend32S, immNone},
	} {
		for op := r.from; op <= r.to; op++ {
			t[op] = r.imm
		}
	}
	return t
}()

// Instruction is one decoded instruction of a body.
type Instruction struct {
	Op         uint16
	Start, End int    // its bytes in the body
	Index      uint32 // label, function, type, local or global
	BlockType  byte   // of block, loop and if: 0x40 or a value type
	Targets    []uint32
}

// Decoder walks the instructions of a body's expression.
type Decoder struct {
	r       reader
	limit   int // targets of one br_table
	targets []uint32
}

// NewDecoder decodes an expression, the closing end included.
func NewDecoder(expression []byte, l *Limits) *Decoder {
	return &Decoder{r: reader{buf: expression}, limit: l.BranchTable}
}

// More says whether bytes are left.
func (d *Decoder) More() bool { return d.r.err == nil && d.r.left() > 0 }

// Next decodes one instruction. in.Targets is valid until the next call.
func (d *Decoder) Next(in *Instruction) error {
	r := &d.r
	*in = Instruction{Start: r.off}
	in.Op = uint16(r.byte())
	imm := immediates[byte(in.Op)]
	if in.Op == 0xfc {
		sub := r.u32()
		switch {
		case sub <= 7:
			imm = immNone
		case sub == OpMemoryCopy&0xff:
			imm = immZeros
		case sub == OpMemoryFill&0xff:
			imm = immZero
		default:
			sub = 0xff
		}
		in.Op = 0xfc00 | uint16(sub)
	}
	switch imm {
	case immRefused:
		if r.err == nil {
			r.err = refuse("opcode", "the instruction 0x%02x at offset %d of its body is not admitted", r.buf[in.Start], in.Start)
		}
	case immBlock:
		in.BlockType = r.byte()
		if r.err == nil && in.BlockType != blockEmpty && !isValueType(in.BlockType) {
			r.err = refuse("opcode", "the block type 0x%02x at offset %d is not admitted", in.BlockType, in.Start)
		}
	case immLabel, immFunc, immLocal, immGlobal:
		in.Index = r.u32()
	case immIndirect:
		in.Index = r.u32()
		d.zero()
	case immTable:
		d.branchTable(in)
	case immMemory:
		r.u32()
		r.u32()
	case immZero:
		d.zero()
	case immZeros:
		d.zero()
		d.zero()
	case immI32:
		r.s32()
	case immI64:
		r.s64()
	case immF32:
		r.take(4)
	case immF64:
		r.take(8)
	}
	in.End = r.off
	return r.err
}

// zero reads the index of the only memory or table.
func (d *Decoder) zero() {
	if b := d.r.byte(); b != 0 && d.r.err == nil {
		d.r.fail("index at offset %d must be zero, is %d", d.r.off-1, b)
	}
}

// branchTable reads the targets, the default last.
func (d *Decoder) branchTable(in *Instruction) {
	n := d.r.count("branch-table", "targets of one br_table", d.limit)
	d.targets = d.targets[:0]
	for range n + 1 {
		d.targets = append(d.targets, d.r.u32())
		if d.r.err != nil {
			return
		}
	}
	in.Targets = d.targets
}
