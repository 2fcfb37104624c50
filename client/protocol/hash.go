package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Domain tags keep hashes of different things apart. Each is eight bytes, so
// that the short inputs still fit one SHA-256 block.
const (
	tagChain      = "cairn/ch"
	tagTx         = "cairn/tx"
	tagAddress    = "cairn/ad"
	tagContract   = "cairn/co"
	tagStream     = "cairn/st"
	tagType       = "cairn/ty"
	tagBlind      = "cairn/bl"
	tagEmitBlind  = "cairn/be"
	tagCommitment = "cairn/ev"
	tagSource     = "cairn/id"
	tagMultisig   = "cairn/mu"
	tagRotate     = "cairn/ro"
	tagLedger     = "cairn/le"
	tagLedgerName = "cairn/ln"
)

// Hash is a SHA-256 digest.
type Hash [32]byte

// String is lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero says whether h was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText renders lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 lower-case hex digits.
func (h *Hash) UnmarshalText(text []byte) error { return unhex(h[:], text, "hash") }

// ParseHash reads 64 lower-case hex digits.
func ParseHash(text string) (Hash, error) {
	var h Hash
	err := h.UnmarshalText([]byte(text))
	return h, err
}

// unhex is strict: lower case only, exact length, so that text is canonical too.
func unhex(dst, text []byte, what string) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("%s: needs %d hex digits, has %d", what, 2*len(dst), len(text))
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("%s: %q is not a lower-case hex digit", what, c)
		}
	}
	_, err := hex.Decode(dst, text)
	return err
}

// StreamID names a stream of a producer inside an entry.
type StreamID [16]byte

// MarshalText renders lower-case hex.
func (s StreamID) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText reads 32 lower-case hex digits.
func (s *StreamID) UnmarshalText(text []byte) error { return unhex(s[:], text, "stream id") }

// NewStreamID derives the id: SHA-256(tag || producer || name), cut to 16 bytes.
func NewStreamID(producer Address, name string) StreamID {
	b := make([]byte, 0, 8+20+MaxStreamName)
	b = append(b, tagStream...)
	b = append(b, producer[:]...)
	b = append(b, name...)
	sum := sha256.Sum256(b)
	return StreamID(sum[:16])
}

// TypeHash stands for an event's type inside an entry.
type TypeHash [16]byte

// MarshalText renders lower-case hex.
func (t TypeHash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(t[:])), nil }

// UnmarshalText reads 32 lower-case hex digits.
func (t *TypeHash) UnmarshalText(text []byte) error { return unhex(t[:], text, "type hash") }

// NewTypeHash is SHA-256(tag || type), cut to 16 bytes.
func NewTypeHash(eventType string) TypeHash {
	var buf [8 + 128]byte
	b := append(append(buf[:0], tagType...), eventType...)
	sum := sha256.Sum256(b)
	return TypeHash(sum[:16])
}

// SourceKey stands for an event's identity (source, id) in the ledger's index.
type SourceKey [16]byte

// NewSourceKey is SHA-256(tag || len(source) || source || id), cut to 16 bytes.
func NewSourceKey(source, id string) SourceKey {
	var buf [256]byte
	b := append(buf[:0], tagSource...)
	b = binary.AppendUvarint(b, uint64(len(source)))
	b = append(b, source...)
	b = append(b, id...)
	sum := sha256.Sum256(b)
	return SourceKey(sum[:16])
}

// Blind hides a committed payload until the payload is shown: without it, the
// hash of a guessable reading would give the reading away.
type Blind [32]byte

// MarshalText renders lower-case hex.
func (b Blind) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b[:])), nil }

// UnmarshalText reads 64 lower-case hex digits.
func (b *Blind) UnmarshalText(text []byte) error { return unhex(b[:], text, "blind") }

// EventBlind derives the blind of one event of a batch from the batch's seed.
func EventBlind(seed [32]byte, sequence uint64) Blind {
	var b [48]byte
	copy(b[:8], tagBlind)
	copy(b[8:40], seed[:])
	binary.BigEndian.PutUint64(b[40:], sequence)
	return sha256.Sum256(b[:])
}

// EmittedBlind derives the blind of an entry the ledger itself adds, from the
// blind of what caused it: erasing the cause's payload hides both.
func EmittedBlind(cause Blind, index uint64) Blind {
	var b [48]byte
	copy(b[:8], tagEmitBlind)
	copy(b[8:40], cause[:])
	binary.BigEndian.PutUint64(b[40:], index)
	return sha256.Sum256(b[:])
}

// Commitment is SHA-256(tag || blind || payload): hiding while the blind is
// secret, binding always.
func Commitment(blind Blind, payload []byte) Hash {
	var buf [512]byte
	b := append(buf[:0], tagCommitment...)
	b = append(b, blind[:]...)
	b = append(b, payload...)
	return sha256.Sum256(b)
}

// ChainTag marks a transaction with the chain it is for, so that a stray one
// is told apart from a forged one.
type ChainTag [8]byte

// NewChainTag is SHA-256(tag || chain id), cut to 8 bytes.
func NewChainTag(chainID string) ChainTag {
	sum := sha256.Sum256([]byte(tagChain + chainID))
	return ChainTag(sum[:8])
}
