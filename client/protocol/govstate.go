package protocol

import (
	"encoding/binary"
	"fmt"
)

// GovPrefix is the first byte of governance's keys in the authenticated state.
//
//	g c || address            -> member of the council
//	g p || index              -> proposal, by the log index of its entry
//	g v || index || address   -> vote: 1 yes, 0 no
//	g s || height             -> validator set, by the first height at which it signs
//	g l                       -> that height of the newest set
//	g b || validator key      -> log index of the evidence that bars it
//	g n || node id            -> name of an admitted node
//	g o || event type         -> official schema
//	g a || code hash          -> log index of the proposal that approved it
//	g d || index              -> dispute, by the log index of its entry
const GovPrefix = 'g'

// Second bytes of governance's keys.
const (
	GovKeyCouncil  = 'c'
	GovKeyProposal = 'p'
	GovKeyVote     = 'v'
	GovKeySet      = 's'
	GovKeyLatest   = 'l'
	GovKeyBarred   = 'b'
	GovKeyNode     = 'n'
	GovKeySchema   = 'o'
	GovKeyCode     = 'a'
	GovKeyDispute  = 'd'
)

// GovKey is a state key of governance: kind, and the parts that follow.
func GovKey(kind byte, parts ...[]byte) []byte {
	key := append(make([]byte, 0, 64), GovPrefix, kind)
	for _, part := range parts {
		key = append(key, part...)
	}
	return key
}

func index(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// CouncilKey is the state key of a member of the council.
func CouncilKey(a Address) []byte { return GovKey(GovKeyCouncil, a[:]) }

// ProposalKey is the state key of a proposal.
func ProposalKey(proposal uint64) []byte { return GovKey(GovKeyProposal, index(proposal)) }

// VoteKey is the state key of a member's vote.
func VoteKey(proposal uint64, a Address) []byte { return GovKey(GovKeyVote, index(proposal), a[:]) }

// ValidatorSetKey is the state key of the set that signs from a height on.
func ValidatorSetKey(height uint64) []byte { return GovKey(GovKeySet, index(height)) }

// LatestSetKey is the state key of the newest set's first height.
func LatestSetKey() []byte { return GovKey(GovKeyLatest) }

// BarredKey is the state key of a validator that may never be one again.
func BarredKey(k ValidatorKey) []byte { return GovKey(GovKeyBarred, k[:]) }

// NodeKey is the state key of an admitted node.
func NodeKey(n NodeID) []byte { return GovKey(GovKeyNode, n[:]) }

// SchemaKey is the state key of an event type's official schema.
func SchemaKey(eventType string) []byte { return GovKey(GovKeySchema, []byte(eventType)) }

// CodeKey is the state key of approved code.
func CodeKey(code Hash) []byte { return GovKey(GovKeyCode, code[:]) }

// DisputeKey is the state key of a dispute.
func DisputeKey(dispute uint64) []byte { return GovKey(GovKeyDispute, index(dispute)) }

// CouncilMember is an account with a vote.
type CouncilMember struct {
	Account Address `json:"account"` // of the key, not the record
	Weight  uint64  `json:"weight"`
	Open    uint64  `json:"open"` // proposals of this member that are open
}

// AppendBinary appends the record under a CouncilKey.
func (m *CouncilMember) AppendBinary(dst []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, m.Weight), m.Open)
}

// DecodeCouncilMember reads what is under a CouncilKey.
func DecodeCouncilMember(account Address, value []byte) (CouncilMember, error) {
	r := reader{buf: value}
	m := CouncilMember{account, r.uvarint(MaxWeight, "weight"), r.uvarint(^uint64(0), "open")}
	return m, r.malformed("member")
}

// ProposalStatus is how far a proposal has come: the step that closed it, or
// GovProposed while it is open.
type ProposalStatus = GovStep

// Proposal is what the ledger keeps of one.
type Proposal struct {
	Index    uint64         `json:"index"` // of the key, not the record
	Status   ProposalStatus `json:"status"`
	Proposer Address        `json:"proposer"`
	Opened   uint64         `json:"opened"` // height
	Expiry   uint64         `json:"expiry"` // last height at which it can pass
	Closed   uint64         `json:"closed,omitempty"`
	Tally    Tally          `json:"tally"` // at the last vote, or when it closed
	Code     Code           `json:"code,omitempty"`
	Title    string         `json:"title"`
	Actions  []GovAction    `json:"actions"`
	Blind    Blind          `json:"-"` // of the entries that follow it
}

// AppendBinary appends the record under a ProposalKey.
func (p *Proposal) AppendBinary(dst []byte) []byte {
	dst = append(append(dst, byte(p.Status)), p.Proposer[:]...)
	for _, n := range [...]uint64{p.Opened, p.Expiry, p.Closed, uint64(p.Code)} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = append(p.Tally.appendBinary(dst), p.Blind[:]...)
	return appendActions(appendBytes(dst, p.Title), p.Actions)
}

// DecodeProposal reads what is under a ProposalKey.
func DecodeProposal(at uint64, value []byte) (*Proposal, error) {
	r := reader{buf: value}
	p := &Proposal{Index: at, Status: GovStep(r.u8("status"))}
	copy(p.Proposer[:], r.take(20, "proposer"))
	for _, n := range [...]*uint64{&p.Opened, &p.Expiry, &p.Closed} {
		*n = r.uvarint(^uint64(0), "height")
	}
	p.Code = Code(r.uvarint(1<<32-1, "code"))
	p.Tally = decodeTally(&r)
	copy(p.Blind[:], r.take(32, "blind"))
	p.Title, p.Actions = r.string(MaxTitle, "title"), decodeActions(&r)
	return p, r.malformed("proposal")
}

// SetMember is a validator in a set.
type SetMember struct {
	Key    ValidatorKey `json:"publicKey"`
	Power  uint64       `json:"power"`
	Name   string       `json:"name"`
	LogKey LogKey       `json:"logKey,omitzero"` // of its cosignatures of the log; zero: it makes none
}

// ValidatorSet is who signs blocks from a height on, until the next set does.
type ValidatorSet struct {
	Since      uint64      `json:"since"`    // of the key, not the record
	Previous   uint64      `json:"previous"` // Since of the set before it; 0 for the first
	Validators []SetMember `json:"validators"`
}

// Power is the sum of the powers.
func (s *ValidatorSet) Power() (sum uint64) {
	for _, v := range s.Validators {
		sum += v.Power
	}
	return sum
}

// AppendBinary appends the record under a ValidatorSetKey. The validators stand
// in ascending order of their keys.
func (s *ValidatorSet) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.Previous)
	dst = binary.AppendUvarint(dst, uint64(len(s.Validators)))
	for _, v := range s.Validators {
		dst = binary.AppendUvarint(append(dst, v.Key[:]...), v.Power)
		dst = append(appendBytes(dst, v.Name), v.LogKey[:]...)
	}
	return dst
}

// DecodeValidatorSet reads what is under a ValidatorSetKey.
func DecodeValidatorSet(since uint64, value []byte) (*ValidatorSet, error) {
	r := reader{buf: value}
	s := &ValidatorSet{Since: since, Previous: r.u64("previous")}
	for i := range r.uvarint(MaxValidators, "validators") {
		var v SetMember
		copy(v.Key[:], r.take(32, "key"))
		v.Power, v.Name = r.uvarint(MaxPower, "power"), r.string(MaxAttributeBytes, "name")
		copy(v.LogKey[:], r.take(len(v.LogKey), "log key"))
		if r.err == nil && (v.Power == 0 || i > 0 && string(v.Key[:]) <= string(s.Validators[i-1].Key[:])) {
			r.fail("validator %d has no power or stands out of order", i)
		}
		if s.Validators = append(s.Validators, v); r.err != nil {
			break
		}
	}
	if r.err == nil && len(s.Validators) == 0 {
		r.fail("the set is empty")
	}
	return s, r.malformed("validator set")
}

// Schema is the official schema of an event type.
type Schema struct {
	Type     string `json:"type"` // of the key, not the record
	Hash     Hash   `json:"hash"` // SHA-256 of the schema's text
	URI      string `json:"uri,omitempty"`
	Proposal uint64 `json:"proposal"` // that made it official
	Version  uint64 `json:"version"`  // of the type's schemas in the registry
}

// AppendBinary appends the record under a SchemaKey.
func (s *Schema) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, s.Hash[:]...), s.Proposal)
	return appendBytes(binary.AppendUvarint(dst, s.Version), s.URI)
}

// DecodeSchema reads what is under a SchemaKey.
func DecodeSchema(eventType string, value []byte) (Schema, error) {
	r := reader{buf: value}
	s := Schema{Type: eventType}
	copy(s.Hash[:], r.take(32, "hash"))
	s.Proposal, s.Version = r.u64("proposal"), r.uvarint(MaxSchemaVersions, "version")
	s.URI = r.string(MaxAttributeBytes, "uri")
	return s, r.malformed("schema")
}

// DisputeRecord is what the ledger keeps of a dispute.
type DisputeRecord struct {
	Index      uint64  `json:"index"` // of the key, not the record
	Entry      uint64  `json:"entry"` // what is disputed
	By         Address `json:"by"`
	Ruling     Ruling  `json:"ruling"` // open while it is
	Arbiter    Address `json:"arbiter,omitzero"`
	Resolution uint64  `json:"resolution,omitempty"` // log index of the resolution
}

// AppendBinary appends the record under a DisputeKey.
func (d *DisputeRecord) AppendBinary(dst []byte) []byte {
	dst = append(binary.BigEndian.AppendUint64(dst, d.Entry), d.By[:]...)
	dst = append(append(dst, byte(d.Ruling)), d.Arbiter[:]...)
	return binary.BigEndian.AppendUint64(dst, d.Resolution)
}

// DecodeDispute reads what is under a DisputeKey.
func DecodeDispute(at uint64, value []byte) (*DisputeRecord, error) {
	r := reader{buf: value}
	d := &DisputeRecord{Index: at, Entry: r.u64("entry")}
	copy(d.By[:], r.take(20, "account"))
	d.Ruling = Ruling(r.u8("ruling"))
	copy(d.Arbiter[:], r.take(20, "arbiter"))
	d.Resolution = r.u64("resolution")
	if d.Ruling > RulingSettled {
		r.err = fmt.Errorf("ruling %d is not known", d.Ruling)
	}
	return d, r.malformed("dispute")
}
