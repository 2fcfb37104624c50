package sdk

import "math/bits"

// Rounding names what becomes of a result between two representable numbers.
type Rounding uint8

// The roundings. A tie is a result exactly half way.
const (
	HalfEven Rounding = iota // to the nearest, ties to the even last digit
	HalfUp                   // to the nearest, ties away from zero
	Down                     // towards zero
	Up                       // away from zero
	Floor                    // towards minus infinity
	Ceil                     // towards plus infinity
)

// carry says whether a quotient's magnitude grows by one: half is -1, 0 or 1
// as the remainder, which is not 0, is below, at or above half the divisor.
func (r Rounding) carry(negative, odd bool, half int) bool {
	switch r {
	case HalfEven:
		return half > 0 || half == 0 && odd
	case HalfUp:
		return half >= 0
	case Up:
		return true
	case Floor:
		return negative
	case Ceil:
		return !negative
	}
	return false
}

// wide is an unsigned 128-bit number: what a product of two int64 and a power
// of ten needs on the way.
type wide struct{ hi, lo uint64 }

// wideMul is a times b.
func wideMul(a, b uint64) wide {
	if (a|b)>>32 == 0 {
		return wide{0, a * b}
	}
	hi, lo := bits.Mul64(a, b)
	return wide{hi, lo}
}

// times is w times m, and whether 128 bits hold it.
func (w wide) times(m uint64) (wide, bool) {
	over, hi := bits.Mul64(w.hi, m)
	low := wideMul(w.lo, m)
	sum, carry := bits.Add64(hi, low.hi, 0)
	return wide{sum, low.lo}, over == 0 && carry == 0
}

// plus is w plus x, for a sum of 128 bits.
func (w wide) plus(x wide) wide {
	lo, carry := bits.Add64(w.lo, x.lo, 0)
	return wide{w.hi + x.hi + carry, lo}
}

// sub is w minus x, for w at least x.
func (w wide) sub(x wide) wide {
	lo, borrow := bits.Sub64(w.lo, x.lo, 0)
	return wide{w.hi - x.hi - borrow, lo}
}

// cmp compares.
func (w wide) cmp(x wide) int {
	switch {
	case w.hi < x.hi || w.hi == x.hi && w.lo < x.lo:
		return -1
	case w == x:
		return 0
	}
	return 1
}

// over divides w by d, which is not 0, and says whether the quotient has 64 bits.
func (w wide) over(d wide) (quotient uint64, remainder wide, ok bool) {
	if d.hi == 0 {
		if w.hi == 0 {
			q := w.lo / d.lo
			return q, wide{0, w.lo - q*d.lo}, true
		}
		if w.hi >= d.lo {
			return 0, wide{}, false
		}
		q, r := bits.Div64(w.hi, w.lo, d.lo)
		return q, wide{0, r}, true
	}
	// Divide halves of both by the divisor's leading 64 bits: the estimate is
	// the quotient or one more, so that one less is the quotient or one less.
	shift := bits.LeadingZeros64(d.hi)
	lead := d.hi<<shift | d.lo>>(64-shift)
	q, _ := bits.Div64(w.hi>>1, w.hi<<63|w.lo>>1, lead)
	if q >>= 63 - shift; q > 0 {
		q--
	}
	part, _ := d.times(q)
	r := w.sub(part)
	if r.cmp(d) >= 0 {
		q, r = q+1, r.sub(d)
	}
	return q, r, true
}

// divided is ±n/d rounded, and whether an int64 holds it; d is not 0.
func divided(negative bool, n, d wide, rounding Rounding) (int64, bool) {
	q, r, ok := n.over(d)
	if !ok {
		return 0, false
	}
	if r != (wide{}) {
		half := r.cmp(d.sub(r))
		if rounding.carry(negative, q&1 == 1, half) {
			q++
			if q == 0 {
				return 0, false
			}
		}
	}
	return signed(negative, q)
}

// signed is a magnitude with its sign, and whether an int64 holds it.
func signed(negative bool, magnitude uint64) (int64, bool) {
	if negative {
		return -int64(magnitude), magnitude <= 1<<63
	}
	return int64(magnitude), magnitude < 1<<63
}

// magnitude is the absolute value, of the lowest int64 too.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// CheckedAdd is a+b, and whether an int64 holds it.
func CheckedAdd(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (a^sum)&(b^sum) >= 0
}

// CheckedSub is a-b, and whether an int64 holds it.
func CheckedSub(a, b int64) (int64, bool) {
	difference := a - b
	return difference, (a^b)&(a^difference) >= 0
}

// CheckedMul is a*b, and whether an int64 holds it.
func CheckedMul(a, b int64) (int64, bool) {
	product := wideMul(magnitude(a), magnitude(b))
	v, ok := signed((a < 0) != (b < 0), product.lo)
	return v, ok && product.hi == 0
}

// CheckedMulDiv is a*b/c rounded once, with all 127 bits of the product, and
// whether an int64 holds it. It does not for c = 0.
func CheckedMulDiv(a, b, c int64, rounding Rounding) (int64, bool) {
	if c == 0 {
		return 0, false
	}
	negative := (a < 0) != (b < 0) != (c < 0)
	return divided(negative, wideMul(magnitude(a), magnitude(b)), wide{0, magnitude(c)}, rounding)
}

// MulDiv is CheckedMulDiv, which aborts with CodeDivision for c = 0 and with
// CodeOverflow where an int64 does not hold the result.
func MulDiv(a, b, c int64, rounding Rounding) int64 {
	v, ok := CheckedMulDiv(a, b, c, rounding)
	if !ok {
		abortDivision(c)
	}
	return v
}
