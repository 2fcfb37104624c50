package sdk

// Codes of aborts that exact arithmetic makes. They follow those of handler.go
// at a distance, so that both can grow.
const (
	// CodeOverflow: a result has no place in its type: more than 64 bits, or a
	// scale outside 0 to MaxScale.
	CodeOverflow = CodeReserved + 64
	// CodeDivision: a division by zero.
	CodeDivision = CodeReserved + 65
)

// MaxScale is the most decimal places a Decimal has.
const MaxScale = 18

// tens are the powers of ten that 64 bits hold and a scale needs.
var tens = [MaxScale + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// ten is ten to the n, for n up to 36.
func ten(n int) wide {
	if n <= MaxScale {
		return wide{0, tens[n]}
	}
	return wideMul(tens[MaxScale], tens[n-MaxScale])
}

// Decimal is an exact decimal number: Mantissa divided by ten to the Scale, a
// scale of 0 to MaxScale. 12.40 is {1240, 2}; it equals 12.4 in Cmp and not in
// ==. The zero value is 0.
//
// A method computes with 128 bits and rounds once, at the end, as it is told.
// Where the result has no place it aborts with CodeOverflow; the Checked form
// answers false instead.
type Decimal struct {
	Mantissa int64
	Scale    uint8
}

// NewDecimal is mantissa divided by ten to the scale.
func NewDecimal(mantissa int64, scale int) Decimal {
	if scale < 0 || scale > MaxScale {
		abortOverflow()
	}
	return Decimal{mantissa, uint8(scale)}
}

// Decimal reads a required decimal field; the scale is the manifest's.
func (f *Fields) Decimal(scale int) Decimal { return NewDecimal(f.Int(), scale) }

// DecimalOr reads an optional decimal field.
func (f *Fields) DecimalOr(scale int, otherwise Decimal) Decimal {
	if !f.present() {
		return otherwise
	}
	v := f.r.Int()
	f.check()
	return NewDecimal(v, scale)
}

// IsZero says whether d is 0.
func (d Decimal) IsZero() bool { return d.Mantissa == 0 }

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.Mantissa < 0:
		return -1
	case d.Mantissa > 0:
		return 1
	}
	return 0
}

// Cmp is -1, 0 or 1 as d is less than, equal to or greater than x.
func (d Decimal) Cmp(x Decimal) int {
	if d.Sign() != x.Sign() {
		return compare(d.Sign(), x.Sign())
	}
	a, b := d.at(max(d.Scale, x.Scale)), x.at(max(d.Scale, x.Scale))
	if d.Mantissa < 0 {
		return b.cmp(a)
	}
	return a.cmp(b)
}

func compare(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// at is the magnitude of d at a scale not below its own: 123 bits at most.
func (d Decimal) at(scale uint8) wide {
	if scale > MaxScale {
		abortOverflow()
	}
	return wideMul(magnitude(d.Mantissa), tens[scale-d.Scale])
}

// CheckedNeg is -d.
func (d Decimal) CheckedNeg() (Decimal, bool) {
	return Decimal{-d.Mantissa, d.Scale}, d.Mantissa != -1<<63
}

// CheckedAdd is d+x, exactly, at the larger scale of the two.
func (d Decimal) CheckedAdd(x Decimal) (Decimal, bool) {
	if d.Scale == x.Scale {
		sum, ok := CheckedAdd(d.Mantissa, x.Mantissa)
		return Decimal{sum, d.Scale}, ok
	}
	return d.sum(x, x.Mantissa < 0)
}

// CheckedSub is d-x, exactly, at the larger scale of the two.
func (d Decimal) CheckedSub(x Decimal) (Decimal, bool) {
	if d.Scale == x.Scale {
		difference, ok := CheckedSub(d.Mantissa, x.Mantissa)
		return Decimal{difference, d.Scale}, ok
	}
	return d.sum(x, x.Mantissa >= 0)
}

// sum is d plus the magnitude of x under a sign.
func (d Decimal) sum(x Decimal, xNegative bool) (Decimal, bool) {
	scale := max(d.Scale, x.Scale)
	a, b, negative := d.at(scale), x.at(scale), d.Mantissa < 0
	switch {
	case negative == xNegative:
		a = a.plus(b)
	case a.cmp(b) >= 0:
		a = a.sub(b)
	default:
		a, negative = b.sub(a), xNegative
	}
	v, ok := signed(negative, a.lo)
	return Decimal{v, scale}, ok && a.hi == 0
}

// CheckedMul is d*x at a scale, rounded once.
func (d Decimal) CheckedMul(x Decimal, scale int, rounding Rounding) (Decimal, bool) {
	product := wideMul(magnitude(d.Mantissa), magnitude(x.Mantissa))
	return shifted((d.Mantissa < 0) != (x.Mantissa < 0), product, int(d.Scale)+int(x.Scale), scale, rounding)
}

// CheckedRescale is d at another scale, rounded where that has fewer places.
func (d Decimal) CheckedRescale(scale int, rounding Rounding) (Decimal, bool) {
	return shifted(d.Mantissa < 0, wide{0, magnitude(d.Mantissa)}, int(d.Scale), scale, rounding)
}

// shifted brings a magnitude from a scale of up to 36 to another of up to 18.
func shifted(negative bool, n wide, from, to int, rounding Rounding) (Decimal, bool) {
	if uint(to) > MaxScale || uint(from) > 2*MaxScale {
		return Decimal{}, false
	}
	d := wide{0, 1}
	if from > to {
		d = ten(from - to)
	} else if from < to {
		var ok bool
		if n, ok = n.times(tens[to-from]); !ok {
			return Decimal{}, false
		}
	}
	v, ok := divided(negative, n, d, rounding)
	return Decimal{v, uint8(to)}, ok
}

// CheckedDiv is d/x at a scale, rounded once. It is not for x = 0.
func (d Decimal) CheckedDiv(x Decimal, scale int, rounding Rounding) (Decimal, bool) {
	if x.Mantissa == 0 || uint(scale) > MaxScale || d.Scale > MaxScale || x.Scale > MaxScale {
		return Decimal{}, false
	}
	n, by := wide{0, magnitude(d.Mantissa)}, wide{0, magnitude(x.Mantissa)}
	shift := scale + int(x.Scale) - int(d.Scale) // from -18 to 36
	fits := true
	if shift < 0 {
		by = wideMul(by.lo, tens[-shift])
	} else {
		if shift > MaxScale {
			n, shift = wideMul(n.lo, tens[MaxScale]), shift-MaxScale
		}
		// What 128 bits do not hold is beyond an int64 after a division by 64 bits, too.
		n, fits = n.times(tens[shift])
	}
	if !fits {
		return Decimal{}, false
	}
	v, ok := divided((d.Mantissa < 0) != (x.Mantissa < 0), n, by, rounding)
	return Decimal{v, uint8(scale)}, ok
}

// Neg is -d.
func (d Decimal) Neg() Decimal { return mustFit(d.CheckedNeg()) }

// Add is d+x, exactly, at the larger scale of the two.
func (d Decimal) Add(x Decimal) Decimal { return mustFit(d.CheckedAdd(x)) }

// Sub is d-x, exactly, at the larger scale of the two.
func (d Decimal) Sub(x Decimal) Decimal { return mustFit(d.CheckedSub(x)) }

// Mul is d*x at a scale, rounded once.
func (d Decimal) Mul(x Decimal, scale int, rounding Rounding) Decimal {
	return mustFit(d.CheckedMul(x, scale, rounding))
}

// Div is d/x at a scale, rounded once; x = 0 aborts with CodeDivision.
func (d Decimal) Div(x Decimal, scale int, rounding Rounding) Decimal {
	v, ok := d.CheckedDiv(x, scale, rounding)
	if !ok {
		abortDivision(x.Mantissa)
	}
	return v
}

// Rescale is d at another scale, rounded where that has fewer places.
func (d Decimal) Rescale(scale int, rounding Rounding) Decimal {
	return mustFit(d.CheckedRescale(scale, rounding))
}

func mustFit(d Decimal, ok bool) Decimal {
	if !ok {
		abortOverflow()
	}
	return d
}

// abortOverflow is one copy of the message and call.
//
//go:noinline
func abortOverflow() { Abort(CodeOverflow, "a result is beyond 64 bits or 18 decimal places") }

// abortDivision tells a division by zero from a quotient without a place.
//
//go:noinline
func abortDivision(divisor int64) {
	if divisor == 0 {
		Abort(CodeDivision, "a division by zero")
	}
	abortOverflow()
}
