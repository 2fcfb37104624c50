package bank

import (
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// stream sets units aside that flow to somebody with time. Nothing moves by
// itself until all has flowed: either party settles when it likes.
func (b *Bank) stream(by protocol.Address, op *protocol.TokenOp) (uint64, error) {
	t := &protocol.TokenTerms{
		Kind: protocol.TokenStream, Asset: op.Asset, From: by, To: op.Account, Amount: op.Amount,
		Rate: op.Rate, StartMs: op.StartMs, PeriodMs: op.PeriodMs, Memo: op.Memo,
	}
	if t.StartMs == 0 {
		t.StartMs = b.timeMs
	}
	var ok bool
	switch t.UntilMs, ok = flowedAll(t); {
	case op.Account == by:
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "a stream to its payer")
	case t.StartMs < b.timeMs:
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "a stream from %d ms on, it is %d", t.StartMs, b.timeMs)
	case !ok:
		return 0, protocol.Refuse(protocol.CodeTokenTerms, "a stream of %d that flows at %d in %d ms never ends", t.Amount, t.Rate, t.PeriodMs)
	}
	if err := noKey(b.state, op.Account); err != nil {
		return 0, err
	}
	if err := b.room(by); err != nil {
		return 0, err
	}
	was, err := b.payable(by, op.Asset, op.Amount)
	if err != nil {
		return 0, err
	}
	if err := b.open(t, was, t.UntilMs); err != nil {
		return 0, err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: t.Asset, From: by, To: t.To, By: by, Amount: t.Amount, ID: t.ID, Memo: t.Memo, Terms: op})
	return t.ID, nil
}

// flowedAll is the first millisecond in which all of a stream has flowed.
func flowedAll(t *protocol.TokenTerms) (uint64, bool) {
	high, low := bits.Mul64(t.Amount, t.PeriodMs)
	low, carry := bits.Add64(low, t.Rate-1, 0)
	if high += carry; high >= t.Rate {
		return 0, false
	}
	ms, _ := bits.Div64(high, low, t.Rate)
	return t.StartMs + ms, ms <= 2*protocol.MaxTokenMs
}

// flowing finds a stream that the sender is a party of.
func (b *Bank) flowing(by protocol.Address, id uint64) (*protocol.TokenTerms, error) {
	t, err := ReadTerms(b.state, protocol.TokenStream, id)
	if err == nil && by != t.From && by != t.To {
		err = protocol.Refuse(protocol.CodeNotController, "stream %d is from %s to %s", id, t.From, t.To)
	}
	return t, err
}

// settle pays what has flowed and was not paid yet.
func (b *Bank) settle(by protocol.Address, op *protocol.TokenOp) error {
	t, err := b.flowing(by, op.ID)
	if err != nil {
		return err
	}
	flowed := t.Flowed(b.timeMs)
	if flowed == t.Paid {
		return protocol.Refuse(protocol.CodeFunds, "stream %d has nothing to pay yet", t.ID)
	}
	return b.payStream(by, t, flowed)
}

// payStream pays a stream up to what has flowed, and ends it when that is all.
func (b *Bank) payStream(by protocol.Address, t *protocol.TokenTerms, flowed uint64) error {
	amount := flowed - t.Paid
	b.note(protocol.MovementAct{Kind: protocol.TokenSettle, Asset: t.Asset, From: t.From, To: t.To, By: by, Amount: amount, ID: t.ID, Memo: t.Memo})
	b.count(t.Asset, -amount)
	if err := b.credit(t.To, t.Asset, amount); err != nil {
		return err
	}
	if t.Paid = flowed; t.Paid == t.Amount {
		return b.close(t, t.UntilMs)
	}
	return b.putTerms(t)
}

// stop pays what has flowed; the rest goes back.
func (b *Bank) stop(by protocol.Address, op *protocol.TokenOp) error {
	t, err := b.flowing(by, op.ID)
	if err != nil {
		return err
	}
	amount, rest := t.Flowed(b.timeMs)-t.Paid, t.Amount-t.Flowed(b.timeMs)
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: t.Asset, From: t.From, To: t.To, By: by, Amount: amount, Rest: rest, ID: t.ID, Memo: t.Memo})
	b.count(t.Asset, -(amount + rest))
	if err := b.credit(t.To, t.Asset, amount); err != nil {
		return err
	}
	if err := b.credit(t.From, t.Asset, rest); err != nil {
		return err
	}
	return b.close(t, t.UntilMs)
}
