package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func openTest(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("ledger", Options{FS: fs, ChainID: "test", KeepVersions: 3})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill builds the block of a height; it depends on the height alone, so that
// any store can be compared with any other.
func fill(t testing.TB, s *Store, height uint64) (*Batch, Head) {
	t.Helper()
	random := rand.New(rand.NewPCG(height, 0))
	b := s.Begin(height, int64(height)*1000)
	if height%10 == 0 {
		b.SetParams(fmt.Appendf(nil, "params of %d", height))
	}
	first := b.LogSize()
	for i := range random.IntN(600) {
		e := protocol.Entry{Kind: protocol.EntryEvent, Height: height, Sequence: uint64(i)}
		b.Append(e.AppendBinary(nil))
		if err := b.State().Set(fmt.Appendf(nil, "key-%d", random.IntN(300)), fmt.Appendf(nil, "%d-%d", height, i)); err != nil {
			t.Fatal(err)
		}
	}
	if count := b.LogSize() - first; count > 0 {
		b.PutBundle(first, uint32(count), fmt.Appendf(nil, "payload of %d", height))
		b.SetSide(binary.BigEndian.AppendUint64([]byte("h"), height), binary.BigEndian.AppendUint64(nil, first))
	}
	head, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return b, head
}

// reference executes heights 0..n-1 without faults and answers their heads.
func reference(t testing.TB, n uint64) []Head {
	s := openTest(t, vfs.NewMem())
	defer s.Close()
	var heads []Head
	for height := range n {
		b, head := fill(t, s, height)
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	return heads
}

// What a reader is told is on disk: an outcome that was read, and acknowledged
// to a producer, must not be taken back by a crash before the sync ended.
func TestReadersSeeOnlyWhatIsDurable(t *testing.T) {
	var armed, synced atomic.Bool
	read := make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData; sync && armed.CompareAndSwap(true, false) {
			select { // a disk slow enough for a reader to look meanwhile
			case <-read:
			case <-time.After(200 * time.Millisecond):
			}
			synced.Store(true)
		}
		return nil
	}))
	s := openTest(t, fs)
	defer s.Close()
	key := []byte("outcome")
	b := s.Begin(1, 1)
	b.SetParams([]byte("params"))
	b.SetSide(key, []byte("committed"))
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	go func() {
		defer close(read)
		for {
			_, ok, err := s.Side(key)
			if err != nil {
				t.Error(err)
			}
			if ok || err != nil {
				if !synced.Load() {
					t.Error("a reader saw the block before it was on disk")
				}
				if h := s.Head(); h.Height != 1 {
					t.Errorf("a reader saw the block, and then the head of height %d", h.Height)
				}
				return
			}
		}
	}()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	<-read
}

// After a power cut that loses none, half or all of what was not synced, the
// head is the last committed height, whole, and the chain goes on as if
// nothing had been.
func TestPowerCutsNeverTearABlock(t *testing.T) {
	heads := reference(t, 30)
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 9))
		fs := vfs.NewCrashableMem()
		s := openTest(t, fs)
		for height := uint64(0); height < uint64(len(heads)); height++ {
			b, _ := fill(t, s, height)
			if random.IntN(4) == 0 { // cut before the commit
				fs, s = powerCut(t, fs, s, random)
				checkHead(t, s, heads, int(height)-1)
				b, _ = fill(t, s, height)
			}
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
			if random.IntN(4) == 0 {
				fs, s = powerCut(t, fs, s, random)
			}
			checkHead(t, s, heads, int(height))
		}
		s.Close()
	}
}

// powerCut copies what would be on disk and opens it.
func powerCut(t *testing.T, fs *vfs.MemFS, s *Store, random *rand.Rand) (*vfs.MemFS, *Store) {
	t.Helper()
	clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[random.IntN(3)], RNG: random})
	s.Close()
	return clone, openTest(t, clone)
}

// checkHead holds a store to the reference at a height: head, every entry,
// payloads and side tables.
func checkHead(t *testing.T, s *Store, heads []Head, height int) {
	t.Helper()
	got := s.Head()
	if height < 0 {
		if !got.AppHash.IsZero() {
			t.Fatalf("an empty store has the head %+v", got)
		}
		return
	}
	want := heads[height]
	if got.AppHash != want.AppHash || got.Height != want.Height || got.LogSize != want.LogSize || string(got.Params) != string(want.Params) {
		t.Fatalf("head %+v, want %+v", got, want)
	}
	if root, err := s.LogRoot(got.LogSize); err != nil || root != want.LogRoot {
		t.Fatalf("log root %s %v", root, err)
	}
	if at, err := s.HeadAt(uint64(height / 2)); err != nil || at.AppHash != heads[height/2].AppHash || string(at.Params) != string(heads[height/2].Params) {
		t.Fatalf("head at %d: %+v %v", height/2, at, err)
	}
	for index := uint64(0); index < got.LogSize; index += 1 + got.LogSize/7 {
		entry, err := s.Entry(index)
		if err != nil {
			t.Fatal(err)
		}
		e, err := protocol.DecodeEntry(entry)
		if err != nil {
			t.Fatal(err)
		}
		_, _, data, err := s.Bundle(index)
		if err != nil || string(data) != fmt.Sprintf("payload of %d", e.Height) {
			t.Fatalf("payload of entry %d: %q %v", index, data, err)
		}
	}
	if _, _, _, err := s.Bundle(got.LogSize); !errors.Is(err, ErrNotFound) {
		t.Fatalf("payload beyond the log: %v", err)
	}
	if _, v, ok, err := s.SideBefore([]byte("h\xff")); err != nil || !ok && got.LogSize > 0 || ok && len(v) != 8 {
		t.Fatalf("side table: %x %v %v", v, ok, err)
	}
}

// Whichever write fails, the store says so or its process dies; it never
// claims a block that it lost. The writer is a process of its own, because
// pebble ends it on some faults.
func TestFailingWritesAreNeverAcknowledged(t *testing.T) {
	if n := os.Getenv("CAIRN_TEST_FAIL_WRITE"); n != "" {
		writeUntilFault(t, n)
		return
	}
	heads := reference(t, writerBlocks)
	for n := 0; n < 60; n += 4 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestFailingWritesAreNeverAcknowledged$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("CAIRN_TEST_FAIL_WRITE=%d", n), "CAIRN_TEST_DIR="+dir)
		out, _ := cmd.Output() // it may die: that is one of the right answers
		committed := bytes.Count(out, []byte("committed\n"))
		s, err := Open(dir, Options{ChainID: "test", KeepVersions: 3})
		if err != nil {
			t.Fatalf("write %d failed, then: %v", n, err)
		}
		head := s.Head()
		if committed > 0 && (head.AppHash.IsZero() || int(head.Height) < committed-1) {
			t.Fatalf("write %d failed: %d blocks were acknowledged, the store holds height %d", n, committed, head.Height)
		}
		if !head.AppHash.IsZero() {
			checkHead(t, s, heads, int(head.Height))
		}
		s.Close()
	}
}

const writerBlocks = 6

// writeUntilFault commits blocks on a disk whose n-th write fails, and prints
// a line for each block that was acknowledged.
func writeUntilFault(t *testing.T, n string) {
	nth, err := strconv.ParseInt(n, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	fs := errorfs.Wrap(vfs.Default, errorfs.ErrInjected.If(errorfs.And(errorfs.Writes, errorfs.OnIndex(int32(nth)))))
	s, err := Open(os.Getenv("CAIRN_TEST_DIR"), Options{FS: fs, ChainID: "test", KeepVersions: 3})
	if err != nil {
		return
	}
	for height := range uint64(writerBlocks) {
		b, _ := fill(t, s, height)
		if b.Commit() != nil {
			return
		}
		fmt.Println("committed")
	}
}

func TestOpenRefuses(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	for height := range uint64(3) {
		b, _ := fill(t, s, height)
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if _, err := Open("ledger", Options{FS: fs, ChainID: "other"}); !errors.Is(err, ErrWrongChain) {
		t.Errorf("another chain's data opened: %v", err)
	}
	dir := t.TempDir()
	first, err := Open(dir, Options{ChainID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{ChainID: "test"}); !errors.Is(err, ErrLocked) {
		t.Errorf("a directory opened twice: %v", err)
	}
	first.Close()
}

func TestOnlyTheNewestBaseCommits(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	defer s.Close()
	b, _ := fill(t, s, 0)
	loser, _ := fill(t, s, 0)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	b, _ = fill(t, s, 1)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := loser.Commit(); err == nil {
		t.Fatal("a block over an old head was committed")
	}
}

// One block of 5,000 entries with payloads, and 1,000 changes of state.
func BenchmarkCommit(b *testing.B) {
	s, err := Open(b.TempDir(), Options{ChainID: "bench", KeepVersions: 10})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const entries = 5_000
	payload := make([]byte, 60*entries)
	height := uint64(0)
	for b.Loop() {
		batch := s.Begin(height, int64(height))
		batch.SetParams([]byte("params"))
		first := batch.LogSize()
		for i := range entries {
			e := protocol.Entry{Kind: protocol.EntryEvent, Height: height, Sequence: uint64(i)}
			var buf [protocol.EntryBytes]byte
			batch.Append(e.AppendBinary(buf[:0]))
			batch.SetSide(binary.BigEndian.AppendUint64(nil, (height*entries+uint64(i))*0x9e3779b97f4a7c15), buf[:8])
		}
		for i := range 1_000 {
			if err := batch.State().Set(fmt.Appendf(nil, "key-%d", i), payload[:64]); err != nil {
				b.Fatal(err)
			}
		}
		batch.PutBundle(first, entries, payload)
		if _, err := batch.Seal(); err != nil {
			b.Fatal(err)
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		height++
	}
	b.ReportMetric(float64(b.N)*entries/b.Elapsed().Seconds(), "entries/s")
}
