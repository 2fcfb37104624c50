package bank

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Try does operations on a copy of a state and answers what would move. The
// error is a refusal, or a fault of reading.
func Try(s Reader, timeMs uint64, by protocol.Address, ops []protocol.TokenOp) ([]Move, error) {
	b := New(&draft{s, map[string][]byte{}}, timeMs)
	for i := range ops {
		if _, err := b.Apply(by, &ops[i]); err != nil {
			return nil, err
		}
	}
	return b.Moves, nil
}

// draft is changes over a state that are thrown away.
type draft struct {
	Reader
	changed map[string][]byte // nil: deleted
}

func (d *draft) Get(key []byte) ([]byte, bool, error) {
	if value, known := d.changed[string(key)]; known {
		return value, value != nil, nil
	}
	return d.Reader.Get(key)
}

func (d *draft) Set(key, value []byte) error {
	d.changed[string(key)] = append([]byte{}, value...)
	return nil
}

func (d *draft) Delete(key []byte) error {
	d.changed[string(key)] = nil
	return nil
}

// Scan reads as many pairs more as changes could hide.
func (d *draft) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	found, err := d.Reader.Scan(prefix, after, limit+len(d.changed))
	if err != nil {
		return nil, err
	}
	out := make([]state.KV, 0, len(found))
	for _, kv := range found {
		if _, hidden := d.changed[string(kv.Key)]; !hidden {
			out = append(out, kv)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.changed)) {
		value := d.changed[key]
		if value != nil && strings.HasPrefix(key, string(prefix)) && (len(after) == 0 || key > string(after)) {
			out = append(out, state.KV{Key: []byte(key), Value: value})
		}
	}
	slices.SortFunc(out, func(a, b state.KV) int { return bytes.Compare(a.Key, b.Key) })
	return out[:min(len(out), limit)], nil
}
