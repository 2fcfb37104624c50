package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// sessions maps a ticket to its last session: a vehicle is in one lot at a
// time. The last one is kept, so that an enter or leave that comes again is
// known for what it is.
var sessions = sdk.NewMap("t")

// session is one stay of a ticket: a printed one, or a token for a plate.
type session struct {
	ticket      []byte
	lot         []byte
	payer       []byte // 20 bytes, the account that pays; empty for none
	reservation []byte // that it makes use of; empty for none
	enterNs     int64
	enterIndex  uint64 // of the log entry
	hold        uint64 // its deposit; 0 for none
	open        bool
	// The rest is of a closed session.
	leaveNs      int64
	leaveIndex   uint64
	amount, paid uint64 // cents
}

// findSession reads a ticket's last session, or answers nil.
func findSession(ticket []byte) *session {
	checkName(ticket)
	record, found := sessions.Get(ticket)
	if !found {
		return nil
	}
	r := abi.NewReader(record)
	s := &session{ticket: ticket, lot: r.Bytes(), payer: r.Bytes(), reservation: r.Bytes(),
		enterNs: r.Int(), enterIndex: r.Uint(), hold: r.Uint(), open: r.Bool()}
	s.leaveNs, s.leaveIndex, s.amount, s.paid = r.Int(), r.Uint(), r.Uint(), r.Uint()
	checkState(r.Done())
	return s
}

func (s *session) save() {
	b := run(make([]byte, 0, 128), s.lot)
	b = run(run(b, s.payer), s.reservation)
	b = abi.AppendFlag(u64(u64(u64(b, uint64(s.enterNs)), s.enterIndex), s.hold), s.open)
	b = u64(u64(b, uint64(s.leaveNs)), s.leaveIndex)
	sessions.Set(s.ticket, u64(u64(b, s.amount), s.paid))
}

// enter opens a session.
func enter(e *sdk.Event) {
	now := admit(e, true)
	checkLot(e.Subject)
	s := &session{lot: e.Subject, ticket: e.Bytes(), payer: e.BytesOr(nil), reservation: e.BytesOr(nil),
		enterNs: now, enterIndex: e.Index, open: true}
	if s.reservation != nil {
		checkName(s.reservation)
	}
	if last := findSession(s.ticket); last != nil {
		if last.enterNs == now && string(last.lot) == string(s.lot) && string(last.reservation) == string(s.reservation) &&
			(s.payer == nil || string(last.payer) == string(s.payer)) {
			return // the same vehicle at the same gate and moment, once more
		}
		if last.open {
			sdk.Abort(codeDoubleEnter, "DOUBLE_ENTER: the ticket's session is open, here or in another lot")
		}
		if now < last.leaveNs {
			refuseTime()
		}
	}
	if s.reservation != nil {
		useReservation(e, s) // which may bring its payer and deposit
	}
	if len(s.payer) > 0 && s.hold == 0 {
		t := openTill()
		s.hold = t.engage(e, s.payer, 0)
	}
	s.save()
}

// leave closes a session and charges it by the ladder.
func leave(e *sdk.Event) {
	now := admit(e, true)
	if s := sessionToClose(e, now); s != nil {
		p := parameters()
		priced := price(&p, s.lot, s.enterNs, now)
		s.close(e, now, &priced, priced.cents(), false)
	}
}

// lostTicket closes a session for the operator, who knows which it is: for
// the amount given, or by the ladder until now.
func lostTicket(e *sdk.Event) {
	now := admit(e, false)
	s := sessionToClose(e, now)
	if s == nil {
		return
	}
	again := e.Fields // read twice, a field that is absent is both defaults
	cents, other := e.UintOr(0), again.UintOr(1)
	var priced stay
	switch {
	case cents != other:
		p := parameters()
		priced = price(&p, s.lot, s.enterNs, now)
		cents = priced.cents()
	case cents > maxCents:
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: a lost ticket costs at most 100000000 cents")
	default:
		priced.minutes = startedMinutes(now - s.enterNs)
	}
	s.close(e, now, &priced, cents, true)
}

// sessionToClose finds the open session that an event of a lot ends, or nil
// where that event came before.
func sessionToClose(e *sdk.Event, now int64) *session {
	checkLot(e.Subject)
	s := findSession(e.Bytes())
	if s == nil {
		sdk.Abort(codeNoSession, "NO_SESSION: the ticket has not entered")
	}
	if string(s.lot) != string(e.Subject) {
		sdk.Abort(codeWrongLot, "WRONG_LOT: the ticket has entered another lot")
	}
	if !s.open {
		if s.leaveNs == now {
			return nil
		}
		sdk.Abort(codeNoSession, "NO_SESSION: the ticket has left")
	}
	if now < s.enterNs {
		refuseTime()
	}
	return s
}

// close ends a session: its deposit and its payer pay. What nobody pays is due
// at the machine, what a payer does not have it owes.
func (s *session) close(e *sdk.Event, now int64, priced *stay, cents uint64, lost bool) {
	s.open, s.leaveNs, s.leaveIndex, s.amount = false, now, e.Index, cents
	var earlier, owed uint64
	if len(s.payer) > 0 {
		t := openTill()
		s.paid, earlier, owed = t.charge(s.payer, s.hold, cents)
		s.hold = 0
	}
	s.save()
	if len(s.reservation) > 0 {
		finishReservation(e, s.reservation, now)
	}
	var w sdk.JSON
	w.Object()
	s.write(&w)
	w.Key("earlierCents").Uint(earlier).Key("owedCents").Uint(owed)
	w.Key("minutes").Uint(priced.minutes)
	priced.write(&w)
	w.Key("lost").Bool(lost).EndObject()
	sdk.Emit("parking.session.charged.v1", s.lot, w.Bytes())
}

// write adds the members that charge event and query share.
func (s *session) write(w *sdk.JSON) {
	w.Key("lot").Text(s.lot)
	w.Key("ticket").Text(s.ticket)
	w.Key("payer")
	payerOrNull(w, s.payer)
	w.Key("reservation")
	textOrNull(w, s.reservation)
	w.Key("enterIndex").Uint(s.enterIndex)
	if s.open {
		return
	}
	w.Key("leaveIndex").Uint(s.leaveIndex)
	w.Key("amountCents").Uint(s.amount)
	w.Key("paidCents").Uint(s.paid)
	w.Key("dueCents").Uint(s.amount - s.paid)
}

func payerOrNull(w *sdk.JSON, payer []byte) {
	if len(payer) == 0 {
		w.Null()
	} else {
		w.Hex(payer)
	}
}

func textOrNull(w *sdk.JSON, text []byte) {
	if len(text) == 0 {
		w.Null()
	} else {
		w.Text(text)
	}
}
