// Package protocol holds the words the whole ledger shares: events,
// transactions, log entries, outcome codes, keys and addresses, their
// canonical bytes, their hashes and their limits.
//
// Every decoder here is strict: it bounds what it allocates, refuses anything
// that is not the one canonical encoding (Encode(Decode(x)) == x, or an
// error), and never panics on input. The byte layouts are specified in
// docs/protocol.md; docs/vectors holds test vectors for other languages.
//
// The package imports no other package of this module, and neither the clock
// nor anything else of its surroundings decides a result.
package protocol
