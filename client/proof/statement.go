package proof

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Statement is what a receipt proved. Everything in it is covered by the
// signatures; it exists only once they held.
type Statement struct {
	ChainID   string          `json:"chainId"`
	Height    uint64          `json:"height"` // of the block that was signed
	Time      time.Time       `json:"time"`   // that block's, from its header
	BlockHash protocol.Hash   `json:"blockHash"`
	AppHash   protocol.Hash   `json:"appHash"` // of log, parameters and state before that block
	Signed    Signed          `json:"signed"`
	Entry     *EntryStatement `json:"entry,omitempty"` // exactly one of Entry
	State     *StateStatement `json:"state,omitempty"` // and State is set
}

// EntryStatement says that the log has an entry, and what it means.
type EntryStatement struct {
	Index   uint64             `json:"index"`
	LogSize uint64             `json:"logSize"`
	LogRoot protocol.Hash      `json:"logRoot"`
	Kind    protocol.EntryKind `json:"kind"`
	Height  uint64             `json:"height"` // of the block that appended it
	Time    time.Time          `json:"time"`   // that block's, to the millisecond
	Origin  protocol.Address   `json:"origin"` // producer, author or contract
	// Stream and Sequence are the place in a producer's stream; Stream is nil
	// for an entry that is in none.
	Stream   *protocol.StreamID `json:"stream,omitempty"`
	Sequence uint64             `json:"sequence"`
	// Cause is the index of the entry that led to this one; for a duplicate,
	// of the event's first arrival. Nil where there is none.
	Cause      *uint64           `json:"cause,omitempty"`
	Type       protocol.TypeHash `json:"type"`
	Commitment protocol.Hash     `json:"commitment"`
	// Withheld: the receipt shows no payload, so the fields below are empty.
	Withheld   bool                 `json:"withheld,omitempty"`
	Payload    []byte               `json:"payload,omitempty"`
	Event      *protocol.Event      `json:"event,omitempty"`      // event, duplicate, emitted, foreign
	Skipped    uint64               `json:"skipped,omitempty"`    // gap: sequences never to be sent
	DeadLetter *DeadLetterStatement `json:"deadLetter,omitempty"` // dead-letter
	Contract   *ContractStatement   `json:"contract,omitempty"`   // contract
	Act        any                  `json:"act,omitempty"`        // of any other kind, as protocol.DecodeAct answers it
}

// DeadLetterStatement says why a delivery was given up.
type DeadLetterStatement struct {
	Code      protocol.Code `json:"code"`
	Name      string        `json:"name"`
	GuestCode uint32        `json:"guestCode"` // the contract's own
}

// ContractStatement says what a transaction did to a contract.
type ContractStatement struct {
	Kind         protocol.TxKind  `json:"kind"` // deploy, upgrade, call or control
	Contract     protocol.Address `json:"contract"`
	Name         string           `json:"name"` // of the contract, the method or the action
	CodeHash     protocol.Hash    `json:"codeHash"`
	ManifestHash protocol.Hash    `json:"manifestHash"`
	Args         []byte           `json:"args"` // JSON text, as signed
	TxID         protocol.Hash    `json:"txId"`
}

// StateStatement says what a key has in the state, or that it has nothing.
type StateStatement struct {
	Height uint64        `json:"height"` // of the block after which the state was so
	Key    []byte        `json:"key"`
	Exists bool          `json:"exists"`
	Value  []byte        `json:"value,omitempty"`
	Root   protocol.Hash `json:"root"`
}

// describe reads the payload as the entry's kind says, and checks that entry
// and payload agree.
func (p *EntryProof) describe() (*EntryStatement, error) {
	e := &p.Entry
	s := &EntryStatement{Index: p.Index, LogSize: p.LogSize, Kind: e.Kind, Height: e.Height,
		Time: time.UnixMilli(int64(e.TimeMs)).UTC(), Origin: e.Origin, Sequence: e.Sequence, Type: e.Type,
		Commitment: e.Commitment, Withheld: p.Withheld, Payload: p.Payload}
	if stream := e.Stream; stream != (protocol.StreamID{}) {
		s.Stream = &stream
	}
	if cause := e.Cause; cause != protocol.NoCause {
		s.Cause = &cause
	}
	switch {
	case p.Withheld:
		return s, nil
	case e.Kind == protocol.EntryEvent, e.Kind == protocol.EntryDuplicate, e.Kind == protocol.EntryEmitted:
		event, err := protocol.DecodeRecord(p.Payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEvent, err)
		}
		if protocol.NewTypeHash(event.Type) != e.Type {
			return nil, fmt.Errorf("%w: the event's type is %q", ErrType, event.Type)
		}
		s.Event = &event
		return s, nil
	default:
		return s, s.describeAct()
	}
}

func (s *EntryStatement) describeAct() error {
	act, err := protocol.DecodeAct(s.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAct, err)
	}
	kind := protocol.EntryKind(s.Payload[0])
	if kind != s.Kind {
		return fmt.Errorf("%w: the entry is of kind %s, its payload of kind %s", ErrAct, s.Kind, kind)
	}
	switch act := act.(type) {
	case *protocol.GapAct:
		s.Skipped = act.Count
	case *protocol.DeadLetterAct:
		s.DeadLetter = &DeadLetterStatement{Code: act.Code, Name: act.Code.Name(), GuestCode: act.GuestCode}
	case *protocol.ContractAct:
		s.Contract = &ContractStatement{Kind: act.Kind, Contract: act.Contract, Name: act.Name,
			CodeHash: act.CodeHash, ManifestHash: act.ManifestHash, Args: act.Args, TxID: act.TxID}
	case *protocol.ForeignAct:
		event, err := act.Event()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrEvent, err)
		}
		if protocol.NewTypeHash(event.Type) != s.Type {
			return fmt.Errorf("%w: the event's type is %q", ErrType, event.Type)
		}
		s.Act, s.Event = act, &event
	default:
		s.Act = act
	}
	return nil
}

// String says in words what was proven.
func (s Statement) String() string {
	fact := ""
	if s.Entry != nil {
		fact = s.Entry.String()
	} else if s.State != nil {
		fact = s.State.String()
	}
	return fmt.Sprintf("On chain %s, %s. Block %d of %s, which commits to this, is signed by %d validators with %d of %d of the voting power.",
		s.ChainID, fact, s.Height, stamp(s.Time), len(s.Signed.Validators), s.Signed.Power, s.Signed.TotalPower)
}

// String says in words what the entry is, without a full stop.
func (s *EntryStatement) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "entry %d (of %d) is ", s.Index, s.LogSize)
	cause := ""
	if s.Cause != nil {
		cause = fmt.Sprintf("entry %d", *s.Cause)
	}
	switch {
	case s.Withheld:
		fmt.Fprintf(&b, "of kind %s, from %s, and commits to a payload not shown here", s.Kind, s.Origin)
	case s.Kind == protocol.EntryEvent:
		fmt.Fprintf(&b, "event %s, submitted by %s", eventWords(s.Event), s.Origin)
	case s.Kind == protocol.EntryDuplicate:
		fmt.Fprintf(&b, "a second arrival of event %s, submitted by %s and not counted again: the first is %s",
			eventWords(s.Event), s.Origin, cause)
	case s.Kind == protocol.EntryEmitted:
		fmt.Fprintf(&b, "event %s, emitted by contract %s because of %s", eventWords(s.Event), s.Origin, cause)
	case s.Kind == protocol.EntryGap:
		fmt.Fprintf(&b, "the declaration of %s that %d events were skipped", s.Origin, s.Skipped)
	case s.DeadLetter != nil:
		fmt.Fprintf(&b, "a dead letter: contract %s gave up the delivery of %s with %s", s.Origin, cause, s.DeadLetter.Code)
		if s.DeadLetter.GuestCode != 0 {
			fmt.Fprintf(&b, ", its own code %d", s.DeadLetter.GuestCode)
		}
	case s.Contract != nil:
		b.WriteString(s.Contract.words(s.Origin, cause))
	default:
		b.WriteString(actWords(s, cause))
	}
	if s.Stream != nil && s.Kind != protocol.EntryForeign {
		stream, _ := s.Stream.MarshalText()
		fmt.Fprintf(&b, ", at sequence %d of stream %s", s.Sequence, stream)
	}
	fmt.Fprintf(&b, ", recorded by block %d of %s", s.Height, stamp(s.Time))
	return b.String()
}

// words says what was done to a contract, and by whom.
func (c *ContractStatement) words(by protocol.Address, cause string) string {
	switch c.Kind {
	case protocol.TxDeploy, protocol.TxUpgrade:
		what := "deployment"
		if c.Kind == protocol.TxUpgrade {
			what = "upgrade"
		}
		return fmt.Sprintf("the %s of contract %q at %s by %s, code %s, manifest %s", what, c.Name, c.Contract, by, c.CodeHash, c.ManifestHash)
	case protocol.TxControl:
		if cause != "" {
			cause = " for " + cause
		}
		return fmt.Sprintf("the act %q on contract %s by %s%s", c.Name, c.Contract, by, cause)
	}
	return fmt.Sprintf("a call of %q of contract %s by %s with %s", c.Name, c.Contract, by, octets(c.Args))
}

// actWords says what an act of another kind is.
func actWords(s *EntryStatement, cause string) string {
	because := ""
	if cause != "" {
		because = ", because of " + cause
	}
	switch act := s.Act.(type) {
	case *protocol.TimerAct:
		return fmt.Sprintf("the firing of timer %d of contract %s with %s%s", act.ID, s.Origin, octets(act.Data), because)
	case *protocol.ForeignAct:
		return fmt.Sprintf("event %s, of the ledger %s: entry %d of chain %q, recorded there by block %d, of the %s %s, leaf %s, shown by transaction %s",
			eventWords(s.Event), act.Ledger, act.Index, act.ChainID, act.Height, originOf(act.Kind), act.Origin, act.Leaf, act.TxID)
	case *protocol.EraseAct:
		return fmt.Sprintf("the erasure of the payload of entry %d by %s, for the reason %q", act.Index, s.Origin, act.Reason)
	}
	return fmt.Sprintf("of kind %s, from %s%s", s.Kind, s.Origin, because)
}

// originOf says what made an entry of an event.
func originOf(kind protocol.EntryKind) string {
	if kind == protocol.EntryEmitted {
		return "contract"
	}
	return "producer"
}

// String says in words what the key has, without a full stop.
func (s *StateStatement) String() string {
	if !s.Exists {
		return fmt.Sprintf("the state after block %d has no key %s", s.Height, octets(s.Key))
	}
	return fmt.Sprintf("the state after block %d has under key %s the value %s", s.Height, octets(s.Key), octets(s.Value))
}

// eventWords names an event; what a producer wrote is quoted, so that no text
// of an event can pass for a sentence of this package.
func eventWords(e *protocol.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q of type %q from %q", e.ID, e.Type, e.Source)
	if e.Subject != "" {
		fmt.Fprintf(&b, " about %q", e.Subject)
	}
	if e.HasTime {
		fmt.Fprintf(&b, " at %s", stamp(time.Unix(0, e.TimeNs).UTC()))
	}
	return b.String()
}

// maxShown bounds the octets a sentence shows.
const maxShown = 200

func octets(b []byte) string {
	more := ""
	if len(b) > maxShown {
		more = fmt.Sprintf("... (%d bytes)", len(b))
		b = b[:maxShown]
	}
	if utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q", b) + more
	}
	return fmt.Sprintf("0x%x", b) + more
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
