package machine

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// ownContract finds a contract the sender may govern: its author's.
func (x *execution) ownContract(c *checked, address protocol.Address) (*Contract, error) {
	contract, err := x.Contract(x.b.State(), address)
	if err == nil && contract.Author != c.sender {
		err = protocol.Refuse(protocol.CodeUnauthorized, "contract %s belongs to %s", contract.Manifest.Name, contract.Author)
	}
	return contract, err
}

// control pauses and resumes a contract, and decides about what it could not
// take.
func (x *execution) control(c *checked, ctl *protocol.Control, out *Outcome) error {
	contract, err := x.ownContract(c, ctl.Contract)
	if err != nil {
		return err
	}
	act := protocol.ContractAct{Kind: protocol.TxControl, Contract: contract.Address, Name: ctl.Action.String(), TxID: c.ID}
	cause := c.cause
	if ctl.Action.Indexed() {
		act.Args, cause = fmt.Appendf(nil, `{"index":%d}`, ctl.Index), ctl.Index
	}
	var redelivered *attempt
	switch ctl.Action {
	case protocol.ActionPause, protocol.ActionResume:
		if contract.paused&pausedByCouncil != 0 {
			return protocol.Refuse(protocol.CodeContractPaused, "the council paused contract %s", contract.Manifest.Name)
		}
		contract.setPaused(pausedByAuthor, ctl.Action == protocol.ActionPause)
		err = x.b.State().Set(key(prefixContract, contract.Address[:]), contract.record())
	case protocol.ActionRedeliver:
		redelivered, err = x.redeliver(c, contract, ctl.Index, out)
	case protocol.ActionSkip:
		err = x.skip(contract, ctl.Index)
	}
	if err != nil {
		return err
	}
	out.First = x.b.LogSize()
	x.appendOwn(protocol.Entry{Kind: protocol.EntryContract, Origin: c.sender, Cause: cause}, protocol.Blind(c.ID), 0, act.AppendBinary(nil))
	if redelivered != nil {
		x.appendEmissions(redelivered.host, ctl.Index, redelivered.payload)
	}
	out.Entries = uint32(x.b.LogSize() - out.First)
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}

// redeliver delivers a dead letter's entry again. When it fails again, the
// dead letter stays and the refusal says why.
func (x *execution) redeliver(c *checked, contract *Contract, index uint64, out *Outcome) (*attempt, error) {
	if contract.Paused {
		return nil, protocol.Refuse(protocol.CodeContractPaused, "contract %s is paused", contract.Manifest.Name)
	}
	dead := key(prefixDead, contract.Address[:], u64(index))
	if _, there, err := x.b.State().Get(dead); err != nil || !there {
		if err == nil {
			err = protocol.Refuse(protocol.CodeNotDead, "entry %d is no dead letter of contract %s", index, contract.Manifest.Name)
		}
		return nil, err
	}
	entry, err := x.entryAt(index)
	if err != nil {
		return nil, err
	}
	a, err := x.attempt(contract, index, entry)
	if err != nil {
		return nil, err
	}
	out.Gas = a.gas
	x.log(contract.Address, index, c.ID, a.result)
	if a.result.Code != protocol.CodeOK {
		a.host.state.Discard()
		out.GuestCode = a.result.GuestCode
		if err := x.b.State().Set(replayKey(c.Tx), []byte{1}); err != nil { // it ran: its outcome stands
			return nil, err
		}
		return nil, protocol.Refuse(a.result.Code, "contract %s: %s", contract.Manifest.Name, guestText(a.result))
	}
	a.host.state.Commit()
	return a, x.b.State().Delete(dead)
}

// skip drops a dead letter, or moves the cursor past the entry that is being
// retried.
func (x *execution) skip(contract *Contract, index uint64) error {
	overlay := x.b.State()
	dead := key(prefixDead, contract.Address[:], u64(index))
	if _, there, err := overlay.Get(dead); err != nil {
		return err
	} else if there {
		return overlay.Delete(dead)
	}
	at, err := readCursor(overlay, contract.Address)
	if err != nil {
		return err
	}
	if at == nil || at.index != index || at.attempts == 0 {
		return protocol.Refuse(protocol.CodeNotDead, "contract %s neither gave up entry %d nor is retrying it", contract.Manifest.Name, index)
	}
	return overlay.Set(key(prefixCursor, contract.Address[:]), (&cursor{index: index + 1}).record())
}
