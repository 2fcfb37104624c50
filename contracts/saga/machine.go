package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// state is how far an order has come.
type state uint8

const (
	none      state = iota
	placed          // nothing is held; may wait for funds
	held            // the money is held; may wait for stock
	reserved        // so are the goods; waits for the carrier
	shipped         // the money is captured, the goods are under way
	delivered       // end: charged, with goods
	cancelled       // end, as all below: not charged
	expired
	rejected
	failed
)

var stateNames = [...]string{"none", "placed", "held", "reserved", "shipped",
	"delivered", "cancelled", "expired", "rejected", "failed"}

func (s state) ended() bool  { return s >= delivered }
func (s state) undone() bool { return s > delivered }

// trigger is what moves an order.
type trigger uint8

const (
	place    trigger = iota
	hold             // the account had the money
	noFunds          // it had not, and the order does not wait
	reserve          // the stock had the goods
	noStock          // it had not, and the order does not wait
	dispatch         // the carrier took the goods
	deliver          // the customer has them
	fail             // the carrier could not deliver and has brought back what it had taken
	lose             // the carrier could not deliver and does not bring it back
	cancel
	expire
)

var triggerNames = [...]string{"place", "hold", "no-funds", "reserve", "no-stock",
	"dispatch", "deliver", "fail", "lose", "cancel", "expire"}

// transitions are all there are. Before its goods have left, an order can be
// given up at any moment; after that only the carrier or the clock ends it.
var transitions = [...]struct {
	from state
	by   trigger
	to   state
}{
	{none, place, placed},
	{placed, hold, held},
	{placed, noFunds, rejected},
	{placed, cancel, cancelled},
	{placed, expire, expired},
	{held, reserve, reserved},
	{held, noStock, rejected},
	{held, cancel, cancelled},
	{held, expire, expired},
	{reserved, dispatch, shipped},
	{reserved, fail, failed},
	{reserved, lose, failed},
	{reserved, cancel, cancelled},
	{reserved, expire, expired},
	{shipped, deliver, delivered},
	{shipped, fail, failed},
	{shipped, lose, failed},
	{shipped, expire, expired},
}

// next answers where a trigger leads, or none.
func next(from state, by trigger) state {
	for i := range transitions {
		if t := &transitions[i]; t.from == from && t.by == by {
			return t.to
		}
	}
	return none
}

// fire moves an order over one transition, with all that belongs to it: the
// step's effects, or the compensation of the steps before; events; indexes.
// hold and reserve have taken effect already: that is how they came about.
func (o *order) fire(e *sdk.Event, by trigger) {
	from, to := o.state, next(o.state, by)
	if to == none {
		if from.ended() {
			sdk.Abort(codeEnded, "ENDED: the order has ended otherwise")
		}
		sdk.Abort(codeOutOfOrder, "OUT_OF_ORDER: the order is not where this step begins or has gone past it")
	}
	o.leaveQueue()
	switch by {
	case hold:
		o.tell("payment.held.v1", e, nil)
	case reserve:
		o.tell("stock.reserved.v1", e, (*order).writeLines)
	case dispatch:
		o.capture()
		o.eachLine(ship)
		o.tell("payment.captured.v1", e, nil)
	case deliver:
		earned.Add(o.total)
	}
	if to.undone() {
		o.compensate(e, from, by)
	}
	o.state, o.done = to, o.done|1<<by
	switch {
	case to.ended():
		o.moveDeadline(0)
	case to == shipped:
		o.moveDeadline(e.TimeNs() + parameters().transitSec*nanosPerSec)
	}
	o.history = append(o.history, moment{to, by, e.Index, e.TimeNs()})
	o.tellStatus(e, from)
}

// compensate undoes the steps that an order had made, the last one first.
// Goods under way that the carrier does not bring back are written off: that
// is the seller's loss, never the customer's. What was captured goes back to the
// account at once: the hold it came from has ended.
func (o *order) compensate(e *sdk.Event, from state, by trigger) {
	var undone []string
	if from == shipped {
		o.refund()
		o.tell("payment.refunded.v1", e, nil)
		undone = append(undone, "capture")
	}
	if from == shipped && by != fail {
		o.eachLine(writeOff)
		o.tell("stock.lost.v1", e, (*order).writeLines)
		undone = append(undone, "reserve")
	} else if from >= reserved {
		if from == shipped {
			o.eachLine(unship)
		}
		o.eachLine(unreserve)
		o.tell("stock.released.v1", e, (*order).writeLines)
		undone = append(undone, "reserve")
	}
	if from == held || from == reserved {
		o.releaseTotal()
		o.tell("payment.released.v1", e, nil)
		undone = append(undone, "hold")
	}
	o.tellCompensated(e, by, undone)
}

// advance takes an order as far as funds and stock allow.
func (o *order) advance(e *sdk.Event) {
	for {
		switch o.state {
		case placed:
			refused := o.holdTotal(e)
			if refused == sdk.TokensDone {
				o.fire(e, hold)
				break
			}
			if o.queue == nil {
				o.tell("payment.refused.v1", e, func(_ *order, w *sdk.JSON) { w.Key("code").Uint(uint64(refused)) })
			}
			if o.mayWait && o.enterQueue(e, queueKey(forFunds, o.account)) {
				return
			}
			o.fire(e, noFunds)
		case held:
			lacking := reserveLines(o.lines)
			if lacking == nil {
				o.fire(e, reserve)
			} else if o.mayWait && o.enterQueue(e, queueKey(forStock, lacking)) {
				return
			} else {
				o.fire(e, noStock)
			}
		default:
			return
		}
	}
}

// resume advances a waiting order, or ends it when its deadline has passed
// and the clock has not said so yet. An order that does not wait stays as it is.
func (o *order) resume(e *sdk.Event) {
	if o.queue == nil {
		return
	}
	if e.TimeNs() >= o.deadline {
		o.fire(e, expire)
		return
	}
	o.advance(e)
}
