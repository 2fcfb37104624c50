package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// booking is how far a reservation has come.
type booking uint8

const (
	requested booking = iota + 1 // a space is taken, until the deadline to confirm
	confirmed                    // until its vehicle comes, or does not
	used                         // the vehicle is in the lot
	finished                     // it has left
	cancelled
	expired // not confirmed in time
	noShow  // confirmed, and no vehicle came
)

var bookingNames = [...]string{"", "requested", "confirmed", "used", "finished", "cancelled", "expired", "no-show"}

// Bounds of a reservation.
const (
	confirmNs  = 15 * minuteNs // from the request to its confirmation
	graceNs    = 30 * minuteNs // from the range's start to a vehicle that comes
	maxRangeNs = 7 * dayNs
	maxAheadNs = 90 * dayNs // of the range's start
)

// reservations maps a name to its record. Whatever is not cancelled, expired
// or a no-show counts in its lot's slots.
var reservations = sdk.NewMap("b")

// reservation is a space of a lot for a range of time.
type reservation struct {
	id, lot   []byte
	state     booking
	from, to  int64  // as asked for
	freedAt   int64  // the slots from here to the end are given back; to while none are
	requestNs int64  // when it was asked for
	payer     []byte // 20 bytes; empty for none
	hold      uint64 // its deposit, until a session takes it; 0 for none
	kept      uint64 // cents of the deposit of a vehicle that did not come
}

// findReservation reads a reservation, or answers nil.
func findReservation(id []byte) *reservation {
	checkName(id)
	record, found := reservations.Get(id)
	if !found {
		return nil
	}
	r := abi.NewReader(record)
	v := &reservation{id: id, lot: r.Bytes(), state: booking(r.Uint()), from: r.Int(), to: r.Int(), freedAt: r.Int(), requestNs: r.Int(),
		payer: r.Bytes(), hold: r.Uint(), kept: r.Uint()}
	checkState(r.Done() && 0 < v.state && int(v.state) < len(bookingNames))
	return v
}

// enterState stores a reservation in a new state and says so.
func (v *reservation) enterState(e *sdk.Event, to booking) {
	v.state = to
	b := u64(run(make([]byte, 0, 128), v.lot), uint64(to))
	b = u64(u64(b, uint64(v.from)), uint64(v.to))
	b = run(u64(u64(b, uint64(v.freedAt)), uint64(v.requestNs)), v.payer)
	reservations.Set(v.id, u64(u64(b, v.hold), v.kept))
	var w sdk.JSON
	w.Object()
	v.write(&w)
	w.Key("cause").Uint(e.Index).EndObject()
	sdk.Emit("parking.reservation.status.v1", v.lot, w.Bytes())
}

// write adds the members that event and query share.
func (v *reservation) write(w *sdk.JSON) {
	w.Key("reservation").Text(v.id)
	w.Key("lot").Text(v.lot)
	w.Key("status").String(bookingNames[v.state])
	w.Key("fromSec").Int(sdk.Seconds(v.from))
	w.Key("toSec").Int(sdk.Seconds(v.to))
	w.Key("freedAtSec").Int(sdk.Seconds(v.freedAt))
	w.Key("payer")
	payerOrNull(w, v.payer)
	w.Key("keptCents").Uint(v.kept)
}

// request books a space, to be confirmed. The same request again is ignored.
func request(e *sdk.Event) {
	now := admit(e, true)
	checkLot(e.Subject)
	v := &reservation{id: e.Bytes(), lot: e.Subject, from: e.Int(), to: e.Int(), requestNs: now, payer: e.BytesOr(nil)}
	v.freedAt = v.to
	if old := findReservation(v.id); old != nil {
		if old.from != v.from || old.to != v.to || string(old.lot) != string(v.lot) || string(old.payer) != string(v.payer) {
			sdk.Abort(codeReservationExists, "RESERVATION_EXISTS: another reservation has this name")
		}
		return
	}
	checkRange(v.from, v.to)
	if v.from <= now-slotNs || v.from > now+maxAheadNs {
		sdk.Abort(codeBadRange, "BAD_RANGE: a reservation starts in the slot that runs, or at most 90 days later")
	}
	takeSlots(v.lot, v.from, v.to)
	if len(v.payer) > 0 {
		t := openTill()
		v.hold = t.engage(e, v.payer, uint64(v.to)/1e6)
	}
	v.enterState(e, requested)
}

// checkRange aborts unless a range is whole slots, at most seven days of them.
func checkRange(from, to int64) {
	inside := minSec*1e9 <= from && from < to && to <= (maxSec+86400*100)*1e9
	if !inside || from%slotNs != 0 || to%slotNs != 0 || to-from > maxRangeNs {
		sdk.Abort(codeBadRange, "BAD_RANGE: a range is whole quarters of an hour, at most seven days")
	}
}

// named reads the reservation that an event of its lot is about.
func named(e *sdk.Event) *reservation {
	checkLot(e.Subject)
	return reservationOf(e.Bytes(), e.Subject)
}

func reservationOf(id, lot []byte) *reservation {
	v := findReservation(id)
	if v == nil || string(v.lot) != string(lot) {
		sdk.Abort(codeNoReservation, "NO_RESERVATION: the lot has no such reservation")
	}
	return v
}

// confirm keeps a reservation beyond its deadline.
func confirm(e *sdk.Event) {
	now := admit(e, true)
	v := named(e)
	switch v.state {
	case confirmed, used, finished:
		return // it was confirmed
	case requested:
	default:
		wrongState()
	}
	if now >= v.requestNs+confirmNs {
		sdk.Abort(codeTooLate, "TOO_LATE: a reservation is confirmed within 15 minutes")
	}
	v.enterState(e, confirmed)
}

// cancel gives a space back before its vehicle has come.
func cancel(e *sdk.Event) {
	admit(e, true)
	v := named(e)
	switch v.state {
	case cancelled:
	case requested, confirmed:
		v.giveBack(e, v.from, cancelled)
	default:
		wrongState()
	}
}

// expire gives a space back that was not confirmed in time, or whose vehicle
// did not come in time. What has ended, or is in use, stays as it is.
func expire(e *sdk.Event) {
	now := admit(e, true)
	v := named(e)
	var due int64
	to := expired
	switch v.state {
	case requested:
		due = v.requestNs + confirmNs
	case confirmed:
		due, to = min(v.from+graceNs, v.to), noShow
	default:
		return
	}
	if now < due {
		sdk.Abort(codeNotDue, "NOT_DUE: there is still time to confirm or to come")
	}
	v.giveBack(e, v.from, to)
}

// giveBack frees the slots from a time on. A deposit that no session took goes
// back too, but for a vehicle that did not come.
func (v *reservation) giveBack(e *sdk.Event, from int64, to booking) {
	if v.hold != 0 {
		t := openTill()
		if to == noShow {
			v.kept = t.fromDeposit(v.hold, t.deposit)
		} else {
			t.fromDeposit(v.hold, 0)
		}
		v.hold = 0
	}
	freeSlots(v.lot, from, v.to)
	v.freedAt = from
	v.enterState(e, to)
}

// useReservation is a vehicle that comes for its space.
func useReservation(e *sdk.Event, s *session) {
	v := reservationOf(s.reservation, s.lot)
	if v.state != confirmed {
		wrongState()
	}
	if s.enterNs < v.from || s.enterNs >= v.to {
		sdk.Abort(codeBadRange, "BAD_RANGE: the vehicle comes before or after its reservation")
	}
	if len(v.payer) > 0 {
		if s.payer != nil && string(s.payer) != string(v.payer) {
			sdk.Abort(codeBadPayer, "BAD_PAYER: the reservation is another account's")
		}
		s.payer, s.hold, v.hold = v.payer, v.hold, 0
	}
	v.enterState(e, used)
}

// finishReservation is a vehicle that leaves its space: the slots that begin
// after that can be booked again.
func finishReservation(e *sdk.Event, id []byte, now int64) {
	v := findReservation(id)
	checkState(v != nil && v.state == used)
	next := (now + slotNs - 1) / slotNs * slotNs
	v.giveBack(e, min(max(next, v.from), v.to), finished)
}

func wrongState() {
	sdk.Abort(codeWrongState, "WRONG_STATE: the reservation is not where this begins")
}
