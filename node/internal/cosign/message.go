package cosign

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Messages between peers; integers are big-endian.
//
//	question  1  size u64  have u64  more u8 (0 or 1)
//	answer    2  parts u8 (1 or 2), each: size u64  root[32]  count u16, each:
//	             key[32]  time u64  log[64]  note[64]  cose[64]
const (
	tagQuestion = 1
	tagAnswer   = 2

	questionBytes    = 1 + 8 + 8 + 1
	cosignatureBytes = 32 + 8 + 3*ed25519.SignatureSize
	partBytes        = 8 + 32 + 2
	maxParts         = 2

	// MaxMessage bounds a message.
	MaxMessage = 2 + maxParts*(partBytes+protocol.MaxValidators*cosignatureBytes)
)

var errForm = errors.New("cosign: message is damaged")

// question asks a peer what it has for a checkpoint.
type question struct {
	size uint64 // of the log
	have uint64 // size of the newest checkpoint with a quorum
	more bool   // what others signed too, and the newest quorum: asking each for its own did not suffice
}

func (q question) message() []byte {
	out := binary.BigEndian.AppendUint64([]byte{tagQuestion}, q.size)
	out = binary.BigEndian.AppendUint64(out, q.have)
	if q.more {
		return append(out, 1)
	}
	return append(out, 0)
}

func parseQuestion(b []byte) (q question, err error) {
	if len(b) != questionBytes || b[17] > 1 {
		return q, errForm
	}
	q = question{size: binary.BigEndian.Uint64(b[1:]), have: binary.BigEndian.Uint64(b[9:]), more: b[17] == 1}
	if q.size == 0 {
		return q, errForm
	}
	return q, nil
}

// cosignature is the word of a log key on a checkpoint: three signatures of it.
type cosignature struct {
	key  proof.LogKey
	time uint64 // Unix seconds
	log  [ed25519.SignatureSize]byte
	note [ed25519.SignatureSize]byte // C2SP tlog-cosignature
	cose [ed25519.SignatureSize]byte
}

func signCheckpoint(key ed25519.PrivateKey, c proof.Checkpoint, now uint64) cosignature {
	return cosignature{
		key: proof.LogKey(key.Public().(ed25519.PublicKey)), time: now,
		log:  [64]byte(ed25519.Sign(key, c.Text())),
		note: [64]byte(ed25519.Sign(key, proof.CosignatureBytes(c, now))),
		cose: [64]byte(ed25519.Sign(key, proof.CoseBytes(c))),
	}
}

// verify checks all three.
func (s *cosignature) verify(c proof.Checkpoint) error {
	if s.time > 1<<62 {
		return fmt.Errorf("cosign: log key %x signed the time %d", s.key, s.time)
	}
	for _, part := range [...]struct{ message, signature []byte }{
		{c.Text(), s.log[:]}, {proof.CosignatureBytes(c, s.time), s.note[:]}, {proof.CoseBytes(c), s.cose[:]},
	} {
		if !ed25519.Verify(s.key[:], part.message, part.signature) {
			return fmt.Errorf("cosign: a signature of the log key %x for %d entries does not verify", s.key, c.Size)
		}
	}
	return nil
}

// part is what an answer has on one checkpoint.
type part struct {
	size uint64
	root protocol.Hash
	by   []cosignature
}

func (p *part) append(out []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, p.size)
	out = append(out, p.root[:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(p.by)))
	for i := range p.by {
		s := &p.by[i]
		out = binary.BigEndian.AppendUint64(append(out, s.key[:]...), s.time)
		out = append(append(append(out, s.log[:]...), s.note[:]...), s.cose[:]...)
	}
	return out
}

func answerMessage(parts []part) []byte {
	size := 2
	for i := range parts {
		size += partBytes + len(parts[i].by)*cosignatureBytes
	}
	out := append(make([]byte, 0, size), tagAnswer, byte(len(parts)))
	for i := range parts {
		out = parts[i].append(out)
	}
	return out
}

// parseAnswer takes nothing but what answerMessage makes. What it allocates is
// bounded by what it is given.
func parseAnswer(b []byte) ([]part, error) {
	if len(b) < 2 || b[1] == 0 || b[1] > maxParts {
		return nil, errForm
	}
	parts := make([]part, b[1])
	b = b[2:]
	for i := range parts {
		if len(b) < partBytes {
			return nil, errForm
		}
		p := &parts[i]
		p.size, p.root = binary.BigEndian.Uint64(b), protocol.Hash(b[8:40])
		count := int(binary.BigEndian.Uint16(b[40:]))
		if b = b[partBytes:]; count == 0 || count > protocol.MaxValidators || len(b) < count*cosignatureBytes {
			return nil, errForm
		}
		p.by = make([]cosignature, count)
		for j := range p.by {
			p.by[j] = cosignature{
				key: proof.LogKey(b[:32]), time: binary.BigEndian.Uint64(b[32:]),
				log: [64]byte(b[40:]), note: [64]byte(b[104:]), cose: [64]byte(b[168:]),
			}
			b = b[cosignatureBytes:]
		}
	}
	if len(b) != 0 {
		return nil, errForm
	}
	return parts, nil
}
