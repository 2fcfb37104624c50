package sim

import (
	"errors"
	"sort"

	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// wider is how far beyond the limits a module is still measured, so that the
// report can say by how much a refused one is over.
const wider = 8

// limit is one number of the rules.
type limit struct {
	name string
	one  bool // on one function, or else on the whole module
	at   func(*module.Limits) *int
}

// limits are all of them, in the order of docs/contracts.md.
var limits = []limit{
	{"ModuleBytes", false, func(l *module.Limits) *int { return &l.ModuleBytes }},
	{"BodyBytes", true, func(l *module.Limits) *int { return &l.BodyBytes }},
	{"Types", false, func(l *module.Limits) *int { return &l.Types }},
	{"Imports", false, func(l *module.Limits) *int { return &l.Imports }},
	{"Functions", false, func(l *module.Limits) *int { return &l.Functions }},
	{"Globals", false, func(l *module.Limits) *int { return &l.Globals }},
	{"Exports", false, func(l *module.Limits) *int { return &l.Exports }},
	{"Params", false, func(l *module.Limits) *int { return &l.Params }},
	{"Locals", true, func(l *module.Limits) *int { return &l.Locals }},
	{"TableEntries", false, func(l *module.Limits) *int { return &l.TableEntries }},
	{"MemoryPages", false, func(l *module.Limits) *int { return &l.MemoryPages }},
	{"ElementItems", false, func(l *module.Limits) *int { return &l.ElementItems }},
	{"DataSegments", false, func(l *module.Limits) *int { return &l.DataSegments }},
	{"Blocks", true, func(l *module.Limits) *int { return &l.Blocks }},
	{"ModuleBlocks", false, func(l *module.Limits) *int { return &l.ModuleBlocks }},
	{"Grows", false, func(l *module.Limits) *int { return &l.Grows }},
	{"Nesting", true, func(l *module.Limits) *int { return &l.Nesting }},
	{"LoopNesting", true, func(l *module.Limits) *int { return &l.LoopNesting }},
	{"LocalsByBlocks", true, func(l *module.Limits) *int { return &l.LocalsByBlocks }},
	{"Work", false, func(l *module.Limits) *int { return &l.Work }},
	{"BranchTable", true, func(l *module.Limits) *int { return &l.BranchTable }},
	{"BranchTables", false, func(l *module.Limits) *int { return &l.BranchTables }},
	{"NameBytes", false, func(l *module.Limits) *int { return &l.NameBytes }},
	{meteredBytes, false, func(l *module.Limits) *int { return &l.MeteredBytes }},
}

// meteredBytes is the one limit that is not of the module as it came.
const meteredBytes = "MeteredBytes"

func wide() module.Limits {
	w := module.Contract()
	for _, l := range limits {
		*l.at(&w) *= wider
	}
	return w
}

// measure fills in imports, exports and uses, where the module can be decoded.
// What is used of a limit is the least number under which the rules admit the
// module, so that it is right whatever they count.
func (r *Report) measure(wasm []byte) {
	wide, admitted := wide(), module.Contract()
	m, err := module.Parse(wasm, &wide)
	if err != nil {
		return
	}
	for _, i := range m.Imports {
		r.Imports = append(r.Imports, i.Name)
	}
	for _, e := range m.Exports {
		r.Exports = append(r.Exports, e.Name)
	}
	names := functionNames(wasm)
	for _, l := range limits {
		use := Use{Limit: l.name, Max: *l.at(&admitted)}
		if l.name == meteredBytes {
			if out, err := meter.Inject(m, &wide, meter.Options{MemoryPages: uint32(admitted.MemoryPages)}); err == nil {
				use.Used = len(out)
			}
		} else {
			use.Used = sort.Search(*l.at(&wide), func(n int) bool { return under(wasm, l, n) == nil })
		}
		var fault *module.Fault
		if l.one && use.Used > 0 && errors.As(under(wasm, l, use.Used-1), &fault) && fault.Function != module.NoFunction {
			use.Function = names.name(fault.Function)
		}
		r.Uses = append(r.Uses, use)
	}
}

// under holds a module to one limit.
func under(wasm []byte, l limit, n int) error {
	only := wide()
	*l.at(&only) = n
	_, err := module.Parse(wasm, &only)
	return err
}
