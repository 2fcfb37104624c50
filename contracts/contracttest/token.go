package contracttest

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

// Token does operations on tokens for an account: all of them or none.
func (c *Contract) Token(account string, ops ...protocol.TokenOp) *Result {
	c.t.Helper()
	return c.decide("token operations of "+account, func() (sim.Outcome, error) { return c.sim.Token(account, ops...) })
}

// Issue has "author" issue an asset and give accounts so much of it each.
func (c *Contract) Issue(asset string, amount uint64, accounts ...string) {
	c.t.Helper()
	ops := []protocol.TokenOp{{Kind: protocol.TokenIssue, Asset: asset, Freezable: true}}
	for _, account := range accounts {
		ops = append(ops, protocol.TokenOp{Kind: protocol.TokenMint, Asset: asset, Account: Address(account), Amount: amount})
	}
	c.Token(sim.Author, ops...)
}

// Allow lets the contract debit an account up to an amount in all.
func (c *Contract) Allow(account, asset string, amount uint64) *Result {
	c.t.Helper()
	return c.Token(account, protocol.TokenOp{Kind: protocol.TokenAllow, Asset: asset, Account: c.address, Amount: amount})
}

// Balance is what an account or a contract has.
func (c *Contract) Balance(account protocol.Address, asset string) uint64 {
	c.t.Helper()
	amount, err := c.sim.Balance(account, asset)
	if err != nil {
		c.t.Fatal(err)
	}
	return amount
}

// WantBalance expects an account to have so much.
func (c *Contract) WantBalance(account, asset string, want uint64) {
	c.t.Helper()
	if got := c.Balance(Address(account), asset); got != want {
		c.t.Errorf("%s: %s has %d %s, expected %d", caller(), account, got, asset, want)
	}
}

// Movements lists what moved since a log index, as the log has it.
func (c *Contract) Movements(from uint64) (list []Movement) {
	c.t.Helper()
	for _, e := range c.log() {
		if act, ok := e.Act.(*protocol.MovementAct); ok && e.Index >= from {
			list = append(list, Movement{e.Index, e.Cause, act})
		}
	}
	return list
}

// Movement is an entry of the log.
type Movement struct {
	Index, Cause uint64
	*protocol.MovementAct
}
