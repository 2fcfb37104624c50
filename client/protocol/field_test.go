package protocol

import (
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// TestFieldAgreesWithIntegers computes beside math/big: with all pairs of the
// values where words carry and where 2^256 and p are near, and with random ones.
func TestFieldAgreesWithIntegers(t *testing.T) {
	edges := edgeIntegers()
	for _, a := range edges {
		for _, b := range edges {
			if what := disagree(a, b); what != "" {
				t.Fatalf("%x, %x: %s is not what math/big says", a, b, what)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Map(rapid.SliceOfN(rapid.Byte(), 32, 32), func(b []byte) *big.Int { return new(big.Int).SetBytes(b) })
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		if what := disagree(a, b); what != "" {
			t.Fatalf("%x, %x: %s is not what math/big says", a, b, what)
		}
	})
}

// edgeIntegers are those of words that are all 0 or all 1, and what is next to
// 0, fold, p, the group's order, 2^255 and 2^256.
func edgeIntegers() (edges []*big.Int) {
	whole := new(big.Int).Lsh(big.NewInt(1), 256)
	for i := range 16 {
		var f field
		for j := range f {
			f[j] = -uint64(i >> j & 1)
		}
		edges = append(edges, new(big.Int).SetBytes(f.octets(nil)))
	}
	curve := btcec.S256().Params()
	half := new(big.Int).Rsh(whole, 1)
	for _, near := range []*big.Int{big.NewInt(3), big.NewInt(fold), curve.P, curve.N, half, new(big.Int).Sub(whole, big.NewInt(4))} {
		for off := int64(-3); off <= 3; off++ {
			edges = append(edges, new(big.Int).Add(near, big.NewInt(off)))
		}
	}
	return edges
}

// disagree names what the field computes otherwise than math/big.
func disagree(a, b *big.Int) string {
	p := btcec.S256().Params().P
	x, y := fieldOf(a.FillBytes(make([]byte, 32))), fieldOf(b.FillBytes(make([]byte, 32)))
	var sum, difference, product, square, quotient field
	sum.add(&x, &y)
	difference.sub(&x, &y)
	product.mul(&x, &y)
	square.square(&x)
	minus, still := x.canonical(), x
	minus.negateIf(1)
	still.negateIf(0)
	if x.isZero() {
		quotient = y
	} else {
		quotient.invert(&x)
		quotient.mul(&quotient, &product)
	}
	for _, c := range []struct {
		what string
		got  field
		want *big.Int
	}{
		{"a + b", sum, new(big.Int).Add(a, b)}, {"a - b", difference, new(big.Int).Sub(a, b)},
		{"a * b", product, new(big.Int).Mul(a, b)}, {"a * a", square, new(big.Int).Mul(a, a)},
		{"a * b / a", quotient, new(big.Int).Set(b)}, {"a", still, new(big.Int).Set(a)},
		{"-a", minus, new(big.Int).Neg(a)},
	} {
		got := c.got.canonical()
		if new(big.Int).SetBytes(got.octets(nil)).Cmp(c.want.Mod(c.want, p)) != 0 {
			return c.what
		}
	}
	if x.isZero() != (new(big.Int).Mod(a, p).Sign() == 0) {
		return "whether a is 0"
	}
	return ""
}

func BenchmarkFieldMul(b *testing.B) {
	x, y := generator().points[0].x, generator().points[0].y
	for b.Loop() {
		x.mul(&x, &y)
	}
}

func BenchmarkFieldSquare(b *testing.B) {
	x := generator().points[0].x
	for b.Loop() {
		x.square(&x)
	}
}

func BenchmarkFieldInvert(b *testing.B) {
	x := generator().points[0].x
	for b.Loop() {
		x.invert(&x)
	}
}
