package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Domain tags keep what is derived from one key apart.
const (
	tagKeyID    = "cairn/ki"
	tagEventKey = "cairn/ke"
	tagCipher   = "cairn/kc"
	tagNonce    = "cairn/kn"
	tagSalt     = "cairn/ks"
	tagContext  = "cairn/sl"
	tagField    = "cairn/fl"
	tagWrapped  = "cairn/wk"
)

// Key is a subject's data key. Whoever has it reads everything sealed with it.
type Key [32]byte

// String hides the key from logs.
func (Key) String() string { return "seal.Key(secret)" }

// NewKey draws a key.
func NewKey() (Key, error) {
	var k Key
	if _, err := rand.Read(k[:]); err != nil {
		return Key{}, fmt.Errorf("seal: %w", err)
	}
	return k, nil
}

// KeyID names a key without telling it; being a hash, it commits to the key.
type KeyID [16]byte

// ID is the key's.
func (k Key) ID() KeyID {
	sum := sha256.Sum256(append([]byte(tagKeyID), k[:]...))
	return KeyID(sum[:16])
}

// String is base64url without padding.
func (id KeyID) String() string { return encode(id[:]) }

// EventKey is what one event is sealed with. It opens that event and no other,
// so it can be given to somebody who may see that one.
type EventKey [32]byte

// String hides the key from logs.
func (EventKey) String() string { return "seal.EventKey(secret)" }

// ForEvent derives the key of an event by its source, id, type and subject.
func (k Key) ForEvent(e *protocol.Event) EventKey {
	return EventKey(mac(k[:], append([]byte(tagEventKey), identity(e)...)))
}

func (k EventKey) derive(tag string) []byte { return mac(k[:], []byte(tag)) }

// identity is what makes an event the one it is.
func identity(e *protocol.Event) []byte {
	var out []byte
	for _, s := range [...]string{e.Source, e.ID, e.Type, e.Subject} {
		out = appendBytes(out, s)
	}
	return out
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// base64url is strict: one text for each octets.
var base64url = base64.RawURLEncoding.Strict()

func encode(b []byte) string { return base64url.EncodeToString(b) }

// decode reads exactly size octets; size below 0 is any.
func decode(text, what string, size int) ([]byte, error) {
	b, err := base64url.DecodeString(text)
	if err != nil || encode(b) != text || size >= 0 && len(b) != size {
		return nil, fmt.Errorf("%w: %s is not base64url of the right length", ErrForm, what)
	}
	return b, nil
}
