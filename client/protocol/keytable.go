package protocol

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// A verification computes u1*G + u2*Q. For G the library adds up multiples it
// has at hand; for a key Q it doubles and adds 128 times, in arithmetic of ten
// words of 26 bits. A table has the multiples of one point at hand, in
// arithmetic of four words, which makes verifying five times as fast. A key's
// is worth its making from some dozens of signatures on.

// A scalar is cut into digits of digitBits bits, from -31 to 32.
const (
	digitBits  = 6
	digits     = (256 + digitBits - 1) / digitBits
	maxDigit   = 1 << (digitBits - 1)
	digitRange = 1 << digitBits
)

// table holds multiples of a point: [i][j] is (j+1) * 2^(6i) times it. It takes
// 88 KB.
type table [digits][maxDigit]affine

// newTable works the multiples out with the library.
func newTable(base btcec.JacobianPoint) *table {
	t := new(table)
	var row [maxDigit]btcec.JacobianPoint
	for i := range t {
		row[0] = base
		btcec.DoubleNonConst(&base, &row[1])
		for j := 2; j < maxDigit; j++ {
			btcec.AddNonConst(&row[j-1], &base, &row[j])
		}
		btcec.DoubleNonConst(&row[maxDigit-1], &base)
		base.ToAffine()
		toAffine(&row, &t[i])
	}
	return t
}

// toAffine divides by Z with one inversion for all (Montgomery's trick): no
// multiple of a point below the group's order is at infinity.
func toAffine(from *[maxDigit]btcec.JacobianPoint, to *[maxDigit]affine) {
	var products [maxDigit]btcec.FieldVal // of the Zs up to and with this one
	products[0] = from[0].Z
	for i := 1; i < maxDigit; i++ {
		products[i].Mul2(&products[i-1], &from[i].Z)
	}
	inverse := products[maxDigit-1]
	inverse.Inverse()
	for i := maxDigit - 1; i >= 0; i-- {
		z := inverse
		if i > 0 {
			z.Mul(&products[i-1])
			inverse.Mul(&from[i].Z)
		}
		var z2, x, y btcec.FieldVal
		z2.SquareVal(&z)
		x.Mul2(&from[i].X, &z2).Normalize()
		y.Mul2(&from[i].Y, &z2).Mul(&z).Normalize()
		to[i] = affine{fieldOf(x.Bytes()[:]), fieldOf(y.Bytes()[:])}
	}
}

// addTimes adds k times the table's point to sum.
func (t *table) addTimes(k *btcec.ModNScalar, sum *point) {
	raw := k.Bytes()
	var words [5]uint64 // the lowest first, the last one zero
	for i := range 4 {
		words[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}
	carry := 0
	for i := range digits {
		at := i * digitBits
		d := int(words[at/64]>>(at%64)|words[at/64+1]<<(64-at%64))&(digitRange-1) + carry
		if carry = 0; d > maxDigit {
			d, carry = d-digitRange, 1
		}
		switch {
		case d > 0:
			sum.addAffine(&t[i][d-1])
		case d < 0:
			minus := affine{x: t[i][-d-1].x}
			minus.y.sub(&minus.y, &t[i][-d-1].y)
			sum.addAffine(&minus)
		}
	}
}

// generator is the table of G, made when it is first needed.
var generator = sync.OnceValue(func() *table {
	var one btcec.ModNScalar
	var g btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(one.SetInt(1), &g)
	g.ToAffine()
	return newTable(g)
})

// KeyTable verifies signatures of one key, by several goroutines.
type KeyTable struct {
	key      PublicKey
	multiple *table
}

// NewKeyTable works out the multiples of a key, about as much work as ten
// verifications without them.
func NewKeyTable(key PublicKey) (*KeyTable, error) {
	q, err := key.point()
	if err != nil {
		return nil, err
	}
	var base btcec.JacobianPoint
	q.AsJacobian(&base)
	return &KeyTable{key, newTable(base)}, nil
}

// Verify is PublicKey.Verify for the table's key.
func (t *KeyTable) Verify(digest Hash, sig Signature) error {
	r, s, err := sig.scalars()
	if err != nil {
		return err
	}
	var e, w, u1, u2 btcec.ModNScalar
	e.SetByteSlice(digest[:])
	w.InverseValNonConst(&s)
	u1.Mul2(&e, &w)
	u2.Mul2(&r, &w)
	var sum point
	generator().addTimes(&u1, &sum)
	t.multiple.addTimes(&u2, &sum)
	if !sum.xIs(sig[:32]) {
		return t.key.refuse()
	}
	return nil
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
	zz.mul(&p.z, &p.z)
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

// Verifier verifies signatures and keeps tables of the keys that sign often.
// Its answers are those of PublicKey.Verify. It may be used by several goroutines.
type Verifier struct {
	mu         sync.Mutex
	young, old map[PublicKey]*frequent // guarded by mu
}

// frequent counts the signatures of a key until it has a table.
type frequent struct {
	count int
	table *KeyTable
}

const (
	tableAfter  = 32  // signatures of a key before its table is made
	maxFrequent = 128 // keys of a generation: at most about 23 MB of tables in both
)

// NewVerifier makes one that knows no keys.
func NewVerifier() *Verifier { return &Verifier{young: map[PublicKey]*frequent{}} }

// Verify checks a transaction's signature, as Tx.VerifySignature does.
func (v *Verifier) Verify(tx *Tx) error {
	table, due := v.met(tx.Signer)
	if table != nil {
		return table.Verify(tx.ID, tx.Signature)
	}
	if err := tx.VerifySignature(); err != nil {
		return err
	}
	if due { // only after a good signature: nobody can have tables made in vain
		if table, err := NewKeyTable(tx.Signer); err == nil {
			v.keep(table)
		}
	}
	return nil
}

// met counts a key's appearance, answers its table, or that one is due.
func (v *Verifier) met(key PublicKey) (table *KeyTable, due bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.young[key]
	if f == nil {
		if f = v.old[key]; f == nil {
			f = &frequent{}
		}
		if len(v.young) >= maxFrequent {
			v.old, v.young = v.young, map[PublicKey]*frequent{}
		}
		v.young[key] = f
	}
	f.count++
	return f.table, f.count >= tableAfter
}

func (v *Verifier) keep(table *KeyTable) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f := v.young[table.key]; f != nil {
		f.table = table
	}
}
