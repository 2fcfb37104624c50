// Package shipped tests the contracts that the repository ships, as built
// .wasm files, on the ledger's contract engine: that they are admitted, that
// they are the bytes their .sha256 names, and that they answer as their
// handlers did natively.
package shipped
