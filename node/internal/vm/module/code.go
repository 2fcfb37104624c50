package module

import "errors"

func (m *Module) code(r *reader, l *Limits) error {
	if n := r.count("functions", "bodies", l.Functions); r.err == nil && n != len(m.Functions) {
		r.fail("%d functions are declared and %d have bodies", len(m.Functions), n)
	}
	for i := range m.Functions {
		contents := r.take(int(r.u32()))
		if r.err != nil {
			return r.err
		}
		if err := m.body(i, contents, l); err != nil {
			var fault *Fault
			if errors.As(err, &fault) {
				fault.Function = m.ImportedFunctions + i
			}
			return err
		}
	}
	if r.left() != 0 {
		r.fail("the code section has %d bytes too many", r.left())
	}
	return r.err
}

func (m *Module) body(i int, contents []byte, l *Limits) error {
	if len(contents) > l.BodyBytes {
		return over("body-bytes", "bytes of code", uint64(len(contents)), l.BodyBytes)
	}
	t := m.Types[m.Functions[i]]
	b := Body{Params: len(t.Params), Result: t.Result, LocalTypes: append([]byte(nil), t.Params...)}
	r := reader{buf: contents}
	b.Runs = r.count("locals", "runs of locals", l.Locals)
	first := r.off
	for range b.Runs {
		n := r.u32()
		kind := m.valueType(&r)
		if r.err != nil {
			return r.err
		}
		if total := uint64(len(b.LocalTypes)) + uint64(n); total > uint64(l.Locals) {
			return over("locals", "parameters and locals", total, l.Locals)
		}
		for range n {
			b.LocalTypes = append(b.LocalTypes, kind)
		}
	}
	if r.err != nil {
		return r.err
	}
	b.Declared = len(b.LocalTypes) - b.Params
	b.LocalRuns, b.Code = contents[first:r.off], contents[r.off:]
	if err := m.scan(&b, l); err != nil {
		return err
	}
	m.Bodies = append(m.Bodies, b)
	return nil
}

// bulkBlocks is what memory.grow, copy and fill count as blocks: compilers
// expand them to loops, and the metering puts a branch before them.
const bulkBlocks = 8

// scan walks a body once: the block structure closes exactly at its end,
// every index is inside bounds, and the counts keep the limits.
func (m *Module) scan(b *Body, l *Limits) error {
	d := NewDecoder(b.Code, l)
	var open []byte // opcodes of the blocks around, the body's own first
	open = append(open, OpBlock)
	blocks, loops := 0, 0
	var in Instruction
	for len(open) > 0 {
		if err := d.Next(&in); err != nil {
			return err
		}
		switch in.Op {
		case OpBlock, OpLoop, OpIf:
			open = append(open, byte(in.Op))
			if in.Op == OpLoop {
				loops++
			}
			blocks++
		case OpElse:
			if open[len(open)-1] != OpIf {
				return refuse("format", "else without if at offset %d", in.Start)
			}
			open[len(open)-1] = OpElse
		case OpEnd:
			if open[len(open)-1] == OpLoop {
				loops--
			}
			open = open[:len(open)-1]
		default:
			if err := m.operands(b, &in, len(open), l); err != nil {
				return err
			}
			blocks += branches(&in, len(open))
		}
		switch {
		case blocks > l.Blocks:
			return over("blocks", "blocks and branches", uint64(blocks), l.Blocks)
		case len(open)-1 > l.Nesting:
			return over("nesting", "nested blocks", uint64(len(open)-1), l.Nesting)
		case loops > l.LoopNesting:
			return over("loop-nesting", "nested loops", uint64(loops), l.LoopNesting)
		}
	}
	if d.More() {
		return refuse("format", "code follows the end at offset %d", in.End)
	}
	return m.sum(blocks, len(b.LocalTypes), l)
}

// branches is what an instruction adds to the blocks of its function. A
// br_table is as many branches as it has different targets: each carries the
// value of every local that its target's loop changes.
func branches(in *Instruction, labels int) int {
	switch in.Op {
	case OpBrIf:
		return 1
	case OpBrTable:
		different, seen := 0, make([]bool, labels)
		for _, target := range in.Targets {
			if !seen[target] {
				seen[target] = true
				different++
			}
		}
		return different
	case OpMemoryGrow, OpMemoryCopy, OpMemoryFill:
		return bulkBlocks
	}
	return 0
}

// sum adds one function to the counts of the module. A compiler looks, at
// every place where branches meet, back along the blocks for the value of
// every local, which is what work bounds.
func (m *Module) sum(blocks, locals int, l *Limits) error {
	m.blocks += blocks
	m.work += blocks * blocks * (locals + 8)
	switch {
	case blocks*locals > l.LocalsByBlocks:
		return over("locals-by-blocks", "locals times blocks", uint64(blocks*locals), l.LocalsByBlocks)
	case m.work > l.Work:
		return over("work", "as blocks squared times locals in all functions so far", uint64(m.work), l.Work)
	case m.blocks > l.ModuleBlocks:
		return over("module-blocks", "blocks and branches in all functions so far", uint64(m.blocks), l.ModuleBlocks)
	}
	return nil
}

// operands checks the indices of one instruction; labels counts the open
// blocks, the body's own included.
func (m *Module) operands(b *Body, in *Instruction, labels int, l *Limits) error {
	bound := func(what string, index uint32, size int) error {
		if uint64(index) < uint64(size) {
			return nil
		}
		return refuse("format", "%s index %d at offset %d, there are %d", what, index, in.Start, size)
	}
	switch in.Op {
	case OpMemoryGrow:
		if m.grows++; m.grows > l.Grows {
			return over("memory-grows", "memory.grow in all functions so far", uint64(m.grows), l.Grows)
		}
	case OpBr, OpBrIf:
		return bound("label", in.Index, labels)
	case OpBrTable:
		if m.branchTargets += len(in.Targets); m.branchTargets > l.BranchTables {
			return over("branch-tables", "br_table targets in all functions so far", uint64(m.branchTargets), l.BranchTables)
		}
		for _, target := range in.Targets {
			if err := bound("label", target, labels); err != nil {
				return err
			}
		}
	case OpCall:
		b.Calls = true
		return bound("function", in.Index, len(m.functionTypes))
	case OpCallIndirect:
		b.Calls = true
		return bound("type", in.Index, len(m.Types))
	case OpLocalGet, OpLocalSet, OpLocalTee:
		return bound("local", in.Index, len(b.LocalTypes))
	case OpGlobalGet, OpGlobalSet:
		if err := bound("global", in.Index, len(m.globalTypes)); err != nil {
			return err
		}
		if in.Op == OpGlobalSet && !m.globalTypes[in.Index].Mutable {
			return refuse("format", "global %d, set at offset %d, is immutable", in.Index, in.Start)
		}
	}
	return nil
}
