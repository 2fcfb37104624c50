package proof

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// BatchReceipt proves many entries of the log at once: consecutive ones, or
// those of a stream. What their paths share stands in it once.
type BatchReceipt struct {
	ChainID string
	LogSize uint64
	Entries []BatchEntry // ascending by index, at least one
	// Beside are the subtrees that have none of the entries, from left to
	// right, each as great as can be.
	Beside []protocol.Hash
	Params protocol.Hash // map leaf of the parameters
	State  protocol.Hash // map leaf of the state root
	Header Header
	Commit Commit
}

// BatchEntry is one of the entries and what it commits to.
type BatchEntry struct {
	Index    uint64
	Entry    protocol.Entry
	Withheld bool // leaves Blind and Payload out
	Blind    protocol.Blind
	Payload  []byte
}

// MaxBatchEntries bounds a batch receipt.
const MaxBatchEntries = 10_000

// BatchStatement is what a batch receipt proved.
type BatchStatement struct {
	ChainID   string           `json:"chainId"`
	Height    uint64           `json:"height"` // of the block that was signed
	Time      time.Time        `json:"time"`
	BlockHash protocol.Hash    `json:"blockHash"`
	AppHash   protocol.Hash    `json:"appHash"`
	Signed    Signed           `json:"signed"`
	LogSize   uint64           `json:"logSize"`
	LogRoot   protocol.Hash    `json:"logRoot"`
	Entries   []EntryStatement `json:"entries"`
}

// String says in words what was proven.
func (s BatchStatement) String() string {
	first, last := s.Entries[0].Index, s.Entries[len(s.Entries)-1].Index
	return fmt.Sprintf("On chain %s, %d entries of the log (of %d), from entry %d to entry %d, are as shown. Block %d of %s, which commits to this, is signed by %d validators with %d of %d of the voting power.",
		s.ChainID, len(s.Entries), s.LogSize, first, last, s.Height, stamp(s.Time), len(s.Signed.Validators), s.Signed.Power, s.Signed.TotalPower)
}

// proof is the entry as other receipts carry it.
func (e *BatchEntry) proof(size uint64) *EntryProof {
	return &EntryProof{Index: e.Index, LogSize: size, Entry: e.Entry, Withheld: e.Withheld, Blind: e.Blind, Payload: e.Payload}
}

// VerifyWith checks the receipt against the set that signs at its height.
func (r *BatchReceipt) VerifyWith(t *Trust) (BatchStatement, error) {
	anchor, err := t.For(r.Commit.Height)
	if err != nil {
		return BatchStatement{}, err
	}
	return r.Verify(anchor)
}

// Verify checks everything in the receipt against a trust anchor.
func (r *BatchReceipt) Verify(anchor Anchor) (BatchStatement, error) {
	if len(anchor.validators) == 0 {
		return BatchStatement{}, fmt.Errorf("%w: it is empty", ErrAnchor)
	}
	if r.ChainID != anchor.chainID {
		return BatchStatement{}, fmt.Errorf("%w: it names %q, the anchor %q", ErrChain, r.ChainID, anchor.chainID)
	}
	if err := r.check(); err != nil {
		return BatchStatement{}, err
	}
	s := BatchStatement{ChainID: r.ChainID, Height: r.Commit.Height, Time: r.Header.Time(), LogSize: r.LogSize}
	leaves := make([]Leaf, len(r.Entries))
	for i := range r.Entries {
		e := &r.Entries[i]
		described, err := e.proof(r.LogSize).describe()
		if err != nil {
			return BatchStatement{}, fmt.Errorf("entry %d: %w", e.Index, err)
		}
		if e.Entry.Height >= r.Commit.Height {
			return BatchStatement{}, fmt.Errorf("%w: entry of block %d, signed block %d", ErrHeight, e.Entry.Height, r.Commit.Height)
		}
		s.Entries = append(s.Entries, *described)
		leaves[i] = Leaf{e.Index, LeafHash(e.Entry.AppendBinary(nil))}
	}
	var err error
	if s.LogRoot, err = MultiRoot(leaves, r.LogSize, r.Beside); err != nil {
		return BatchStatement{}, err
	}
	for i := range s.Entries {
		s.Entries[i].LogRoot = s.LogRoot
	}
	s.AppHash = NodeHash(NodeHash(MapLeaf(mapLog, LogValue(r.LogSize, s.LogRoot)), r.Params), r.State)
	s.BlockHash = r.Header.BlockHash(r.ChainID, r.Commit.Height, s.AppHash)
	if s.Signed, err = r.Commit.Verify(anchor, s.BlockHash); err != nil {
		return BatchStatement{}, err
	}
	return s, nil
}

// check bounds every part and refuses what could be written in two ways.
func (r *BatchReceipt) check() error {
	if err := checkChainID(r.ChainID); err != nil {
		return err
	}
	if len(r.Entries) == 0 || len(r.Entries) > MaxBatchEntries {
		return fmt.Errorf("%w: %d entries, must be 1 to %d", ErrForm, len(r.Entries), MaxBatchEntries)
	}
	if len(r.Beside) > len(r.Entries)*MaxPath {
		return fmt.Errorf("%w: %d hashes beside %d entries", ErrForm, len(r.Beside), len(r.Entries))
	}
	for i := range r.Entries {
		if i > 0 && r.Entries[i].Index <= r.Entries[i-1].Index {
			return fmt.Errorf("%w: entry %d after entry %d, must be ascending", ErrForm, r.Entries[i].Index, r.Entries[i-1].Index)
		}
		if err := r.Entries[i].proof(r.LogSize).check(); err != nil {
			return err
		}
	}
	return r.Commit.check()
}

// Leaf is a leaf of the log and its place.
type Leaf struct {
	Index uint64
	Hash  protocol.Hash
}

// MultiRoot is the root of the tree of size leaves that has these, ascending
// by index, and beside them the subtrees without any, from left to right. It
// fails unless each hash beside has its place: a root fixes the leaves.
func MultiRoot(leaves []Leaf, size uint64, beside []protocol.Hash) (protocol.Hash, error) {
	if len(leaves) == 0 || leaves[len(leaves)-1].Index >= size || size > MaxInteger {
		return protocol.Hash{}, fmt.Errorf("%w: %d leaves of a log of %d", ErrInclusion, len(leaves), size)
	}
	for i := 1; i < len(leaves); i++ {
		if leaves[i].Index <= leaves[i-1].Index {
			return protocol.Hash{}, fmt.Errorf("%w: leaves are not ascending", ErrInclusion)
		}
	}
	m := multi{leaves, beside, false}
	root := m.root(0, size)
	if m.short || len(m.beside) > 0 {
		return protocol.Hash{}, fmt.Errorf("%w: %d hashes beside %d leaves of %d are not as many as there must be",
			ErrInclusion, len(beside), len(leaves), size)
	}
	return root, nil
}

// multi is a walk over a tree, from left to right.
type multi struct {
	leaves []Leaf          // not met yet
	beside []protocol.Hash // not used yet
	short  bool            // of hashes beside
}

// root is that of the leaves lo to hi.
func (m *multi) root(lo, hi uint64) protocol.Hash {
	switch {
	case m.short:
		return protocol.Hash{}
	case len(m.leaves) == 0 || m.leaves[0].Index >= hi:
		if m.short = len(m.beside) == 0; m.short {
			return protocol.Hash{}
		}
		h := m.beside[0]
		m.beside = m.beside[1:]
		return h
	case hi-lo == 1:
		h := m.leaves[0].Hash
		m.leaves = m.leaves[1:]
		return h
	}
	middle := lo + splitSize(hi-lo)
	left := m.root(lo, middle)
	return NodeHash(left, m.root(middle, hi))
}

// splitSize is the largest power of two below n; n is at least 2.
func splitSize(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }

// BesideRanges are the subtrees that MultiRoot wants beside leaves of these
// ascending indices, each as its first leaf and the one after its last.
func BesideRanges(indices []uint64, size uint64) (ranges [][2]uint64) {
	var walk func(lo, hi uint64)
	walk = func(lo, hi uint64) {
		switch {
		case len(indices) == 0 || indices[0] >= hi:
			ranges = append(ranges, [2]uint64{lo, hi})
		case hi-lo == 1:
			indices = indices[1:]
		default:
			middle := lo + splitSize(hi-lo)
			walk(lo, middle)
			walk(middle, hi)
		}
	}
	walk(0, size)
	return ranges
}
