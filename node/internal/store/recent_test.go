package store

import (
	"encoding/binary"
	"testing"
)

// TestRecentForgetsNothingItCovers adds keys over several generations and asks,
// on the way, for those that the filter says it covers.
func TestRecentForgetsNothingItCovers(t *testing.T) {
	key := func(i uint64) []byte { return binary.BigEndian.AppendUint64([]byte("source"), i) }
	r := newRecent(0)
	const total = 2*recentKeys + recentKeys/2
	for i := range uint64(total) {
		r.add(key(i), i)
		if i%1000 != 0 {
			continue
		}
		if back := i - min(i, recentKeys); !r.covers(back) || !r.has(key(back)) || !r.has(key(i)) {
			t.Fatalf("at %d keys: covers(%d) %v, has it %v, has the newest %v", i+1, back, r.covers(back), r.has(key(back)), r.has(key(i)))
		}
	}
	if r.covers(0) {
		t.Error("the first key is still covered after two generations more")
	}
	wrong := 0
	for i := range uint64(100_000) {
		if r.has(key(total + i)) {
			wrong++
		}
	}
	if t.Logf("%d of 100,000 keys never added are taken for known", wrong); wrong > 2_000 {
		t.Errorf("the filter hardly saves a lookup")
	}
	if restarted := newRecent(total); restarted.covers(total-1) || !restarted.covers(total) {
		t.Error("a filter that starts with the process covers what came before it")
	}
}

func BenchmarkRecent(b *testing.B) {
	r := newRecent(0)
	var key [41]byte
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		binary.BigEndian.PutUint64(key[:], i)
		if !r.has(key[:]) {
			r.add(key[:], i)
		}
	}
}
