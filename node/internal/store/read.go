package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/log"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// View is the state as it was at a height.
type View = state.View

// View opens the state of a height; ErrPruned where it is no longer kept.
func (s *Store) View(height uint64) (*View, error) { return s.tree.View(height) }

// Entry reads a committed entry.
func (s *Store) Entry(index uint64) ([]byte, error) {
	entry, err := s.log.Entry(index)
	return entry, storeError(err)
}

// Entries reads up to count entries from index on, at least one.
func (s *Store) Entries(index uint64, count int) ([][]byte, error) {
	entries, err := s.log.Entries(index, count)
	return entries, storeError(err)
}

// storeError gives the log's errors the store's names.
func storeError(err error) error {
	switch {
	case errors.Is(err, log.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, log.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// InclusionProof proves that an entry is in the log of a size.
func (s *Store) InclusionProof(index, size uint64) ([]protocol.Hash, error) {
	path, err := s.log.InclusionProof(index, size)
	return path, storeError(err)
}

// ConsistencyProof proves that the log of one size begins with that of another.
func (s *Store) ConsistencyProof(from, to uint64) ([]protocol.Hash, error) {
	path, err := s.log.ConsistencyProof(from, to)
	return path, storeError(err)
}

// MultiProof proves that entries of ascending indices are in the log of a size.
func (s *Store) MultiProof(indices []uint64, size uint64) ([]protocol.Hash, error) {
	hashes, err := s.log.MultiProof(indices, size)
	return hashes, storeError(err)
}

// LogRoot is the root of the log as it was at a size.
func (s *Store) LogRoot(size uint64) (protocol.Hash, error) {
	root, err := s.log.Root(size)
	return root, storeError(err)
}

// Tile reads the first width hashes of a tile of the log.
func (s *Store) Tile(level int, index uint64, width int) ([]protocol.Hash, error) {
	tile, err := s.log.Tile(level, index, width)
	return tile, storeError(err)
}

// Bundle reads the payload that holds a committed entry's.
func (s *Store) Bundle(index uint64) (first uint64, count uint32, data []byte, err error) {
	if size := s.log.Size(); index >= size {
		return 0, 0, nil, fmt.Errorf("%w: entry %d of %d", ErrNotFound, index, size)
	}
	if s.base != nil {
		return s.base.Bundle(index)
	}
	key, value, ok, err := s.before(indexKey(familyBundle, index), 1)
	if err != nil {
		return 0, 0, nil, err
	}
	if !ok || len(value) < 4 {
		return 0, 0, nil, fmt.Errorf("%w: entry %d has no payload", ErrCorrupt, index)
	}
	first, count = binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint32(value)
	if index-first >= uint64(count) {
		return 0, 0, nil, fmt.Errorf("%w: entry %d has no payload", ErrNotFound, index)
	}
	return first, count, value[4:], nil
}

// Side reads a side table.
func (s *Store) Side(key []byte) (value []byte, ok bool, err error) {
	if s.base != nil {
		return s.base.Side(key)
	}
	s.durable.RLock()
	defer s.durable.RUnlock()
	value, err = s.get(append([]byte{familySide}, key...))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	return value, err == nil, err
}

// SideBefore finds the greatest committed key of the side tables that is not
// above key. It may belong to another table: the caller compares prefixes.
func (s *Store) SideBefore(key []byte) (k, v []byte, ok bool, err error) {
	if s.base != nil {
		return s.base.SideBefore(key)
	}
	s.durable.RLock()
	defer s.durable.RUnlock()
	k, v, ok, err = s.before(append([]byte{familySide}, key...), 1)
	if ok {
		k = k[1:]
	}
	return k, v, ok, err
}

// Usage is what the ledger takes on disk and in memory, in bytes.
type Usage struct{ Disk, Memtables, Cache uint64 }

// Usage reads pebble's counters.
func (s *Store) Usage() Usage {
	m := s.db.Metrics()
	return Usage{Disk: m.DiskSpaceUsage(), Memtables: m.MemTable.Size, Cache: uint64(m.BlockCache.Size)}
}
