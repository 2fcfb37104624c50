package machine

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Balance reads what an account has, this run's own movements included.
func (h *host) Balance(asset string, account protocol.Address) (uint64, error) {
	return balanceOf(h.state, asset, account)
}

// Token does an operation on behalf of the running contract.
func (h *host) Token(op *protocol.TokenOp) (vm.TokenResult, error) {
	id, err := h.money().Apply(h.contract.Address, op)
	code, refused := protocol.CodeOf(err)
	if err != nil && !refused {
		return vm.TokenResult{}, faultOnly(err)
	}
	return vm.TokenResult{ID: id, Code: code}, nil
}

// money is the bank as the run sees it, once it asks.
func (h *host) money() *bank.Bank {
	if h.bank == nil {
		h.bank = bank.New(h.state, uint64(h.x.block.TimeMs))
		h.bank.Origin = origin(h.cause, h.blind)
	}
	return h.bank
}

// Balance reads what an account has at the queried height.
func (h *queryHost) Balance(asset string, account protocol.Address) (uint64, error) {
	return balanceOf(h.state, asset, account)
}

func balanceOf(s State, asset string, account protocol.Address) (uint64, error) {
	balance, err := bank.ReadBalance(s, account, asset)
	return balance.Amount, err
}

// take adds what a contract that this one called has moved.
func (h *host) take(callee *host) {
	if callee.bank != nil && len(callee.bank.Moves) > 0 {
		h.money().Moves = append(h.money().Moves, callee.bank.Moves...)
	}
}

// appendMovements puts what a run moved into the log. Debits are netted with
// the like ones of the block.
func (x *execution) appendMovements(h *host, hop uint8) {
	if h.bank == nil {
		return
	}
	for i := range h.bank.Moves {
		m := &h.bank.Moves[i]
		if m.Kind == protocol.TokenDebit && m.Memo == "" {
			x.net(&m.MovementAct, m.Blind, protocol.MovementPart{Index: m.Index, Count: 1, Each: m.Amount})
			continue
		}
		x.appendMove(&m.MovementAct, m.Index, m.Blind, hop)
	}
}
