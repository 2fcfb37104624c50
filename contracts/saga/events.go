package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// tell emits an event about an order: who, how much, because of which log
// entry, and what more adds.
func (o *order) tell(eventType string, e *sdk.Event, more func(*order, *sdk.JSON)) {
	var w sdk.JSON
	w.Object()
	o.name(&w)
	w.Key("amountMinor").Uint(o.total)
	w.Key("cause").Uint(e.Index)
	if more != nil {
		more(o, &w)
	}
	w.EndObject()
	sdk.Emit(eventType, o.id, w.Bytes())
}

// tellStatus emits a transition that was just made.
func (o *order) tellStatus(e *sdk.Event, from state) {
	last := &o.history[len(o.history)-1]
	o.tell("order.status.v1", e, func(o *order, w *sdk.JSON) {
		w.Key("from").String(stateNames[from])
		w.Key("by").String(triggerNames[last.by])
		w.Key("status").String(stateNames[last.to])
	})
}

// tellCompensated emits why an order was given up and which steps were undone, in order.
func (o *order) tellCompensated(e *sdk.Event, by trigger, undone []string) {
	o.tell("order.compensated.v1", e, func(_ *order, w *sdk.JSON) {
		w.Key("by").String(triggerNames[by])
		w.Key("undone").Array()
		for _, step := range undone {
			w.String(step)
		}
		w.EndArray()
	})
}

// name writes the members that say which order and whose.
func (o *order) name(w *sdk.JSON) {
	w.Key("order").Text(o.id)
	w.Key("account").Hex(o.account)
}

func (o *order) writeLines(w *sdk.JSON) {
	w.Key("lines").Array()
	for i := range o.lines {
		l := &o.lines[i]
		w.Object().Key("article").Text(l.article)
		w.Key("quantity").Uint(l.quantity)
		w.Key("priceMinor").Uint(l.price).EndObject()
	}
	w.EndArray()
}
