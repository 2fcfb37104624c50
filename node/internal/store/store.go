// Package store keeps the ledger at rest: the log of entries, the
// authenticated state, the payloads, and indexes that follow from them, in one
// pebble database.
//
// The commit point is Batch.Commit: one synced, atomic pebble batch for each
// height. Before it nothing is written; a crash leaves the previous height,
// whole. One goroutine builds and commits batches; readers run beside it and
// see committed data only.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/disk"
	"github.com/cairn-ledger/cairn/node/internal/store/log"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Families of pebble keys that are not the log's or the state's.
//
//	0x30 first index    -> count (u32) || payload bundle
//	0x40 || key         -> side table
//	0x50 height         -> head of that height
//	0x51                -> height of the newest head
//	0x52                -> identity of the chain
//	0x53 height         -> parameters in force from that height on
const (
	familyBundle = 0x30
	familySide   = 0x40
	familyHead   = 0x50
	familyNewest = 0x51
	familyChain  = 0x52
	familyParams = 0x53
)

// Errors that callers tell apart.
var (
	ErrNotFound   = errors.New("store: not found")
	ErrCorrupt    = errors.New("store: data at rest are corrupt")
	ErrWrongChain = errors.New("store: data are of another chain")
	ErrLocked     = errors.New("store: another process has the data open")
	ErrPruned     = state.ErrPruned
)

// Options of a Store.
type Options struct {
	FS           vfs.FS // nil: the operating system's
	CacheBytes   int64  // block cache; 0 means 64 MiB
	KeepVersions uint64 // past versions of the state to keep; 0 keeps all
	ChainID      string // identity of the chain; a directory of another one is refused
	// Fatal is told that the disk failed in a way only a restart recovers
	// from; it does not return. Nil panics.
	Fatal func(text string)
	// ReadDamaged answers an error where a table is damaged. Otherwise that is
	// fatal: a node does not go on with a part of its data.
	ReadDamaged bool
}

// Store is an open ledger.
type Store struct {
	db   *pebble.DB
	log  *log.Log
	tree *state.Tree
	head atomic.Pointer[Head]

	batch   *pebble.Batch // of the block that is committed, its buffer kept
	side    *sideTable    // spare, of a block that has ended; so are bundles
	bundles *bundles
	recent  recent // owned by the goroutine that builds blocks

	base Base // of Elsewhere, instead of db and batch

	// durable is held to write while pebble commits: pebble shows a batch
	// before it is synced. Readers of what no head bounds hold it to read, or
	// they would report an outcome that a crash takes back.
	durable sync.RWMutex
}

// keepBatch bounds the buffer that is kept from one block to the next.
const keepBatch = 32 << 20

// Head is what a height committed to.
type Head struct {
	Height    uint64
	TimeMs    int64 // block time, Unix milliseconds
	LogSize   uint64
	LogRoot   protocol.Hash
	StateRoot protocol.Hash
	AppHash   protocol.Hash // zero in a store that was never founded
	Params    []byte        // canonical parameters in force
}

// Open opens or creates a ledger and checks that what it holds agrees with itself.
func Open(dir string, o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	db, err := openPebble(dir, o)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, batch: db.NewBatch(pebble.WithMaxRetainedSizeBytes(keepBatch))}
	if err := s.load(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openPebble(dir string, o Options) (*pebble.DB, error) {
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	options := &pebble.Options{
		FS:    o.FS,
		Cache: cache,
		// A block's batch is a few MiB: large memtables keep flushes rare.
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               512 << 20, // most keys are hashes: each level more rewrites everything once more
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      fatalOnly{o.Fatal},
		Cleaner:                     disk.Cleaner,
	}
	if o.ReadDamaged {
		options.EventListener = &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most point lookups ask for what is not there
		options.Levels[i].BlockSize = 16 << 10
	}
	db, err := pebble.Open(dir, options)
	switch {
	case err == nil:
		return db, nil
	case isLockError(err):
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	case os.IsPermission(err):
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	return nil, fmt.Errorf("%w: open %s: %w", ErrCorrupt, dir, err)
}

// isLockError knows a held lock by its words: pebble has no sentinel for it.
func isLockError(err error) bool {
	text := err.Error()
	return strings.Contains(text, "lock held by") || strings.Contains(text, "resource temporarily unavailable")
}

// fatalOnly keeps pebble's progress out of the log. Errors are returned; only
// a failed write-ahead log is fatal, because what reached the disk is unknown
// and a restart recovers.
type fatalOnly struct{ fatal func(string) }

func (fatalOnly) Infof(string, ...any)  {}
func (fatalOnly) Errorf(string, ...any) {}
func (f fatalOnly) Fatalf(format string, args ...any) {
	text := "store: the disk failed: " + fmt.Sprintf(format, args...)
	if f.fatal != nil {
		f.fatal(text)
	}
	panic(text)
}

// load reads the newest head and holds log and state to it.
func (s *Store) load(o Options) error {
	if err := s.checkChain(o.ChainID); err != nil {
		return err
	}
	head, err := s.newest()
	if err != nil {
		return err
	}
	if s.log, err = log.Open(s.db, head.LogSize); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if s.tree, err = state.Open(s.db, head.Height, state.Options{KeepVersions: o.KeepVersions}); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if !head.AppHash.IsZero() {
		root, err := s.log.Root(head.LogSize)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		computed := head
		computed.LogRoot, computed.StateRoot = root, s.tree.Root()
		if computed.appHash() != head.AppHash {
			return fmt.Errorf("%w: height %d commits to app hash %s, log and state at rest make %s", ErrCorrupt, head.Height, head.AppHash, computed.appHash())
		}
	}
	s.head.Store(&head)
	s.recent = newRecent(head.LogSize)
	return nil
}

func (s *Store) checkChain(chainID string) error {
	stored, err := s.get([]byte{familyChain})
	if errors.Is(err, ErrNotFound) {
		return s.db.Set([]byte{familyChain}, []byte(chainID), pebble.Sync)
	}
	if err == nil && string(stored) != chainID {
		return fmt.Errorf("%w: %q, not %q", ErrWrongChain, stored, chainID)
	}
	return err
}

// Close closes the database. Views and readers must be done.
func (s *Store) Close() error { return errors.Join(s.batch.Close(), s.db.Close()) }

// get copies a value; ErrNotFound where there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	out := append([]byte(nil), value...)
	return out, closer.Close()
}

func indexKey(family byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{family}, n)
}
