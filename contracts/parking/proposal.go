package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// proposers maps an address that may propose prices to how far one proposal
// may move a price, u32 cents.
var proposers = sdk.NewMap("proposer")

// adopted maps a lot and band to the week, i32, whose proposal was taken last.
var adopted = sdk.NewMap("adopted")

// callProposer lets an address propose, or with a limit of 0 no longer. Only
// the operator may.
func callProposer(r *sdk.Request) {
	address, limit := r.Bytes(), r.Uint()
	checkAddress(address)
	if !isOperator(r.Caller) {
		refuseSource()
	}
	if limit > maxCents {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a proposal moves a price by at most 100000000 cents")
	}
	if limit == 0 {
		proposers.Delete(address)
		return
	}
	var stored [4]byte
	sdk.PutU32(stored[:], uint32(limit))
	proposers.Set(address, stored[:])
}

// propose takes a price for the weeks after the last evaluated one: one
// proposal for each evaluation, within the ladder's floor and ceiling and
// within the proposer's own limit of the price in force.
func propose(e *sdk.Event) {
	band, week, price := e.Bytes(), e.Bytes(), e.Int()
	checkLot(e.Subject)
	limit := proposerLimit(e)
	if len(band) != 1 {
		refuseBand()
	}
	b := load(e.Subject, band[0])
	if !b.known {
		refuseBand()
	}
	var text [8]byte
	if !b.closed || string(week) != string(sdk.AppendISOWeek(text[:0], int64(b.closedWeek))) {
		sdk.Abort(codeStaleProposal, "STALE_PROPOSAL: a proposal answers the last evaluation, and names its week")
	}
	var taken [4]byte
	if _, found := adopted.GetInto(b.key, taken[:]); found && int32(sdk.U32(taken[:])) == b.closedWeek {
		sdk.Abort(codeStaleProposal, "STALE_PROPOSAL: a price was adopted for this evaluation already")
	}
	p := parameters()
	if price < p.floor || price > p.ceiling {
		sdk.Abort(codePriceLimit, "PRICE_LIMIT: the price is below the floor or above the ceiling")
	}
	before := b.price
	if step := price - int64(before); step > limit || step < -limit {
		sdk.Abort(codeStepLimit, "STEP_LIMIT: the price is farther from the one in force than this proposer may move it")
	}
	sdk.PutU32(taken[:], uint32(b.closedWeek))
	adopted.Set(b.key, taken[:])
	b.price = int32(price)
	if b.price != before {
		b.rememberFor(b.closedWeek)
		b.save()
	}
	b.emitAdopted(e.Index, before)
}

// proposerLimit answers how far the sender may move a price.
func proposerLimit(e *sdk.Event) int64 {
	var stored [4]byte
	if _, found := proposers.GetInto(e.Origin[:], stored[:]); !found {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: the operator lets addresses propose, by the call proposer")
	}
	return int64(sdk.U32(stored[:]))
}

func refuseBand() {
	sdk.Abort(codeNotFound, "NOT_FOUND: no reading of this lot and band came in yet")
}

func (b *lotBand) emitAdopted(proposal uint64, before int32) {
	var w sdk.JSON
	w.Object()
	b.name(&w)
	w.Key("week")
	week(&w, b.closed, b.closedWeek)
	w.Key("fromCents").Int(int64(before))
	w.Key("priceCents").Int(int64(b.price))
	w.Key("proposal").Uint(proposal)
	w.EndObject()
	sdk.Emit("parking.price.adopted.v1", b.lot(), w.Bytes())
}
