package proof

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Decided is a block as validators decided it: its transactions, and the
// header and commit that make them final. Its header's hash covers every octet
// of them, and what the ledger was before.
type Decided struct {
	ChainID string
	// Header opens the block's own header. Its Blocks is not carried: it
	// follows from Last, the transactions and Validators.
	Header     Header
	Last       protocol.Hash // node over fields 4 and 5: last block and its commit
	Validators protocol.Hash // leaf of field 7
	AppHash    protocol.Hash // what the ledger was before the block
	Commit     Commit
	Txs        [][]byte
}

// DecidedStatement is what a decided block proved.
type DecidedStatement struct {
	Height    uint64
	Time      time.Time
	BlockHash protocol.Hash
	AppHash   protocol.Hash // of log, parameters and state before the block
	Signed    Signed
}

// Seal is the Decided without its transactions: the header of Height, signed,
// which proves what the ledger was after the block before.
type Seal struct {
	ChainID string
	Header  Header
	AppHash protocol.Hash
	Commit  Commit
}

// TxsHash is CometBFT's hash of a block's transactions: the RFC 6962 root over
// their SHA-256.
func TxsHash(txs [][]byte) protocol.Hash {
	leaves := make([]protocol.Hash, len(txs))
	for i, tx := range txs {
		sum := sha256.Sum256(tx)
		leaves[i] = LeafHash(sum[:])
	}
	return TreeRoot(leaves)
}

// Seal leaves the transactions out.
func (d *Decided) Seal() Seal {
	var buf [64]byte
	txs := TxsHash(d.Txs)
	data := LeafHash(appendBytes(append(buf[:0], 0x0a), txs[:]))
	s := Seal{ChainID: d.ChainID, Header: d.Header, AppHash: d.AppHash, Commit: d.Commit}
	s.Header.Blocks = NodeHash(d.Last, NodeHash(data, d.Validators))
	return s
}

// Verify checks that the anchor's validators decided this block, and answers
// what that proves.
func (d *Decided) Verify(anchor Anchor) (DecidedStatement, error) {
	s := d.Seal()
	return s.Verify(anchor)
}

// Verify checks that the anchor's validators signed this header.
func (s *Seal) Verify(anchor Anchor) (DecidedStatement, error) {
	if len(anchor.validators) == 0 {
		return DecidedStatement{}, fmt.Errorf("%w: it is empty", ErrAnchor)
	}
	if s.ChainID != anchor.chainID {
		return DecidedStatement{}, fmt.Errorf("%w: it names %q, the anchor %q", ErrChain, s.ChainID, anchor.chainID)
	}
	block := s.Header.BlockHash(s.ChainID, s.Commit.Height, s.AppHash)
	signed, err := s.Commit.Verify(anchor, block)
	if err != nil {
		return DecidedStatement{}, err
	}
	return DecidedStatement{s.Commit.Height, s.Header.Time(), block, s.AppHash, signed}, nil
}

// VerifyWith checks the header against the set that signs its height.
func (s *Seal) VerifyWith(t *Trust) (DecidedStatement, error) {
	anchor, err := t.For(s.Commit.Height)
	if err != nil {
		return DecidedStatement{}, err
	}
	return s.Verify(anchor)
}

// decidedJSON is a Decided as text; txs is left out of a Seal.
type decidedJSON struct {
	ChainID    string         `json:"chainId"`
	Header     headerJSON     `json:"header"`
	Last       *protocol.Hash `json:"last,omitempty"`
	Validators *protocol.Hash `json:"validators,omitempty"`
	AppHash    protocol.Hash  `json:"appHash"`
	Commit     commitJSON     `json:"commit"`
	Txs        *[][]byte      `json:"txs,omitempty"`
}

func headerOf(h *Header) headerJSON {
	return headerJSON{timeJSON(h.TimeNs), h.Version, h.Blocks, h.Next, h.Results, h.Tail}
}

func (h *headerJSON) open() Header {
	return Header{int64(h.Time), h.Version, h.Blocks, h.Next, h.Results, h.Tail}
}

// MarshalJSON renders the block; of the header's members, blocks is zero.
func (d Decided) MarshalJSON() ([]byte, error) {
	txs := notNil(d.Txs)
	return json.Marshal(decidedJSON{
		d.ChainID, headerOf(&d.Header), &d.Last, &d.Validators, d.AppHash, d.Commit.toJSON(), &txs,
	})
}

// UnmarshalJSON reads what MarshalJSON writes; it does not verify.
func (d *Decided) UnmarshalJSON(b []byte) error {
	var text decidedJSON
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if text.Last == nil || text.Validators == nil || text.Txs == nil {
		return fmt.Errorf("%w: a decided block has last, validators and txs", ErrForm)
	}
	commit, err := text.Commit.commit()
	*d = Decided{text.ChainID, text.Header.open(), *text.Last, *text.Validators, text.AppHash, commit, *text.Txs}
	return err
}

// MarshalJSON renders the seal.
func (s Seal) MarshalJSON() ([]byte, error) {
	return json.Marshal(decidedJSON{ChainID: s.ChainID, Header: headerOf(&s.Header), AppHash: s.AppHash, Commit: s.Commit.toJSON()})
}

// UnmarshalJSON reads what MarshalJSON writes; it does not verify.
func (s *Seal) UnmarshalJSON(b []byte) error {
	var text decidedJSON
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	commit, err := text.Commit.commit()
	*s = Seal{text.ChainID, text.Header.open(), text.AppHash, commit}
	return err
}
