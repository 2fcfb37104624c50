// Package genesis holds a ledger's founding document: who validates, who may
// do what, and by which rules. The document is also the trust anchor that
// receipts are verified against, so whoever can replace it can forge receipts:
// auditors get it from someone they trust, not from a node.
package genesis

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxBytes bounds a founding document.
const MaxBytes = 16 << 20

// Document founds a ledger. Load and Parse give validated ones.
type Document struct {
	ChainID    string      `json:"chainId"`
	Time       time.Time   `json:"genesisTime"`
	Params     Params      `json:"params"`
	Validators []Validator `json:"validators"`
	Accounts   []Account   `json:"accounts"`
	Schemas    []Schema    `json:"schemas,omitempty"`
}

// Validator is a founding member of the validator set.
type Validator struct {
	Name   string `json:"name"`
	PubKey Key    `json:"publicKey"` // ed25519, what it signs blocks with
	Power  uint64 `json:"power"`
	// LogKey is the ed25519 key it signs the log's checkpoints with. It may be
	// absent: then it vouches for blocks only.
	LogKey Key `json:"logKey,omitzero"`
	// NodeID is its node's among the peers. Where any validator names one, only
	// nodes that are named, or admitted by a vote, are let in.
	NodeID protocol.NodeID `json:"nodeId,omitzero"`
}

// Account is a founding account.
type Account struct {
	Name    string             `json:"name"`
	PubKey  protocol.PublicKey `json:"publicKey"` // secp256k1, what it signs transactions with
	Address protocol.Address   `json:"address"`
	Roles   []string           `json:"roles"`
	// Weight is its vote's in the council; left out, a council member has 1.
	Weight uint64 `json:"weight,omitempty"`
	// Sources and Types are the prefixes a producer may speak for, in ascending
	// order; left out, it may speak for all.
	Sources []string        `json:"sources,omitempty"`
	Types   []string        `json:"types,omitempty"`
	Quota   *protocol.Quota `json:"quota,omitempty"`
}

// Record is what the ledger keeps of the account at first.
func (a *Account) Record() (protocol.Account, error) {
	roles, err := protocol.ParseRoles(a.Roles)
	out := protocol.Account{Roles: roles, Grants: protocol.Grants{Sources: a.Sources, Types: a.Types}}
	if a.Quota != nil {
		out.Quota = *a.Quota
	}
	return out, err
}

// Schema is the first version of an event type's schema.
type Schema struct {
	Type   string              `json:"type"`
	Owner  protocol.Address    `json:"owner"` // who may add versions
	Rule   protocol.SchemaRule `json:"compatibility"`
	Schema json.RawMessage     `json:"schema"`
}

// Key is an ed25519 public key; as text standard base64.
type Key [32]byte

// MarshalText renders base64.
func (k Key) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, k[:]), nil
}

// UnmarshalText reads base64 of exactly 32 bytes.
func (k *Key) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("public key %q is not base64 of 32 bytes", text)
	}
	copy(k[:], raw)
	return nil
}

// Load reads and validates a file. Errors name the file and the field.
func Load(path string) (*Document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if info.Size() > MaxBytes {
		return nil, fmt.Errorf("genesis: %s has %d bytes, the limit is %d", path, info.Size(), MaxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	doc, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("genesis: %s: %w", path, err)
	}
	return doc, nil
}

// Parse reads and validates a document. Every field must be there, once and by
// its exact name, and no other: a misspelt rule must not be a silent default.
func Parse(text []byte) (*Document, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("document has %d bytes, the limit is %d", len(text), MaxBytes)
	}
	var doc Document
	if err := strictJSON(text, &doc); err != nil {
		return nil, err
	}
	if err := doc.Validate(); err != nil {
		return nil, err
	}
	return &doc, nil
}

// Bytes renders the document, indented for people.
func (d *Document) Bytes() []byte {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("genesis: document does not encode: %v", err))
	}
	return append(text, '\n')
}

// Hash names the document whatever its layout on disk: nodes of one network
// have the same.
func (d *Document) Hash() protocol.Hash {
	text, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("genesis: document does not encode: %v", err))
	}
	return sha256.Sum256(text)
}

// Trust is what receipts of this ledger are verified with, before any change
// of its validators.
func (d *Document) Trust() (*proof.Trust, error) {
	anchor, err := d.Anchor()
	if err != nil {
		return nil, err
	}
	return proof.NewTrust(anchor, 1, d.Time), nil
}

// Anchor is the founding validator set.
func (d *Document) Anchor() (proof.Anchor, error) {
	validators := make([]proof.Validator, len(d.Validators))
	for i, v := range d.Validators {
		validators[i] = proof.Validator{PubKey: proof.ValidatorKey(v.PubKey), Power: v.Power}
	}
	return proof.NewAnchor(d.ChainID, validators)
}

// Cosigners are whose signatures on the log's checkpoints are verified, before
// any change of the validators: the founding ones with their log keys.
func (d *Document) Cosigners() (proof.Cosigners, error) {
	cosigners := make([]proof.Cosigner, len(d.Validators))
	for i, v := range d.Validators {
		cosigners[i] = proof.Cosigner{Name: proof.CosignerName(d.ChainID, v.Name), Key: proof.LogKey(v.LogKey), Power: v.Power}
	}
	return proof.NewCosigners(d.ChainID, cosigners)
}
