package proof

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// heldLog is a whole small log of entries, and receipts of it.
type heldLog struct {
	facts  []*Receipt
	leaves []protocol.Hash
}

func newHeldLog(size int) *heldLog {
	l := &heldLog{}
	event := testEvent()
	for i := range size {
		r := entryFact(protocol.EntryEvent, event.AppendRecord(nil), uint64(i), uint64(i)+1)
		r.Entry.Entry.Sequence = uint64(i)
		l.facts, l.leaves = append(l.facts, r), append(l.leaves, LeafHash(r.Entry.Entry.AppendBinary(nil)))
	}
	return l
}

// receipt is of an entry in the log as it was at a size.
func (l *heldLog) receipt(index, size int) *Receipt {
	r := *l.facts[index]
	entry := *r.Entry
	entry.LogSize, entry.Path = uint64(size), TreePath(l.leaves[:size], index)
	r.Entry = &entry
	return &r
}

func (l *heldLog) hold(b *logbed, size int, level uint8) *Held {
	h := &Held{Level: level}
	at, full := 0, 1<<level
	for ; at+full <= size; at += full {
		h.Row = append(h.Row, TreeRoot(l.leaves[at:at+full]))
	}
	for rest := size - at; rest > 0; rest = size - at {
		k := 1 << (bits.Len(uint(rest)) - 1)
		h.Rest, at = append(h.Rest, TreeRoot(l.leaves[at:at+k])), at+k
	}
	c := Checkpoint{testChain, uint64(size), TreeRoot(l.leaves[:size])}
	h.Checkpoint = *b.Trim(b.sign(c, len(b.keys)))
	return h
}

// Receipts of every entry shrink to a held checkpoint of every level, and those
// that end at a full subtree verify against later ones too.
func TestReceiptsShrinkToWhatIsHeld(t *testing.T) {
	bed := newLogbed(t, 1)
	log := newHeldLog(150)
	for _, level := range []uint8{0, 3, 5, 9} {
		for _, size := range []int{1, 31, 96, 149} {
			h, later := log.hold(bed, size, level), log.hold(bed, 150, level)
			if text, err := h.MarshalJSON(); err != nil {
				t.Fatal(err)
			} else if back, err := ParseHeld(text); err != nil || back.check() != nil || back.Checkpoint.Root != h.Checkpoint.Root {
				t.Fatal(err)
			}
			for index := range size {
				small, err := log.receipt(index, 150).Shrink(h)
				if err != nil {
					t.Fatal(err)
				}
				s, err := small.Verify(h, bed.Cosigners)
				if err != nil || s.Entry.Index != uint64(index) || s.Entry.LogSize != uint64(size) {
					t.Fatalf("entry %d of %d held at level %d: %v", index, size, level, err)
				}
				if _, err := small.Verify(later, bed.Cosigners); small.Level == level && err != nil {
					t.Fatalf("entry %d of %d, held later at level %d: %v", index, size, level, err)
				}
			}
			if _, err := h.LevelOf(uint64(size)); !errors.Is(err, ErrNotHeld) {
				t.Error(err)
			}
		}
	}
	early := log.receipt(100, 101)
	if _, err := early.Shrink(log.hold(bed, 150, 5)); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a receipt of before its subtree was full: %v", err)
	}
}

// heldChanges are what may be wrong with a held checkpoint.
var heldChanges = map[string]func(h *Held){
	"a subtree changed":  func(h *Held) { h.Row[3][0]++ },
	"subtrees swapped":   func(h *Held) { h.Row[2], h.Row[3] = h.Row[3], h.Row[2] },
	"a subtree less":     func(h *Held) { h.Row = h.Row[1:] },
	"the rest left out":  func(h *Held) { h.Rest = nil },
	"another level":      func(h *Held) { h.Level++ },
	"no signature":       func(h *Held) { h.Checkpoint.Signatures = nil },
	"another size":       func(h *Held) { h.Checkpoint.Size-- },
	"a level beyond all": func(h *Held) { h.Level = 200 },
}

func TestEveryBitOfAHeldReceiptCounts(t *testing.T) {
	bed := newLogbed(t, 1)
	log := newHeldLog(150)
	h := log.hold(bed, 150, 4)
	open := func(b []byte) error {
		r, err := ParseHeldReceipt(b)
		if err != nil {
			return err
		}
		if again, err := r.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatal("decodes and encodes to other bytes")
		}
		_, err = r.Verify(h, bed.Cosigners)
		return err
	}
	for _, index := range []int{37, 149} {
		small, err := log.receipt(index, 150).Shrink(h)
		if err != nil {
			t.Fatal(err)
		}
		binary, err := small.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := open(binary); err != nil {
			t.Fatal(err)
		}
		for i := range 8 * (len(binary) - digestBytes) {
			changed := slices.Clone(binary)
			changed[i/8] ^= 0x80 >> (i % 8)
			if open(changed) == nil || open(redigest(changed)) == nil {
				t.Fatalf("bit %d of byte %d flipped, and it verifies", i%8, i/8)
			}
		}
	}
	for what, change := range heldChanges {
		h := log.hold(bed, 150, 4)
		change(h)
		if _, err := h.Verify(bed.Cosigners); err == nil {
			t.Errorf("held with %s", what)
		}
	}
}

// With a checkpoint held at level 20, which is 954 hashes at 1e9 entries, a
// receipt is at most 1,024 octets beside the event.
func TestHeldReceiptSize(t *testing.T) {
	_, r := billion(t)
	for _, level := range []uint8{20, 24} {
		small := &HeldReceipt{level, *r.Entry}
		small.Entry.LogSize, small.Entry.Path = 0, r.Entry.Path[:level]
		binary, err := small.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		beside := len(binary) - len(r.Entry.Payload)
		t.Logf("held at level %d: %d bytes and a record of %d; the checkpoint has %d hashes at 1e9", level, beside, len(r.Entry.Payload), 1_000_000_000>>level)
		if beside > 1024 {
			t.Errorf("%d bytes beside the event, the target is 1024", beside)
		}
	}
}
