package vm

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// entropy turns a fuzzer's bytes into choices; when they run out it goes on
// with numbers that follow from the first of them (SplitMix64).
type entropy struct {
	data  []byte
	state uint64
}

func newEntropy(data []byte) *entropy {
	var first [8]byte
	copy(first[:], data)
	return &entropy{data: data, state: binary.LittleEndian.Uint64(first[:])}
}

func (e *entropy) byte() byte {
	if len(e.data) > 0 {
		b := e.data[0]
		e.data = e.data[1:]
		return b
	}
	e.state += 0x9e3779b97f4a7c15
	z := e.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return byte(z ^ z>>31)
}

// n is a number below k.
func (e *entropy) n(k int) int {
	if k <= 256 {
		return int(e.byte()) % k
	}
	return int(e.u64() % uint64(k))
}

// in says yes once in k times.
func (e *entropy) in(k int) bool { return e.n(k) == 0 }

func (e *entropy) u64() (v uint64) {
	for range 8 {
		v = v<<8 | uint64(e.byte())
	}
	return v
}

// pick answers one of the items.
func pick[T any](e *entropy, items ...T) T { return items[e.n(len(items))] }

const noType = 0x40

// label is what a branch can aim at; kind is what it takes along.
type label struct {
	kind byte
	loop bool
}

// generator writes a random module that the rules admit. Its code is typed by
// construction: expr leaves one value of a type, stmt leaves nothing.
type generator struct {
	*entropy
	a    assembly
	left int // instructions it may still write, about

	// The function under way.
	locals   []byte // parameters and locals
	counters []int  // locals that count loops, which nothing else touches
	labels   []label
	result   byte
	at       int  // its place in a.funcs
	silent   bool // calls neither the host nor other functions
	grows    int
}

// randomModule is an admitted module for every input.
func randomModule(data []byte) []byte {
	g := &generator{entropy: newEntropy(data)}
	g.a.pages = 1 + g.n(2)
	for _, f := range hostCalls {
		g.a.host(f.name)
	}
	for range 2 + g.n(4) {
		g.a.kindOf(g.randomType())
	}
	for range 2 + g.n(6) {
		kind := g.kind()
		g.a.globals = append(g.a.globals, assemblyGlobal{kind, !g.in(5), g.constant(kind)})
	}
	for i := range g.n(4) {
		g.a.data = append(g.a.data, assemblyData{i * 64, string(binary.LittleEndian.AppendUint64(nil, g.u64()))})
	}
	// Indices first, bodies after: functions call one another.
	event := g.a.add(assemblyFunc{kind: g.a.kindOf(eventType)})
	g.a.entry(abi.ExportEvent, event)
	g.a.entry(abi.ExportQuery, event)
	if g.in(3) {
		g.a.entry(abi.ExportInitialize, g.a.add(assemblyFunc{kind: g.a.kindOf(module.FuncType{Result: noType})}))
	}
	for range 1 + g.n(5) {
		g.a.add(assemblyFunc{kind: g.n(len(g.a.types))})
	}
	g.a.table = make([]int, 1+g.n(12))
	for i := range g.a.table {
		if g.a.table[i] = -1; !g.in(5) {
			g.a.table[i] = len(g.a.imports) + g.n(len(g.a.funcs))
		}
	}
	for i := range g.a.funcs {
		g.at, g.left = i, 30+g.n(170)
		g.silent = len(g.a.exports) > 2 && g.a.exports[2].at == len(g.a.imports)+i
		g.function(&g.a.funcs[i])
	}
	return g.a.bytes()
}

func (g *generator) kind() byte { return byte(module.F64 + g.n(4)) }

func (g *generator) randomType() module.FuncType {
	params := make([]byte, g.n(4))
	for i := range params {
		params[i] = g.kind()
	}
	if g.in(4) {
		return module.FuncType{Params: params, Result: noType}
	}
	return module.NewFuncType(g.kind(), params...)
}

func (g *generator) function(f *assemblyFunc) {
	t := g.a.types[f.kind]
	for range 4 + g.n(8) {
		f.locals = append(f.locals, g.kind())
	}
	g.locals = append(append([]byte(nil), t.Params...), f.locals...)
	g.counters = nil
	for range 4 {
		g.counters = append(g.counters, len(t.Params)+len(f.locals))
		f.locals = append(f.locals, module.I32)
	}
	g.result, g.labels = t.Result, []label{{kind: t.Result}}
	var code strings.Builder
	for g.left > 0 {
		code.WriteString(g.stmt(4))
	}
	switch {
	case t.Result == noType:
	case g.in(3):
		code.WriteString(g.expr(t.Result, 3))
	default:
		code.WriteString(g.zero(t.Result))
	}
	f.code = code.String()
}

// label answers a random branch target that takes kind along.
func (g *generator) label(kind byte) (depth int, ok bool) {
	start := g.n(len(g.labels))
	for i := range g.labels {
		at := (start + i) % len(g.labels)
		// Backward branches are rarely taken, so that most runs end.
		if l := g.labels[at]; l.kind == kind && (!l.loop || g.in(4)) {
			return len(g.labels) - 1 - at, true
		}
	}
	return 0, false
}

// inside writes the inside of a block that leaves kind; before its value comes
// what is in again.
func (g *generator) inside(kind byte, loop bool, depth int, again string) string {
	l := label{kind, loop}
	if loop {
		l.kind = noType // a branch to a loop goes to its head
	}
	g.labels = append(g.labels, l)
	var code strings.Builder
	for range 1 + g.n(3) {
		code.WriteString(g.stmt(depth))
	}
	code.WriteString(again)
	if kind != noType {
		code.WriteString(g.expr(kind, depth))
	}
	g.labels = g.labels[:len(g.labels)-1]
	return code.String()
}

// structured writes a block, loop or if that leaves kind.
func (g *generator) structured(kind byte, depth int) string {
	t := string([]byte{kind})
	switch g.n(3) {
	case 0:
		return "\x02" + t + g.inside(kind, false, depth, "") + "\x0b"
	case 1:
		condition := g.expr(module.I32, depth)
		if then := g.inside(kind, false, depth, ""); kind == noType && g.in(2) {
			return condition + "\x04" + t + then + "\x0b"
		} else {
			return condition + "\x04" + t + then + "\x05" + g.inside(kind, false, depth, "") + "\x0b"
		}
	}
	if len(g.counters) == 0 {
		return "\x03" + t + g.inside(kind, true, depth, "") + "\x0b"
	}
	// The loop is repeated a few times by a counter of its own.
	counter := g.counters[0]
	g.counters = g.counters[1:]
	again := op(0x20, counter) + i32Const(1) + "\x6a" + op(0x22, counter) + i32Const(int32(1+g.n(8))) + "\x49" + op(0x0d, 0)
	code := i32Const(0) + op(0x21, counter) + "\x03" + t + g.inside(kind, true, depth, again)
	g.counters = append(g.counters, counter)
	return code + "\x0b"
}

// stmt writes instructions that leave nothing.
func (g *generator) stmt(depth int) string {
	g.left--
	if depth <= 0 || g.left <= 0 {
		return "\x01"
	}
	depth--
	switch g.n(16) {
	case 0, 1, 2:
		if at := g.n(len(g.locals)); len(g.locals) > 0 {
			return g.expr(g.locals[at], depth) + op(0x21, at)
		}
	case 3, 4:
		at := g.n(len(g.a.globals))
		if global := g.a.globals[at]; global.mutable {
			return g.expr(global.kind, depth) + op(0x24, at)
		}
	case 5, 6:
		s := pick(g.entropy, stores...)
		return g.address(depth) + g.expr(s.kind, depth) + g.access(s)
	case 7, 8, 9:
		return g.structured(noType, depth)
	case 10:
		return g.bulk(depth)
	case 11, 12:
		return g.hostStmt(depth)
	case 13:
		return g.branch(depth)
	case 14:
		if code, ok := g.call(noType, depth); ok {
			return code
		}
	}
	return g.expr(g.kind(), depth) + "\x1a"
}

// branch writes a jump, often behind a condition.
func (g *generator) branch(depth int) string {
	switch g.n(5) {
	case 0:
		if at, ok := g.label(noType); ok {
			return g.expr(module.I32, depth) + op(0x0d, at)
		}
	case 1, 2, 3:
		condition := g.address(depth) + i32Const(int32(g.n(64))) + "\x46\x04\x40"
		g.labels = append(g.labels, label{kind: noType})
		defer func() { g.labels = g.labels[:len(g.labels)-1] }()
		return condition + g.jump(depth) + "\x0b"
	}
	kind := g.kind()
	if at, ok := g.label(kind); ok {
		return g.expr(kind, depth) + g.expr(module.I32, depth) + op(0x0d, at) + "\x1a"
	}
	return ""
}

// jump writes an unconditional one.
func (g *generator) jump(depth int) string {
	switch g.n(4) {
	case 0:
		targets := ""
		n := 1 + g.n(6)
		for range n {
			at, ok := g.label(noType)
			if !ok {
				at = 0 // the condition around
			}
			targets += uleb(uint64(at))
		}
		return g.expr(module.I32, depth) + "\x0e" + uleb(uint64(n-1)) + targets
	case 1:
		if g.result == noType {
			return "\x0f"
		}
		return g.expr(g.result, depth) + "\x0f"
	case 2:
		at, _ := g.label(noType)
		return op(0x0c, at)
	}
	if g.in(4) {
		return "\x00"
	}
	return "\x01"
}

// address writes an i32 that is mostly inside memory.
func (g *generator) address(depth int) string {
	switch g.n(12) {
	case 0:
		if g.in(8) { // around the end
			return i32Const(int32(g.a.pages*wasmPage - g.n(48)))
		}
	case 1:
		if g.in(16) {
			return g.expr(module.I32, depth)
		}
	case 2, 3, 4:
		return g.expr(module.I32, depth) + i32Const(0x3ff) + "\x71"
	case 5, 6: // base, index and scale, which compilers fold into the access
		base, index := g.expr(module.I32, depth)+i32Const(0xff)+"\x71", g.expr(module.I32, depth)+i32Const(0x7f)+"\x71"
		sum := base + index + i32Const(int32(g.n(4))) + "\x74\x6a"
		return pick(g.entropy, sum, sum+i32Const(int32(g.n(64)))+"\x6a", "\x41\x80\x02"+index+"\x6b", base+"\xad\xa7")
	}
	return i32Const(int32(g.n(200)))
}

// access writes a load or store with an offset.
func (g *generator) access(m memoryOp) string {
	offset := g.n(32)
	if g.in(200) {
		offset = int(uint32(g.u64()))
	}
	return string([]byte{m.code, byte(g.n(int(m.align) + 1))}) + uleb(uint64(offset))
}

func (g *generator) bulk(depth int) string {
	size := i32Const(int32(g.n(100)))
	if g.in(20) {
		size = g.expr(module.I32, depth)
	}
	if g.in(2) {
		return g.address(depth) + g.address(depth) + size + "\xfc\x0a\x00\x00"
	}
	return g.address(depth) + g.expr(module.I32, depth) + size + "\xfc\x0b\x00"
}

// expr writes instructions that leave one value of kind.
func (g *generator) expr(kind byte, depth int) string {
	g.left--
	if depth <= 0 || g.left <= 0 {
		return g.leaf(kind)
	}
	depth--
	switch g.n(16) {
	case 0:
		return g.leaf(kind)
	case 1, 2:
		return g.address(depth) + g.access(pick(g.entropy, loads[kind]...))
	case 3:
		return g.expr(kind, depth) + g.expr(kind, depth) + g.expr(module.I32, depth) + "\x1b"
	case 4:
		return g.structured(kind, depth)
	case 5:
		if code, ok := g.call(kind, depth); ok {
			return code
		}
	case 6:
		if code, ok := g.hostExpr(kind, depth); ok {
			return code
		}
	case 7:
		for at, have := range g.locals {
			if have == kind {
				return g.expr(kind, depth) + op(0x22, at)
			}
		}
	case 8:
		if kind == module.I32 {
			return g.size()
		}
	}
	o := pick(g.entropy, operators[kind]...)
	var code strings.Builder
	for _, in := range []byte(o.in) {
		code.WriteString(g.expr(in, depth))
	}
	if !g.in(12) {
		return code.String() + tamed(o)
	}
	return code.String() + o.code
}

// tamed is the operator made unlikely to trap, so that what comes after it
// runs too: divisors are odd, truncations saturate.
func tamed(o operator) string {
	code := o.code[0]
	switch {
	case code >= module.OpI32DivS && code <= module.OpI32RemU:
		return i32Const(1) + "\x72" + o.code
	case code >= module.OpI64DivS && code <= module.OpI64RemU:
		return i64Const(1) + "\x84" + o.code
	case code >= 0xa8 && code <= 0xab:
		return string([]byte{0xfc, code - 0xa8})
	case code >= 0xae && code <= 0xb1:
		return string([]byte{0xfc, code - 0xae + 4})
	}
	return o.code
}

// size asks for the memory's size, or grows it.
func (g *generator) size() string {
	if g.in(6) && g.grows < 60 {
		g.grows++
		return i32Const(int32(pick(g.entropy, 0, 1, 2, 70))) + "\x40\x00"
	}
	return "\x3f\x00"
}

// call writes a call of a function whose result is kind, direct or not.
func (g *generator) call(kind byte, depth int) (string, bool) {
	if g.silent {
		return "", false
	}
	first := g.n(len(g.a.funcs))
	for i := range g.a.funcs {
		at := (first + i) % len(g.a.funcs)
		f := g.a.funcs[at]
		t := g.a.types[f.kind]
		if t.Result != kind || at <= g.at && !g.in(30) { // recursion is rare
			continue
		}
		var code strings.Builder
		for _, p := range t.Params {
			code.WriteString(g.expr(p, depth))
		}
		if g.in(3) {
			entry := slices.Index(g.a.table, len(g.a.imports)+at)
			if entry < 0 && !g.in(20) {
				continue
			}
			return code.String() + i32Const(int32(entry)) + "\x11" + uleb(uint64(f.kind)) + "\x00", true
		}
		return code.String() + op(0x10, len(g.a.imports)+at), true
	}
	return "", false
}

func (g *generator) leaf(kind byte) string {
	if g.in(2) {
		start := g.n(len(g.locals))
		for i := range g.locals {
			if at := (start + i) % len(g.locals); g.locals[at] == kind {
				return op(0x20, at)
			}
		}
	}
	if g.in(3) {
		for at, global := range g.a.globals {
			if global.kind == kind {
				return op(0x23, at)
			}
		}
	}
	return g.constant(kind)
}

func (g *generator) zero(kind byte) string {
	return map[byte]string{module.I32: i32Const(0), module.I64: i64Const(0), module.F32: "\x43\x00\x00\x00\x00", module.F64: "\x44\x00\x00\x00\x00\x00\x00\x00\x00"}[kind]
}
