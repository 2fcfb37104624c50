// Metering is a contract that bills electricity, water or heat: meters report
// what was used in every interval, tariffs are data, and each period of each
// meter ends in a bill whose items name the readings behind them. README.md
// has the rules.
package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Codes of refused deliveries. README.md explains each.
const (
	codeLateReading   = 1  // LATE_READING
	codeBadQuantity   = 2  // BAD_QUANTITY
	codeBadName       = 3  // BAD_NAME
	codeBadParameters = 4  // BAD_PARAMETERS
	codeFutureReading = 5  // FUTURE_READING
	codePeriodFull    = 6  // PERIOD_FULL
	codeNotFound      = 7  // NOT_FOUND
	codeBadState      = 8  // BAD_STATE
	codeUnknownMeter  = 9  // UNKNOWN_METER
	codeBadTime       = 10 // BAD_TIME
	codeUnknownBand   = 11 // UNKNOWN_BAND
	codeNoTariff      = 12 // NO_TARIFF
	codeBadTariff     = 13 // BAD_TARIFF
	codeForbidden     = 14 // FORBIDDEN
	codePeriodOpen    = 15 // PERIOD_OPEN
	codeAccountFull   = 18 // ACCOUNT_FULL
	codeUnfunded      = 19 // UNFUNDED
)

// maxNameBytes is of a meter's, account's or tariff's name: with a letter in
// front it names an sdk.Map.
const maxNameBytes = 60

// everyMeter is the subject of a close message that means all meters.
const everyMeter = "*"

// closeBytes is how much one close message writes before it stops, bills as
// they are and other events at toldBytes each: some 11 of the 20 million gas of
// a delivery with the largest bills, and fewer than 170 of the 256 events.
const (
	closeBytes = 48 << 10
	toldBytes  = 512
)

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnInit(configure)
	sdk.OnEvent("metering.reading.v1", reading)
	sdk.OnEvent("metering.period.close.v1", closePeriods)
	sdk.OnCall("setTariff", setTariff)
	sdk.OnCall("register", register)
	sdk.OnCall("collect", collectNow)
	sdk.OnCall("setOwner", setOwner)
	sdk.OnCall("payBy", payBy)
	sdk.OnCall("payOut", payOut)
	sdk.OnCall("collectDebt", collectDebt)
	sdk.OnQuery("meter", queryMeter)
	sdk.OnQuery("balance", queryBalance)
	sdk.OnQuery("bill", queryBill)
	sdk.OnQuery("bills", queryBills)
	sdk.OnQuery("tariff", queryTariff)
}

func main() {}

// reading takes what a meter measured in one interval. In the middle of a
// period it costs one state read and one write; one that is paid by allowance a
// debit besides, and a prepaid one the payer's balance.
func reading(e *sdk.Event) {
	quantity, label := e.Int(), e.BytesOr(nil)
	m, known := loadMeter(e.Subject)
	if !known {
		sdk.Abort(codeUnknownMeter, "UNKNOWN_METER: the subject names no registered meter")
	}
	if len(m.origin) > 0 && string(m.origin) != string(e.Origin[:]) {
		sdk.Abort(codeForbidden, "FORBIDDEN: another signer is registered for this meter")
	}
	if quantity < 0 || quantity > maxReading {
		sdk.Abort(codeBadQuantity, "BAD_QUANTITY: a reading is 0 to 10000000 units")
	}
	at := m.clock.locate(e.TimeNs())
	if m.open && at.period < m.period || m.closed && at.period <= m.closedPeriod {
		sdk.Abort(codeLateReading, "LATE_READING: the period of this reading is closed")
	}
	if !m.open || at.period > m.period {
		m.turn(e, at)
	}
	switch m.seen.take(at.slot) {
	case slotSeen:
		return
	case slotForgotten:
		sdk.Abort(codeLateReading, "LATE_READING: the gap of this reading is forgotten")
	}
	m.add(m.terms.band(at, label), uint64(quantity), e.Index, at.slot)
	if m.collects() {
		m.collect(m.cost().floor(), sdk.Seconds(e.TimeNs()))
	}
	m.save()
}

// turn closes the open period, if there is one, and opens the reading's under
// the tariff in force then.
func (m *meter) turn(e *sdk.Event, at place) {
	s := loadSettings()
	if s.maxAheadHours > 0 && at.sec > int64(e.TimeMs/1000)+s.maxAheadHours*3600 {
		sdk.Abort(codeFutureReading, "FUTURE_READING: the reading's time is too far ahead of the block's")
	}
	if m.open {
		m.close(sdk.Seconds(e.TimeNs()))
	}
	t, found := findTariff(m.wanted, at.sec)
	if !found {
		sdk.Abort(codeNoTariff, "NO_TARIFF: no version of the meter's tariff is in force at this time")
	}
	m.begin(at.period, &t)
}

// closePeriods bills the open periods of one meter, or of all, up to a period.
// Of all, it bills as many as it may: the same message again goes on from there.
func closePeriods(e *sdk.Event) {
	until := e.BytesOr(nil)
	loadSettings().mustOwn(e.Origin)
	last := int32(1<<31 - 1)
	if len(until) > 0 {
		var ok bool
		if last, ok = parsePeriod(until); !ok {
			sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a period is written 2018-01")
		}
	}
	if string(e.Subject) != everyMeter {
		m, known := loadMeter(e.Subject)
		if !known {
			sdk.Abort(codeUnknownMeter, "UNKNOWN_METER: the subject names no registered meter")
		}
		if m.open && m.period <= last {
			m.close(sdk.Seconds(e.TimeNs()))
			m.save()
		}
		return
	}
	written := 0
	meters.Each(nil, func(key, value []byte) bool {
		if m := decodeMeter(key, value); m.open && m.period <= last {
			written += m.close(sdk.Seconds(e.TimeNs()))
			m.save()
		}
		return written < closeBytes
	})
}

// checkName aborts unless a name can be a meter's, account's or tariff's.
func checkName(name []byte) {
	if len(name) == 0 || len(name) > maxNameBytes || string(name) == everyMeter {
		sdk.Abort(codeBadName, "BAD_NAME: a name has 1 to 60 bytes and is not *")
	}
}
