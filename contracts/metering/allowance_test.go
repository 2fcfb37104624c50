package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// steelEvents are the file's rows as the steel works' meter sends them.
func steelEvents(t *testing.T, rows []row) (events []protocol.Event) {
	zone := time.FixedZone("KST", 9*3600)
	for i, r := range rows {
		at, err := time.ParseInLocation("02/01/2006 15:04", r.date, zone)
		if err != nil {
			t.Fatal(err)
		}
		if at.Hour() == 0 && at.Minute() == 0 {
			at = at.AddDate(0, 0, 1)
		}
		events = append(events, protocol.Event{
			ID: fmt.Sprint("r", i), Source: "/works", Type: "metering.reading.v1", Subject: "works", HasTime: true, TimeNs: at.UnixNano(),
			DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"quantity":%s,"band":%q}`, r.kwh, r.load),
		})
	}
	return events
}

// costs is what a month has cost after each reading, in whole minor units, by
// the rule's text and in rationals.
func costs(rows []row) (after []int64) {
	prices := map[string]*big.Rat{"Light_Load": big.NewRat(561, 10), "Medium_Load": big.NewRat(109, 1), "Maximum_Load": big.NewRat(1911, 10)}
	energy, peak := new(big.Rat), new(big.Rat)
	for _, r := range rows {
		kwh := rat(r.kwh)
		energy.Add(energy, new(big.Rat).Mul(kwh, prices[r.load]))
		if kwh.Cmp(peak) > 0 {
			peak = kwh
		}
		all := new(big.Rat).Mul(peak, big.NewRat(4*8320, 1))
		all.Add(all, energy)
		after = append(after, new(big.Int).Div(all.Num(), all.Denom()).Int64())
	}
	return after
}

// A month of the steel works paid by allowance: every debit is what its reading
// added to the cost, the debits add up to the bill that was recomputed from the
// file, and each leads to its reading.
func TestSteelMonthPaidByAllowance(t *testing.T) {
	rows := readSteel(t)[:31*96]
	bill := recompute(t, rows)[0]
	c := deployed(t, contracttest.Args{"utcOffsetMinutes": 540})
	const endowed = 100_000_000
	c.Issue("KRW", endowed, "carol")
	c.Allow("carol", "KRW", endowed)
	c.Call("alice", "register", contracttest.Args{"meter": "works", "account": "steelmaker", "tariff": "industrial"})
	carol, alice := contracttest.Address("carol"), contracttest.Address("alice")
	c.Call("bob", "payBy", contracttest.Args{"meter": "works", "payer": carol[:]}).Refused(codeForbidden)
	c.Call("alice", "payBy", contracttest.Args{"meter": "works", "payer": carol[1:]}).Refused(codeBadParameters)
	paid := c.Call("alice", "payBy", contracttest.Args{"meter": "works", "payer": carol[:]})
	c.Events(steelEvents(t, rows)...)
	closed := c.Event("metering.period.close.v1", "works", `{}`, contracttest.From("alice"))
	closed.WantEmitted("metering.bill.v1", fmt.Sprintf(`{"mode":"allowance","total":%d,"arrears":0}`, bill.total))

	debited := map[uint64]int64{} // by the reading that led to it
	sum, entries := int64(0), 0
	for _, m := range c.Movements(paid.Index) {
		if m.Kind != protocol.TokenDebit || m.From != carol || m.To != c.Address() || m.By != c.Address() {
			t.Fatalf("%+v", m)
		}
		parts := m.Parts
		if len(parts) == 0 {
			parts = []protocol.MovementPart{{Index: m.Cause, Count: 1, Each: m.Amount}}
		}
		for _, p := range parts {
			for i := range p.Count {
				debited[p.Index+i] += int64(p.Each)
			}
		}
		sum, entries = sum+int64(m.Amount), entries+1
	}
	if want := bill.total.Int64(); sum != want || c.Balance(carol, "KRW") != uint64(endowed-want) || c.Balance(c.Address(), "KRW") != uint64(want) {
		t.Errorf("%d were debited, the bill is %d", sum, want)
	}
	before, reading := int64(0), 0
	after := costs(rows)
	for index := paid.Index + 1; index <= closed.Index; index++ {
		e, err := c.Sim().Entry(index)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != protocol.EntryEvent || e.Event.Type != "metering.reading.v1" {
			continue
		}
		var data struct{ Quantity json.Number }
		if err := json.Unmarshal(e.Event.Data, &data); err != nil || data.Quantity.String() != rows[reading].kwh {
			t.Fatalf("entry %d is not reading %d: %s %v", index, reading, e.Event.Data, err)
		}
		if debited[index] != after[reading]-before {
			t.Fatalf("reading %d, entry %d, debits %d, it cost %d", reading, index, debited[index], after[reading]-before)
		}
		delete(debited, index)
		before, reading = after[reading], reading+1
	}
	if rounding := bill.total.Int64() - before; reading != len(rows) || debited[closed.Index] != rounding || rounding > 1 {
		t.Errorf("%d readings; the close debits %d, rounding is %d", reading, debited[closed.Index], rounding)
	}
	t.Logf("%d readings, %d entries of debits, %d minor units", reading, entries, sum)

	c.Call("bob", "payOut", contracttest.Args{"to": alice[:], "amount": 1}).Refused(codeForbidden)
	c.Call("alice", "payOut", contracttest.Args{"to": alice[:], "amount": sum + 1}).Refused(codeUnfunded)
	c.Call("alice", "payOut", contracttest.Args{"to": alice[:], "amount": sum})
	c.WantBalance("alice", "KRW", uint64(sum))
}

// What an allowance does not cover is owed: told once, debited with the next
// reading that can be, and carried over a close.
func TestArrears(t *testing.T) {
	c := deployed(t, contracttest.Args{"stamp": "start"})
	c.Issue("KRW", 10_000_000, "carol")
	carol := contracttest.Address("carol")
	home := contracttest.Args{"meter": "home", "account": "Ada", "tariff": "industrial"}
	c.Call("alice", "register", home)
	c.Call("alice", "payBy", contracttest.Args{"meter": "home", "payer": carol[:]})
	read := func(at string) *contracttest.Result {
		t.Helper()
		return c.Event("metering.reading.v1", "home", `{"quantity":1,"band":"Medium_Load"}`, contracttest.Time("2018-03-01T"+at+":00Z"))
	}
	read("00:00").WantEmitted("metering.unpaid.v1", `{"account":"Ada","due":33389,"code":237}`)
	read("00:15").WantEmitted("metering.unpaid.v1")
	c.Allow("carol", "KRW", 40_000)
	read("00:30") // 33280 and three times 109
	c.WantBalance("carol", "KRW", 10_000_000-33_607)
	c.Allow("carol", "KRW", 50)
	read("00:45").WantEmitted("metering.unpaid.v1", `{"due":109}`)
	c.Event("metering.period.close.v1", "home", `{}`, contracttest.From("alice")).WantEmitted("metering.bill.v1", `{"total":33716,"arrears":109}`)
	c.Call("alice", "register", contracttest.Args{"meter": "home", "account": "Ada", "tariff": "industrial"})
	c.Allow("carol", "KRW", 1_000_000)
	c.Event("metering.reading.v1", "home", `{"quantity":1,"band":"Medium_Load"}`, contracttest.Time("2018-04-01T00:00:00Z"))
	c.WantBalance("carol", "KRW", 10_000_000-33_607-109-33_389)
}
