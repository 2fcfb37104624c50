package bank

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Fees are what the ledger takes for its work; there are none until they are set.
type Fees struct {
	Asset    string           `json:"asset"`
	To       protocol.Address `json:"to"`
	PerEvent uint64           `json:"perEvent,string"` // of a batch, paid by its producer
	// PerMillionGas is paid by who signed a deployment, upgrade or call, and for
	// deliveries by the contract's own account, as far as that goes. Rounded up.
	PerMillionGas uint64 `json:"perMillionGas,string"`
}

// SetFees sets the fees from the next transaction on; nil or zero ones end
// them. Governance calls it. A refusal carries a code.
func SetFees(s State, f *Fees) error {
	if f == nil || f.PerEvent == 0 && f.PerMillionGas == 0 {
		return s.Delete(own(keyFees))
	}
	switch {
	case f.To == protocol.Address{}:
		return protocol.Refuse(protocol.CodeTokenTerms, "fees for nobody")
	case f.PerEvent > protocol.MaxAmount/protocol.MaxBatchEvents || f.PerMillionGas > protocol.MaxAmount:
		return protocol.Refuse(protocol.CodeAmount, "a fee of %d an event, %d a million gas", f.PerEvent, f.PerMillionGas)
	}
	if _, err := ReadAsset(s, f.Asset); err != nil {
		return err
	}
	if err := noKey(s, f.To); err != nil {
		return err
	}
	out := append(make([]byte, 0, 48), f.To[:]...)
	out = binary.BigEndian.AppendUint64(out, f.PerEvent)
	out = binary.BigEndian.AppendUint64(out, f.PerMillionGas)
	return s.Set(own(keyFees), append(out, f.Asset...))
}

// ReadFees answers the fees in force, or nil.
func ReadFees(s Reader) (*Fees, error) {
	value, ok, err := s.Get(own(keyFees))
	if err != nil || !ok {
		return nil, err
	}
	f, err := decodeFees(value)
	if err != nil {
		return nil, damaged(own(keyFees), err)
	}
	return f, nil
}

func decodeFees(value []byte) (*Fees, error) {
	if len(value) < 36 {
		return nil, fmt.Errorf("%d bytes", len(value))
	}
	return &Fees{
		To: protocol.Address(value), PerEvent: binary.BigEndian.Uint64(value[20:]),
		PerMillionGas: binary.BigEndian.Uint64(value[28:]), Asset: string(value[36:]),
	}, nil
}

// ForGas is the fee for some gas: rounded up, and at most MaxAmount.
func (f *Fees) ForGas(gas uint64) uint64 {
	high, low := bits.Mul64(gas, f.PerMillionGas)
	low, carry := bits.Add64(low, 999_999, 0)
	if high += carry; high >= 1_000_000 {
		return protocol.MaxAmount
	}
	fee, _ := bits.Div64(high, low, 1_000_000)
	return min(fee, protocol.MaxAmount)
}

// Reservation is units that were taken from a payer before the price was known.
type Reservation struct {
	fees   Fees
	payer  protocol.Address
	amount uint64
}

// Reserve takes the most that something may cost, or refuses. Settle follows in
// the same transaction.
func (b *Bank) Reserve(f *Fees, payer protocol.Address, amount uint64) (*Reservation, error) {
	r := &Reservation{*f, payer, amount}
	if amount == 0 || payer == f.To {
		r.amount = 0
		return r, nil
	}
	was, err := b.payable(payer, f.Asset, amount)
	if err != nil {
		return nil, err
	}
	b.count(f.Asset, amount) // until it is settled, it is held
	err = b.setAmount(payer, f.Asset, was, was.Amount-amount)
	return r, b.assert(protocol.TokenFee, err)
}

// ForGas is the fee for some gas at the reservation's price.
func (r *Reservation) ForGas(gas uint64) uint64 { return r.fees.ForGas(gas) }

// Settle takes what it did cost and gives the rest back.
func (b *Bank) Settle(r *Reservation, amount uint64) error {
	if amount = min(amount, r.amount); r.amount == 0 {
		return nil
	}
	b.count(r.fees.Asset, -r.amount)
	if err := b.credit(r.payer, r.fees.Asset, r.amount-amount); err != nil {
		return err
	}
	if err := b.assert(protocol.TokenFee, b.credit(r.fees.To, r.fees.Asset, amount)); err != nil {
		return err
	}
	if amount > 0 {
		b.note(protocol.MovementAct{Kind: protocol.TokenFee, Asset: r.fees.Asset, From: r.payer, To: r.fees.To, Amount: amount})
	}
	return nil
}

// Take takes a fee as far as the payer's units go: what was delivered is not
// undone for it.
func (b *Bank) Take(f *Fees, payer protocol.Address, amount uint64) error {
	was, err := b.balance(payer, f.Asset)
	if err != nil || was.Frozen {
		return err
	}
	r, err := b.Reserve(f, payer, min(amount, was.Amount))
	if err != nil {
		return err
	}
	return b.Settle(r, r.amount)
}
