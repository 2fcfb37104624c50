package protocol

import (
	"encoding/binary"
	"math/bits"
)

// field is an element of secp256k1's field, of the integers modulo
// p = 2^256 - fold: four words, the lowest first. Any value below 2^256 stands
// for its residue; canonical says which. Everything here is about public
// values and takes time that depends on them.
type field [4]uint64

// fold is 2^256 modulo p.
const fold = 0x1000003D1

// fieldOf reads 32 big-endian octets.
func fieldOf(b []byte) (f field) {
	for i := range f {
		f[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return f
}

// canonical is the residue below p.
func (f *field) canonical() field {
	var less field
	var carry uint64
	less[0], carry = bits.Add64(f[0], fold, 0)
	less[1], carry = bits.Add64(f[1], 0, carry)
	less[2], carry = bits.Add64(f[2], 0, carry)
	less[3], carry = bits.Add64(f[3], 0, carry)
	if carry == 1 { // f + fold >= 2^256, so f >= p
		return less
	}
	return *f
}

func (f *field) isZero() bool { return f.canonical() == field{} }

// add sets f to x + y.
func (f *field) add(x, y *field) {
	var carry uint64
	f[0], carry = bits.Add64(x[0], y[0], 0)
	f[1], carry = bits.Add64(x[1], y[1], carry)
	f[2], carry = bits.Add64(x[2], y[2], carry)
	f[3], carry = bits.Add64(x[3], y[3], carry)
	for carry == 1 { // twice at most
		f[0], carry = bits.Add64(f[0], fold, 0)
		f[1], carry = bits.Add64(f[1], 0, carry)
		f[2], carry = bits.Add64(f[2], 0, carry)
		f[3], carry = bits.Add64(f[3], 0, carry)
	}
}

// sub sets f to x - y.
func (f *field) sub(x, y *field) {
	var borrow uint64
	f[0], borrow = bits.Sub64(x[0], y[0], 0)
	f[1], borrow = bits.Sub64(x[1], y[1], borrow)
	f[2], borrow = bits.Sub64(x[2], y[2], borrow)
	f[3], borrow = bits.Sub64(x[3], y[3], borrow)
	for borrow == 1 { // twice at most
		f[0], borrow = bits.Sub64(f[0], fold, 0)
		f[1], borrow = bits.Sub64(f[1], 0, borrow)
		f[2], borrow = bits.Sub64(f[2], 0, borrow)
		f[3], borrow = bits.Sub64(f[3], 0, borrow)
	}
}

// mul sets f to x * y. The rows are written out: a loop takes half as long again.
func (f *field) mul(x, y *field) {
	var t [8]uint64
	var hi, lo, c, carry uint64
	carry, t[0] = bits.Mul64(x[0], y[0])
	hi, lo = bits.Mul64(x[0], y[1])
	t[1], c = bits.Add64(lo, carry, 0)
	carry = hi + c
	hi, lo = bits.Mul64(x[0], y[2])
	t[2], c = bits.Add64(lo, carry, 0)
	carry = hi + c
	hi, lo = bits.Mul64(x[0], y[3])
	t[3], c = bits.Add64(lo, carry, 0)
	t[4] = hi + c
	for i := 1; i < 4; i++ {
		a := x[i]
		hi, lo = bits.Mul64(a, y[0])
		t[i], c = bits.Add64(lo, t[i], 0)
		carry = hi + c
		hi, lo = bits.Mul64(a, y[1])
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		t[i+1], c = bits.Add64(lo, t[i+1], 0)
		carry = hi + c
		hi, lo = bits.Mul64(a, y[2])
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		t[i+2], c = bits.Add64(lo, t[i+2], 0)
		carry = hi + c
		hi, lo = bits.Mul64(a, y[3])
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		t[i+3], c = bits.Add64(lo, t[i+3], 0)
		t[i+4] = hi + c
	}
	f.reduce(&t)
}

// reduce sets f to a number of eight words: the upper four count fold times
// as much as the lower four, and so does what that carries, again.
func (f *field) reduce(t *[8]uint64) {
	hi, lo := bits.Mul64(t[4], fold)
	f0, c := bits.Add64(lo, t[0], 0)
	carry := hi + c
	hi, lo = bits.Mul64(t[5], fold)
	lo, c = bits.Add64(lo, carry, 0)
	hi += c
	f1, c := bits.Add64(lo, t[1], 0)
	carry = hi + c
	hi, lo = bits.Mul64(t[6], fold)
	lo, c = bits.Add64(lo, carry, 0)
	hi += c
	f2, c := bits.Add64(lo, t[2], 0)
	carry = hi + c
	hi, lo = bits.Mul64(t[7], fold)
	lo, c = bits.Add64(lo, carry, 0)
	hi += c
	f3, c := bits.Add64(lo, t[3], 0)
	hi, lo = bits.Mul64(hi+c, fold)
	f0, c = bits.Add64(f0, lo, 0)
	f1, c = bits.Add64(f1, hi, c)
	f2, c = bits.Add64(f2, 0, c)
	f3, c = bits.Add64(f3, 0, c)
	f[0], c = bits.Add64(f0, fold*c, 0) // what is carried now leaves f small: it cannot be again
	f[1], c = bits.Add64(f1, 0, c)
	f[2], c = bits.Add64(f2, 0, c)
	f[3] = f3 + c
}

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
	zz.mul(&p.z, &p.z)
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
	hh.mul(&h, &h)
	hhh.mul(&h, &hh)
	v.mul(&p.x, &hh)
	p.x.mul(&r, &r)
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
	a.mul(&p.x, &p.x)
	b.mul(&p.y, &p.y)
	c.mul(&b, &b)
	d.add(&p.x, &b)
	d.mul(&d, &d)
	d.sub(&d, &a)
	d.sub(&d, &c)
	d.add(&d, &d)
	e.add(&a, &a)
	e.add(&e, &a)
	p.z.mul(&p.z, &p.y)
	p.z.add(&p.z, &p.z)
	p.x.mul(&e, &e)
	p.x.sub(&p.x, &d)
	p.x.sub(&p.x, &d)
	t.sub(&d, &p.x)
	p.y.mul(&e, &t)
	c.add(&c, &c)
	c.add(&c, &c)
	c.add(&c, &c)
	p.y.sub(&p.y, &c)
}
