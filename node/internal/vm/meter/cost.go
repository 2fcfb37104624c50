package meter

import "github.com/cairn-ledger/cairn/node/internal/vm/module"

// Costs of instructions in gas; the table is part of the protocol. A gas is
// about a third of a nanosecond of work in the host (package vm). Instructions
// are priced at their bad case, such as a load that misses the cache: tight
// loops use 8 to 25 gas in a nanosecond.
const (
	costDefault      = 1
	costStructure    = 0  // block, loop, else, end, nop, drop: no machine code of their own
	costCall         = 6  // and the counting of depth
	costCallIndirect = 10 // and the checks of table bounds and type
	costBranchTable  = 3
	costMemory       = 6 // loads and stores check bounds; one that misses the cache takes 7 ns and more
	costGlobal       = 2
	costMultiply     = 2
	costDivide32     = 12
	costDivide64     = 20
	costRemainder    = 8 // above the division: the rewrite
	costFloat        = 3
	costFloatDivide  = 12
	costFloatRound   = 6
	costCanonical    = 3 // the rewrite of NaNs
	costBulk         = 40
	// costGrow pays for the instance, which is thrown away after a run that
	// grew it, because memory never shrinks: about 100 us.
	costGrow = 200_000

	// gasPerPage is the cost of one more memory page, cleared and faulted in.
	gasPerPage = 20_000
	// bulkShift: memory.copy and memory.fill cost one gas per 8 bytes.
	bulkShift = 3
	// localsPerGas is how many locals a function clears for one gas.
	localsPerGas = 4
)

// opCost answers the static cost of an instruction.
func opCost(op uint16) int64 {
	if op < uint16(len(costs)) {
		return int64(costs[op])
	}
	if op == module.OpMemoryCopy || op == module.OpMemoryFill {
		return costBulk
	}
	return costFloatRound // saturating conversions
}

// costs has one entry per one-byte opcode.
var costs = func() (t [256]uint32) {
	for i := range t {
		t[i] = costDefault
	}
	set := func(cost uint32, from, to int) {
		for op := from; op <= to; op++ {
			t[op] = cost
		}
	}
	set(costStructure, 0x00, 0x03)
	set(costStructure, module.OpElse, module.OpEnd)
	set(costBranchTable, module.OpBrTable, module.OpBrTable)
	set(costCall, module.OpCall, module.OpCall)
	set(costCallIndirect, module.OpCallIndirect, module.OpCallIndirect)
	set(costStructure, 0x1a, 0x1a)
	set(costGlobal, module.OpGlobalGet, module.OpGlobalSet)
	set(costMemory, 0x28, 0x3e)
	set(costMemory, module.OpMemorySize, module.OpMemorySize)
	set(costGrow, module.OpMemoryGrow, module.OpMemoryGrow)
	set(costMultiply, module.OpI32Mul, module.OpI32Mul)
	set(costMultiply, module.OpI64Mul, module.OpI64Mul)
	set(costDivide32, module.OpI32DivS, module.OpI32DivU)
	set(costDivide32+costRemainder, module.OpI32RemS, module.OpI32RemU)
	set(costDivide64, module.OpI64DivS, module.OpI64DivU)
	set(costDivide64+costRemainder, module.OpI64RemS, module.OpI64RemU)
	set(costFloat, 0x8b, 0xa6)
	set(costFloatRound, 0x8d, 0x90) // f32 ceil, floor, trunc, nearest
	set(costFloatRound, 0x9b, 0x9e)
	set(costFloatDivide, 0x91, 0x91) // sqrt
	set(costFloatDivide, 0x9f, 0x9f)
	set(costFloatDivide, 0x95, 0x95) // div
	set(costFloatDivide, 0xa3, 0xa3)
	set(costFloatRound, 0xa8, 0xab) // truncations to integers
	set(costFloatRound, 0xae, 0xb1)
	for op := range t {
		if makesNaN(uint16(op)) != 0 {
			t[op] += costCanonical
		}
	}
	return t
}()

// makesNaN answers the value type of an operation whose result can be a NaN
// with bits of the processor's choice, else 0.
func makesNaN(op uint16) byte {
	switch {
	case op >= 0x8d && op <= 0x97: // f32 ceil floor trunc nearest sqrt add sub mul div min max
		return module.F32
	case op >= 0x9b && op <= 0xa5: // the same of f64
		return module.F64
	case op == 0xb6: // f32.demote_f64
		return module.F32
	case op == 0xbb: // f64.promote_f32
		return module.F64
	}
	return 0
}
