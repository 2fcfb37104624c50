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

// A prepaid account from its first credit to the end of its grace and back.
func TestPrepaid(t *testing.T) {
	c := newUtility(t, set{stamp: "start", low: 100, grace: 2})
	c.must(c.setTariff(price{name: "flat", bands: "33.3"}))
	c.refused(codeUnknownAccount, c.topUp("Ada", 200))
	c.must(c.register("m", "Ada", "flat", true), c.register("n", "Ada", "flat", true))
	c.refused(codeBadAmount, c.topUp("Ada", 0))
	c.refused(codeBadAmount, c.topUp("Ada", maxMoney+1))
	c.must(c.topUp("Ada", 200))
	c.refused(codeAccountFull, c.topUp("Ada", maxMoney))
	read := func(at string, units int64) {
		t.Helper()
		c.must(c.read("m", "2024-05-01T"+at+":00Z", units*scale, ""))
	}
	read("00:00", 1) // 33.3: 33 are debited
	read("00:15", 2) // 99.9
	equal(t, c.ask(queryOfBalance, "Ada"), `{"account":"Ada","credited":200,"debited":99,"balance":101,"low":false,"disconnected":false}`)
	equal(t, c.emitted(), "")
	read("00:30", 1) // 133.2
	equal(t, c.emitted(), `metering.balance.low.v1 Ada {"account":"Ada","meter":"m","balance":67}`)
	read("00:45", 2)  // 199.8
	read("01:00", 10) // 532.8: grace runs from here
	read("02:45", 0)
	equal(t, c.emitted(), "")
	c.must(c.topUp("Ada", 332), c.topUp("Ada", 100)) // to zero, then above
	read("03:15", 3)                                 // 632.7: from 100 to 0
	equal(t, c.emitted(), `metering.balance.low.v1 Ada {"account":"Ada","meter":"m","balance":0}`)
	read("05:00", 0)
	equal(t, c.emitted(), "")
	read("05:15", 0)
	equal(t, c.emitted(), `metering.disconnect.v1 m {"account":"Ada","meter":"m","balance":0}
metering.disconnect.v1 n {"account":"Ada","meter":"n","balance":0}`)
	read("05:30", 1) // 666: once is enough
	equal(t, c.emitted(), "")
	c.must(c.topUp("Ada", 34))
	equal(t, c.emitted(), "") // to zero
	out, err := c.Call(callCredit, new(sdk.Args).Text("Ada").Uint(1))
	c.must(err)
	equal(t, string(out), `{"account":"Ada","credited":667,"debited":666,"balance":1,"low":true,"disconnected":false}`)
	equal(t, c.emitted(), `metering.reconnect.v1 m {"account":"Ada","meter":"m","balance":1}
metering.reconnect.v1 n {"account":"Ada","meter":"n","balance":1}`)
	read("06:00", 1)
	c.must(c.read("m", "2024-05-01T07:00:00Z", 20_000, "")) // 699.966: the rest of a unit comes at the close
	c.must(c.close("m", ""))
	bill := c.takeBills()[0]
	if bill.Mode != "prepaid" || bill.Total != 700 {
		t.Errorf("%+v", bill)
	}
	equal(t, c.ask(queryOfBalance, "Ada"), `{"account":"Ada","credited":667,"debited":700,"balance":-33,"low":true,"disconnected":false}`)
}

// A meter changes hands between two periods, and its supply follows.
func TestMove(t *testing.T) {
	c := newUtility(t, set{stamp: "start"})
	c.must(c.setTariff(price{name: "flat", bands: "1"}))
	c.must(c.register("m", "Ada", "flat", true), c.register("n", "Ada", "flat", true))
	c.must(c.read("m", "2024-05-01T00:00:00Z", 5*scale, ""))
	equal(t, c.emitted(), `metering.balance.low.v1 Ada {"account":"Ada","meter":"m","balance":-5}
metering.disconnect.v1 m {"account":"Ada","meter":"m","balance":-5}
metering.disconnect.v1 n {"account":"Ada","meter":"n","balance":-5}`)
	c.refused(codePeriodOpen, c.register("m", "Bob", "flat", true))
	c.refused(codePeriodOpen, c.register("m", "Ada", "flat", false))
	c.must(c.close("m", ""))
	c.takeBills()
	c.must(c.register("m", "Bob", "flat", true))
	equal(t, c.emitted(), `metering.reconnect.v1 m {"account":"Bob","meter":"m","balance":0}`)
	c.must(c.register("m", "Ada", "flat", true))
	equal(t, c.emitted(), `metering.disconnect.v1 m {"account":"Ada","meter":"m","balance":-5}`)
	c.must(c.register("m", "Ada", "flat", false))
	equal(t, c.emitted(), `metering.reconnect.v1 m {"account":"Ada","meter":"m","balance":-5}`)
	c.must(c.topUp("Ada", 6))
	equal(t, c.emitted(), `metering.reconnect.v1 n {"account":"Ada","meter":"n","balance":1}`)
	for i := range maxLinks - 1 {
		c.must(c.register(fmt.Sprint(i), "Ada", "flat", true))
	}
	c.refused(codeAccountFull, c.register("one too many", "Ada", "flat", true))
}

// model is what the README says, kept with big rationals and whole lists of
// readings. It shares no code with the contract.
type model struct {
	tariffs map[string]modelTariff
	meters  map[string]*modelMeter
	purses  map[string]*modelPurse
	low     int64
	grace   time.Duration
}

type modelTariff struct {
	bands         map[string]string // prices by name; "" where the name is not looked at
	peakHours     bool              // "peak" from 08:00 to 20:00, Monday to Friday
	tiers         [][2]string
	demand, fixed string
}

type modelMeter struct {
	account, tariff string
	prepaid         bool
	closed          string // the last closed period
	period          string // open, or empty
	readings        map[time.Time]modelReading
	debited         int64
	first, last     uint64 // indices of the readings that count
}

type modelReading struct {
	quantity *big.Rat
	band     string
}

type modelPurse struct {
	credited, debited int64
	emptySince        time.Time
	empty, cut        bool
}

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

// charge debits a prepaid meter up to an amount and says what is told.
func (m *model) charge(name string, to int64, at time.Time) (told []string) {
	x := m.meters[name]
	p := m.purses[x.account]
	before := p.credited - p.debited
	p.debited += to - x.debited
	x.debited = to
	now := p.credited - p.debited
	if before >= m.low && now < m.low {
		told = append(told, "metering.balance.low.v1 "+x.account)
	}
	if now <= 0 && !p.empty {
		p.empty, p.emptySince = true, at
	}
	if p.empty && !p.cut && at.Sub(p.emptySince) >= m.grace {
		p.cut = true
		told = append(told, m.all("metering.disconnect.v1 ", x.account)...)
	}
	return told
}

// all tells every prepaid meter of an account, in order.
func (m *model) all(event, account string) (told []string) {
	for _, name := range meterNames {
		if x := m.meters[name]; x.prepaid && x.account == account {
			told = append(told, event+name)
		}
	}
	return told
}

func (m *model) close(name string, at time.Time) (told []string) {
	x := m.meters[name]
	exact := m.cost(x)
	total := floorOf(new(big.Rat).Add(exact, big.NewRat(1, 2)))
	if x.prepaid {
		told = m.charge(name, total, at)
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
	if x.prepaid {
		told = append(told, m.charge(name, floorOf(m.cost(x)), at)...)
	}
	return false, told
}

func (m *model) topUp(account string, amount int64) (told []string) {
	p := m.purses[account]
	p.credited += amount
	if p.credited > p.debited {
		p.empty = false
		if p.cut {
			p.cut = false
			told = m.all("metering.reconnect.v1 ", account)
		}
	}
	return told
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
		m := &model{low: 40, grace: 5 * time.Hour, meters: map[string]*modelMeter{}, purses: map[string]*modelPurse{"x": {}, "y": {}},
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
			x := &modelMeter{account: []string{"x", "x", "y", "z"}[i], tariff: tariff, prepaid: i < 3}
			m.meters[meterNames[i]] = x
			c.must(c.register(meterNames[i], x.account, tariff, x.prepaid))
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
		want = m.topUp(account, amount)
		c.must(c.topUp(account, uint64(amount)))
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

// conserved holds the contract's accounts against the model's.
func (c *utility) conserved(m *model) {
	c.t.Helper()
	for account, want := range m.purses {
		var got struct {
			Credited, Debited, Balance int64
			Disconnected               bool
		}
		c.must(json.Unmarshal([]byte(c.ask(queryOfBalance, account)), &got))
		if got.Credited != want.credited || got.Debited != want.debited || got.Balance != got.Credited-got.Debited || got.Disconnected != want.cut {
			c.t.Fatalf("account %s is %+v, want %+v", account, got, *want)
		}
	}
}
