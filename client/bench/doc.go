// Package bench measures a ledger from outside: it starts validators as
// processes, feeds them events through the SDK, and reads what processes,
// metrics and disks say. A figure is reported only after the audit: every
// event is in its stream once, byte for byte, all nodes agree, and a sample of
// receipts verifies.
//
// Files, in reading order: run.go is a run from start to end; load.go feeds,
// feed.go makes the events, sample.go watches, audit.go counts again what the
// ledger holds, noop.go feeds the engine without the ledger, plot.go draws.
package bench
