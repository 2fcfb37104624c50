package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

func asking(id string, from, to time.Time) *sdk.Args { return askingFor(id, from, to, "") }

func askingFor(id string, from, to time.Time, payer string) *sdk.Args {
	return withPayer(new(sdk.Args).Text(id).Int(from.UnixNano()).Int(to.UnixNano()), payer)
}

func (c *town) free(lot string, from, to time.Time) (reservable, free int) {
	c.t.Helper()
	out, err := c.Query(queryOfSpaces, new(sdk.Args).Text(lot).Int(from.UnixNano()).Int(to.UnixNano()))
	var v struct{ Reservable, Free int }
	if err == nil {
		err = json.Unmarshal(out, &v)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return v.Reservable, v.Free
}

// A reservation from request to the vehicle's leave, and what is refused on the way.
func TestReservation(t *testing.T) {
	c := newTown(t, nil)
	c.gateKnown()
	now := clock("2016-10-12 09:07:00")
	from, to := clock("2016-10-12 23:45:00"), clock("2016-10-13 01:00:00")
	send := func(handler int, at time.Time, args *sdk.Args) error {
		return c.tell(gate, handler, 5, "x", at, args)
	}
	c.refuse(codeNoSpace, "NO_SPACE", send(eventRequest, now, asking("r1", from, to)))
	c.must(c.tell(operator, eventSpaces, 1, "x", now, new(sdk.Args).Uint(1)))
	for _, bad := range [][2]time.Time{
		{to, from}, {from, from}, {from.Add(1), to}, {from, to.Add(time.Minute)}, {from, from.Add(7*24*time.Hour + 15*time.Minute)},
		{clock("2016-10-12 08:45:00"), to}, {clock("2017-01-10 09:15:00"), clock("2017-01-10 10:00:00")},
		{time.Unix(0, -1<<63), to}, {from, time.Unix(0, 1<<63-1)},
	} {
		c.refuse(codeBadRange, "BAD_RANGE", send(eventRequest, now, asking("r1", bad[0], bad[1])))
	}
	c.must(send(eventRequest, now, asking("r1", from, to)))
	c.must(send(eventRequest, now.Add(time.Minute), asking("r1", from, to))) // once more
	c.refuse(codeReservationExists, "RESERVATION_EXISTS", send(eventRequest, now, asking("r1", from, from.Add(15*time.Minute))))
	c.refuse(codeNoSpace, "NO_SPACE", send(eventRequest, now, asking("r2", to.Add(-15*time.Minute), to.Add(time.Hour))))
	c.must(send(eventRequest, now, asking("r2", to, to.Add(time.Hour)))) // ends meet, ranges do not overlap
	c.refuse(codeNoSpace, "NO_SPACE", c.tell(operator, eventSpaces, 1, "x", now, new(sdk.Args).Uint(0)))
	c.refuse(codeBadCapacity, "BAD_CAPACITY", c.tell(operator, eventSpaces, 1, "x", now, new(sdk.Args).Uint(maxReservable+1)))
	c.refuse(codeNotDue, "NOT_DUE", send(eventExpire, now.Add(15*time.Minute-1), ticketed("r1")))
	c.refuse(codeTooLate, "TOO_LATE", send(eventConfirm, now.Add(15*time.Minute), ticketed("r1")))
	c.refuse(codeNoReservation, "NO_RESERVATION", c.tell(gate, eventConfirm, 1, "y", now, ticketed("r1")))
	c.refuse(codeNoReservation, "NO_RESERVATION", send(eventCancel, now, ticketed("r3")))
	c.refuse(codeWrongState, "WRONG_STATE", send(eventEnter, from, entering("T", "", "r1")))
	c.must(send(eventConfirm, now.Add(15*time.Minute-1), ticketed("r1")))
	c.must(send(eventExpire, now.Add(15*time.Minute), ticketed("r2")))
	c.refuse(codeWrongState, "WRONG_STATE", send(eventCancel, now, ticketed("r2")))
	c.refuse(codeBadRange, "BAD_RANGE", send(eventEnter, from.Add(-1), entering("T", "", "r1")))
	c.refuse(codeBadRange, "BAD_RANGE", send(eventEnter, to, entering("T", "", "r1")))
	c.refuse(codeNoReservation, "NO_RESERVATION", c.tell(gate, eventEnter, 1, "y", from, entering("T", "", "r1")))
	c.refuse(codeNotDue, "NOT_DUE", send(eventExpire, from.Add(30*time.Minute-1), ticketed("r1")))
	c.Emitted = nil
	c.must(send(eventEnter, from, entering("T", "", "r1")))
	c.must(send(eventEnter, from, entering("T", "", "r1")))
	c.must(send(eventExpire, from.Add(time.Hour), ticketed("r1"))) // it is in use
	c.refuse(codeWrongState, "WRONG_STATE", send(eventCancel, from, ticketed("r1")))
	c.must(send(eventLeave, from.Add(16*time.Minute), ticketed("T")))
	if _, free := c.free("x", from, from.Add(30*time.Minute)); free != 0 {
		t.Error("a slot in which the vehicle stood is free")
	}
	if _, free := c.free("x", from.Add(30*time.Minute), to); free != 1 {
		t.Error("the slots after it left are not free")
	}
	equal(t, c.evaluations(), `parking.reservation.status.v1 x {"reservation":"r1","lot":"x","status":"used","fromSec":1476315900,"toSec":1476320400,"freedAtSec":1476320400,"payer":null,"keptCents":0,"cause":5}
parking.reservation.status.v1 x {"reservation":"r1","lot":"x","status":"finished","fromSec":1476315900,"toSec":1476320400,"freedAtSec":1476317700,"payer":null,"keptCents":0,"cause":5}
parking.session.charged.v1 x {"lot":"x","ticket":"T","payer":null,"reservation":"r1","enterIndex":5,"leaveIndex":5,"amountCents":53,"paidCents":0,"dueCents":53,"earlierCents":0,"owedCents":0,"minutes":16,`+
		`"lines":[{"week":"2016-W41","band":"C","minutes":15,"priceCents":200,"sixtieths":3000},{"week":"2016-W41","band":"A","minutes":1,"priceCents":200,"sixtieths":200}],"lost":false}`)
	c.must(c.tell(operator, eventSpaces, 1, "x", from.Add(30*time.Minute), new(sdk.Args).Uint(0)))
}

// place is a reservation in the model: the slots it takes, by their start.
type place struct {
	lot, status string
	from, to    time.Time
	asked       time.Time
	slots       map[int64]bool
}

// booker drives the contract and a model of sets of slots.
type booker struct {
	*town
	r      *rand.Rand
	now    time.Time
	spaces map[string]int
	places map[string]*place
}

// taken counts the spaces that are booked in a slot.
func (b *booker) taken(lot string, slot int64) (n int) {
	for _, p := range b.places {
		if p.lot == lot && p.slots[slot] {
			n++
		}
	}
	return n
}

func (b *booker) ask(id string, lot string) (want uint32, err error) {
	from := b.now.Truncate(15 * time.Minute).Add(time.Duration(b.r.IntN(10)) * 15 * time.Minute)
	p := &place{lot: lot, status: "requested", from: from, to: from.Add(time.Duration(1+b.r.IntN(14)) * 15 * time.Minute), asked: b.now, slots: map[int64]bool{}}
	err = b.tell(operator, eventRequest, 1, lot, b.now, asking(id, p.from, p.to))
	if old := b.places[id]; old != nil {
		if old.lot == lot && old.from.Equal(p.from) && old.to.Equal(p.to) {
			return 0, err // the same request, once more
		}
		return codeReservationExists, err
	}
	for at := p.from; at.Before(p.to); at = at.Add(15 * time.Minute) {
		p.slots[at.Unix()] = true
		if b.taken(lot, at.Unix()) >= b.spaces[lot] {
			want = codeNoSpace
		}
	}
	if want == 0 {
		b.places[id] = p
	}
	return want, err
}

// change sends a random event about a reservation that exists.
func (b *booker) change(id string, p *place) (want uint32, err error) {
	send := func(handler int) error { return b.tell(operator, handler, 1, p.lot, b.now, ticketed(id)) }
	end := func(status string) { p.status, p.slots = status, nil }
	switch b.r.IntN(12) {
	case 0, 1, 2, 3:
		err = send(eventConfirm)
		switch {
		case strings.Contains("confirmed used finished", p.status):
		case p.status != "requested":
			want = codeWrongState
		case b.now.Sub(p.asked) >= 15*time.Minute:
			want = codeTooLate
		default:
			p.status = "confirmed"
		}
	case 4:
		err = send(eventCancel)
		switch p.status {
		case "cancelled":
		case "requested", "confirmed":
			end("cancelled")
		default:
			want = codeWrongState
		}
	case 5:
		err = send(eventExpire)
		late := b.now.Sub(p.from) >= 30*time.Minute || !b.now.Before(p.to)
		switch {
		case p.status == "requested" && b.now.Sub(p.asked) >= 15*time.Minute:
			end("expired")
		case p.status == "confirmed" && late:
			end("no-show")
		case p.status == "requested" || p.status == "confirmed":
			want = codeNotDue
		}
	case 6, 7, 8, 9:
		err = b.tell(operator, eventEnter, 1, p.lot, b.now, entering("T"+id, "", id))
		switch {
		case p.status == "used" || p.status == "finished":
			want = sdk.CodeOf(err) // a double enter, a repeat or a state: tested elsewhere
		case p.status != "confirmed":
			want = codeWrongState
		case b.now.Before(p.from) || !b.now.Before(p.to):
			want = codeBadRange
		default:
			p.status = "used"
		}
	default:
		err = b.tell(operator, eventLeave, 1, p.lot, b.now, ticketed("T"+id))
		switch {
		case p.status != "used":
			want = sdk.CodeOf(err)
		default:
			p.status = "finished"
			for slot := range p.slots {
				if slot >= b.now.Unix() {
					delete(p.slots, slot)
				}
			}
		}
	}
	return want, err
}

// Random requests, confirmations, cancellations, expiries, vehicles and
// changes of capacity: no slot is ever booked above its lot's capacity, a
// request is refused only where a slot is full, and the contract's counters
// are those of a model that keeps a set of slots for every reservation.
func TestNoDoubleBooking(t *testing.T) {
	statuses, refused := map[string]int{}, map[uint32]int{}
	for seed := range uint64(6) {
		b := &booker{town: newTown(t, nil), r: rand.New(rand.NewPCG(seed, 5)), now: clock("2016-10-12 09:00:00"),
			spaces: map[string]int{}, places: map[string]*place{}}
		lots := []string{"A", "AB"}
		for step := range 800 {
			b.now = b.now.Add(time.Duration(b.r.IntN(6)) * time.Minute)
			lot := lots[b.r.IntN(2)]
			id := fmt.Sprintf("r%d", max(0, step/8-b.r.IntN(10)))
			var want uint32
			var err error
			switch p := b.places[id]; {
			case step < 2:
				b.spaces[lots[step]] = 3
				err = b.tell(operator, eventSpaces, 1, lots[step], b.now, new(sdk.Args).Uint(3))
			case step%25 == 0:
				want, err = b.resize(lot, 2+b.r.IntN(7))
			case p == nil || b.r.IntN(8) == 0:
				want, err = b.ask(id, lot)
			default:
				want, err = b.change(id, p)
			}
			if sdk.CodeOf(err) != want || err != nil && want == 0 {
				t.Fatalf("seed %d step %d, %s: %v, the model says code %d", seed, step, id, err, want)
			}
			refused[want]++
			b.compare(lot, step)
		}
		for _, p := range b.places {
			statuses[p.status]++
		}
	}
	t.Logf("reservations %v; answers by code %v", statuses, refused)
	for _, status := range []string{"requested", "confirmed", "used", "finished", "cancelled", "expired", "no-show"} {
		if statuses[status] < 5 {
			t.Errorf("only %d reservations ended as %s: the test is blind there", statuses[status], status)
		}
	}
}

func (b *booker) resize(lot string, n int) (want uint32, err error) {
	for at := b.now.Truncate(15 * time.Minute); at.Before(b.now.Add(48 * time.Hour)); at = at.Add(15 * time.Minute) {
		if b.taken(lot, at.Unix()) > n {
			want = codeNoSpace
		}
	}
	if want == 0 {
		b.spaces[lot] = n
	}
	return want, b.tell(operator, eventSpaces, 1, lot, b.now, new(sdk.Args).Uint(uint64(n)))
}

// compare checks every slot of some hours around now.
func (b *booker) compare(lot string, step int) {
	b.t.Helper()
	start := b.now.Truncate(15 * time.Minute).Add(-2 * time.Hour)
	for at := start; at.Before(start.Add(20 * time.Hour)); at = at.Add(15 * time.Minute) {
		reservable, free := b.free(lot, at, at.Add(15*time.Minute))
		taken := b.taken(lot, at.Unix())
		if want := max(b.spaces[lot]-taken, 0); reservable != b.spaces[lot] || free != want {
			b.t.Fatalf("step %d: %d of %d spaces of %s are free at %s, the model has %d", step, free, reservable, lot, at, want)
		}
		if taken > b.spaces[lot] && !at.Add(15*time.Minute).Before(b.now) {
			b.t.Fatalf("step %d: %s is booked %d times at %s", step, lot, taken, at)
		}
	}
}
