package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// state is how far an agreement is. The last four are ends.
type state uint8

const (
	stateOpen state = iota
	stateDisputed
	stateReleased
	stateRefunded
	stateResolved
	stateWaived
)

var stateNames = [...]string{"open", "disputed", "released", "refunded", "resolved", "waived"}

// agreement is who gets a payer's money, and when.
type agreement struct {
	state                           state
	asset                           string
	amount                          uint64 // held, of which
	paid                            uint64 // went to the payee
	payer, payee, reporter, arbiter address
	hold, timer                     uint64
	openedMs, deadlineMs            uint64 // the arbiter's in a dispute
	arbitrationSec                  uint64
}

// The table keeps pointers: an agreement by value is more parameters than a
// WebAssembly function may have.
func agreementFields(r *sdk.Record, p **agreement) {
	if *p == nil {
		*p = new(agreement)
	}
	a := *p
	r.U8((*uint8)(&a.state))
	r.Text(&a.asset)
	r.U64(&a.amount)
	r.U64(&a.paid)
	r.Fixed(a.payer[:])
	r.Fixed(a.payee[:])
	r.Fixed(a.reporter[:])
	r.Fixed(a.arbiter[:])
	r.U64(&a.hold)
	r.U64(&a.timer)
	r.U64(&a.openedMs)
	r.U64(&a.deadlineMs)
	r.U64(&a.arbitrationSec)
}

var agreements = sdk.NewTable("a", sdk.TextKey, sdk.RecordOf(1, agreementFields))

// mustFind aborts where there is no such agreement.
func mustFind(project string) *agreement {
	if len(project) > maxName {
		sdk.Abort(codeNoProject, "NO_PROJECT: a project's name has at most 64 bytes")
	}
	a, found := agreements.Get(project)
	if !found {
		sdk.Abort(codeNoProject, "NO_PROJECT: no agreement has this name")
	}
	return a
}

func (a *agreement) mustBeOpen() {
	switch a.state {
	case stateOpen:
	case stateDisputed:
		sdk.Abort(codeDisputed, "DISPUTED: the arbiter decides")
	default:
		sdk.Abort(codeEnded, "ENDED: the agreement has ended")
	}
}

func (a *agreement) save(project string) { agreements.Set(project, a) }

// release pays from the hold; the rest goes back to the payer. Nothing but this
// contract can end the hold, so it is there.
func (a *agreement) release(amount uint64) {
	code := uint32(0)
	if a.paid = amount; amount == 0 {
		code = sdk.Refund(a.hold)
	} else {
		code = sdk.Release(a.hold, a.payee, int64(amount))
	}
	if code != sdk.TokensDone {
		sdk.Abort(codeBadState, refusal(code))
	}
}

// end keeps how the agreement ended, and what it waits for no longer.
func (a *agreement) end(how state, project string) {
	if a.timer != 0 {
		sdk.CancelTimer(a.timer)
	}
	a.state, a.timer = how, 0
	a.save(project)
}

// refusal says why the bank would not, for the node's log.
func refusal(code uint32) string {
	switch code {
	case sdk.TokensFunds:
		return "UNFUNDED: the payer has less than the amount"
	case sdk.TokensFrozen:
		return "UNFUNDED: the payer's units are frozen"
	case sdk.TokensUnknown:
		return "UNFUNDED: there is no such asset"
	case sdk.TokensAllowance:
		return "UNFUNDED: the payer has not allowed the contract to debit the amount"
	}
	return "BAD_STATE: the hold cannot be released"
}
