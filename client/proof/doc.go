// Package proof verifies, offline and alone, everything a receipt says: that
// an entry is in the log or a key in the state (or not), that log and state
// are what a block's app hash commits to, that the app hash is in a block's
// header, and that validators with more than two thirds of the power of a
// trusted set signed that block.
//
// It holds no key, reads no clock, opens no file and no connection, and
// imports client/protocol and the standard library only: an auditor can read
// all of it. What it trusts is an Anchor: a chain id and a validator set, from
// the genesis file or from a later point the auditor chose.
//
// Every decoder is strict and bounded: Encode(Decode(x)) equals x, or it is an
// error. Byte layouts are specified in docs/protocol.md, with test vectors in
// docs/vectors; a test under node/ holds this package equal to CometBFT's own
// types, to ICS23 and to transparency-dev/merkle.
package proof
