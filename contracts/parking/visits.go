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

// queryPayer answers what a payer owes. What it has is the bank's to say.
func queryPayer(r *sdk.Request) {
	t, payer := openTill(), r.Bytes()
	t.checkPayer(payer)
	var w sdk.JSON
	w.Object().Key("payer").Hex(payer).Key("asset").String(t.asset)
	w.Key("owedCents").Uint(debtOf(payer)).EndObject()
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
