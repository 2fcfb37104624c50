package sim

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// wider is how far beyond the limits a module is still measured.
const wider = 8

// wide are the limits a refused module is measured under, so that the report
// can say by how much it is over.
func wide() module.Limits {
	l := module.Contract()
	for _, limit := range []*int{
		&l.ModuleBytes, &l.BodyBytes, &l.Types, &l.Imports, &l.Functions, &l.Globals, &l.Exports, &l.Params, &l.Locals,
		&l.TableEntries, &l.MemoryPages, &l.ElementItems, &l.DataSegments, &l.Blocks, &l.ModuleBlocks, &l.Grows, &l.Nesting,
		&l.LoopNesting, &l.LocalsByBlocks, &l.Work, &l.BranchTable, &l.BranchTables, &l.NameBytes, &l.MeteredBytes,
	} {
		*limit *= wider
	}
	return l
}

// peak is the most any function uses of a limit.
type peak struct {
	used     int
	function int
}

func (p *peak) see(used, function int) {
	if used > p.used {
		*p = peak{used, function}
	}
}

// measured is what a module's functions use.
type measured struct {
	body, locals, blocks, nesting, loops, localsByBlocks, table peak
	moduleBlocks, grows, work, tables                           int
}

// measure fills in imports, exports and uses, where the module can be decoded.
func (r *Report) measure(wasm []byte) {
	limits, admitted := wide(), module.Contract()
	m, err := module.Parse(wasm, &limits)
	if err != nil {
		return
	}
	names, params, nameBytes := functionNames(wasm), 0, 0
	for _, t := range m.Types {
		params = max(params, len(t.Params))
	}
	for _, i := range m.Imports {
		r.Imports = append(r.Imports, i.Name)
		nameBytes = max(nameBytes, len(i.Module), len(i.Name))
	}
	for _, e := range m.Exports {
		r.Exports = append(r.Exports, e.Name)
		nameBytes = max(nameBytes, len(e.Name))
	}
	var all measured
	for i := range m.Bodies {
		if !all.add(&m.Bodies[i], m.ImportedFunctions+i, &limits) {
			return
		}
	}
	entries, pages, metered := 0, 0, 0
	if m.Table != nil {
		entries = int(m.Table.Min)
	}
	if m.Memory != nil {
		pages = int(m.Memory.Min)
	}
	if out, err := meter.Inject(m, &limits, meter.Options{MemoryPages: uint32(admitted.MemoryPages)}); err == nil {
		metered = len(out)
	}
	whole := func(limit string, used, most int) { r.Uses = append(r.Uses, Use{Limit: limit, Used: used, Max: most}) }
	one := func(limit string, p peak, most int) {
		use := Use{Limit: limit, Used: p.used, Max: most}
		if p.used > 0 {
			use.Function = names.name(p.function)
		}
		r.Uses = append(r.Uses, use)
	}
	whole("ModuleBytes", len(wasm), admitted.ModuleBytes)
	one("BodyBytes", all.body, admitted.BodyBytes)
	whole("Types", len(m.Types), admitted.Types)
	whole("Imports", len(m.Imports), admitted.Imports)
	whole("Functions", len(m.Functions), admitted.Functions)
	whole("Globals", len(m.Globals), admitted.Globals)
	whole("Exports", len(m.Exports), admitted.Exports)
	whole("Params", params, admitted.Params)
	one("Locals", all.locals, admitted.Locals)
	whole("TableEntries", entries, admitted.TableEntries)
	whole("MemoryPages", pages, admitted.MemoryPages)
	whole("ElementItems", elementItems(m.Raw[module.SectionElement]), admitted.ElementItems)
	whole("DataSegments", (&cutter{buf: m.Raw[module.SectionData]}).number(), admitted.DataSegments)
	one("Blocks", all.blocks, admitted.Blocks)
	whole("ModuleBlocks", all.moduleBlocks, admitted.ModuleBlocks)
	whole("Grows", all.grows, admitted.Grows)
	one("Nesting", all.nesting, admitted.Nesting)
	one("LoopNesting", all.loops, admitted.LoopNesting)
	one("LocalsByBlocks", all.localsByBlocks, admitted.LocalsByBlocks)
	whole("Work", all.work, admitted.Work)
	one("BranchTable", all.table, admitted.BranchTable)
	whole("BranchTables", all.tables, admitted.BranchTables)
	whole("NameBytes", nameBytes, admitted.NameBytes)
	whole("MeteredBytes", metered, admitted.MeteredBytes)
}

// bulkBlocks is what growing, copying and filling memory count as blocks.
const bulkBlocks = 8

// add counts one function as the admission rules do; false where its code
// cannot be decoded.
func (all *measured) add(b *module.Body, index int, limits *module.Limits) bool {
	all.body.see(len(binary.AppendUvarint(nil, uint64(b.Runs)))+len(b.LocalRuns)+len(b.Code), index)
	all.locals.see(len(b.LocalTypes), index)
	d := module.NewDecoder(b.Code, limits)
	var open []bool // whether each block around is a loop
	var in module.Instruction
	blocks, loops := 0, 0
	for d.More() {
		if d.Next(&in) != nil {
			return false
		}
		switch in.Op {
		case module.OpBlock, module.OpLoop, module.OpIf:
			blocks++
			open = append(open, in.Op == module.OpLoop)
			if in.Op == module.OpLoop {
				loops++
			}
			all.nesting.see(len(open), index)
			all.loops.see(loops, index)
		case module.OpEnd:
			if n := len(open); n > 0 {
				if open[n-1] {
					loops--
				}
				open = open[:n-1]
			}
		case module.OpBrIf:
			blocks++
		case module.OpBrTable:
			blocks++
			all.table.see(len(in.Targets)-1, index) // the default does not count
			all.tables += len(in.Targets)
		case module.OpMemoryGrow:
			all.grows++
			blocks += bulkBlocks
		case module.OpMemoryCopy, module.OpMemoryFill:
			blocks += bulkBlocks
		}
	}
	all.blocks.see(blocks, index)
	all.localsByBlocks.see(blocks*len(b.LocalTypes), index)
	all.moduleBlocks += blocks
	all.work += blocks * blocks * (len(b.LocalTypes) + 8)
	return true
}

// elementItems counts the items of all segments of an element section.
func elementItems(section []byte) int {
	c := cutter{buf: section}
	total := 0
	for range c.number() {
		c.number() // kind
		c.take(1)  // the offset: a constant or a global
		c.number()
		c.take(1) // its end
		items := c.number()
		for range items {
			c.number()
		}
		if c.bad {
			break
		}
		total += items
	}
	return total
}
