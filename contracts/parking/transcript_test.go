package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcript.txt anew")

// A scenario that passes through every branch of the handlers, written down
// byte for byte. The ledger's tests give the same records to parking.wasm and
// expect the same answers, so that what was tested here is what runs there.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	c := &town{t: t, Host: sdk.NewHost(), asset: "EUR", deposit: 300}
	c.Transcript, c.Address = &got, addressOf(5)
	c.bank = c.OpenBank()
	c.bank.Issue("EUR", operator)
	c.scenario()
	if *rewrite {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("the handlers answer otherwise than %s says; if that is intended, run go test -rewrite", file)
	}
}

func (c *town) scenario() {
	if err := c.deploy(map[int]int64{0: 10, 1: 20}); err == nil {
		c.t.Fatal("a start below the floor")
	}
	if err := c.deploy(map[int]int64{0: 225, 10: 24 * 365 * 10}); err != nil {
		c.t.Fatal(err)
	}
	c.TimeMs = 1475539200_000 // 2016-10-04
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	lots := []string{"A", "AB", `the "7\8"`, "парк"}
	hours := []string{"07:59:42", "12:00:00", "14:59:59", "23:59:59"}
	for day := 24; day <= 38; day++ { // 2016-12-24 to 2017-01-07: weeks 51, 52 and 1
		date := fmt.Sprintf("2016-12-%02d", day)
		if day > 31 {
			date = fmt.Sprintf("2017-01-%02d", day-31)
		}
		lot := lots[next(4)]
		at := date + " " + hours[next(4)]
		// Some are below zero, some over capacity, some late: all have an answer.
		_ = c.read(lot, at, int64(next(140))-20, 100)
		_ = c.read(lots[next(4)], date+" "+hours[next(4)], int64(next(100)), uint64(next(300)))
		if next(3) == 0 {
			_ = c.read(lot, at, 1, 1)
		}
		if next(5) == 0 {
			c.close(lot)
		}
	}
	_ = c.read("*", "2017-01-08 09:00:00", 1, 1)
	_ = c.read("A", "2017-01-01 23:59:59", 1, 1)
	_ = c.read("A", "2017-01-08 09:00:00", 1, 0)
	_ = c.read("new", "2100-01-01 09:00:00", 1, 1)
	query := func(handler int, args *sdk.Args) { _, _ = c.Query(handler, args) }
	query(queryOfPrices, new(sdk.Args).Absent().Absent())
	c.close("*")
	for _, lot := range append(lots, "nowhere") {
		for _, band := range []string{"A", "B", "C", "D", ""} {
			query(queryOfPrice, new(sdk.Args).Text(lot).Text(band))
		}
	}
	query(queryOfPrices, new(sdk.Args).Absent().Uint(4))
	query(queryOfPrices, new(sdk.Args).Text("AB/B").Uint(0))
	query(queryOfCount, nil)
	query(queryOfCount+1, nil)
	query(queryOfPrice, new(sdk.Args).Text("fields of another manifest"))
	c.visits(next)
}

// visits are vehicles, payers and reservations of the lots above, some of
// them out of turn.
func (c *town) visits(next func(uint32) uint32) {
	c.TimeMs = uint64(clock("2017-01-07 09:00:00").UnixMilli())
	_ = c.callGate(gate, gate[:], true)
	_ = c.callGate(operator, gate[:10], true)
	c.gateKnown()
	lots := []string{"A", `the "7\8"`}
	origins := [][abi.AddressBytes]byte{operator, gate, gate, addressOf(9)}
	at := clock("2017-01-07 09:00:00")
	for _, lot := range lots {
		_ = c.tell(operator, eventSpaces, 1, lot, at, new(sdk.Args).Uint(1+uint64(next(2))))
	}
	for i := range uint64(220) {
		at = at.Add(time.Duration(next(40_000)) * 10 * time.Millisecond)
		origin, lot, id := origins[next(4)], lots[next(2)], fmt.Sprintf("%c", 'p'+next(5))
		slot := at.Truncate(15 * time.Minute).Add(time.Duration(next(9)) * 15 * time.Minute)
		switch kind := int(next(14)); kind {
		case 0, 1, 2:
			reservation, payer := "", ""
			if next(2) == 0 {
				reservation = fmt.Sprint("r", id, lot)
			}
			if next(2) == 0 {
				payer = []string{"ann", "bob"}[next(2)]
			}
			_ = c.tell(origin, eventEnter, i, lot, at, entering(id, payer, reservation))
		case 3, 4:
			_ = c.tell(origin, eventLeave, i, lot, at, ticketed(id))
		case 5:
			_ = c.tell(origins[next(2)], eventLost, i, lot, at, ticketed(id).Uint(uint64(next(900))))
		case 6:
			_ = c.tell(operator, eventLost, i, lot, at, ticketed(id).Absent())
		case 7:
			c.fund("ann", int64(next(900)), int64(next(1500)))
			_ = c.collect([]string{"ann", "bob"}[next(2)])
			_ = c.payOut([][abi.AddressBytes]byte{operator, gate}[next(2)], uint64(next(400)))
		case 8:
			_ = c.tell(operator, eventSpaces, i, lot, at, new(sdk.Args).Uint(uint64(next(5))))
		case 9, 10:
			_ = c.tell(origin, eventRequest, i, lot, at, askingFor(fmt.Sprint("r", id, lot), slot, slot.Add(time.Duration(next(9))*15*time.Minute), []string{"", "ann", "bob"}[next(3)]))
			_ = c.tell(operator, eventConfirm, i, lot, at, ticketed(fmt.Sprint("r", id, lot)))
		default:
			_ = c.tell(origin, []int{eventConfirm, eventCancel, eventExpire}[kind-11], i, lot, at, ticketed(fmt.Sprint("r", id, lot)))
		}
		c.conserved()
	}
	query := func(handler int, args *sdk.Args) { _, _ = c.Query(handler, args) }
	for _, id := range []string{"p", "q", "r", "s", "t", "nobody", ""} {
		query(queryOfSession, ticketed(id))
		for _, lot := range lots {
			query(queryOfReservation, ticketed(fmt.Sprint("r", id, lot)))
		}
	}
	for _, who := range []string{"ann", "bob", "nobody"} {
		query(queryOfPayer, whose(who))
	}
	for _, hours := range []time.Duration{1, 24 * 7, 24*7 + 1} {
		from := at.Truncate(time.Hour)
		query(queryOfSpaces, ticketed("A").Int(from.UnixNano()).Int(from.Add(hours*time.Hour).UnixNano()))
	}
	c.weekend()
	c.proposals()
}

// weekend is a stay over weeks, that ends after its first week was evaluated.
func (c *town) weekend() {
	c.fund("bob", 10_000, 10_000)
	from := clock("2017-01-29 22:59:30")
	_ = c.tell(gate, eventEnter, 1000, "AB", from, entering("long", "bob", ""))
	c.mustRead("AB", "2017-01-29 23:00:00", 99, 100)
	c.mustRead("AB", "2017-01-31 23:00:00", 99, 100)
	_ = c.tell(gate, eventLeave, 1001, "AB", from.AddDate(0, 0, 57), ticketed("long"))
	_ = c.tell(gate, eventLeave, 1002, "AB", from.AddDate(0, 0, 17), ticketed("long"))
	_ = c.callGate(operator, gate[:], false)
	_ = c.tell(gate, eventEnter, 1003, "AB", from.AddDate(0, 0, 18), entering("long", "", ""))
}
