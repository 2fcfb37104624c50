package bank

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

var errDisk = errors.New("the disk is on fire")

// memory is a state in memory that can be put back, and that fails after so
// many accesses where failIn is above 0.
type memory struct {
	pairs  map[string][]byte
	failIn int
	reads  int
	writes int
}

func newMemory() *memory { return &memory{pairs: map[string][]byte{}} }

func (m *memory) fails() bool {
	if m.failIn > 0 {
		m.failIn--
		return m.failIn == 0
	}
	return false
}

func (m *memory) Get(key []byte) ([]byte, bool, error) {
	if m.reads++; m.fails() {
		return nil, false, errDisk
	}
	value, ok := m.pairs[string(key)]
	return value, ok, nil
}

func (m *memory) Set(key, value []byte) error {
	if m.writes++; m.fails() {
		return errDisk
	}
	m.pairs[string(key)] = append([]byte{}, value...)
	return nil
}

func (m *memory) Delete(key []byte) error {
	if m.writes++; m.fails() {
		return errDisk
	}
	delete(m.pairs, string(key))
	return nil
}

func (m *memory) Scan(prefix, after []byte, limit int) (out []state.KV, err error) {
	if m.reads++; m.fails() {
		return nil, errDisk
	}
	for _, key := range slices.Sorted(maps.Keys(m.pairs)) {
		if strings.HasPrefix(key, string(prefix)) && (len(after) == 0 || key > string(after)) && len(out) < limit {
			out = append(out, state.KV{Key: []byte(key), Value: m.pairs[key]})
		}
	}
	return out, nil
}

func (m *memory) equal(pairs map[string][]byte) bool {
	return maps.EqualFunc(m.pairs, pairs, bytes.Equal)
}

func codeOf(err error) protocol.Code {
	code, ok := protocol.CodeOf(err)
	if !ok {
		panic(err)
	}
	return code
}

func who(n int) protocol.Address { return protocol.Address{19: byte(n)} }
