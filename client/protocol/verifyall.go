package protocol

import (
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// VerifyAll answers, for each of many transactions, what Verify does. Those of
// keys with tables add their points up side by side, which makes them twice as
// fast; a dozen suffice.
func (v *Verifier) VerifyAll(txs []*Tx) []error {
	errs := make([]error, len(txs))
	c := claimsPool.Get().(*claims)
	defer claimsPool.Put(c)
	for i, tx := range txs {
		table, due := v.met(tx.Signer)
		if table == nil {
			errs[i] = v.verifyFirst(tx, due)
			continue
		}
		if errs[i] = c.take(table, tx, &errs[i]); len(c.open) == maxClaims {
			c.settle()
		}
	}
	c.settle()
	return errs
}

const (
	minClaims = 4  // fewer do not earn the inversions they share
	maxClaims = 32 // 200 KB of points and slopes, which a processor keeps at hand
)

// claims are signatures in range, of keys with tables, that wait to be verified.
type claims struct {
	open   []claim
	points []affine
	adder  adder
}

var claimsPool = sync.Pool{New: func() any { return new(claims) }}

// claim says that the sum of some points has r as its x.
type claim struct {
	table *KeyTable
	tx    *Tx
	err   *error // where the answer goes

	r, s      btcec.ModNScalar
	before    btcec.ModNScalar // the product of s of the claims before
	at, count int              // its points, fewer with each round
}

// take opens a claim, or refuses the signature.
func (c *claims) take(table *KeyTable, tx *Tx, err *error) error {
	r, s, refused := tx.Signature.scalars()
	if refused == nil {
		c.open = append(c.open, claim{table: table, tx: tx, err: err, r: r, s: s})
	}
	return refused
}

// settle answers all claims and leaves none.
func (c *claims) settle() {
	together := len(c.open) >= minClaims
	if together {
		c.pick()
		together = c.reduce()
	}
	for i := range c.open {
		o := &c.open[i]
		if !together {
			*o.err = o.table.Verify(o.tx.ID, o.tx.Signature)
			continue
		}
		p := &c.points[o.at]
		if sum := (point{p.x, p.y, field{1}}); !sum.xIs(o.tx.Signature[:32]) {
			*o.err = o.table.key.refuse()
		}
	}
	clear(c.open) // a pool keeps no transaction alive
	c.open = c.open[:0]
}

// pick looks up the points of all claims, with one inversion (Montgomery's trick).
func (c *claims) pick() {
	var product, w btcec.ModNScalar
	product.SetInt(1)
	for i := range c.open {
		c.open[i].before = product
		product.Mul(&c.open[i].s)
	}
	c.points = c.points[:0]
	product.InverseNonConst()
	for i := len(c.open) - 1; i >= 0; i-- {
		o := &c.open[i]
		w.Mul2(&product, &o.before)
		product.Mul(&o.s)
		o.at = len(c.points)
		c.points = o.table.pick(&o.tx.ID, &o.r, &w, c.points)
		o.count = len(c.points) - o.at // at least one: u2 is not 0
	}
}

// reduce adds each claim's points up, in rounds that halve their number. It
// says no where two were opposite. Only who knows a key's secret can make them
// so, and only gains that these claims are verified one by one.
func (c *claims) reduce() bool {
	for {
		c.adder.sums = c.adder.sums[:0]
		for i := range c.open {
			o := &c.open[i]
			left := (o.count + 1) / 2
			for j := left; j < o.count; j++ {
				c.adder.sums = append(c.adder.sums, sum{to: o.at + j - left, a: o.at + j - left, b: o.at + j})
			}
			o.count = left
		}
		if len(c.adder.sums) == 0 {
			return true
		}
		if !c.adder.add(c.points) {
			return false
		}
	}
}
