package sdk

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Averages against rationals, rounded at each step as Add says.
func TestAverageAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var a Average
		of := 1 + r.Int64N(1<<r.IntN(40))
		weight := r.Int64N(of + 1)
		want := new(big.Rat)
		for i := range 60 {
			value := (r.Int64N(1<<47-1) - (1<<46 - 1)) >> r.IntN(46)
			a.Add(value, weight, of)
			unit := new(big.Rat).SetInt64(value << averageBits)
			if i == 0 {
				want.Set(unit)
			} else {
				step := new(big.Rat).Mul(unit.Sub(unit, want), big.NewRat(weight, of))
				moved, _ := rounded(step, 0, HalfEven)
				want.Add(want, moved.rat())
			}
			if want.Cmp(new(big.Rat).SetInt64(a.Scaled)) != 0 {
				t.Fatalf("step %d, %d/%d: %d, want %v", i, weight, of, a.Scaled, want)
			}
		}
		whole, _ := rounded(want.Quo(want, big.NewRat(1<<averageBits, 1)), 0, HalfUp)
		if a.Value(HalfUp) != whole.Mantissa {
			t.Fatalf("value %d, want %v", a.Value(HalfUp), whole)
		}
	}
}

func TestAverageByHalfLife(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 100_000 {
		halfLife := 1 + r.Uint64()>>(1+r.IntN(63))
		elapsed := r.Uint64() >> r.IntN(64)
		got := float64(decay(elapsed, halfLife)) / one
		want := math.Exp2(-float64(elapsed/halfLife)) * math.Exp2(-float64(elapsed%halfLife)/float64(halfLife))
		if math.Abs(got-want) > math.Exp2(-50) {
			t.Fatalf("2^-(%d/%d) = %v, want %v", elapsed, halfLife, got, want)
		}
	}
	var a Average
	hour := int64(3600e9)
	a.AddAt(math.MinInt64, 7, hour)
	if !a.AddAt(5, 1000, hour) || a.Value(Down) != 1000 { // after ages the past counts nothing
		t.Fatalf("%+v", a)
	}
	if a.AddAt(5, 9, hour) || a.AddAt(4, 9, hour) {
		t.Fatal("a reading that is not later counts")
	}
	if a.AddAt(5+hour, 0, hour); a.Scaled != 500<<averageBits {
		t.Fatalf("after a half-life: %+v", a)
	}
	if a.AddAt(5+3*hour, 0, hour); a.Scaled != 125<<averageBits {
		t.Fatalf("after two more: %+v", a)
	}
	if a.AddAt(math.MaxInt64, -3, math.MaxInt64); a.Value(HalfEven) < 59 || a.Value(HalfEven) > 62 {
		t.Fatalf("after about one more: %d", a.Value(HalfEven))
	}
}

func TestRateAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	rates := 0
	for range 100_000 {
		at, to, a, b, per := numbers(r), numbers(r), numbers(r), numbers(r), numbers(r)
		rounding := Rounding(r.IntN(int(roundings)))
		var c Rate
		if _, ok := c.Next(at, a, per, rounding); ok {
			t.Fatal("the first reading has a rate")
		}
		var got int64
		var ok bool
		_, err := NewHost().run(nil, false, func(uint32) { got, ok = c.Next(to, b, per, rounding) })
		if to <= at {
			if ok || err != nil || c.TimeNs != at {
				t.Fatalf("a reading that is not later has a rate: %v", err)
			}
			continue
		}
		change := new(big.Int).Sub(big.NewInt(b), big.NewInt(a))
		exact := new(big.Rat).SetFrac(change.Mul(change, big.NewInt(per)), new(big.Int).Sub(big.NewInt(to), big.NewInt(at)))
		want, fits := rounded(exact, 0, rounding)
		if fits != ok || ok != (err == nil) || ok && got != want.Mantissa || err != nil && CodeOf(err) != CodeOverflow {
			t.Fatalf("from %d to %d in %d to %d, for each %d: %d, %v, %v; want %v", a, b, at, to, per, got, ok, err, want)
		}
		if ok {
			rates++
		}
	}
	if rates < 10_000 {
		t.Errorf("only %d rates", rates)
	}
}

func TestSwitch(t *testing.T) {
	for _, c := range []struct {
		levels Levels
		values []int64
		want   string // on or off after each, capital where it turned
	}{
		{Levels{80, 70, false}, []int64{79, 80, 75, 70, 69, 75, 90}, "oNnnOoN"},
		{Levels{80, 80, false}, []int64{79, 80, 79, 80}, "oNON"},
		{Levels{60, 65, true}, []int64{61, 60, 62, 65, 66, 61, 0}, "oNnnOoN"},
		{Levels{60, 60, true}, []int64{61, 60, 61}, "oNO"},
	} {
		var s Switch
		got := []byte{}
		for _, v := range c.values {
			changed := s.Update(v, c.levels)
			letter := byte('o')
			if s.On {
				letter = 'n'
			}
			if changed {
				letter -= 'a' - 'A'
			}
			got = append(got, letter)
		}
		if string(got) != c.want {
			t.Errorf("%+v over %v: %s, want %s", c.levels, c.values, got, c.want)
		}
	}
}

// What is kept in a record comes back.
func TestSignalFields(t *testing.T) {
	type machine struct {
		average Average
		rate    Rate
		alarm   Switch
	}
	codec := RecordOf(1, func(r *Record, m *machine) {
		m.average.Fields(r)
		m.rate.Fields(r)
		m.alarm.Fields(r)
	})
	want := machine{Average{true, -5, 6}, Rate{true, 7, -8}, Switch{true}}
	if got, rest, ok := codec.Take(codec.Append(nil, want)); !ok || len(rest) > 0 || got != want {
		t.Fatalf("%+v, %v", got, ok)
	}
}

func TestPresence(t *testing.T) {
	inside(t, func() {
		p, key := NewPresence("zone"), []byte("bus-7")
		centre := Position{525_200_000, 134_000_000}
		zone, outer := Circle{centre, 100_000}, Circle{centre, 120_000}
		for i, c := range []struct {
			time  int64
			north int32 // of the centre, metres
			want  Crossing
		}{
			{10, 300, NoCrossing}, {11, 110, NoCrossing}, {12, 99, Entered}, {13, 110, NoCrossing}, {14, 98, NoCrossing},
			{13, 500, OutOfOrder}, {15, 119, NoCrossing}, {16, 121, Left}, {16, 119, NoCrossing}, {17, 0, Entered},
		} {
			at := Position{centre.Lat + c.north*90, centre.Lon} // 90 units are a little over a metre
			if got := p.Observe(key, c.time, zone.Contains(at), !outer.Contains(at)); got != c.want {
				t.Fatalf("step %d, %d m: %d, want %d", i, c.north, got, c.want)
			}
		}
		if in, at, known := p.Get(key); !in || at != 17 || !known {
			t.Errorf("%v at %d, %v", in, at, known)
		}
		p.Forget(key)
		if _, _, known := p.Get(key); known || p.Observe(key, 1, true, false) != Entered {
			t.Error("who was forgotten is new")
		}
	})
}
