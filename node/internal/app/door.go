package app

import (
	"encoding/binary"
	"sync"

	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// door is the newest state as transactions that arrive are judged by it. Many
// are of the same accounts: what one of them read is kept for the others,
// until the next block.
type door struct {
	mu   sync.Mutex
	last *doorView // guarded by mu
}

// open answers the view of a head.
func (d *door) open(s *store.Store, head store.Head) (machine.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || d.last.appHash != head.AppHash || d.last.view.Height() != head.Height {
		view, err := s.View(head.Height)
		if err != nil {
			return nil, err
		}
		d.last = &doorView{view: view, appHash: head.AppHash, values: map[string][]byte{}, lists: map[string][]state.KV{}}
	}
	return d.last, nil
}

// doorView remembers what was read of a view. It is safe for concurrent use.
type doorView struct {
	view    *store.View
	appHash [32]byte

	mu     sync.Mutex
	values map[string][]byte     // nil: absent; guarded by mu
	lists  map[string][]state.KV // by question; guarded by mu
}

// keepReads bounds what is remembered of each, so that transactions of ever
// new accounts do not fill the memory between two blocks.
const keepReads = 10_000

func (v *doorView) Get(key []byte) ([]byte, bool, error) {
	v.mu.Lock()
	value, known := v.values[string(key)]
	v.mu.Unlock()
	if known {
		return value, value != nil, nil
	}
	value, ok, err := v.view.Get(key)
	if err != nil {
		return nil, false, err
	}
	if !ok {
		value = nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.values) < keepReads {
		v.values[string(key)] = value
	}
	return value, ok, nil
}

func (v *doorView) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	asked := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(limit)), uint64(len(prefix)))
	asked = append(append(asked, prefix...), after...)
	v.mu.Lock()
	found, known := v.lists[string(asked)]
	v.mu.Unlock()
	if known {
		return found, nil
	}
	found, err := v.view.Scan(prefix, after, limit)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.lists) < keepReads && len(found) <= 16 {
		v.lists[string(asked)] = found
	}
	return found, nil
}
