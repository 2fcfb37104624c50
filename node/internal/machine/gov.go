package machine

import (
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// govern does what a TxGovernance asks for.
func (x *execution) govern(c *checked, out *Outcome) error {
	act := protocol.GovernanceAct{By: c.sender, TxID: c.ID}
	out.First = x.b.LogSize()
	var err error
	switch body := c.Body.(type) {
	case *protocol.Propose:
		err = x.propose(c, body, act)
	case *protocol.Vote:
		err = x.vote(c, body, act)
	case *protocol.Withdraw:
		if err = governance.Withdraw(x.b.State(), body.Proposal, c.sender, x.block.Height); err == nil {
			act.Step, act.Proposal = protocol.GovWithdrawn, body.Proposal
			x.appendGovernance(c.sender, protocol.Blind(c.ID), body.Proposal, &act)
		}
	}
	if err != nil {
		out.First = 0
		return err
	}
	out.Entries = uint32(x.b.LogSize() - out.First)
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}

func (x *execution) appendGovernance(origin protocol.Address, blind protocol.Blind, cause uint64, act *protocol.GovernanceAct) {
	x.appendOwn(protocol.Entry{Kind: protocol.EntryGovernance, Origin: origin, Cause: cause}, blind, 0, act.AppendBinary(nil))
}

// propose keeps a proposal whose actions could be done now: one that could not
// is refused with the code of what stands in its way.
func (x *execution) propose(c *checked, body *protocol.Propose, act protocol.GovernanceAct) error {
	p := &protocol.Proposal{
		Index: x.b.LogSize(), Proposer: c.sender, Opened: x.block.Height, Expiry: body.Expiry, Title: body.Title, Actions: body.Actions,
		Blind: protocol.EmittedBlind(protocol.Blind(c.ID), protocol.NoCause),
	}
	child := x.b.State().Child()
	_, err := x.change(child, p)
	child.Discard()
	if err != nil {
		return err
	}
	if err := governance.Open(x.b.State(), p); err != nil {
		return err
	}
	act.Step, act.Title, act.Expiry, act.Actions = protocol.GovProposed, body.Title, body.Expiry, body.Actions
	x.appendGovernance(c.sender, protocol.Blind(c.ID), c.cause, &act)
	return nil
}

// change does a proposal's actions in a child of the state and answers the
// parameters they lead to.
func (x *execution) change(child *state.Overlay, p *protocol.Proposal) (genesis.Params, error) {
	params, err := x.Machine.params(x.b.Params()) // an earlier proposal of this block may have set some
	if err != nil {
		return params, err
	}
	c := governance.Change{
		State: child, ChainID: x.chainID, Height: x.block.Height, Proposal: p.Index, Params: params, Contract: x.suspend,
	}
	err = c.Apply(p.Actions)
	return c.Params, err
}

// vote counts a vote and, when more than two thirds of the weight agree, does
// what was proposed.
func (x *execution) vote(c *checked, body *protocol.Vote, act protocol.GovernanceAct) error {
	p, err := governance.Vote(x.b.State(), body.Proposal, c.sender, body.Yes, x.block.Height)
	if err != nil {
		return err
	}
	act.Step, act.Proposal, act.Yes, act.Tally = protocol.GovVoted, p.Index, body.Yes, p.Tally
	x.appendGovernance(c.sender, protocol.Blind(c.ID), p.Index, &act)
	if !p.Tally.Passes() {
		return nil
	}
	return x.enact(p)
}

// enact does what a proposal that passed says: all of it, or nothing, and the
// entry says why.
func (x *execution) enact(p *protocol.Proposal) error {
	act := protocol.GovernanceAct{Step: protocol.GovPassed, Proposal: p.Index, Tally: p.Tally}
	child := x.b.State().Child()
	params, err := x.change(child, p)
	code, whole := protocol.CodeOf(err)
	switch {
	case !whole:
		child.Discard()
		return err
	case err != nil:
		child.Discard()
		act.Step, act.Code, p.Code = protocol.GovFailed, code, code
	default:
		child.Commit()
		x.governed = true
		x.b.SetParams(params.Canonical())
		if err := x.reloadBank(); err != nil {
			return err
		}
		if err := x.findSchemas(); err != nil {
			return err
		}
	}
	if err := governance.Close(x.b.State(), p, act.Step, x.block.Height); err != nil {
		return err
	}
	x.appendGovernance(protocol.Address{}, p.Blind, p.Index, &act)
	return nil
}

// suspend pauses a contract for the council, or lets it go on as far as its
// author does.
func (x *execution) suspend(s governance.State, address protocol.Address, paused bool) error {
	contract, err := x.Contract(s, address)
	if err != nil {
		return err
	}
	contract.setPaused(pausedByCouncil, paused)
	return s.Set(key(prefixContract, address[:]), contract.record())
}

// expireProposal closes a proposal that did not pass in time.
func (x *execution) expireProposal(index uint64) error {
	p, err := governance.Expire(x.b.State(), index, x.block.Height)
	if err != nil {
		return faultOnly(err)
	}
	act := protocol.GovernanceAct{Step: protocol.GovExpired, Proposal: index, Tally: p.Tally}
	x.appendGovernance(protocol.Address{}, p.Blind, index, &act)
	return nil
}

// ErrRules marks a fault that only another program heals: the ledger goes on
// by rules that this one does not know.
var ErrRules = errors.New("the ledger goes on by rules that this program does not know")

// upgradeRules changes the version of the rules at the height that was voted
// for, or stops a program that does not know them.
func (x *execution) upgradeRules() error {
	p := x.params
	if p.UpgradeHeight == 0 || x.block.Height < p.UpgradeHeight {
		if p.Version > x.known {
			return fmt.Errorf("%w: version %d; this one knows version %d. Install a newer one: the data are fine", ErrRules, p.Version, x.known)
		}
		return nil
	}
	if p.UpgradeVersion > x.known {
		return fmt.Errorf("%w: the council decided that version %d holds from height %d; this one knows version %d. Install a newer one and start it: it goes on from here, the data are fine",
			ErrRules, p.UpgradeVersion, p.UpgradeHeight, x.known)
	}
	p.Version, p.UpgradeHeight, p.UpgradeVersion = p.UpgradeVersion, 0, 0
	x.params = p
	x.b.SetParams(p.Canonical())
	act := protocol.GovernanceAct{Step: protocol.GovUpgraded, Version: p.Version}
	x.appendGovernance(protocol.Address{}, protocol.Blind{}, protocol.NoCause, &act)
	return nil
}

// punish takes validators that signed two blocks at one height out of the set,
// and records it.
func (x *execution) punish() error {
	for _, m := range x.block.Misbehaviour {
		key, removed, known, err := governance.Bar(x.b.State(), m, x.block.Height, x.b.LogSize())
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		x.governed = true
		act := protocol.GovernanceAct{Step: protocol.GovEvidence, Validator: key, Height: m.Height, Removed: removed}
		x.appendGovernance(protocol.Address{}, protocol.Blind{}, protocol.NoCause, &act)
	}
	return nil
}

// updates are the changes to the validator set that CometBFT is told of.
func (x *execution) updates() (err error) {
	if x.governed {
		x.result.Validators, err = governance.Updates(x.b.State(), x.block.Height)
	}
	return err
}

// governs says whether a body is one that a halted ledger accepts: governance,
// also by the members of an account that has a seat. What an approval is of
// is seen when it is executed.
func governs(body protocol.Body) bool {
	switch body := body.(type) {
	case *protocol.ProposeAct:
		return governs(body.Body)
	case *protocol.ApproveAct:
		return true
	}
	return body.Kind() == protocol.TxGovernance
}

// dispute does what a TxDispute asks for.
func (x *execution) dispute(c *checked, out *Outcome) error {
	s, index := x.b.State(), x.b.LogSize()
	act := protocol.DisputeAct{By: c.sender, TxID: c.ID}
	var cause uint64
	var err error
	switch body := c.Body.(type) {
	case *protocol.Raise:
		act.Entry, act.Text, cause = body.Entry, body.Text, body.Entry
		err = governance.Raise(s, &protocol.DisputeRecord{Index: index, Entry: body.Entry, By: c.sender}, index)
	case *protocol.Resolve:
		act.Dispute, act.Ruling, act.Text, cause = body.Dispute, body.Ruling, body.Text, body.Dispute
		act.Entry, err = x.resolveDispute(c, body, index)
	}
	if err != nil {
		return err
	}
	x.appendOwn(protocol.Entry{Kind: protocol.EntryDispute, Origin: c.sender, Cause: cause}, protocol.Blind(c.ID), 0, act.AppendBinary(nil))
	out.First, out.Entries = index, 1
	return s.Set(replayKey(c.Tx), []byte{1})
}

func (x *execution) resolveDispute(c *checked, body *protocol.Resolve, index uint64) (disputed uint64, err error) {
	d, err := governance.Dispute(x.b.State(), body.Dispute)
	if err != nil {
		return 0, err
	}
	entry, err := x.entryAt(d.Entry)
	if err != nil {
		return 0, err
	}
	return d.Entry, governance.Resolve(x.b.State(), d, c.sender, entry.Origin, body.Ruling, index)
}

// mayDispute: whoever has a role may dispute an entry, and an arbiter resolve.
func mayDispute(party *membership.Party, body protocol.Body) error {
	if _, resolves := body.(*protocol.Resolve); resolves {
		return party.Require(membership.Arbiter)
	}
	if party.Roles == 0 {
		return protocol.Refuse(protocol.CodeUnauthorized, "account %s has no role", party.Address)
	}
	return nil
}
