package sim

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
)

// Token does operations on tokens for an account, in a block of its own: all of
// them or none. The error is a *Refused when the ledger refused them.
func (l *Ledger) Token(account string, ops ...protocol.TokenOp) (Outcome, error) {
	return l.act(account, &protocol.Token{Ops: ops})
}

// Balance is what an account or a contract has of an asset after the last block.
func (l *Ledger) Balance(account protocol.Address, asset string) (uint64, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return 0, fmt.Errorf("sim: %w", err)
	}
	b, err := bank.ReadBalance(view, account, asset)
	return b.Amount, err
}

// Hold finds a hold; a refusal says there is none.
func (l *Ledger) Hold(id uint64) (*protocol.TokenTerms, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return bank.ReadTerms(view, protocol.TokenHold, id)
}
