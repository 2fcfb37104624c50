package module

import "bytes"

// Value types.
const (
	I32 = 0x7f
	I64 = 0x7e
	F32 = 0x7d
	F64 = 0x7c

	blockEmpty = 0x40
)

func isValueType(b byte) bool { return b >= F64 && b <= I32 }

// Kinds of imports and exports.
const (
	ExternFunc   = 0
	ExternTable  = 1
	ExternMemory = 2
	ExternGlobal = 3
)

// Section ids.
const (
	SectionCustom   = 0
	SectionType     = 1
	SectionImport   = 2
	SectionFunction = 3
	SectionTable    = 4
	SectionMemory   = 5
	SectionGlobal   = 6
	SectionExport   = 7
	SectionStart    = 8
	SectionElement  = 9
	SectionCode     = 10
	SectionData     = 11
)

// FuncType has at most one result.
type FuncType struct {
	Params []byte
	Result byte // a value type, or 0x40 for none: also the block type of a body
}

// GlobalType is a global's value type and mutability.
type GlobalType struct {
	Type    byte
	Mutable bool
}

// Span is a range of sizes; HasMax tells whether Max was given.
type Span struct {
	Min, Max uint32
	HasMax   bool
}

// Import is one import.
type Import struct {
	Module, Name string
	Kind         byte
	Type         uint32 // index into Types, for functions
	Global       GlobalType
	Size         Span // of a table or memory
}

// Export is one export.
type Export struct {
	Name  string
	Kind  byte
	Index uint32
}

// Global is a defined global; Init is its constant expression's bytes.
type Global struct {
	GlobalType
	Init []byte
}

// Body is a defined function's code and what the rules and the metering
// want to know of it.
type Body struct {
	Params     int
	Declared   int    // locals beside the parameters
	LocalRuns  []byte // their encoding, without the leading count
	Runs       int    // that count
	LocalTypes []byte // of parameters and locals, in order
	Code       []byte // the expression, the closing end included
	Result     byte   // of its type
	Calls      bool   // calls something
}

// Module is a decoded binary. Its slices alias the binary.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Functions []uint32 // type of each defined function
	Bodies    []Body
	Table     *Span // defined
	Memory    *Span // defined
	Globals   []Global
	Exports   []Export
	Start     *uint32
	Raw       [SectionData + 1][]byte // contents of the sections, nil when absent

	ImportedFunctions int
	ImportedGlobals   int
	importedTables    int
	importedMemories  int
	globalTypes       []GlobalType // imported, then defined
	functionTypes     []uint32     // imported, then defined
	blocks            int
	grows             int
	work              int
	branchTargets     int
}

// header is the magic number and version 1.
var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Parse decodes a binary inside limits. The error is a *Fault. Input never
// makes it panic, and it allocates less than 64 bytes per byte of input.
func Parse(code []byte, l *Limits) (*Module, error) {
	if len(code) > l.ModuleBytes {
		return nil, over("module-bytes", "bytes", uint64(len(code)), l.ModuleBytes)
	}
	if !bytes.HasPrefix(code, header) {
		return nil, refuse("format", "not a WebAssembly 1 binary")
	}
	m := &Module{}
	r := reader{buf: code, off: len(header)}
	last := byte(0)
	for r.err == nil && r.left() > 0 {
		id := r.byte()
		contents := r.take(int(r.u32()))
		if r.err != nil {
			break
		}
		if id == SectionCustom {
			// Names and debug information: dropped, but they must be well formed.
			custom := reader{buf: contents}
			if custom.name(len(contents)); custom.err != nil {
				return nil, custom.err
			}
			continue
		}
		if id > SectionData || id <= last {
			return nil, refuse("format", "section %d is unknown or out of order", id)
		}
		last = id
		m.Raw[id] = contents
		if err := m.section(id, contents, l); err != nil {
			return nil, err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(m.Bodies) != len(m.Functions) {
		return nil, refuse("format", "%d functions are declared and %d have bodies", len(m.Functions), len(m.Bodies))
	}
	return m, nil
}

func (m *Module) section(id byte, contents []byte, l *Limits) error {
	r := reader{buf: contents}
	switch id {
	case SectionType:
		m.types(&r, l)
	case SectionImport:
		m.imports(&r, l)
	case SectionFunction:
		m.functions(&r, l)
	case SectionTable:
		if n := r.count("tables", "tables", 1-m.importedTables); n == 1 {
			m.Table = m.tableType(&r, l)
		}
	case SectionMemory:
		if n := r.count("memories", "memories", 1-m.importedMemories); n == 1 {
			m.Memory = m.memoryType(&r, l)
		}
	case SectionGlobal:
		m.globals(&r, l)
	case SectionExport:
		m.exports(&r, l)
	case SectionStart:
		index := r.u32()
		m.Start = &index
		m.checkFunction(&r, index)
	case SectionElement:
		m.elements(&r, l)
	case SectionCode:
		return m.code(&r, l)
	case SectionData:
		m.data(&r, l)
	}
	if r.err == nil && r.left() != 0 {
		r.fail("section %d has %d bytes too many", id, r.left())
	}
	return r.err
}

// FunctionType is the type of any function, imports first.
func (m *Module) FunctionType(index uint32) FuncType { return m.Types[m.functionTypes[index]] }

// MutableGlobal tells whether any global, imports first, is mutable.
func (m *Module) MutableGlobal(index uint32) bool { return m.globalTypes[index].Mutable }
