package protocol

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Limits of governance.
const (
	// MaxActions bounds the actions of one proposal.
	MaxActions = 16
	// MaxProposalBytes bounds a proposal, so that a receipt can carry it.
	MaxProposalBytes = 32 << 10
	// MaxTitle bounds a proposal's title, and MaxGovText what is said beside it.
	MaxTitle   = 128
	MaxGovText = 4 << 10
	// MaxWeight bounds the weight of one member of the council.
	MaxWeight = 1_000_000
	// MaxCouncil bounds the council.
	MaxCouncil = 100
	// MaxPower bounds the power of one validator, and MaxValidators their number:
	// together they stay far below CometBFT's bound of 2^60.
	MaxPower      = 1_000_000_000_000
	MaxValidators = 1_000
)

// ValidatorKey is an ed25519 public key: what a validator signs blocks with.
type ValidatorKey [32]byte

// String is standard base64.
func (k ValidatorKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText renders base64.
func (k ValidatorKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads base64 of exactly 32 bytes.
func (k *ValidatorKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("validator key %q is not base64 of 32 bytes", text)
	}
	copy(k[:], raw)
	return nil
}

// LogKey is an ed25519 public key: what a validator signs the log's checkpoints
// with. It is not the key it signs blocks with.
type LogKey [32]byte

// String is standard base64.
func (k LogKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText renders base64.
func (k LogKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads base64 of exactly 32 bytes.
func (k *LogKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("log key %q is not base64 of 32 bytes", text)
	}
	copy(k[:], raw)
	return nil
}

// NodeID names a node among its peers: the address of its node key.
type NodeID [20]byte

// String is lower-case hex.
func (n NodeID) String() string { return hex.EncodeToString(n[:]) }

// MarshalText renders lower-case hex.
func (n NodeID) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads 40 lower-case hex digits.
func (n *NodeID) UnmarshalText(text []byte) error { return unhex(n[:], text, "node id") }

// GovKind is what an action of a proposal does.
type GovKind uint8

// Kinds of actions. The numbers are part of the protocol.
const (
	GovCouncil   GovKind = 1  // give an account a weight in the council; 0 takes it out
	GovValidator GovKind = 2  // give a validator a power; 0 takes it out
	GovRoles     GovKind = 3  // set the roles of an account, the council's apart, and its grants
	GovQuota     GovKind = 4  // set an account's quota; all zeros end it
	GovParam     GovKind = 5  // set a parameter of the ledger
	GovSchema    GovKind = 6  // say which schema of an event type is the official one, or whose its schemas are; neither: none is official
	GovContract  GovKind = 7  // pause a contract, or let it go on
	GovCode      GovKind = 8  // approve code that contracts may be upgraded to, or take that back
	GovUpgrade   GovKind = 9  // other rules from a height on; height 0 calls it off
	GovHalt      GovKind = 10 // accept governance alone, or everything again
	GovRevoke    GovKind = 11 // end an account, or let it be again
	GovRecover   GovKind = 12 // give an account another key at once
	GovNode      GovKind = 13 // admit a node among the peers, or not any more
	GovReward    GovKind = 14 // what a type's events earn; 0 each ends it
	GovFees      GovKind = 15 // what the ledger takes for its work; zeros end it
	GovLogKey    GovKind = 16 // give a validator of the set its log key; zeros take it away
	GovLedger    GovKind = 17 // register another ledger, or change what is taken of it
	GovSuspend   GovKind = 18 // take nothing of another ledger, or again
)

var govKindNames = map[GovKind]string{
	GovCouncil: "council", GovValidator: "validator", GovRoles: "roles", GovQuota: "quota", GovParam: "parameter",
	GovSchema: "schema", GovContract: "contract", GovCode: "code", GovUpgrade: "upgrade", GovHalt: "halt",
	GovRevoke: "revoke", GovRecover: "recover", GovNode: "node", GovReward: "reward", GovFees: "fees", GovLogKey: "log-key",
	GovLedger: "ledger", GovSuspend: "suspend",
}

// String is the kind's published name.
func (k GovKind) String() string {
	if name, ok := govKindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("action-%d", uint8(k))
}

// MarshalText renders the published name.
func (k GovKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a published name.
func (k *GovKind) UnmarshalText(text []byte) error {
	for kind, name := range govKindNames { // names are unique: order does not matter
		if name == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("action %q is not known", text)
}

// GovAction is one action of a proposal. Which fields a kind has is the table
// govFields; the others are zero.
type GovAction struct {
	Kind      GovKind      `json:"kind"`
	Account   Address      `json:"account,omitzero"`   // council, roles, quota, revoke, recover; owner of schemas; who pays rewards, who gets fees
	Contract  Address      `json:"contract,omitzero"`  //
	Validator ValidatorKey `json:"validator,omitzero"` //
	Node      NodeID       `json:"node,omitzero"`      //
	Key       PublicKey    `json:"key,omitzero"`       // recover: the new key
	Proof     Signature    `json:"proof,omitzero"`     // recover: its signature of RotationDigest, with from 0
	Hash      Hash         `json:"hash,omitzero"`      // of a schema, or of a module
	Name      string       `json:"name,omitempty"`     // of a validator, node, parameter or event type
	URI       string       `json:"uri,omitempty"`      // where a schema is found
	Asset     string       `json:"asset,omitempty"`    // of rewards and fees
	Weight    uint64       `json:"weight,omitempty"`   // council
	Power     uint64       `json:"power,omitempty"`    // validator
	Value     uint64       `json:"value,omitempty"`    // of a parameter; the version of an upgrade's rules
	Height    uint64       `json:"height,omitempty"`   // upgrade
	Each      uint64       `json:"each,omitempty,string"`
	Limit     uint64       `json:"limit,omitempty,string"` // reward: in a period; fees: per million gas
	PeriodMs  uint64       `json:"periodMs,omitempty"`     // reward
	Roles     Roles        `json:"roles,omitempty"`
	Grants    Grants       `json:"grants,omitzero"` // of a producer
	Quota     Quota        `json:"quota,omitzero"`
	On        bool         `json:"on,omitempty"`    // pause, approve, halt, revoke, admit, suspend; false is the opposite
	Force     bool         `json:"force,omitempty"` // validator: also where more than a third of the power changes
	LogKey    LogKey       `json:"logKey,omitzero"` // log-key
	Ledger    LedgerTerms  `json:"ledger,omitzero"` // ledger; its grants are what is accepted
}

// govField is a field of an action, as a bit.
type govField uint32

const (
	govAccount govField = 1 << iota
	govContract
	govValidator
	govNode
	govKey
	govProof
	govHash
	govName
	govURI
	govAsset
	govWeight
	govPower
	govValue
	govHeight
	govEach
	govLimit
	govPeriod
	govRoles
	govGrants
	govQuota
	govOn
	govForce
	govLogKey
	govLedger
)

// govFields says what an action consists of: the fields that must be there, and
// those that may be zero.
var govFields = map[GovKind]struct{ need, may govField }{
	GovCouncil:   {govAccount, govWeight},
	GovValidator: {govValidator, govName | govPower | govForce},
	GovRoles:     {govAccount, govRoles | govGrants},
	GovQuota:     {govAccount, govQuota},
	GovParam:     {govName, govValue},
	GovSchema:    {govName, govAccount | govHash | govURI},
	GovContract:  {govContract, govOn},
	GovCode:      {govHash, govOn},
	GovUpgrade:   {0, govHeight | govValue},
	GovHalt:      {0, govOn},
	GovRevoke:    {govAccount, govOn},
	GovRecover:   {govAccount | govKey | govProof, 0},
	GovNode:      {govNode, govName | govOn},
	GovReward:    {govName, govAccount | govAsset | govEach | govLimit | govPeriod},
	GovFees:      {0, govAccount | govAsset | govEach | govLimit},
	GovLogKey:    {govValidator, govLogKey},
	GovLedger:    {govName | govLedger, govGrants | govQuota},
	GovSuspend:   {govName, govOn},
}

// has is the fields that are not zero.
func (a *GovAction) has() (set govField) {
	for i, there := range [...]bool{
		!a.Account.IsZero(), !a.Contract.IsZero(), a.Validator != ValidatorKey{}, a.Node != NodeID{}, a.Key != PublicKey{},
		a.Proof != Signature{}, !a.Hash.IsZero(), a.Name != "", a.URI != "", a.Asset != "", a.Weight != 0, a.Power != 0,
		a.Value != 0, a.Height != 0, a.Each != 0, a.Limit != 0, a.PeriodMs != 0, a.Roles != 0, !a.Grants.IsZero(),
		!a.Quota.IsZero(), a.On, a.Force, a.LogKey != LogKey{}, !a.Ledger.IsZero(),
	} {
		if there {
			set |= 1 << i
		}
	}
	return set
}

// Check holds the action to its form, which does not depend on any state.
func (a *GovAction) Check() error {
	fields, known := govFields[a.Kind]
	switch has := a.has(); {
	case !known:
		return Refuse(CodeMalformed, "action: kind %d is not known", a.Kind)
	case has&fields.need != fields.need:
		return Refuse(CodeProposalTerms, "%s: lacks a field", a.Kind)
	case has&^(fields.need|fields.may) != 0:
		return Refuse(CodeProposalTerms, "%s: has a field that means nothing there", a.Kind)
	case a.Name != "" && !validName(a.Name, MaxAttributeBytes), a.URI != "" && !validName(a.URI, MaxAttributeBytes):
		return Refuse(CodeProposalTerms, "%s: a name or URI is not 1 to %d printable characters", a.Kind, MaxAttributeBytes)
	case a.Asset != "" && !ValidAsset(a.Asset):
		return Refuse(CodeProposalTerms, "%s: %q is no asset's symbol", a.Kind, a.Asset)
	case a.Weight > MaxWeight || a.Power > MaxPower:
		return Refuse(CodeProposalTerms, "%s: weights are at most %d, powers at most %d", a.Kind, MaxWeight, uint64(MaxPower))
	case a.Kind == GovValidator && a.Power > 0 && a.Name == "":
		return Refuse(CodeProposalTerms, "%s: has no name", a.Kind)
	case a.Kind == GovUpgrade && (a.Height == 0) != (a.Value == 0):
		return Refuse(CodeProposalTerms, "%s: height and version go together", a.Kind)
	case a.Roles&^allRoles != 0 || a.Roles&RoleCouncil != 0:
		return Refuse(CodeProposalTerms, "%s: a seat in the council is given with its weight", a.Kind)
	}
	if err := a.Grants.Check(); err != nil {
		return err
	}
	switch a.Kind {
	case GovLedger, GovSuspend:
		if err := CheckLedgerName(a.Name); err != nil {
			return err
		}
		if a.Kind == GovLedger {
			if err := a.Ledger.check(); err != nil {
				return err
			}
		}
	case GovRecover:
		if err := checkPublicKey(a.Key); err != nil {
			return Refuse(CodeMalformed, "%s: %v", a.Kind, err)
		}
	}
	return a.Quota.Check()
}

// numbers are the fields that are numbers, in order.
func (a *GovAction) numbers() [7]*uint64 {
	return [...]*uint64{&a.Weight, &a.Power, &a.Value, &a.Height, &a.Each, &a.Limit, &a.PeriodMs}
}

// octets are the fields of a fixed size, in order.
func (a *GovAction) octets() [7][]byte {
	return [...][]byte{a.Account[:], a.Contract[:], a.Validator[:], a.Node[:], a.Key[:], a.Proof[:], a.Hash[:]}
}

// texts are the fields that are text, in order.
func (a *GovAction) texts() [3]*string { return [...]*string{&a.Name, &a.URI, &a.Asset} }

// AppendBinary appends the kind and the action's fields, in the order of
// GovAction: octets as they are, text behind its length, numbers as LEB128.
func (a *GovAction) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(a.Kind))
	used := govFields[a.Kind].need | govFields[a.Kind].may
	field := govAccount
	for _, octets := range a.octets() {
		if used&field != 0 {
			dst = append(dst, octets...)
		}
		field <<= 1
	}
	for _, text := range a.texts() {
		if used&field != 0 {
			dst = appendBytes(dst, *text)
		}
		field <<= 1
	}
	for _, n := range a.numbers() {
		if used&field != 0 {
			dst = binary.AppendUvarint(dst, *n)
		}
		field <<= 1
	}
	if used&govRoles != 0 {
		dst = append(dst, byte(a.Roles))
	}
	if used&govGrants != 0 {
		dst = a.Grants.appendBinary(dst)
	}
	if used&govQuota != 0 {
		dst = a.Quota.appendBinary(dst)
	}
	if used&govOn != 0 {
		dst = append(dst, flagByte(a.On))
	}
	if used&govForce != 0 {
		dst = append(dst, flagByte(a.Force))
	}
	if used&govLogKey != 0 {
		dst = append(dst, a.LogKey[:]...)
	}
	if used&govLedger != 0 {
		dst = a.Ledger.appendBinary(dst)
	}
	return dst
}

func decodeGovAction(r *reader) (a GovAction) {
	a.Kind = GovKind(r.u8("kind"))
	fields, known := govFields[a.Kind]
	if !known {
		r.fail("action: kind %d is not known", a.Kind)
	}
	used := fields.need | fields.may
	field := govAccount
	for _, octets := range a.octets() {
		if used&field != 0 {
			copy(octets, r.take(len(octets), "action"))
		}
		field <<= 1
	}
	for _, text := range a.texts() {
		if used&field != 0 {
			*text = r.string(MaxAttributeBytes, "action")
		}
		field <<= 1
	}
	for _, n := range a.numbers() {
		if used&field != 0 {
			*n = r.uvarint(^uint64(0), "action")
		}
		field <<= 1
	}
	if used&govRoles != 0 {
		if a.Roles = Roles(r.u8("roles")); a.Roles&^allRoles != 0 {
			r.fail("action: roles %b are not known", a.Roles)
		}
	}
	if used&govGrants != 0 {
		a.Grants = decodeGrants(r)
	}
	if used&govQuota != 0 {
		a.Quota = decodeQuota(r)
	}
	a.On = used&govOn != 0 && r.flag("on")
	a.Force = used&govForce != 0 && r.flag("force")
	if used&govLogKey != 0 {
		copy(a.LogKey[:], r.take(len(a.LogKey), "log key"))
	}
	if used&govLedger != 0 {
		a.Ledger = decodeLedgerTerms(r)
	}
	return a
}

func appendActions(dst []byte, actions []GovAction) []byte {
	dst = append(dst, byte(len(actions)))
	for i := range actions {
		dst = actions[i].AppendBinary(dst)
	}
	return dst
}

func decodeActions(r *reader) []GovAction {
	var actions []GovAction
	for range r.u8("actions") {
		if actions = append(actions, decodeGovAction(r)); r.err != nil {
			return nil
		}
	}
	return actions
}
