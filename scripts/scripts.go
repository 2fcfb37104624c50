// Package scripts carries the scripts that build contracts, so that the command
// line builds them outside the repository too, with the same tools and flags.
package scripts

import "embed"

// Contracts are build-contracts.sh, and tinygo.sh with what goes into the
// compiler. The files are hashed to name the compiler: they are written out as
// they are.
//
//go:embed build-contracts.sh tinygo.sh tinygo
var Contracts embed.FS
