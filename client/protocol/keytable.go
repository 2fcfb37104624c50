package protocol

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// A verification computes u1*G + u2*Q. For G the library adds up multiples it
// has at hand; for a key Q it doubles and adds 128 times. A KeyTable has the
// multiples of one key at hand too, which makes verifying for that key more
// than twice as fast. It is worth its making from some dozens of signatures on.

// u2 is cut into digits of digitBits bits, in -32+1..32.
const (
	digitBits  = 6
	digits     = (256 + digitBits - 1) / digitBits
	maxDigit   = 1 << (digitBits - 1)
	digitRange = 1 << digitBits
)

// affine is a point with Z = 1, both coordinates normalized.
type affine struct{ x, y btcec.FieldVal }

// KeyTable verifies signatures of one key. It takes about 110 KB and may be
// used by several goroutines.
type KeyTable struct {
	key      PublicKey
	multiple [digits][maxDigit]affine // [i][j]: (j+1) * 2^(6i) * Q
}

// NewKeyTable works out the multiples of a key, about as much work as ten verifications.
func NewKeyTable(key PublicKey) (*KeyTable, error) {
	point, err := key.point()
	if err != nil {
		return nil, err
	}
	t := &KeyTable{key: key}
	var base btcec.JacobianPoint
	point.AsJacobian(&base)
	var row [maxDigit]btcec.JacobianPoint
	for i := range t.multiple {
		row[0] = base
		btcec.DoubleNonConst(&base, &row[1])
		for j := 2; j < maxDigit; j++ {
			btcec.AddNonConst(&row[j-1], &base, &row[j])
		}
		btcec.DoubleNonConst(&row[maxDigit-1], &base)
		base.ToAffine()
		toAffine(&row, &t.multiple[i])
	}
	return t, nil
}

// toAffine divides by Z with one inversion for all (Montgomery's trick): no
// multiple of a key below the group's order is the point at infinity.
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
		var z2 btcec.FieldVal
		z2.SquareVal(&z)
		to[i].x.Mul2(&from[i].X, &z2).Normalize()
		to[i].y.Mul2(&from[i].Y, &z2).Mul(&z).Normalize()
	}
}

// times is k * Q.
func (t *KeyTable) times(k *btcec.ModNScalar) (sum btcec.JacobianPoint) {
	raw := k.Bytes()
	var words [5]uint64 // little-endian, the last one zero
	for i := range 4 {
		words[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}
	point := btcec.JacobianPoint{}
	point.Z.SetInt(1)
	carry := 0
	for i := range digits {
		at := i * digitBits
		d := int(words[at/64]>>(at%64)|words[at/64+1]<<(64-at%64))&(digitRange-1) + carry
		if carry = 0; d > maxDigit {
			d, carry = d-digitRange, 1
		}
		switch {
		case d > 0:
			m := &t.multiple[i][d-1]
			point.X, point.Y = m.x, m.y
		case d < 0:
			m := &t.multiple[i][-d-1]
			point.X = m.x
			point.Y.NegateVal(&m.y, 1).Normalize()
		default:
			continue
		}
		btcec.AddNonConst(&sum, &point, &sum)
	}
	return sum
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
	var sum btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&u1, &sum)
	ofKey := t.times(&u2)
	btcec.AddNonConst(&sum, &ofKey, &sum)
	if !xIs(&sum, sig[:32]) {
		return t.key.refuse()
	}
	return nil
}

// fieldMinusOrder is P - N: where r is less, the point's x may have been r + N.
var fieldMinusOrder, orderInField = func() (less [32]byte, order btcec.FieldVal) {
	p := btcec.S256().Params()
	order.SetByteSlice(p.N.Bytes())
	p.P.Sub(p.P, p.N).FillBytes(less[:])
	return less, order
}()

// xIs says whether a point's x, modulo the group's order, is r. It compares
// r * Z^2 with X, which spares the division.
func xIs(point *btcec.JacobianPoint, r []byte) bool {
	if point.Z.IsZero() || (point.X.IsZero() && point.Y.IsZero()) {
		return false // at infinity
	}
	var x, z2, scaled btcec.FieldVal
	x.SetByteSlice(r)
	z2.SquareVal(&point.Z)
	px := point.X
	px.Normalize()
	if scaled.Mul2(&x, &z2).Normalize(); scaled.Equals(&px) {
		return true
	}
	if bytes.Compare(r, fieldMinusOrder[:]) >= 0 {
		return false
	}
	x.Add(&orderInField)
	scaled.Mul2(&x, &z2).Normalize()
	return scaled.Equals(&px)
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
	maxFrequent = 128 // keys of a generation: at most about 28 MB of tables in both
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
