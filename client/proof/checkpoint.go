package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Checkpoint is the head of the log: C2SP tlog-checkpoint, without extension
// lines. The origin is the chain id.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   protocol.Hash
}

// Text is the checkpoint as a note's text: what is signed.
func (c Checkpoint) Text() []byte {
	text := append([]byte(c.Origin), '\n')
	text = append(strconv.AppendUint(text, c.Size, 10), '\n')
	return append(base64.StdEncoding.AppendEncode(text, c.Root[:]), '\n')
}

// SignedCheckpoint is a checkpoint and the signature lines under it: a C2SP
// signed note.
type SignedCheckpoint struct {
	Checkpoint
	Signatures []NoteSignature
}

// NoteSignature is a signature line: "— name base64(id || signature)".
type NoteSignature struct {
	Name  string
	KeyID uint32 // first octets of SHA-256(name || "\n" || type || key)
	Bytes []byte // as the signature's type says
}

// Bounds of a note.
const (
	maxSignatureLines = 2*MaxValidators + 100
	maxSignatureBytes = 4096 // the greatest in use, ML-DSA-44, has 2,428
	maxKeyName        = 255
	signaturePrefix   = "— "

	// maxUnixSeconds is the end of the year 9999, the last that RFC 3339 writes.
	maxUnixSeconds = 253_402_300_799
)

// Marshal is the note's one text.
func (s *SignedCheckpoint) Marshal() []byte {
	out := append(s.Text(), '\n')
	for _, line := range s.Signatures {
		out = line.append(out)
	}
	return out
}

func (l *NoteSignature) append(dst []byte) []byte {
	dst = append(append(append(dst, signaturePrefix...), l.Name...), ' ')
	raw := append(binary.BigEndian.AppendUint32(nil, l.KeyID), l.Bytes...)
	return append(base64.StdEncoding.AppendEncode(dst, raw), '\n')
}

// ParseCheckpoint reads a signed checkpoint. It verifies nothing; the answer
// writes to exactly b again.
func ParseCheckpoint(b []byte) (*SignedCheckpoint, error) {
	text, lines, ok := bytes.Cut(b, []byte("\n\n"))
	head := strings.Split(string(text), "\n")
	if !ok || len(head) != 3 || !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not a checkpoint of three lines and signatures under them", ErrForm)
	}
	s := &SignedCheckpoint{Checkpoint: Checkpoint{Origin: head[0]}}
	if err := checkChainID(s.Origin); err != nil {
		return nil, err
	}
	var err error
	if s.Size, err = strconv.ParseUint(head[1], 10, 64); err != nil || s.Size > MaxInteger {
		return nil, fmt.Errorf("%w: a log's size is %.40q", ErrForm, head[1])
	}
	root, err := base64.StdEncoding.DecodeString(head[2])
	if err != nil || len(root) != len(s.Root) {
		return nil, fmt.Errorf("%w: a log's root is %.60q", ErrForm, head[2])
	}
	s.Root = protocol.Hash(root)
	if s.Signatures, err = ParseSignatureLines(lines); err != nil {
		return nil, err
	}
	if !bytes.Equal(s.Marshal(), b) {
		return nil, fmt.Errorf("%w: checkpoint", ErrCanonical)
	}
	return s, nil
}

// ParseSignatureLines reads the signature lines of a note.
func ParseSignatureLines(b []byte) ([]NoteSignature, error) {
	var out []NoteSignature
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		name, encoded, spaced := strings.Cut(strings.TrimPrefix(string(line), signaturePrefix), " ")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !ok || !spaced || err != nil || !bytes.HasPrefix(line, []byte(signaturePrefix)) || !validKeyName(name):
			return nil, fmt.Errorf("%w: signature line %.60q", ErrForm, line)
		case len(raw) < 5 || len(raw) > 4+maxSignatureBytes:
			return nil, fmt.Errorf("%w: a signature of %d bytes", ErrForm, len(raw))
		case len(out) >= maxSignatureLines:
			return nil, fmt.Errorf("%w: more than %d signature lines", ErrForm, maxSignatureLines)
		}
		out = append(out, NoteSignature{name, binary.BigEndian.Uint32(raw), raw[4:]})
		b = rest
	}
	return out, nil
}

// validKeyName is the rule of C2SP signed-note, and a bound.
func validKeyName(name string) bool {
	return name != "" && len(name) <= maxKeyName && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || r == '+' || r < ' '
	})
}

// LogKey is the ed25519 public key a validator signs checkpoints with. It is
// not the key it signs blocks with.
type LogKey [ed25519.PublicKeySize]byte

// Signature types of C2SP signed-note.
const (
	noteEd25519     = 1 // the log's signature, over the text
	noteCosignature = 4 // a timestamped cosignature
)

func (k LogKey) id(name string, kind byte) uint32 {
	h := sha256.Sum256(append(append([]byte(name), '\n', kind), k[:]...))
	return binary.BigEndian.Uint32(h[:])
}

func (k LogKey) vkey(name string, kind byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, k.id(name, kind), base64.StdEncoding.EncodeToString(append([]byte{kind}, k[:]...)))
}

// Cosigner is a validator as it signs the log.
type Cosigner struct {
	Name  string // of its cosignatures: chain id, "/" and the validator's name, escaped
	Key   LogKey // zero for a validator whose power counts and who does not sign
	Power uint64
}

// VKey is the vkey of the validator's cosignatures.
func (c Cosigner) VKey() string { return c.Key.vkey(c.Name, noteCosignature) }

// LogVKey is the vkey of the same key's signature as the log itself.
func (c Cosigner) LogVKey(origin string) string { return c.Key.vkey(origin, noteEd25519) }

// CosignatureBytes are what a cosigner signs: C2SP tlog-cosignature, Ed25519.
func CosignatureBytes(c Checkpoint, unixSeconds uint64) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", unixSeconds), c.Text()...)
}

// LogSignature is the line of the log's signature, by this cosigner.
func (c Cosigner) LogSignature(at Checkpoint, signature []byte) NoteSignature {
	return NoteSignature{at.Origin, c.Key.id(at.Origin, noteEd25519), signature}
}

// Cosignature is the line of a cosignature.
func (c Cosigner) Cosignature(unixSeconds uint64, signature []byte) NoteSignature {
	return NoteSignature{c.Name, c.Key.id(c.Name, noteCosignature), append(binary.BigEndian.AppendUint64(nil, unixSeconds), signature...)}
}

func (c Cosigner) verifyLog(at Checkpoint, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(c.Key[:], at.Text(), signature)
}

func (c Cosigner) verifyCosignature(at Checkpoint, timed []byte) (unixSeconds uint64, ok bool) {
	if len(timed) != 8+ed25519.SignatureSize {
		return 0, false
	}
	unixSeconds = binary.BigEndian.Uint64(timed)
	ok = unixSeconds <= maxUnixSeconds && ed25519.Verify(c.Key[:], CosignatureBytes(at, unixSeconds), timed[8:])
	return unixSeconds, ok
}

// VerifierKey is a parsed vkey of an Ed25519 cosigner, as witnesses publish it.
type VerifierKey struct {
	Name string
	ID   uint32
	key  LogKey
}

// ParseVerifierKey reads a vkey: name+id+base64(4 || key).
func ParseVerifierKey(text string) (*VerifierKey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || !validKeyName(parts[0]) {
		return nil, fmt.Errorf("%w: verifier key %.100q is not name+id+key", ErrForm, text)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != noteCosignature {
		return nil, fmt.Errorf("%w: verifier key %.100q is not of an Ed25519 cosigner", ErrForm, text)
	}
	k := &VerifierKey{Name: parts[0], key: LogKey(raw[1:])}
	if k.ID = k.key.id(k.Name, noteCosignature); fmt.Sprintf("%08x", k.ID) != parts[1] {
		return nil, fmt.Errorf("%w: verifier key %.100q: its id is %08x", ErrForm, text, k.ID)
	}
	return k, nil
}

// VerifyCosignature checks a cosignature's octets and answers its time.
func (k *VerifierKey) VerifyCosignature(c Checkpoint, timed []byte) (unixSeconds uint64, err error) {
	unixSeconds, ok := Cosigner{Key: k.key}.verifyCosignature(c, timed)
	if !ok {
		return 0, fmt.Errorf("%w: cosignature of %s", ErrSignature, k.Name)
	}
	return unixSeconds, nil
}
