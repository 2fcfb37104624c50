package main

import (
	"math/bits"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Quantities have 6 decimal places of their unit and prices 6 of the minor
// unit of money; their products have 12. The bounds keep a bill of any tariff
// below maxMoney, so that a period can always be closed:
// 2 * 10^15 for energy and tiers, 6 * 10^14 for demand, 10^12 fixed.
const (
	scale       = 1_000_000
	exactScale  = scale * scale
	maxReading  = 10_000_000 * scale    // of one interval
	maxQuantity = 1_000_000_000 * scale // of one period
	maxPrice    = 1_000_000 * scale     // of a unit
	maxFixed    = 1_000_000_000_000 * scale
	maxMoney    = 1 << 53 // minor units: every JSON reader holds them exactly
)

// exact is an amount of money before rounding: a 128-bit number of 10^-12
// minor units. An sdk.Decimal has 63 bits, which such sums leave.
type exact struct{ hi, lo uint64 }

// times is a quantity times a price.
func times(quantity, price uint64) exact {
	hi, lo := bits.Mul64(quantity, price)
	return exact{hi, lo}
}

func (x exact) plus(y exact) exact {
	lo, carry := bits.Add64(x.lo, y.lo, 0)
	return exact{x.hi + y.hi + carry, lo}
}

// split is the whole minor units and what is left, in 10^-12. The bounds of
// quantities and prices keep hi far below the divisor.
func (x exact) split() (whole, rest uint64) {
	if x.hi == 0 {
		whole = x.lo / exactScale
		return whole, x.lo - whole*exactScale
	}
	return bits.Div64(x.hi, x.lo, exactScale)
}

// floor is the whole minor units.
func (x exact) floor() uint64 {
	whole, _ := x.split()
	return whole
}

// halfUp is the amount rounded to whole minor units, a half up.
func (x exact) halfUp() uint64 {
	whole, rest := x.split()
	if rest >= exactScale/2 {
		whole++
	}
	return whole
}

// append writes the amount in decimal, without zeros at the end.
func (x exact) append(dst []byte) []byte {
	whole, rest := x.split()
	return appendFraction(sdk.AppendUint(dst, whole), rest, exactScale/10)
}

// appendRounding writes what rounding a bill half up adds to it, with its sign.
func (x exact) appendRounding(dst []byte) []byte {
	_, rest := x.split()
	if rest >= exactScale/2 {
		return appendFraction(append(dst, '0'), exactScale-rest, exactScale/10)
	}
	if rest > 0 {
		dst = append(dst, '-')
	}
	return appendFraction(append(dst, '0'), rest, exactScale/10)
}

// appendScaled writes a quantity or a price in decimal.
func appendScaled(dst []byte, v uint64) []byte {
	whole := v / scale
	return appendFraction(sdk.AppendUint(dst, whole), v-whole*scale, scale/10)
}

// appendFraction writes a point and the digits of rest from the place of
// weight on; nothing for 0.
func appendFraction(dst []byte, rest, weight uint64) []byte {
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	for rest > 0 {
		digit := rest / weight
		dst = append(dst, byte('0'+digit))
		rest -= digit * weight
		weight /= 10
	}
	return dst
}

// parseScaled reads a decimal with at most 6 places, up to a limit.
func parseScaled(b []byte, limit uint64) (v uint64, ok bool) {
	d, ok := sdk.ParseDecimal(b)
	if !ok || d.Scale > 6 || d.Mantissa < 0 {
		return 0, false
	}
	d, ok = d.CheckedRescale(6, sdk.Down) // which loses nothing
	return uint64(d.Mantissa), ok && uint64(d.Mantissa) <= limit
}
