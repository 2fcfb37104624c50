package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of a page of orders: the longest 100 fit an answer.
const (
	defaultPage = 50
	maxPage     = 100
)

// What a page's cursor begins with.
const (
	cursorOpen   = "open:"
	cursorClosed = "closed:"
)

func queryOrder(r *sdk.Request) {
	key, ok := parseID(r.Bytes())
	if !ok {
		badOrder()
	}
	o, found := loadOrder(openOrders, key)
	if !found {
		o, found = loadOrder(closedOrders, key)
	}
	if !found {
		sdk.Abort(codeNotFound, "NOT_FOUND: there is no such order")
	}
	var w sdk.JSON
	o.describe(&w)
	r.Reply(w.Bytes())
}

// queryOrders answers the open orders and then the closed ones, each by asset
// and number, from the first after the given one, and where the next page starts.
func queryOrders(r *sdk.Request) {
	after := r.BytesOr(nil)
	limit := r.UintOr(defaultPage)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	key, skipOpen := parseCursor(after)
	var w sdk.JSON
	w.Object().Key("orders").Array()
	var last *order
	more := false
	page := func(key, value []byte) bool {
		if more = limit == 0; more {
			return false
		}
		last = decodeOrder(key, value, len(value))
		last.describe(&w)
		limit--
		return true
	}
	if !skipOpen {
		openOrders.Each(key, page)
		key = nil
	}
	if !more {
		closedOrders.Each(key, page)
	}
	w.EndArray().Key("next")
	if !more {
		w.Null()
	} else if last.closed {
		w.Text(append([]byte(cursorClosed), last.id()...))
	} else {
		w.Text(append([]byte(cursorOpen), last.id()...))
	}
	w.EndObject()
	r.Reply(w.Bytes())
}

// parseCursor answers the key that a page starts after, and whether it is a
// closed order's.
func parseCursor(after []byte) (key []byte, closed bool) {
	if len(after) == 0 {
		return nil, false
	}
	id := after
	if closed = hasPrefix(after, cursorClosed); closed {
		id = after[len(cursorClosed):]
	} else if hasPrefix(after, cursorOpen) {
		id = after[len(cursorOpen):]
	} else {
		badOrder()
	}
	key, ok := parseID(id)
	if !ok {
		badOrder()
	}
	return key, closed
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// describe writes all that is known of an order.
func (o *order) describe(w *sdk.JSON) {
	o.begin(w)
	w.Key("state")
	if o.closed {
		w.String(o.outcome())
	} else {
		w.String("open")
	}
	w.Key("triggers")
	names(w, o.triggers)
	o.measures.values(w, o.places)
	w.Key("reading").Uint(o.reading)
	w.Key("observedMs").Int(milliseconds(o.atNs))
	w.Key("producer")
	o.producer.write(w)
	w.Key("reward").Uint(o.reward)
	w.Key("attached").Uint(uint64(o.attached))
	w.Key("escalatedReading")
	if o.escalated {
		w.Uint(o.escalatedReading)
	} else {
		w.Null()
	}
	if o.closed {
		w.Key("technician")
		o.technician.write(w)
		w.Key("closedMs").Uint(o.closedMs)
	}
	w.EndObject()
}

// queryAsset answers an asset's last reading, counts and parameters in force.
// An asset that was only configured has an answer too.
func queryAsset(r *sdk.Request) {
	name := r.Bytes()
	checkAsset(name)
	a := load(name)
	if _, configured := overrides.GetInto(name, nil); !configured && a.readings == 0 {
		sdk.Abort(codeNotFound, "NOT_FOUND: no reading of this asset came in yet")
	}
	p := parametersOf(name)
	var w sdk.JSON
	w.Object().Key("asset").Text(name)
	w.Key("readings").Uint(a.readings)
	w.Key("triggered").Uint(a.triggered)
	w.Key("active")
	names(&w, a.active)
	w.Key("last")
	if a.readings == 0 {
		w.Null()
	} else {
		w.Object()
		a.last.values(&w, a.places)
		w.Key("reading").Uint(a.lastIndex)
		w.Key("observedMs").Int(milliseconds(a.lastNs()))
		w.EndObject()
	}
	w.Key("openOrder")
	if a.isOpen {
		w.Text((&order{key: orderKey(name, a.opened)}).id())
	} else {
		w.Null()
	}
	w.Key("orders").Uint(uint64(a.opened))
	w.Key("confirmed").Uint(uint64(a.confirmed))
	w.Key("falseAlarms").Uint(uint64(a.falsified))
	w.Key("parameters").Object()
	p.describe(&w)
	w.EndObject().EndObject()
	r.Reply(w.Bytes())
}

// queryStats answers the counts over all assets.
func queryStats(r *sdk.Request) {
	opened, confirmed, falsified := ordersOpened.Value(), ordersConfirmed.Value(), ordersFalsified.Value()
	all, done := accrued.Value(), paid.Value()
	var w sdk.JSON
	w.Object().Key("assets").Uint(known.Value())
	w.Key("orders").Object()
	w.Key("opened").Uint(opened)
	w.Key("open").Uint(opened - confirmed - falsified)
	w.Key("escalated").Uint(ordersEscalated.Value())
	w.Key("confirmed").Uint(confirmed)
	w.Key("falseAlarms").Uint(falsified)
	w.EndObject().Key("rewards").Object()
	w.Key("accrued").Uint(all)
	w.Key("paid").Uint(done)
	w.Key("due").Uint(all - done)
	w.EndObject().EndObject()
	r.Reply(w.Bytes())
}

// queryRewards answers what is due to a producer.
func queryRewards(r *sdk.Request) {
	who := readAddress(r.Bytes())
	var w sdk.JSON
	w.Object().Key("producer")
	who.write(&w)
	w.Key("asset").String(rewardAsset()).Key("due").Uint(dueTo(who)).EndObject()
	r.Reply(w.Bytes())
}
