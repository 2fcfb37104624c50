package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// bills maps the closed periods of a meter to their bills, as they were emitted.
func bills(meter []byte) sdk.Map { return sdk.NewMap("b" + string(meter)) }

// periodKey orders periods by time.
func periodKey(period int32) []byte {
	return []byte{byte(period >> 24), byte(period >> 16), byte(period >> 8), byte(period)}
}

// item is a line of a bill: what was used at which price, and the readings
// that it was for.
type item struct {
	kind            string
	band            []byte // of energy
	upTo            uint64 // of a tier
	quantity, price uint64
	amount          exact
	causes          sum // its indices and readings
}

type items []item

// items are the lines of the open period, before rounding. A band or tier
// without readings has none.
func (m *meter) items(t tariff) items {
	list := make(items, 0, len(t.bands)+len(t.tiers)+2)
	for i, b := range t.bands {
		if s := m.sums[i]; s.readings > 0 {
			list = append(list, item{kind: "energy", band: b.name, quantity: s.quantity, price: b.price,
				amount: times(s.quantity, b.price), causes: s})
		}
	}
	all := m.total()
	below := uint64(0)
	for _, x := range t.tiers {
		if all.quantity > below {
			part := min(all.quantity, x.end) - below
			list = append(list, item{kind: "tier", upTo: x.end, quantity: part, price: x.price,
				amount: times(part, x.price), causes: all})
		}
		below = x.end
	}
	if t.demand > 0 && all.readings > 0 {
		demand := m.peak * uint64(60/m.clock.intervalMinutes)
		list = append(list, item{kind: "demand", quantity: demand, price: t.demand,
			amount: times(demand, t.demand), causes: sum{m.peak, m.peakAt, m.peakAt, 1}})
	}
	if t.fixed > 0 {
		list = append(list, item{kind: "fixed", quantity: scale, price: t.fixed, amount: times(scale, t.fixed)})
	}
	return list
}

func (list items) total() (x exact) {
	for i := range list {
		x = x.plus(list[i].amount)
	}
	return x
}

// cost is what the open period has cost so far: the sum of its items. It is
// done for every reading that is paid, so it walks the terms as they are stored
// and makes nothing.
func (m *meter) cost() (x exact) {
	r := unpacker{b: m.terms}
	quantity := uint64(0)
	for i := range r.count(maxBands) {
		size := int(r.u8())
		price, s := r.u64(), &m.sums[i]
		r.raw(size)
		if s.readings > 0 {
			x = x.plus(times(s.quantity, price))
			quantity += s.quantity
		}
	}
	r.raw(ruleBytes * r.count(maxRules))
	below := uint64(0)
	for range r.count(maxTiers) {
		end, price := r.u64(), r.u64()
		if quantity > below {
			x = x.plus(times(min(quantity, end)-below, price))
		}
		below = end
	}
	demand, fixed := m.terms.charges()
	if demand > 0 {
		x = x.plus(times(m.peak*uint64(60/m.clock.intervalMinutes), demand)) // a period without readings has no peak
	}
	return x.plus(times(scale, fixed))
}

// close bills the open period: its total is rounded half up, once. One that is
// paid by allowance was debited the whole units of every reading, so at most one is left.
// It answers how much it wrote, as closeBytes counts.
func (m *meter) close(sec int64) (written int) {
	t := m.terms.unpack()
	list := m.items(t)
	if m.collects() {
		written = toldBytes * m.finish(list.total().halfUp(), sec)
	}
	data := m.bill(&t, list)
	m.open, m.closed, m.closedPeriod = false, true, m.period
	bills(m.name).Set(periodKey(m.period), data)
	sdk.Emit("metering.bill.v1", m.name, data)
	return written + len(data)
}

// bill writes a period's bill.
func (m *meter) bill(t *tariff, list items) []byte {
	var text [40]byte
	var w sdk.JSON
	all, total := m.total(), list.total()
	w.Object().Key("meter").Text(m.name).Key("account").Text(m.account)
	w.Key("mode").String(m.mode()).Key("period").Text(appendPeriod(text[:0], m.period))
	w.Key("tariff").Text(t.name).Key("version").Uint(uint64(t.version))
	w.Key("unit").Text(t.unit).Key("quantity").Text(appendScaled(text[:0], all.quantity))
	w.Key("readings").Uint(uint64(all.readings))
	w.Key("missing").Uint(uint64(m.clock.slots(m.period)) - uint64(all.readings))
	w.Key("causes")
	all.causes(&w)
	w.Key("items").Array()
	for i := range list {
		list[i].write(&w, m)
	}
	w.Object().Key("item").String("rounding").Key("amount").Text(total.appendRounding(text[:0])).EndObject()
	w.EndArray().Key("total").Uint(total.halfUp())
	if m.collects() {
		w.Key("asset").Text(m.asset).Key("arrears").Uint(m.arrears)
	}
	w.EndObject()
	return w.Bytes()
}

func (x *item) write(w *sdk.JSON, m *meter) {
	var text [40]byte
	w.Object().Key("item").String(x.kind)
	switch x.kind {
	case "energy":
		w.Key("band").Text(x.band)
	case "tier":
		w.Key("upTo")
		if x.upTo == noEnd {
			w.Null()
		} else {
			w.Text(appendScaled(text[:0], x.upTo))
		}
	case "demand":
		w.Key("start").Text(appendTime(text[:0], m.clock.start(m.period, m.peakSlot)))
	}
	w.Key("quantity").Text(appendScaled(text[:0], x.quantity))
	w.Key("price").Text(appendScaled(text[:0], x.price))
	w.Key("amount").Text(x.amount.append(text[:0]))
	w.Key("readings").Uint(uint64(x.causes.readings)).Key("causes")
	x.causes.causes(w)
	w.EndObject()
}

// causes writes the first and last index of the readings behind a sum.
func (s *sum) causes(w *sdk.JSON) {
	w.Array()
	if s.readings > 0 {
		w.Array().Uint(s.first).Uint(s.last).EndArray()
	}
	w.EndArray()
}

func (m *meter) mode() string {
	switch {
	case m.prepaid:
		return "prepaid"
	case m.collects():
		return "allowance"
	}
	return "postpaid"
}
