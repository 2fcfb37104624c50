package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencies counts durations in buckets that grow by an eighth, so that a
// percentile is right to 12 % and memory does not depend on how many there are.
type latencies struct {
	buckets [buckets]atomic.Uint64
	max     atomic.Int64 // microseconds
}

const (
	perDoubling = 8
	buckets     = 64 * perDoubling
)

func bucket(micros uint64) int {
	if micros < perDoubling {
		return int(micros)
	}
	high := bits.Len64(micros) - 4 // of the eight steps between a power of two and the next
	return (high+1)*perDoubling + int(micros>>high)&(perDoubling-1)
}

// upper is the first duration above a bucket.
func upper(b int) uint64 {
	if b < perDoubling {
		return uint64(b) + 1
	}
	high := b/perDoubling - 1
	return uint64(perDoubling+b%perDoubling+1) << high
}

func (l *latencies) add(d time.Duration) {
	micros := max(d.Microseconds(), 0)
	l.buckets[min(bucket(uint64(micros)), buckets-1)].Add(1)
	for {
		old := l.max.Load()
		if micros <= old || l.max.CompareAndSwap(old, micros) {
			return
		}
	}
}

// snapshot copies the counts.
func (l *latencies) snapshot() (counts [buckets]uint64) {
	for i := range counts {
		counts[i] = l.buckets[i].Load()
	}
	return counts
}

// Latency is what share of the events was final within, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// since are the percentiles of what was counted after an earlier snapshot.
func (l *latencies) since(before [buckets]uint64) Latency {
	counts, total := l.snapshot(), uint64(0)
	for i := range counts {
		counts[i] -= before[i]
		total += counts[i]
	}
	at := func(perMil uint64) float64 {
		sum := uint64(0)
		for i, n := range counts {
			if sum += n; n > 0 && sum*1000 >= total*perMil {
				return min(float64(upper(i)), float64(l.max.Load())) / 1000
			}
		}
		return 0
	}
	return Latency{P50: at(500), P95: at(950), P99: at(990)}
}
