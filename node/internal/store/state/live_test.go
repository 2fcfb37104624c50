package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A contract that fills a queue and empties it leaves removed keys behind. A
// block that scans over them, however often and from wherever, walks each of
// them once: no scan is dear that was paid as a cheap one.
func TestRemovedKeysAreWalkedOnceABlock(t *testing.T) {
	const removed, scans = 5_000, 2_000
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	name := func(n int) []byte { return fmt.Appendf(nil, "q/%06d", n) }
	l.block(1, func(o *Overlay) {
		for i := range removed + 1 {
			_ = o.Set(name(i), []byte("v"))
		}
	})
	l.block(2, func(o *Overlay) {
		for i := range removed {
			_ = o.Delete(name(i))
		}
	})
	random := rand.New(rand.NewPCG(1, 1))
	o := l.tree.Overlay()
	for range scans {
		pairs, err := o.Scan([]byte("q/"), name(random.IntN(removed)), 2)
		if err != nil || len(pairs) != 1 || string(pairs[0].Key) != string(name(removed)) {
			t.Fatalf("%d pairs, %v", len(pairs), err)
		}
	}
	// A set and a removal are two steps; a scan that jumps takes a few.
	if limit := 2*removed + 4*farFrom*scans; o.gaps.walked > limit {
		t.Errorf("%d scans walked %d steps, expected are at most %d", scans, o.gaps.walked, limit)
	}
	if o.gaps.walked < removed {
		t.Errorf("%d scans walked %d steps: pebble no longer holds what was removed, and this test shows nothing", scans, o.gaps.walked)
	}
}
