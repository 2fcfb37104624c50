package store

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"runtime/debug"
	"testing"
)

var benchKeys = flag.Uint64("keys", 1_000_000, "keys in the state of BenchmarkState")

// Blocks of 10,000 changes of state, 90 % to keys that are there, 10 % new
// ones, each block one synced batch, ten versions kept. The collector runs as
// cairnd sets it.
func BenchmarkState(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	s, err := Open(b.TempDir(), Options{ChainID: "bench", KeepVersions: 10})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 1))
	var keys, height uint64
	value := make([]byte, 64)
	set := func(batch *Batch, n uint64) {
		binary.BigEndian.PutUint64(value, random.Uint64())
		if err := batch.State().Set(binary.BigEndian.AppendUint64([]byte("a-key-of-thirty-two-byte"), n), value); err != nil {
			b.Fatal(err)
		}
	}
	block := func(changes, fresh int) {
		batch := s.Begin(height, int64(height))
		batch.SetParams([]byte("params"))
		for range changes {
			set(batch, random.Uint64N(keys))
		}
		for range fresh {
			set(batch, keys)
			keys++
		}
		if _, err := batch.Seal(); err != nil {
			b.Fatal(err)
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		height++
	}
	for keys < *benchKeys {
		block(0, 50_000)
	}
	for b.Loop() {
		block(9_000, 1_000)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "updates/s")
}
