package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// ErrNotHeld: the held checkpoint does not have the subtree the receipt ends at.
var ErrNotHeld = errors.New("the held checkpoint does not cover this receipt")

// Held is a checkpoint that an auditor keeps, with the subtrees that make it
// up: those of 2^Level entries, and to the right of them the remaining ones,
// each half as great as the one before or less. A subtree of 2^Level entries
// never changes, so a receipt that ends at one verifies against every later
// checkpoint held with the same level.
type Held struct {
	Checkpoint SignedCheckpoint
	Level      uint8 // at most MaxHeldLevel
	Row        []protocol.Hash
	Rest       []protocol.Hash // one for each bit of the size below Level, greatest first
}

// MaxHeldLevel bounds a level: 2^40 entries under one hash.
const MaxHeldLevel = 40

// Verify checks who signed the checkpoint, and that the subtrees make it up.
func (h *Held) Verify(by Cosigners) (Cosigned, error) {
	cosigned, err := by.Verify(&h.Checkpoint)
	if err != nil {
		return cosigned, err
	}
	return cosigned, h.check()
}

func (h *Held) check() error {
	if h.Level > MaxHeldLevel {
		return fmt.Errorf("%w: level %d, over the limit %d", ErrForm, h.Level, MaxHeldLevel)
	}
	size := h.Checkpoint.Size
	row, rest := size>>h.Level, bits.OnesCount64(size&(1<<h.Level-1))
	if uint64(len(h.Row)) != row || len(h.Rest) != rest {
		return fmt.Errorf("%w: %d and %d subtrees of level %d, a log of %d has %d and %d", ErrForm, len(h.Row), len(h.Rest), h.Level, size, row, rest)
	}
	if root := foldRight(h.Row, h.Rest); root != h.Checkpoint.Root {
		return fmt.Errorf("%w: its subtrees lead to root %s, the checkpoint has %s", ErrInclusion, root, h.Checkpoint.Root)
	}
	return nil
}

// foldRight is the root over subtrees of one size and smaller ones behind them.
func foldRight(row, rest []protocol.Hash) protocol.Hash {
	if len(row) == 0 && len(rest) == 0 {
		return EmptyRoot
	}
	var right protocol.Hash
	for i := len(rest) - 1; i >= 0; i-- {
		if i == len(rest)-1 {
			right = rest[i]
		} else {
			right = NodeHash(rest[i], right)
		}
	}
	// The row's own complete subtrees, the greatest first; what is behind
	// joins the last of them, and so on to the left.
	var peaks []protocol.Hash
	for n := len(row); n > 0; n = len(row) {
		k := 1 << (bits.Len(uint(n)) - 1)
		peaks, row = append(peaks, TreeRoot(row[:k])), row[k:]
	}
	for i := len(peaks) - 1; i >= 0; i-- {
		if i == len(peaks)-1 && len(rest) == 0 {
			right = peaks[i]
		} else {
			right = NodeHash(peaks[i], right)
		}
	}
	return right
}

// subtree is the held subtree of a level that has an entry.
func (h *Held) subtree(level uint8, index uint64) (protocol.Hash, bool) {
	size := h.Checkpoint.Size
	if level == h.Level && index>>level < uint64(len(h.Row)) {
		return h.Row[index>>level], true
	}
	if level >= h.Level || size>>level&1 == 0 || index>>level != size>>level-1 {
		return protocol.Hash{}, false
	}
	return h.Rest[bits.OnesCount64(size>>(level+1)&(1<<(h.Level-level-1)-1))], true
}

// LevelOf is the level of the held subtree that has an entry.
func (h *Held) LevelOf(index uint64) (uint8, error) {
	size := h.Checkpoint.Size
	if index >= size {
		return 0, fmt.Errorf("%w: entry %d, it has %d", ErrNotHeld, index, size)
	}
	if index>>h.Level < size>>h.Level {
		return h.Level, nil
	}
	// The greatest bit in which the index is below the size is the subtree's.
	return uint8(bits.Len64(index^size) - 1), nil
}

// heldJSON is the file of a held checkpoint.
type heldJSON struct {
	Version int             `json:"cairnHeld"`
	Note    string          `json:"checkpoint"` // the signed note
	Level   uint8           `json:"level"`
	Row     []protocol.Hash `json:"row"`
	Rest    []protocol.Hash `json:"rest"`
}

// MarshalJSON is the held checkpoint's file.
func (h *Held) MarshalJSON() ([]byte, error) {
	return marshalJSON(heldJSON{1, string(h.Checkpoint.Marshal()), h.Level, notNil(h.Row), notNil(h.Rest)})
}

// MaxHeldBytes bounds the file of a held checkpoint.
const MaxHeldBytes = 64 << 20

// ParseHeld reads a held checkpoint's file: what MarshalJSON writes, and
// perhaps a newline behind it. Verify it before use.
func ParseHeld(b []byte) (*Held, error) {
	if len(b) > MaxHeldBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxHeldBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var text heldJSON
	if err := decoder.Decode(&text); err != nil || text.Version != 1 {
		return nil, fmt.Errorf("%w: not a held checkpoint: %v", ErrForm, err)
	}
	c, err := ParseCheckpoint([]byte(text.Note))
	if err != nil {
		return nil, err
	}
	h := &Held{*c, text.Level, text.Row, text.Rest}
	if again, err := h.MarshalJSON(); err != nil || !bytes.Equal(again, bytes.TrimSuffix(b, []byte("\n"))) {
		return nil, fmt.Errorf("%w: held checkpoint", ErrCanonical)
	}
	return h, nil
}

// HeldReceipt proves an entry to whoever holds a checkpoint: it ends at one of
// the checkpoint's subtrees and carries no signature.
type HeldReceipt struct {
	Level uint8      // of the subtree; the path has as many hashes
	Entry EntryProof // of a log of the subtree's entries only: LogSize is 0
}

// Shrink makes a receipt of an entry small, for readers who hold the
// checkpoint. It asks nobody; verify the receipt before.
func (r *Receipt) Shrink(h *Held) (*HeldReceipt, error) {
	if r.Entry == nil {
		return nil, fmt.Errorf("%w: it is not of an entry", ErrNotHeld)
	}
	level, err := h.LevelOf(r.Entry.Index)
	if err != nil {
		return nil, err
	}
	if end := (r.Entry.Index>>level + 1) << level; end > r.Entry.LogSize {
		return nil, fmt.Errorf("%w: the receipt is of a log of %d entries, its subtree is full at %d: fetch it again", ErrNotHeld, r.Entry.LogSize, end)
	}
	entry := *r.Entry
	entry.LogSize, entry.Path, entry.Params, entry.State = 0, entry.Path[:level], protocol.Hash{}, protocol.Hash{}
	return &HeldReceipt{level, entry}, nil
}

// HeldStatement is what a HeldReceipt proved.
type HeldStatement struct {
	ChainID  string          `json:"chainId"`
	Cosigned Cosigned        `json:"cosigned"` // who signed the held checkpoint
	Entry    *EntryStatement `json:"entry"`
}

// String says in words what was proven.
func (s HeldStatement) String() string {
	return LogStatement(s).String()
}

// Verify checks the receipt against a held checkpoint, and that one too.
func (r *HeldReceipt) Verify(h *Held, by Cosigners) (HeldStatement, error) {
	cosigned, err := h.Verify(by)
	if err != nil {
		return HeldStatement{}, err
	}
	if err := r.check(); err != nil {
		return HeldStatement{}, err
	}
	entry, err := r.Entry.describe()
	if err != nil {
		return HeldStatement{}, err
	}
	inside := r.Entry.Index & (1<<r.Level - 1)
	root, err := InclusionRoot(LeafHash(r.Entry.Entry.AppendBinary(nil)), inside, 1<<r.Level, r.Entry.Path)
	if err != nil {
		return HeldStatement{}, err
	}
	held, ok := h.subtree(r.Level, r.Entry.Index)
	switch {
	case !ok:
		return HeldStatement{}, fmt.Errorf("%w: entry %d in a subtree of level %d; it has %d entries by level %d", ErrNotHeld, r.Entry.Index, r.Level, h.Checkpoint.Size, h.Level)
	case held != root:
		return HeldStatement{}, fmt.Errorf("%w: the path leads to %s, the held subtree is %s", ErrInclusion, root, held)
	}
	entry.LogSize, entry.LogRoot = h.Checkpoint.Size, h.Checkpoint.Root
	return HeldStatement{h.Checkpoint.Origin, cosigned, entry}, nil
}

func (r *HeldReceipt) check() error {
	if r.Level > MaxHeldLevel || len(r.Entry.Path) != int(r.Level) || r.Entry.LogSize != 0 {
		return fmt.Errorf("%w: level %d with a path of %d hashes", ErrForm, r.Level, len(r.Entry.Path))
	}
	return r.Entry.check()
}

// Binary form of a held receipt: "cairn/rh" | version 1 | form (1, or 2
// withheld) | level | index | entry as in a receipt | blind | payload (or the
// commitment) | path | digest.
const (
	heldMagic   = "cairn/rh"
	heldVersion = 1
)

// MarshalBinary is the receipt's one form.
func (r *HeldReceipt) MarshalBinary() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	form := byte(formEntry)
	if r.Entry.Withheld {
		form = formWithheld
	}
	out := append(append([]byte(nil), heldMagic...), heldVersion, form, r.Level)
	out = r.Entry.appendFact(binary.AppendUvarint(out, r.Entry.Index))
	out = appendHashes(out, r.Entry.Path)
	digest := digestOf(out)
	return append(out, digest[:]...), nil
}

// IsHeldReceipt says whether a file claims to be one.
func IsHeldReceipt(b []byte) bool { return bytes.HasPrefix(b, []byte(heldMagic)) }

// ParseHeldReceipt reads the binary form; the answer encodes to exactly b again.
func ParseHeldReceipt(b []byte) (*HeldReceipt, error) {
	if len(b) > MaxReceiptBytes || len(b) < len(heldMagic)+digestBytes || !IsHeldReceipt(b) {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrForm, heldMagic)
	}
	body := b[:len(b)-digestBytes]
	if digest := digestOf(body); digest != Digest(b[len(body):]) {
		return nil, ErrDigest
	}
	c := cursor{buf: body, off: len(heldMagic)}
	if v := c.u8("version"); v != heldVersion {
		c.fail("version %d is not known", v)
	}
	form := c.u8("form")
	if form != formEntry && form != formWithheld {
		c.fail("form %d is not known", form)
	}
	r := &HeldReceipt{Level: c.u8("level")}
	r.Entry = EntryProof{Withheld: form == formWithheld, Index: c.uvarint(MaxInteger, "index")}
	c.fact(&r.Entry)
	r.Entry.Path = c.hashes(uint64(min(r.Level, MaxHeldLevel)), "path")
	if err := c.end(); err != nil {
		return nil, err
	}
	return r, r.check()
}
