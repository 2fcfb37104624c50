package protocol

import (
	"encoding/binary"
	"fmt"
)

// MaxEraseEntries bounds the entries one transaction erases.
const MaxEraseEntries = 1_000

// EraseReason says why a payload was erased. The ledger checks that a reason
// is given, not that it is true.
type EraseReason uint8

// Reasons. The numbers are part of the protocol.
const (
	ReasonRequest   EraseReason = 1 // the person the data are about asked for it
	ReasonConsent   EraseReason = 2 // consent was withdrawn
	ReasonRetention EraseReason = 3 // the data were kept as long as they may be
	ReasonUnlawful  EraseReason = 4 // the data should not have been collected
	ReasonMistake   EraseReason = 5 // the event was sent by mistake
	ReasonOrder     EraseReason = 6 // a court or an authority ordered it
)

var reasonNames = [...]string{
	ReasonRequest: "request", ReasonConsent: "consent", ReasonRetention: "retention",
	ReasonUnlawful: "unlawful", ReasonMistake: "mistake", ReasonOrder: "order",
}

// EraseReasons lists the published names.
func EraseReasons() []string { return reasonNames[1:] }

func (r EraseReason) known() bool { return r > 0 && int(r) < len(reasonNames) }

// String is the reason's published name.
func (r EraseReason) String() string {
	if r.known() {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// MarshalText renders the published name.
func (r EraseReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a published name.
func (r *EraseReason) UnmarshalText(text []byte) error {
	for i, name := range reasonNames {
		if i > 0 && name == string(text) {
			*r = EraseReason(i)
			return nil
		}
	}
	return fmt.Errorf("reason %q is not known", text)
}

// Erase removes payload and blind of entries from every node. What stays is
// the entry, which commits to them, and an entry that says they were erased.
type Erase struct {
	Reason EraseReason
	Stream string // of the sender's; empty: First is an index of the log
	First  uint64 // sequence or index of the first entry
	Count  uint64 // sequences or entries in a row
}

// Kind is TxErase.
func (*Erase) Kind() TxKind { return TxErase }

func (e *Erase) check() error {
	switch {
	case !e.Reason.known():
		return Refuse(CodeMalformed, "erase: reason %d is not known", e.Reason)
	case e.Count == 0 || e.Count > MaxEraseEntries:
		return Refuse(CodeMalformed, "erase: %d entries, must be 1 to %d", e.Count, MaxEraseEntries)
	case e.First > MaxSequence:
		return Refuse(CodeMalformed, "erase: first is over the limit")
	case e.Stream != "":
		return CheckStreamName(e.Stream)
	}
	return nil
}

func (e *Erase) appendBody(dst []byte) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	dst = appendBytes(append(dst, byte(e.Reason)), e.Stream)
	dst = binary.BigEndian.AppendUint64(dst, e.First)
	return binary.AppendUvarint(dst, e.Count), nil
}

func decodeErase(r *reader) (*Erase, error) {
	e := &Erase{Reason: EraseReason(r.u8("reason")), Stream: r.string(MaxStreamName, "stream")}
	e.First, e.Count = r.u64("first"), r.uvarint(MaxEraseEntries, "count")
	if err := r.malformed("erase"); err != nil {
		return nil, err
	}
	return e, e.check()
}

// EraseAct is the payload of an EntryErase: whose payload was erased, and why.
// The entry's cause is the erased one.
type EraseAct struct {
	Reason EraseReason `json:"reason"`
	Index  uint64      `json:"index"` // of the erased entry
	TxID   Hash        `json:"txId"`  // the transaction that asked
}

// AppendBinary appends the act's canonical bytes.
func (a *EraseAct) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(EntryErase), byte(a.Reason))
	dst = binary.BigEndian.AppendUint64(dst, a.Index)
	return append(dst, a.TxID[:]...)
}

func decodeEraseAct(r *reader) (*EraseAct, error) {
	a := &EraseAct{Reason: EraseReason(r.u8("reason")), Index: r.u64("index")}
	copy(a.TxID[:], r.take(32, "transaction id"))
	if !a.Reason.known() {
		r.fail("reason %d is not known", a.Reason)
	}
	return a, r.malformed("erase act")
}
