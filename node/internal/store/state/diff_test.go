package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// What differs between any two kept versions is what differs between two maps,
// read page by page, over reopening, with pruning on and off.
func TestDiffAgreesWithAModel(t *testing.T) {
	for _, keep := range []uint64{0, 6} {
		for seed := range uint64(6) {
			diffRun(t, seed, keep)
		}
	}
}

func diffRun(t *testing.T, seed, keep uint64) {
	random := rand.New(rand.NewPCG(seed, 77+keep))
	fs, options := vfs.NewMem(), Options{KeepVersions: keep, MaxNodes: 20}
	l := openLedger(t, fs, 0, options)
	defer func() { l.db.Close() }()
	model := map[string]string{}
	past := []map[string]string{{}}
	for height := uint64(1); height <= 40; height++ {
		l.block(height, func(o *Overlay) { randomChanges(t, random, o, model) })
		past = append(past, maps.Clone(model))
		if height%9 == 0 {
			l.db.Close()
			l = openLedger(t, fs, height, options)
		}
		oldest := uint64(0)
		if keep > 0 && height >= keep {
			oldest = height - keep + 1
		}
		for range 3 {
			from := oldest + random.Uint64N(height-oldest+1)
			to := from + random.Uint64N(height-from+1)
			checkDiff(t, l.tree, from, to, past[from], past[to], 1+random.IntN(5))
		}
	}
}

func checkDiff(t *testing.T, tree *Tree, from, to uint64, before, after map[string]string, page int) {
	t.Helper()
	earlier, err := tree.View(from)
	if err != nil {
		t.Fatalf("view of %d: %v", from, err)
	}
	later, err := tree.View(to)
	if err != nil {
		t.Fatalf("view of %d: %v", to, err)
	}
	var got []Change
	var last *protocol.Hash
	for more := true; more; {
		var part []Change
		if part, more, err = later.Diff(earlier, last, page); err != nil {
			t.Fatalf("from %d to %d after %v: %v", from, to, last, err)
		}
		if len(part) > page || more && len(part) < page {
			t.Fatalf("a page of %d changes, more %v", len(part), more)
		}
		if got = append(got, part...); len(got) > 0 {
			hash := protocol.Hash(sha256.Sum256(got[len(got)-1].Key))
			last = &hash
		}
	}
	want := modelDiff(before, after)
	if !slices.EqualFunc(got, want, sameChange) {
		t.Fatalf("from %d to %d: %q, want %q", from, to, got, want)
	}
}

func sameChange(a, b Change) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Before, b.Before) && bytes.Equal(a.After, b.After) &&
		(a.Before == nil) == (b.Before == nil) && (a.After == nil) == (b.After == nil)
}

func modelDiff(before, after map[string]string) []Change {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var out []Change
	for key := range all {
		c := Change{Key: []byte(key)}
		if value, ok := before[key]; ok {
			c.Before = append([]byte{}, value...)
		}
		if value, ok := after[key]; ok {
			c.After = append([]byte{}, value...)
		}
		if c.Before == nil || c.After == nil || !bytes.Equal(c.Before, c.After) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		x, y := sha256.Sum256(a.Key), sha256.Sum256(b.Key)
		return bytes.Compare(x[:], y[:])
	})
	return out
}

// A block that changes many keys needs several lists of names; what it leaves
// alone is not visited.
func TestDiffOfManyKeys(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{KeepVersions: 3})
	defer l.db.Close()
	before, after := map[string]string{}, map[string]string{}
	l.block(1, func(o *Overlay) {
		for i := range 3_000 {
			key := fmt.Sprintf("key-%d", i)
			before[key], after[key] = "1", "1"
			if err := o.Set([]byte(key), []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
	})
	l.block(2, func(o *Overlay) {
		for i := range 1_000 {
			key := fmt.Sprintf("key-%d", 3*i)
			after[key] = "2"
			if err := o.Set([]byte(key), []byte("2")); err != nil {
				t.Fatal(err)
			}
		}
	})
	checkDiff(t, l.tree, 1, 2, before, after, 100)
	checkDiff(t, l.tree, 0, 2, map[string]string{}, after, 700)
	for height := uint64(3); height < 8; height++ {
		l.block(height, func(o *Overlay) { setAll(t, o, height) })
	}
	for _, family := range []byte{familySet, familyGone} {
		it, err := l.db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.SeekGE([]byte{family}); ok && it.Key()[0] == family; ok = it.Next() {
			if height := it.Key()[8]; family == familySet && height <= 5 {
				t.Errorf("the keys of height %d are listed and nobody can ask", height)
			}
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	view, err := l.tree.View(7)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := view.Diff(&View{db: l.db, height: 2}, nil, 1); !errors.Is(err, ErrPruned) {
		t.Errorf("from a pruned height: %v", err)
	}
}
