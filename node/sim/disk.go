package sim

import (
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a file system in memory that can lose what was not synced. A crash
// may be set to strike at a write in the middle of whatever the store does:
// the process goes on, but what it finds after the restart is the disk as it
// was at that write.
type disk struct {
	files *vfs.MemFS
	fs    vfs.FS // files, watched

	mu     sync.Mutex
	writes int        // until the crash strikes; 0: none is set; guarded by mu
	loss   loss       // of that crash; guarded by mu
	struck *vfs.MemFS // the disk after it; guarded by mu
}

// loss says what becomes of bytes that were written and not synced.
type loss struct {
	keepPercent int        // of the unsynced blocks of 4 KiB that survive
	random      *rand.Rand // which ones; needed when some survive
}

func newDisk() *disk { return diskOf(vfs.NewCrashableMem()) }

func diskOf(files *vfs.MemFS) *disk {
	d := &disk{files: files}
	d.fs = errorfs.Wrap(files, errorfs.InjectorFunc(d.watch))
	return d
}

// watch sees every operation before it happens. It fails none.
func (d *disk) watch(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writes == 0 {
		return nil
	}
	if d.writes--; d.writes == 0 {
		d.struck = d.clone(d.loss)
	}
	return nil
}

func (d *disk) clone(l loss) *vfs.MemFS {
	return d.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: l.keepPercent, RNG: l.random})
}

// strike sets a crash at the n-th write from now, counted from 1.
func (d *disk) strike(n int, l loss) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes, d.loss, d.struck = n, l, nil
}

// crash answers the disk as the next process finds it: as it was when the
// crash struck, or as it is now.
func (d *disk) crash(l loss) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = 0
	if d.struck != nil {
		return diskOf(d.struck)
	}
	return diskOf(d.clone(l))
}
