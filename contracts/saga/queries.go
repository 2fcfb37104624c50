package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// queryOrder answers an order with its history: which log entry moved it when.
func queryOrder(r *sdk.Request) {
	o := find(r.Bytes())
	if o == nil {
		sdk.Abort(codeNotFound, "NOT_FOUND: no such order was placed")
	}
	var w sdk.JSON
	w.Object()
	o.name(&w)
	w.Key("status").String(stateNames[o.state])
	w.Key("waitsFor")
	switch {
	case o.queue == nil:
		w.Null()
	case o.queue[2] == forFunds:
		w.String("funds")
	default:
		w.Text(o.queue[4 : 4+o.queue[3]])
	}
	w.Key("totalMinor").Uint(o.total).Key("hold").Uint(o.hold)
	o.writeLines(&w)
	w.Key("deadlineMs")
	if o.deadline == 0 {
		w.Null()
	} else {
		w.Int(o.deadline / 1_000_000)
	}
	w.Key("history").Array()
	for _, m := range o.history {
		w.Object().Key("by").String(triggerNames[m.by])
		w.Key("status").String(stateNames[m.to])
		w.Key("cause").Uint(m.index)
		w.Key("timeMs").Int(m.timeNs / 1_000_000).EndObject()
	}
	w.EndArray().EndObject()
	r.Reply(w.Bytes())
}

func queryStock(r *sdk.Request) {
	name := r.Bytes()
	checkName(name)
	s, known := loadShelf(name)
	if !known {
		sdk.Abort(codeNotFound, "NOT_FOUND: no pieces of this article were received")
	}
	var w sdk.JSON
	w.Object().Key("article").Text(name)
	w.Key("received").Uint(s.received).Key("available").Uint(s.available).Key("reserved").Uint(s.reserved)
	w.Key("shipped").Uint(s.shipped).Key("lost").Uint(s.lost).EndObject()
	r.Reply(w.Bytes())
}

// queryTotals answers what all orders have paid, and what of it is earned.
func queryTotals(r *sdk.Request) {
	var w sdk.JSON
	w.Object().Key("asset").String(asset()).Key("capturedMinor").Uint(captured.Value())
	w.Key("earnedMinor").Uint(earned.Value()).EndObject()
	r.Reply(w.Bytes())
}

func queryAllowed(r *sdk.Request) {
	_, ok := allowed.Get(sourceKey(readRole(r), r.Bytes()))
	var w sdk.JSON
	w.Object().Key("allowed").Bool(ok).EndObject()
	r.Reply(w.Bytes())
}
