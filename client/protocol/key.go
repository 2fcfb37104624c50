package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// AddressPrefix is the human-readable part of an address (BIP-173 bech32).
const AddressPrefix = "cairn"

// Address names an account or a contract.
type Address [20]byte

// String is the bech32 text, such as cairn1....
func (a Address) String() string {
	words, err := bech32.ConvertBits(a[:], 8, 5, true)
	if err == nil {
		var text string
		if text, err = bech32.Encode(AddressPrefix, words); err == nil {
			return text
		}
	}
	panic(fmt.Sprintf("protocol: address %x does not encode: %v", a[:], err))
}

// IsZero says whether a was never set.
func (a Address) IsZero() bool { return a == Address{} }

// ParseAddress reads the bech32 text. Upper case is refused: one address, one text.
func ParseAddress(text string) (Address, error) {
	var a Address
	if len(text) > 90 {
		return a, errors.New("address: longer than 90 characters")
	}
	prefix, words, err := bech32.Decode(text)
	if err != nil {
		return a, fmt.Errorf("address %q: %w", text, err)
	}
	if prefix != AddressPrefix {
		return a, fmt.Errorf("address %q: prefix must be %q", text, AddressPrefix)
	}
	raw, err := bech32.ConvertBits(words, 5, 8, false)
	if err != nil {
		return a, fmt.Errorf("address %q: %w", text, err)
	}
	if len(raw) != len(a) {
		return a, fmt.Errorf("address %q: holds %d bytes, must hold %d", text, len(raw), len(a))
	}
	copy(a[:], raw)
	if a.String() != text {
		return Address{}, fmt.Errorf("address %q: not in canonical lower-case form", text)
	}
	return a, nil
}

// MarshalText renders bech32.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads bech32.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	*a = parsed
	return err
}

// ContractAddress derives the address of an author's contract of that name.
func ContractAddress(author Address, name string) Address {
	return deriveAddress(tagContract, author, name)
}

// deriveAddress is SHA-256(tag || creator || name), cut to 20 bytes.
func deriveAddress(tag string, creator Address, name string) Address {
	b := append([]byte(tag), creator[:]...)
	sum := sha256.Sum256(append(b, name...))
	return Address(sum[:20])
}

// PublicKey is a compressed secp256k1 point (SEC 1, 33 bytes). Its bytes are
// checked when a signature is.
type PublicKey [33]byte

// Address is SHA-256(tag || key), cut to 20 bytes.
func (p PublicKey) Address() Address {
	var b [8 + 33]byte
	copy(b[:8], tagAddress)
	copy(b[8:], p[:])
	sum := sha256.Sum256(b[:])
	return Address(sum[:20])
}

// String is lower-case hex.
func (p PublicKey) String() string { return hex.EncodeToString(p[:]) }

// MarshalText renders lower-case hex.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads 66 lower-case hex digits that name a point of the curve.
func (p *PublicKey) UnmarshalText(text []byte) error {
	if err := unhex(p[:], text, "public key"); err != nil {
		return err
	}
	_, err := btcec.ParsePubKey(p[:])
	return err
}

// SignatureBytes is the size of a signature: r || s, big-endian.
const SignatureBytes = 64

// Signature is a compact ECDSA signature r || s with s in the lower half of
// the group order, so that one message has one accepted signature per nonce.
type Signature [SignatureBytes]byte

// MarshalText renders lower-case hex.
func (s Signature) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText reads 128 lower-case hex digits.
func (s *Signature) UnmarshalText(text []byte) error { return unhex(s[:], text, "signature") }

// Verify checks the signature of a 32-byte digest. High-S and out-of-range
// values are refused.
func (p PublicKey) Verify(digest Hash, sig Signature) error {
	key, err := p.point()
	if err != nil {
		return err
	}
	r, s, err := sig.scalars()
	if err != nil {
		return err
	}
	if !ecdsa.NewSignature(&r, &s).Verify(digest[:], key) {
		return p.refuse()
	}
	return nil
}

func (p PublicKey) point() (*btcec.PublicKey, error) {
	key, err := btcec.ParsePubKey(p[:])
	if err != nil {
		return nil, Refuse(CodeBadSignature, "signer is not a secp256k1 point: %v", err)
	}
	return key, nil
}

func (p PublicKey) refuse() error {
	return Refuse(CodeBadSignature, "signature does not verify for %s", p.Address())
}

// scalars are r and s, in range and with the low S.
func (sig *Signature) scalars() (r, s btcec.ModNScalar, err error) {
	if r.SetByteSlice(sig[:32]) || r.IsZero() || s.SetByteSlice(sig[32:]) || s.IsZero() {
		return r, s, Refuse(CodeBadSignature, "signature value out of range")
	}
	if s.IsOverHalfOrder() {
		return r, s, Refuse(CodeBadSignature, "signature has a high S; use the low one")
	}
	return r, s, nil
}

// PrivateKey signs for an account. The zero value is not a key.
type PrivateKey struct{ pair *keyPair }

// keyPair has the public half at hand: to work it out takes as long as a signature.
type keyPair struct {
	btcec.PrivateKey
	public PublicKey
}

func newKeyPair(key *btcec.PrivateKey) PrivateKey {
	return PrivateKey{&keyPair{*key, PublicKey(key.PubKey().SerializeCompressed())}}
}

// NewPrivateKey makes a key from the operating system's randomness.
func NewPrivateKey() (PrivateKey, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return PrivateKey{}, err
	}
	return newKeyPair(key), nil
}

// PrivateKeyFromBytes reads a 32-byte secret in 1..n-1.
func PrivateKeyFromBytes(secret []byte) (PrivateKey, error) {
	var scalar btcec.ModNScalar
	if len(secret) != 32 || scalar.SetByteSlice(secret) || scalar.IsZero() {
		return PrivateKey{}, errors.New("private key: must be 32 bytes, in the range of the secp256k1 group order")
	}
	return newKeyPair(&btcec.PrivateKey{Key: scalar}), nil
}

// Bytes is the 32-byte secret. Keep it as carefully as the account.
func (k PrivateKey) Bytes() []byte { return k.pair.Serialize() }

// Public is the key's public half.
func (k PrivateKey) Public() PublicKey { return k.pair.public }

// Address is the account the key speaks for.
func (k PrivateKey) Address() Address { return k.Public().Address() }

// String hides the secret from logs.
func (k PrivateKey) String() string { return "private key of " + k.Address().String() }
