package projection

import (
	"math"
	"math/bits"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// scaled answers the exact value of a JSON number times ten to the scale, as
// sign and magnitude; fault says why there is none. It takes any length of
// digits and any exponent, in time linear in the text.
func scaled(number []byte, scale int) (negative bool, magnitude uint64, fault string) {
	if number[0] == '-' {
		negative = true
		number = number[1:]
	}
	mantissa, exponent := number, 0
	for i, c := range number {
		if c == 'e' || c == 'E' {
			mantissa, exponent = number[:i], parseExponent(number[i+1:])
			break
		}
	}
	// Significant digits are counted without leading and trailing zeros; each
	// stands at a power of ten.
	places := 0 // digits after the point
	seenPoint := false
	zeros := 0 // zeros since the last other digit
	count := 0 // significant digits
	for _, c := range mantissa {
		if c == '.' {
			seenPoint = true
			continue
		}
		if seenPoint {
			places++
		}
		switch {
		case c != '0':
			count += 1 + zeros
			zeros = 0
		case count > 0:
			zeros++
		}
	}
	if count == 0 {
		return false, 0, "" // zero, whatever its sign and exponent
	}
	power := exponent - places + zeros + scale // of the last significant digit
	switch {
	case power < 0:
		return negative, 0, "has more decimal places than the field"
	case count+power > 20:
		return negative, 0, "is out of range"
	}
	taken := 0
	for _, c := range mantissa {
		if c == '.' || taken == 0 && c == '0' {
			continue
		}
		if taken == count {
			break
		}
		taken++
		if magnitude, fault = timesTen(magnitude, uint64(c-'0')); fault != "" {
			return negative, 0, fault
		}
	}
	for range power {
		if magnitude, fault = timesTen(magnitude, 0); fault != "" {
			return negative, 0, fault
		}
	}
	return negative, magnitude, ""
}

// timesTen is m*10 + digit, checked.
func timesTen(m, digit uint64) (uint64, string) {
	high, low := bits.Mul64(m, 10)
	sum, carry := bits.Add64(low, digit, 0)
	if high != 0 || carry != 0 {
		return 0, "is out of range"
	}
	return sum, ""
}

// parseExponent reads the digits after e; beyond a million the value no
// longer matters, since no mantissa that fits an event could make up for it.
func parseExponent(text []byte) int {
	negative := false
	if text[0] == '+' || text[0] == '-' {
		negative = text[0] == '-'
		text = text[1:]
	}
	v := 0
	for _, c := range text {
		if v = v*10 + int(c-'0'); v > 1_000_000 {
			v = 1_000_000
			break
		}
	}
	if negative {
		return -v
	}
	return v
}

// appendNumber encodes a number as a field's 8 bytes.
func appendNumber(dst, raw []byte, f *abi.Field) ([]byte, string) {
	negative, magnitude, fault := scaled(raw, int(f.Scale))
	switch {
	case fault != "":
		return dst, fault
	case f.Kind == abi.KindUint:
		if negative {
			return dst, "is negative"
		}
	case negative:
		if magnitude > 1<<63 {
			return dst, "is out of range"
		}
		magnitude = -magnitude // two's complement
	case magnitude > math.MaxInt64:
		return dst, "is out of range"
	}
	return abi.AppendU64(dst, magnitude), ""
}

// decodeBase64 decodes in place and answers the decoded prefix.
func decodeBase64(b []byte) ([]byte, string) {
	const fault = "is not base64 (RFC 4648, padded)"
	if len(b)%4 != 0 {
		return nil, fault
	}
	out := 0
	for in := 0; in < len(b); in += 4 {
		var v uint32
		pad := 0
		for i, c := range b[in : in+4] {
			digit := base64Digits[c]
			switch {
			case c == '=' && i >= 2 && in+4 == len(b):
				pad++
				digit = 0
			case digit > 63 || pad > 0:
				return nil, fault
			}
			v = v<<6 | uint32(digit)
		}
		if pad > 0 && v&(1<<(8*pad)-1) != 0 {
			return nil, fault
		}
		b[out], b[out+1], b[out+2] = byte(v>>16), byte(v>>8), byte(v)
		out += 3 - pad
	}
	return b[:out], ""
}

// base64Digits has 255 where a byte is no digit.
var base64Digits = func() (t [256]uint8) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	return t
}()
