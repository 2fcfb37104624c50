// Escrow is a contract that holds a payer's money until a project is completed:
// then it pays. At the deadline the money goes back; in a dispute a named
// arbiter decides. README.md has the rules. The money is in the ledger's bank:
// this contract only decides about holds.
package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Codes of refused deliveries. README.md explains each.
const (
	codeBadTerms      = 1 // BAD_TERMS
	codeProjectExists = 2 // PROJECT_EXISTS
	codeNoProject     = 3 // NO_PROJECT
	codeNotAllowed    = 4 // NOT_ALLOWED
	codeEnded         = 5 // ENDED
	codeDisputed      = 6 // DISPUTED
	codeNotDisputed   = 7 // NOT_DISPUTED
	codeUnfunded      = 8 // UNFUNDED
	codeBadState      = 9 // BAD_STATE
)

// Bounds of what an agreement says.
const (
	maxName       = 64
	maxAheadMs    = 10 * 366 * 86400 * 1000
	arbitration   = 30 * 86400
	maxArbitrated = 366 * 86400
	maxListed     = 100
)

type address = [abi.AddressBytes]byte

var deadline sdk.TimerHandler

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnEvent("project.completed.v1", completed)
	sdk.OnCall("open", open)
	sdk.OnCall("dispute", dispute)
	sdk.OnCall("resolve", resolve)
	sdk.OnCall("waive", waive)
	deadline = sdk.OnTimer("deadline", passed)
	sdk.OnQuery("agreement", queryAgreement)
	sdk.OnQuery("agreements", queryAgreements)
}

func main() {}

// open holds the caller's money, for which the caller gave the contract an
// allowance.
func open(r *sdk.Request) {
	project, asset, amount := r.Text(), r.Text(), r.Uint()
	a := &agreement{asset: asset, amount: amount, payer: r.Caller, openedMs: r.TimeMs}
	readAddress(r, &a.payee)
	readAddress(r, &a.reporter)
	readAddress(r, &a.arbiter)
	deadlineNs := r.Int()
	a.arbitrationSec = r.UintOr(arbitration)
	a.deadlineMs = uint64(deadlineNs) / 1e6
	checkTerms(project, a, deadlineNs)
	if agreements.Has(project) {
		sdk.Abort(codeProjectExists, "PROJECT_EXISTS: there is an agreement of this name, ended or not")
	}
	hold, code := sdk.Hold(asset, a.payer, int64(amount), 0)
	if code != sdk.TokensDone {
		sdk.Abort(codeUnfunded, refusal(code))
	}
	a.hold = hold
	a.timer = deadline.AtTime(a.deadlineMs, []byte(project))
	a.save(project)
	a.tell("escrow.opened.v1", project)
}

func checkTerms(project string, a *agreement, deadlineNs int64) {
	var nobody address
	switch {
	case len(project) == 0 || len(project) > maxName, len(a.asset) == 0 || len(a.asset) > 12:
	case a.amount == 0 || a.amount > 1<<63-1:
	case a.payee == nobody || a.payee == a.payer || a.arbiter == nobody || a.reporter == nobody:
	case a.arbiter == a.payer || a.arbiter == a.payee || a.reporter == a.payee:
	case deadlineNs < 0 || a.deadlineMs <= a.openedMs || a.deadlineMs > a.openedMs+maxAheadMs:
	case a.arbitrationSec == 0 || a.arbitrationSec > maxArbitrated:
	default:
		return
	}
	sdk.Abort(codeBadTerms, "BAD_TERMS: a name, an amount, different parties and a deadline to come are needed")
}

// readAddress reads a field of 20 bytes; another size leaves nobody.
func readAddress(r *sdk.Request, to *address) {
	if b := r.Bytes(); len(b) == len(to) {
		copy(to[:], b)
	}
}

// completed pays: the reporter says that the project, the event's subject, is done.
func completed(e *sdk.Event) {
	project := string(e.Subject)
	a := mustFind(project)
	if e.Origin != a.reporter {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: another account than the agreement's reporter")
	}
	if a.state == stateReleased {
		return // said once more
	}
	a.mustBeOpen()
	a.release(a.amount)
	a.end(stateReleased, project)
	a.tell("escrow.released.v1", project)
}

// dispute stops the deadline: only the arbiter decides, or the time the
// arbiter has runs out.
func dispute(r *sdk.Request) {
	project := r.Text()
	a := mustFind(project)
	if r.Caller != a.payer && r.Caller != a.payee {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: only the payer and the payee can dispute")
	}
	a.mustBeOpen()
	sdk.CancelTimer(a.timer)
	a.state, a.deadlineMs = stateDisputed, r.TimeMs+a.arbitrationSec*1000
	a.timer = deadline.AtTime(a.deadlineMs, []byte(project))
	a.save(project)
	a.tell("escrow.disputed.v1", project)
}

// resolve is the arbiter's word: so much for the payee, the rest for the payer.
func resolve(r *sdk.Request) {
	project, payeeAmount := r.Text(), r.Uint()
	a := mustFind(project)
	switch {
	case r.Caller != a.arbiter:
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: only the arbiter can resolve")
	case a.state == stateOpen:
		sdk.Abort(codeNotDisputed, "NOT_DISPUTED: there is nothing to resolve")
	case a.state != stateDisputed:
		sdk.Abort(codeEnded, "ENDED: the agreement has ended")
	case payeeAmount > a.amount:
		sdk.Abort(codeBadTerms, "BAD_TERMS: the payee cannot get more than is held")
	}
	a.release(payeeAmount)
	a.end(stateResolved, project)
	a.tell("escrow.resolved.v1", project)
}

// waive is the payee giving up: the money goes back.
func waive(r *sdk.Request) {
	project := r.Text()
	a := mustFind(project)
	if r.Caller != a.payee {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: only the payee can waive")
	}
	if a.state > stateDisputed {
		sdk.Abort(codeEnded, "ENDED: the agreement has ended")
	}
	a.release(0)
	a.end(stateWaived, project)
	a.tell("escrow.waived.v1", project)
}

// passed is a deadline that has passed: the project's, or the arbiter's.
func passed(t *sdk.Timer) {
	project := string(t.Data)
	a := mustFind(project)
	if a.state > stateDisputed || a.timer != t.ID {
		return // it ended in the same block
	}
	a.timer = 0
	a.release(0)
	a.end(stateRefunded, project)
	a.tell("escrow.refunded.v1", project)
}
