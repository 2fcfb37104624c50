package module

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Limits are the numbers of the admission rules. They keep the time and
// memory of compiling any admitted module small: a module of 4.6 KB with 300
// locals in 300 nested loops took a compiler 12 s, one of 400 KB of sequential
// ifs 25 s. The largest value seen in an honest contract is in brackets. What
// was found to take longest inside the limits is in TestCompileTime and
// TestWorstFound of package vm.
type Limits struct {
	ModuleBytes    int // whole binary
	BodyBytes      int // one function's body [16 KiB]
	Types          int
	Imports        int
	Functions      int // defined
	Globals        int // defined
	Exports        int
	Params         int // of one type
	Locals         int // parameters and locals of one function [59]
	TableEntries   int // initial size of the one table
	MemoryPages    int // initial and maximum size of the one memory, 64 KiB each
	ElementItems   int // in all element segments
	DataSegments   int
	Blocks         int // blocks, loops, ifs and branches of one function [1,360]
	ModuleBlocks   int // the same of all functions [6,800]
	Grows          int // memory.grow instructions of all functions [1]
	Nesting        int // open blocks at once [77]
	LoopNesting    int // open loops at once [6]
	LocalsByBlocks int // locals times blocks of one function [35,000]
	Work           int // sum over functions of blocks squared times (locals + 8) [16 million]
	BranchTable    int // targets of one br_table [95]
	BranchTables   int // targets of all br_tables
	NameBytes      int // of an import, export or custom section
	MeteredBytes   int // whole binary after metering, honestly 1.5 to 2.5 times as large
}

// Contract are the limits of the ledger's rules, version 1.
func Contract() Limits {
	return Limits{
		ModuleBytes:    protocol.MaxCodeBytes,
		BodyBytes:      32 << 10,
		Types:          512,
		Imports:        64,
		Functions:      4_096,
		Globals:        256,
		Exports:        64,
		Params:         32,
		Locals:         256,
		TableEntries:   4_096,
		MemoryPages:    64,
		ElementItems:   8_192,
		DataSegments:   128,
		Blocks:         2_000,
		ModuleBlocks:   20_000,
		Grows:          64,
		Nesting:        128,
		LoopNesting:    16,
		LocalsByBlocks: 100_000,
		Work:           40_000_000,
		MeteredBytes:   2 << 20,
		BranchTable:    1_024,
		BranchTables:   16_384,
		NameBytes:      128,
	}
}

// NoFunction stands for the whole module in a Fault.
const NoFunction = -1

// Fault is a refusal of a module: which rule, where, and the numbers. It is a
// *protocol.Error with the code CONTRACT_INVALID to errors.As.
type Fault struct {
	Rule     string // short name of the rule, such as "nesting"
	Function int    // index in the function index space, imports first; NoFunction for the module
	Text     string
}

// Error names the rule and the function.
func (f *Fault) Error() string {
	if f.Function == NoFunction {
		return fmt.Sprintf("rule %q: %s", f.Rule, f.Text)
	}
	return fmt.Sprintf("rule %q: function %d: %s", f.Rule, f.Function, f.Text)
}

// Unwrap gives the refusal its code.
func (f *Fault) Unwrap() error {
	return &protocol.Error{Code: protocol.CodeContractInvalid, Text: f.Error()}
}

// Over is the refusal of a count that is over its limit.
func Over(rule, what string, n uint64, limit int) error { return over(rule, what, n, limit) }

func refuse(rule string, format string, args ...any) error {
	return &Fault{Rule: rule, Function: NoFunction, Text: fmt.Sprintf(format, args...)}
}

// over refuses a count that is over its limit.
func over(rule, what string, n uint64, limit int) error {
	return refuse(rule, "%d %s, the limit is %d", n, what, limit)
}
