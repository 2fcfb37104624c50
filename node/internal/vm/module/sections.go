package module

func (m *Module) types(r *reader, l *Limits) {
	n := r.count("types", "types", l.Types)
	for range n {
		if form := r.byte(); r.err == nil && form != 0x60 {
			r.fail("type form 0x%02x is not a function's", form)
		}
		t := FuncType{Params: m.valueTypes(r, r.count("params", "parameters of one type", l.Params)), Result: blockEmpty}
		if results := r.count("results", "results of one type", 1); results == 1 {
			t.Result = m.valueType(r)
		}
		if r.err != nil {
			return
		}
		m.Types = append(m.Types, t)
	}
}

func (m *Module) valueType(r *reader) byte {
	b := r.byte()
	if r.err == nil && !isValueType(b) {
		r.err = refuse("value-type", "the value type 0x%02x is not admitted", b)
	}
	return b
}

func (m *Module) valueTypes(r *reader, n int) []byte {
	types := r.take(n)
	for _, b := range types {
		if !isValueType(b) {
			r.err = refuse("value-type", "the value type 0x%02x is not admitted", b)
			return nil
		}
	}
	return types
}

func (m *Module) imports(r *reader, l *Limits) {
	n := r.count("imports", "imports", l.Imports)
	for range n {
		i := Import{Module: r.name(l.NameBytes), Name: r.name(l.NameBytes), Kind: r.byte()}
		switch i.Kind {
		case ExternFunc:
			i.Type = m.typeIndex(r)
			m.functionTypes = append(m.functionTypes, i.Type)
			m.ImportedFunctions++
		case ExternTable:
			if i.Size = m.span(r, m.elementType); m.importedTables > 0 {
				r.err = over("tables", "tables", 2, 1)
			}
			m.importedTables++
		case ExternMemory:
			if i.Size = m.span(r, nil); m.importedMemories > 0 {
				r.err = over("memories", "memories", 2, 1)
			}
			m.importedMemories++
		case ExternGlobal:
			i.Global = m.globalType(r)
			m.globalTypes = append(m.globalTypes, i.Global)
			m.ImportedGlobals++
		default:
			r.fail("import %q %q has the unknown kind %d", i.Module, i.Name, i.Kind)
		}
		if r.err != nil {
			return
		}
		m.Imports = append(m.Imports, i)
	}
}

func (m *Module) typeIndex(r *reader) uint32 {
	t := r.u32()
	if r.err == nil && uint64(t) >= uint64(len(m.Types)) {
		r.fail("type index %d, there are %d types", t, len(m.Types))
	}
	return t
}

func (m *Module) functions(r *reader, l *Limits) {
	n := r.count("functions", "functions", l.Functions)
	for range n {
		t := m.typeIndex(r)
		if r.err != nil {
			return
		}
		m.Functions = append(m.Functions, t)
		m.functionTypes = append(m.functionTypes, t)
	}
}

func (m *Module) elementType(r *reader) {
	if b := r.byte(); r.err == nil && b != 0x70 {
		r.err = refuse("value-type", "tables of 0x%02x are not admitted", b)
	}
}

// span reads limits, after what prefix reads.
func (m *Module) span(r *reader, prefix func(*reader)) Span {
	if prefix != nil {
		prefix(r)
	}
	flag := r.byte()
	if r.err == nil && flag > 1 {
		r.fail("limits with the flag 0x%02x are not admitted", flag)
	}
	s := Span{Min: r.u32(), HasMax: flag == 1}
	if s.HasMax {
		s.Max = r.u32()
		if r.err == nil && s.Min > s.Max {
			r.fail("size minimum %d is over its maximum %d", s.Min, s.Max)
		}
	}
	return s
}

func (m *Module) tableType(r *reader, l *Limits) *Span {
	s := m.span(r, m.elementType)
	if r.err == nil && uint64(s.Min) > uint64(l.TableEntries) {
		r.err = over("table-entries", "table entries", uint64(s.Min), l.TableEntries)
	}
	return &s
}

func (m *Module) memoryType(r *reader, l *Limits) *Span {
	s := m.span(r, nil)
	if r.err == nil && uint64(s.Min) > uint64(l.MemoryPages) {
		r.err = over("memory-pages", "initial memory pages", uint64(s.Min), l.MemoryPages)
	}
	if r.err == nil && s.HasMax && s.Max > 65_536 {
		r.fail("memory maximum of %d pages is over 4 GiB", s.Max)
	}
	return &s
}

func (m *Module) globalType(r *reader) GlobalType {
	g := GlobalType{Type: m.valueType(r)}
	flag := r.byte()
	if r.err == nil && flag > 1 {
		r.fail("global with the mutability 0x%02x", flag)
	}
	g.Mutable = flag == 1
	return g
}

func (m *Module) globals(r *reader, l *Limits) {
	n := r.count("globals", "globals", l.Globals)
	for range n {
		g := Global{GlobalType: m.globalType(r)}
		start := r.off
		m.constant(r)
		if r.err != nil {
			return
		}
		g.Init = r.buf[start:r.off]
		m.Globals = append(m.Globals, g)
		m.globalTypes = append(m.globalTypes, g.GlobalType)
	}
}

// constant reads a constant expression: one constant or imported immutable
// global, then end.
func (m *Module) constant(r *reader) {
	switch op := r.byte(); op {
	case OpI32Const:
		r.s32()
	case OpI64Const:
		r.s64()
	case OpF32Const:
		r.take(4)
	case OpF64Const:
		r.take(8)
	case OpGlobalGet:
		if i := r.u32(); r.err == nil && (uint64(i) >= uint64(m.ImportedGlobals) || m.globalTypes[i].Mutable) {
			r.fail("constant expression reads global %d, which is not imported and immutable", i)
		}
	default:
		if r.err == nil {
			r.err = refuse("opcode", "the instruction 0x%02x in a constant expression is not admitted", op)
		}
	}
	if end := r.byte(); r.err == nil && end != OpEnd {
		r.err = refuse("opcode", "a constant expression must be one constant, then end")
	}
}

func (m *Module) exports(r *reader, l *Limits) {
	n := r.count("exports", "exports", l.Exports)
	seen := make(map[string]bool, n)
	for range n {
		e := Export{Name: r.name(l.NameBytes), Kind: r.byte(), Index: r.u32()}
		if r.err != nil {
			return
		}
		if seen[e.Name] {
			r.fail("the name %q is exported twice", e.Name)
		}
		seen[e.Name] = true
		tables, memories := m.importedTables, m.importedMemories
		if m.Table != nil {
			tables++
		}
		if m.Memory != nil {
			memories++
		}
		sizes := [...]int{len(m.functionTypes), tables, memories, len(m.globalTypes)}
		if int(e.Kind) >= len(sizes) || uint64(e.Index) >= uint64(sizes[e.Kind]) {
			r.fail("export %q has kind %d and index %d, which is not there", e.Name, e.Kind, e.Index)
		}
		m.Exports = append(m.Exports, e)
	}
}

func (m *Module) checkFunction(r *reader, index uint32) {
	if r.err == nil && uint64(index) >= uint64(len(m.functionTypes)) {
		r.fail("function index %d, there are %d functions", index, len(m.functionTypes))
	}
}

// activeSegment reads the flag and the offset of a segment.
func (m *Module) activeSegment(r *reader, what string) {
	if flag := r.u32(); r.err == nil && flag != 0 {
		r.err = refuse("segment", "%s segments of kind %d are not admitted", what, flag)
	}
	m.constant(r)
}

func (m *Module) elements(r *reader, l *Limits) {
	n := r.count("element-items", "element segments", l.ElementItems)
	total := 0
	for range n {
		m.activeSegment(r, "element")
		items := r.count("element-items", "items of one element segment", l.ElementItems)
		if total += items; total > l.ElementItems {
			r.err = over("element-items", "element items", uint64(total), l.ElementItems)
		}
		for range items {
			m.checkFunction(r, r.u32())
		}
		if r.err != nil {
			return
		}
	}
}

func (m *Module) data(r *reader, l *Limits) {
	n := r.count("data-segments", "data segments", l.DataSegments)
	for range n {
		m.activeSegment(r, "data")
		r.take(int(r.u32()))
		if r.err != nil {
			return
		}
	}
}
