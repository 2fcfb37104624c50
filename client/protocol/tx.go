package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// TxKind says what a transaction asks for.
type TxKind uint8

// Kinds of transactions. The numbers are part of the protocol.
const (
	TxBatch   TxKind = 1  // append events to a stream
	TxDeploy  TxKind = 2  // store a contract's code and create the contract
	TxCall    TxKind = 3  // call a contract's method
	TxUpgrade TxKind = 4  // give a contract other code
	TxControl TxKind = 5  // pause or resume a contract, redeliver or skip an entry
	TxToken   TxKind = 6  // operations on tokens
	TxAccount TxKind = 7  // keys of an account, and accounts of several members
	TxRelay   TxKind = 10 // show events of another ledger
	TxErase   TxKind = 12 // erase payloads
	TxSchema  TxKind = 11 // register a schema

	TxGovernance TxKind = 8 // propose to the council, vote, withdraw
	TxDispute    TxKind = 9 // dispute an entry, resolve a dispute
)

var txKindNames = map[TxKind]string{
	TxBatch: "batch", TxDeploy: "deploy", TxCall: "call", TxUpgrade: "upgrade", TxControl: "control",
	TxToken: "token", TxAccount: "account", TxGovernance: "governance", TxDispute: "dispute", TxRelay: "relay", TxErase: "erase", TxSchema: "schema",
}

// String is the kind's published name.
func (k TxKind) String() string {
	if name, ok := txKindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// MarshalText renders the published name.
func (k TxKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a published name.
func (k *TxKind) UnmarshalText(text []byte) error {
	for kind, name := range txKindNames { // names differ: order does not matter
		if name == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("transaction kind %q is not known", text)
}

// txVersion is the first byte of a transaction.
const txVersion = 1

// txHeadBytes is the size of what precedes the body: version, kind, chain tag,
// signer, expiry, nonce.
const txHeadBytes = 1 + 1 + 8 + 33 + 8 + 8

// Body is the part of a transaction that differs by kind: *Batch, *Deploy, *Call,
// *Upgrade, *Control, *Token, *Erase, *Relay, or one of those in accounttx.go and govtx.go.
type Body interface {
	Kind() TxKind
	appendBody(dst []byte) ([]byte, error)
}

// Tx is a decoded transaction. Decoding does not check the signature:
// VerifySignature does.
type Tx struct {
	ID        Hash      // what is signed; also names the transaction
	Signer    PublicKey // speaks for Signer.Address()
	Expiry    uint64    // last height at which it may be executed
	Nonce     uint64    // free; tells equal requests apart
	Body      Body
	Signature Signature
}

// txID hashes what is signed: tag, chain id and everything before the
// signature. The chain id makes a signature worthless on another ledger.
func txID(chainID string, unsigned []byte) Hash {
	var buf [1024]byte // of a batch of one event, which spares the heap
	prefix := appendBytes(append(buf[:0], tagTx...), chainID)
	if len(prefix)+len(unsigned) <= len(buf) {
		return sha256.Sum256(append(prefix, unsigned...))
	}
	h := sha256.New()
	h.Write(prefix)
	h.Write(unsigned)
	return Hash(h.Sum(nil))
}

// SignTx encodes and signs a transaction for one chain. expiry is the last
// height at which it may be executed.
func SignTx(chainID string, key PrivateKey, expiry, nonce uint64, body Body) ([]byte, error) {
	if chainID == "" || len(chainID) > MaxChainID {
		return nil, fmt.Errorf("transaction: chain id must have 1 to %d characters", MaxChainID)
	}
	tag, signer := NewChainTag(chainID), key.Public()
	out := make([]byte, 0, 512)
	out = append(out, txVersion, byte(body.Kind()))
	out = append(out, tag[:]...)
	out = append(out, signer[:]...)
	out = binary.BigEndian.AppendUint64(out, expiry)
	out = binary.BigEndian.AppendUint64(out, nonce)
	out, err := body.appendBody(out)
	if err != nil {
		return nil, err
	}
	if len(out)+SignatureBytes > MaxTxBytes {
		return nil, Refuse(CodeTooLarge, "transaction: has %d bytes, the limit is %d", len(out)+SignatureBytes, MaxTxBytes)
	}
	signature := key.Sign(txID(chainID, out))
	return append(out, signature[:]...), nil
}

// TxID names an encoded transaction without decoding its body. Two encodings
// that differ only in the signature have the same ID.
func TxID(chainID string, raw []byte) (Hash, error) {
	if len(raw) < txHeadBytes+SignatureBytes || len(raw) > MaxTxBytes {
		return Hash{}, Refuse(CodeMalformed, "transaction: %d bytes is not the size of one", len(raw))
	}
	return txID(chainID, raw[:len(raw)-SignatureBytes]), nil
}

// DecodeTx reads and fully checks the form of a transaction for one chain; it
// keeps no reference to raw. What it accepts is the one encoding of the Tx.
func DecodeTx(chainID string, raw []byte) (*Tx, error) {
	if len(raw) > MaxTxBytes {
		return nil, Refuse(CodeTooLarge, "transaction: has %d bytes, the limit is %d", len(raw), MaxTxBytes)
	}
	if len(raw) < txHeadBytes+SignatureBytes {
		return nil, Refuse(CodeMalformed, "transaction: has %d bytes, needs at least %d", len(raw), txHeadBytes+SignatureBytes)
	}
	unsigned := raw[:len(raw)-SignatureBytes]
	r := reader{buf: unsigned}
	if version := r.u8("version"); version != txVersion {
		return nil, Refuse(CodeMalformed, "transaction: version %d is not known", version)
	}
	kind := TxKind(r.u8("kind"))
	if tag := NewChainTag(chainID); ChainTag(r.take(8, "chain tag")) != tag {
		return nil, Refuse(CodeWrongChain, "transaction: was made for another chain than %q", chainID)
	}
	tx := &Tx{ID: txID(chainID, unsigned), Signature: Signature(raw[len(unsigned):])}
	copy(tx.Signer[:], r.take(33, "signer"))
	tx.Expiry, tx.Nonce = r.u64("expiry"), r.u64("nonce")
	var err error
	if tx.Body, err = decodeBody(kind, &r); err != nil {
		return nil, err
	}
	return tx, nil
}

// decodeBody reads the body of a kind to the reader's end.
func decodeBody(kind TxKind, r *reader) (Body, error) {
	switch kind {
	case TxBatch:
		return decodeBatch(r)
	case TxDeploy:
		return decodeDeploy(r)
	case TxCall:
		return decodeCall(r)
	case TxUpgrade:
		return decodeUpgrade(r)
	case TxControl:
		return decodeControl(r)
	case TxToken:
		return decodeToken(r)
	case TxErase:
		return decodeErase(r)
	case TxRelay:
		return decodeRelay(r)
	case TxSchema:
		return decodeSchema(r)
	case TxAccount:
		return decodeAccountTx(r)
	case TxGovernance:
		return decodeGovernance(r)
	case TxDispute:
		return decodeDispute(r)
	}
	return nil, Refuse(CodeUnknownKind, "transaction: kind %d is not known", kind)
}

// VerifySignature checks that the signer made this transaction.
func (tx *Tx) VerifySignature() error { return tx.Signer.Verify(tx.ID, tx.Signature) }

// Sender is the account that asks.
func (tx *Tx) Sender() Address { return tx.Signer.Address() }

// malformed closes a body's decoding.
func (r *reader) malformed(what string) error {
	if err := r.end(); err != nil {
		return Refuse(CodeMalformed, "%s: %v", what, err)
	}
	return nil
}
