package schema

import (
	"bytes"
	"cmp"
	"math/bits"
	"strconv"
)

// decimal is an exact number: digits * 10^exp. Digits have no zero at either
// end; those of 0 are empty, with exp 0.
type decimal struct {
	digits []byte
	exp    int
	neg    bool
}

// parseDecimal reads a JSON number; its digits go behind buf. ok is false where
// the exponent is over the limit.
func parseDecimal(buf, text []byte) (d decimal, ok bool) {
	if text[0] == '-' {
		d.neg, text = true, text[1:]
	}
	mantissa, fraction := text, false
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa = text[:e]
		if d.exp, ok = parseExponent(text[e+1:]); !ok {
			return d, false
		}
	}
	digits := buf
	for _, c := range mantissa {
		if c == '.' {
			fraction = true
			continue
		}
		if fraction {
			d.exp--
		}
		if c != '0' || len(digits) > len(buf) {
			digits = append(digits, c)
		}
	}
	for len(digits) > len(buf) && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		d.exp++
	}
	if d.digits = digits[len(buf):]; len(d.digits) == 0 {
		return decimal{}, true
	}
	return d, true
}

// parseExponent reads what follows the e of a JSON number.
func parseExponent(text []byte) (int, bool) {
	negative := text[0] == '-'
	if text[0] == '-' || text[0] == '+' {
		text = text[1:]
	}
	n := 0
	for _, c := range text {
		if n = n*10 + int(c-'0'); n > maxExponent {
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, true
}

// compare is -1, 0 or +1 as a is less than, equal to or greater than b.
func (a decimal) compare(b decimal) int {
	if s, t := a.sign(), b.sign(); s != t || s == 0 {
		return cmp.Compare(s, t)
	}
	order := 0
	if m, n := len(a.digits)+a.exp, len(b.digits)+b.exp; m != n {
		order = 1
		if m < n {
			order = -1
		}
	} else {
		order = bytes.Compare(a.digits, b.digits)
	}
	if a.neg {
		return -order
	}
	return order
}

func (a decimal) sign() int {
	switch {
	case len(a.digits) == 0:
		return 0
	case a.neg:
		return -1
	}
	return 1
}

// divisor is a decimal that others are multiples of: factor * 10^exp, factor
// not divisible by 10.
type divisor struct {
	factor uint64
	exp    int
}

// newDivisor makes one of a positive decimal of at most 18 digits.
func newDivisor(d decimal) (divisor, bool) {
	if d.sign() <= 0 || len(d.digits) > 18 {
		return divisor{}, false
	}
	factor, err := strconv.ParseUint(string(d.digits), 10, 64)
	return divisor{factor, d.exp}, err == nil
}

// divides says whether a is an integer times the divisor.
func (v divisor) divides(a decimal) bool {
	if a.sign() == 0 {
		return true
	}
	if a.exp < v.exp { // a's last digit is no 0
		return false
	}
	rest := uint64(0)
	for _, c := range a.digits {
		rest = mulMod(rest, 10, v.factor)
		rest = (rest + uint64(c-'0')) % v.factor
	}
	power := 10 % v.factor
	for n := a.exp - v.exp; n > 0 && rest != 0; n >>= 1 {
		if n&1 == 1 {
			rest = mulMod(rest, power, v.factor)
		}
		power = mulMod(power, power, v.factor)
	}
	return rest == 0
}

func mulMod(a, b, m uint64) uint64 {
	hi, lo := bits.Mul64(a%m, b%m)
	_, rest := bits.Div64(hi, lo, m)
	return rest
}

// String renders the decimal as JSON.
func (a decimal) String() string {
	text := string(a.digits)
	switch {
	case text == "":
		return "0"
	case a.exp >= 0 && a.exp <= 18:
		for range a.exp {
			text += "0"
		}
	case a.exp < 0 && -a.exp < len(text):
		text = text[:len(text)+a.exp] + "." + text[len(text)+a.exp:]
	case a.exp < 0 && -a.exp <= 18:
		for range -a.exp - len(text) {
			text = "0" + text
		}
		text = "0." + text
	default:
		text += "e" + strconv.Itoa(a.exp)
	}
	if a.neg {
		return "-" + text
	}
	return text
}
