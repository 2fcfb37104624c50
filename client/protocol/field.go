package protocol

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// field is an element of secp256k1's field, of the integers modulo
// p = 2^256 - fold: four words, the lowest first. Any value below 2^256 stands
// for its residue; canonical says which. Everything here is about public
// values and takes time that depends on them.
type field [4]uint64

// fold is 2^256 modulo p.
const fold = 0x1000003D1

// prime is p.
var prime = field{^uint64(fold) + 1, ^uint64(0), ^uint64(0), ^uint64(0)}

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

func (f *field) isZero() bool { return *f == field{} || *f == prime }

// add sets f to x + y. What is carried out is folded in without a branch: it
// is as likely as not, and a processor that guesses wrong loses more time.
func (f *field) add(x, y *field) {
	s0, c := bits.Add64(x[0], y[0], 0)
	s1, c := bits.Add64(x[1], y[1], c)
	s2, c := bits.Add64(x[2], y[2], c)
	s3, c := bits.Add64(x[3], y[3], c)
	s0, c = bits.Add64(s0, fold&-c, 0)
	s1, c = bits.Add64(s1, 0, c)
	s2, c = bits.Add64(s2, 0, c)
	s3, c = bits.Add64(s3, 0, c)
	if c != 0 { // both were next to 2^256; what is left is below fold
		s0 += fold
	}
	f[0], f[1], f[2], f[3] = s0, s1, s2, s3
}

// sub sets f to x - y.
func (f *field) sub(x, y *field) {
	d0, b := bits.Sub64(x[0], y[0], 0)
	d1, b := bits.Sub64(x[1], y[1], b)
	d2, b := bits.Sub64(x[2], y[2], b)
	d3, b := bits.Sub64(x[3], y[3], b)
	d0, b = bits.Sub64(d0, fold&-b, 0)
	d1, b = bits.Sub64(d1, 0, b)
	d2, b = bits.Sub64(d2, 0, b)
	d3, b = bits.Sub64(d3, 0, b)
	if b != 0 { // what is left is at least 2^256 - fold
		d0 -= fold
	}
	f[0], f[1], f[2], f[3] = d0, d1, d2, d3
}

// negateIf sets f, which is at most p, to -f where yes is 1 and not 0.
func (f *field) negateIf(yes uint64) {
	n0, b := bits.Sub64(prime[0], f[0], 0)
	n1, b := bits.Sub64(prime[1], f[1], b)
	n2, b := bits.Sub64(prime[2], f[2], b)
	n3, _ := bits.Sub64(prime[3], f[3], b)
	f[0] ^= (f[0] ^ n0) & -yes
	f[1] ^= (f[1] ^ n1) & -yes
	f[2] ^= (f[2] ^ n2) & -yes
	f[3] ^= (f[3] ^ n3) & -yes
}

// mul sets f to x * y. Helpers that the compiler inlines and chains of carries
// in one piece keep all of it in registers: twice as fast as loops over arrays.
func (f *field) mul(x, y *field) {
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
	t0, t1, t2, t3, t4 := times(x[0], y0, y1, y2, y3)
	u0, u1, u2, u3, u4 := times(x[1], y0, y1, y2, y3)
	t1, t2, t3, t4, t5 := plus(t1, t2, t3, t4, u0, u1, u2, u3, u4)
	u0, u1, u2, u3, u4 = times(x[2], y0, y1, y2, y3)
	t2, t3, t4, t5, t6 := plus(t2, t3, t4, t5, u0, u1, u2, u3, u4)
	u0, u1, u2, u3, u4 = times(x[3], y0, y1, y2, y3)
	t3, t4, t5, t6, t7 := plus(t3, t4, t5, t6, u0, u1, u2, u3, u4)
	u0, u1, u2, u3, u4 = times(fold, t4, t5, t6, t7)
	t0, t1, t2, t3, t4 = plus(t0, t1, t2, t3, u0, u1, u2, u3, u4)
	f[0], f[1], f[2], f[3] = folded(t0, t1, t2, t3, t4)
}

// square sets f to x * x: the products of different words count twice.
func (f *field) square(x *field) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	h01, t1 := bits.Mul64(x0, x1)
	h02, t2 := bits.Mul64(x0, x2)
	h03, t3 := bits.Mul64(x0, x3)
	h12, l12 := bits.Mul64(x1, x2)
	h13, t4 := bits.Mul64(x1, x3)
	h23, t5 := bits.Mul64(x2, x3)
	t2, t3, t4, t5, t6 := plus(t2, t3, t4, t5, h01, h02, h03, h13, h23)
	t3, t4, t5, t6, _ = plus(t3, t4, t5, t6, l12, h12, 0, 0, 0)
	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1
	h0, t0 := bits.Mul64(x0, x0)
	h1, l1 := bits.Mul64(x1, x1)
	h2, l2 := bits.Mul64(x2, x2)
	h3, l3 := bits.Mul64(x3, x3)
	t1, c := bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, h2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7 += h3 + c
	u0, u1, u2, u3, u4 := times(fold, t4, t5, t6, t7)
	t0, t1, t2, t3, t4 = plus(t0, t1, t2, t3, u0, u1, u2, u3, u4)
	f[0], f[1], f[2], f[3] = folded(t0, t1, t2, t3, t4)
}

// times is a * y, of five words.
func times(a, y0, y1, y2, y3 uint64) (t0, t1, t2, t3, t4 uint64) {
	h0, t0 := bits.Mul64(a, y0)
	h1, t1 := bits.Mul64(a, y1)
	h2, t2 := bits.Mul64(a, y2)
	h3, t3 := bits.Mul64(a, y3)
	t1, c := bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, h1, c)
	t3, c = bits.Add64(t3, h2, c)
	return t0, t1, t2, t3, h3 + c
}

// plus is t of four words and u of five, whose sum is of five.
func plus(t0, t1, t2, t3, u0, u1, u2, u3, u4 uint64) (s0, s1, s2, s3, s4 uint64) {
	s0, c := bits.Add64(t0, u0, 0)
	s1, c = bits.Add64(t1, u1, c)
	s2, c = bits.Add64(t2, u2, c)
	s3, c = bits.Add64(t3, u3, c)
	return s0, s1, s2, s3, u4 + c
}

// folded takes the fifth word away, which counts fold times and is at most fold.
func folded(t0, t1, t2, t3, t4 uint64) (s0, s1, s2, s3 uint64) {
	h, l := bits.Mul64(t4, fold)
	t0, c := bits.Add64(t0, l, 0)
	t1, c = bits.Add64(t1, h, c)
	t2, c = bits.Add64(t2, 0, c)
	t3, c = bits.Add64(t3, 0, c)
	if c != 0 { // what is left is below fold^2
		t0, c = bits.Add64(t0, fold, 0)
		t1 += c
	}
	return t0, t1, t2, t3
}

// invert sets f to 1 / x; x is not 0.
func (f *field) invert(x *field) {
	var raw [32]byte
	n := new(big.Int).SetBytes(x.octets(raw[:0]))
	*f = fieldOf(n.ModInverse(n, primeInteger).FillBytes(raw[:]))
}

var primeInteger = new(big.Int).SetBytes(prime.octets(nil))

// octets appends the 32 big-endian octets.
func (f *field) octets(b []byte) []byte {
	for i := range f {
		b = binary.BigEndian.AppendUint64(b, f[3-i])
	}
	return b
}
