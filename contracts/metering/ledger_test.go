package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// deployed is the built contract on a ledger, with a tariff of three bands.
// Its owner is "author", who deploys, until it hands over to alice, who may
// send events too.
func deployed(t *testing.T, args contracttest.Args) *contracttest.Contract {
	t.Helper()
	all := contracttest.Args{
		"tariff": "industrial", "effective": "2018-01-01T00:00:00+09:00",
		"asset": "KRW", "bands": "Light_Load 56.1, Medium_Load 109.0, Maximum_Load 191.1", "demandPrice": 8320,
	}
	for name, value := range args {
		all[name] = value
	}
	c := contracttest.Deploy(t, "metering", all)
	introduced := c.Event("introduction", "", `{}`, contracttest.From("alice"))
	entry, err := c.Sim().Entry(introduced.Index)
	if err != nil {
		t.Fatal(err)
	}
	c.Call("author", "setOwner", contracttest.Args{"owner": entry.Origin[:]})
	return c
}

// A month of the steel works through the whole ledger, beside another meter:
// the bill is the recomputation's, and the entries that it names are the
// meter's readings of that month and no others of its own.
func TestSteelOnLedger(t *testing.T) {
	rows := readSteel(t)[:31*96+1]
	want := recompute(t, rows)[0]
	c := deployed(t, contracttest.Args{"utcOffsetMinutes": 540})
	for _, meter := range []string{"works", "office"} {
		c.Call("alice", "register", contracttest.Args{"meter": meter, "account": "steelmaker", "tariff": "industrial"})
	}
	zone := time.FixedZone("KST", 9*3600)
	var events []protocol.Event
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
		if i%8 == 0 {
			other := events[len(events)-1]
			other.Source, other.Subject = "/office", "office"
			events = append(events, other)
		}
	}
	c.Events(events...)
	bills := c.Emitted("metering.bill.v1")
	if len(bills) != 2 || bills[0].Subject != "works" {
		t.Fatalf("the first of February closes %+v", bills)
	}
	var s statement
	if err := json.Unmarshal([]byte(bills[0].Data), &s); err != nil {
		t.Fatal(err)
	}
	if s.Period != "2018-01" || s.Total != want.total.Int64() || s.Readings != len(want.rows) {
		t.Errorf("%s: %d for %d readings, want %d for %d", s.Period, s.Total, s.Readings, want.total, len(want.rows))
	}
	checkCauses(t, c, &s, want)
	c.WantAll("bill", contracttest.Args{"meter": "works", "period": "2018-01"}, bills[0].Data)
	c.Both()
}

// checkCauses reads the entries that a bill names, and adds them up anew.
func checkCauses(t *testing.T, c *contracttest.Contract, s *statement, want *steelBill) {
	t.Helper()
	for _, x := range s.Items {
		if len(x.Causes) == 0 {
			continue
		}
		from, to := x.Causes[0][0], x.Causes[0][1]
		entries, err := c.Sim().Entries(from, int(to-from+1))
		if err != nil {
			t.Fatal(err)
		}
		readings, kwh := 0, new(big.Rat)
		for _, e := range entries {
			var data struct {
				Quantity json.Number
				Band     string
			}
			if e.Kind != protocol.EntryEvent || e.Event.Subject != s.Meter {
				continue
			}
			if err := json.Unmarshal(e.Event.Data, &data); err != nil {
				t.Fatal(err)
			}
			if x.Item == "demand" || data.Band == x.Band {
				readings++
				kwh.Add(kwh, rat(data.Quantity.String()))
			}
		}
		if x.Item == "demand" {
			kwh.Mul(kwh, big.NewRat(4, 1))
		}
		if readings != x.Readings || kwh.Cmp(rat(x.Quantity)) != 0 {
			t.Errorf("%s %s: the entries %d to %d are %d readings of %s, the bill has %d of %s",
				x.Item, x.Band, from, to, readings, kwh.FloatString(2), x.Readings, x.Quantity)
		}
	}
}

// A prepaid meter on the ledger: the warning, the end of the grace, the way
// back, and what is refused.
func TestPrepaidOnLedger(t *testing.T) {
	c := deployed(t, contracttest.Args{"stamp": "start", "lowBalance": 1000, "graceHours": 1})
	c.Issue("KRW", 70_000, "carol")
	c.Allow("carol", "KRW", 10_000_000)
	carol := contracttest.Address("carol")
	home := contracttest.Args{"meter": "home", "account": "Ada", "tariff": "industrial"}
	pay := contracttest.Args{"meter": "home", "payer": carol[:], "prepaid": true}
	c.Call("bob", "register", home).Refused(codeForbidden)
	c.Call("alice", "payBy", pay).Refused(codeUnknownMeter)
	c.Call("alice", "register", home)
	c.Call("alice", "payBy", pay)
	read := func(at string, kwh string) *contracttest.Result {
		t.Helper()
		return c.Event("metering.reading.v1", "home", `{"quantity":`+kwh+`,"band":"Light_Load"}`, contracttest.Time("2018-03-01T"+at+":00Z"))
	}
	first := read("00:00", "2.0") // 112.2 and a demand of 66560
	if moves := c.Movements(first.Index); len(moves) != 1 || moves[0].Kind != protocol.TokenDebit || moves[0].Cause != first.Index || moves[0].Amount != 66_672 {
		t.Errorf("%+v", moves)
	}
	c.Want("balance", contracttest.Args{"meter": "home"}, `{"balance":3328,"owed":0,"low":false}`)
	read("00:15", "2.01").WantEmitted("metering.balance.low.v1") // 0.04 kW more: 332.8 and 112.761
	read("00:30", "2.080001").WantEmitted("metering.balance.low.v1", `{"account":"Ada","meter":"home","balance":436}`)
	read("00:45", "0.0000001").Dead(protocol.CodeProjection)
	read("01:00", "9").WantEmitted("metering.unpaid.v1", `{"code":230}`) // an hour of grace
	read("01:45", "0").WantEmitted("metering.disconnect.v1")
	read("02:00", "0").WantEmitted("metering.disconnect.v1", `{"meter":"home"}`)
	c.Token("author", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "KRW", Account: carol, Amount: 1_000_000})
	c.Call("bob", "collect", contracttest.Args{"meter": "home"}).WantEmitted("metering.reconnect.v1", `{"meter":"home"}`)
	c.Event("metering.period.close.v1", "*", `{"period":"2018-03"}`, contracttest.From("alice")).
		WantEmitted("metering.bill.v1", `{"mode":"prepaid","readings":6,"total":300367,"arrears":0}`)
	read("03:00", "1").Refused(codeLateReading)
	c.Want("balance", contracttest.Args{"meter": "home"}, `{"balance":769633,"owed":0}`)
}

// A message that closes all meters stays within a delivery's gas with the
// largest bills there are, and the next one goes on where it stopped.
func TestCloseAllOnLedger(t *testing.T) {
	c := deployed(t, contracttest.Args{"stamp": "start", "lowBalance": 1, "graceHours": 100})
	carol := contracttest.Address("carol")
	var bands, tiers []string
	for i := range maxBands {
		bands = append(bands, fmt.Sprintf("%s%d 123456.123456", strings.Repeat("n", maxBandBytes-1), i))
		tiers = append(tiers, fmt.Sprintf("%d.654321 98765.432101", i+1))
	}
	tiers[maxTiers-1] = "* 98765.432101"
	large := strings.Repeat("n", maxNameBytes-4)
	c.Call("alice", "setTariff", contracttest.Args{
		"tariff": large, "effective": "2018-01-01T00:00:00Z", "bands": strings.Join(bands, ","), "tiers": strings.Join(tiers, ","),
		"demandPrice": json.Number("999999.999999"), "fixed": json.Number("123456789.123456"),
	})
	var events []protocol.Event
	const bills = 30
	for i := range bills {
		meter := fmt.Sprintf("%s%04d", large, i)
		c.Call("alice", "register", contracttest.Args{"meter": meter, "account": meter, "tariff": large})
		if i%2 == 0 { // half of them are cut off by the close
			c.Call("alice", "payBy", contracttest.Args{"meter": meter, "payer": carol[:], "prepaid": true})
		}
		for b := range maxBands {
			data, err := json.Marshal(map[string]any{"quantity": json.Number("1234567.654321"), "band": strings.Repeat("n", maxBandBytes-1) + fmt.Sprint(b)})
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, protocol.Event{
				ID: fmt.Sprint(i, b), Source: "/s", Type: "metering.reading.v1", Subject: meter, HasTime: true,
				TimeNs:   time.Date(2018, 3, 4, 5, 15*(b%4), 0, 0, time.UTC).UnixNano() + int64(b/4)*3600e9,
				DataForm: protocol.DataJSON, Data: data,
			})
		}
	}
	c.Events(events...)
	closed := 0
	for messages := 1; closed < bills; messages++ {
		r := c.Event("metering.period.close.v1", "*", `{}`, contracttest.From("alice"))
		n, all := len(r.Emitted("metering.bill.v1")), len(r.Emitted(""))
		if n == 0 {
			t.Fatalf("message %d closes nothing", messages)
		}
		t.Logf("message %d: %d bills of %d bytes and %d other events took %d gas", messages, n, len(r.Emitted("metering.bill.v1")[0].Data), all-n, r.Gas())
		closed += n
	}
	c.Event("metering.period.close.v1", "*", `{}`, contracttest.From("alice")).WantEmitted("metering.bill.v1")
}
