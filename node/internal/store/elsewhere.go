package store

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/log"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Base is a ledger that is kept elsewhere, after one height, and read piece by
// piece.
type Base interface {
	state.Base
	Entry(index uint64) ([]byte, error)
	Bundle(index uint64) (first uint64, count uint32, data []byte, err error)
	Side(key []byte) (value []byte, ok bool, err error)
	SideBefore(key []byte) (k, v []byte, ok bool, err error)
}

// Elsewhere is a store over a ledger kept elsewhere: what the next block comes
// to can be worked out on it, and not be kept. Its head's log is that of the
// peaks; state root and app hash are the head's as given.
func Elsewhere(head Head, peaks []protocol.Hash, base Base) (*Store, error) {
	l, err := log.Elsewhere(head.LogSize, peaks, base.Entry)
	if err != nil {
		return nil, err
	}
	if root := l.EdgeRoot(); root != head.LogRoot {
		return nil, fmt.Errorf("store: the peaks make log root %s, the head has %s", root, head.LogRoot)
	}
	s := &Store{base: base, log: l, tree: state.Elsewhere(base, head.Height), recent: newRecent(head.LogSize)}
	s.head.Store(&head)
	return s, nil
}

// LogPeaks are the roots of the complete subtrees that the log of a size is
// made of, the largest first.
func (s *Store) LogPeaks(size uint64) ([]protocol.Hash, error) {
	peaks, err := s.log.Peaks(size)
	return peaks, storeError(err)
}

// LogRoot is the root of the log with the block's entries.
func (b *Batch) LogRoot() protocol.Hash { return b.log.Root() }
