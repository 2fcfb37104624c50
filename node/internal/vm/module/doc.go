// Package module reads WebAssembly binaries and decides, by static rules
// alone, which of them the ledger admits as contracts.
//
// Parse is strict and bounded: every count is checked against Limits before
// anything is allocated for it, so that a hostile module costs no more than
// its size. It decodes the format (WebAssembly core specification 2.0,
// chapter 5) and everything the metering needs to know, such as block
// structure and index bounds. Types of operands are left to the engine, which
// validates the module again after metering.
//
// What is understood is WebAssembly 1.0 with sign extension, saturating
// float-to-integer conversion, memory.copy and memory.fill. Vectors, threads,
// references, passive segments and several results are refused: nothing a
// contract needs uses them, and each one widens what two engines could
// disagree about.
package module
