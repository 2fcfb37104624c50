package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of a page of bills: maxPage bills of the longest form fit an answer.
const (
	defaultPage = 12
	maxPage     = 24
)

// queryMeter answers what is registered of a meter, and its open period.
func queryMeter(r *sdk.Request) {
	m, known := loadMeter(r.Bytes())
	if !known {
		sdk.Abort(codeNotFound, "NOT_FOUND: no such meter is registered")
	}
	var w sdk.JSON
	var text [40]byte
	w.Object().Key("meter").Text(m.name).Key("account").Text(m.account).Key("mode").String(m.mode())
	w.Key("tariff").Text(m.wanted).Key("closed")
	if m.closed {
		w.Text(appendPeriod(text[:0], m.closedPeriod))
	} else {
		w.Null()
	}
	w.Key("open")
	if m.open {
		all, t := m.total(), m.terms.unpack()
		w.Object().Key("period").Text(appendPeriod(text[:0], m.period))
		w.Key("tariff").Text(t.name).Key("version").Uint(uint64(t.version))
		w.Key("quantity").Text(appendScaled(text[:0], all.quantity)).Key("readings").Uint(uint64(all.readings))
		w.Key("causes")
		all.causes(&w)
		w.Key("soFar").Text(m.items(t).total().append(text[:0])).Key("debited").Uint(m.charged).EndObject()
	} else {
		w.Null()
	}
	w.EndObject()
	r.Reply(w.Bytes())
}

// queryBalance answers how a meter is paid.
func queryBalance(r *sdk.Request) {
	m, known := loadMeter(r.Bytes())
	if !known || !m.collects() {
		sdk.Abort(codeNotFound, "NOT_FOUND: no such meter is paid by allowance")
	}
	m.reply(r)
}

// reply writes what the payer has, and what is owed for this meter.
func (m *meter) reply(r *sdk.Request) {
	owed := m.arrears
	if m.open {
		owed += m.cost().floor() - m.charged
	}
	has := sdk.Balance(string(m.asset), address(m.payer))
	var w sdk.JSON
	w.Object().Key("meter").Text(m.name).Key("account").Text(m.account).Key("mode").String(m.mode())
	w.Key("payer").Hex(m.payer).Key("asset").Text(m.asset).Key("balance").Int(has).Key("owed").Uint(owed)
	w.Key("low").Bool(m.low).Key("disconnected").Bool(m.cut).EndObject()
	r.Reply(w.Bytes())
}

// queryBill answers the bill of a meter's closed period.
func queryBill(r *sdk.Request) {
	name, text := r.Bytes(), r.Bytes()
	checkName(name)
	period, ok := parsePeriod(text)
	if !ok {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a period is written 2018-01")
	}
	bill, found := bills(name).Get(periodKey(period))
	if !found {
		sdk.Abort(codeNotFound, "NOT_FOUND: this meter has no bill of this period")
	}
	r.Reply(bill)
}

// queryBills answers a meter's bills in order, from the first after a period.
func queryBills(r *sdk.Request) {
	name, text := r.Bytes(), r.BytesOr(nil)
	limit := r.UintOr(defaultPage)
	checkName(name)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	var after []byte
	if len(text) > 0 {
		period, ok := parsePeriod(text)
		if !ok {
			sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a period is written 2018-01")
		}
		after = periodKey(period)
	}
	r.Reply([]byte(`{"bills":[`))
	var last []byte
	more := false
	bills(name).Each(after, func(key, bill []byte) bool {
		if more = limit == 0; more {
			return false
		}
		if last != nil {
			r.Reply([]byte{','})
		}
		r.Reply(bill)
		last = key
		limit--
		return true
	})
	r.Reply([]byte(`],"next":`))
	var w sdk.JSON
	if more {
		period := int32(last[0])<<24 | int32(last[1])<<16 | int32(last[2])<<8 | int32(last[3])
		w.Text(appendPeriod(nil, period))
	} else {
		w.Null()
	}
	r.Reply(w.Bytes())
	r.Reply([]byte{'}'})
}

// queryTariff answers a version of a tariff, the newest by default.
func queryTariff(r *sdk.Request) {
	name, version := r.Bytes(), r.UintOr(0)
	checkName(name)
	found := false
	eachVersion(name, func(t *tariff) bool {
		if found = version == 0 || version == uint64(t.version); found {
			t.reply(r)
		}
		return !found
	})
	if !found {
		sdk.Abort(codeNotFound, "NOT_FOUND: no such version of a tariff")
	}
}

func (t *tariff) reply(r *sdk.Request) {
	var text [40]byte
	var w sdk.JSON
	w.Object().Key("tariff").Text(t.name).Key("version").Uint(uint64(t.version))
	w.Key("effective").Text(appendTime(text[:0], t.effectiveSec)).Key("unit").Text(t.unit)
	w.Key("bands").Array()
	for _, b := range t.bands {
		w.Object().Key("band").Text(b.name).Key("price").Text(appendScaled(text[:0], b.price)).EndObject()
	}
	w.EndArray().Key("hours").Array()
	for i := range t.rules {
		t.rules[i].write(&w, t)
	}
	w.EndArray().Key("tiers").Array()
	for _, x := range t.tiers {
		w.Object().Key("upTo")
		if x.end == noEnd {
			w.Null()
		} else {
			w.Text(appendScaled(text[:0], x.end))
		}
		w.Key("price").Text(appendScaled(text[:0], x.price)).EndObject()
	}
	w.EndArray().Key("demandPrice").Text(appendScaled(text[:0], t.demand))
	w.Key("fixed").Text(appendScaled(text[:0], t.fixed)).EndObject()
	r.Reply(w.Bytes())
}

// write lists the days by name and the hours as minutes of the day.
func (x *rule) write(w *sdk.JSON, t *tariff) {
	w.Object().Key("days").Array()
	for d := range 7 {
		if x.days>>d&1 == 1 {
			w.String(weekdays[3*d : 3*d+3])
		}
	}
	w.EndArray().Key("fromMinute").Uint(uint64(x.from)).Key("toMinute").Uint(uint64(x.to))
	w.Key("band").Text(t.bands[x.band].name).EndObject()
}
