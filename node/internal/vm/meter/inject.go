package meter

import (
	"strconv"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// Inject rewrites a module that module.Parse decoded under the same limits.
// The output is a complete binary without custom sections other than the
// marker. Injecting cannot make an invalid module valid: indices were checked
// against the module as it came, and the added instructions are typed like
// those they stand beside. The error is a *module.Fault.
func Inject(m *module.Module, l *module.Limits, o Options) ([]byte, error) {
	j := injector{
		m: m, limits: l,
		gas:   uint32(m.ImportedGlobals + len(m.Globals)),
		depth: uint32(m.ImportedGlobals + len(m.Globals) + 1),
	}
	bodies, err := j.bodies()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 2*len(bodies)+4096)
	out = append(out, 0, 'a', 's', 'm', 1, 0, 0, 0)
	for id := byte(module.SectionType); id <= module.SectionData; id++ {
		contents := m.Raw[id]
		switch id {
		case module.SectionMemory:
			contents = j.memory(o)
		case module.SectionGlobal:
			contents = j.globals(o)
		case module.SectionExport:
			contents = j.exports()
		case module.SectionCode:
			if contents != nil {
				contents = bodies
			}
		}
		if contents != nil {
			out = appendSection(out, id, contents)
		}
	}
	marker := append(appendName(nil, markerSection), Version)
	if out = appendSection(out, module.SectionCustom, marker); len(out) > l.MeteredBytes {
		return nil, module.Over("metered-bytes", "bytes after metering", uint64(len(out)), l.MeteredBytes)
	}
	return out, nil
}

// injector holds what every body needs.
type injector struct {
	m          *module.Module
	limits     *module.Limits
	gas, depth uint32 // indices of the counters
}

func (j *injector) memory(o Options) []byte {
	size := j.m.Memory
	if size == nil || o.MemoryPages == 0 {
		return j.m.Raw[module.SectionMemory]
	}
	limit := o.MemoryPages
	if size.HasMax {
		limit = min(limit, size.Max)
	}
	return appendU32(appendU32([]byte{1, 1}, size.Min), limit)
}

func (j *injector) globals(o Options) []byte {
	out := appendU32(nil, uint32(len(j.m.Globals)+2))
	for _, g := range j.m.Globals {
		out = append(out, g.Type, flag(g.Mutable))
		out = append(out, g.Init...)
	}
	c := code{append(out, module.I64, 1)}
	c.i64Const(o.Gas)
	c.op(module.OpEnd, module.I32, 1)
	c.i32Const(o.Depth)
	c.op(module.OpEnd)
	return c.out
}

func (j *injector) exports() []byte {
	out := []byte{}
	n := uint32(0)
	add := func(name string, kind byte, index uint32) {
		out = appendU32(append(appendName(out, name), kind), index)
		n++
	}
	for _, e := range j.m.Exports {
		add(e.Name, e.Kind, e.Index)
	}
	add(GasExport, module.ExternGlobal, j.gas)
	add(DepthExport, module.ExternGlobal, j.depth)
	mutable := 0
	for i, g := range j.m.Globals {
		if g.Mutable {
			add(GlobalExport+strconv.Itoa(mutable), module.ExternGlobal, uint32(j.m.ImportedGlobals+i))
			mutable++
		}
	}
	return append(appendU32(nil, n), out...)
}

func (j *injector) bodies() ([]byte, error) {
	out := appendU32(nil, uint32(len(j.m.Bodies)))
	for i := range j.m.Bodies {
		body, err := j.body(&j.m.Bodies[i])
		if err != nil {
			return nil, err
		}
		out = appendU32(out, uint32(len(body)))
		out = append(out, body...)
	}
	return out, nil
}

// body rewrites one function:
//
//	depth -= 1; trap if depth < 0        only when it calls something
//	block T                              returns become branches out of it
//	  its code, with charges
//	end
//	depth += 1
func (j *injector) body(b *module.Body) ([]byte, error) {
	charges, err := segments(b, j.limits)
	if err != nil {
		return nil, err
	}
	w := &bodyWriter{injector: j, s: scratch{base: uint32(len(b.LocalTypes)), index: map[string]uint32{}}}
	if b.Calls {
		w.index(module.OpGlobalGet, j.depth)
		w.i32Const(1)
		w.op(module.OpI32Sub)
		w.index(module.OpGlobalSet, j.depth)
		w.index(module.OpGlobalGet, j.depth)
		w.i32Const(0)
		w.op(module.OpI32LtS)
		w.trapIf()
		w.op(module.OpBlock, b.Result)
	}
	if err := w.instructions(b, charges); err != nil {
		return nil, err
	}
	if b.Calls {
		w.index(module.OpGlobalGet, j.depth)
		w.i32Const(1)
		w.op(module.OpI32Add)
		w.index(module.OpGlobalSet, j.depth)
		w.op(module.OpEnd)
	}
	out := appendU32(nil, uint32(b.Runs+len(w.s.types)))
	out = append(out, b.LocalRuns...)
	for _, kind := range w.s.types {
		out = append(out, 1, kind)
	}
	return append(out, w.out...), nil
}

// bodyWriter writes one function's new code.
type bodyWriter struct {
	code
	*injector
	s scratch
}

func (w *bodyWriter) instructions(b *module.Body, charges []segment) error {
	d := module.NewDecoder(b.Code, w.limits)
	open := uint32(0)
	var in module.Instruction
	for d.More() {
		if err := d.Next(&in); err != nil {
			return err
		}
		for len(charges) > 0 && charges[0].at <= in.Start {
			if charges[0].cost > 0 {
				w.charge(charges[0].cost)
			}
			charges = charges[1:]
		}
		switch in.Op {
		case module.OpBlock, module.OpLoop, module.OpIf:
			open++
		case module.OpEnd:
			open--
		case module.OpReturn:
			if b.Calls {
				w.index(module.OpBr, open)
				continue
			}
		case module.OpI32RemS, module.OpI32RemU, module.OpI64RemS, module.OpI64RemU:
			w.remainder(in.Op)
			continue
		case module.OpMemoryGrow, module.OpMemoryCopy, module.OpMemoryFill:
			w.chargeSize(in.Op)
		}
		w.op(b.Code[in.Start:in.End]...)
		if in.Op == module.OpI32And || in.Op == module.OpI64And {
			w.hideAnd(in.Op, b.Code[in.End:])
		}
		if kind := makesNaN(in.Op); kind != 0 {
			w.canonical(kind)
		}
	}
	return nil
}

// charge takes a constant from the gas counter.
func (w *bodyWriter) charge(cost int64) {
	w.index(module.OpGlobalGet, w.gas)
	w.i64Const(cost)
	w.settle()
}

// settle subtracts the i64 on the stack from the one below, the counter.
func (w *bodyWriter) settle() {
	left := w.s.local("gas", module.I64)
	w.op(module.OpI64Sub)
	w.index(module.OpLocalTee, left)
	w.index(module.OpGlobalSet, w.gas)
	w.index(module.OpLocalGet, left)
	w.i64Const(0)
	w.op(module.OpI64LtS)
	w.trapIf()
}

// chargeSize charges by the i32 on the stack, which it leaves there: pages to
// grow by, or bytes to copy or fill.
func (w *bodyWriter) chargeSize(op uint16) {
	size := w.s.local("size", module.I32)
	w.index(module.OpLocalTee, size)
	w.index(module.OpGlobalGet, w.gas)
	w.index(module.OpLocalGet, size)
	w.op(module.OpI64ExtendU)
	if op == module.OpMemoryGrow {
		w.i64Const(gasPerPage)
		w.op(module.OpI64Mul)
	} else {
		w.i64Const(bulkShift)
		w.op(module.OpI64ShrU)
	}
	w.settle()
}

// canonical replaces a NaN on the stack by the canonical, positive quiet one.
func (w *bodyWriter) canonical(kind byte) {
	name, equal := "f32", byte(module.OpF32Eq)
	nan := []byte{module.OpF32Const, 0, 0, 0xc0, 0x7f}
	if kind == module.F64 {
		name, equal = "f64", module.OpF64Eq
		nan = []byte{module.OpF64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}
	}
	v := w.s.local(name, kind)
	w.index(module.OpLocalTee, v)
	w.op(nan...)
	w.index(module.OpLocalGet, v)
	w.index(module.OpLocalGet, v)
	w.op(equal, module.OpSelect) // v == v picks v
}

// remainder replaces a rem by a - (a/b)*b; for signed ones b = -1 becomes 1,
// which has the same remainder, 0, and does not overflow. b = 0 still traps.
func (w *bodyWriter) remainder(op uint16) {
	kind, name := byte(module.I64), "64"
	divide, multiply, subtract, equal := byte(module.OpI64DivU), byte(module.OpI64Mul), byte(module.OpI64Sub), byte(module.OpI64Eq)
	constant := w.i64Const
	if op == module.OpI32RemS || op == module.OpI32RemU {
		kind, name = module.I32, "32"
		divide, multiply, subtract, equal = module.OpI32DivU, module.OpI32Mul, module.OpI32Sub, module.OpI32Eq
		constant = func(v int64) { w.i32Const(int32(v)) }
	}
	a, b := w.s.local("a"+name, kind), w.s.local("b"+name, kind)
	w.index(module.OpLocalSet, b)
	w.index(module.OpLocalTee, a)
	w.index(module.OpLocalGet, a)
	if op == module.OpI32RemS || op == module.OpI64RemS {
		divide-- // the signed division precedes the unsigned one
		constant(1)
		w.index(module.OpLocalGet, b)
		w.index(module.OpLocalGet, b)
		constant(-1)
		w.op(equal, module.OpSelect)
		w.index(module.OpLocalTee, b)
	} else {
		w.index(module.OpLocalGet, b)
	}
	w.op(divide)
	w.index(module.OpLocalGet, b)
	w.op(multiply, subtract)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
