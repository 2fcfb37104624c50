package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// ErrIncomplete: sequences of a stream that the proof does not account for.
var ErrIncomplete = errors.New("the stream is not proven to be complete")

// StreamProof proves what became of every sequence of a producer's stream in a
// range: batch receipts of the stream's entries, one for each sequence or
// declared gap, and a state receipt of how far the stream has come.
type StreamProof struct {
	Producer protocol.Address
	Name     string
	From, To uint64 // sequences From to To-1
	Batches  []BatchReceipt
	Next     *Receipt // of the stream's next sequence in the state
}

// StreamStatement is what a StreamProof proved: that of the sequences From to
// To-1 none is missing.
type StreamStatement struct {
	ChainID    string             `json:"chainId"`
	Producer   protocol.Address   `json:"producer"`
	Name       string             `json:"name"`
	From       uint64             `json:"from"`
	To         uint64             `json:"to"`
	Events     uint64             `json:"events"`
	Duplicates []DuplicateOfFirst `json:"duplicates"`
	Gaps       []DeclaredGap      `json:"gaps"`
	Next       uint64             `json:"next"`   // sequence the stream expected
	Height     uint64             `json:"height"` // after this block
	Time       time.Time          `json:"time"`   // of the block that signs that
	Entries    []EntryStatement   `json:"-"`      // in order
}

// DuplicateOfFirst is a sequence whose event had come before.
type DuplicateOfFirst struct {
	Sequence uint64 `json:"sequence"`
	First    uint64 `json:"first"` // index of the entry of its first arrival
}

// DeclaredGap is a run of sequences that the producer said it will never send.
type DeclaredGap struct {
	From  uint64 `json:"from"`
	Count uint64 `json:"count"`
}

// String says in words what was proven.
func (s StreamStatement) String() string {
	skipped := uint64(0)
	for _, g := range s.Gaps {
		skipped += g.Count
	}
	end := "and it went on after them"
	if s.To == s.Next {
		end = "and these were all it had"
	}
	return fmt.Sprintf("On chain %s, stream %q of %s: of the sequences %d to %d none is missing. They are %d events, %d repeats of events met before, and %d sequences that the producer declared skipped in %d gaps. After block %d of %s the stream's next sequence was %d, %s.",
		s.ChainID, s.Name, s.Producer, s.From, int64(s.To)-1, s.Events, len(s.Duplicates), skipped, len(s.Gaps), s.Height, stamp(s.Time), s.Next, end)
}

// StreamKey is the state key of a stream's next sequence, which is 8 bytes
// big-endian: "s" || producer || name.
func StreamKey(producer protocol.Address, name string) []byte {
	return append(append([]byte{'s'}, producer[:]...), name...)
}

// Verify checks every receipt, and that the entries follow one another from
// From to To without a hole.
func (p *StreamProof) Verify(t *Trust) (StreamStatement, error) {
	s := StreamStatement{Producer: p.Producer, Name: p.Name, From: p.From, To: p.To,
		Duplicates: []DuplicateOfFirst{}, Gaps: []DeclaredGap{}}
	if err := p.check(); err != nil {
		return s, err
	}
	if err := p.verifyNext(t, &s); err != nil {
		return s, err
	}
	stream := protocol.NewStreamID(p.Producer, p.Name)
	at := p.From
	for i := range p.Batches {
		batch, err := p.Batches[i].VerifyWith(t)
		if err != nil {
			return s, fmt.Errorf("batch %d: %w", i, err)
		}
		for _, e := range batch.Entries {
			if e.Origin != p.Producer || e.Stream == nil || *e.Stream != stream {
				return s, fmt.Errorf("%w: entry %d is of another stream", ErrIncomplete, e.Index)
			}
			if at >= p.To {
				return s, fmt.Errorf("%w: entry %d lies behind the range", ErrForm, e.Index)
			}
			if at, err = s.account(&e, at); err != nil {
				return s, err
			}
		}
	}
	if at < p.To {
		return s, fmt.Errorf("%w: sequence %d has no entry", ErrIncomplete, at)
	}
	return s, nil
}

// verifyNext checks how far the stream has come.
func (p *StreamProof) verifyNext(t *Trust, s *StreamStatement) error {
	next, err := p.Next.VerifyWith(t)
	if err != nil {
		return fmt.Errorf("the stream's next sequence: %w", err)
	}
	switch state := next.State; {
	case state == nil || !bytes.Equal(state.Key, StreamKey(p.Producer, p.Name)):
		return fmt.Errorf("%w: the state receipt is of something else", ErrIncomplete)
	case state.Exists && len(state.Value) != 8:
		return fmt.Errorf("%w: the stream's next sequence has %d bytes", ErrForm, len(state.Value))
	case state.Exists:
		s.Next = binary.BigEndian.Uint64(state.Value)
		fallthrough
	default:
		s.ChainID, s.Height, s.Time = next.ChainID, state.Height, next.Time
	}
	if p.To > s.Next {
		return fmt.Errorf("%w: the stream's next sequence is %d, the range ends before %d", ErrIncomplete, s.Next, p.To)
	}
	return nil
}

// account adds an entry that must hold sequence at, and answers the sequence
// after it. A gap may have begun before the range, or end after it.
func (s *StreamStatement) account(e *EntryStatement, at uint64) (uint64, error) {
	count := uint64(1)
	if e.Kind == protocol.EntryGap {
		if e.Withheld {
			return 0, fmt.Errorf("%w: the gap of entry %d is not opened", ErrIncomplete, e.Index)
		}
		count = e.Skipped
	}
	end := e.Sequence + count
	if end < e.Sequence || e.Sequence > at || end <= at || (e.Sequence < at && at != s.From) {
		return 0, fmt.Errorf("%w: sequence %d must follow, entry %d holds %d to %d", ErrIncomplete, at, e.Index, e.Sequence, int64(end)-1)
	}
	switch e.Kind {
	case protocol.EntryEvent:
		s.Events++
	case protocol.EntryDuplicate:
		if e.Cause == nil {
			return 0, fmt.Errorf("%w: the duplicate of entry %d has no first", ErrForm, e.Index)
		}
		s.Duplicates = append(s.Duplicates, DuplicateOfFirst{e.Sequence, *e.Cause})
	case protocol.EntryGap:
		from, to := max(e.Sequence, s.From), min(end, s.To)
		s.Gaps = append(s.Gaps, DeclaredGap{from, to - from})
	default:
		return 0, fmt.Errorf("%w: entry %d is of kind %s", ErrForm, e.Index, e.Kind)
	}
	s.Entries = append(s.Entries, *e)
	return end, nil
}

// MaxStreamProofBytes bounds an encoded stream proof.
const MaxStreamProofBytes = 64 << 20

const (
	streamMagic   = "cairn/sp"
	streamVersion = 1
	maxBatches    = 100_000
)

func (p *StreamProof) check() error {
	if err := protocol.CheckStreamName(p.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	switch {
	case p.From > p.To || p.To > MaxInteger:
		return fmt.Errorf("%w: the range is %d to %d", ErrForm, p.From, p.To)
	case len(p.Batches) > maxBatches:
		return fmt.Errorf("%w: %d batches, over the limit %d", ErrForm, len(p.Batches), maxBatches)
	case p.Next == nil || p.Next.State == nil:
		return fmt.Errorf("%w: it has no receipt of the stream's next sequence", ErrForm)
	}
	return nil
}

// MarshalBinary is "cairn/sp" | version 1 | producer | name | from | to | the
// number of batch receipts | each, with its length | the state receipt, with
// its length | digest.
func (p *StreamProof) MarshalBinary() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	out := append(append(append([]byte(nil), streamMagic...), streamVersion), p.Producer[:]...)
	out = binary.AppendUvarint(binary.AppendUvarint(appendBytes(out, p.Name), p.From), p.To)
	out = binary.AppendUvarint(out, uint64(len(p.Batches)))
	for i := range p.Batches {
		b, err := p.Batches[i].MarshalBinary()
		if err != nil {
			return nil, err
		}
		out = appendBytes(out, b)
	}
	next, err := p.Next.MarshalBinary()
	if err != nil {
		return nil, err
	}
	out = appendBytes(out, next)
	if len(out)+digestBytes > MaxStreamProofBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d; prove a shorter range", ErrForm, len(out), MaxStreamProofBytes)
	}
	digest := digestOf(out)
	return append(out, digest[:]...), nil
}

// ParseStreamProof reads the binary form; the answer encodes to exactly b
// again. It does not verify.
func ParseStreamProof(b []byte) (*StreamProof, error) {
	if len(b) > MaxStreamProofBytes || len(b) < len(streamMagic)+digestBytes || string(b[:len(streamMagic)]) != streamMagic {
		return nil, fmt.Errorf("%w: %d bytes that do not begin with %q, or too many", ErrForm, len(b), streamMagic)
	}
	body := b[:len(b)-digestBytes]
	if digest := digestOf(body); digest != Digest(b[len(body):]) {
		return nil, ErrDigest
	}
	c := cursor{buf: body, off: len(streamMagic)}
	if v := c.u8("version"); v != streamVersion {
		c.fail("version %d is not known", v)
	}
	p := &StreamProof{}
	copy(p.Producer[:], c.take(uint64(len(p.Producer)), "producer"))
	p.Name = string(c.bytes(protocol.MaxRecordBytes, "stream name"))
	p.From, p.To = c.uvarint(MaxInteger, "from"), c.uvarint(MaxInteger, "to")
	for range c.uvarint(maxBatches, "number of batches") {
		part := c.take(c.uvarint(MaxReceiptBytes, "length of a batch"), "batch")
		if c.err != nil {
			return nil, c.err
		}
		if len(part) == 0 || part[0] == '{' {
			return nil, fmt.Errorf("%w: a batch is not in its binary form", ErrForm)
		}
		batch, err := ParseBatch(part)
		if err != nil {
			return nil, err
		}
		p.Batches = append(p.Batches, *batch)
	}
	next := c.take(c.uvarint(MaxReceiptBytes, "length of the state receipt"), "state receipt")
	if err := c.end(); err != nil {
		return nil, err
	}
	var err error
	if p.Next, err = Decode(next); err != nil {
		return nil, err
	}
	return p, p.check()
}
