//go:build race

package e2e

// raced says that these tests are built with the race detector; so are, then,
// the programs that they start.
const raced = true
