package proof

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Receipt is everything a verifier needs, beside an Anchor, to check one fact
// of the ledger: that the log has an entry, or that the state has a key or
// lacks it. It carries no root and no hash that follows from the rest; from
// the fact one climbs to a block's hash, and the validators signed that or did
// not. So every byte counts, and every changed byte shows.
type Receipt struct {
	ChainID string
	Entry   *EntryProof // exactly one of Entry and State is set
	State   *StateProof
	Header  Header // of the block whose app hash proves the fact
	Commit  Commit // of the same block
}

// EntryProof is an entry, what it commits to, and its way to the app hash.
type EntryProof struct {
	Index   uint64 // of the entry in the log
	LogSize uint64 // of the log the path is in
	Entry   protocol.Entry
	// Withheld leaves Blind and Payload out: the receipt proves the entry and
	// its commitment, and not what was committed to.
	Withheld bool
	Blind    protocol.Blind
	Payload  []byte          // canonical event record, or canonical act
	Path     []protocol.Hash // in the log, nearest sibling first
	Params   protocol.Hash   // map leaf of the parameters
	State    protocol.Hash   // map leaf of the state root
}

// StateProof is a state proof and its way to the app hash.
type StateProof struct {
	State
	LogParams protocol.Hash // map node over the leaves of log and params
}

// Verify checks everything in the receipt against a trust anchor, and answers
// what it proves. The error wraps the sentinel of the check that failed.
func (r *Receipt) Verify(anchor Anchor) (Statement, error) {
	if len(anchor.validators) == 0 {
		return Statement{}, fmt.Errorf("%w: it is empty", ErrAnchor)
	}
	if r.ChainID != anchor.chainID {
		return Statement{}, fmt.Errorf("%w: it names %q, the anchor %q", ErrChain, r.ChainID, anchor.chainID)
	}
	if err := r.check(); err != nil {
		return Statement{}, err
	}
	s := Statement{ChainID: r.ChainID, Height: r.Commit.Height, Time: r.Header.Time()}
	var err error
	if r.Entry != nil {
		s.Entry, s.AppHash, err = r.Entry.climb()
		if err == nil && r.Entry.Entry.Height >= r.Commit.Height {
			err = fmt.Errorf("%w: entry of block %d, signed block %d", ErrHeight, r.Entry.Entry.Height, r.Commit.Height)
		}
	} else {
		s.State, s.AppHash, err = r.State.climb(r.Commit.Height - 1)
	}
	if err != nil {
		return Statement{}, err
	}
	s.BlockHash = r.Header.BlockHash(r.ChainID, r.Commit.Height, s.AppHash)
	if s.Signed, err = r.Commit.Verify(anchor, s.BlockHash); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// climb leads from payload and entry to the app hash.
func (p *EntryProof) climb() (*EntryStatement, protocol.Hash, error) {
	statement, err := p.inLog()
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	logLeaf := MapLeaf(mapLog, LogValue(p.LogSize, statement.LogRoot))
	return statement, NodeHash(NodeHash(logLeaf, p.Params), p.State), nil
}

// inLog leads from payload and entry to the log's root.
func (p *EntryProof) inLog() (*EntryStatement, error) {
	statement, err := p.describe()
	if err != nil {
		return nil, err
	}
	var buf [protocol.EntryBytes]byte
	leaf := LeafHash(p.Entry.AppendBinary(buf[:0]))
	statement.LogRoot, err = InclusionRoot(leaf, p.Index, p.LogSize, p.Path)
	return statement, err
}

// climb leads from key and value to the app hash. The app hash in a header is
// the one after the block before it.
func (p *StateProof) climb(height uint64) (*StateStatement, protocol.Hash, error) {
	root, err := p.Root()
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	statement := &StateStatement{Height: height, Key: p.Key, Value: p.Value, Exists: p.Exists(), Root: root}
	return statement, NodeHash(p.LogParams, MapLeaf(mapState, root[:])), nil
}

// check bounds every part and refuses what could be written in two ways.
func (r *Receipt) check() error {
	if err := checkChainID(r.ChainID); err != nil {
		return err
	}
	if (r.Entry == nil) == (r.State == nil) {
		return fmt.Errorf("%w: it must prove one entry or one key of the state", ErrForm)
	}
	if r.State != nil {
		if err := r.State.check(); err != nil {
			return err
		}
	}
	if r.Entry != nil {
		if err := r.Entry.check(); err != nil {
			return err
		}
	}
	return r.Commit.check()
}

func (p *EntryProof) check() error {
	e := &p.Entry
	for _, n := range [...]struct {
		what  string
		value uint64
	}{{"index", p.Index}, {"log size", p.LogSize}, {"entry height", e.Height}, {"entry time", e.TimeMs},
		{"entry sequence", e.Sequence}, {"entry cause", e.Cause + 1}} { // no cause counts as 0
		if n.value > MaxInteger {
			return fmt.Errorf("%w: %s is over 2^53-1", ErrForm, n.what)
		}
	}
	if _, err := protocol.DecodeEntry(e.AppendBinary(nil)); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	switch {
	case len(p.Path) > MaxPath:
		return fmt.Errorf("%w: a log path of %d hashes, over the limit %d", ErrForm, len(p.Path), MaxPath)
	case p.Withheld && (len(p.Payload) > 0 || p.Blind != protocol.Blind{}):
		return fmt.Errorf("%w: it withholds the payload and carries it", ErrForm)
	case len(p.Payload) > protocol.MaxRecordBytes:
		return fmt.Errorf("%w: a payload of %d bytes, over the limit %d", ErrForm, len(p.Payload), protocol.MaxRecordBytes)
	case !p.Withheld && protocol.Commitment(p.Blind, p.Payload) != e.Commitment:
		return fmt.Errorf("%w: commitment %s", ErrCommitment, e.Commitment)
	}
	return nil
}
