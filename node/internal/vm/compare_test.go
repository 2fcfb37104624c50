package vm

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// comparedWays are how the and's value and the zero get to the comparison: a
// local that holds the value, and one before it that is zero because it was
// never written.
var comparedWays = map[string]func(and, zero string, local, zeroLocal int, compare string) string{
	"and, zero": func(and, zero string, _, _ int, compare string) string { return and + zero + compare },
	"zero, and": func(and, zero string, _, _ int, compare string) string { return zero + and + compare },
	"and, local": func(and, _ string, _, zeroLocal int, compare string) string {
		return and + op(0x20, zeroLocal) + compare
	},
	"local, and": func(and, _ string, _, zeroLocal int, compare string) string {
		return op(0x20, zeroLocal) + and + compare
	},
	"set, zero": func(and, zero string, l, _ int, compare string) string {
		return and + op(0x21, l) + op(0x20, l) + zero + compare
	},
	"zero, set": func(and, zero string, l, _ int, compare string) string {
		return and + op(0x21, l) + zero + op(0x20, l) + compare
	},
	"zero, block": func(and, zero string, l, _ int, compare string) string {
		return zero + "\x02" + blockOf(l) + and + "\x0b" + compare
	},
	"zero, tee": func(and, zero string, l, _ int, compare string) string { return zero + and + op(0x22, l) + compare },
}

// comparedUses are what becomes of the comparison: 1 or 0, in the end.
var comparedUses = map[string]func(condition string) string{
	"if":     func(c string) string { return c + "\x04\x7f" + i32Const(1) + "\x05" + i32Const(0) + "\x0b" },
	"br_if":  func(c string) string { return "\x02\x7f" + i32Const(1) + c + "\x0d\x00\x1a" + i32Const(0) + "\x0b" },
	"select": func(c string) string { return i32Const(1) + i32Const(0) + c + "\x1b" },
	"value":  func(c string) string { return c },
	"eqz":    func(c string) string { return c + "\x45\x04\x7f" + i32Const(0) + "\x05" + i32Const(1) + "\x0b" },
}

// TestComparisonsWithZero compares a bitwise and with zero in every way, on
// either side and before every kind of use. The compilers turn such a
// comparison before a branch into one test instruction, which forgot on which
// side the zero stood, and on arm64 what carry means. Found by
// FuzzDifferential; package meter keeps them from seeing the pattern.
func TestComparisonsWithZero(t *testing.T) {
	values := []int64{0, 1, -1, 5, -1 << 31, 1<<31 - 1, -1 << 63, 1<<63 - 1, -8, 1 << 40}
	for way, arrange := range comparedWays {
		for use, consume := range comparedUses {
			var code strings.Builder
			var data []byte
			at := 4096
			for wide := range 2 {
				base, load, zero, and, local := 0x46, "\x28\x02\x00", i32Const(0), "\x71", 4 // locals 2 to 4 are i32, 5 to 7 i64
				if wide == 1 {
					base, load, zero, and, local = 0x51, "\x29\x03\x00", i64Const(0), "\x83", 7
				}
				for compare := range 10 {
					for i := range values {
						x := i32Const(int32(8*i)) + load
						code.WriteString(i32Const(int32(at)) + consume(arrange(x+x+and, zero, local, local-1, string([]byte{byte(base + compare)}))) + "\x3a\x00\x00")
						at++
					}
				}
			}
			for _, v := range values {
				data = binary.LittleEndian.AppendUint64(data, uint64(v))
			}
			a := only(code.String()+i32Const(0), []byte("\x7f\x7f\x7f\x7e\x7e\x7e")...)
			a.data = []assemblyData{{0, string(data)}}
			memory := onBoth(t, a, protocol.CodeOK)[4096:]
			for wide := range 2 {
				for compare := range 10 {
					for _, v := range values {
						if wide == 0 {
							v = int64(int32(v))
						}
						if got, want := memory[0] == 1, compareZero(v, compare, strings.HasPrefix(way, "and") || strings.HasPrefix(way, "set")); got != want {
							t.Errorf("%s, used by %s, 64 bits %v: comparison %d of %d: %v", way, use, wide == 1, compare, v, got)
						}
						memory = memory[1:]
					}
				}
			}
		}
	}
}

func blockOf(local int) string {
	if local == 4 {
		return i32
	}
	return i64
}

// compareZero is eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s or ge_u of
// v and zero, or of zero and v.
func compareZero(v int64, compare int, first bool) bool {
	a, b := v, int64(0)
	if !first {
		a, b = b, a
	}
	return [...]bool{a == b, a != b, a < b, uint64(a) < uint64(b), a > b, uint64(a) > uint64(b),
		a <= b, uint64(a) <= uint64(b), a >= b, uint64(a) >= uint64(b)}[compare]
}
