package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// RewriteBundle replaces the payload of the entries [first, first+count). The
// payload it replaces stays on the disk until Forget.
func (s *Store) RewriteBundle(first uint64, count uint32, data []byte) error {
	key := indexKey(familyBundle, first)
	old, err := s.get(key)
	if err != nil {
		return fmt.Errorf("store: payload of entries from %d: %w", first, err)
	}
	if len(old) < 4 || binary.BigEndian.Uint32(old) != count {
		return fmt.Errorf("%w: payload of entries from %d is not of %d entries", ErrCorrupt, first, count)
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	value := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), count)
	if err := batch.Set(key, append(value, data...), nil); err != nil {
		return err
	}
	return s.commit(batch)
}

// forgetTogether is how many entries apart two bundles may be to be compacted
// together: what lies between is rewritten too.
const forgetTogether = 20_000

// Forget makes what was replaced vanish from the database's files. firsts are
// the indexes of rewritten bundles, ascending. It flushes, so that the
// write-ahead log that had the old values is removed, and compacts where they
// were; files without use are deleted soon after, once no reader is at them.
func (s *Store) Forget(ctx context.Context, firsts []uint64) error {
	if len(firsts) == 0 {
		return nil
	}
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("store: flush: %w", err)
	}
	for len(firsts) > 0 {
		n := 1
		for n < len(firsts) && firsts[n]-firsts[n-1] <= forgetTogether {
			n++
		}
		from, to := indexKey(familyBundle, firsts[0]), indexKey(familyBundle, firsts[n-1]+1)
		if err := s.db.Compact(ctx, from, to, false); err != nil {
			return fmt.Errorf("store: compact: %w", err)
		}
		firsts = firsts[n:]
	}
	return nil
}

// DropSide removes records of the side tables, once what they asked for is done.
func (s *Store) DropSide(keys [][]byte) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, k := range keys {
		if err := batch.Delete(append([]byte{familySide}, k...), nil); err != nil {
			return err
		}
	}
	return s.commit(batch)
}

func (s *Store) commit(batch *pebble.Batch) error {
	s.durable.Lock()
	defer s.durable.Unlock()
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
