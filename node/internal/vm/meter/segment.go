package meter

import "github.com/cairn-ledger/cairn/node/internal/vm/module"

// mergeBelow is the cost up to which a segment is paid for by its region's
// head instead of by itself. 0 would charge every basic block exactly and
// make tight loops with branches three times slower; no bound would make a
// function pay for its rare long branches on every entry. Measured in
// bench_test.go of package vm.
const mergeBelow = 16

// segment is a run of instructions without a branch into or out of its
// middle. cost is charged where it starts.
type segment struct {
	at   int // offset in the body
	cost int64
}

// segments cuts a body into segments and decides what each one charges.
//
// The heads are the body's start and the first segment of every loop. Every
// instruction belongs to the region of the innermost loop around it, or of
// the body; between two passes through a region's head no segment of the
// region runs twice, since only loops are jumped back to. A head may
// therefore pay for small segments of its region in advance: never less is
// charged than runs, and at most mergeBelow more for each branch not taken.
func segments(b *module.Body, l *module.Limits) ([]segment, error) {
	entry := int64((b.Declared + localsPerGas - 1) / localsPerGas)
	all := []segment{{at: 0, cost: entry}}
	heads := []int{0}      // index in all of the heads of the regions around
	opens := []bool{false} // for every open block: is it a loop
	current := 0
	next := func(at int, head bool) {
		if c := &all[current]; current != heads[len(heads)-1] && c.cost <= mergeBelow {
			all[heads[len(heads)-1]].cost += c.cost
			c.cost = 0
		}
		all = append(all, segment{at: at})
		current = len(all) - 1
		if head {
			heads = append(heads, current)
		}
	}
	d := module.NewDecoder(b.Code, l)
	var in module.Instruction
	for d.More() {
		if err := d.Next(&in); err != nil {
			return nil, err
		}
		all[current].cost += opCost(in.Op)
		switch in.Op {
		case module.OpBlock:
			opens = append(opens, false)
		case module.OpLoop:
			opens = append(opens, true)
			next(in.End, true)
		case module.OpIf:
			opens = append(opens, false)
			next(in.End, false)
		case module.OpEnd:
			isLoop := opens[len(opens)-1]
			opens = opens[:len(opens)-1]
			next(in.End, false)
			if isLoop {
				heads = heads[:len(heads)-1]
			}
		case module.OpElse, module.OpBr, module.OpBrIf, module.OpBrTable, module.OpReturn, module.OpUnreachable:
			next(in.End, false)
		}
	}
	return all, nil
}
