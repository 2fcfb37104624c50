package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// The two answers of a technician.
const (
	outcomeConfirmed  = "confirmed"
	outcomeFalseAlarm = "false-alarm"
)

func closeByEvent(e *sdk.Event) {
	id, outcome := e.Bytes(), e.Bytes()
	closeOrder(e.Origin, e.TimeMs, id, outcome)
}

func closeByCall(r *sdk.Request) {
	id, outcome := r.Bytes(), r.Bytes()
	o := closeOrder(r.Caller, r.TimeMs, id, outcome)
	var w sdk.JSON
	o.describe(&w)
	r.Reply(w.Bytes())
}

// closeOrder ends an open order with a technician's answer. The asset's
// triggers stay as they are: one that still holds has to go and come back
// before it opens another.
func closeOrder(who address, timeMs uint64, id, outcome []byte) *order {
	checkTechnician(who)
	key, ok := parseID(id)
	if !ok {
		badOrder()
	}
	confirmed := string(outcome) == outcomeConfirmed
	if !confirmed && string(outcome) != outcomeFalseAlarm {
		sdk.Abort(codeBadOutcome, "BAD_OUTCOME: an order ends confirmed or false-alarm")
	}
	o, found := loadOrder(openOrders, key)
	if !found {
		if _, found = loadOrder(closedOrders, key); found {
			sdk.Abort(codeNotOpen, "NOT_OPEN: the order is closed already")
		}
		sdk.Abort(codeNotFound, "NOT_FOUND: there is no such order")
	}
	if confirmed && o.reward > 0 && o.producer == who {
		sdk.Abort(codeOwnOrder, "OWN_ORDER: who would get the reward does not confirm the order")
	}
	openOrders.Delete(key)
	o.closed, o.confirmed, o.closedMs, o.technician = true, confirmed, timeMs, who
	o.save()
	a := load(o.asset())
	a.isOpen, a.urgent = false, false
	if confirmed {
		a.confirmed++
		ordersConfirmed.Add(1)
	} else {
		a.falsified++
		ordersFalsified.Add(1)
	}
	a.save()
	o.emitClosed()
	if confirmed && o.reward > 0 {
		eventType := "maintenance.reward.due.v1"
		if reward(o.producer, o.reward) {
			eventType = "maintenance.reward.paid.v1"
		}
		o.emitReward(eventType)
	}
	return o
}

func (o *order) outcome() string {
	if o.confirmed {
		return outcomeConfirmed
	}
	return outcomeFalseAlarm
}

func (o *order) emitClosed() {
	var w sdk.JSON
	o.begin(&w)
	w.Key("outcome").String(o.outcome())
	w.Key("technician")
	o.technician.write(&w)
	w.Key("closedMs").Uint(o.closedMs)
	w.Key("escalated").Bool(o.escalated)
	w.Key("attached").Uint(uint64(o.attached))
	o.measures.values(&w, o.places)
	w.Key("reading").Uint(o.reading)
	o.emit("maintenance.order.closed.v1", &w)
}

func (o *order) emitReward(eventType string) {
	var w sdk.JSON
	o.begin(&w)
	w.Key("producer")
	o.producer.write(&w)
	w.Key("amount").Uint(o.reward)
	o.measures.values(&w, o.places)
	w.Key("reading").Uint(o.reading)
	o.emit(eventType, &w)
}
