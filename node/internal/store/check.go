package store

import (
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/log"
)

// Visitor looks at what Check passes by; any of its functions may be nil.
type Visitor struct {
	Head  func(Head) error
	Entry func(index uint64, entry []byte) error
	Key   func(key, value []byte) error
}

// Fault is damage that Check found, in one part of the store.
type Fault struct {
	Part string // heads, log or state
	Err  error  // names the place
}

// Check derives from the data at rest what they commit to: every head's app
// hash from its parts, every root of the log from the entries, the newest
// state's from keys and values. It answers the first fault of each part; an
// error of the visitor ends it. The store must be at rest.
func (s *Store) Check(v Visitor) ([]Fault, error) {
	var faults []Fault
	var stop error
	note := func(part string, err error) {
		if err != nil && stop == nil {
			faults = append(faults, Fault{part, err})
		}
	}
	guard := func(err error) error {
		if err != nil {
			stop = err
		}
		return err
	}
	known, err := s.checkHeads(v, guard)
	note("heads", err)
	if stop == nil {
		note("log", s.log.Check(known, func(index uint64, entry []byte) error {
			if v.Entry == nil {
				return nil
			}
			return guard(v.Entry(index, entry))
		}))
	}
	if stop == nil {
		note("state", s.tree.Check(func(key, value []byte) error {
			if v.Key == nil {
				return nil
			}
			return guard(v.Key(key, value))
		}))
	}
	return faults, stop
}

// checkHeads holds each head to its parts and to the one before it.
func (s *Store) checkHeads(v Visitor, guard func(error) error) ([]log.Known, error) {
	var known []log.Known
	var size uint64
	newest := s.Head()
	for height := uint64(0); height <= newest.Height; height++ {
		h, err := s.HeadAt(height)
		switch {
		case errors.Is(err, ErrNotFound):
			return known, fmt.Errorf("%w: the head of height %d is missing", ErrCorrupt, height)
		case err != nil:
			return known, err
		case h.appHash() != h.AppHash:
			return known, fmt.Errorf("%w: height %d commits to app hash %s, its parts make %s", ErrCorrupt, height, h.AppHash, h.appHash())
		case h.LogSize < size:
			return known, fmt.Errorf("%w: height %d has %d log entries, the one before it %d", ErrCorrupt, height, h.LogSize, size)
		}
		size = h.LogSize
		known = append(known, log.Known{Height: height, Size: h.LogSize, Root: h.LogRoot})
		if v.Head != nil {
			if err := guard(v.Head(h)); err != nil {
				return known, err
			}
		}
	}
	if h := newest; h.LogSize != s.log.Size() || h.StateRoot != s.tree.Root() || h.AppHash == (protocol.Hash{}) {
		return known, fmt.Errorf("%w: the newest head is not of this log and state", ErrCorrupt)
	}
	return known, nil
}
