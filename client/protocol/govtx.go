package protocol

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// GovStep is a step of governance: of a proposal, or the end of a validator.
type GovStep uint8

// Steps. The first three are also what a TxGovernance asks for. The numbers are
// part of the protocol.
const (
	GovProposed  GovStep = 1 // a member of the council proposed actions
	GovVoted     GovStep = 2 // a member voted, or voted otherwise than before
	GovWithdrawn GovStep = 3 // its proposer took it back

	// Only the ledger itself makes these.
	GovPassed   GovStep = 16 // more than two thirds of the weight agreed, and it was done
	GovFailed   GovStep = 17 // they agreed, and it could not be done: nothing was
	GovExpired  GovStep = 18 // they did not agree in time
	GovEvidence GovStep = 19 // a validator signed two blocks at one height
	GovUpgraded GovStep = 20 // other rules hold from here on
)

var govStepNames = map[GovStep]string{
	GovProposed: "proposed", GovVoted: "voted", GovWithdrawn: "withdrawn",
	GovPassed: "passed", GovFailed: "failed", GovExpired: "expired", GovEvidence: "evidence", GovUpgraded: "upgraded",
}

// String is the step's published name.
func (s GovStep) String() string {
	if name, ok := govStepNames[s]; ok {
		return name
	}
	return fmt.Sprintf("step-%d", uint8(s))
}

// MarshalText renders the published name.
func (s GovStep) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a published name.
func (s *GovStep) UnmarshalText(text []byte) error {
	for step, name := range govStepNames { // names differ: order does not matter
		if name == string(text) {
			*s = step
			return nil
		}
	}
	return fmt.Errorf("step %q is not known", text)
}

// Propose asks the council for actions, all of them or none. The proposal is
// known by the log index of its entry.
type Propose struct {
	Title   string      `json:"title"`
	Expiry  uint64      `json:"expiry"` // last height at which it can pass
	Actions []GovAction `json:"actions"`
}

// Vote is a member's vote on a proposal. Until it closes, another vote by the
// same member takes its place.
type Vote struct {
	Proposal uint64 `json:"proposal"`
	Yes      bool   `json:"yes"`
}

// Withdraw takes a proposal of the sender's back.
type Withdraw struct {
	Proposal uint64 `json:"proposal"`
}

// Kind is TxGovernance.
func (*Propose) Kind() TxKind { return TxGovernance }

// Kind is TxGovernance.
func (*Vote) Kind() TxKind { return TxGovernance }

// Kind is TxGovernance.
func (*Withdraw) Kind() TxKind { return TxGovernance }

func (p *Propose) check() error {
	if !validName(p.Title, MaxTitle) {
		return Refuse(CodeProposalTerms, "the title must be 1 to %d printable characters", MaxTitle)
	}
	if len(p.Actions) == 0 || len(p.Actions) > MaxActions {
		return Refuse(CodeProposalTerms, "%d actions, must be 1 to %d", len(p.Actions), MaxActions)
	}
	for i := range p.Actions {
		if err := p.Actions[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Propose) appendBody(dst []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	before := len(dst)
	dst = appendBytes(append(dst, byte(GovProposed)), p.Title)
	dst = appendActions(binary.BigEndian.AppendUint64(dst, p.Expiry), p.Actions)
	if size := len(dst) - before; size > MaxProposalBytes {
		return nil, Refuse(CodeProposalTerms, "the proposal has %d bytes, the limit is %d", size, MaxProposalBytes)
	}
	return dst, nil
}

func (v *Vote) appendBody(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(GovVoted)), v.Proposal)
	return append(dst, flagByte(v.Yes)), nil
}

func (w *Withdraw) appendBody(dst []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, byte(GovWithdrawn)), w.Proposal), nil
}

// decodeGovernance reads the body of a TxGovernance.
func decodeGovernance(r *reader) (Body, error) {
	if len(r.buf)-r.off > MaxProposalBytes {
		return nil, Refuse(CodeProposalTerms, "the proposal has %d bytes, the limit is %d", len(r.buf)-r.off, MaxProposalBytes)
	}
	switch step := GovStep(r.u8("step")); step {
	case GovProposed:
		p := &Propose{Title: r.string(MaxTitle, "title"), Expiry: r.u64("expiry"), Actions: decodeActions(r)}
		if err := r.malformed("propose"); err != nil {
			return nil, err
		}
		return p, p.check()
	case GovVoted:
		return &Vote{Proposal: r.u64("proposal"), Yes: r.flag("yes")}, r.malformed("vote")
	case GovWithdrawn:
		return &Withdraw{Proposal: r.u64("proposal")}, r.malformed("withdraw")
	default:
		return nil, Refuse(CodeMalformed, "governance: step %d is not known", step)
	}
}

// Ruling is how a dispute ended.
type Ruling uint8

// Rulings. The numbers are part of the protocol.
const (
	RulingUpheld    Ruling = 1 // who raised it is right
	RulingDismissed Ruling = 2 // who raised it is not
	RulingSettled   Ruling = 3 // the parties agreed
)

var rulingNames = [...]string{RulingUpheld: "upheld", RulingDismissed: "dismissed", RulingSettled: "settled"}

// String is the ruling's published name; of 0, which is no ruling yet, open.
func (r Ruling) String() string {
	if r == 0 {
		return "open"
	}
	if int(r) < len(rulingNames) {
		return rulingNames[r]
	}
	return fmt.Sprintf("ruling-%d", uint8(r))
}

// MarshalText renders the published name.
func (r Ruling) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a published name.
func (r *Ruling) UnmarshalText(text []byte) error {
	for ruling := range Ruling(len(rulingNames)) {
		if ruling.String() == string(text) {
			*r = ruling
			return nil
		}
	}
	return fmt.Errorf("ruling %q is not known", text)
}

// Raise disputes an entry of the log. The dispute is known by the log index of
// its own entry.
type Raise struct {
	Entry uint64 `json:"entry"`
	Text  string `json:"text"` // the claim
}

// Resolve ends a dispute. Only an arbiter can, who is no party to it.
type Resolve struct {
	Dispute uint64 `json:"dispute"`
	Ruling  Ruling `json:"ruling"`
	Text    string `json:"text"` // the reasons
}

// Kind is TxDispute.
func (*Raise) Kind() TxKind { return TxDispute }

// Kind is TxDispute.
func (*Resolve) Kind() TxKind { return TxDispute }

// Steps of a dispute: what a TxDispute asks for.
const (
	disputeRaise   = 1
	disputeResolve = 2
)

func checkGovText(text string) error {
	if text == "" || len(text) > MaxGovText || !utf8.ValidString(text) {
		return Refuse(CodeProposalTerms, "a dispute's text must be UTF-8 of 1 to %d bytes", MaxGovText)
	}
	return nil
}

func (d *Raise) appendBody(dst []byte) ([]byte, error) {
	if err := checkGovText(d.Text); err != nil {
		return nil, err
	}
	return appendBytes(binary.BigEndian.AppendUint64(append(dst, disputeRaise), d.Entry), d.Text), nil
}

func (d *Resolve) check() error {
	if d.Ruling < RulingUpheld || d.Ruling > RulingSettled {
		return Refuse(CodeProposalTerms, "%s is no ruling", d.Ruling)
	}
	return checkGovText(d.Text)
}

func (d *Resolve) appendBody(dst []byte) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint64(append(dst, disputeResolve), d.Dispute)
	return appendBytes(append(dst, byte(d.Ruling)), d.Text), nil
}

// decodeDispute reads the body of a TxDispute.
func decodeDispute(r *reader) (Body, error) {
	switch step := r.u8("step"); step {
	case disputeRaise:
		d := &Raise{Entry: r.u64("entry"), Text: r.string(MaxGovText, "text")}
		if err := r.malformed("dispute"); err != nil {
			return nil, err
		}
		return d, checkGovText(d.Text)
	case disputeResolve:
		d := &Resolve{Dispute: r.u64("dispute"), Ruling: Ruling(r.u8("ruling")), Text: r.string(MaxGovText, "text")}
		if err := r.malformed("resolve"); err != nil {
			return nil, err
		}
		return d, d.check()
	default:
		return nil, Refuse(CodeMalformed, "dispute: step %d is not known", step)
	}
}
