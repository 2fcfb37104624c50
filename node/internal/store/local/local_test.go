package local

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failing is a disk in memory whose writes, syncs or new files fail from some
// moment on, as those of a full or broken one.
type failing struct {
	fs   *vfs.MemFS
	left atomic.Int64 // how many more succeed
}

func (f *failing) wrap() vfs.FS {
	return errorfs.Wrap(f.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && f.left.Add(-1) < 0 {
			return errorfs.ErrInjected
		}
		return nil
	}))
}

// write puts and syncs numbers until something fails, and answers how many
// were synced. told is what Fatal was told, if it was: it does not return, so
// neither does the writer.
func (f *failing) write(t *testing.T) (synced int, told string) {
	t.Helper()
	said, ended := make(chan string, 8), make(chan int, 1)
	var count atomic.Int64
	go func() {
		db, err := Open("db", Options{FS: f.wrap(), Fatal: func(text string) { said <- text; select {} }})
		if err != nil {
			ended <- 0
			return
		}
		value := make([]byte, 64<<10) // so that the log and the memtable change
		for i := range 400 {
			key := fmt.Appendf(nil, "%04d", i)
			if db.Put(Pair{key, value}) != nil || db.Sync() != nil {
				break
			}
			count.Store(int64(i + 1))
		}
		db.Close()
		ended <- int(count.Load())
	}()
	select {
	case told = <-said:
		return int(count.Load()), told
	case synced = <-ended:
		return synced, ""
	case <-time.After(time.Minute):
		t.Fatal("neither written nor failed")
	}
	return 0, ""
}

// Whatever write fails, the owner is told in a sentence, nothing panics, and
// after a restart on a sound disk all that was synced is there.
func TestFailedDiskIsToldAndLosesNothingSynced(t *testing.T) {
	fatal := 0
	for nth := int64(0); nth < 60; nth += 3 {
		f := &failing{fs: vfs.NewCrashableMem()}
		f.left.Store(nth * nth) // far and near: file creations among them
		synced, told := f.write(t)
		if told != "" {
			fatal++
			if !strings.HasPrefix(told, "local: the disk failed: ") {
				t.Errorf("fail %d: %q", nth, told)
			}
		}
		db, err := Open("db", Options{FS: f.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})})
		if err != nil {
			t.Fatalf("fail %d: %v", nth, err)
		}
		pairs, err := db.Scan([]byte("0"), []byte("9"), 1000)
		if err != nil || len(pairs) < synced {
			t.Errorf("fail %d: %d of %d that were synced are there: %v", nth, len(pairs), synced, err)
		}
		db.Close()
	}
	if fatal < 5 {
		t.Errorf("%d failures were fatal: the test tests nothing", fatal)
	}
}
