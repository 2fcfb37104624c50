package protocol

import (
	"encoding/binary"
	"math"
)

// MaxMovementParts bounds the parts of one movement; what is netted beyond
// them is another movement.
const MaxMovementParts = 1_024

// MovementPart is a share of a netted movement: so many entries of the log in
// a row, from an index on, each of which led to the same amount.
type MovementPart struct {
	Index uint64 `json:"index"`
	Count uint64 `json:"count"`
	Each  uint64 `json:"each,string"`
}

// MovementAct is the payload of an EntryToken: units that moved, or terms of
// the bank that changed. Issues, allowances, freezes and the like move nothing.
type MovementAct struct {
	Kind   TokenKind `json:"kind"`
	Asset  string    `json:"asset"`
	From   Address   `json:"from,omitzero"` // whose balance, hold or stream it left; none for a mint
	To     Address   `json:"to,omitzero"`   // who got it; none for a burn, or what is held
	By     Address   `json:"by,omitzero"`   // who made it happen; none where the ledger itself did
	Amount uint64    `json:"amount,string"`
	Rest   uint64    `json:"rest,omitempty,string"` // what went back to From from a hold or stream
	ID     uint64    `json:"id,omitempty"`          // of the hold, stream or schedule
	TxID   Hash      `json:"txId,omitzero"`         // of the transaction that asked; zero in a delivery
	Memo   string    `json:"memo,omitempty"`
	// Terms is the operation as it was asked for, where it set terms.
	Terms *TokenOp `json:"terms,omitempty"`
	// Parts are what a netted movement is the sum of, by the entries that led
	// to it. The entry's cause is the first one.
	Parts []MovementPart `json:"parts,omitempty"`
}

// AppendBinary appends the act's canonical bytes.
func (a *MovementAct) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(EntryToken), byte(a.Kind))
	dst = appendBytes(dst, a.Asset)
	dst = append(append(append(dst, a.From[:]...), a.To[:]...), a.By[:]...)
	for _, n := range [...]uint64{a.Amount, a.Rest, a.ID} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = append(dst, a.TxID[:]...)
	dst = appendBytes(dst, a.Memo)
	dst = append(dst, flagByte(a.Terms != nil))
	if a.Terms != nil {
		dst = a.Terms.AppendBinary(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(a.Parts)))
	after := uint64(0)
	for _, p := range a.Parts {
		dst = binary.AppendUvarint(dst, p.Index-after)
		dst = binary.AppendUvarint(dst, p.Count)
		dst = binary.AppendUvarint(dst, p.Each)
		after = p.Index
	}
	return dst
}

// decodeMovement reads what follows the entry kind.
func decodeMovement(r *reader) (*MovementAct, error) {
	a := &MovementAct{Kind: TokenKind(r.u8("kind"))}
	a.Asset = r.string(MaxAssetSymbol, "asset")
	copy(a.From[:], r.take(20, "from"))
	copy(a.To[:], r.take(20, "to"))
	copy(a.By[:], r.take(20, "by"))
	a.Amount, a.Rest = r.uvarint(MaxAmount, "amount"), r.uvarint(MaxAmount, "rest")
	a.ID = r.uvarint(math.MaxUint64, "id")
	copy(a.TxID[:], r.take(32, "transaction id"))
	a.Memo = r.string(MaxMemo, "memo")
	if r.flag("terms") {
		op, err := decodeTokenOp(r)
		if err != nil {
			return nil, err
		}
		a.Terms = &op
	}
	sum, after := uint64(0), uint64(0)
	for range r.uvarint(MaxMovementParts, "parts") {
		p := MovementPart{Index: r.uvarint(math.MaxUint64, "part"), Count: r.uvarint(math.MaxUint32, "count"), Each: r.uvarint(MaxAmount, "each")}
		p.Index += after // ascending: a difference that wraps ends below
		if p.Index < after || p.Count == 0 || p.Each != 0 && p.Count > (MaxAmount-sum)/p.Each {
			r.fail("parts: out of order, empty or over the amount")
			break
		}
		sum, after = sum+p.Count*p.Each, p.Index
		a.Parts = append(a.Parts, p)
	}
	if _, known := tokenKindNames[a.Kind]; !known || len(a.Parts) > 0 && sum != a.Amount {
		r.fail("kind %d is not known, or the parts do not add up", a.Kind)
	}
	return a, r.malformed("movement")
}
