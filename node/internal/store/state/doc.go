// Package state is the authenticated state: keys and values with their
// history, committed to by one hash.
//
// Values lie flat in pebble, every version under its key and height. The
// commitment is a Jellyfish-Merkle tree over SHA-256(key), hashed as Penumbra's
// jmt does (docs/protocol.md, section 6), so that client/proof and ICS23 verify its
// proofs. Four binary levels are stored as one node of up to sixteen children,
// which is immutable under its height and path: a past root stays provable
// until pruning removes what only it needs. Most changes touch one child, so a
// record says only what differs from the node's last whole one, as long as
// that is little (node.go).
//
// The tree of the newest version is kept in memory as far as it was used,
// copied on write: applying a block builds new nodes beside the old ones and
// writes nothing, and throwing the result away costs nothing.
//
// Reading order: overlay.go (a block's changes), update.go (the new root),
// tree.go (what is written), view.go (reading and proving).
package state
