// Package machine executes blocks. Execution is a pure function of the
// committed state and the block: no clock, no randomness, no network, one
// goroutine. What it writes, it writes into a store.Batch, which the caller
// seals and commits or throws away.
//
// The reading order is execute.go (a block), batch.go (events into the log),
// deliver.go (entries to contracts), contract.go (deployments and calls).
//
// Order first, then execute: appending an entry never waits for a contract.
// A contract is a consumer of the log with a durable cursor; what does not fit
// a block's gas stays in the log and is delivered in a later block.
package machine
