// Package client is the SDK for producers, consumers and auditors: it signs
// and batches events, submits them to any node that answers, follows them to
// their final entries, queries contracts and fetches receipts, which
// client/proof verifies offline.
//
// A Producer owns one stream. Its sequence makes every retry harmless: what
// the ledger already holds is absorbed, so an event sent twice is in the log
// once. After a restart it goes on from the sequence the ledger expects. One
// stream has one producer at a time; a second one is noticed (ErrConflict).
//
// An Outbox is a producer whose events are on disk before they are taken. It
// can put events aside that the ledger refuses for good (outboxdead.go).
//
// Files, in reading order: producer.go takes events and makes batches, send.go
// signs and sends them, settle.go follows them; call.go is one request to
// whichever node answers. erase.go has payloads erased; package seal keeps them
// for named readers from the start.
package client
