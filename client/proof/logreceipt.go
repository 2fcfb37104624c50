package proof

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// LogReceipt proves that the log has an entry, against a checkpoint that the
// validators signed with their log keys: for readers who know transparency
// logs and nothing of this ledger. Its two forms are C2SP tlog-proof and COSE
// Receipt (RFC 9942).
type LogReceipt struct {
	Entry      EntryProof // without the map's leaves
	Checkpoint SignedCheckpoint
}

// LogStatement is what a LogReceipt proved.
type LogStatement struct {
	ChainID  string          `json:"chainId"`
	Cosigned Cosigned        `json:"cosigned"`
	Entry    *EntryStatement `json:"entry"`
}

// String says in words what was proven.
func (s LogStatement) String() string {
	return fmt.Sprintf("On chain %s, %s. The checkpoint of %d entries, which commits to this, is signed by the log keys of %d validators with %d of %d of the voting power.",
		s.ChainID, s.Entry, s.Entry.LogSize, len(s.Cosigned.Names), s.Cosigned.Power, s.Cosigned.TotalPower)
}

// Verify checks the entry, its path and the checkpoint's signatures. A receipt
// carries the lines that are needed and no others, in one order: a checkpoint
// may hold more, and Trim leaves them out.
func (r *LogReceipt) Verify(by Cosigners) (LogStatement, error) {
	if err := r.Entry.check(); err != nil {
		return LogStatement{}, err
	}
	entry, err := r.Entry.inLog()
	if err != nil {
		return LogStatement{}, err
	}
	if r.Entry.LogSize != r.Checkpoint.Size || entry.LogRoot != r.Checkpoint.Root {
		return LogStatement{}, fmt.Errorf("%w: the path leads to root %s of %d entries, the checkpoint has %s of %d",
			ErrInclusion, entry.LogRoot, r.Entry.LogSize, r.Checkpoint.Root, r.Checkpoint.Size)
	}
	cosigned, err := by.Verify(&r.Checkpoint)
	if err != nil {
		return LogStatement{}, err
	}
	if !bytes.Equal(by.Trim(&r.Checkpoint).Marshal(), r.Checkpoint.Marshal()) {
		return LogStatement{}, fmt.Errorf("%w: it has signature lines that are not needed, or in another order", ErrCanonical)
	}
	return LogStatement{ChainID: r.Checkpoint.Origin, Cosigned: cosigned, Entry: entry}, nil
}

// opening is an entry and what it commits to, for forms that carry it beside
// the proof: u8 form (1, or 2 where the payload is withheld), the entry, and
// with form 1 the blind and the payload.
func (p *EntryProof) opening() []byte {
	out := append(make([]byte, 0, 1+protocol.EntryBytes+32+len(p.Payload)), formEntry)
	if p.Withheld {
		out[0] = formWithheld
	}
	out = p.Entry.AppendBinary(out)
	if !p.Withheld {
		out = append(append(out, p.Blind[:]...), p.Payload...)
	}
	return out
}

func (p *EntryProof) setOpening(b []byte) (err error) {
	c := cursor{buf: b}
	form := c.u8("form")
	if form != formEntry && form != formWithheld {
		c.fail("form %d is not known", form)
	}
	entry := c.take(protocol.EntryBytes, "entry")
	if p.Withheld = form == formWithheld; !p.Withheld {
		copy(p.Blind[:], c.take(uint64(len(p.Blind)), "blind"))
		p.Payload = slices.Clone(c.take(uint64(len(c.buf)-c.off), "payload"))
	}
	if err := c.end(); err != nil {
		return err
	}
	if p.Entry, err = protocol.DecodeEntry(entry); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return p.check()
}

// tlogProofHeader is the first line of C2SP tlog-proof.
const tlogProofHeader = "c2sp.org/tlog-proof@v1\n"

// MarshalTlogProof is the receipt as a C2SP tlog-proof. Its extra data are the
// entry with blind and payload.
func (r *LogReceipt) MarshalTlogProof() ([]byte, error) {
	if err := r.Entry.check(); err != nil {
		return nil, err
	}
	out := append([]byte(tlogProofHeader), "extra "...)
	out = append(base64.StdEncoding.AppendEncode(out, r.Entry.opening()), "\nindex "...)
	out = append(strconv.AppendUint(out, r.Entry.Index, 10), '\n')
	for _, h := range r.Entry.Path {
		out = append(base64.StdEncoding.AppendEncode(out, h[:]), '\n')
	}
	return append(append(out, '\n'), r.Checkpoint.Marshal()...), nil
}

// IsTlogProof says whether a file claims to be a tlog-proof.
func IsTlogProof(b []byte) bool { return bytes.HasPrefix(b, []byte(tlogProofHeader)) }

// ParseTlogProof reads a tlog-proof of this ledger. It verifies nothing.
func ParseTlogProof(b []byte) (*LogReceipt, error) {
	if len(b) > MaxReceiptBytes || !IsTlogProof(b) {
		return nil, fmt.Errorf("%w: not a tlog-proof", ErrForm)
	}
	head, note, ok := bytes.Cut(b[len(tlogProofHeader):], []byte("\n\n"))
	lines := bytes.Split(head, []byte("\n"))
	if !ok || len(lines) < 2 || len(lines) > 2+MaxPath || !bytes.HasPrefix(lines[0], []byte("extra ")) || !bytes.HasPrefix(lines[1], []byte("index ")) {
		return nil, fmt.Errorf("%w: a tlog-proof has an extra line, an index line and at most %d hashes", ErrForm, MaxPath)
	}
	checkpoint, err := ParseCheckpoint(note)
	if err != nil {
		return nil, err
	}
	r := &LogReceipt{Checkpoint: *checkpoint}
	r.Entry.LogSize = checkpoint.Size
	if r.Entry.Index, err = strconv.ParseUint(string(lines[1][len("index "):]), 10, 64); err != nil {
		return nil, fmt.Errorf("%w: index %.40q", ErrForm, lines[1])
	}
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(raw) != 32 {
			return nil, fmt.Errorf("%w: hash %.60q", ErrForm, line)
		}
		r.Entry.Path = append(r.Entry.Path, protocol.Hash(raw))
	}
	opening, err := base64.StdEncoding.DecodeString(string(lines[0][len("extra "):]))
	if err != nil {
		return nil, fmt.Errorf("%w: extra data: %w", ErrForm, err)
	}
	if err := r.Entry.setOpening(opening); err != nil {
		return nil, err
	}
	if again, err := r.MarshalTlogProof(); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: tlog-proof", ErrCanonical)
	}
	return r, nil
}
