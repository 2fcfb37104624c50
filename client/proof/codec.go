package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Binary form of a receipt. Numbers are minimal LEB128 unless said otherwise.
//
//	"cairn/rc" | version 1 | form 1 byte | chain id
//	entry forms: index | log size | entry without its commitment | blind | payload
//	             (or, withheld: the commitment) | path | params leaf | state leaf
//	state form:  state proof | node over log and params
//	header:      time (8 bytes) | version | blocks | next | results | tail
//	commit:      height | round | parts total | parts hash | set of validators |
//	             for each: time relative to the header's (zigzag) | signature
//	digest:      the first 8 bytes of SHA-256 of all the bytes before
const (
	receiptMagic   = "cairn/rc"
	receiptVersion = 1

	formEntry    = 1
	formWithheld = 2
	formState    = 3

	digestBytes = 8
)

// MaxReceiptBytes bounds an encoded receipt of either form: the largest value
// of the state and 10,000 signatures, as JSON.
const MaxReceiptBytes = 8 << 20

// Digest tells a damaged receipt from a forged one. It proves nothing: whoever
// changes a receipt can compute it anew.
type Digest [digestBytes]byte

func digestOf(body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest(sum[:digestBytes])
}

// MarshalBinary is the receipt's binary form. It fails for a Receipt that no encoding
// stands for; it does not verify.
func (r *Receipt) MarshalBinary() ([]byte, error) {
	body, err := r.appendBody(make([]byte, 0, 2048))
	if err != nil {
		return nil, err
	}
	digest := digestOf(body)
	return append(body, digest[:]...), nil
}

// Decode reads the binary form. The answer shares no memory with b, and
// encodes to exactly b again. It does not verify.
func Decode(b []byte) (*Receipt, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	if len(b) < len(receiptMagic)+digestBytes || string(b[:len(receiptMagic)]) != receiptMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrForm, receiptMagic)
	}
	body := b[:len(b)-digestBytes]
	if digest := digestOf(body); digest != Digest(b[len(body):]) {
		return nil, ErrDigest
	}
	c := cursor{buf: body, off: len(receiptMagic)}
	r := c.receipt()
	if err := c.end(); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// UnmarshalBinary is Decode.
func (r *Receipt) UnmarshalBinary(b []byte) error {
	decoded, err := Decode(b)
	if err == nil {
		*r = *decoded
	}
	return err
}

func (r *Receipt) appendBody(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	dst = append(append(dst, receiptMagic...), receiptVersion)
	switch {
	case r.State != nil:
		var err error
		dst = appendBytes(append(dst, formState), r.ChainID)
		if dst, err = r.State.AppendBinary(dst); err != nil {
			return nil, err
		}
		dst = append(dst, r.State.LogParams[:]...)
	case r.Entry.Withheld:
		dst = r.Entry.appendBinary(appendBytes(append(dst, formWithheld), r.ChainID))
	default:
		dst = r.Entry.appendBinary(appendBytes(append(dst, formEntry), r.ChainID))
	}
	dst = r.Header.appendBinary(dst)
	return r.Commit.appendBinary(dst, r.Header.TimeNs), nil
}

func (c *cursor) receipt() *Receipt {
	if v := c.u8("version"); v != receiptVersion {
		c.fail("version %d is not known", v)
	}
	form := c.u8("form")
	r := &Receipt{ChainID: string(c.bytes(protocol.MaxChainID, "chain id"))}
	switch form {
	case formEntry, formWithheld:
		r.Entry = c.entryProof(form == formWithheld)
	case formState:
		r.State = &StateProof{State: c.state(), LogParams: c.hash("node of log and params")}
	default:
		c.fail("form %d is not known", form)
	}
	r.Header = c.header()
	r.Commit = c.commit(r.Header.TimeNs)
	return r
}

func (p *EntryProof) appendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, p.Index)
	dst = p.appendFact(binary.AppendUvarint(dst, p.LogSize))
	dst = binary.AppendUvarint(dst, uint64(len(p.Path)))
	dst = appendHashes(dst, p.Path)
	dst = append(dst, p.Params[:]...)
	return append(dst, p.State[:]...)
}

// appendFact appends the entry and what it commits to.
func (p *EntryProof) appendFact(dst []byte) []byte {
	e := &p.Entry
	dst = append(dst, byte(e.Kind))
	dst = binary.AppendUvarint(dst, e.Height)
	dst = binary.AppendUvarint(dst, e.TimeMs)
	dst = append(dst, e.Origin[:]...)
	dst = append(dst, e.Stream[:]...)
	dst = binary.AppendUvarint(dst, e.Sequence)
	dst = binary.AppendUvarint(dst, e.Cause+1) // NoCause becomes 0
	dst = append(dst, e.Type[:]...)
	if p.Withheld {
		dst = append(dst, e.Commitment[:]...)
	} else {
		dst = append(dst, p.Blind[:]...)
		dst = appendBytes(dst, p.Payload)
	}
	return dst
}

func (c *cursor) entryProof(withheld bool) *EntryProof {
	p := &EntryProof{
		Index:    c.uvarint(MaxInteger, "index"),
		LogSize:  c.uvarint(MaxInteger, "log size"),
		Withheld: withheld,
	}
	c.fact(p)
	p.Path = c.hashes(c.uvarint(MaxPath, "length of the path"), "path")
	p.Params = c.hash("leaf of params")
	p.State = c.hash("leaf of state")
	return p
}

// fact reads the entry and what it commits to, or only that it does.
func (c *cursor) fact(p *EntryProof) {
	e := &p.Entry
	e.Kind = protocol.EntryKind(c.u8("entry kind"))
	e.Height = c.uvarint(MaxInteger, "entry height")
	e.TimeMs = c.uvarint(MaxInteger, "entry time")
	copy(e.Origin[:], c.take(uint64(len(e.Origin)), "entry origin"))
	copy(e.Stream[:], c.take(uint64(len(e.Stream)), "entry stream"))
	e.Sequence = c.uvarint(MaxInteger, "entry sequence")
	e.Cause = c.uvarint(MaxInteger, "entry cause") - 1
	copy(e.Type[:], c.take(uint64(len(e.Type)), "entry type"))
	if p.Withheld {
		e.Commitment = c.hash("commitment")
	} else {
		copy(p.Blind[:], c.take(uint64(len(p.Blind)), "blind"))
		p.Payload = c.bytes(protocol.MaxRecordBytes, "payload")
		e.Commitment = protocol.Commitment(p.Blind, p.Payload)
	}
}

func (h *Header) appendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.TimeNs))
	return appendHashes(dst, []protocol.Hash{h.Version, h.Blocks, h.Next, h.Results, h.Tail})
}

func (c *cursor) header() Header {
	var h Header
	if b := c.take(8, "header time"); b != nil {
		h.TimeNs = int64(binary.BigEndian.Uint64(b))
	}
	for _, part := range []*protocol.Hash{&h.Version, &h.Blocks, &h.Next, &h.Results, &h.Tail} {
		*part = c.hash("header")
	}
	return h
}

// appendBinary writes the validators that signed as a set of bits, validator 0
// the most significant bit of the first byte, without trailing zero bytes.
func (c *Commit) appendBinary(dst []byte, baseNs int64) []byte {
	dst = binary.AppendUvarint(dst, c.Height)
	dst = binary.AppendUvarint(dst, uint64(c.Round))
	dst = binary.AppendUvarint(dst, uint64(c.Parts.Total))
	dst = append(dst, c.Parts.Hash[:]...)
	var set []byte
	if n := len(c.Signatures); n > 0 {
		set = make([]byte, c.Signatures[n-1].Validator/8+1)
	}
	for _, s := range c.Signatures {
		set[s.Validator/8] |= 0x80 >> (s.Validator % 8)
	}
	dst = appendBytes(dst, set)
	for i := range c.Signatures {
		// The difference may wrap; adding it wraps back.
		dst = binary.AppendVarint(dst, c.Signatures[i].TimeNs-baseNs)
		dst = append(dst, c.Signatures[i].Bytes[:]...)
	}
	return dst
}

func (c *cursor) commit(baseNs int64) Commit {
	m := Commit{
		Height: c.uvarint(MaxInteger, "commit height"),
		Round:  uint32(c.uvarint(math.MaxInt32, "commit round")),
		Parts:  PartSet{Total: uint32(c.uvarint(math.MaxUint32, "parts")), Hash: c.hash("parts hash")},
	}
	set := c.take(c.uvarint(MaxValidators/8, "length of the set of validators"), "set of validators")
	if len(set) > 0 && set[len(set)-1] == 0 {
		c.fail("the set of validators ends with a zero byte")
	}
	for validator := range 8 * len(set) {
		if set[validator/8]&(0x80>>(validator%8)) == 0 {
			continue
		}
		delta := c.uvarint(math.MaxUint64, "signature time")
		s := Signature{Validator: uint32(validator), TimeNs: baseNs + (int64(delta>>1) ^ -int64(delta&1))}
		copy(s.Bytes[:], c.take(uint64(len(s.Bytes)), "signature"))
		if c.err != nil {
			break
		}
		m.Signatures = append(m.Signatures, s)
	}
	return m
}
