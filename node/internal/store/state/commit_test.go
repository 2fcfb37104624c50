package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// oneLeafRoot is the root of {"a": "1"}.
const oneLeafRoot = "7d9d282a9389c7d2ad4b73b5e924aca19080fd5f8a1c93347f7b824138d00c59"

// The smallest trees, hashed here from their definition with nothing but
// SHA-256 (docs/protocol.md, section 6).
func TestKnownRoots(t *testing.T) {
	sum := func(parts ...string) string {
		h := sha256.New()
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return string(h.Sum(nil))
	}
	leaf := func(key, value string) string { return sum("JMT::LeafNode", sum(key), sum(value)) }
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	check := func(what string, got protocol.Hash, want string) {
		t.Helper()
		if string(got[:]) != want {
			t.Errorf("%s: root %x, want %x", what, got, want)
		}
	}
	check("empty", l.tree.Root(), "SPARSE_MERKLE_PLACEHOLDER_HASH__")
	one := l.block(1, func(o *Overlay) { _ = o.Set([]byte("a"), []byte("1")) })
	check("one leaf", one, leaf("a", "1"))
	if got := hex.EncodeToString(one[:]); got != oneLeafRoot {
		t.Errorf("one leaf: root %s, want %s", got, oneLeafRoot)
	}
	// SHA-256("a") = ca97.. and SHA-256("b") = 3e23..: the first bit tells them apart.
	two := l.block(2, func(o *Overlay) { _ = o.Set([]byte("b"), []byte("2")) })
	check("two leaves", two, sum("JMT::IntrnalNode", leaf("b", "2"), leaf("a", "1")))
	check("the second alone", l.block(3, func(o *Overlay) { _ = o.Delete([]byte("a")) }), leaf("b", "2"))
	check("none", l.block(4, func(o *Overlay) { _ = o.Delete([]byte("b")) }), "SPARSE_MERKLE_PLACEHOLDER_HASH__")
}

// Blocks large enough to be hashed in parallel: the reference root, whatever
// the number of processors.
func TestLargeBlocksDoNotDependOnProcessors(t *testing.T) {
	processors := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(processors)
	var want []protocol.Hash
	for _, n := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(n)
		random := rand.New(rand.NewPCG(3, 4))
		l := openLedger(t, vfs.NewMem(), 0, Options{KeepVersions: 3, MaxNodes: 200})
		model := map[string]string{}
		for height := uint64(1); height <= 6; height++ {
			root := l.block(height, func(o *Overlay) { largeChanges(t, random, o, model) })
			if n == 1 {
				want = append(want, root)
				if reference := referenceRoot(model); root != reference {
					t.Fatalf("height %d: root %s, want %s", height, root, reference)
				}
			}
			if root != want[height-1] {
				t.Fatalf("%d processors, height %d: root %s, one processor makes %s", n, height, root, want[height-1])
			}
		}
		if err := l.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func largeChanges(t *testing.T, random *rand.Rand, o *Overlay, model map[string]string) {
	for range 1500 {
		key, value := fmt.Sprintf("key-%d", random.IntN(4000)), fmt.Sprint(random.IntN(5))
		var err error
		if random.IntN(4) == 0 {
			delete(model, key)
			err = o.Delete([]byte(key))
		} else {
			model[key] = value
			err = o.Set([]byte(key), []byte(value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Power is lost during random blocks: what is not synced survives in part.
// The database opens at a height that was being committed or the one before,
// and that version is whole: root, values, scans and proofs.
func TestCrashKeepsAWholeVersion(t *testing.T) {
	for _, keep := range []uint64{0, 3} {
		t.Run(fmt.Sprintf("keep=%d", keep), func(t *testing.T) {
			for seed := range uint64(3) {
				crashRun(t, seed, Options{KeepVersions: keep})
			}
		})
	}
}

var headKey = []byte{1} // the parent package's: which height is committed

func crashRun(t *testing.T, seed uint64, options Options) {
	random := rand.New(rand.NewPCG(seed, 9))
	fs := vfs.NewCrashableMem()
	l := openLedger(t, fs, 0, options)
	model, past := map[string]string{}, map[uint64]map[string]string{0: {}}
	for height := uint64(1); height <= 60; height++ {
		lost := random.IntN(5) == 0
		o := l.tree.Overlay()
		randomChanges(t, random, o, model)
		p, err := l.tree.Apply(o, height)
		if err != nil {
			t.Fatal(err)
		}
		past[height] = maps.Clone(model)
		batch := l.db.NewBatch()
		if err := l.tree.Write(batch, p); err != nil {
			t.Fatal(err)
		}
		if err := batch.Set(headKey, binary.BigEndian.AppendUint64(nil, height), nil); err != nil {
			t.Fatal(err)
		}
		if err := batch.Commit(&pebble.WriteOptions{Sync: !lost}); err != nil {
			t.Fatal(err)
		}
		l.tree.Adopt(p)
		if !lost {
			continue
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: rand.New(rand.NewPCG(seed, height))})
		if err := l.db.Close(); err != nil {
			t.Fatal(err)
		}
		fs = clone
		survived := survivingHeight(t, fs)
		if survived != height && survived != height-1 {
			t.Fatalf("seed %d: power lost at height %d, the database is at %d", seed, height, survived)
		}
		l = openLedger(t, fs, survived, options)
		model = maps.Clone(past[survived])
		if root, want := l.tree.Root(), referenceRoot(model); root != want {
			t.Fatalf("seed %d, height %d after a crash: root %s, want %s", seed, survived, root, want)
		}
		checkView(t, l.tree, survived, model, random)
		height = survived
	}
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func survivingHeight(t *testing.T, fs vfs.FS) uint64 {
	l := openLedger(t, fs, 0, Options{})
	defer l.db.Close()
	value, closer, err := l.db.Get(headKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return binary.BigEndian.Uint64(value)
}
