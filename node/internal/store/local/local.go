// Package local keeps what one node remembers beside the ledger: nothing in it
// is agreed on, and nothing of the ledger depends on it.
package local

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// DB is an ordered map of bytes on disk. It is safe for concurrent use.
type DB struct{ pebble *pebble.DB }

// Pair is a key with its value.
type Pair struct{ Key, Value []byte }

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// Fatalf is pebble's answer to a failed write-ahead log: what is on disk is
// unknown, and only a restart that recovers is safe.
func (silent) Fatalf(format string, args ...any) { panic(fmt.Sprintf("local: "+format, args...)) }

// Open opens or creates a database. A nil fs is the operating system's.
func Open(dir string, fs vfs.FS) (*DB, error) {
	if fs == nil {
		fs = vfs.Default
	}
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, MemTableSize: 8 << 20, WALBytesPerSync: 1 << 20, Logger: silent{}})
	if err != nil {
		return nil, fmt.Errorf("local: open %s: %w", dir, err)
	}
	return &DB{db}, nil
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
	if err := d.pebble.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Drop removes the keys from one on, below another.
func (d *DB) Drop(from, below []byte) error {
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
