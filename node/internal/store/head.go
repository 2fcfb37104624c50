package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// headBytes: time, log size, log root, state root, app hash.
const headBytes = 8 + 8 + 32 + 32 + 32

// appHash commits to everything but height and time.
func (h *Head) appHash() protocol.Hash {
	return proof.AppHash(h.LogSize, h.LogRoot, h.Params, h.StateRoot)
}

func (h *Head) encode() []byte {
	out := make([]byte, 0, headBytes)
	out = binary.BigEndian.AppendUint64(out, uint64(h.TimeMs))
	out = binary.BigEndian.AppendUint64(out, h.LogSize)
	out = append(out, h.LogRoot[:]...)
	out = append(out, h.StateRoot[:]...)
	return append(out, h.AppHash[:]...)
}

// Head is the newest committed height. Its fields are not to be changed.
func (s *Store) Head() Head { return *s.head.Load() }

// HeadAt is what an earlier height committed to.
func (s *Store) HeadAt(height uint64) (Head, error) {
	if newest := s.Head(); height == newest.Height {
		return newest, nil
	}
	record, err := s.get(indexKey(familyHead, height))
	if err != nil {
		return Head{}, err
	}
	return s.decodeHead(height, record)
}

func (s *Store) decodeHead(height uint64, record []byte) (Head, error) {
	if len(record) != headBytes {
		return Head{}, fmt.Errorf("%w: head of height %d has %d bytes", ErrCorrupt, height, len(record))
	}
	h := Head{
		Height: height, TimeMs: int64(binary.BigEndian.Uint64(record)), LogSize: binary.BigEndian.Uint64(record[8:]),
		LogRoot: protocol.Hash(record[16:]), StateRoot: protocol.Hash(record[48:]), AppHash: protocol.Hash(record[80:]),
	}
	_, params, found, err := s.before(indexKey(familyParams, height), 1)
	if err != nil {
		return Head{}, err
	}
	if !found {
		return Head{}, fmt.Errorf("%w: no parameters at height %d", ErrCorrupt, height)
	}
	h.Params = params
	return h, nil
}

// newest reads the newest head; the zero Head where nothing was committed.
func (s *Store) newest() (Head, error) {
	value, err := s.get([]byte{familyNewest})
	if errors.Is(err, ErrNotFound) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, err
	}
	if len(value) != 8 {
		return Head{}, fmt.Errorf("%w: newest height has %d bytes", ErrCorrupt, len(value))
	}
	height := binary.BigEndian.Uint64(value)
	record, err := s.get(indexKey(familyHead, height))
	if errors.Is(err, ErrNotFound) {
		return Head{}, fmt.Errorf("%w: the head of height %d is missing", ErrCorrupt, height)
	}
	if err != nil {
		return Head{}, err
	}
	return s.decodeHead(height, record)
}

// before finds the greatest key not above key that shares its first prefix bytes.
func (s *Store) before(key []byte, prefix int) (k, v []byte, ok bool, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: key[:prefix], UpperBound: append(append([]byte(nil), key...), 0)})
	if err != nil {
		return nil, nil, false, fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return nil, nil, false, it.Error()
	}
	return append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...), true, nil
}
