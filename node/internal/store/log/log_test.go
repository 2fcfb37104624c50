package log

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func testEntry(i uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Repeat([]byte{7}, protocol.EntryBytes-8), i)
}

// openTest opens a log in memory.
func openTest(t testing.TB) (*pebble.DB, *Log) {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l, err := Open(db, 0)
	if err != nil {
		t.Fatal(err)
	}
	return db, l
}

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func grow(t testing.TB, db *pebble.DB, l *Log, n int) protocol.Hash {
	t.Helper()
	a := l.Append()
	for range n {
		a.Add(testEntry(a.Size()))
	}
	batch := db.NewBatch()
	if err := a.Write(batch); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	root := a.Root()
	l.Adopt(a)
	return root
}

// Two other implementations, transparency-dev/merkle and sumdb/tlog, agree on
// every root and accept every proof, at sizes around tile borders and after reopening.
func TestOtherImplementationsAgree(t *testing.T) {
	db, l := openTest(t)
	random := rand.New(rand.NewPCG(1, 1))
	roots := map[uint64]protocol.Hash{}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	for _, n := range []int{1, 1, 3, 250, 1, 1, 0, 700, 64_000, 580, 2, 300} {
		from := l.Size()
		root := grow(t, db, l, n)
		for i := from; i < l.Size(); i++ {
			hashes, err := tlog.StoredHashes(int64(i), testEntry(i), reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hashes...)
		}
		want, err := tlog.TreeHash(int64(l.Size()), reader)
		if err != nil || protocol.Hash(want) != root {
			t.Fatalf("size %d: root %s, sumdb/tlog says %s (%v)", l.Size(), root, want, err)
		}
		roots[l.Size()] = root
		if l, err = Open(db, l.Size()); err != nil || l.edge.root() != root {
			t.Fatalf("size %d: reopened with another root: %v", l.Size(), err)
		}
		for range 20 {
			checkProofs(t, l, roots, random)
		}
	}
}

func checkProofs(t *testing.T, l *Log, roots map[uint64]protocol.Hash, random *rand.Rand) {
	t.Helper()
	hasher := rfc6962.DefaultHasher
	size := 1 + random.Uint64N(l.Size())
	root, err := l.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	if known, ok := roots[size]; ok && known != root {
		t.Fatalf("root of size %d changed", size)
	}
	index := random.Uint64N(size)
	path, err := l.InclusionProof(index, size)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := l.Entry(index)
	if err != nil || !bytes.Equal(entry, testEntry(index)) {
		t.Fatalf("entry %d: %x %v", index, entry, err)
	}
	if err := merkle.VerifyInclusion(hasher, index, size, hasher.HashLeaf(entry), bytesOf(path), root[:]); err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyInclusion(protocol.LeafHash(entry), index, size, path, root); err != nil {
		t.Fatal(err)
	}
	checkMulti(t, l, size, root, random)
	from := 1 + random.Uint64N(size)
	old, err := l.Root(from)
	if err != nil {
		t.Fatal(err)
	}
	path, err = l.ConsistencyProof(from, size)
	if err != nil {
		t.Fatal(err)
	}
	if err := merkle.VerifyConsistency(hasher, from, size, bytesOf(path), old[:], root[:]); err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyConsistency(from, size, old, root, path); err != nil {
		t.Fatal(err)
	}
}

func bytesOf(path []protocol.Hash) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}

func TestBeyondTheEnd(t *testing.T) {
	db, l := openTest(t)
	grow(t, db, l, 3)
	if _, err := l.Entry(3); err == nil {
		t.Error("read an entry that is not there")
	}
	if _, err := l.InclusionProof(3, 3); err == nil {
		t.Error("proved an entry that is not there")
	}
	if _, err := l.InclusionProof(0, 4); err == nil {
		t.Error("proved in a size that is not there")
	}
	if _, err := l.ConsistencyProof(2, 4); err == nil {
		t.Error("proved consistency with a size that is not there")
	}
}

// Durable appends, tiles included; the target is 100,000 entries a second.
func BenchmarkAppend(b *testing.B) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l, err := Open(db, 0)
	if err != nil {
		b.Fatal(err)
	}
	const block = 5_000
	for b.Loop() {
		grow(b, db, l, block)
	}
	b.ReportMetric(float64(b.N)*block/b.Elapsed().Seconds(), "entries/s")
}

// checkMulti proves a run of entries and some scattered ones at once.
func checkMulti(t *testing.T, l *Log, size uint64, root protocol.Hash, random *rand.Rand) {
	t.Helper()
	chosen := map[uint64]bool{}
	first := random.Uint64N(size)
	for i := first; i < min(size, first+random.Uint64N(300)+1); i++ {
		chosen[i] = true
	}
	for range random.IntN(5) {
		chosen[random.Uint64N(size)] = true
	}
	indices := slices.Sorted(maps.Keys(chosen))
	beside, err := l.MultiProof(indices, size)
	if err != nil {
		t.Fatal(err)
	}
	leaves := make([]proof.Leaf, len(indices))
	for i, index := range indices {
		leaves[i] = proof.Leaf{Index: index, Hash: protocol.LeafHash(testEntry(index))}
	}
	if got, err := proof.MultiRoot(leaves, size, beside); err != nil || got != root {
		t.Fatalf("%d entries of %d lead to %s, must to %s: %v", len(indices), size, got, root, err)
	}
}

var benchEntries = flag.Uint64("entries", 1_000_000, "entries of the log in BenchmarkProve")

// What a receipt costs the log: an entry, and its inclusion proof, anywhere in
// a long log on disk.
func BenchmarkProve(b *testing.B) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l, err := Open(db, 0)
	if err != nil {
		b.Fatal(err)
	}
	entry := make([]byte, protocol.EntryBytes)
	for l.Size() < *benchEntries {
		a, batch := l.Append(), db.NewBatch()
		for range 50_000 {
			binary.BigEndian.PutUint64(entry, a.Size())
			a.Add(entry)
		}
		if err := a.Write(batch); err != nil {
			b.Fatal(err)
		}
		if err := batch.Commit(pebble.NoSync); err != nil {
			b.Fatal(err)
		}
		l.Adopt(a)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		index := random.Uint64N(l.Size())
		if _, err := l.Entry(index); err != nil {
			b.Fatal(err)
		}
		if _, err := l.InclusionProof(index, l.Size()); err != nil {
			b.Fatal(err)
		}
	}
}
