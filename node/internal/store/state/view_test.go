package state

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A height that is pruned while a view of it is open is refused: it is neither
// read as empty nor taken for damage.
func TestViewOfAPrunedHeight(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{KeepVersions: 2})
	defer l.db.Close()
	change := func(height uint64) {
		l.block(height, func(o *Overlay) { setAll(t, o, height) })
	}
	change(1)
	view, err := l.tree.View(1)
	if err != nil {
		t.Fatal(err)
	}
	for height := uint64(2); height < 6; height++ {
		change(height)
	}
	if _, _, err := view.Get([]byte("key-1")); !errors.Is(err, ErrPruned) {
		t.Errorf("get: %v", err)
	}
	if pairs, err := view.Scan(nil, nil, 10); !errors.Is(err, ErrPruned) || pairs != nil {
		t.Errorf("scan: %d pairs, %v", len(pairs), err)
	}
	if _, err := view.Prove([]byte("key-1")); !errors.Is(err, ErrPruned) || errors.Is(err, ErrCorrupt) {
		t.Errorf("proof: %v", err)
	}
	if _, err := l.tree.View(7); !errors.Is(err, ErrPruned) {
		t.Errorf("a height to come: %v", err)
	}
}

func setAll(t testing.TB, o *Overlay, height uint64) {
	for i := range 50 {
		if err := o.Set(fmt.Appendf(nil, "key-%d", i), fmt.Appendf(nil, "%d", height)); err != nil {
			t.Error(err)
		}
	}
}

// Readers beside commits and pruning: what they read is of their height, or
// they are told that it is gone.
func TestViewsBesideBlocks(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{KeepVersions: 1})
	defer l.db.Close()
	l.block(1, func(o *Overlay) { setAll(t, o, 1) })
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readAtHead(t, l.tree)
				}
			}
		})
	}
	for height := uint64(2); height < 200; height++ {
		l.block(height, func(o *Overlay) { setAll(t, o, height) })
	}
	close(done)
	readers.Wait()
	readAtHead(t, l.tree)
}

func readAtHead(t *testing.T, tree *Tree) {
	view, err := tree.View(tree.Height())
	if errors.Is(err, ErrPruned) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	want := fmt.Sprint(view.Height())
	if value, _, err := view.Get([]byte("key-7")); err == nil && string(value) != want || err != nil && !errors.Is(err, ErrPruned) {
		t.Errorf("height %s: get %q, %v", want, value, err)
	}
	pairs, err := view.Scan(nil, nil, 100)
	wrong := func(kv KV) bool { return string(kv.Value) != want }
	if err == nil && (len(pairs) != 50 || slices.ContainsFunc(pairs, wrong)) || err != nil && !errors.Is(err, ErrPruned) {
		t.Errorf("height %s: %d pairs, %v", want, len(pairs), err)
	}
	p, err := view.Prove([]byte("key-7"))
	if err == nil {
		err = p.Verify(view.Root())
	}
	if err != nil && !errors.Is(err, ErrPruned) {
		t.Errorf("height %s: proof: %v", want, err)
	}
}
