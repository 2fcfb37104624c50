package sdk

import "math/bits"

// Helpers for readings that come one after the other. Each is a small value
// that a contract keeps inside a record of its own, by Fields:
//
//	func machineFields(r *sdk.Record, m *machine) {
//		m.average.Fields(r)
//		m.alarm.Fields(r)
//	}

// averageBits are the fractional bits of an Average.
const averageBits = 16

// Average is an exponentially weighted moving average of whole numbers or
// scaled decimals between -2^46 and 2^46; others abort with CodeOverflow. It is
// kept with 16 fractional bits, to one of which every step is rounded half-even.
type Average struct {
	Started bool
	Scaled  int64 // the average times 2^16
	TimeNs  int64 // of the last reading, for AddAt
}

// Add moves the average by a part of its distance from a reading, such as 1 of
// 8. The first reading is the average.
func (a *Average) Add(value, weight, of int64) {
	if weight < 0 || of < weight || of <= 0 {
		abortOverflow()
	}
	a.Scaled += MulDiv(a.distance(value), weight, of, HalfEven)
}

// AddAt is Add for readings at irregular times: what was before counts half
// after each half-life. The factor 2^-(time/half-life) is within 2^-50. A
// reading that is not later than the last is not counted, and the answer is false.
func (a *Average) AddAt(timeNs, value, halfLifeNs int64) bool {
	if halfLifeNs <= 0 {
		abortOverflow()
	}
	if a.Started && timeNs <= a.TimeNs {
		return false
	}
	lost := one - decay(uint64(timeNs)-uint64(a.TimeNs), uint64(halfLifeNs))
	a.Scaled += MulDiv(a.distance(value), int64(lost), one, HalfEven)
	a.TimeNs = timeNs
	return true
}

// distance is how far a reading is from the average, which it is when it is the first.
func (a *Average) distance(value int64) int64 {
	if value <= -1<<46 || value >= 1<<46 {
		abortOverflow()
	}
	value <<= averageBits
	if !a.Started {
		a.Started, a.Scaled = true, value
	}
	return value - a.Scaled
}

// decay is 2^-(elapsed/halfLife), a fixed-point number.
func decay(elapsed, halfLife uint64) uint64 {
	halvings := elapsed / halfLife
	if halvings > 62 {
		return 0
	}
	elapsed -= halvings * halfLife
	rest, _ := bits.Div64(elapsed>>2, elapsed<<62, halfLife)
	// e^-x for x up to ln 2, by its series: what it leaves off is below 2^-62.
	x, sum := scaled(rest, logTwo), uint64(one)
	for n := uint64(18); n > 0; n-- {
		sum = one - scaled(x, sum)/n
	}
	return sum >> halvings
}

// Value is the average rounded to a whole number.
func (a *Average) Value(rounding Rounding) int64 {
	return MulDiv(a.Scaled, 1, 1<<averageBits, rounding)
}

// Fields keeps the average in a record.
func (a *Average) Fields(r *Record) {
	r.Bool(&a.Started)
	r.I64(&a.Scaled)
	r.I64(&a.TimeNs)
}

// Rate is how fast readings change, from each to the next later one.
type Rate struct {
	Started       bool
	TimeNs, Value int64 // of the last reading
}

// Next takes a reading and answers the change since the one before for each
// perNs nanoseconds, rounded once: 3 degrees an hour. It is not ok for the
// first reading, nor for one that is not later than the last, which does not count.
// It aborts with CodeOverflow where an int64 does not hold the rate.
func (c *Rate) Next(timeNs, value, perNs int64, rounding Rounding) (rate int64, ok bool) {
	if c.Started && timeNs <= c.TimeNs {
		return 0, false
	}
	before := *c
	*c = Rate{true, timeNs, value}
	if !before.Started {
		return 0, false
	}
	negative, change := value < before.Value, uint64(value)-uint64(before.Value)
	if negative {
		change = -change
	}
	rate, ok = divided(negative != (perNs < 0), wideMul(change, magnitude(perNs)),
		wide{0, uint64(timeNs) - uint64(before.TimeNs)}, rounding)
	if !ok {
		abortOverflow()
	}
	return rate, true
}

// Fields keeps the rate in a record.
func (c *Rate) Fields(r *Record) {
	r.Bool(&c.Started)
	r.I64(&c.TimeNs)
	r.I64(&c.Value)
}

// Levels are a threshold with hysteresis. A Switch turns on at On and above,
// and off below Off, which is On or less; with Falling it turns on at On and
// below, and off above Off, which is On or more. Between the two it stays.
type Levels struct {
	On, Off int64
	Falling bool
}

// Switch is on or off.
type Switch struct{ On bool }

// Update takes a reading and says whether it turned the switch.
func (s *Switch) Update(value int64, l Levels) (changed bool) {
	on, off := value >= l.On, value < l.Off
	if l.Falling {
		on, off = value <= l.On, value > l.Off
	}
	before := s.On
	s.On = on || before && !off
	return s.On != before
}

// Fields keeps the switch in a record.
func (s *Switch) Fields(r *Record) { r.Bool(&s.On) }
