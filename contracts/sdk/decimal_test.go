package sdk

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// numbers answers mantissas of every size and sign, and the ends of the range.
func numbers(r *rand.Rand) int64 {
	switch edges := [...]int64{0, 1, -1, 5, -5, 50, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}; r.IntN(4) {
	case 0:
		return edges[r.IntN(len(edges))]
	case 1: // near a power of ten, where ties are
		v := int64(tens[r.IntN(19)])/2*int64(1+r.IntN(9)) + int64(r.IntN(3)) - 1
		if r.IntN(2) == 0 {
			return -v
		}
		return v
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

func randomDecimal(r *rand.Rand) Decimal { return Decimal{numbers(r), uint8(r.IntN(MaxScale + 1))} }

func (d Decimal) rat() *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(d.Mantissa), new(big.Int).SetUint64(tens[d.Scale]))
}

// rounded is the definition of every rounding in rationals: x at a scale, or
// false where an int64 does not hold it.
func rounded(x *big.Rat, scale int, rounding Rounding) (Decimal, bool) {
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(new(big.Int).SetUint64(tens[scale])))
	floor := new(big.Int).Div(scaled.Num(), scaled.Denom()) // Euclidean: the denominator is positive
	rest := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(floor))
	half := rest.Cmp(big.NewRat(1, 2))
	up := false // from floor
	switch {
	case rest.Sign() == 0:
	case rounding == Floor:
	case rounding == Ceil:
		up = true
	case rounding == Down:
		up = x.Sign() < 0
	case rounding == Up:
		up = x.Sign() > 0
	case half != 0:
		up = half > 0
	case rounding == HalfUp:
		up = x.Sign() > 0
	case rounding == HalfEven:
		up = floor.Bit(0) == 1
	}
	if up {
		floor.Add(floor, big.NewInt(1))
	}
	return Decimal{floor.Int64(), uint8(scale)}, floor.IsInt64()
}

const roundings = Ceil + 1

// Every operation, against rationals.
func TestDecimalAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fitted := map[string]int{}
	check := func(what string, got Decimal, ok bool, exact *big.Rat, scale int, rounding Rounding) {
		t.Helper()
		want, fits := rounded(exact, scale, rounding)
		if ok != fits || ok && got != want {
			t.Fatalf("%s at scale %d, rounding %d: %+v, %v; want %+v, %v", what, scale, rounding, got, ok, want, fits)
		}
		if fits {
			fitted[what[:3]]++
		}
	}
	for range 60_000 {
		a, b := randomDecimal(r), randomDecimal(r)
		scale, rounding := r.IntN(MaxScale+1), Rounding(r.IntN(int(roundings)))
		x, y, z := a.rat(), b.rat(), new(big.Rat)
		text := fmt.Sprintf("%v and %v", a, b)
		common := int(max(a.Scale, b.Scale))

		got, ok := a.CheckedAdd(b)
		check("add "+text, got, ok, z.Add(x, y), common, Down)
		got, ok = a.CheckedSub(b)
		check("sub "+text, got, ok, z.Sub(x, y), common, Down)
		got, ok = a.CheckedMul(b, scale, rounding)
		check("mul "+text, got, ok, z.Mul(x, y), scale, rounding)
		got, ok = a.CheckedRescale(scale, rounding)
		check("rescale "+text, got, ok, x, scale, rounding)
		got, ok = a.CheckedNeg()
		check("neg "+text, got, ok, z.Neg(x), int(a.Scale), Down)
		if b.Mantissa != 0 {
			got, ok = a.CheckedDiv(b, scale, rounding)
			check("div "+text, got, ok, z.Quo(x, y), scale, rounding)
		} else if _, ok := a.CheckedDiv(b, scale, rounding); ok {
			t.Fatalf("%v divided by 0", a)
		}
		if a.Cmp(b) != x.Cmp(y) || a.Cmp(a) != 0 || a.Sign() != x.Sign() {
			t.Fatalf("%s: Cmp %d, Sign %d", text, a.Cmp(b), a.Sign())
		}
	}
	for what, n := range fitted { // the test has weight only where results fit, too
		if n < 5_000 {
			t.Errorf("%s: only %d results fit", what, n)
		}
	}
}

func TestMulDivAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		a, b, c, rounding := numbers(r), numbers(r), numbers(r), Rounding(r.IntN(int(roundings)))
		got, ok := CheckedMulDiv(a, b, c, rounding)
		if c == 0 {
			if ok {
				t.Fatal("divided by 0")
			}
			continue
		}
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		want, fits := rounded(new(big.Rat).SetFrac(product, big.NewInt(c)), 0, rounding)
		if ok != fits || ok && got != want.Mantissa {
			t.Fatalf("%d*%d/%d, rounding %d: %d, %v; want %v, %v", a, b, c, rounding, got, ok, want, fits)
		}
		if got, ok := CheckedMul(a, b); ok != product.IsInt64() || ok && got != product.Int64() {
			t.Fatalf("%d*%d = %d, %v", a, b, got, ok)
		}
		sum, difference := new(big.Int).Add(big.NewInt(a), big.NewInt(b)), new(big.Int).Sub(big.NewInt(a), big.NewInt(b))
		if got, ok := CheckedAdd(a, b); ok != sum.IsInt64() || ok && got != sum.Int64() {
			t.Fatalf("%d+%d = %d, %v", a, b, got, ok)
		}
		if got, ok := CheckedSub(a, b); ok != difference.IsInt64() || ok && got != difference.Int64() {
			t.Fatalf("%d-%d = %d, %v", a, b, got, ok)
		}
	}
}

// Division of 128 by 128 bits, the whole range of both.
func TestWideDivision(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	number := func() wide {
		w := wide{r.Uint64() >> r.IntN(65), r.Uint64()}
		switch r.IntN(4) {
		case 0:
			w.lo = 0
		case 1:
			w.lo = math.MaxUint64
		}
		return w
	}
	whole := func(w wide) *big.Int {
		b := new(big.Int).Lsh(new(big.Int).SetUint64(w.hi), 64)
		return b.Or(b, new(big.Int).SetUint64(w.lo))
	}
	for range 200_000 {
		n, d := number(), number()
		if d == (wide{}) {
			continue
		}
		q, rest, ok := n.over(d)
		want, wantRest := new(big.Int).QuoRem(whole(n), whole(d), new(big.Int))
		if ok != want.IsUint64() || ok && (q != want.Uint64() || whole(rest).Cmp(wantRest) != 0) {
			t.Fatalf("%x / %x = %x rest %x, %v", n, d, q, rest, ok)
		}
	}
}

// The table that explains the roundings: tenths to a whole number.
func TestRoundings(t *testing.T) {
	for _, c := range []struct {
		tenths                                  int64
		halfEven, halfUp, down, up, floor, ceil int64
	}{
		{25, 2, 3, 2, 3, 2, 3}, {-25, -2, -3, -2, -3, -3, -2}, {35, 4, 4, 3, 4, 3, 4}, {21, 2, 2, 2, 3, 2, 3},
		{-21, -2, -2, -2, -3, -3, -2}, {29, 3, 3, 2, 3, 2, 3}, {-5, 0, -1, 0, -1, -1, 0}, {20, 2, 2, 2, 2, 2, 2},
	} {
		want := [roundings]int64{c.halfEven, c.halfUp, c.down, c.up, c.floor, c.ceil}
		for rounding := range roundings {
			if got := (Decimal{c.tenths, 1}).Rescale(0, rounding).Mantissa; got != want[rounding] {
				t.Errorf("%d tenths, rounding %d: %d, want %d", c.tenths, rounding, got, want[rounding])
			}
		}
	}
}

// What has no place aborts with the code that says why.
func TestDecimalAborts(t *testing.T) {
	most := Decimal{math.MaxInt64, 0}
	for name, c := range map[string]struct {
		do   func()
		code uint32
	}{
		"add":     {func() { most.Add(most) }, CodeOverflow},
		"sub":     {func() { most.Neg().Sub(most) }, CodeOverflow},
		"neg":     {func() { NewDecimal(math.MinInt64, 3).Neg() }, CodeOverflow},
		"mul":     {func() { most.Mul(most, 0, Down) }, CodeOverflow},
		"div":     {func() { most.Div(Decimal{1, 18}, 0, Down) }, CodeOverflow},
		"by zero": {func() { most.Div(Decimal{0, 18}, 0, Down) }, CodeDivision},
		"rescale": {func() { most.Rescale(1, Down) }, CodeOverflow},
		"scale":   {func() { NewDecimal(1, 19) }, CodeOverflow},
		"below":   {func() { most.Rescale(-1, Down) }, CodeOverflow},
		"muldiv":  {func() { MulDiv(1, 1, 0, Down) }, CodeDivision},
		"literal": {func() { _ = Decimal{1, 19}.String() }, CodeOverflow},
	} {
		_, err := NewHost().run(nil, false, func(uint32) { c.do() })
		if CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
	}
}

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]Decimal{
		"0": {0, 0}, "0.00": {0, 2}, "12.40": {1240, 2}, "-0.05": {-5, 2}, "9223372036854775807": {math.MaxInt64, 0},
		"-9.223372036854775808": {math.MinInt64, 18}, "0.000000000000000001": {1, 18}, "100": {100, 0},
	} {
		got, ok := ParseDecimal([]byte(text))
		if !ok || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v, as text %s", text, got, ok, got)
		}
	}
	for _, text := range []string{
		"", "-", "+1", ".5", "5.", "-.5", "00", "01.5", "-0", "-0.00", "1e3", "1.5 ", " 1", "1,5", "1.5.", "--1", "0x1", "1_0",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999", "0.0000000000000000001", "1.-5",
	} {
		if got, ok := ParseDecimal([]byte(text)); ok {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// Text and number are one to one, and both are what rationals say.
func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-12.40", "9223372036854775807", "-9.223372036854775808", "-0", "01", "1e9"} {
		f.Add([]byte(text), int64(5), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, mantissa int64, scale uint8) {
		if d, ok := ParseDecimal(text); ok {
			if got := d.Append(nil); string(got) != string(text) {
				t.Fatalf("%q is written back as %q", text, got)
			}
			if want, ok := new(big.Rat).SetString(string(text)); !ok || want.Cmp(d.rat()) != 0 {
				t.Fatalf("%q is %v", text, d.rat())
			}
		}
		d := Decimal{mantissa, scale % (MaxScale + 1)}
		if got, ok := ParseDecimal(d.Append(nil)); !ok || got != d {
			t.Fatalf("%+v is written as %s and read as %+v", d, d, got)
		}
	})
}

func ExampleDecimal() {
	price, _ := ParseDecimal([]byte("0.1911")) // per kWh
	used := NewDecimal(123_456, 4)             // a decimal field of scale 4
	fmt.Println(used.Mul(price, 2, HalfUp), used.Div(NewDecimal(24, 0), 3, HalfEven), price.Add(NewDecimal(1, 0)))
	// Output: 2.36 0.514 1.1911
}
