// Package local keeps what one node remembers beside the ledger: nothing in it
// is agreed on, and nothing of the ledger depends on it.
package local

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a DB.
type Options struct {
	FS vfs.FS // nil: the operating system's
	// Fatal is told that the disk failed in a way only a restart recovers
	// from; it does not return. Nil panics.
	Fatal func(text string)
}

// DB is an ordered map of bytes on disk. It is safe for concurrent use.
type DB struct {
	pebble *pebble.DB
	fatal  fatal
}

// Pair is a key with its value.
type Pair struct{ Key, Value []byte }

// fatal is what pebble is given to log to. Errors are returned; a failed
// write-ahead log is fatal, because what is on disk is unknown, and pebble
// would take no write any more.
type fatal struct{ tell func(string) }

func (fatal) Infof(string, ...any)  {}
func (fatal) Errorf(string, ...any) {}
func (f fatal) Fatalf(format string, args ...any) {
	text := "local: the disk failed: " + fmt.Sprintf(format, args...)
	if f.tell != nil {
		f.tell(text)
	}
	panic(text)
}

// Open opens or creates a database.
func Open(dir string, o Options) (*DB, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	f := fatal{o.Fatal}
	db, err := pebble.Open(dir, &pebble.Options{FS: o.FS, MemTableSize: 8 << 20, WALBytesPerSync: 1 << 20, Logger: f})
	if err != nil {
		return nil, fmt.Errorf("local: open %s: %w", dir, err)
	}
	return &DB{db, f}, nil
}

// writing is deferred around writes: pebble panics, its locks held, where it
// cannot begin a new log. Going on would wait for those locks for ever.
func (d *DB) writing() {
	if p := recover(); p != nil {
		d.fatal.Fatalf("%v", p)
	}
}

// Close closes the database; nobody may use it any more.
func (d *DB) Close() error { return d.pebble.Close() }

// Get copies a value; nil where there is none.
func (d *DB) Get(key []byte) ([]byte, error) {
	value, closer, err := d.pebble.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

// Put writes pairs as one; a nil value removes the key. Readers see them at
// once; after the next Sync they outlive a crash, and with them all before.
func (d *DB) Put(pairs ...Pair) error {
	defer d.writing()
	batch := d.pebble.NewBatch()
	defer batch.Close()
	for _, p := range pairs {
		var err error
		if p.Value == nil {
			err = batch.Delete(p.Key, nil)
		} else {
			err = batch.Set(p.Key, p.Value, nil)
		}
		if err != nil {
			return fmt.Errorf("local: %w", err)
		}
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Sync waits until all that was put outlives a crash. Callers that wait at the
// same time share one write.
func (d *DB) Sync() error {
	defer d.writing()
	if err := d.pebble.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Drop removes the keys from one on, below another.
func (d *DB) Drop(from, below []byte) error {
	defer d.writing()
	if err := d.pebble.DeleteRange(from, below, pebble.NoSync); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Scan copies up to limit pairs from one key on, below another.
func (d *DB) Scan(from, below []byte, limit int) ([]Pair, error) {
	return d.scan(from, below, limit, false)
}

// Last is the greatest pair from one key on, below another; ok is false where
// there is none.
func (d *DB) Last(from, below []byte) (pair Pair, ok bool, err error) {
	pairs, err := d.scan(from, below, 1, true)
	if err != nil || len(pairs) == 0 {
		return pair, false, err
	}
	return pairs[0], true, nil
}

func (d *DB) scan(from, below []byte, limit int, backward bool) (out []Pair, err error) {
	iter, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: below})
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	first, next := iter.First, iter.Next
	if backward {
		first, next = iter.Last, iter.Prev
	}
	for ok := first(); ok && len(out) < limit; ok = next() {
		out = append(out, Pair{append([]byte{}, iter.Key()...), append([]byte{}, iter.Value()...)})
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	return out, nil
}
