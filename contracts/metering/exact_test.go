package main

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// Products, sums, roundings and texts against math/big, at and inside the bounds.
func TestExactAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	unit := big.NewInt(exactScale)
	for range 20_000 {
		quantity, price := rng.Uint64N(maxQuantity+1)>>rng.UintN(50), rng.Uint64N(maxPrice+1)>>rng.UintN(40)
		other := times(rng.Uint64N(maxQuantity+1), rng.Uint64N(maxPrice+1))
		x := times(quantity, price).plus(other)
		want := new(big.Int).Mul(new(big.Int).SetUint64(quantity), new(big.Int).SetUint64(price))
		want.Add(want, new(big.Int).Or(new(big.Int).Lsh(new(big.Int).SetUint64(other.hi), 64), new(big.Int).SetUint64(other.lo)))
		floor, rest := new(big.Int).DivMod(want, unit, new(big.Int))
		up := new(big.Int).Div(new(big.Int).Add(want, big.NewInt(exactScale/2)), unit)
		if x.floor() != floor.Uint64() || x.halfUp() != up.Uint64() || up.Cmp(big.NewInt(maxMoney)) >= 0 {
			t.Fatalf("%v is %d, rounded %d; want %v, %v", x, x.floor(), x.halfUp(), floor, up)
		}
		text, ok := new(big.Rat).SetString(string(x.append(nil)))
		if !ok || text.Cmp(new(big.Rat).SetFrac(want, unit)) != 0 {
			t.Fatalf("%v/10^12 is written %s", want, x.append(nil))
		}
		rounding, ok := new(big.Rat).SetString(string(x.appendRounding(nil)))
		if !ok || new(big.Rat).Add(text, rounding).Cmp(new(big.Rat).SetInt(up)) != 0 {
			t.Fatalf("%v rounded half up is written %s, rest %v", want, x.appendRounding(nil), rest)
		}
	}
}

// Numbers as they are written are read back; other texts are refused.
func TestParseScaled(t *testing.T) {
	for range 2000 {
		v := rand.Uint64N(maxPrice+1) >> rand.UintN(40)
		if got, ok := parseScaled(appendScaled(nil, v), maxPrice); !ok || got != v {
			t.Fatalf("%s is read as %d", appendScaled(nil, v), got)
		}
	}
	for text, want := range map[string]uint64{"0": 0, "56.1": 56_100_000, "0.000001": 1, "1000000": maxPrice, "1.50": 1_500_000} {
		if got, ok := parseScaled([]byte(text), maxPrice); !ok || got != want {
			t.Errorf("%q is read as %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", ".", "1.", ".5", "1.2.3", "-1", "+1", "1e3", " 1", "0.0000001", "007", "-0", "1000000.000001",
		"99999999999999999999999999", "18446744073709551616"} {
		if got, ok := parseScaled([]byte(text), maxPrice); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

// Slots against a set: nothing is taken twice, what is refused as forgotten
// lies in a dropped gap or before one, and readings in order always fit.
func TestSlotsAgainstSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		var s slots
		seen := map[uint16]bool{}
		top := uint16(0)
		for range 1500 {
			slot := uint16(rng.UintN(44_640))
			if rng.UintN(4) > 0 { // mostly onwards, now and then leaving gaps
				slot = min(top+uint16(rng.UintN(uint(1+round%4))), 44_639)
			}
			r := unpacker{b: packSlots(&s)}
			s = unpackSlots(&r)
			r.finish()
			switch got := s.take(slot); {
			case got == slotTaken && seen[slot], got == slotSeen && !seen[slot], got == slotForgotten && slot >= s.forgotten,
				got != slotTaken && slot > top:
				t.Fatalf("slot %d, seen %v, latest %d: %d by %+v", slot, seen[slot], top, got, s)
			case got == slotTaken:
				seen[slot], top = true, max(top, slot)
			}
			end := uint16(0)
			for _, g := range s.gaps {
				if g.from < end || g.from >= g.to || len(s.gaps) > maxGaps {
					t.Fatalf("%d gaps: %v", len(s.gaps), s.gaps)
				}
				end = g.to + 1
			}
		}
	}
}

func packSlots(s *slots) []byte {
	w := newPacker(s.bytes())
	s.pack(&w)
	return w.bytes()
}

// Places on random clocks against the standard library.
func TestClockAgainstTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		c := clock{offsetMinutes: int16(rng.IntN(2*maxOffset+1) - maxOffset), intervalMinutes: []uint16{1, 5, 15, 30, 60, 240, 1440}[rng.IntN(7)], endStamped: rng.IntN(2) == 1}
		interval := time.Duration(c.intervalMinutes) * time.Minute
		zone := time.FixedZone("", int(c.offsetMinutes)*60)
		year, month := 1700+rng.IntN(500), time.Month(1+rng.IntN(12))
		first := time.Date(year, month, 1, 0, 0, 0, 0, zone)
		slot := rng.IntN(int(first.AddDate(0, 1, 0).Sub(first) / interval))
		start := first.Add(time.Duration(slot) * interval)
		stamp := start
		if c.endStamped {
			stamp = start.Add(interval)
		}
		want := place{sec: start.Unix(), period: int32(year*12) + int32(month) - 1, slot: uint16(slot),
			weekday: uint8((start.Weekday() + 6) % 7), minute: uint16(start.Hour()*60 + start.Minute())}
		if got := c.locate(stamp.UnixNano()); got != want {
			t.Fatalf("%v on %+v is %+v, want %+v", stamp, c, got, want)
		}
		period := want.period
		if got := c.start(period, want.slot); got != start.Unix() {
			t.Fatalf("slot %d of %d starts %d, want %v", slot, period, got, start)
		}
		if got := int(c.slots(period)); got != int(first.AddDate(0, 1, 0).Sub(first)/interval) {
			t.Fatalf("%v has %d slots of %v", first, got, interval)
		}
		text := appendPeriod(nil, period)
		if back, ok := parsePeriod(text); string(text) != first.Format("2006-01") || !ok || back != period {
			t.Fatalf("%v is written %s and read %d, %v", first, text, back, ok)
		}
		if got := string(appendTime(nil, stamp.Unix())); got != stamp.UTC().Format(time.RFC3339) {
			t.Fatalf("%v is written %s", stamp, got)
		}
	}
	for _, text := range []string{"", "2018", "2018-13", "2018-00", "2018/01", "201a-01", "2018-1", "2018-011"} {
		if _, ok := parsePeriod([]byte(text)); ok {
			t.Errorf("%q is a period", text)
		}
	}
}
