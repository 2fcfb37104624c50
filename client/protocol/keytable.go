package protocol

import (
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// A verification computes u1*G + u2*Q. For G the library adds up multiples it
// has at hand; for a key Q it doubles and adds 128 times, in arithmetic of ten
// words of 26 bits. A table has the multiples of one point at hand, in
// arithmetic of four words, which makes verifying more than ten times as fast.
// A key's is worth its making from a dozen of signatures on.

// A scalar is cut into digits, of so many bits. More bits make for fewer
// additions and a larger table: there is one generator, and there are many keys.
const (
	generatorBits = 11 // 24 digits, 1.4 MB
	keyBits       = 8  // 32 digits, 256 KB
)

// table holds multiples of a point. The digits of a scalar are of width bits,
// and signed: of digit i, worth 2^(width*i), multiples 1 to 2^(width-1) begin
// at i * 2^(width-1).
type table struct {
	width  int
	points []affine
}

// newTable works the multiples out: of every digit the first one, by doubling,
// and then for all digits at once the multiples up to 2, 4, 8 and so on.
func newTable(base affine, width int) *table {
	digits, half := digitsOf(width), 1<<(width-1)
	t := &table{width, make([]affine, digits*half)}
	first := make([]point, digits)
	first[0] = point{base.x, base.y, field{1}}
	for i := 1; i < digits; i++ {
		first[i] = first[i-1]
		for range width {
			first[i].double()
		}
	}
	for i, p := range toAffine(first) {
		t.points[i*half] = p
	}
	a := adder{make([]sum, 0, len(t.points)/2), make([]slope, 0, len(t.points)/2)}
	for have := 1; have < half; have *= 2 {
		a.sums = a.sums[:0]
		for at := 0; at < len(t.points); at += half {
			for j := range have {
				a.sums = append(a.sums, sum{to: at + have + j, a: at + have - 1, b: at + j})
			}
		}
		a.add(t.points)
	}
	for i := range t.points {
		t.points[i].x = t.points[i].x.canonical()
		t.points[i].y = t.points[i].y.canonical()
	}
	return t
}

// digitsOf says how many digits hold a number below 2^255, the last one's
// carry with it: it has one bit to spare.
func digitsOf(width int) int { return 255/width + 1 }

// words are those of a scalar, the lowest first, and a zero.
type words [5]uint64

func wordsOf(k *btcec.ModNScalar) words {
	raw := k.Bytes()
	low := fieldOf(raw[:])
	return words{low[0], low[1], low[2], low[3]}
}

// digit is the one at a bit, from -half to half, as its amount and whether it is
// less than 0, which carries 1 into the next one: carry is that of the one before.
func (w *words) digit(at int, half, carry uint64) (d, minus uint64) {
	d = (w[at/64]>>(at%64)|w[at/64+1]<<(64-at%64))&(2*half-1) + carry
	minus = (half - d) >> 63 // where d > half, it stands for d - 2*half
	return (d ^ -minus) + minus + 2*half&-minus, minus
}

// pick appends the points whose sum is k times the table's: one for each digit
// that is not 0, and so none where k is 0. All are read before any is used, for
// most have to come from memory, and so come together.
func (t *table) pick(k *btcec.ModNScalar, to []affine) []affine {
	scalar, flip := *k, uint64(0)
	if scalar.IsOverHalfOrder() { // of k and -k, one is below 2^255
		scalar.Negate()
		flip = 1
	}
	cut := wordsOf(&scalar)
	half := uint64(1) << (t.width - 1)
	row := t.points
	for at, d, minus := 0, uint64(0), uint64(0); len(row) > 0; at += t.width {
		if d, minus = cut.digit(at, half, minus); d != 0 {
			p := row[d-1]
			p.y.negateIf(minus ^ flip)
			to = append(to, p)
		}
		row = row[half:]
	}
	return to
}

// generator is the table of G, made when it is first needed, in some 5 ms.
var generator = sync.OnceValue(func() *table {
	g := btcec.S256().Params()
	return newTable(affine{fieldOf(g.Gx.FillBytes(make([]byte, 32))), fieldOf(g.Gy.FillBytes(make([]byte, 32)))}, generatorBits)
})

// KeyTable verifies signatures of one key, by several goroutines.
type KeyTable struct {
	key      PublicKey
	multiple *table
}

// NewKeyTable works out the multiples of a key, about as much work as five
// verifications without them.
func NewKeyTable(key PublicKey) (*KeyTable, error) {
	q, err := key.point()
	if err != nil {
		return nil, err
	}
	return &KeyTable{key, newTable(affine{fieldOf(q.X().FillBytes(make([]byte, 32))), fieldOf(q.Y().FillBytes(make([]byte, 32)))}, keyBits)}, nil
}

// Verify is PublicKey.Verify for the table's key.
func (t *KeyTable) Verify(digest Hash, sig Signature) error {
	r, s, err := sig.scalars()
	if err != nil {
		return err
	}
	s.InverseNonConst()
	var room [64]affine
	var sum point
	picked := t.pick(&digest, &r, &s, room[:0])
	for i := range picked {
		sum.addAffine(&picked[i])
	}
	if !sum.xIs(sig[:32]) {
		return t.key.refuse()
	}
	return nil
}

// pick appends the points whose sum's x is to be r: w is 1/s.
func (t *KeyTable) pick(digest *Hash, r, w *btcec.ModNScalar, to []affine) []affine {
	var e, u1, u2 btcec.ModNScalar
	e.SetByteSlice(digest[:])
	u1.Mul2(&e, w)
	u2.Mul2(r, w)
	return t.multiple.pick(&u2, generator().pick(&u1, to))
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
	tableAfter  = 16  // signatures of a key before its table is made
	maxFrequent = 128 // keys of a generation: at most 64 MB of tables in both
)

// NewVerifier makes one that knows no keys.
func NewVerifier() *Verifier { return &Verifier{young: map[PublicKey]*frequent{}} }

// Verify checks a transaction's signature, as Tx.VerifySignature does.
func (v *Verifier) Verify(tx *Tx) error {
	table, due := v.met(tx.Signer)
	if table != nil {
		return table.Verify(tx.ID, tx.Signature)
	}
	return v.verifyFirst(tx, due)
}

// verifyFirst is for a key without a table, and makes one that is due.
func (v *Verifier) verifyFirst(tx *Tx, due bool) error {
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
