package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Every part of a tariff at once, on a clock two hours east of UTC: bands by
// the hour, blocks, demand and a fixed charge, to the last digit of the bill.
func TestBill(t *testing.T) {
	c := newUtility(t, set{offset: 120})
	c.must(c.setTariff(price{name: "home", bands: "low 20.25, peak 40.5", hours: "mon-fri 08:00-20:00 peak",
		tiers: "1 0, 2.5 1.000001, * 3", demand: 12_500_000, fixed: 350_333_333}))
	c.must(c.register("m/1", "Ada", "home", false))
	c.must(
		c.read("m/1", "2024-02-29T22:15:00Z", 1_000_000, "ignored"), // Friday 1 March, 00:00 to 00:15
		c.read("m/1", "2024-03-01T06:15:00Z", 1_500_000, ""),        // 08:00 to 08:15
		c.read("m/1", "2024-03-01T06:00:00Z", 250_000, ""),          // late, 07:45 to 08:00
		c.read("m/1", "2024-03-02T06:15:00Z", 1_500_000, ""),        // Saturday; as high as the peak
		c.read("m/1", "2024-03-31T22:00:00Z", 500_001, ""),          // Sunday, the last of March
	)
	equal(t, c.emitted(), "")
	c.must(c.read("m/1", "2024-03-31T22:15:00Z", 0, ""))
	item := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	equal(t, c.emitted(), `metering.bill.v1 m/1 {"meter":"m/1","account":"Ada","mode":"postpaid","period":"2024-03","tariff":"home","version":1,`+
		`"unit":"kWh","quantity":"4.750001","readings":5,"missing":2971,"causes":[[1,5]],"items":[`+strings.Join([]string{
		item(`{"item":"energy","band":"low","quantity":"3.250001","price":"20.25","amount":"65.81252025","readings":4,"causes":[[1,5]]}`),
		item(`{"item":"energy","band":"peak","quantity":"1.5","price":"40.5","amount":"60.75","readings":1,"causes":[[2,2]]}`),
		item(`{"item":"tier","upTo":"1","quantity":"1","price":"0","amount":"0","readings":5,"causes":[[1,5]]}`),
		item(`{"item":"tier","upTo":"2.5","quantity":"1.5","price":"1.000001","amount":"1.5000015","readings":5,"causes":[[1,5]]}`),
		item(`{"item":"tier","upTo":null,"quantity":"2.250001","price":"3","amount":"6.750003","readings":5,"causes":[[1,5]]}`),
		item(`{"item":"demand","start":"2024-03-01T06:00:00Z","quantity":"6","price":"12.5","amount":"75","readings":1,"causes":[[2,2]]}`),
		item(`{"item":"fixed","quantity":"1","price":"350.333333","amount":"350.333333","readings":0,"causes":[]}`),
		item(`{"item":"rounding","amount":"-0.14585775"}`),
	}, ",")+`],"total":560}`)
	c.must(c.close("m/1", "2024-03")) // closes nothing: April is open
	c.must(c.close("m/1", ""))
	if bills := c.takeBills(); len(bills) != 1 || bills[0].Period != "2024-04" || bills[0].Total != 350 || len(bills[0].Items) != 4 || fmt.Sprint(bills[0].Items[1].Causes) != "[[6 6]]" {
		t.Errorf("April: %+v", bills)
	}
	c.must(c.close("*", ""))
	equal(t, c.emitted(), "")
}

// Readings come twice, late and in any order; what is billed is each interval once.
func TestOrder(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", unit: "m3", bands: "1"}), c.register("w", "a", "flat", false))
	c.must(
		c.read("w", "2024-05-10T12:00:00Z", 1_000_000, ""),
		c.read("w", "2024-05-10T12:00:00Z", 7_000_000, ""), // the same time
		c.read("w", "2024-05-09T12:00:00Z", 2_000_000, ""),
		c.read("w", "2024-05-09T12:00:00Z", 9_000_000, ""),
		c.read("w", "2024-05-01T00:00:00Z", 4_000_000, ""),
	)
	c.refused(codeLateReading, c.read("w", "2024-04-30T23:45:00Z", 1, ""))
	c.refused(codeBadTime, c.read("w", "2024-05-10T12:00:01Z", 1, ""))
	c.refused(codeBadTime, c.readAt("w", instant(t, "2024-05-10T12:15:00Z")+1, 1, ""))
	c.refused(codeBadQuantity, c.read("w", "2024-05-11T12:00:00Z", -1, ""))
	c.refused(codeBadQuantity, c.read("w", "2024-05-11T12:00:00Z", maxReading+1, ""))
	c.refused(codeUnknownMeter, c.read("x", "2024-05-11T12:00:00Z", 1, ""))
	c.refused(codeBadName, c.read("", "2024-05-11T12:00:00Z", 1, ""))
	equal(t, c.ask(queryOfMeter, "w"), `{"meter":"w","account":"a","mode":"postpaid","tariff":"flat","closed":null,"open":{"period":"2024-05",`+
		`"tariff":"flat","version":1,"quantity":"7","readings":3,"causes":[[1,5]],"soFar":"7","debited":0}}`)
	c.must(c.close("w", "2024-05"))
	c.refused(codeLateReading, c.read("w", "2024-05-31T23:45:00Z", 1, ""))
	c.must(c.read("w", "2024-07-01T00:00:00Z", 1, "")) // no bill of June
	c.must(c.close("w", ""))
	bills := c.takeBills()
	if len(bills) != 2 || bills[0].Total != 7 || bills[1].Period != "2024-07" || bills[1].Unit != "m3" {
		t.Errorf("%+v", bills)
	}
	if _, err := c.Query(queryOfBill, new(sdk.Args).Text("w").Text("2024-06")); sdk.CodeOf(err) != codeNotFound {
		t.Errorf("a bill of June: %v", err)
	}
	// A period is full before its sums leave their bounds.
	for slot := range 101 {
		err := c.readAt("w", instant(t, "2024-08-01T00:00:00Z")+int64(slot)*900e9, maxReading, "")
		if slot < 100 {
			c.must(err)
		} else {
			c.refused(codePeriodFull, err)
		}
	}
}

// After 64 gaps the oldest is forgotten: a reading of it is refused, not billed twice.
func TestForgottenGaps(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", bands: "1"}), c.register("m", "a", "flat", false))
	at := func(slot int) int64 { return instant(t, "2024-05-01T00:00:00Z") + int64(slot)*900e9 }
	for i := range maxGaps + 1 {
		c.must(c.readAt("m", at(2*i+1), scale, ""))
	}
	c.refused(codeLateReading, c.readAt("m", at(0), scale, ""))
	c.must(c.readAt("m", at(2), scale, ""), c.readAt("m", at(2), scale, ""), c.readAt("m", at(1), scale, ""))
	c.must(c.close("m", ""))
	if bills := c.takeBills(); bills[0].Readings != maxGaps+2 || bills[0].Total != maxGaps+2 {
		t.Errorf("%+v", bills)
	}
}

// A period keeps the version of the tariff that was in force when it began.
func TestTariffVersions(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", from: "2024-01-01T00:00:00Z", bands: "1"}))
	c.must(c.setTariff(price{name: "flat", from: "2024-04-01T00:00:00Z", bands: "10", fixed: 5_000_000}))
	c.refused(codeBadTariff, c.setTariff(price{name: "flat", from: "2024-03-31T23:59:59Z", bands: "3"}))
	c.refused(codeNoTariff, c.register("m", "a", "other", false))
	c.must(c.register("m", "a", "flat", false))
	c.refused(codeNoTariff, c.read("m", "2023-12-31T23:45:00Z", scale, ""))
	for _, at := range []string{"2024-03-01T00:00:00Z", "2024-03-20T00:00:00Z", "2024-04-01T00:00:00Z", "2024-05-01T00:00:00Z"} {
		if at == "2024-05-01T00:00:00Z" { // replaces what begins in May
			c.must(c.setTariff(price{name: "flat", from: "2024-04-01T00:00:00Z", bands: "100"}))
			c.must(c.setTariff(price{name: "new", bands: "1000"}), c.register("m", "a", "new", false))
		}
		c.must(c.read("m", at, scale, ""))
	}
	c.must(c.register("m", "a", "flat", false)) // from June on
	c.must(c.close("*", ""))
	var got []string
	for _, s := range c.takeBills() {
		got = append(got, fmt.Sprintf("%s %s/%d %d", s.Period, s.Tariff, s.Version, s.Total))
	}
	equal(t, strings.Join(got, ", "), "2024-03 flat/1 2, 2024-04 flat/2 15, 2024-05 new/1 1000")
	equal(t, c.ask(queryOfTariff, "flat"), `{"tariff":"flat","version":3,"effective":"2024-04-01T00:00:00Z","unit":"kWh",`+
		`"bands":[{"band":"all","price":"100"}],"hours":[],"tiers":[],"demandPrice":"0","fixed":"0"}`)
	c.must(c.setTariff(price{name: "all", bands: "a b 1.5,c 2", hours: "sat-mon 22:00-24:00 c , fri 00:00-06:30 a b", tiers: "0.5 1,* 2", demand: 1, fixed: 2}))
	equal(t, c.ask(queryOfTariff, "all"), `{"tariff":"all","version":1,"effective":"2000-01-01T00:00:00Z","unit":"kWh","bands":[{"band":"a b","price":"1.5"},`+
		`{"band":"c","price":"2"}],"hours":[{"days":["mon","sat","sun"],"fromMinute":1320,"toMinute":1440,"band":"c"},{"days":["fri"],"fromMinute":0,"toMinute":390,"band":"a b"}],`+
		`"tiers":[{"upTo":"0.5","price":"1"},{"upTo":null,"price":"2"}],"demandPrice":"0.000001","fixed":"0.000002"}`)
}

func TestBadTariffs(t *testing.T) {
	c := newUtility(t, set{})
	for _, p := range []price{
		{bands: "a 1,a 2"}, {bands: "a 1,,b 2"}, {bands: "a 1,"}, {bands: "a"}, {bands: "a -1"}, {bands: "a 1.0000001"},
		{bands: "a 1000001"}, {bands: "a 1,b 1,c 1,d 1,e 1,f 1,g 1,h 1,i 1"}, {bands: strings.Repeat("n", 33) + " 1"},
		{bands: "1", hours: "mon 08:00-20:00 b"}, {bands: "1", hours: "mon 20:00-08:00 all"}, {bands: "1", hours: "mon 08:00-24:01 all"},
		{bands: "1", hours: "mon 8:00-20:00 all"}, {bands: "1", hours: "mo 08:00-20:00 all"}, {bands: "1", hours: "mon- 08:00-20:00 all"},
		{bands: "1", hours: "mon 08:60-20:00 all"}, {bands: "1", hours: "mon 08:00 all"}, {bands: "1", hours: "mon"},
		{bands: "1", tiers: "100 1"}, {bands: "1", tiers: "* 1,* 2"}, {bands: "1", tiers: "2 1,1 1,* 1"}, {bands: "1", tiers: "0 1,* 1"},
		{bands: "1", tiers: "100"}, {bands: "1", unit: strings.Repeat("u", 17)}, {bands: "1", demand: -1}, {bands: "1", fixed: -1},
		{bands: "1", demand: maxPrice + 1}, {bands: "1", fixed: maxFixed + 1},
	} {
		p.name = "t"
		if err := c.setTariff(p); sdk.CodeOf(err) != codeBadTariff {
			t.Errorf("%+v: %v", p, err)
		}
	}
	daily := newUtility(t, set{interval: 1440})
	daily.refused(codeBadTariff, daily.setTariff(price{name: "t", bands: "1", demand: 1}))
	daily.must(daily.setTariff(price{name: "t", bands: "1"}))
	c.refused(codeBadName, c.setTariff(price{name: strings.Repeat("n", 61), bands: "1"}))
	c.must(c.setTariff(price{name: "bands", bands: "a 1, b 2"}), c.register("m", "x", "bands", false))
	c.refused(codeUnknownBand, c.read("m", "2024-05-01T00:15:00Z", 1, "c"))
	c.refused(codeUnknownBand, c.read("m", "2024-05-01T00:15:00Z", 1, ""))
	for _, s := range []set{{interval: 7}, {interval: 2880}, {offset: 1081}, {stamp: "middle"}, {ahead: -1}, {low: maxMoney + 1}, {grace: maxHours + 1}} {
		if err := (&sdk.Host{}).Init(s.args()); sdk.CodeOf(err) != codeBadParameters {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// A reading far ahead of the block's time would close every period until then.
func TestFutureReadings(t *testing.T) {
	c := newUtility(t, set{ahead: 24})
	c.TimeMs = uint64(instant(t, "2024-05-31T12:00:00Z") / 1e6)
	c.must(c.setTariff(price{name: "flat", bands: "1"}), c.register("m", "a", "flat", false))
	c.refused(codeFutureReading, c.read("m", "2024-06-01T12:30:00Z", 1, ""))
	c.must(c.read("m", "2024-06-01T12:15:00Z", 1, ""))
}

// Who may do what: the owner all but readings, and a meter's signer those.
func TestSigners(t *testing.T) {
	c := newUtility(t, set{})
	c.must(c.setTariff(price{name: "flat", bands: "1"}))
	meter, other := [abi.AddressBytes]byte{1}, [abi.AddressBytes]byte{2}
	_, err := c.Call(callRegister, new(sdk.Args).Text("m").Text("a").Text("flat").Bytes(meter[:]))
	c.must(err)
	c.refused(codeForbidden, c.read("m", "2024-05-01T00:15:00Z", 1, ""))
	header := abi.EventHeader{HasTime: true, EventTimeNs: instant(t, "2024-05-01T00:15:00Z"), Subject: []byte("m"), Origin: meter}
	c.must(c.Event(eventReading, header, new(sdk.Args).Int(1).Absent()))
	_, err = c.Call(callRegister, new(sdk.Args).Text("m").Text("a").Text("flat").Bytes(meter[1:]))
	c.refused(codeBadParameters, err)
	_, err = c.Call(callOwner, new(sdk.Args).Bytes(meter[1:]))
	c.refused(codeBadParameters, err)
	_, err = c.Call(callOwner, new(sdk.Args).Bytes(other[:]))
	c.must(err)
	// The zero address no longer owns it.
	c.refused(codeForbidden, c.setTariff(price{name: "flat", bands: "2"}))
	c.refused(codeForbidden, c.register("n", "a", "flat", false))
	c.refused(codeForbidden, c.payBy("m", "a", true))
	c.refused(codeForbidden, c.close("*", ""))
	_, err = c.Call(callPayOut, new(sdk.Args).Bytes(meter[:]).Uint(1))
	c.refused(codeForbidden, err)
	_, err = c.Call(callOwner, new(sdk.Args).Bytes(meter[:]))
	c.refused(codeForbidden, err)
	c.must(c.Event(eventClose, abi.EventHeader{Subject: []byte("m"), Origin: other}, new(sdk.Args).Absent()))
}

// Pages of bills join to all of them, and each is what was emitted.
func TestBillsPaged(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", bands: "1"}), c.register("m", "a", "flat", false), c.register("mm", "a", "flat", false))
	for month := range 30 {
		at := fmt.Sprintf("%d-%02d-01T00:00:00Z", 2020+month/12, 1+month%12)
		c.must(c.read("m", at, int64(month)*scale, ""), c.read("mm", at, 0, ""))
	}
	c.must(c.close("*", ""))
	var emitted []string
	for _, e := range c.Emitted {
		if e.Subject == "m" {
			emitted = append(emitted, string(e.Data))
		}
	}
	for _, limit := range []uint64{1, 7, 15, 30} {
		var got []string
		args := new(sdk.Args).Text("m").Absent()
		for pages := 1; ; pages++ {
			out, err := c.Query(queryOfBills, args.Uint(limit))
			c.must(err)
			var page struct {
				Bills []json.RawMessage
				Next  *string
			}
			c.must(json.Unmarshal(out, &page))
			for _, b := range page.Bills {
				got = append(got, string(b))
			}
			if page.Next == nil {
				break
			}
			args = new(sdk.Args).Text("m").Text(*page.Next)
		}
		equal(t, strings.Join(got, "\n"), strings.Join(emitted, "\n"))
	}
	equal(t, c.ask(queryOfBill, "m", "2022-06"), emitted[29])
}
