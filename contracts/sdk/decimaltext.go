package sdk

// ParseDecimal reads a decimal number as Append writes it: an optional minus,
// digits without needless leading zeros, and optionally a point and 1 to
// MaxScale digits, which set the scale. Any other text, such as "+1", ".5",
// "1e3" or "-0.0", and a mantissa beyond 64 bits answer false: a number has
// one text for each scale.
func ParseDecimal(text []byte) (Decimal, bool) {
	rest := text
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	mantissa, whole, ok := digits(0, rest)
	if !ok || whole == 0 || whole > 1 && rest[0] == '0' {
		return Decimal{}, false
	}
	places := 0
	if rest = rest[whole:]; len(rest) > 0 {
		if rest[0] != '.' {
			return Decimal{}, false
		}
		mantissa, places, ok = digits(mantissa, rest[1:])
		if !ok || places == 0 || places > MaxScale || places != len(rest)-1 {
			return Decimal{}, false
		}
	}
	if negative && mantissa == 0 {
		return Decimal{}, false
	}
	v, ok := signed(negative, mantissa)
	return Decimal{v, uint8(places)}, ok
}

// digits reads leading digits behind those that v holds, and says whether 64
// bits hold them all.
func digits(v uint64, text []byte) (value uint64, n int, ok bool) {
	for ; n < len(text) && text[n] >= '0' && text[n] <= '9'; n++ {
		d := uint64(text[n] - '0')
		if v > (1<<64-1-d)/10 {
			return 0, n, false
		}
		v = v*10 + d
	}
	return v, n, true
}

// Append appends the exact text with Scale places: 12.40, -0.05, 7.
func (d Decimal) Append(dst []byte) []byte {
	if d.Scale > MaxScale {
		abortOverflow()
	}
	if d.Mantissa < 0 {
		dst = append(dst, '-')
	}
	v, unit := magnitude(d.Mantissa), tens[d.Scale]
	dst = AppendUint(dst, v/unit)
	if d.Scale == 0 {
		return dst
	}
	// A one in front keeps the zeros behind the point: its place becomes the point.
	at := len(dst)
	dst = AppendUint(dst, unit+v%unit)
	dst[at] = '.'
	return dst
}

// String is the exact text.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Decimal writes a number with all its places, with the caution of Uint.
func (w *JSON) Decimal(d Decimal) *JSON {
	w.comma()
	w.buf = d.Append(w.buf)
	return w
}
