package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/node/internal/store/log"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Batch is one block under construction. One goroutine uses it. It ends with
// Commit, or with Discard as if it had never been.
type Batch struct {
	store   *Store
	base    Head
	head    Head // as far as it is known; complete once sealed
	overlay *state.Overlay
	log     *log.Appender
	bundles *bundles
	side    *sideTable
	params  bool           // head.Params differ from base
	pending *state.Pending // once sealed
}

// Begin starts a block over the newest height. Blocks for several proposals
// may be built one after the other; only one is committed.
func (s *Store) Begin(height uint64, timeMs int64) *Batch {
	base := s.Head()
	head := base
	head.Height, head.TimeMs = height, timeMs
	side, payloads := s.side, s.bundles
	if s.side = nil; side == nil {
		side = newSideTable()
	}
	if s.bundles = nil; payloads == nil {
		payloads = &bundles{}
	}
	side.reset()
	payloads.reset()
	return &Batch{store: s, base: base, head: head, overlay: s.tree.Overlay(), log: s.log.Append(), bundles: payloads, side: side}
}

// Committed is the store without the block's changes.
func (b *Batch) Committed() *Store { return b.store }

// State is the authenticated state with the block's changes.
func (b *Batch) State() *state.Overlay { return b.overlay }

// Append adds an entry to the log and answers its index.
func (b *Batch) Append(entry []byte) (index uint64) { return b.log.Add(entry) }

// LogSize counts the entries, the block's included.
func (b *Batch) LogSize() uint64 { return b.log.Size() }

// Entry reads an entry, the block's included.
func (b *Batch) Entry(index uint64) ([]byte, error) { return b.log.Entry(index) }

// Entries reads up to count committed entries from index on, at least one.
func (b *Batch) Entries(index uint64, count int) ([][]byte, error) {
	return b.log.Committed(index, count)
}

// PutBundle stores the payload of the entries [first, first+count), which is
// copied. The store does not look inside. Bundles come in order of first.
func (b *Batch) PutBundle(first uint64, count uint32, data []byte) { b.bundles.add(first, count, data) }

// Bundle reads the payload that holds an entry's, the block's included: that is
// good until the block ends.
func (b *Batch) Bundle(index uint64) (first uint64, count uint32, data []byte, err error) {
	if first, count, data, ok := b.bundles.find(index); ok {
		return first, count, data, nil
	}
	return b.store.Bundle(index)
}

// SetSide writes to a side table: an index that follows from the log, so that
// it needs no commitment of its own.
func (b *Batch) SetSide(key, value []byte) { b.side.set(key, value) }

// Side reads a side table, the block's changes included. The value is good
// until the next change.
func (b *Batch) Side(key []byte) (value []byte, ok bool, err error) {
	if value, ok := b.side.get(key); ok {
		return value, true, nil
	}
	return b.store.Side(key)
}

// SetRecent is SetSide for a table that is asked with SideSince.
func (b *Batch) SetRecent(key, value []byte) {
	b.store.recent.add(key, b.log.Size())
	b.SetSide(key, value)
}

// SideSince is Side where only what entries from a log index on have set is of
// interest: of a key set before, it may say that there is none.
func (b *Batch) SideSince(key []byte, index uint64) (value []byte, ok bool, err error) {
	if recent := &b.store.recent; recent.covers(index) && !recent.has(key) {
		return nil, false, nil
	}
	return b.Side(key)
}

// Params are the canonical parameters in force.
func (b *Batch) Params() []byte { return b.head.Params }

// SetParams changes the parameters, from this height on.
func (b *Batch) SetParams(canonical []byte) {
	b.params = !bytes.Equal(canonical, b.base.Params)
	b.head.Params = canonical
}

// Seal fixes the block's roots and answers its head. It writes nothing: a
// crash before Commit leaves the previous head.
func (b *Batch) Seal() (Head, error) {
	if b.head.Params == nil {
		return Head{}, errors.New("store: a block without parameters: the ledger was not founded")
	}
	pending, err := b.store.tree.Apply(b.overlay, b.head.Height)
	if err != nil {
		return Head{}, fmt.Errorf("store: %w", err)
	}
	b.pending = pending
	b.head.LogSize, b.head.LogRoot, b.head.StateRoot = b.log.Size(), b.log.Root(), pending.Root()
	b.head.AppHash = b.head.appHash()
	return b.head, nil
}

// Commit makes a sealed block durable. This is the commit point: when it
// returns without an error the block is on disk, whole; when it fails or the
// process dies in it, the store opens with the block or with the one before.
func (b *Batch) Commit() error {
	if b.pending == nil {
		return errors.New("store: commit of a block that was not sealed")
	}
	if newest := b.store.Head(); newest.AppHash != b.base.AppHash || newest.Height != b.base.Height {
		return fmt.Errorf("store: block %d was built over height %d, the head is %d", b.head.Height, b.base.Height, newest.Height)
	}
	defer b.store.batch.Reset()
	if err := b.write(b.store.batch); err != nil {
		return fmt.Errorf("store: height %d: %w", b.head.Height, err)
	}
	b.store.durable.Lock()
	defer b.store.durable.Unlock()
	if err := b.store.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("store: height %d: %w", b.head.Height, err)
	}
	b.store.tree.Adopt(b.pending)
	b.store.log.Adopt(b.log)
	head := b.head
	b.store.head.Store(&head)
	b.pending = nil
	b.release()
	return nil
}

func (b *Batch) write(batch *pebble.Batch) error {
	if err := b.store.tree.Write(batch, b.pending); err != nil {
		return err
	}
	if err := b.log.Write(batch); err != nil {
		return err
	}
	if err := b.bundles.write(batch); err != nil {
		return err
	}
	if err := b.side.write(batch); err != nil {
		return err
	}
	if b.params {
		if err := batch.Set(indexKey(familyParams, b.head.Height), b.head.Params, nil); err != nil {
			return err
		}
	}
	if err := batch.Set(indexKey(familyHead, b.head.Height), b.head.encode(), nil); err != nil {
		return err
	}
	return batch.Set([]byte{familyNewest}, binary.BigEndian.AppendUint64(nil, b.head.Height), nil)
}

// Discard throws the block away.
func (b *Batch) Discard() {
	b.pending = nil
	b.release()
}

// release gives the block's buffers to the next one.
func (b *Batch) release() {
	if b.side != nil && cap(b.side.data) <= keepSide {
		b.store.side = b.side
	}
	if b.bundles != nil && cap(b.bundles.data) <= keepBundles {
		b.store.bundles = b.bundles
	}
	b.side, b.bundles = nil, nil
	b.log.Release()
}
