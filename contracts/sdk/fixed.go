package sdk

import "math/bits"

// Fixed-point numbers with 62 fractional bits, from 0 to below 4, and the
// functions of them that distances and half-lives need.

const (
	one     = 1 << 62
	halfPi  = 7244019458077122842 // half of pi
	logTwo  = 3196577161300663915 // natural logarithm of 2
	quarter = 1_800_000_000       // a right angle in units of half of 1e-7 degrees
	// unitAngle is such a unit in radians, with 94 fractional bits.
	unitAngle = 17284903702238269808
)

// The coefficients of the series of sine and cosine: one over the factorials.
var (
	sineSeries   = [...]uint64{one / 6, one / 120, one / 5040, one / 362880, one / 39916800, one / 6227020800, one / 1307674368000, one / 355687428096000}
	cosineSeries = [...]uint64{one / 2, one / 24, one / 720, one / 40320, one / 3628800, one / 479001600, one / 87178291200, one / 20922789888000, one / 6402373705728000}
)

// scaled is a times b, rounded down.
//
//go:noinline
func scaled(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<2 | lo>>62
}

// alternating is 1 - c0 x + c1 x^2 - c2 x^3 and so on, for x up to 1.
func alternating(x uint64, coefficients []uint64) uint64 {
	sum := uint64(0)
	for i := len(coefficients) - 1; i >= 0; i-- {
		sum = coefficients[i] - scaled(x, sum)
	}
	return one - scaled(x, sum)
}

// sineOf and cosineOf are of radians up to a little over pi/4: what the series
// leave off is below 2^-62.
func sineOf(x uint64) uint64   { return scaled(x, alternating(scaled(x, x), sineSeries[:])) }
func cosineOf(x uint64) uint64 { return alternating(scaled(x, x), cosineSeries[:]) }

// sine is of an angle of 0 to quarter units.
func sine(angle uint64) uint64 {
	if angle > quarter/2 {
		return cosineOf(radians(quarter - angle))
	}
	return sineOf(radians(angle))
}

func radians(angle uint64) uint64 {
	hi, lo := bits.Mul64(angle, unitAngle)
	return hi<<32 | lo>>32
}

// arcsine is the angle in radians whose sine is the root of h, a number with
// 124 fractional bits from 0 to 1. It is right within 2^-50, but for sines
// within 2^-20 of 1, where a sine hardly tells angles apart: within 2^-30.
func arcsine(h wide) uint64 {
	whole := wide{one >> 2, 0} // 1
	if h.cmp(whole) > 0 {
		h = whole // rounding
	}
	if h.cmp(wide{one >> 3, 0}) > 0 {
		return halfPi - arcsine(whole.sub(h)) // the arc cosine
	}
	s := h.sqrt()
	s2 := scaled(s, s)
	x := s + scaled(s, scaled(s2, one/6+scaled(s2, one/40*3)))
	if s < one>>7 {
		return x
	}
	// Newton's method, from below: an angle wrong by e becomes wrong by e*e/2 or less.
	for {
		wrong := s - sineOf(x)
		if int64(wrong) <= 0 {
			return x
		}
		step, _ := bits.Div64(wrong>>2, wrong<<62, cosineOf(x))
		if x += step; step < 1<<36 {
			return x
		}
	}
}

// sqrt is the square root, rounded down, of numbers below 2^126.
func (w wide) sqrt() uint64 {
	if w == (wide{}) {
		return 0
	}
	// Newton's method from above falls until it is there.
	r := uint64(1) << ((129 - w.leadingZeros()) / 2)
	for {
		q, _, _ := w.over(wide{0, r})
		next := (r + q) / 2
		if next >= r {
			return r
		}
		r = next
	}
}

func (w wide) leadingZeros() int {
	if w.hi == 0 {
		return 64 + bits.LeadingZeros64(w.lo)
	}
	return bits.LeadingZeros64(w.hi)
}
