package bank

import "github.com/cairn-ledger/cairn/client/protocol"

// schedule promises payments at times to come. Nothing is set aside: one whose
// payer lacks the units then is missed, and not made up for.
func (b *Bank) schedule(by protocol.Address, op *protocol.TokenOp) (uint64, error) {
	t := &protocol.TokenTerms{
		Kind: protocol.TokenSchedule, Asset: op.Asset, From: by, To: op.Account, Amount: op.Amount,
		StartMs: op.StartMs, PeriodMs: op.PeriodMs, Count: op.Count, Memo: op.Memo,
	}
	if t.StartMs == 0 {
		t.StartMs = b.timeMs
	}
	switch {
	case op.Account == by:
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "payments to their payer")
	case t.StartMs < b.timeMs:
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "a first payment at %d ms, it is %d", t.StartMs, b.timeMs)
	}
	if _, err := b.asset(op.Asset); err != nil {
		return 0, err
	}
	if err := noKey(b.state, op.Account); err != nil {
		return 0, err
	}
	if err := b.room(by); err != nil {
		return 0, err
	}
	if err := b.open(t, protocol.Balance{}, t.StartMs); err != nil {
		return 0, err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: t.Asset, From: by, To: t.To, By: by, ID: t.ID, Memo: t.Memo, Terms: op})
	return t.ID, nil
}

func (b *Bank) unschedule(by protocol.Address, op *protocol.TokenOp) error {
	t, err := ReadTerms(b.state, protocol.TokenSchedule, op.ID)
	if err != nil {
		return err
	}
	if t.From != by && t.To != by {
		return protocol.Refuse(protocol.CodeNotController, "schedule %d is from %s to %s", t.ID, t.From, t.To)
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: t.Asset, From: t.From, To: t.To, By: by, ID: t.ID})
	return b.close(t, t.StartMs)
}

// payScheduled makes the payment that is due, or misses it.
func (b *Bank) payScheduled(t *protocol.TokenTerms, due uint64) error {
	move := protocol.MovementAct{Kind: protocol.TokenPayment, Asset: t.Asset, From: t.From, To: t.To, Amount: t.Amount, ID: t.ID, Memo: t.Memo}
	was, err := b.payable(t.From, t.Asset, t.Amount)
	if _, refused := protocol.CodeOf(err); err != nil && !refused {
		return err
	} else if err != nil {
		move.Kind = protocol.TokenMissed
	} else if err := b.pay(t.From, was, t.To, t.Asset, t.Amount); err != nil {
		return err
	}
	b.note(move)
	if t.Count--; t.Count == 0 {
		return b.close(t, due)
	}
	if err := b.clearDue(due, t.ID); err != nil {
		return err
	}
	t.StartMs += t.PeriodMs
	if err := b.setDue(t.StartMs, t); err != nil {
		return err
	}
	return b.putTerms(t)
}
