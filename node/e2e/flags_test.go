package e2e

import (
	"flag"
	"time"
)

var (
	killCycles    = flag.Int("cycles", 20, "how many validators to kill while events stream")
	seed          = flag.Uint64("seed", 0, "seed of the random choices; 0 picks one and prints it")
	connectEvents = flag.Int("connect", 5_000, "how many events connectors carry from each broker; `make e2e` takes 200,000")
	deep          = flag.Bool("deep", false, "minutes of failing consumers, hostile connections and overload instead of seconds, and bounds on what is measured")
)

// span is how long something lasts: in the deep suite, or in the quick one.
func span(long, quick time.Duration) time.Duration {
	if *deep {
		return long
	}
	return quick
}
