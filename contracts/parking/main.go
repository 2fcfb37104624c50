// Parking is a contract that prices parking by demand, as San Francisco's
// SFpark did: readings of how full a lot is come in, and once a week each
// lot's price for the morning, midday and afternoon moves one step of a
// ladder. README.md has the rule; every evaluation is an event on the ledger
// whose cause is the reading or message that closed the week. Vehicles that
// enter and leave are charged at these prices, from accounts of the ledger's
// bank, and spaces can be reserved.
package main

import (
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Codes of refused deliveries. README.md explains each.
const (
	codeLateReading   = 1 // LATE_READING
	codeBadCapacity   = 2 // BAD_CAPACITY
	codeBadLot        = 3 // BAD_LOT
	codeBadParameters = 4 // BAD_PARAMETERS
	codeFutureReading = 5 // FUTURE_READING
	codeWeekFull      = 6 // WEEK_FULL
	codeNotFound      = 7 // NOT_FOUND
	codeBadState      = 8 // BAD_STATE

	codeNotAllowed        = 9  // NOT_ALLOWED
	codeBadName           = 10 // BAD_NAME
	codeDoubleEnter       = 11 // DOUBLE_ENTER
	codeNoSession         = 12 // NO_SESSION
	codeWrongLot          = 13 // WRONG_LOT
	codeBadTime           = 14 // BAD_TIME
	codeStayTooLong       = 15 // STAY_TOO_LONG
	codeBadAmount         = 16 // BAD_AMOUNT
	codeUnfunded          = 17 // UNFUNDED
	codeBadRange          = 18 // BAD_RANGE
	codeReservationExists = 19 // RESERVATION_EXISTS
	codeNoSpace           = 20 // NO_SPACE
	codeNoReservation     = 21 // NO_RESERVATION
	codeWrongState        = 22 // WRONG_STATE
	codeNotDue            = 23 // NOT_DUE
	codeTooLate           = 24 // TOO_LATE
	codePriceLimit        = 25 // PRICE_LIMIT
	codeStepLimit         = 26 // STEP_LIMIT
	codeStaleProposal     = 27 // STALE_PROPOSAL
	codeBadPayer          = 28 // BAD_PAYER
	codeUnpaid            = 29 // UNPAID
)

// Bounds of a reading.
const (
	maxCapacity = 1_000_000 // spaces of one lot
	maxLotBytes = 64        // of a lot's name
)

// everyLot is the subject of a close message that means all lots.
const everyLot = "*"

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnInit(configure)
	sdk.OnEvent("parking.occupancy.v1", reading)
	sdk.OnEvent("parking.week.close.v1", closeWeek)
	sdk.OnEvent("parking.session.enter.v1", enter)
	sdk.OnEvent("parking.session.leave.v1", leave)
	sdk.OnEvent("parking.session.lost.v1", lostTicket)
	sdk.OnEvent("parking.lot.spaces.v1", setSpaces)
	sdk.OnEvent("parking.reservation.request.v1", request)
	sdk.OnEvent("parking.reservation.confirm.v1", confirm)
	sdk.OnEvent("parking.reservation.cancel.v1", cancel)
	sdk.OnEvent("parking.reservation.expire.v1", expire)
	sdk.OnEvent("parking.price.propose.v1", propose)
	sdk.OnCall("gate", callGate)
	sdk.OnCall("proposer", callProposer)
	sdk.OnCall("collect", callCollect)
	sdk.OnCall("payOut", callPayOut)
	sdk.OnQuery("price", queryPrice)
	sdk.OnQuery("prices", queryPrices)
	sdk.OnQuery("evaluations", queryEvaluations)
	sdk.OnQuery("session", querySession)
	sdk.OnQuery("payer", queryPayer)
	sdk.OnQuery("reservation", queryReservation)
	sdk.OnQuery("spaces", querySpaces)
}

func main() {}

// reading takes one observation of a lot. In the middle of a week it costs
// one state read and one write.
func reading(e *sdk.Event) {
	occupied, capacity := e.Int(), e.Uint()
	checkLot(e.Subject)
	if capacity == 0 || capacity > maxCapacity {
		sdk.Abort(codeBadCapacity, "BAD_CAPACITY: a lot has 1 to 1000000 spaces")
	}
	at := e.TimeNs()
	sec := sdk.Seconds(at)
	week := int32(sdk.Week(sec))
	band := byte('A' + sdk.BandOfDay(sec, 12, 15))

	b := load(e.Subject, band)
	if b.known && at == b.lastNs {
		return // the reading before this one, once more
	}
	if b.known && week < b.week || b.closed && week <= b.closedWeek {
		sdk.Abort(codeLateReading, "LATE_READING: the week of this reading is closed")
	}
	if !b.open || week > b.week {
		p := parameters()
		p.checkAhead(e, sec)
		b.turn(&p, week)
	}
	b.add(occupied, int64(capacity))
	b.lastNs = at
	b.save()
}

// closeWeek evaluates the open weeks of one lot, or of all.
func closeWeek(e *sdk.Event) {
	p := parameters()
	closed := uint64(0)
	evaluate := func(b *lotBand) {
		if b.open {
			b.evaluate(&p)
			b.save()
			closed++
		}
	}
	if string(e.Subject) != everyLot {
		for band := byte('A'); band <= 'C'; band++ {
			evaluate(load(e.Subject, band))
		}
	} else {
		lotBands.Each(nil, func(key, value []byte) bool {
			evaluate(decode(key, value))
			return true
		})
	}
	if closed > 0 {
		evaluated.Add(closed)
	}
}
