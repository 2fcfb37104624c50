package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// text writes a part in the language.
func (p nPart) text(top bool) string {
	if p.joint == "test" {
		return fmt.Sprintf("%s = %d", p.property, p.value)
	}
	var parts []string
	for _, q := range p.parts {
		s := q.text(false)
		if q.not {
			s = "not " + s
		}
		parts = append(parts, s)
	}
	s := strings.Join(parts, " "+p.joint+" ")
	if p.window > 0 {
		s += fmt.Sprintf(" within %ds", p.window/1e9)
	}
	if !top {
		s = "(" + s + ")"
	}
	return s
}

// drawing draws random rules and readings from little, so that they meet.
type drawing struct{ *rand.Rand }

func (d drawing) test() nPart {
	return nPart{joint: "test", property: string(rune('a' + d.IntN(3))), value: int64(d.IntN(2))}
}

// single draws a test, or tests joined by or.
func (d drawing) single() nPart {
	if d.IntN(4) > 0 {
		return d.test()
	}
	return nPart{joint: "or", parts: []nPart{d.test(), d.test()}}
}

func (d drawing) window() int64 { return int64(1+d.IntN(12)) * 1e9 }

// positive draws a group without nots.
func (d drawing) positive(depth int) nPart {
	if depth == 0 || d.IntN(3) == 0 {
		return d.single()
	}
	switch d.IntN(3) {
	case 0:
		return nPart{joint: "or", parts: []nPart{d.positive(depth - 1), d.positive(depth - 1)}}
	case 1:
		return nPart{joint: "and", window: d.window(), parts: []nPart{d.positive(depth - 1), d.positive(depth - 1)}}
	}
	return nPart{joint: "then", window: d.window(), parts: []nPart{d.positive(depth - 1), d.single()}}
}

// pattern draws a rule's pattern.
func (d drawing) pattern() nPart {
	deny := func() nPart { p := d.single(); p.not = true; return p }
	switch d.IntN(3) {
	case 0:
		return d.positive(2)
	case 1:
		p := nPart{joint: "and", window: d.window(), parts: []nPart{d.positive(1 + d.IntN(2))}}
		if d.IntN(2) == 0 {
			p.parts = append(p.parts, d.positive(1+d.IntN(2)))
		}
		p.parts = append(p.parts, deny())
		return p
	}
	p := nPart{joint: "then", window: d.window()}
	if d.IntN(3) == 0 {
		p.parts = append(p.parts, deny(), d.single())
	} else {
		p.parts = append(p.parts, d.positive(1+d.IntN(2)))
	}
	for range d.IntN(3) {
		if d.IntN(2) == 0 {
			p.parts = append(p.parts, deny())
		}
		p.parts = append(p.parts, d.single())
	}
	if d.IntN(2) == 0 {
		p.parts = append(p.parts, deny())
	}
	if len(p.parts) == 1 {
		return p.parts[0]
	}
	return p
}

func (p nPart) tests() (n int) {
	if p.joint == "test" {
		return 1
	}
	for _, q := range p.parts {
		n += q.tests()
	}
	return n
}

// Random rules over random readings that come out of order, some too late: the
// contract, which keeps one match a part and is stored away between readings,
// fires when the definition over the whole history says so, and on readings
// that began and ended it.
func TestAgainstTheWholeHistory(t *testing.T) {
	rules, fires, lates, negatives := 0, 0, 0, 0
	for seed := range uint64(3000) {
		d := drawing{rand.New(rand.NewPCG(seed, 7))}
		p := d.pattern()
		if p.tests() > maxTests || p.joint == "test" {
			continue
		}
		rules++
		if p.negative() {
			negatives++
		}
		f, l := compareOne(t, seed, d, p)
		fires, lates = fires+f, lates+l
	}
	t.Logf("%d rules, %d of them with a not, fired %d times; %d readings were late", rules, negatives, fires, lates)
	if fires < rules || lates < rules {
		t.Errorf("too little happened")
	}
}

func compareOne(t *testing.T, seed uint64, d drawing, p nPart) (fires, lates int) {
	readings, who, values, late := 40, 2, 3, int64(d.IntN(6))*1e9
	if seed%8 == 0 { // as many wait as may
		readings, who, values, late = 60, 1, 2, 30e9
	}
	cooldown := int64(d.IntN(3)*d.IntN(20)) * 1e9
	scope := "per subject"
	if seed%5 == 1 {
		scope = "global"
	}
	text := fmt.Sprintf("when %s %s late %ds cooldown %ds do alert x", p.text(true), scope, late/1e9, cooldown/1e9)
	c := newCity(t)
	c.register("r", text)
	subjects := [2]*naive{{pattern: p, late: late, cooldown: cooldown}, {pattern: p, late: late, cooldown: cooldown}}
	now := int64(0)
	var log []string
	for range readings {
		now += int64(d.IntN(3)) * 1e9
		if d.IntN(5) == 0 {
			c.clock(time.Duration(now))
			log = append(log, fmt.Sprintf("%d: %v clock", c.entry, time.Duration(now)))
			want := append(subjects[0].clock(noon.UnixNano()+now), subjects[1].clock(noon.UnixNano()+now)...)
			slices.SortFunc(want, func(a, b nFiring) int { return int(a.first - b.first) })
			got := drained(t, c)
			slices.SortFunc(got, func(a, b nFiring) int { return int(a.first - b.first) })
			fires += len(want)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d: %s\n%s\ngot  %v\nwant %v", seed, text, strings.Join(log, "\n"), got, want)
			}
		}
		r := nReading{at: now - int64(d.IntN(2)*d.IntN(8))*1e9, entry: int64(c.entry + 1), property: string(rune('a' + d.IntN(3))), value: int64(d.IntN(values))}
		who := d.IntN(who)
		after := time.Duration(r.at)
		r.at += noon.UnixNano()
		log = append(log, fmt.Sprintf("%d: %v %s=%d of %d", r.entry, after, r.property, r.value, who))
		err := c.read(after, strconv.Itoa(who), said{property: r.property, value: int(r.value) * 1_000_000})
		if scope == "global" {
			who = 0
		}
		wasLate, want := subjects[who].hear(r)
		if wasLate {
			lates++
		}
		fires += len(want)
		if got := drained(t, c); (err != nil) != wasLate || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %s\n%s\nlate %v, %v\ngot  %v\nwant %v", seed, text, strings.Join(log, "\n"), wasLate, err, got, want)
		}
	}
	return fires, lates
}

// drained answers what fired since the last call.
func drained(t *testing.T, c *city) (out []nFiring) {
	for _, e := range c.Emitted {
		var v struct {
			TimeNs string
			Causes []struct{ Entry int64 }
		}
		if err := json.Unmarshal(e.Data, &v); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		at, err := strconv.ParseInt(v.TimeNs, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, nFiring{at, v.Causes[0].Entry, v.Causes[len(v.Causes)-1].Entry})
	}
	c.Emitted = nil
	return out
}
