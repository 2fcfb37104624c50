package meter

import "github.com/cairn-ledger/cairn/node/internal/vm/module"

// hideAnd puts `| 0` after a bitwise and whose value could get to a comparison
// of order. The engine's compilers make one test instruction of a comparison
// of an and with zero before a branch, and forget on which side the zero
// stood; on arm64 unsigned comparisons come out wrong on either side. They do
// not look through the or.
func (w *bodyWriter) hideAnd(op uint16, rest []byte) {
	if staysClear(rest) {
		return
	}
	if op == module.OpI32And {
		w.i32Const(0)
		w.op(module.OpI32Or)
	} else {
		w.i64Const(0)
		w.op(module.OpI64Or)
	}
}

// staysClear tells whether the instructions that follow take the value on the
// stack to something else than a comparison of order, at once or after one
// constant. It is what nearly all code does; everything else counts as no.
func staysClear(rest []byte) bool {
	if len(rest) > 0 && (rest[0] == module.OpI32Const || rest[0] == module.OpI64Const) {
		end := 1
		for end < len(rest)-1 && rest[end]&0x80 != 0 {
			end++
		}
		rest = rest[end+1:]
		return len(rest) > 0 && takesTwo(rest[0])
	}
	return len(rest) > 0 && (takesTwo(rest[0]) || takesOne(rest[0]))
}

// takesTwo are integer operations on two operands but comparisons of order.
func takesTwo(op byte) bool {
	switch {
	case op == module.OpI32Eq, op == module.OpI32Eq+1, op == module.OpI64Eq, op == module.OpI64Eq+1: // eq, ne
	case op >= module.OpI32Add && op <= 0x78:
	case op >= module.OpI64Add && op <= 0x8a:
	case op >= 0x36 && op <= 0x3e: // stores
	default:
		return false
	}
	return true
}

// takesOne are instructions that take one value and leave another, or none.
func takesOne(op byte) bool {
	switch {
	case op == module.OpIf, op == module.OpBrIf, op == 0x1a: // drop
	case op == module.OpI32Eqz, op == module.OpI64Eqz:
	case op >= 0x28 && op <= 0x35: // loads
	case op >= 0x67 && op <= 0x69, op >= 0x79 && op <= 0x7b: // clz, ctz, popcnt
	case op == 0xa7, op == 0xac, op == 0xad, op >= 0xc0 && op <= module.OpI64Extend32S: // wraps and extensions
	default:
		return false
	}
	return true
}
