package main

import "github.com/cairn-ledger/cairn/contracts/abi"

// u64 and run append parts of stored records. They stay functions of their
// own, because a copy at every call would add to the contract's code.

//go:noinline
func u64(b []byte, v uint64) []byte { return abi.AppendU64(b, v) }

//go:noinline
func run(b, text []byte) []byte { return abi.AppendRun(b, text) }
