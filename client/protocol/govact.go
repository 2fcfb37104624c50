package protocol

import "encoding/binary"

// GovernanceAct is the payload of an EntryGovernance: a step of a proposal, or
// what the ledger itself decided.
type GovernanceAct struct {
	Step     GovStep     `json:"step"`
	By       Address     `json:"by,omitzero"`        // the member; none where the ledger itself acted
	TxID     Hash        `json:"txId,omitzero"`      // none where the ledger itself acted
	Proposal uint64      `json:"proposal,omitempty"` // log index of the entry that proposed it; none for that entry itself
	Title    string      `json:"title,omitempty"`    // proposed
	Expiry   uint64      `json:"expiry,omitempty"`   // proposed: last height
	Actions  []GovAction `json:"actions,omitempty"`  // proposed
	Yes      bool        `json:"yes,omitempty"`      // voted
	// Weights when a member voted, and when the proposal passed, failed or
	// expired: of yes, of no, and of the whole council.
	Tally     Tally        `json:"tally,omitzero"`
	Code      Code         `json:"code,omitempty"`     // failed: why
	Validator ValidatorKey `json:"validator,omitzero"` // evidence
	Height    uint64       `json:"height,omitempty"`   // evidence: of the two blocks
	Removed   bool         `json:"removed,omitempty"`  // evidence: it was in the set, and no longer is
	Version   uint64       `json:"version,omitempty"`  // upgraded: of the rules
}

// Tally is how the weights of a council stand.
type Tally struct {
	Yes   uint64 `json:"yes"`
	No    uint64 `json:"no"`
	Total uint64 `json:"total"`
}

// Passes says whether more than two thirds of the whole weight agree.
func (t Tally) Passes() bool { return 3*t.Yes > 2*t.Total } // weights are below 2^27

func (t Tally) appendBinary(dst []byte) []byte {
	for _, n := range [...]uint64{t.Yes, t.No, t.Total} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func decodeTally(r *reader) (t Tally) {
	for _, n := range [...]*uint64{&t.Yes, &t.No, &t.Total} {
		*n = r.uvarint(MaxCouncil*MaxWeight, "tally")
	}
	return t
}

// AppendBinary appends the act's canonical bytes.
func (a *GovernanceAct) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(EntryGovernance), byte(a.Step))
	dst = append(append(dst, a.By[:]...), a.TxID[:]...)
	switch a.Step {
	case GovProposed:
		dst = binary.BigEndian.AppendUint64(appendBytes(dst, a.Title), a.Expiry)
		return appendActions(dst, a.Actions)
	case GovEvidence:
		dst = binary.BigEndian.AppendUint64(append(dst, a.Validator[:]...), a.Height)
		return append(dst, flagByte(a.Removed))
	case GovUpgraded:
		return binary.BigEndian.AppendUint64(dst, a.Version)
	}
	dst = binary.BigEndian.AppendUint64(dst, a.Proposal)
	switch a.Step {
	case GovVoted:
		dst = a.Tally.appendBinary(append(dst, flagByte(a.Yes)))
	case GovPassed, GovExpired:
		dst = a.Tally.appendBinary(dst)
	case GovFailed:
		dst = binary.BigEndian.AppendUint32(a.Tally.appendBinary(dst), uint32(a.Code))
	}
	return dst
}

// decodeGovernanceAct reads what follows the entry kind.
func decodeGovernanceAct(r *reader) (*GovernanceAct, error) {
	a := &GovernanceAct{Step: GovStep(r.u8("step"))}
	copy(a.By[:], r.take(20, "member"))
	copy(a.TxID[:], r.take(32, "transaction id"))
	switch a.Step {
	case GovProposed:
		a.Title, a.Expiry, a.Actions = r.string(MaxTitle, "title"), r.u64("expiry"), decodeActions(r)
	case GovEvidence:
		copy(a.Validator[:], r.take(32, "validator"))
		a.Height, a.Removed = r.u64("height"), r.flag("removed")
	case GovUpgraded:
		a.Version = r.u64("version")
	case GovVoted:
		a.Proposal, a.Yes, a.Tally = r.u64("proposal"), r.flag("yes"), decodeTally(r)
	case GovPassed, GovExpired:
		a.Proposal, a.Tally = r.u64("proposal"), decodeTally(r)
	case GovFailed:
		a.Proposal, a.Tally = r.u64("proposal"), decodeTally(r)
		if b := r.take(4, "code"); b != nil {
			a.Code = Code(binary.BigEndian.Uint32(b))
		}
	case GovWithdrawn:
		a.Proposal = r.u64("proposal")
	default:
		r.fail("step %d is not known", a.Step)
	}
	return a, r.malformed("governance act")
}

// DisputeAct is the payload of an EntryDispute: a claim about an entry, or the
// resolution of one.
type DisputeAct struct {
	By      Address `json:"by"`
	TxID    Hash    `json:"txId"`
	Entry   uint64  `json:"entry"`             // what is disputed
	Dispute uint64  `json:"dispute,omitempty"` // of a resolution: log index of the claim
	Ruling  Ruling  `json:"ruling"`            // open: this is the claim
	Text    string  `json:"text"`
}

// AppendBinary appends the act's canonical bytes.
func (a *DisputeAct) AppendBinary(dst []byte) []byte {
	dst = append(append(append(dst, byte(EntryDispute)), a.By[:]...), a.TxID[:]...)
	dst = binary.BigEndian.AppendUint64(dst, a.Entry)
	dst = binary.BigEndian.AppendUint64(dst, a.Dispute)
	return appendBytes(append(dst, byte(a.Ruling)), a.Text)
}

// decodeDisputeAct reads what follows the entry kind.
func decodeDisputeAct(r *reader) (*DisputeAct, error) {
	a := &DisputeAct{}
	copy(a.By[:], r.take(20, "account"))
	copy(a.TxID[:], r.take(32, "transaction id"))
	a.Entry, a.Dispute, a.Ruling = r.u64("entry"), r.u64("dispute"), Ruling(r.u8("ruling"))
	a.Text = r.string(MaxGovText, "text")
	if a.Ruling > RulingSettled {
		r.fail("ruling %d is not known", a.Ruling)
	}
	return a, r.malformed("dispute act")
}
