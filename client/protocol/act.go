package protocol

import (
	"encoding/binary"
	"encoding/json"
)

// An act is the payload of an entry that is not an event: what was declared,
// decided or given up. Its first byte is the entry kind it belongs to.

// GapAct is the payload of an EntryGap: the sequences from the entry's own
// on that will never be sent.
type GapAct struct {
	Count uint64 `json:"count"`
}

// DeadLetterAct is the payload of an EntryDeadLetter: why a delivery was given up.
type DeadLetterAct struct {
	Code      Code   `json:"code"`
	GuestCode uint32 `json:"guestCode,omitempty"` // the contract's own code where Code is CodeContractAborted
}

// ContractAct is the payload of an EntryContract: what a transaction did.
type ContractAct struct {
	Kind         TxKind          `json:"kind"` // TxDeploy, TxUpgrade, TxCall or TxControl
	Contract     Address         `json:"contract"`
	Name         string          `json:"name"`                  // of the contract, the method called or the action
	CodeHash     Hash            `json:"codeHash,omitzero"`     // of a deployment or upgrade
	ManifestHash Hash            `json:"manifestHash,omitzero"` // of a deployment or upgrade
	Args         json.RawMessage `json:"args,omitempty"`        // as signed
	TxID         Hash            `json:"txId"`                  // the transaction that asked
}

// TimerAct is the payload of an EntryTimer: a timer that fired.
type TimerAct struct {
	ID      uint64 `json:"id"`      // among the contract's timers
	Handler uint32 `json:"handler"` // index in the manifest's timers
	Data    []byte `json:"data,omitempty"`
}

// AppendBinary appends the act's canonical bytes.
func (a *TimerAct) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(EntryTimer)), a.ID)
	dst = binary.BigEndian.AppendUint32(dst, a.Handler)
	return appendBytes(dst, a.Data)
}

// AppendBinary appends the act's canonical bytes.
func (a *GapAct) AppendBinary(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(EntryGap)), a.Count)
}

// AppendBinary appends the act's canonical bytes.
func (a *DeadLetterAct) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(EntryDeadLetter)), uint32(a.Code))
	return binary.BigEndian.AppendUint32(dst, a.GuestCode)
}

// AppendBinary appends the act's canonical bytes.
func (a *ContractAct) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(EntryContract), byte(a.Kind))
	dst = append(dst, a.Contract[:]...)
	dst = append(dst, a.CodeHash[:]...)
	dst = append(dst, a.ManifestHash[:]...)
	dst = append(dst, a.TxID[:]...)
	dst = appendBytes(dst, a.Name)
	return appendBytes(dst, a.Args)
}

// DecodeAct reads an act: *GapAct, *DeadLetterAct, *ContractAct, *TimerAct,
// *MovementAct, *AccountAct, *GovernanceAct, *DisputeAct, *EraseAct, *SchemaAct
// or *ForeignAct.
// What it accepts is the act's one encoding.
func DecodeAct(payload []byte) (any, error) {
	r := reader{buf: payload}
	switch kind := EntryKind(r.u8("kind")); kind {
	case EntryGap:
		act := &GapAct{Count: r.u64("count")}
		return act, r.malformed("gap")
	case EntryDeadLetter:
		b := r.take(8, "codes")
		if err := r.malformed("dead letter"); err != nil {
			return nil, err
		}
		return &DeadLetterAct{Code: Code(binary.BigEndian.Uint32(b)), GuestCode: binary.BigEndian.Uint32(b[4:])}, nil
	case EntryContract:
		act := &ContractAct{Kind: TxKind(r.u8("transaction kind"))}
		copy(act.Contract[:], r.take(20, "contract"))
		copy(act.CodeHash[:], r.take(32, "code hash"))
		copy(act.ManifestHash[:], r.take(32, "manifest hash"))
		copy(act.TxID[:], r.take(32, "transaction id"))
		act.Name = r.string(MaxMethodName, "name")
		act.Args = append([]byte(nil), r.bytes(MaxArgsBytes, "arguments")...)
		if act.Kind < TxDeploy || act.Kind > TxControl {
			r.fail("transaction kind %d makes no contract act", act.Kind)
		}
		return act, r.malformed("contract act")
	case EntryTimer:
		act := &TimerAct{ID: r.u64("id")}
		if b := r.take(4, "handler"); b != nil {
			act.Handler = binary.BigEndian.Uint32(b)
		}
		act.Data = append([]byte(nil), r.bytes(MaxTimerData, "data")...)
		return act, r.malformed("timer")
	case EntryToken:
		return decodeMovement(&r)
	case EntryAccount:
		return decodeAccountAct(&r)
	case EntryErase:
		return decodeEraseAct(&r)
	case EntryForeign:
		return decodeForeignAct(&r)
	case EntrySchema:
		return decodeSchemaAct(&r)
	case EntryGovernance:
		return decodeGovernanceAct(&r)
	case EntryDispute:
		return decodeDisputeAct(&r)
	default:
		return nil, Refuse(CodeMalformed, "act: kind %d is not known", kind)
	}
}
