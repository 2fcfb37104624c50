package protocol

import "encoding/binary"

// AccountAct is the payload of an EntryAccount: what happened to an account.
// Of a key that changes it has Key and From; of members, Multisig; of an act
// that waits for approvals, Act and the hash of what was asked for.
type AccountAct struct {
	Op       AccountOp `json:"op"`
	Account  Address   `json:"account"`
	By       Address   `json:"by,omitzero"`       // who signed, where that is a member
	TxID     Hash      `json:"txId,omitzero"`     // zero where the ledger itself acted
	Key      PublicKey `json:"key,omitzero"`      // rotate
	From     uint64    `json:"from,omitempty"`    // rotate: first height of the key
	Name     string    `json:"name,omitempty"`    // create
	Multisig *Multisig `json:"members,omitempty"` // create, change
	Act      uint64    `json:"act,omitempty"`     // approve, expire: log index of the proposal
	Kind     TxKind    `json:"kind,omitempty"`    // propose: of what was asked for
	Body     Hash      `json:"body,omitzero"`     // propose: SHA-256 of its kind and bytes
	Expiry   uint64    `json:"expiry,omitempty"`  // propose: last height
	Executed bool      `json:"executed,omitempty"`
}

// AppendBinary appends the act's canonical bytes.
func (a *AccountAct) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(EntryAccount), byte(a.Op))
	dst = append(append(append(dst, a.Account[:]...), a.By[:]...), a.TxID[:]...)
	switch a.Op {
	case AccountRotate:
		dst = binary.BigEndian.AppendUint64(append(dst, a.Key[:]...), a.From)
	case AccountCreate:
		dst = a.Multisig.appendBinary(appendBytes(dst, a.Name))
	case AccountChange:
		dst = a.Multisig.appendBinary(dst)
	case AccountPropose:
		dst = append(append(dst, byte(a.Kind)), a.Body[:]...)
		dst = binary.BigEndian.AppendUint64(dst, a.Expiry)
		dst = append(dst, flagByte(a.Executed))
	case AccountApprove:
		dst = binary.BigEndian.AppendUint64(dst, a.Act)
		dst = append(dst, flagByte(a.Executed))
	case AccountExpire:
		dst = binary.BigEndian.AppendUint64(dst, a.Act)
	}
	return dst
}

// decodeAccountAct reads what follows the entry kind.
func decodeAccountAct(r *reader) (*AccountAct, error) {
	a := &AccountAct{Op: AccountOp(r.u8("operation"))}
	copy(a.Account[:], r.take(20, "account"))
	copy(a.By[:], r.take(20, "member"))
	copy(a.TxID[:], r.take(32, "transaction id"))
	switch a.Op {
	case AccountRotate:
		copy(a.Key[:], r.take(33, "key"))
		a.From = r.u64("height")
	case AccountRevoke:
	case AccountCreate:
		a.Name, a.Multisig = r.string(MaxAccountName, "name"), decodeMultisig(r)
	case AccountChange:
		a.Multisig = decodeMultisig(r)
	case AccountPropose:
		a.Kind = TxKind(r.u8("kind"))
		copy(a.Body[:], r.take(32, "body"))
		a.Expiry, a.Executed = r.u64("expiry"), r.flag("executed")
	case AccountApprove:
		a.Act, a.Executed = r.u64("act"), r.flag("executed")
	case AccountExpire:
		a.Act = r.u64("act")
	default:
		r.fail("operation %d is not known", a.Op)
	}
	return a, r.malformed("account act")
}
