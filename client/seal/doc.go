// Package seal keeps what an event says about a person from all but named
// readers. The ledger orders and proves a sealed event like any other; its
// attributes, and the members its producer chose, stay readable; the rest is
// encrypted with a key of its subject's.
//
// Seal and Open are the two ends; Sealer and Reader do the same with a store of
// keys and with the keys that producers publish on the ledger, wrapped for their
// readers with age. A Disclosure shows some members of the data to somebody who
// has neither key nor ledger, and proves them against the event's receipt.
//
// docs/privacy.md has the formats, what an observer still learns, and what
// deleting a key does and does not do. docs/vectors/seal.json has vectors.
//
// Files, in reading order: seal.go, envelope.go, key.go; fields.go and
// disclosure.go; wrap.go, store.go and sealer.go.
package seal
