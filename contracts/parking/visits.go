package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// querySession answers a ticket's last session.
func querySession(r *sdk.Request) {
	s := findSession(r.Bytes())
	if s == nil {
		notFound()
	}
	var w sdk.JSON
	w.Object().Key("open").Bool(s.open)
	s.write(&w)
	r.Reply(w.EndObject().Bytes())
}

// queryAccount answers what an account has and has paid.
func queryAccount(r *sdk.Request) {
	name := r.Bytes()
	checkName(name)
	balance, paid, known := loadAccount(name)
	if !known {
		notFound()
	}
	var w sdk.JSON
	w.Object().Key("account").Text(name)
	w.Key("balanceCents").Uint(balance).Key("paidCents").Uint(paid).EndObject()
	r.Reply(w.Bytes())
}

// queryReservation answers one reservation.
func queryReservation(r *sdk.Request) {
	v := findReservation(r.Bytes())
	if v == nil {
		notFound()
	}
	var w sdk.JSON
	w.Object()
	v.write(&w)
	r.Reply(w.EndObject().Bytes())
}

// querySpaces answers how many spaces of a lot can be booked for all of a range.
func querySpaces(r *sdk.Request) {
	lot, from, to := r.Bytes(), r.Int(), r.Int()
	checkLot(lot)
	checkRange(from, to)
	var w sdk.JSON
	w.Object().Key("lot").Text(lot)
	w.Key("reservable").Uint(spacesOf(lot)).Key("free").Uint(freeSpaces(lot, from, to)).EndObject()
	r.Reply(w.Bytes())
}

func notFound() { sdk.Abort(codeNotFound, "NOT_FOUND: nothing has this name") }
