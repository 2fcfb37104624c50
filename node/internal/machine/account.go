package machine

import (
	"crypto/sha256"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// account does what a TxAccount asks for.
func (x *execution) account(c *checked, out *Outcome) error {
	s, act := x.b.State(), protocol.AccountAct{Account: c.sender, TxID: c.ID}
	var err error
	switch body := c.Body.(type) {
	case *protocol.Rotate:
		act.Op, act.Key, act.From = protocol.AccountRotate, body.Key, body.From
		if err = bank.Unused(s, body.Key.Address()); err != nil {
			return err
		}
		err = membership.Rotate(s, x.chainID, &x.party, c.Signer, x.block.Height, body)
	case *protocol.Revoke:
		act.Op = protocol.AccountRevoke
		err = membership.Revoke(s, c.sender)
	case *protocol.CreateMultisig:
		act.Op, act.By, act.Name, act.Multisig = protocol.AccountCreate, c.sender, body.Name, &body.Multisig
		act.Account, err = membership.CreateMultisig(s, c.sender, body)
	case *protocol.ChangeMultisig:
		act.Op, act.Multisig = protocol.AccountChange, &body.Multisig
		err = membership.ChangeMultisig(s, &x.party, &body.Multisig)
	case *protocol.ProposeAct:
		return x.proposeAct(c, body, out)
	case *protocol.ApproveAct:
		return x.approveAct(c, body, out)
	}
	if err != nil {
		return err
	}
	out.First, out.Entries = x.appendAccount(c, act, c.cause), 1
	return s.Set(replayKey(c.Tx), []byte{1})
}

func (x *execution) appendAccount(c *checked, act protocol.AccountAct, cause uint64) (index uint64) {
	return x.appendOwn(protocol.Entry{Kind: protocol.EntryAccount, Origin: c.sender, Cause: cause}, protocol.Blind(c.ID), 0, act.AppendBinary(nil))
}

// proposeAct keeps what a member asks the others to do as their account, or
// does it, where nobody else has to agree.
func (x *execution) proposeAct(c *checked, p *protocol.ProposeAct, out *Outcome) error {
	s := x.b.State()
	group, err := membership.Members(s, p.Account, c.sender)
	if err != nil {
		return err
	}
	encoded, err := protocol.EncodeBody(p.Body)
	if err != nil {
		return err
	}
	step := protocol.AccountAct{
		Op: protocol.AccountPropose, Account: p.Account, By: c.sender, TxID: c.ID, Kind: p.Body.Kind(), Body: sha256.Sum256(encoded), Expiry: p.Expiry,
	}
	act := &membership.Act{
		Index: x.b.LogSize(), Account: p.Account, Proposer: c.sender, Expiry: p.Expiry, Blind: protocol.EmittedBlind(protocol.Blind(c.ID), protocol.NoCause),
		Approvals: []protocol.Address{c.sender},
	}
	if err := act.CheckExpiry(x.block.Height); err != nil {
		return err
	}
	if act.Enough(&group) {
		return x.actAs(c, &group, p.Body, act, step, out)
	}
	if err := membership.Propose(s, act, encoded); err != nil {
		return err
	}
	out.First, out.Entries = x.appendAccount(c, step, protocol.NoCause), 1
	return s.Set(replayKey(c.Tx), []byte{1})
}

// approveAct adds a member's approval, and executes the act when that makes
// enough of them. An act that is refused then waits on, without this approval.
func (x *execution) approveAct(c *checked, a *protocol.ApproveAct, out *Outcome) error {
	s := x.b.State()
	act, body, err := membership.ReadAct(s, a.Act)
	if err != nil {
		return err
	}
	group, err := membership.Members(s, act.Account, c.sender)
	if err != nil {
		return err
	}
	enough, err := act.Approve(&group, c.sender, x.block.Height)
	if err != nil {
		return err
	}
	step := protocol.AccountAct{Op: protocol.AccountApprove, Account: act.Account, By: c.sender, TxID: c.ID, Act: a.Act}
	if enough {
		return x.actAs(c, &group, body, act, step, out)
	}
	if err := act.Keep(s); err != nil {
		return err
	}
	out.First, out.Entries = x.appendAccount(c, step, a.Act), 1
	return s.Set(replayKey(c.Tx), []byte{1})
}

// actAs executes a body as an account of several members, within a member's
// transaction: its id, and what is remembered against replay, are that one's.
// The entries of what it did come first, then the step's.
func (x *execution) actAs(c *checked, group *membership.Party, body protocol.Body, act *membership.Act, step protocol.AccountAct, out *Outcome) error {
	if x.params.Halted && !governs(body) {
		return errHalted
	}
	if err := mayAsk(x.b.State(), group, body); err != nil {
		return err
	}
	tx, first := *c.Tx, x.b.LogSize()
	tx.Body = body
	own := &checked{Tx: &tx, sender: group.Address, size: c.size, cause: protocol.NoCause}
	if act.Index < first {
		own.cause = act.Index
	}
	member := x.party
	x.party = *group
	err := x.run(own, out)
	if x.party = member; err != nil {
		return err
	}
	if err := act.Drop(x.b.State()); err != nil {
		return err
	}
	step.Executed = true
	x.appendAccount(c, step, own.cause)
	out.First, out.Entries = first, uint32(x.b.LogSize()-first)
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}

// maxExpired bounds what a block lets expire; the rest follows in the next ones.
const maxExpired = 64

// expire ends what has waited too long.
func (x *execution) expire() error {
	s := x.b.State()
	for range maxExpired {
		due, err := membership.Due(s, x.block.Height, 1)
		if err != nil || len(due) == 0 {
			return err
		}
		end := x.expireProposal
		if due[0].What == membership.DeadlineAct {
			end = x.expireAct
		}
		if err := end(due[0].Index); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) expireAct(index uint64) error {
	act, _, err := membership.ReadAct(x.b.State(), index)
	if err != nil {
		return faultOnly(err)
	}
	if err := act.Drop(x.b.State()); err != nil {
		return err
	}
	step := protocol.AccountAct{Op: protocol.AccountExpire, Account: act.Account, Act: index}
	x.appendOwn(protocol.Entry{Kind: protocol.EntryAccount, Origin: act.Account, Cause: index}, act.Blind, 0, step.AppendBinary(nil))
	return nil
}
