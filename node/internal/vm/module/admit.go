package module

import (
	"bytes"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// entryPoints are the functions a contract may export, and their types.
var entryPoints = map[string]FuncType{
	abi.ExportInitialize: {Result: blockEmpty},
	abi.ExportInit:       {Params: []byte{I32}, Result: I32},
	abi.ExportEvent:      {Params: []byte{I32, I32}, Result: I32},
	abi.ExportCall:       {Params: []byte{I32, I32}, Result: I32},
	abi.ExportQuery:      {Params: []byte{I32, I32}, Result: I32},
	abi.ExportTimer:      {Params: []byte{I32, I32}, Result: I32},
	abi.ExportMigrate:    {Params: []byte{I32}, Result: I32},
}

// Admit holds a parsed module to what a contract may import and export.
// hostFunctions are the names and types of the host module.
func (m *Module) Admit(hostFunctions map[string]FuncType) error {
	if m.Start != nil {
		return refuse("start", "a contract has no start function; export %s instead", abi.ExportInitialize)
	}
	for _, i := range m.Imports {
		want, known := hostFunctions[i.Name]
		switch {
		case i.Module != abi.HostModule || i.Kind != ExternFunc:
			return refuse("import", "%q %q is not a function of the module %q", i.Module, i.Name, abi.HostModule)
		case !known:
			return refuse("import", "the host has no function %q", i.Name)
		case !m.Types[i.Type].equal(want):
			return refuse("import", "the host function %q is imported with another type than it has", i.Name)
		}
	}
	if m.Memory == nil {
		return refuse("memory", "a contract defines one memory")
	}
	return m.admitExports()
}

func (m *Module) admitExports() error {
	entries, memory := 0, false
	for _, e := range m.Exports {
		want, isEntry := entryPoints[e.Name]
		switch {
		case e.Name == abi.ExportMemory && e.Kind == ExternMemory:
			memory = true
		case !isEntry || e.Kind != ExternFunc:
			return refuse("export", "%q is not an export of contracts", e.Name)
		case int(e.Index) < m.ImportedFunctions:
			return refuse("export", "%q is an imported function", e.Name)
		case !m.FunctionType(e.Index).equal(want):
			return refuse("export", "%q has another type than contracts/abi says", e.Name)
		case e.Name != abi.ExportInitialize:
			entries++
		}
	}
	if !memory {
		return refuse("export", "the memory is not exported as %q", abi.ExportMemory)
	}
	if entries == 0 {
		return refuse("export", "no entry point is exported")
	}
	return nil
}

func (t FuncType) equal(o FuncType) bool {
	return t.Result == o.Result && bytes.Equal(t.Params, o.Params)
}

// NewFuncType makes a type for Admit; result is 0 for none.
func NewFuncType(result byte, params ...byte) FuncType {
	if result == 0 {
		result = blockEmpty
	}
	return FuncType{Params: params, Result: result}
}
