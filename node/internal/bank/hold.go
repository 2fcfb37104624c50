package bank

import "github.com/cairn-ledger/cairn/client/protocol"

// hold sets units aside: the sender's own, or with an allowance somebody
// else's. Only its controller decides about them, until it expires.
func (b *Bank) hold(by protocol.Address, op *protocol.TokenOp) (uint64, error) {
	t := &protocol.TokenTerms{
		Kind: protocol.TokenHold, Asset: op.Asset, From: op.From, To: op.Account, Controller: op.Controller,
		Amount: op.Amount, UntilMs: op.UntilMs, Memo: op.Memo,
	}
	if t.From == (protocol.Address{}) {
		t.From = by
	}
	if t.Controller == (protocol.Address{}) {
		t.Controller = by
	}
	if t.UntilMs != 0 && t.UntilMs <= b.timeMs {
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "a hold until %d ms, it is %d", t.UntilMs, b.timeMs)
	}
	for _, party := range [...]protocol.Address{t.To, t.Controller} {
		if err := noKey(b.state, party); err != nil {
			return 0, err
		}
	}
	if err := b.room(t.From); err != nil {
		return 0, err
	}
	var a protocol.Allowance
	if t.From != by {
		var err error
		if a, err = b.allowed(t.From, by, op.Asset, op.Amount); err != nil {
			return 0, err
		}
	}
	was, err := b.payable(t.From, op.Asset, op.Amount)
	if err != nil {
		return 0, err
	}
	if t.From != by {
		if err := b.putAllowance(t.From, by, op.Asset, &a); err != nil {
			return 0, err
		}
	}
	if err := b.open(t, was, t.UntilMs); err != nil {
		return 0, err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: t.Asset, From: t.From, To: t.To, By: by, Amount: t.Amount, ID: t.ID, Memo: t.Memo, Terms: op})
	return t.ID, nil
}

// held finds a hold that has not expired.
func (b *Bank) held(id uint64) (*protocol.TokenTerms, error) {
	t, err := ReadTerms(b.state, protocol.TokenHold, id)
	if err == nil && t.UntilMs != 0 && t.UntilMs <= b.timeMs {
		err = protocol.Refuse(protocol.CodeTokenIDUnknown, "hold %d expired at %d ms", id, t.UntilMs)
	}
	return t, err
}

// release pays from a hold; the rest goes back to where it came from.
func (b *Bank) release(by protocol.Address, op *protocol.TokenOp) error {
	t, err := b.held(op.ID)
	switch {
	case err != nil:
		return err
	case t.Controller != by:
		return protocol.Refuse(protocol.CodeNotController, "hold %d is for %s to release", t.ID, t.Controller)
	case t.To != (protocol.Address{}) && t.To != op.Account:
		return protocol.Refuse(protocol.CodeNotController, "hold %d can only pay %s", t.ID, t.To)
	case op.Amount > t.Amount:
		return protocol.Refuse(protocol.CodeFunds, "hold %d has %d %s, this takes %d", t.ID, t.Amount, t.Asset, op.Amount)
	}
	if err := noKey(b.state, op.Account); err != nil {
		return err
	}
	rest := t.Amount - op.Amount
	b.note(protocol.MovementAct{
		Kind: op.Kind, Asset: t.Asset, From: t.From, To: op.Account, By: by, Amount: op.Amount, Rest: rest, ID: t.ID, Memo: op.Memo,
	})
	b.count(t.Asset, -t.Amount)
	if err := b.credit(op.Account, t.Asset, op.Amount); err != nil {
		return err
	}
	if err := b.credit(t.From, t.Asset, rest); err != nil {
		return err
	}
	return b.close(t, t.UntilMs)
}

// refund gives all of a hold back.
func (b *Bank) refund(by protocol.Address, op *protocol.TokenOp) error {
	t, err := b.held(op.ID)
	if err != nil {
		return err
	}
	if t.Controller != by {
		return protocol.Refuse(protocol.CodeNotController, "hold %d is for %s to refund before it expires", t.ID, t.Controller)
	}
	return b.giveBack(by, t)
}

func (b *Bank) giveBack(by protocol.Address, t *protocol.TokenTerms) error {
	b.note(protocol.MovementAct{Kind: protocol.TokenRefund, Asset: t.Asset, From: t.From, To: t.From, By: by, Amount: t.Amount, ID: t.ID})
	b.count(t.Asset, -t.Amount)
	if err := b.credit(t.From, t.Asset, t.Amount); err != nil {
		return err
	}
	return b.close(t, t.UntilMs)
}
