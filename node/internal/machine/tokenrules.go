package machine

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
)

// bankOf is the bank for what follows from one entry.
func (x *execution) bankOf(index uint64, blind protocol.Blind) *bank.Bank {
	b := bank.New(x.b.State(), uint64(x.block.TimeMs))
	b.Origin = origin(index, blind)
	return b
}

// eventFee takes the fee for a batch's events, the first of which will have
// this index, or refuses the batch.
func (x *execution) eventFee(c *checked, batch *protocol.Batch, first, count uint64) error {
	f := x.money.fees
	if f == nil || f.PerEvent == 0 || count == 0 {
		return nil
	}
	b := x.bankOf(first, batch.Blind(0))
	r, err := b.Reserve(f, c.sender, f.PerEvent*count)
	if err != nil {
		return err
	}
	if err := b.Settle(r, f.PerEvent*count); err != nil {
		return err
	}
	for _, m := range b.Moves {
		x.net(&m.MovementAct, m.Blind, protocol.MovementPart{Index: first, Count: count, Each: f.PerEvent})
	}
	return nil
}

// reward pays a producer for the events of a batch, which are the entries from
// first on, as far as the rewards go.
func (x *execution) reward(c *checked, batch *protocol.Batch, first uint64) error {
	if len(x.money.rewards) == 0 {
		return nil
	}
	runs := make([][]protocol.MovementPart, len(x.money.rewards))
	counts := make([]uint64, len(x.money.rewards))
	for i, e := range x.fresh[first-x.base:] {
		which, rewarded := x.money.rewardOf[e.Type]
		if !rewarded || e.Kind != protocol.EntryEvent {
			continue
		}
		index, each, run := first+uint64(i), x.money.rewards[which].Each, runs[which]
		if n := len(run); n > 0 && run[n-1].Index+run[n-1].Count == index {
			run[n-1].Count++
		} else {
			runs[which] = append(run, protocol.MovementPart{Index: index, Count: 1, Each: each})
		}
		counts[which]++
	}
	for which, count := range counts {
		if count == 0 {
			continue
		}
		b := x.bankOf(first, batch.Blind(0))
		paid, err := b.Pay(x.money.rewards[which], c.sender, count)
		if err != nil {
			return err
		}
		for _, m := range b.Moves {
			x.netParts(&m.MovementAct, m.Blind, cut(runs[which], paid))
		}
	}
	return nil
}

// cut keeps the first n entries of some runs.
func cut(runs []protocol.MovementPart, n uint64) []protocol.MovementPart {
	for i := range runs {
		runs[i].Count = min(runs[i].Count, n)
		if n -= runs[i].Count; n == 0 {
			return runs[:i+1]
		}
	}
	return runs
}

// netParts nets a movement of more parts than one entry has room for.
func (x *execution) netParts(m *protocol.MovementAct, blind protocol.Blind, parts []protocol.MovementPart) {
	for len(parts) > 0 {
		some := parts[:min(len(parts), protocol.MaxMovementParts)]
		share := *m
		share.Amount = 0
		for _, p := range some {
			share.Amount += p.Count * p.Each
		}
		x.net(&share, blind, some...)
		parts = parts[len(some):]
	}
}

// reserveGas takes the most that a transaction's runs may cost, or refuses it.
func (x *execution) reserveGas(c *checked) (*bank.Reservation, error) {
	f := x.money.fees
	if f == nil || f.PerMillionGas == 0 {
		return nil, nil
	}
	switch c.Body.Kind() {
	case protocol.TxDeploy, protocol.TxUpgrade, protocol.TxCall, protocol.TxControl:
		return x.bankOf(0, protocol.Blind{}).Reserve(f, c.sender, f.ForGas(x.params.DeliveryGas))
	case protocol.TxRelay:
		return x.bankOf(0, protocol.Blind{}).Reserve(f, c.sender, f.ForGas(relayGas(c)))
	}
	return nil, nil
}

// settleGas takes what a transaction's runs did cost, and gives the rest back.
func (x *execution) settleGas(r *bank.Reservation, c *checked, out *Outcome) error {
	if r == nil {
		return nil
	}
	b, cause := x.bankOf(x.b.LogSize(), protocol.Blind(c.ID)), protocol.NoCause
	if out.Entries > 0 {
		cause = out.First
	}
	if err := b.Settle(r, r.ForGas(out.Gas)); err != nil {
		return err
	}
	for _, m := range b.Moves {
		m.TxID = c.ID
		x.appendMove(&m.MovementAct, cause, m.Blind, 0)
	}
	return nil
}

// deliveryFee takes the fee for a delivery from the contract's own account, as
// far as that goes.
func (x *execution) deliveryFee(contract protocol.Address, index uint64, a *attempt) error {
	f := x.money.fees
	if f == nil || f.PerMillionGas == 0 {
		return nil
	}
	b := x.bankOf(index, a.payload.Blind)
	if err := b.Take(f, contract, f.ForGas(a.gas)); err != nil {
		return err
	}
	for _, m := range b.Moves {
		x.net(&m.MovementAct, m.Blind, protocol.MovementPart{Index: index, Count: 1, Each: m.Amount})
	}
	return nil
}
