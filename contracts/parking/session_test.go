package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json, continued.
const (
	eventEnter = iota + 2
	eventLeave
	eventLost
	eventSpaces
	eventRequest
	eventConfirm
	eventCancel
	eventExpire
)

const queryOfSession, queryOfPayer, queryOfReservation, queryOfSpaces = 3, 4, 5, 6

// operator is the one that deploy names, gate one that tests let in.
var operator, gate = addressOf(7), addressOf(8)

func addressOf(b byte) (a [abi.AddressBytes]byte) {
	a[0], a[abi.AddressBytes-1] = b, b
	return a
}

// tell delivers an event of an origin at a time, in a block of that time.
func (c *town) tell(origin [abi.AddressBytes]byte, handler int, index uint64, subject string, at time.Time, args *sdk.Args) error {
	c.TimeMs = uint64(max(at.UnixMilli(), 0))
	header := abi.EventHeader{Index: index, Origin: origin, HasTime: true, EventTimeNs: at.UnixNano(), Subject: []byte(subject)}
	return c.Event(handler, header, args)
}

// gateKnown lets the gate in.
func (c *town) gateKnown() {
	c.t.Helper()
	if err := c.callGate(operator, gate[:], true); err != nil {
		c.t.Fatal(err)
	}
}

func (c *town) callGate(caller [abi.AddressBytes]byte, address []byte, open bool) error {
	record := abi.AppendCallHeader(nil, &abi.CallHeader{Height: 1, Caller: caller})
	record = abi.AppendRun(abi.AppendFlag(record, true), address)
	_, err := c.Deliver(sdk.EntryCall, 0, abi.AppendFlag(abi.AppendFlag(record, true), open))
	return err
}

// entering is the data of an enter; what is empty is left out.
func entering(ticket, payer, reservation string) *sdk.Args {
	args := withPayer(new(sdk.Args).Text(ticket), payer)
	if reservation == "" {
		return args.Absent()
	}
	return args.Text(reservation)
}

func ticketed(ticket string) *sdk.Args { return new(sdk.Args).Text(ticket) }

func clock(text string) time.Time {
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return at
}

// charged is what parking.session.charged.v1 says.
type charged struct {
	Lot, Ticket            string
	Payer, Reservation     *string
	EnterIndex, LeaveIndex uint64
	AmountCents, PaidCents uint64
	DueCents, Minutes      uint64
	EarlierCents           uint64
	OwedCents              uint64
	Lines                  []struct {
		Week, Band                     string
		Minutes, PriceCents, Sixtieths uint64
	}
	Lost bool
}

// lastCharge reads the event that was emitted last.
func (c *town) lastCharge() (v charged) {
	c.t.Helper()
	if len(c.Emitted) == 0 || c.Emitted[len(c.Emitted)-1].Type != "parking.session.charged.v1" {
		c.t.Fatal("no charge was emitted")
	}
	if err := json.Unmarshal(c.Emitted[len(c.Emitted)-1].Data, &v); err != nil {
		c.t.Fatal(err)
	}
	return v
}

// A stay over a weekend, whose prices differ by band and week.
func TestStayIsChargedPiecewise(t *testing.T) {
	c := newCity(t, 0)
	c.gateKnown()
	c.mustRead("North", "2016-10-07 09:00:00", 95, 100) // week 40: A rises to 225
	c.mustRead("North", "2016-10-07 16:00:00", 40, 100) // C falls to 175
	c.fund("ann", 20_000, 20_000)
	if err := c.tell(gate, eventEnter, 11, "North", clock("2016-10-09 22:59:30"), entering("T1", "ann", "")); err != nil {
		t.Fatal(err)
	}
	c.mustRead("North", "2016-10-10 00:00:10", 1, 100) // closes week 40 of band A
	c.close("North")
	c.Emitted = nil
	if err := c.tell(gate, eventLeave, 12, "North", clock("2016-10-10 12:10:00"), ticketed("T1")); err != nil {
		t.Fatal(err)
	}
	// 22:59:30 to 00:00: 61 started minutes in week 40, the last of which runs into Monday.
	// Week 41 was closed by name as well, after the fact: its own price is still that of week 40.
	equal(t, c.evaluations(), `parking.session.charged.v1 North {"lot":"North","ticket":"T1","payer":"6400000000000000000000000000000000000064","reservation":null,`+
		`"enterIndex":11,"leaveIndex":12,"amountCents":2937,"paidCents":2937,"dueCents":0,"earlierCents":0,"owedCents":0,"minutes":791,"lines":[`+
		`{"week":"2016-W40","band":"C","minutes":61,"priceCents":200,"sixtieths":12200},`+
		`{"week":"2016-W41","band":"A","minutes":720,"priceCents":225,"sixtieths":162000},`+
		`{"week":"2016-W41","band":"B","minutes":10,"priceCents":200,"sixtieths":2000}],"lost":false}`)
	if has := c.bank.Balance("EUR", payerOf("ann")); has != 17_063 || c.bank.Balance("EUR", c.Address) != 2_937 {
		t.Errorf("ann has %d of 20000 after 2937", has)
	}
	c.conserved()
}

// byTheMinute charges a stay one minute after the other, with the standard
// library's calendar and the evaluations as they were emitted.
func byTheMinute(log map[string][]answer, lot string, from, to time.Time) (cents, minutes uint64) {
	sum := uint64(0)
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		year, number := at.ISOWeek()
		week := strconv.Itoa(year) + "-W" + strconv.Itoa(number + 100)[1:]
		band := "C"
		if at.Hour() < 12 {
			band = "A"
		} else if at.Hour() < 15 {
			band = "B"
		}
		price := uint64(200)
		for _, a := range log[lot+"/"+band] {
			if a.Week < week {
				price = uint64(a.PriceCents)
			}
		}
		sum += price
		minutes++
	}
	return (2*sum + 60) / 120, minutes
}

// Random stays over the eleven Birmingham weeks, while the readings come in,
// each against a recomputation minute by minute from the evaluations emitted.
func TestStaysInBirmingham(t *testing.T) {
	rows, _ := readBirmingham(t)
	c := newTown(t, nil)
	c.gateKnown()
	r := rand.New(rand.NewPCG(1, 2))
	log := map[string][]answer{}
	read := 0
	collect := func() {
		for ; read < len(c.Emitted); read++ {
			if e := c.Emitted[read]; e.Type == "parking.price.set.v1" {
				var a answer
				if err := json.Unmarshal(e.Data, &a); err != nil {
					t.Fatal(err)
				}
				log[a.Lot+"/"+a.Band] = append(log[a.Lot+"/"+a.Band], a)
			}
		}
	}
	stays, lines := 0, 0
	for i, row := range rows {
		c.mustRead(row.lot, row.at, row.occupied, uint64(row.capacity))
		if i%20 != 0 {
			continue
		}
		collect()
		ticket := fmt.Sprint("T", i%12000)
		to := clock(row.at).Add(time.Duration(r.IntN(1e9)))
		stay := time.Duration(r.Int64N(int64(12 * time.Hour)))
		if r.IntN(4) == 0 {
			stay = time.Duration(r.Int64N(int64(30 * 24 * time.Hour)))
		}
		if i%7 == 0 {
			to, stay = to.Truncate(time.Minute), stay.Truncate(time.Minute)
		}
		from := to.Add(-stay)
		if s := c.tell(gate, eventEnter, uint64(2*i+1), row.lot, from, entering(ticket, "", "")); sdk.CodeOf(s) == codeBadTime {
			continue // before this ticket's last leave
		}
		if err := c.tell(gate, eventLeave, uint64(2*i+2), row.lot, to, ticketed(ticket)); err != nil {
			t.Fatal(err)
		}
		got := c.lastCharge()
		cents, minutes := byTheMinute(log, row.lot, from, to)
		if got.AmountCents != cents || got.Minutes != minutes || got.DueCents != cents || got.EnterIndex != uint64(2*i+1) || got.LeaveIndex != uint64(2*i+2) {
			t.Fatalf("%s to %s in %s: %+v, want %d cents for %d minutes", from, to, row.lot, got, cents, minutes)
		}
		sum := uint64(0)
		for _, l := range got.Lines {
			sum += l.Sixtieths
			minutes -= l.Minutes
		}
		if (sum+30)/60 != cents || minutes != 0 {
			t.Fatalf("the lines do not make the amount: %+v", got)
		}
		stays, lines = stays+1, lines+len(got.Lines)
	}
	t.Logf("%d stays with %d lines", stays, lines)
	if stays < 500 {
		t.Errorf("only %d stays", stays)
	}
}

func (c *town) refuse(code uint32, name string, err error) {
	c.t.Helper()
	if sdk.CodeOf(err) != code || !strings.Contains(err.Error(), name) {
		c.t.Errorf("%v, want code %d %s", err, code, name)
	}
}

func TestRefusedSessions(t *testing.T) {
	c := newTown(t, nil)
	at := clock("2016-10-12 09:00:00")
	later := at.Add(time.Hour)
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.tell(gate, eventEnter, 1, "x", at, entering("T", "", "")))
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.callGate(gate, gate[:], true))
	c.refuse(codeBadParameters, "BAD_PARAMETERS", c.callGate(operator, gate[1:], true))
	c.gateKnown()
	enter := func(lot, ticket string, at time.Time) error {
		return c.tell(gate, eventEnter, 1, lot, at, entering(ticket, "", ""))
	}
	enterFor := func(payer string) error { return c.tell(gate, eventEnter, 1, "x", at, entering("U", payer, "")) }
	leave := func(lot, ticket string, at time.Time) error {
		return c.tell(gate, eventLeave, 2, lot, at, ticketed(ticket))
	}
	c.must(enter("x", "T", at))
	c.must(enter("x", "T", at)) // the same once more
	for _, r := range []struct {
		code uint32
		name string
		err  error
	}{
		{codeBadLot, "BAD_LOT", enter("*", "U", at)},
		{codeBadName, "BAD_NAME", enter("x", "", at)},
		{codeBadName, "BAD_NAME", c.tell(gate, eventEnter, 1, "x", at, new(sdk.Args).Text("U").Absent().Text(""))},
		{codeBadPayer, "BAD_PAYER", enterFor("ann")}, // no asset was configured
		{codeDoubleEnter, "DOUBLE_ENTER", enter("x", "T", later)},
		{codeDoubleEnter, "DOUBLE_ENTER", enter("y", "T", at)},
		{codeNoSession, "NO_SESSION", leave("x", "U", later)},
		{codeWrongLot, "WRONG_LOT", leave("y", "T", later)},
		{codeBadTime, "BAD_TIME", leave("x", "T", at.Add(-1))},
		{codeBadTime, "BAD_TIME", enter("x", "U", time.Unix(maxSec+1, 0))},
		{codeBadTime, "BAD_TIME", enter("x", "U", time.Unix(minSec-1, 0))},
		{codeStayTooLong, "STAY_TOO_LONG", leave("x", "T", at.Add(maxStayMin*time.Minute+1))},
		{codeNotAllowed, "NOT_ALLOWED", c.tell(gate, eventLost, 2, "x", later, ticketed("T").Uint(5))},
		{codeNotAllowed, "NOT_ALLOWED", c.tell(gate, eventSpaces, 2, "x", later, new(sdk.Args).Uint(5))},
		{codeBadAmount, "BAD_AMOUNT", c.tell(operator, eventLost, 2, "x", later, ticketed("T").Uint(maxCents+1))},
		{codeBadAmount, "BAD_AMOUNT", c.tell(operator, eventLost, 2, "x", later, ticketed("T").Uint(1<<64-1))},
	} {
		c.refuse(r.code, r.name, r.err)
	}
	c.TimeMs = uint64(at.UnixMilli())
	header := abi.EventHeader{Origin: gate, HasTime: true, EventTimeNs: at.Add(maxAheadSec*time.Second + time.Second).UnixNano(), Subject: []byte("x")}
	c.refuse(codeBadTime, "BAD_TIME", c.Event(eventLeave, header, ticketed("T")))

	c.must(leave("x", "T", later))
	emitted := len(c.Emitted)
	c.must(leave("x", "T", later)) // the same once more
	c.must(enter("x", "T", at))    // and the enter before it
	if len(c.Emitted) != emitted {
		t.Error("a repeat was charged")
	}
	c.refuse(codeNoSession, "NO_SESSION", leave("x", "T", later.Add(1)))
	c.refuse(codeBadTime, "BAD_TIME", enter("x", "T", later.Add(-1)))
	c.must(enter("y", "T", later))
	if err := c.callGate(operator, gate[:], false); err != nil {
		t.Fatal(err)
	}
	c.refuse(codeNotAllowed, "NOT_ALLOWED", leave("y", "T", later))
}

// Minutes are started ones: none for no time, one for a nanosecond.
func TestStartedMinutes(t *testing.T) {
	c := newTown(t, map[int]int64{0: 90}) // 90 cents an hour: 1.5 a minute
	at := clock("2016-10-12 11:59:00")
	for i, r := range []struct {
		stay           time.Duration
		minutes, cents uint64
	}{
		{0, 0, 0}, {1, 1, 2}, {time.Minute, 1, 2}, {time.Minute + 1, 2, 3}, {2 * time.Minute, 2, 3},
		{maxStayMin * time.Minute, maxStayMin, maxStayMin * 3 / 2},
	} {
		ticket := fmt.Sprint("T", i)
		c.must(c.tell(operator, eventEnter, 1, "x", at, entering(ticket, "", "")))
		c.must(c.tell(operator, eventLeave, 2, "x", at.Add(r.stay), ticketed(ticket)))
		if got := c.lastCharge(); got.Minutes != r.minutes || got.AmountCents != r.cents || got.DueCents != r.cents || len(got.Lines) > 27 {
			t.Errorf("%s: %+v", r.stay, got)
		}
	}
}

// must fails on any error.
func (c *town) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}
