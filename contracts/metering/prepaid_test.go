package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// A prepaid meter from its first unit to the end of its grace and back.
func TestPrepaid(t *testing.T) {
	c := newUtility(t, set{stamp: "start", low: 100, grace: 2})
	c.must(c.setTariff(price{name: "flat", bands: "33.3"}))
	c.must(c.register("m", "Ada", "flat", true))
	c.fund("Ada", 200, 10_000)
	read := func(at string, units int64) {
		t.Helper()
		c.must(c.read("m", "2024-05-01T"+at+":00Z", units*scale, ""))
	}
	read("00:00", 1) // 33.3: 33 are debited
	read("00:15", 2) // 99.9
	paid := func(balance, owed int64, low, cut bool) string {
		return fmt.Sprintf(`{"meter":"m","account":"Ada","mode":"prepaid","payer":"%x","asset":"EUR","balance":%d,"owed":%d,"low":%t,"disconnected":%t}`,
			payerOf("Ada"), balance, owed, low, cut)
	}
	equal(t, c.ask(queryOfBalance, "m"), paid(101, 0, false, false))
	equal(t, c.emitted(), "")
	read("00:30", 1) // 133.2
	equal(t, c.emitted(), `metering.balance.low.v1 Ada {"account":"Ada","meter":"m","balance":67}`)
	read("00:45", 2)  // 199.8: 1 is left
	read("01:00", 10) // 532.8: 333 are owed; grace runs from here
	equal(t, c.emitted(), `metering.unpaid.v1 Ada {"account":"Ada","meter":"m","asset":"EUR","due":333,"code":230}`)
	read("02:45", 0)
	equal(t, c.ask(queryOfBalance, "m"), paid(1, 333, true, false))
	c.fund("Ada", 432, 10_000)
	read("03:15", 3) // 632.7: all is paid and nothing left, so grace runs anew
	read("05:00", 0)
	equal(t, c.emitted(), "")
	equal(t, c.ask(queryOfBalance, "m"), paid(0, 0, true, false))
	read("05:15", 1) // 666
	equal(t, c.emitted(), `metering.unpaid.v1 Ada {"account":"Ada","meter":"m","asset":"EUR","due":34,"code":230}
metering.disconnect.v1 m {"account":"Ada","meter":"m","balance":-34}`)
	read("08:00", 1) // 699.3: once is enough
	c.must(c.collectNow("m"))
	equal(t, c.emitted(), "")
	c.fund("Ada", 100, 10_000)
	c.must(c.collectNow("m"))
	equal(t, c.emitted(), `metering.reconnect.v1 m {"account":"Ada","meter":"m","balance":33}`)
	c.must(c.read("m", "2024-05-01T09:00:00Z", 20_000, "")) // 699.966: the rest of a unit comes at the close
	c.must(c.close("m", ""))
	bill := c.takeBills()[0]
	if bill.Mode != "prepaid" || bill.Total != 700 {
		t.Errorf("%+v", bill)
	}
	equal(t, c.ask(queryOfBalance, "m"), paid(32, 0, true, false))
	c.refused(codeUnfunded, c.payOut(701))
	c.must(c.payOut(700))
}

func (c *utility) payOut(amount uint64) error {
	a := payerOf("city")
	_, err := c.Call(callPayOut, new(sdk.Args).Bytes(a[:]).Uint(amount))
	return err
}

func (c *utility) collectDebt(account string) error {
	a := payerOf(account)
	_, err := c.Call(callDebt, new(sdk.Args).Bytes(a[:]))
	return err
}

// A meter changes hands between two periods: its supply follows, and what was
// owed stays with who used it.
func TestMove(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", bands: "1"}))
	c.must(c.register("m", "Ada", "flat", true))
	c.must(c.read("m", "2024-05-01T00:00:00Z", 5*scale, ""))
	equal(t, c.emitted(), `metering.unpaid.v1 Ada {"account":"Ada","meter":"m","asset":"EUR","due":5,"code":237}
metering.balance.low.v1 Ada {"account":"Ada","meter":"m","balance":-5}
metering.disconnect.v1 m {"account":"Ada","meter":"m","balance":-5}`)
	c.refused(codePeriodOpen, c.register("m", "Bob", "flat", false))
	c.refused(codePeriodOpen, c.payBy("m", "Ada", false))
	c.must(c.close("m", ""))
	c.takeBills()
	c.must(c.register("m", "Bob", "flat", true))
	equal(t, c.emitted(), `metering.reconnect.v1 m {"account":"Ada","meter":"m","balance":0}`)
	c.refused(codeUnfunded, c.collectDebt("Ada"))
	c.fund("Ada", 7, 7)
	c.must(c.collectDebt("Ada"))
	c.refused(codeNotFound, c.collectDebt("Ada"))
	if has := c.bank.Balance("EUR", payerOf("Ada")); has != 2 {
		t.Errorf("Ada has %d of 7 after 5", has)
	}
	c.refused(codeBadParameters, func() error {
		_, err := c.Call(callPayBy, new(sdk.Args).Text("m").Bytes(c.Address[:]).Absent())
		return err
	}())
	_, err := c.Call(callPayBy, new(sdk.Args).Text("m").Bytes(nil).Absent())
	c.must(err)
	c.refused(codeUnknownMeter, c.collectNow("m"))
}

// model is what the README says, kept with big rationals and whole lists of
// readings. It shares no code with the contract.
type model struct {
	tariffs map[string]modelTariff
	meters  map[string]*modelMeter
	payers  map[string]*modelPayer
	low     int64
	grace   time.Duration
	taken   int64 // collected
}

type modelTariff struct {
	bands         map[string]string // prices by name; "" where the name is not looked at
	peakHours     bool              // "peak" from 08:00 to 20:00, Monday to Friday
	tiers         [][2]string
	demand, fixed string
}

type modelMeter struct {
	account, tariff string
	mode            string
	closed          string // the last closed period
	period          string // open, or empty
	readings        map[time.Time]modelReading
	debited         int64
	first, last     uint64 // indices of the readings that count

	arrears, billed  int64
	unpaid, low, cut bool
	empty            bool
	emptySince       time.Time
}

type modelReading struct {
	quantity *big.Rat
	band     string
}

type modelPayer struct{ balance, allowed int64 }

func rat(s string) *big.Rat {
	r, _ := new(big.Rat).SetString(s)
	return r
}

// cost is the exact amount of a meter's open period, by the hour's demand.
func (m *model) cost(x *modelMeter) *big.Rat {
	t := m.tariffs[x.tariff]
	sum, all, peak := rat(t.fixed), new(big.Rat), new(big.Rat)
	for at, r := range x.readings {
		band := r.band
		if t.peakHours {
			band = "low"
			if at.Hour() >= 8 && at.Hour() < 20 && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
				band = "peak"
			}
		} else if _, flat := t.bands[""]; flat {
			band = ""
		}
		sum.Add(sum, new(big.Rat).Mul(r.quantity, rat(t.bands[band])))
		all.Add(all, r.quantity)
		if r.quantity.Cmp(peak) > 0 {
			peak = r.quantity
		}
	}
	from := new(big.Rat)
	for _, tier := range t.tiers {
		to := all
		if tier[0] != "*" && rat(tier[0]).Cmp(all) < 0 {
			to = rat(tier[0])
		}
		if to.Cmp(from) > 0 {
			sum.Add(sum, new(big.Rat).Mul(new(big.Rat).Sub(to, from), rat(tier[1])))
			from = to
		}
	}
	return sum.Add(sum, new(big.Rat).Mul(peak, rat(t.demand)))
}

func floorOf(r *big.Rat) int64 { return new(big.Int).Div(r.Num(), r.Denom()).Int64() }

// charge debits a meter up to an amount, or notes what is owed, and says what is told.
func (m *model) charge(name string, to int64, at time.Time) (told []string) {
	x := m.meters[name]
	p := m.payers[x.account]
	due := x.arrears + to - x.debited
	if due == 0 && !x.empty {
		return nil
	}
	paid := due > 0 && due <= p.balance && due <= p.allowed
	if paid {
		p.balance, p.allowed, m.taken = p.balance-due, p.allowed-due, m.taken+due
		x.arrears, x.debited, x.unpaid, due = 0, to, false, 0
	} else if due > 0 && !x.unpaid {
		x.unpaid = true
		told = append(told, "metering.unpaid.v1 "+x.account)
	}
	if x.mode != "prepaid" {
		return told
	}
	left := p.balance - due
	if left < m.low && !x.low {
		told = append(told, "metering.balance.low.v1 "+x.account)
	}
	x.low = left < m.low
	switch {
	case left > 0 && !x.unpaid:
		if x.cut {
			told = append(told, "metering.reconnect.v1 "+name)
		}
		x.empty, x.cut = false, false
	case paid || !x.empty:
		x.empty, x.emptySince = true, at
	}
	if x.empty && !x.cut && at.Sub(x.emptySince) >= m.grace {
		x.cut = true
		told = append(told, "metering.disconnect.v1 "+name)
	}
	return told
}

func (m *model) close(name string, at time.Time) (told []string) {
	x := m.meters[name]
	exact := m.cost(x)
	total := floorOf(new(big.Rat).Add(exact, big.NewRat(1, 2)))
	if x.mode != "" {
		told = m.charge(name, total, at)
		x.arrears, x.billed = x.arrears+total-x.debited, x.billed+total
	}
	told = append(told, fmt.Sprintf("metering.bill.v1 %s %s %d of %d, %d to %d", name, x.period, total, len(x.readings), x.first, x.last))
	x.closed, x.period, x.debited = x.period, "", 0
	return told
}

// read answers whether the reading is refused, and what is told.
func (m *model) read(name string, at time.Time, r modelReading, index uint64) (late bool, told []string) {
	x := m.meters[name]
	period := at.Format("2006-01")
	if period <= x.closed || period < x.period {
		return true, nil
	}
	if period > x.period {
		if x.period != "" {
			told = m.close(name, at)
		}
		x.period, x.readings = period, map[time.Time]modelReading{}
	}
	if _, seen := x.readings[at]; seen {
		return false, told
	}
	if len(x.readings) == 0 {
		x.first = index
	}
	x.readings[at], x.last = r, index
	if x.mode != "" {
		told = append(told, m.charge(name, floorOf(m.cost(x)), at)...)
	}
	return false, told
}

var meterNames = []string{"a", "b", "c", "d"}

// told renders what the contract emitted as the model says it.
func (c *utility) told() (lines []string) {
	for _, e := range c.Emitted {
		line := e.Type + " " + e.Subject
		if e.Type == "metering.bill.v1" {
			var s statement
			c.must(json.Unmarshal(e.Data, &s))
			sum := new(big.Rat)
			for _, x := range s.Items {
				sum.Add(sum, rat(x.Amount))
			}
			if sum.Cmp(new(big.Rat).SetInt64(s.Total)) != 0 {
				c.t.Errorf("the items add up to %s: %s", sum.FloatString(12), e.Data)
			}
			line = fmt.Sprintf("%s %s %d of %d, %d to %d", line, s.Period, s.Total, s.Readings, s.Causes[0][0], s.Causes[0][1])
		}
		lines = append(lines, line)
	}
	c.Emitted = nil
	return lines
}

// Random readings, credits and closes: after each, the contract has told what
// the model says, and every account's credits are its debits and its balance,
// its debits the bills of its prepaid meters and what their open periods cost.
func TestConservation(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := newUtility(t, set{stamp: "start", interval: 60, low: 40, grace: 5})
		m := &model{low: 40, grace: 5 * time.Hour, meters: map[string]*modelMeter{}, payers: map[string]*modelPayer{"x": {}, "y": {}},
			tariffs: map[string]modelTariff{
				"flat":   {bands: map[string]string{"": "0.733333"}, fixed: "0", demand: "0"},
				"named":  {bands: map[string]string{"u": "0.5", "v": "1.25"}, fixed: "3.5", demand: "0.75"},
				"hourly": {bands: map[string]string{"low": "0.1", "peak": "0.9"}, peakHours: true, fixed: "0.000001", demand: "0"},
				"blocks": {bands: map[string]string{"": "0"}, tiers: [][2]string{{"10", "0"}, {"50.5", "0.31"}, {"*", "0.777777"}}, fixed: "1", demand: "0.1"},
			}}
		c.must(c.setTariff(price{name: "flat", bands: "0.733333"}),
			c.setTariff(price{name: "named", bands: "u 0.5, v 1.25", fixed: 3_500_000, demand: 750_000}),
			c.setTariff(price{name: "hourly", bands: "low 0.1, peak 0.9", hours: "mon-fri 08:00-20:00 peak", fixed: 1}),
			c.setTariff(price{name: "blocks", bands: "0", tiers: "10 0, 50.5 0.31, * 0.777777", fixed: 1_000_000, demand: 100_000}))
		for i, tariff := range []string{"flat", "named", "hourly", "blocks"} {
			x := &modelMeter{account: []string{"x", "x", "y", "z"}[i], tariff: tariff, mode: []string{"prepaid", "prepaid", "allowance", ""}[i]}
			m.meters[meterNames[i]] = x
			c.must(c.register(meterNames[i], x.account, tariff, i < 2))
			if i == 2 {
				c.must(c.payBy("c", "y", false))
			}
		}
		now := time.Date(2024, 2, 20, 0, 0, 0, 0, time.UTC)
		for range 1500 {
			now = c.step(m, rng, now)
			c.conserved(m)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// step does one random thing to contract and model.
func (c *utility) step(m *model, rng *rand.Rand, now time.Time) time.Time {
	name := meterNames[rng.IntN(len(meterNames))]
	var want []string
	switch n := rng.IntN(100); {
	case n < 8:
		account, amount := []string{"x", "y"}[rng.IntN(2)], 1+rng.Int64N(120)
		p := m.payers[account]
		p.balance, p.allowed = p.balance+amount, rng.Int64N(400)
		c.fund(account, amount, p.allowed)
		if x := m.meters[name]; x.mode != "" {
			cost := int64(0)
			if x.period != "" {
				cost = floorOf(m.cost(x))
			}
			want = m.charge(name, cost, now)
			c.TimeMs = uint64(now.UnixMilli())
			c.must(c.collectNow(name))
		}
	case n == 8:
		if m.meters[name].period != "" {
			want = m.close(name, now)
		}
		c.TimeMs = uint64(now.UnixMilli()) // what a close message without a time happens at
		c.must(c.close(name, ""))
	default:
		now = now.Add(time.Duration(rng.IntN(3)) * time.Hour)
		at := now
		if n < 40 { // late, or a repeat
			at = now.Add(-time.Duration(rng.IntN(60)) * time.Hour)
		}
		if n == 99 {
			now = now.Add(20 * 24 * time.Hour)
		}
		quantity := rng.Int64N(4*scale) * rng.Int64N(2)
		band := []string{"u", "v"}[rng.IntN(2)]
		err := c.readAt(name, at.UnixNano(), quantity, band)
		var late bool
		if late, want = m.read(name, at, modelReading{big.NewRat(quantity, scale), band}, c.index); late {
			c.refused(codeLateReading, err)
		} else {
			c.must(err)
		}
	}
	equal(c.t, strings.Join(c.told(), "\n"), strings.Join(want, "\n"))
	return now
}

// conserved holds the bank and what every meter owes against the model: all
// units are there, and what was billed and is open is paid or owed.
func (c *utility) conserved(m *model) {
	c.t.Helper()
	sum, due := c.bank.Balance("EUR", c.Address), int64(0)
	for account, want := range m.payers {
		got := c.bank.Balance("EUR", payerOf(account))
		if got != want.balance {
			c.t.Fatalf("%s has %d, want %d", account, got, want.balance)
		}
		sum += got
	}
	if sum != c.minted {
		c.t.Fatalf("there are %d units, %d were minted", sum, c.minted)
	}
	for _, name := range meterNames[:3] {
		x := m.meters[name]
		var got struct {
			Owed              int64
			Low, Disconnected bool
		}
		c.must(json.Unmarshal([]byte(c.ask(queryOfBalance, name)), &got))
		owed, cost := x.arrears, x.billed
		if x.period != "" {
			owed, cost = owed+floorOf(m.cost(x))-x.debited, cost+floorOf(m.cost(x))
		}
		if got.Owed != owed || got.Low != x.low || got.Disconnected != x.cut {
			c.t.Fatalf("meter %s is %+v, want %d of %+v", name, got, owed, *x)
		}
		due += cost - owed
	}
	if due != m.taken || m.taken != c.bank.Balance("EUR", c.Address) {
		c.t.Fatalf("%d were collected, want %d", m.taken, due)
	}
}
