// Package cometdb keeps CometBFT's own stores (blocks, state, evidence) in
// pebble, tuned for what they are: large values written once, read back when a
// peer or a receipt asks. CometBFT's default, goleveldb, is about half as fast
// under our load.
package cometdb

import (
	"context"
	"errors"
	"fmt"

	cmtdb "github.com/cometbft/cometbft-db"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairn-ledger/cairn/node/internal/store/disk"
)

// DB is a cometbft-db database on pebble. Safe for concurrent use.
type DB struct{ pebble *pebble.DB }

var _ cmtdb.DB = (*DB)(nil)

// The interface's contract for bad arguments.
var (
	errKeyEmpty = errors.New("cometdb: key is empty")
	errValueNil = errors.New("cometdb: value is nil")
	errClosed   = errors.New("cometdb: batch was written or closed")
)

// silent keeps pebble's progress out of the log; its errors are returned.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// Fatalf is pebble's answer to a failed write-ahead log: the store is in an
// unknown state, and only a restart that recovers is safe.
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("cometdb: "+format, args...))
}

// Open opens or creates a database. A nil fs is the operating system's.
func Open(dir string, fs vfs.FS) (*DB, error) {
	if fs == nil {
		fs = vfs.Default
	}
	return open(dir, &pebble.Options{FS: fs})
}

// OpenDamaged is Open for a check: a damaged table answers an error, where it
// otherwise ends the process.
func OpenDamaged(dir string) (*DB, error) {
	listener := &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}
	return open(dir, &pebble.Options{FS: vfs.Default, EventListener: listener})
}

func open(dir string, o *pebble.Options) (*DB, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FS: o.FS, EventListener: o.EventListener,
		// A block's parts fit one memtable many times over, so a block is
		// never split between two.
		MemTableSize:          32 << 20,
		L0CompactionThreshold: 4,
		BytesPerSync:          1 << 20,
		WALBytesPerSync:       1 << 20,
		Logger:                silent{},
		Cleaner:               disk.Cleaner,
	})
	if err != nil {
		return nil, fmt.Errorf("cometdb: open %s: %w", dir, err)
	}
	return &DB{db}, nil
}

// Get answers nil for an absent key.
func (d *DB) Get(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, errKeyEmpty
	}
	value, closer, err := d.pebble.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

// Has says whether the key is there.
func (d *DB) Has(key []byte) (bool, error) {
	value, err := d.Get(key)
	return value != nil, err
}

func (d *DB) set(key, value []byte, options *pebble.WriteOptions) error {
	if err := checkPair(key, value); err != nil {
		return err
	}
	return d.pebble.Set(key, value, options)
}

func checkPair(key, value []byte) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	if value == nil {
		return errValueNil
	}
	return nil
}

// Set writes without waiting for the disk.
func (d *DB) Set(key, value []byte) error { return d.set(key, value, pebble.NoSync) }

// SetSync writes and waits for the disk.
func (d *DB) SetSync(key, value []byte) error { return d.set(key, value, pebble.Sync) }

func (d *DB) remove(key []byte, options *pebble.WriteOptions) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	return d.pebble.Delete(key, options)
}

// Delete removes without waiting for the disk.
func (d *DB) Delete(key []byte) error { return d.remove(key, pebble.NoSync) }

// DeleteSync removes and waits for the disk.
func (d *DB) DeleteSync(key []byte) error { return d.remove(key, pebble.Sync) }

// Close flushes and closes.
func (d *DB) Close() error { return d.pebble.Close() }

// Print is part of the interface, for debugging small databases; a block store is not one.
func (d *DB) Print() error { return errors.New("cometdb: printing is not supported") }

// Stats describes the database for CometBFT's debug output.
func (d *DB) Stats() map[string]string {
	return map[string]string{"pebble": d.pebble.Metrics().String()}
}

// Compact compacts a range; nil is unbounded.
func (d *DB) Compact(start, end []byte) error {
	if start == nil {
		start = []byte{0}
	}
	if end == nil {
		it, err := d.pebble.NewIter(nil)
		if err != nil {
			return err
		}
		if it.Last() {
			end = append(append([]byte{}, it.Key()...), 0)
		}
		if err := it.Close(); err != nil || end == nil {
			return err
		}
	}
	if string(start) >= string(end) {
		return nil
	}
	return d.pebble.Compact(context.Background(), start, end, true)
}

// batch gathers writes.
type batch struct{ batch *pebble.Batch }

// NewBatch starts a batch; its writer closes it.
func (d *DB) NewBatch() cmtdb.Batch { return &batch{d.pebble.NewBatch()} }

func (b *batch) Set(key, value []byte) error {
	if err := checkPair(key, value); err != nil {
		return err
	}
	if b.batch == nil {
		return errClosed
	}
	return b.batch.Set(key, value, nil)
}

func (b *batch) Delete(key []byte) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	if b.batch == nil {
		return errClosed
	}
	return b.batch.Delete(key, nil)
}

func (b *batch) write(options *pebble.WriteOptions) error {
	if b.batch == nil {
		return errClosed
	}
	if err := b.batch.Commit(options); err != nil {
		return err
	}
	return b.Close()
}

func (b *batch) Write() error     { return b.write(pebble.NoSync) }
func (b *batch) WriteSync() error { return b.write(pebble.Sync) }

func (b *batch) Close() error {
	if b.batch == nil {
		return nil
	}
	err := b.batch.Close()
	b.batch = nil
	return err
}

// iterator walks a range in either direction.
type iterator struct {
	it         *pebble.Iterator
	start, end []byte
	step       func() bool
}

func (d *DB) iterate(start, end []byte, reverse bool) (cmtdb.Iterator, error) {
	if (start != nil && len(start) == 0) || (end != nil && len(end) == 0) {
		return nil, errKeyEmpty
	}
	it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return nil, err
	}
	i := &iterator{it: it, start: start, end: end, step: it.Next}
	if reverse {
		i.step = it.Prev
		it.Last()
	} else {
		it.First()
	}
	return i, nil
}

// Iterator walks [start, end) upwards.
func (d *DB) Iterator(start, end []byte) (cmtdb.Iterator, error) { return d.iterate(start, end, false) }

// ReverseIterator walks [start, end) downwards.
func (d *DB) ReverseIterator(start, end []byte) (cmtdb.Iterator, error) {
	return d.iterate(start, end, true)
}

func (i *iterator) Domain() (start, end []byte) { return i.start, i.end }
func (i *iterator) Valid() bool                 { return i.it.Valid() }
func (i *iterator) Error() error                { return i.it.Error() }
func (i *iterator) Close() error                { return i.it.Close() }

// Next moves on; calling it on an invalid iterator is the caller's bug, as the interface says.
func (i *iterator) Next() {
	i.mustBeValid()
	i.step()
}

func (i *iterator) Key() []byte {
	i.mustBeValid()
	return append([]byte{}, i.it.Key()...)
}

func (i *iterator) Value() []byte {
	i.mustBeValid()
	return append([]byte{}, i.it.Value()...)
}

func (i *iterator) mustBeValid() {
	if !i.it.Valid() {
		panic("cometdb: the iterator is at its end")
	}
}
