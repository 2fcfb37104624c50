package protocol

import (
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// A signature is r || s with r the x of k*G and s = (e + r*d) / k modulo the
// group's order, for a nonce k that RFC 6979 derives from the key d and the
// digest e. The library works k*G out in words of 26 bits; here it is added up
// from the table that verifying has. The bytes are the library's.
//
// A nonce is as secret as the key, and what takes longer for some nonces than
// for others gives them away. So every k*G takes the same additions: it is
// start*G + (k-start)*G for a start that this process has drawn, and a digit of
// zero adds to a point that is thrown away. What is inverted is masked. Which
// entries of the table are read still depends on the nonce, as in the library:
// keys are for machines that run no strangers' programs.

// masks are drawn once in a process.
type masks struct {
	start       btcec.ModNScalar
	startTimesG point
	factor      btcec.ModNScalar // of what is inverted modulo the order
	z           field            // of what is inverted modulo p
}

var signMasks = sync.OnceValue(func() *masks {
	m := &masks{start: randomScalar(), factor: randomScalar()}
	z := randomScalar()
	raw := z.Bytes()
	m.z = fieldOf(raw[:])
	for _, p := range generator().pick(&m.start, nil) {
		m.startTimesG.addAffine(&p)
	}
	return m
})

func randomScalar() (s btcec.ModNScalar) {
	for s.IsZero() {
		var raw [32]byte
		if _, err := rand.Read(raw[:]); err != nil {
			panic(fmt.Sprintf("protocol: randomness: %v", err))
		}
		s.SetBytes(&raw)
	}
	return s
}

// Sign signs a digest deterministically (RFC 6979), low-S.
func (k PrivateKey) Sign(digest Hash) Signature {
	secret := k.pair.Key.Bytes()
	for iteration := uint32(0); ; iteration++ {
		nonce := btcec.NonceRFC6979(secret[:], digest[:], nil, nil, iteration)
		sig, ok := k.signWith(nonce, digest)
		nonce.Zero()
		if ok {
			clear(secret[:])
			return sig
		}
	}
}

// signWith signs with a nonce. Not one nonce is known for which it fails.
func (k PrivateKey) signWith(nonce *btcec.ModNScalar, digest Hash) (sig Signature, ok bool) {
	m := signMasks()
	var rest, r, s, e, inverse btcec.ModNScalar
	rest.NegateVal(&m.start).Add(nonce)
	sum := m.startTimesG
	generator().addAllTimes(&rest, &sum)
	x := sum.affineX(&m.z)
	r.SetBytes(&x) // modulo the order
	e.SetByteSlice(digest[:])
	inverse.Mul2(nonce, &m.factor)
	inverse.InverseNonConst().Mul(&m.factor)
	s.Mul2(&k.pair.Key, &r).Add(&e).Mul(&inverse)
	if r.IsZero() || s.IsZero() {
		return sig, false
	}
	if s.IsOverHalfOrder() {
		s.Negate()
	}
	r.PutBytesUnchecked(sig[:32])
	s.PutBytesUnchecked(sig[32:])
	rest.Zero()
	inverse.Zero()
	return sig, true
}

// addAllTimes adds k times the table's point to sum, which is not at infinity,
// with as many additions for any k. Digits of generatorBits bits leave room in
// the last one for all of k; pick has to halve the range for those of keyBits.
func (t *table) addAllTimes(k *btcec.ModNScalar, sum *point) {
	cut := wordsOf(k)
	half := uint64(1) << (t.width - 1)
	row := t.points
	for at, d, minus := 0, uint64(0), uint64(0); len(row) > 0; at += t.width {
		d, minus = cut.digit(at, half, minus)
		entry := row[max(d, 1)-1]
		entry.y.negateIf(minus)
		var thrown point
		target := sum
		if d == 0 {
			thrown = *sum
			target = &thrown
		}
		target.addAffine(&entry)
		row = row[half:]
	}
}

// affineX is x/z^2, in big-endian octets, of a point that is not at infinity.
func (p *point) affineX(mask *field) [32]byte {
	var masked, inverse field
	masked.mul(&p.z, mask)
	inverse.invert(&masked)
	inverse.mul(&inverse, mask)
	inverse.square(&inverse)
	inverse.mul(&inverse, &p.x)
	inverse = inverse.canonical()
	return [32]byte(inverse.octets(nil))
}
