package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// EntryKind says what a leaf of the log records.
type EntryKind uint8

// Kinds of entries. The numbers are part of the protocol.
const (
	// EntryEvent is an event a producer submitted.
	EntryEvent EntryKind = 1
	// EntryDuplicate stands in a stream where an event arrived whose
	// (source, id) the ledger had already accepted; Cause is the first one's
	// index. It keeps the stream gapless: nothing is missing, nothing counts twice.
	EntryDuplicate EntryKind = 2
	// EntryGap stands for sequences the producer declared as skipped; its
	// payload says how many.
	EntryGap EntryKind = 3
	// EntryEmitted is an event a contract emitted; Cause is the entry whose
	// delivery made it.
	EntryEmitted EntryKind = 4
	// EntryDeadLetter records that a delivery was given up; Cause is the
	// entry that was being delivered and Origin the contract.
	EntryDeadLetter EntryKind = 5
	// EntryContract records what a transaction did to a contract: a
	// deployment, an upgrade, a call or a control; Cause of a redelivery is the
	// entry that was delivered again.
	EntryContract EntryKind = 6
	// EntryTimer records that a timer of a contract's fired; Cause is the
	// entry whose delivery set it.
	EntryTimer EntryKind = 7
	// EntryToken records a movement of tokens, or a change of the bank's terms;
	// Cause is the entry whose delivery or call led to it.
	EntryToken EntryKind = 8
	// EntryAccount records what happened to an account: a key that changes, or
	// the steps by which several members act as one; Cause of a later step is the
	// entry that proposed the act, and of what the act did too.
	EntryAccount EntryKind = 9
	// EntryGovernance records a step of a proposal, or what befell a validator;
	// Cause of a later step is the entry that proposed it.
	EntryGovernance EntryKind = 10
	// EntryDispute records a claim about an entry, which is its Cause, or the
	// resolution of a claim, whose entry is its Cause.
	EntryDispute EntryKind = 11
	// EntryErase records that the payload of an entry, its Cause, was erased.
	EntryErase EntryKind = 12
	// EntryForeign is an event of another ledger, which is its Origin and, by
	// the name it has here, its Stream. Sequence is the index of the entry there
	// that is its cause; Cause is of this log, and there is none.
	EntryForeign EntryKind = 13
	// EntrySchema records a version of a schema that was registered, or another
	// rule for those that follow.
	EntrySchema EntryKind = 14
)

var entryKindNames = map[EntryKind]string{
	EntryEvent: "event", EntryDuplicate: "duplicate", EntryGap: "gap",
	EntryEmitted: "emitted", EntryDeadLetter: "dead-letter", EntryContract: "contract",
	EntryTimer: "timer", EntryToken: "token", EntryAccount: "account", EntryErase: "erase", EntryForeign: "foreign", EntrySchema: "schema",
	EntryGovernance: "governance", EntryDispute: "dispute",
}

// String is the kind's published name.
func (k EntryKind) String() string {
	if name, ok := entryKindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// MarshalText renders the published name.
func (k EntryKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a published name.
func (k *EntryKind) UnmarshalText(text []byte) error {
	for kind, name := range entryKindNames {
		if name == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("entry kind %q is not known", text)
}

// NoCause is the Cause of an entry that no other entry led to.
const NoCause = ^uint64(0)

// EntryBytes is the size of an encoded entry.
const EntryBytes = 1 + 1 + 8 + 8 + 20 + 16 + 8 + 8 + 16 + 32

// entryVersion is the first byte of an entry.
const entryVersion = 1

// Entry is one leaf of the log. It is small, of fixed layout, and holds no
// payload: only a commitment to it.
type Entry struct {
	Kind       EntryKind
	Height     uint64   // block that appended it
	TimeMs     uint64   // that block's time, Unix milliseconds
	Origin     Address  // producer, author, contract or other ledger
	Stream     StreamID // zero unless a producer's stream, or another ledger's name
	Sequence   uint64   // place in the stream; for a contract's entry, 0; index in another ledger's log
	Cause      uint64   // index of the entry that led to it, or NoCause
	Type       TypeHash // of the event's type; zero where there is none
	Commitment Hash     // to blind and payload
}

// AppendBinary appends the 118 bytes of docs/protocol.md.
func (e *Entry) AppendBinary(dst []byte) []byte {
	dst = append(dst, entryVersion, byte(e.Kind))
	dst = binary.BigEndian.AppendUint64(dst, e.Height)
	dst = binary.BigEndian.AppendUint64(dst, e.TimeMs)
	dst = append(dst, e.Origin[:]...)
	dst = append(dst, e.Stream[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.Sequence)
	dst = binary.BigEndian.AppendUint64(dst, e.Cause)
	dst = append(dst, e.Type[:]...)
	return append(dst, e.Commitment[:]...)
}

// DecodeEntry reads an encoded entry; every other length, version or kind is refused.
func DecodeEntry(b []byte) (Entry, error) {
	var e Entry
	if len(b) != EntryBytes {
		return e, Refuse(CodeMalformed, "entry: has %d bytes, must have %d", len(b), EntryBytes)
	}
	r := reader{buf: b}
	if v := r.u8("version"); v != entryVersion {
		return e, Refuse(CodeMalformed, "entry: version %d is not known", v)
	}
	e.Kind = EntryKind(r.u8("kind"))
	if _, ok := entryKindNames[e.Kind]; !ok {
		return e, Refuse(CodeMalformed, "entry: kind %d is not known", e.Kind)
	}
	e.Height = r.u64("height")
	e.TimeMs = r.u64("time")
	copy(e.Origin[:], r.take(20, "origin"))
	copy(e.Stream[:], r.take(16, "stream"))
	e.Sequence = r.u64("sequence")
	e.Cause = r.u64("cause")
	copy(e.Type[:], r.take(16, "type"))
	copy(e.Commitment[:], r.take(32, "commitment"))
	return e, r.end()
}

// LeafHash is the RFC 6962 leaf hash of an encoded entry: SHA-256(0x00 || entry).
func LeafHash(entry []byte) Hash {
	var buf [1 + EntryBytes]byte
	return sha256.Sum256(append(buf[:1], entry...))
}
