package vm

import (
	"encoding/binary"
	"math"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// operator is a numeric instruction.
type operator struct {
	code string
	in   string // types of its operands
}

// memoryOp is a load or store.
type memoryOp struct {
	code  byte
	align byte // natural, as a power of two
	kind  byte
}

const (
	i32, i64, f32, f64 = "\x7f", "\x7e", "\x7d", "\x7c"
)

// operators are all numeric instructions by the type of their result.
var operators = func() map[byte][]operator {
	all := map[byte][]operator{}
	add := func(from, to int, in, out string) {
		for code := from; code <= to; code++ {
			all[out[0]] = append(all[out[0]], operator{string([]byte{byte(code)}), in})
		}
	}
	add(0x45, 0x45, i32, i32)                       // eqz
	add(0x46, 0x4f, i32+i32, i32)                   // comparisons
	add(0x50, 0x50, i64, i32)                       //
	add(0x51, 0x5a, i64+i64, i32)                   //
	add(0x5b, 0x60, f32+f32, i32)                   //
	add(0x61, 0x66, f64+f64, i32)                   //
	add(0x67, 0x69, i32, i32)                       // clz ctz popcnt
	add(0x6a, 0x78, i32+i32, i32)                   // add .. rotr
	add(0x79, 0x7b, i64, i64)                       //
	add(0x7c, 0x8a, i64+i64, i64)                   //
	add(0x8b, 0x91, f32, f32)                       // abs .. sqrt
	add(0x92, 0x98, f32+f32, f32)                   // add .. copysign
	add(0x99, 0x9f, f64, f64)                       //
	add(0xa0, 0xa6, f64+f64, f64)                   //
	add(0xa7, 0xa7, i64, i32)                       // wrap
	add(0xa8, 0xa9, f32, i32)                       // truncations, which trap
	add(0xaa, 0xab, f64, i32)                       //
	add(0xac, 0xad, i32, i64)                       // extensions
	add(0xae, 0xaf, f32, i64)                       //
	add(0xb0, 0xb1, f64, i64)                       //
	add(0xb2, 0xb3, i32, f32)                       // conversions
	add(0xb4, 0xb5, i64, f32)                       //
	add(0xb6, 0xb6, f64, f32)                       // demote
	add(0xb7, 0xb8, i32, f64)                       //
	add(0xb9, 0xba, i64, f64)                       //
	add(0xbb, 0xbb, f32, f64)                       // promote
	add(0xbc, 0xbc, f32, i32)                       // reinterpretations
	add(0xbd, 0xbd, f64, i64)                       //
	add(0xbe, 0xbe, i32, f32)                       //
	add(0xbf, 0xbf, i64, f64)                       //
	add(0xc0, 0xc1, i32, i32)                       // sign extensions
	add(0xc2, 0xc4, i64, i64)                       //
	for sub, t := range []struct{ in, out string }{ // saturating truncations
		{f32, i32}, {f32, i32}, {f64, i32}, {f64, i32}, {f32, i64}, {f32, i64}, {f64, i64}, {f64, i64},
	} {
		all[t.out[0]] = append(all[t.out[0]], operator{string([]byte{0xfc, byte(sub)}), t.in})
	}
	return all
}()

var loads = map[byte][]memoryOp{
	module.I32: {{0x28, 2, 0}, {0x2c, 0, 0}, {0x2d, 0, 0}, {0x2e, 1, 0}, {0x2f, 1, 0}},
	module.I64: {{0x29, 3, 0}, {0x30, 0, 0}, {0x31, 0, 0}, {0x32, 1, 0}, {0x33, 1, 0}, {0x34, 2, 0}, {0x35, 2, 0}},
	module.F32: {{0x2a, 2, 0}},
	module.F64: {{0x2b, 3, 0}},
}

var stores = []memoryOp{
	{0x36, 2, module.I32}, {0x37, 3, module.I64}, {0x38, 2, module.F32}, {0x39, 3, module.F64}, {0x3a, 0, module.I32},
	{0x3b, 1, module.I32}, {0x3c, 0, module.I64}, {0x3d, 1, module.I64}, {0x3e, 2, module.I64},
}

// constant writes a constant, often one at which something changes.
func (g *generator) constant(kind byte) string {
	plain := !g.in(3)
	switch kind {
	case module.I32:
		if plain {
			return i32Const(pick(g.entropy, int32(0), 1, -1, 2, 3, 31, 32, 127, 128, 255, 65_535, math.MaxInt32, math.MinInt32, math.MinInt32+1, 0x5555_5555))
		}
		return i32Const(int32(g.u64()))
	case module.I64:
		if plain {
			return i64Const(pick(g.entropy, int64(0), 1, -1, 2, 7, 63, 64, math.MaxInt32, math.MinInt32, 1<<32, math.MaxInt64, math.MinInt64, math.MinInt64+1))
		}
		return i64Const(int64(g.u64()))
	case module.F32:
		bits := uint32(g.u64())
		if plain {
			bits = pick(g.entropy, uint32(0), 1<<31, 0x3f80_0000, 0xbf80_0000, 0x3f00_0000, 0x7f80_0000, 0xff80_0000, // infinities
				0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffa0_0000, 0x7fff_ffff, // NaNs, quiet and signalling
				1, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x4f00_0000, 0x4eff_ffff, 0xcf00_0000, 0x5f00_0000, 0x4b00_0001)
		}
		return "\x43" + string(binary.LittleEndian.AppendUint32(nil, bits))
	}
	bits := g.u64()
	if plain {
		bits = pick(g.entropy, uint64(0), 1<<63, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000, 0x3fe0_0000_0000_0000,
			0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, // infinities
			0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, 0xfff4_0000_0000_0000, 0x7fff_ffff_ffff_ffff, // NaNs
			1, 0x000f_ffff_ffff_ffff, 0x7fef_ffff_ffff_ffff, 0x41e0_0000_0000_0000, 0x41df_ffff_ffff_ffff, 0xc1e0_0000_0020_0000,
			0x43e0_0000_0000_0000, 0xc3e0_0000_0000_0000, 0x43f0_0000_0000_0000, 0x4330_0000_0000_0001, 0x36a0_0000_0000_0000)
	}
	return "\x44" + string(binary.LittleEndian.AppendUint64(nil, bits))
}

// hostCall is a host function as the generator calls it. args has a letter for
// every argument: k and v are a key or value (pointer and size), p a pointer,
// s a size, c a small number, u 0 or 1, g gas and l any i64.
type hostCall struct {
	name, args string
	result     byte
}

var hostCalls = []hostCall{
	{abi.HostStateSet, "kv", noType}, {abi.HostStateDelete, "k", noType}, {abi.HostOutput, "v", noType}, {abi.HostEmit, "kvk", noType},
	{abi.HostInput, "cpc", noType}, {abi.HostSHA256, "vp", noType}, {abi.HostSelf, "p", noType}, {abi.HostLog, "v", noType},
	{abi.HostAbort, "cv", noType}, {abi.HostTransfer, "pvl", module.I32},
	{abi.HostCall, "pkvgps", module.I64}, {abi.HostSchedule, "culv", module.I64}, {abi.HostCancel, "l", module.I32},
	{abi.HostStateGet, "kps", module.I32}, {abi.HostStateScan, "vvcps", module.I32},
	{abi.HostBlockHeight, "", module.I64}, {abi.HostBlockTimeMs, "", module.I64},
}

func (g *generator) hostCall(f hostCall, depth int) string {
	code := ""
	for _, a := range f.args {
		odd := g.in(60) // anything at all
		switch {
		case a == 'g':
			code += i64Const(pick(g.entropy, int64(0), 20_000, 60_000, -1))
		case a == 'l' && g.in(2):
			code += i64Const(int64(g.n(4)))
		case a == 'l':
			code += g.expr(module.I64, depth)
		case odd && (a == 'k' || a == 'v'):
			code += g.expr(module.I32, depth) + g.expr(module.I32, depth)
		case odd:
			code += g.expr(module.I32, depth)
		case a == 'k':
			code += i32Const(int32(g.n(24))) + i32Const(int32(1+g.n(3)))
		case a == 'v':
			code += g.address(0) + i32Const(int32(g.n(24)))
		case a == 'p':
			code += g.address(0)
		case a == 'u':
			code += i32Const(int32(g.n(2)))
		case a == 's':
			code += i32Const(int32(g.n(40)))
		default:
			code += i32Const(int32(1 + g.n(6)))
		}
	}
	return code + op(0x10, g.a.host(f.name))
}

func (g *generator) hostStmt(depth int) string {
	f := pick(g.entropy, hostCalls...)
	switch {
	case g.silent || (f.name == abi.HostAbort || f.name == abi.HostTransfer) && !g.in(6):
		return "\x01"
	case f.result != noType:
		return g.hostCall(f, depth) + "\x1a"
	}
	return g.hostCall(f, depth)
}

func (g *generator) hostExpr(kind byte, depth int) (string, bool) {
	if f := pick(g.entropy, hostCalls...); f.result == kind && !g.silent && f.name != abi.HostTransfer {
		return g.hostCall(f, depth), true
	}
	return "", false
}
