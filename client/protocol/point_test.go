package protocol

import (
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// same compares a point of ours with one of the library's.
func same(got *point, want *btcec.JacobianPoint) bool {
	if got.z.isZero() {
		return want.Z.IsZero() || want.X.IsZero() && want.Y.IsZero() // either is the library's infinity
	}
	want.ToAffine()
	x, y := fieldOf(want.X.Bytes()[:]), fieldOf(want.Y.Bytes()[:])
	var zz field
	zz.mul(&got.z, &got.z)
	x.mul(&x, &zz)
	y.mul(&y, &zz)
	y.mul(&y, &got.z)
	return x.canonical() == got.x.canonical() && y.canonical() == got.y.canonical()
}

// TestPointsMeet adds what a table never does in a signature anyone has made:
// a point to itself and to its opposite.
func TestPointsMeet(t *testing.T) {
	g := generator()
	one, two := g.points[0], g.points[1]
	p := point{x: one.x, y: one.y, z: field{1}}
	p.addAffine(&one)
	if !p.xIs(two.x.octets(nil)) {
		t.Error("a point added to itself is not twice the point")
	}
	p.addAffine(&one) // three times
	p.double()
	if !p.xIs(g.points[5].x.octets(nil)) {
		t.Error("twice three times is not six times")
	}
	minus := affine{x: one.x}
	minus.y.sub(&minus.y, &one.y)
	p = point{x: one.x, y: one.y, z: field{1}}
	if p.addAffine(&minus); !p.z.isZero() {
		t.Error("a point and its opposite are not at infinity together")
	}
	if p.addAffine(&two); !p.xIs(two.x.octets(nil)) {
		t.Error("a point added to infinity is not the point")
	}
}

// TestXBeyondOrder: a point whose x lies between N and P is as good as one
// with x - N. No signature of the kind is known, so the comparison is tested alone.
func TestXBeyondOrder(t *testing.T) {
	order := btcec.S256().Params().N
	found := 0
	for r := int64(1); found < 5; r++ {
		var x, y btcec.FieldVal
		x.SetByteSlice(new(big.Int).Add(order, big.NewInt(r)).Bytes())
		if !btcec.DecompressY(&x, false, &y) {
			continue
		}
		found++
		y.Normalize()
		p := point{x: fieldOf(x.Bytes()[:]), y: fieldOf(y.Bytes()[:]), z: field{1}}
		if !p.xIs(big.NewInt(r).FillBytes(make([]byte, 32))) {
			t.Errorf("x = N + %d is not taken for %d", r, r)
		}
		if p.xIs(big.NewInt(r + 1).FillBytes(make([]byte, 32))) {
			t.Errorf("x = N + %d is taken for %d", r, r+1)
		}
	}
}
