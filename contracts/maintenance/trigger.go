package main

import (
	"math"
	"math/bits"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// The triggers of an asset, by number and name.
const (
	byThreshold = iota
	byEWMA
	byRate
	triggerCount
)

var triggerNames = [triggerCount]string{"threshold", "ewma", "rate"}

// Sides of a trigger's level.
const (
	off = iota
	above
	below
)

var sideNames = [...]string{"off", "above", "below"}

// trigger holds from the reading whose measure reaches the on-level until one
// passes the off-level. Levels have coarsePlaces.
type trigger struct {
	side    uint8
	on, off int64
}

// measures are what the triggers compare, scaled by the asset's places. The
// first reading has no rate.
type measures struct {
	of      [triggerCount]int64
	hasRate bool
}

// holds says whether the trigger holds at a measure, given whether it held
// at the reading before.
func (t *trigger) holds(measure int64, places uint8, held bool) bool {
	level := t.on
	if held {
		level = t.off
	}
	level = scale(level, places)
	switch t.side {
	case above:
		return measure >= level
	case below:
		return measure <= level
	}
	return false
}

// scale brings a level to the places of an asset's readings. One beyond them
// becomes the farthest there is, which no value and no rate reaches.
func scale(level int64, places uint8) int64 {
	const factor = 10_000_000 // ten to finePlaces-coarsePlaces
	switch {
	case places == coarsePlaces:
		return level
	case level > math.MaxInt64/factor:
		return math.MaxInt64
	case level < math.MinInt64/factor:
		return math.MinInt64
	}
	return level * factor
}

// smooth moves an average towards a value by alpha 65536ths of the distance,
// rounded to the nearest unit, halves away from the average.
func smooth(average, value int64, alpha uint32) int64 {
	distance, down := magnitude(value - average)
	high, low := bits.Mul64(distance, uint64(alpha))
	low, carry := bits.Add64(low, 1<<15, 0)
	step := int64((high+carry)<<48 | low>>16)
	if down {
		step = -step
	}
	return average + step
}

// maxRate bounds a rate: below every level that scale cuts.
const maxRate = math.MaxInt64 - 1

// perMinute is a change over ns nanoseconds as a rate, rounded towards zero
// and cut at maxRate. ns is not 0.
func perMinute(change int64, ns uint64) int64 {
	size, down := magnitude(change)
	high, low := bits.Mul64(size, 60_000_000_000)
	rate := uint64(maxRate)
	if high < ns {
		rate, _ = bits.Div64(high, low, ns)
		rate = min(rate, maxRate)
	}
	if down {
		return -int64(rate)
	}
	return int64(rate)
}

// magnitude is a number without its sign, and whether it had one.
func magnitude(v int64) (size uint64, negative bool) {
	if v < 0 {
		return -uint64(v), true
	}
	return uint64(v), false
}

// decimal writes a scaled number as a string, exact and without zeros at the
// end: as a JSON number it would lose digits in readers that hold floats.
func decimal(w *sdk.JSON, v int64, places uint8) {
	size, negative := magnitude(v)
	unit := uint64(1)
	for range places {
		unit *= 10
	}
	var text [24]byte
	b := text[:0]
	if negative {
		b = append(b, '-')
	}
	whole := size / unit
	b = sdk.AppendUint(b, whole)
	rest := size - whole*unit
	if rest > 0 {
		b = append(b, '.')
	}
	for rest > 0 {
		unit /= 10
		digit := rest / unit
		b = append(b, byte('0'+digit))
		rest -= digit * unit
	}
	w.Text(b)
}

// names writes the triggers of a set, one bit each.
func names(w *sdk.JSON, set uint8) {
	w.Array()
	for i, name := range triggerNames {
		if set>>i&1 == 1 {
			w.String(name)
		}
	}
	w.EndArray()
}

// values writes the measures.
func (m *measures) values(w *sdk.JSON, places uint8) {
	w.Key("value")
	decimal(w, m.of[byThreshold], places)
	w.Key("ewma")
	decimal(w, m.of[byEWMA], places)
	w.Key("ratePerMinute")
	if m.hasRate {
		decimal(w, m.of[byRate], places)
	} else {
		w.Null()
	}
}
