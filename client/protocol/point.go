package protocol

import (
	"bytes"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
)

// point is a point of the curve y^2 = x^3 + 7 in Jacobian coordinates:
// (x/z^2, y/z^3), or at infinity where z is 0.
type point struct{ x, y, z field }

// affine is a point with z = 1.
type affine struct{ x, y field }

// addAffine adds a point that is not at infinity (8 multiplications and 3
// squarings, the textbook formula).
func (p *point) addAffine(q *affine) {
	if p.z.isZero() {
		*p = point{x: q.x, y: q.y, z: field{1}}
		return
	}
	var zz, u, s, h, r field
	zz.square(&p.z)
	u.mul(&q.x, &zz)
	s.mul(&q.y, &p.z)
	s.mul(&s, &zz)
	h.sub(&u, &p.x)
	r.sub(&s, &p.y)
	if h.isZero() {
		if r.isZero() {
			p.double()
		} else {
			*p = point{}
		}
		return
	}
	var hh, hhh, v, t field
	hh.square(&h)
	hhh.mul(&h, &hh)
	v.mul(&p.x, &hh)
	p.x.square(&r)
	p.x.sub(&p.x, &hhh)
	p.x.sub(&p.x, &v)
	p.x.sub(&p.x, &v)
	t.sub(&v, &p.x)
	t.mul(&r, &t)
	hhh.mul(&p.y, &hhh)
	p.y.sub(&t, &hhh)
	p.z.mul(&p.z, &h)
}

// double adds a point to itself. No point of this curve has y = 0.
func (p *point) double() {
	var a, b, c, d, e, t field
	a.square(&p.x)
	b.square(&p.y)
	c.square(&b)
	d.add(&p.x, &b)
	d.square(&d)
	d.sub(&d, &a)
	d.sub(&d, &c)
	d.add(&d, &d)
	e.add(&a, &a)
	e.add(&e, &a)
	p.z.mul(&p.z, &p.y)
	p.z.add(&p.z, &p.z)
	p.x.square(&e)
	p.x.sub(&p.x, &d)
	p.x.sub(&p.x, &d)
	t.sub(&d, &p.x)
	p.y.mul(&e, &t)
	c.add(&c, &c)
	c.add(&c, &c)
	c.add(&c, &c)
	p.y.sub(&p.y, &c)
}

// fieldMinusOrder is p - n, the group's order: where r is less, the point's x
// may have been r + n.
var fieldMinusOrder, orderInField = func() (less [32]byte, order field) {
	c := btcec.S256().Params()
	order = fieldOf(c.N.Bytes())
	new(big.Int).Sub(c.P, c.N).FillBytes(less[:])
	return less, order
}()

// xIs says whether a point's x, modulo the group's order, is r. It compares
// r * z^2 with its x, which spares the division.
func (p *point) xIs(r []byte) bool {
	if p.z.isZero() {
		return false // at infinity
	}
	x, zz, want := fieldOf(r), field{}, p.x.canonical()
	zz.square(&p.z)
	var scaled field
	if scaled.mul(&x, &zz); scaled.canonical() == want {
		return true
	}
	if bytes.Compare(r, fieldMinusOrder[:]) >= 0 {
		return false
	}
	x.add(&x, &orderInField)
	scaled.mul(&x, &zz)
	return scaled.canonical() == want
}

// toAffine divides by z with one inversion for all (Montgomery's trick); none
// is at infinity.
func toAffine(from []point) []affine {
	to := make([]affine, len(from))
	product := field{1}
	for i := range from { // x holds the product of the zs before
		to[i].x = product
		product.mul(&product, &from[i].z)
	}
	var rest, z, zz field // rest is 1 over the product of the zs up to this one
	rest.invert(&product)
	for i := len(from) - 1; i >= 0; i-- {
		z.mul(&rest, &to[i].x)
		rest.mul(&rest, &from[i].z)
		zz.square(&z)
		to[i].x.mul(&from[i].x, &zz)
		zz.mul(&zz, &z)
		to[i].y.mul(&from[i].y, &zz)
	}
	return to
}

// adder adds many pairs of points with one inversion for all (Montgomery's
// trick), with 5 multiplications and a squaring each instead of 8 and 3.
type adder struct {
	sums   []sum
	slopes []slope // of each sum
}

// sum asks for the points at a and b to be added; they may be the same. No sum
// may be written where an earlier one reads.
type sum struct{ to, a, b int }

// slope is over / under, and the product of what is under the slopes before.
type slope struct{ over, under, before field }

// add works the sums out. It says no, and has written nothing, where two points
// are opposite: their sum, at infinity, has no such coordinates.
func (a *adder) add(points []affine) bool {
	a.slopes = slices.Grow(a.slopes[:0], len(a.sums))[:len(a.sums)]
	product := field{1}
	for i := range a.sums {
		l, p, q := &a.slopes[i], &points[a.sums[i].a], &points[a.sums[i].b]
		l.over.sub(&q.y, &p.y)
		l.under.sub(&q.x, &p.x)
		if l.under.isZero() {
			if !l.over.isZero() {
				return false
			}
			l.tangent(p)
		}
		l.before = product
		product.mul(&product, &l.under)
	}
	var rest, k, t field // rest is 1 over the product of what is under up to this one
	rest.invert(&product)
	for i := len(a.sums) - 1; i >= 0; i-- {
		l, p, q, to := &a.slopes[i], points[a.sums[i].a], &points[a.sums[i].b], &points[a.sums[i].to]
		k.mul(&rest, &l.before)
		rest.mul(&rest, &l.under)
		k.mul(&k, &l.over)
		t.square(&k)
		t.sub(&t, &p.x)
		t.sub(&t, &q.x)
		to.x = t
		t.sub(&p.x, &t)
		t.mul(&t, &k)
		to.y.sub(&t, &p.y)
	}
	return true
}

// tangent is the slope in a point: 3 x^2 / 2 y. No point of the curve has y = 0.
func (l *slope) tangent(p *affine) {
	var xx field
	xx.square(&p.x)
	l.over.add(&xx, &xx)
	l.over.add(&l.over, &xx)
	l.under.add(&p.y, &p.y)
}
