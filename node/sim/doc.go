// Package sim is a ledger in memory: the application that validators run, on
// the store they run it on, with blocks made by hand instead of by consensus.
// Contract tests, checks before a deployment and the simulation of replicas
// are built on it.
//
// A Ledger calls the application as CometBFT would: CheckTx for what waits,
// then PrepareProposal, ProcessProposal, FinalizeBlock and Commit for every
// block, and Info, InitChain and the missing blocks after a restart. Keys,
// times and nonces are deterministic: the same calls make the same app hashes.
//
// A Ledger is for one goroutine.
package sim
