package governance

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

// Change is the actions of one proposal on their way into a state.
type Change struct {
	State    State
	ChainID  string
	Height   uint64
	Proposal uint64         // log index
	Params   genesis.Params // as the next block will have them
	// Contract pauses a contract for the council, or lets it go on.
	Contract func(s State, contract protocol.Address, paused bool) error
}

// Apply does all actions, in order. After a refusal the state is half changed
// and must be thrown away.
func (c *Change) Apply(actions []protocol.GovAction) error {
	for i := range actions {
		if err := c.action(&actions[i]); err != nil {
			return err
		}
	}
	if err := c.Params.Check(); err != nil {
		return protocol.Refuse(protocol.CodeProposalTerms, "%v", err)
	}
	return nil
}

func (c *Change) action(a *protocol.GovAction) error {
	switch a.Kind {
	case protocol.GovCouncil:
		return SetSeat(c.State, a.Account, a.Weight)
	case protocol.GovValidator:
		return SetPower(c.State, protocol.SetMember{Key: a.Validator, Power: a.Power, Name: a.Name}, c.Height, a.Force)
	case protocol.GovLogKey:
		return SetLogKey(c.State, a.Validator, a.LogKey, c.Height)
	case protocol.GovRoles:
		return c.roles(a)
	case protocol.GovQuota:
		return membership.SetQuota(c.State, a.Account, a.Quota)
	case protocol.GovParam:
		if err := c.Params.Set(a.Name, a.Value); err != nil {
			return protocol.Refuse(protocol.CodeProposalTerms, "%v", err)
		}
	case protocol.GovSchema:
		return registry.Decide(c.State, a, c.Proposal)
	case protocol.GovContract:
		return c.Contract(c.State, a.Contract, a.On)
	case protocol.GovCode:
		if !a.On {
			return c.State.Delete(protocol.CodeKey(a.Hash))
		}
		return c.State.Set(protocol.CodeKey(a.Hash), u64(c.Proposal))
	case protocol.GovUpgrade:
		return c.upgrade(a)
	case protocol.GovHalt:
		c.Params.Halted = a.On
	case protocol.GovRevoke:
		return c.revoke(a)
	case protocol.GovRecover:
		if err := bank.Unused(c.State, a.Key.Address()); err != nil {
			return err
		}
		return membership.Recover(c.State, c.ChainID, a.Account, a.Key, a.Proof)
	case protocol.GovNode:
		return c.node(a)
	case protocol.GovReward:
		return bank.SetReward(c.State, bank.Reward{Type: a.Name, Asset: a.Asset, From: a.Account, Each: a.Each, Limit: a.Limit, PeriodMs: a.PeriodMs})
	case protocol.GovLedger:
		return c.ledger(a)
	case protocol.GovSuspend:
		return c.suspendLedger(a)
	case protocol.GovFees:
		return bank.SetFees(c.State, &bank.Fees{Asset: a.Asset, To: a.Account, PerEvent: a.Each, PerMillionGas: a.Limit})
	}
	return nil
}

// roles sets an account's roles and grants. A seat in the council is not a
// matter of roles alone and stays as it is.
func (c *Change) roles(a *protocol.GovAction) error {
	account, err := membership.Own(c.State, a.Account)
	if err != nil {
		return err
	}
	account.Roles = account.Roles&membership.Council | a.Roles
	account.Grants = a.Grants
	return membership.Put(c.State, a.Account, &account)
}

func (c *Change) revoke(a *protocol.GovAction) error {
	account, err := membership.Own(c.State, a.Account)
	if err != nil {
		return err
	}
	account.Revoked = a.On
	return membership.Put(c.State, a.Account, &account)
}

func (c *Change) node(a *protocol.GovAction) error {
	if !a.On {
		return c.State.Delete(protocol.NodeKey(a.Node))
	}
	return c.State.Set(protocol.NodeKey(a.Node), []byte(a.Name))
}

// upgrade plans other rules, or calls the plan off. There is one at a time.
func (c *Change) upgrade(a *protocol.GovAction) error {
	if a.Height != 0 && (a.Height <= c.Height || a.Value <= c.Params.Version) {
		return protocol.Refuse(protocol.CodeProposalTerms, "version %d from height %d: must be over version %d and after height %d",
			a.Value, a.Height, c.Params.Version, c.Height)
	}
	c.Params.UpgradeHeight, c.Params.UpgradeVersion = a.Height, a.Value
	return nil
}

// Approved says whether the council approved code for upgrades.
func Approved(s Reader, code protocol.Hash) (bool, error) {
	_, ok, err := s.Get(protocol.CodeKey(code))
	return ok, err
}

// Admits says whether a node may be a peer: where no node is registered, every
// one may.
func Admits(s Lister, id protocol.NodeID) (bool, error) {
	if _, ok, err := s.Get(protocol.NodeKey(id)); err != nil || ok {
		return ok, err
	}
	any, err := s.Scan(protocol.GovKey(protocol.GovKeyNode), nil, 1)
	return len(any) == 0, err
}
