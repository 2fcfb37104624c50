package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Exact numbers of a rule's text: millionths, nanoseconds, ten-millionths of a
// degree. Nothing is rounded; what does not fit is refused.

// scaled reads an optional sign, digits and a fraction as an integer times ten
// to the places. At most whole digits stand before the point, without leading
// zeros.
func scaled(text []byte, places, whole int) (v int64, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	digits, point := 0, -1
	for _, c := range text {
		if c == '.' && point < 0 {
			point = digits
			continue
		}
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + int64(c-'0')
		if digits++; digits > whole+places {
			return 0, false
		}
	}
	if point < 0 {
		point = digits
	}
	fraction := digits - point
	if point == 0 || point > whole || fraction > places || point > 1 && text[0] == '0' {
		return 0, false
	}
	for ; fraction < places; fraction++ {
		v *= 10
	}
	if negative {
		v = -v
	}
	return v, true
}

// appendScaled writes what scaled reads, without zeros that say nothing.
func appendScaled(dst []byte, v int64, places int) []byte {
	one := int64(1)
	for range places {
		one *= 10
	}
	u := uint64(v)
	if v < 0 {
		dst, u = append(dst, '-'), -u
	}
	dst = sdk.AppendUint(dst, u/uint64(one))
	rest := u % uint64(one)
	if rest == 0 {
		return dst
	}
	for dst = append(dst, '.'); rest > 0; {
		one /= 10
		dst = append(dst, byte('0'+rest/uint64(one)))
		rest %= uint64(one)
	}
	return dst
}

// spans are the units of a duration, long ones first.
var spans = [...]struct {
	name string
	ns   int64
}{{"d", 24 * 3600e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}}

// span reads a duration such as 90s: a whole number and a unit.
func span(number, unit []byte) (ns int64, ok bool) {
	n, ok := scaled(number, 0, 12)
	if !ok || n < 0 {
		return 0, false
	}
	for _, s := range spans {
		if is(unit, s.name) {
			return n * s.ns, n <= maxSpanNs/s.ns
		}
	}
	return 0, false
}

// appendSpan writes a duration in the longest unit that it is a multiple of.
func appendSpan(dst []byte, ns int64) []byte {
	for _, s := range spans {
		if ns != 0 && ns%s.ns == 0 {
			return append(sdk.AppendInt(dst, ns/s.ns), s.name...)
		}
	}
	return append(dst, "0s"...)
}

// radius reads a length such as 500m or 2km, in metres.
func radius(number, unit []byte) (metres int64, ok bool) {
	n, ok := scaled(number, 0, 9)
	switch {
	case !ok || n < 1:
		return 0, false
	case is(unit, "km"):
		n *= 1000
	case !is(unit, "m"):
		return 0, false
	}
	return n, n <= maxRadiusM
}
