package e2e

import "flag"

var (
	killCycles = flag.Int("cycles", 20, "how many validators to kill while events stream")
	seed       = flag.Uint64("seed", 0, "seed of the random choices; 0 picks one and prints it")
)
