// Package vm runs contracts: WebAssembly modules that the rules of package
// module admit and package meter has rewritten, on wazero. Nothing else
// imports wazero.
//
// A run is a pure function of the module, the entry point, the environment,
// the input, the gas limit and what the Host answers: its result, its gas and
// the calls it makes to the Host are the same on every machine, in the compiler
// and in the interpreter, with a cold and a warm cache, in a fresh and in a
// reused instance. Every run starts from the same memory image.
//
// What a contract does wrong is a Code in the Result. An error is a fault of
// this node, after which it must not go on.
package vm
