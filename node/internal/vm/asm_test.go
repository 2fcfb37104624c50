package vm

import (
	"encoding/binary"
	"strings"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// assembly is a module that a test writes instruction by instruction. Its
// functions are numbered from the imports on.
type assembly struct {
	types   []module.FuncType
	imports []string // host functions
	funcs   []assemblyFunc
	globals []assemblyGlobal
	table   []int // function of each entry, -1 for none; nil for no table
	pages   int   // of memory at first
	exports []assemblyExport
	data    []assemblyData
}

type assemblyFunc struct {
	kind   int    // index in types
	locals []byte // their types, parameters not included
	code   string // without the closing end
}

type assemblyGlobal struct {
	kind    byte
	mutable bool
	init    string // without the closing end
}

type assemblyExport struct {
	name string
	kind byte
	at   int
}

type assemblyData struct {
	at   int
	text string
}

// Encodings of numbers.
func uleb(v uint64) string { return string(binary.AppendUvarint(nil, v)) }

func sleb(v int64) string {
	var out []byte
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return string(append(out, b))
		}
		out = append(out, b|0x80)
	}
}

func sized(s string) string { return uleb(uint64(len(s))) + s }

func i32Const(v int32) string { return "\x41" + sleb(int64(v)) }

func i64Const(v int64) string { return "\x42" + sleb(v) }

// op is an instruction with one index.
func op(code byte, index int) string { return string([]byte{code}) + uleb(uint64(index)) }

// kindOf answers the index of a function type, which is added when it is new.
func (a *assembly) kindOf(t module.FuncType) int {
	for i, have := range a.types {
		if have.Result == t.Result && string(have.Params) == string(t.Params) {
			return i
		}
	}
	a.types = append(a.types, t)
	return len(a.types) - 1
}

// host answers the index of a host function. All imports come before the
// first function.
func (a *assembly) host(name string) int {
	for i, have := range a.imports {
		if have == name {
			return i
		}
	}
	if len(a.funcs) > 0 {
		panic("an import after a function")
	}
	a.kindOf(hostTypes[name])
	a.imports = append(a.imports, name)
	return len(a.imports) - 1
}

// add appends a function and answers its index.
func (a *assembly) add(f assemblyFunc) int {
	a.funcs = append(a.funcs, f)
	return len(a.imports) + len(a.funcs) - 1
}

// entry exports a function as an entry point.
func (a *assembly) entry(name string, index int) {
	a.exports = append(a.exports, assemblyExport{name, module.ExternFunc, index})
}

var eventType = module.NewFuncType(module.I32, module.I32, module.I32)

func (a *assembly) bytes() []byte {
	var out strings.Builder
	out.WriteString("\x00asm\x01\x00\x00\x00")
	section := func(id byte, n int, contents string) {
		if n > 0 {
			out.WriteString(string([]byte{id}) + sized(uleb(uint64(n))+contents))
		}
	}
	each := func(n int, item func(int) string) string {
		var all strings.Builder
		for i := range n {
			all.WriteString(item(i))
		}
		return all.String()
	}
	section(module.SectionType, len(a.types), each(len(a.types), func(i int) string {
		t, result := a.types[i], "\x00"
		if t.Result != 0x40 {
			result = "\x01" + string([]byte{t.Result})
		}
		return "\x60" + sized(string(t.Params)) + result
	}))
	section(module.SectionImport, len(a.imports), each(len(a.imports), func(i int) string {
		return sized(abi.HostModule) + sized(a.imports[i]) + "\x00" + uleb(uint64(a.kindOf(hostTypes[a.imports[i]])))
	}))
	section(module.SectionFunction, len(a.funcs), each(len(a.funcs), func(i int) string { return uleb(uint64(a.funcs[i].kind)) }))
	if a.table != nil {
		section(module.SectionTable, 1, "\x70\x01"+uleb(uint64(len(a.table)))+uleb(uint64(len(a.table))))
	}
	section(module.SectionMemory, 1, "\x00"+uleb(uint64(a.pages)))
	section(module.SectionGlobal, len(a.globals), each(len(a.globals), func(i int) string {
		g, mutable := a.globals[i], byte(0)
		if g.mutable {
			mutable = 1
		}
		return string([]byte{g.kind, mutable}) + g.init + "\x0b"
	}))
	exports := append([]assemblyExport{{abi.ExportMemory, module.ExternMemory, 0}}, a.exports...)
	section(module.SectionExport, len(exports), each(len(exports), func(i int) string {
		return sized(exports[i].name) + string([]byte{exports[i].kind}) + uleb(uint64(exports[i].at))
	}))
	section(module.SectionElement, len(a.elements()), strings.Join(a.elements(), ""))
	section(module.SectionCode, len(a.funcs), each(len(a.funcs), func(i int) string {
		f := a.funcs[i]
		return sized(uleb(uint64(len(f.locals))) + each(len(f.locals), func(l int) string { return "\x01" + string(f.locals[l:l+1]) }) + f.code + "\x0b")
	}))
	section(module.SectionData, len(a.data), each(len(a.data), func(i int) string {
		return "\x00" + i32Const(int32(a.data[i].at)) + "\x0b" + sized(a.data[i].text)
	}))
	return []byte(out.String())
}

// elements has a segment of one item for every table entry in use.
func (a *assembly) elements() []string {
	var all []string
	for at, function := range a.table {
		if function >= 0 {
			all = append(all, "\x00"+i32Const(int32(at))+"\x0b\x01"+uleb(uint64(function)))
		}
	}
	return all
}
