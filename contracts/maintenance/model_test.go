package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is an asset by the README's text, in rational numbers: levels are not
// scaled, nothing is cut but the rate, nothing is kept but the last reading.
type model struct {
	p      map[string]int64 // parameters
	places uint8
	value  *big.Rat
	ewma   *big.Rat
	ns     int64

	holds                     [triggerCount]bool
	open, urgent              bool
	held, opened              int
	since                     int64
	attached, escalated, seen int
}

func rat(v int64, places uint8) *big.Rat {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	return new(big.Rat).SetFrac(big.NewInt(v), unit)
}

// round brings v to whole units of the asset's places: to the nearest with
// halves away from zero, or towards zero.
func (m *model) round(v *big.Rat, nearest bool) *big.Rat {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(m.places)), nil)
	scaled := new(big.Rat).Mul(v, new(big.Rat).SetInt(unit))
	if nearest {
		half := big.NewRat(int64(scaled.Sign()), 2)
		scaled.Add(scaled, half)
	}
	whole := new(big.Int).Quo(scaled.Num(), scaled.Denom()) // towards zero
	return new(big.Rat).SetFrac(whole, unit)
}

func (m *model) read(v, ns int64) {
	m.seen++
	value := rat(v, m.places)
	var of [triggerCount]*big.Rat
	of[byThreshold], of[byEWMA] = value, value
	if m.value != nil {
		step := new(big.Rat).Sub(value, m.ewma)
		step.Mul(step, big.NewRat(m.p["alpha"], 65536))
		of[byEWMA] = new(big.Rat).Add(m.ewma, m.round(step, true))
		rate := new(big.Rat).Sub(value, m.value)
		rate.Mul(rate, new(big.Rat).SetFrac(big.NewInt(60_000_000_000), big.NewInt(ns-m.ns)))
		rate = m.round(rate, false)
		if cut := rat(math.MaxInt64-1, m.places); new(big.Rat).Abs(rate).Cmp(cut) > 0 {
			cut.Mul(cut, big.NewRat(int64(rate.Sign()), 1))
			rate = cut
		}
		of[byRate] = rate
	}
	m.value, m.ewma, m.ns = value, of[byEWMA], ns
	m.judge(of)
}

func (m *model) judge(of [triggerCount]*big.Rat) {
	holding, rising := 0, 0
	for i, name := range triggerNames {
		level := rat(m.p[name+"On"], coarsePlaces)
		if m.holds[i] {
			level = rat(m.p[name+"Off"], coarsePlaces)
		}
		now := false
		if of[i] != nil {
			side := m.p[name]
			now = side == above && of[i].Cmp(level) >= 0 || side == below && of[i].Cmp(level) <= 0
		}
		if now && !m.holds[i] {
			rising++
		}
		if now {
			holding++
		}
		m.holds[i] = now
	}
	if holding == 0 {
		m.held = 0
	} else if m.held++; m.held == 1 {
		m.since = m.ns
	}
	switch {
	case rising > 0 && m.open:
		m.attached += rising
	case rising > 0:
		m.open, m.urgent, m.attached = true, false, 0
		m.opened++
	}
	ms, n := m.p["escalateMs"], m.p["escalateReadings"]
	long := ms > 0 && m.ns-m.since >= ms*1_000_000 || n > 0 && int64(m.held) >= n
	if m.open && !m.urgent && holding > 0 && long {
		m.urgent = true
		m.escalated++
	}
}

// Random series against the model: every measure, state and count, after every reading.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &model{places: coarsePlaces}
		span := int64(1_000_000_000_000) // of values, as scaled
		if seed%2 == 1 {
			m.places = finePlaces
		}
		if seed%3 == 0 {
			span = maxValue
		}
		c := newPlant(t, nil)
		m.p = randomParameters(r, span, m.places)
		c.configureModel(m.p)
		ns, value := int64(1_704_067_200_000_000_000), int64(0)
		for i := range 150 {
			ns += 1 + r.Int64N([]int64{3, 90_000_000_000, 4_000_000_000_000}[r.IntN(3)])
			if r.IntN(4) > 0 {
				value += (r.Int64N(span) - span/2) / 8
				value = min(max(value, -span), span)
			} else {
				value = 2*(r.Int64N(span)-span/2) + r.Int64N(2)
			}
			handler := eventReading
			if m.places == finePlaces {
				handler = eventFine
			}
			if err := c.event(handler, producer, "x", ns, value); err != nil {
				t.Fatalf("seed %d reading %d: %v", seed, i, err)
			}
			m.read(value, ns)
			c.holdAgainst(m, fmt.Sprintf("seed %d reading %d", seed, i))
			if m.open && r.IntN(12) == 0 {
				if err := c.call(callClose, technician, fmt.Sprintf("x#%d", m.opened), outcomeFalseAlarm); err != nil {
					t.Fatal(err)
				}
				m.open = false
			}
			if r.IntN(50) == 0 {
				m.p = randomParameters(r, span, m.places)
				c.configureModel(m.p)
			}
		}
	}
}

// randomParameters are levels near the values, equal ones, and ones that no
// value reaches.
func randomParameters(r *rand.Rand, span int64, places uint8) map[string]int64 {
	p := map[string]int64{"alpha": 1 + r.Int64N(65536), "escalateMs": r.Int64N(3) * 200_000, "escalateReadings": r.Int64N(4) * 3}
	for _, name := range triggerNames {
		level := func() int64 {
			v := r.Int64N(span) - span/2
			if places == finePlaces {
				v /= 10_000_000
			}
			return v
		}
		on, offLevel := level(), level()
		switch r.IntN(6) {
		case 0:
			on = []int64{math.MaxInt64, math.MinInt64 + 1}[r.IntN(2)]
		case 1:
			offLevel = on
		}
		side := r.Int64N(3)
		if side == above && offLevel > on || side == below && offLevel < on {
			on, offLevel = offLevel, on
		}
		p[name], p[name+"On"], p[name+"Off"] = side, on, offLevel
	}
	return p
}

func (c *plant) configureModel(p map[string]int64) {
	s := set{}
	for name, v := range p {
		s[name] = v
	}
	for _, name := range triggerNames {
		s[name] = sideNames[p[name]]
	}
	c.configure("x", s)
}

func (c *plant) holdAgainst(m *model, where string) {
	c.t.Helper()
	var a struct {
		Readings, Orders int
		Active           []string
		OpenOrder        *string
		Last             struct{ Value, EWMA string }
	}
	if err := json.Unmarshal([]byte(c.ask(queryOfAsset, "x")), &a); err != nil {
		c.t.Fatal(err)
	}
	var active []string
	for i, name := range triggerNames {
		if m.holds[i] {
			active = append(active, name)
		}
	}
	number := func(text string) *big.Rat {
		v, ok := new(big.Rat).SetString(text)
		if !ok {
			c.t.Fatalf("%s: %q is no number", where, text)
		}
		return v
	}
	if number(a.Last.Value).Cmp(m.value) != 0 || number(a.Last.EWMA).Cmp(m.ewma) != 0 || !slices.Equal(a.Active, active) ||
		a.Readings != m.seen || a.Orders != m.opened || (a.OpenOrder != nil) != m.open {
		c.t.Fatalf("%s: %+v, want %v %v %v %d orders", where, a, m.value, m.ewma, active, m.opened)
	}
	if !m.open {
		return
	}
	var o struct {
		Attached         int
		EscalatedReading *uint64
	}
	if err := json.Unmarshal([]byte(c.ask(queryOfOrder, *a.OpenOrder)), &o); err != nil {
		c.t.Fatal(err)
	}
	if o.Attached != m.attached || (o.EscalatedReading != nil) != m.urgent {
		c.t.Fatalf("%s: order %+v, want %d attached, escalated: %v", where, o, m.attached, m.urgent)
	}
}
