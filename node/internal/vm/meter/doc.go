// Package meter rewrites an admitted module so that every engine on every
// machine runs it to the same result and the same gas.
//
//   - Gas: a mutable global starts at the gas limit; code subtracts its cost
//     from it before it runs and traps when it falls below zero (segment.go).
//   - Depth: a second global counts nested calls down from MaxDepth, because
//     engines overflow their own stacks at very different depths. Functions
//     that call nothing are not counted.
//   - Floats: the bit pattern of a NaN that an operation makes is the
//     processor's choice; after every such operation it becomes the canonical one.
//   - Remainders become a - (a/b)*b, because an engine's arm64 compiler gets
//     rem wrong.
//   - Comparisons of a bitwise and with zero are kept from the engine's
//     compilers, which get them wrong (hide.go).
//   - Memory: the maximum is the ledger's; growing and bulk operations cost
//     gas by their size.
//   - Reset: mutable globals are exported under reserved names, so that the
//     host can put an instance back to its first image.
//
// Version names all of this; it is part of the key of everything that caches
// compiled code, and changing anything here that changes gas or results takes
// a new one.
package meter

// Version of the metering, for cache keys and the marker in the output.
const Version = 3

// MaxDepth bounds nested calls inside a module. The interpreter of wazero
// gives up at 2,000 frames; a frame of an admitted function is under 100 KB, so
// that this many fit the compiler's stack too.
const MaxDepth = 512

// Names of the exported globals; contracts cannot use them because their own
// exports are white-listed.
const (
	GasExport    = "cairn.gas"
	DepthExport  = "cairn.depth"
	GlobalExport = "cairn.global." // and the number of the mutable global, from 0
)

// markerSection is the custom section that carries Version, so that even a
// cache keyed by nothing but the bytes keeps versions apart.
const markerSection = "cairn.metering"

// Options of an injection.
type Options struct {
	// MemoryPages is the maximum the output's memory gets when it declares
	// none or a larger one; 0 keeps the declaration.
	MemoryPages uint32
	// Gas and Depth are the initial values of the counters. The engine sets
	// them before every run; tests of start functions need them from the start.
	Gas   int64
	Depth int32
}
