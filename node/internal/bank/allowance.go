package bank

import "github.com/cairn-ledger/cairn/client/protocol"

// ReadAllowance finds what a payer lets a spender debit; ok is false where there
// is nothing.
func ReadAllowance(s Reader, payer, spender protocol.Address, asset string) (a protocol.Allowance, ok bool, err error) {
	key := protocol.AllowanceKey(payer, spender, asset)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return a, false, err
	}
	if a, err = protocol.DecodeAllowance(value); err != nil {
		return a, false, damaged(key, err)
	}
	return a, true, nil
}

// allow grants an allowance, in the place of an older one. Its periods begin
// with this block.
func (b *Bank) allow(by protocol.Address, op *protocol.TokenOp) error {
	if _, err := b.asset(op.Asset); err != nil {
		return err
	}
	switch {
	case op.Account == by:
		return protocol.Refuse(protocol.CodeTokenTerms, "an allowance for the payer")
	case op.UntilMs != 0 && op.UntilMs <= b.timeMs:
		return protocol.Refuse(protocol.CodeTokenTerms, "an allowance until %d ms, it is %d", op.UntilMs, b.timeMs)
	}
	if err := noKey(b.state, op.Account); err != nil {
		return err
	}
	a := protocol.Allowance{Limit: op.Amount, PeriodMs: op.PeriodMs, StartMs: b.timeMs, UntilMs: op.UntilMs}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: by, To: op.Account, By: by, Terms: op})
	return b.state.Set(protocol.AllowanceKey(by, op.Account, op.Asset), a.AppendBinary(nil))
}

func (b *Bank) revoke(by protocol.Address, op *protocol.TokenOp) error {
	if _, ok, err := ReadAllowance(b.state, by, op.Account, op.Asset); err != nil || !ok {
		if err == nil {
			err = protocol.Refuse(protocol.CodeAllowance, "%s has no allowance of %s from %s", op.Account, op.Asset, by)
		}
		return err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: by, To: op.Account, By: by})
	return b.state.Delete(protocol.AllowanceKey(by, op.Account, op.Asset))
}

// allowed reads the allowance under which an amount may be debited, with the
// amount already used.
func (b *Bank) allowed(payer, spender protocol.Address, asset string, amount uint64) (protocol.Allowance, error) {
	a, ok, err := ReadAllowance(b.state, payer, spender, asset)
	if err != nil {
		return a, err
	}
	if !ok {
		return a, protocol.Refuse(protocol.CodeAllowance, "%s has no allowance of %s from %s", spender, asset, payer)
	}
	period, left := a.At(b.timeMs)
	if amount > left {
		return a, protocol.Refuse(protocol.CodeAllowance, "%s may debit %d %s of %s now, not %d", spender, left, asset, payer, amount)
	}
	a.Period, a.Used = period, a.Limit-left+amount
	return a, nil
}

func (b *Bank) putAllowance(payer, spender protocol.Address, asset string, a *protocol.Allowance) error {
	b.value = a.AppendBinary(b.value[:0])
	return b.state.Set(protocol.AllowanceKey(payer, spender, asset), b.value)
}

// debit pays somebody with the units of a payer who allowed it.
func (b *Bank) debit(by protocol.Address, op *protocol.TokenOp) error {
	if op.Account == op.From {
		return protocol.Refuse(protocol.CodeTokenTerms, "a debit to the payer")
	}
	a, err := b.allowed(op.From, by, op.Asset, op.Amount)
	if err != nil {
		return err
	}
	was, err := b.payable(op.From, op.Asset, op.Amount)
	if err != nil {
		return err
	}
	to, err := b.receivable(op.Account, op.Asset)
	if err != nil {
		return err
	}
	if err := b.putAllowance(op.From, by, op.Asset, &a); err != nil {
		return err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: op.From, To: op.Account, By: by, Amount: op.Amount, Memo: op.Memo})
	if err := b.setAmount(op.From, op.Asset, was, was.Amount-op.Amount); err != nil {
		return err
	}
	return b.add(op.Account, op.Asset, to, op.Amount)
}
