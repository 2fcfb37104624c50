package protocol

import (
	"encoding/binary"
	"slices"
)

// Outcome is what the ledger decided about a transaction. Its bytes are part
// of the block's results, so every node agrees on them.
type Outcome struct {
	Code Code
	// First is the log index of the first entry the transaction appended, and
	// Entries how many: the events' entries follow one another in order.
	First   uint64
	Entries uint32
	// Absorbed counts the leading events that the stream already held.
	Absorbed uint32
	// Duplicates counts the appended entries that stand for events whose
	// (source, id) was already accepted.
	Duplicates uint32
	// Next is the stream's next sequence after the transaction; for
	// CodeSequenceGap, where the producer must go on. Zero for other kinds.
	Next uint64
	// GuestCode is the contract's own code where Code is CodeContractAborted.
	GuestCode uint32
}

// OutcomeBytes is the size of an encoded outcome.
const OutcomeBytes = 4 + 8 + 4 + 4 + 4 + 8 + 4

// AppendBinary appends the fixed big-endian layout.
func (o *Outcome) AppendBinary(dst []byte) []byte {
	dst = slices.Grow(dst, OutcomeBytes)
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.Code))
	dst = binary.BigEndian.AppendUint64(dst, o.First)
	dst = binary.BigEndian.AppendUint32(dst, o.Entries)
	dst = binary.BigEndian.AppendUint32(dst, o.Absorbed)
	dst = binary.BigEndian.AppendUint32(dst, o.Duplicates)
	dst = binary.BigEndian.AppendUint64(dst, o.Next)
	return binary.BigEndian.AppendUint32(dst, o.GuestCode)
}

// DecodeOutcome reads an encoded outcome.
func DecodeOutcome(b []byte) (Outcome, error) {
	if len(b) != OutcomeBytes {
		return Outcome{}, Refuse(CodeMalformed, "outcome: has %d bytes, must have %d", len(b), OutcomeBytes)
	}
	be := binary.BigEndian
	return Outcome{
		Code: Code(be.Uint32(b)), First: be.Uint64(b[4:]), Entries: be.Uint32(b[12:]), Absorbed: be.Uint32(b[16:]),
		Duplicates: be.Uint32(b[20:]), Next: be.Uint64(b[24:]), GuestCode: be.Uint32(b[32:]),
	}, nil
}
