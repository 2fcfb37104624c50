package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// TestKeyTableTimes compares multiples with the library's, at the scalars
// where digits carry and at random ones.
func TestKeyTableTimes(t *testing.T) {
	key := testKey(t, 7)
	table, err := NewKeyTable(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public().point()
	if err != nil {
		t.Fatal(err)
	}
	n := btcec.S256().Params().N
	var scalars []*big.Int
	for shift := range uint(256) {
		power := new(big.Int).Lsh(big.NewInt(1), shift)
		for d := int64(-33); d <= 33; d += 11 {
			scalars = append(scalars, new(big.Int).Add(power, big.NewInt(d)))
		}
		scalars = append(scalars, new(big.Int).Sub(n, power))
	}
	for i := range uint64(500) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		scalars = append(scalars, new(big.Int).SetBytes(sum[:]))
	}
	for _, scalar := range scalars {
		var k btcec.ModNScalar
		k.SetByteSlice(new(big.Int).Mod(scalar, n).FillBytes(make([]byte, 32)))
		var q, want btcec.JacobianPoint
		public.AsJacobian(&q)
		btcec.ScalarMultNonConst(&k, &q, &want)
		var got point
		table.multiple.addTimes(&k, &got)
		if !same(&got, &want) {
			t.Fatalf("%x times the key is not what the library says", scalar)
		}
	}
}

// same compares a point of ours with one of the library's.
func same(got *point, want *btcec.JacobianPoint) bool {
	if got.z.isZero() {
		return want.Z.IsZero()
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
	one, two := g[0][0], g[0][1]
	p := point{x: one.x, y: one.y, z: field{1}}
	p.addAffine(&one)
	if !p.xIs(octets(two.x)) {
		t.Error("a point added to itself is not twice the point")
	}
	p.addAffine(&one) // three times
	p.double()
	if !p.xIs(octets(g[0][5].x)) {
		t.Error("twice three times is not six times")
	}
	minus := affine{x: one.x}
	minus.y.sub(&minus.y, &one.y)
	p = point{x: one.x, y: one.y, z: field{1}}
	if p.addAffine(&minus); !p.z.isZero() {
		t.Error("a point and its opposite are not at infinity together")
	}
	if p.addAffine(&two); !p.xIs(octets(two.x)) {
		t.Error("a point added to infinity is not the point")
	}
}

func octets(f field) []byte {
	var b []byte
	for i := range f {
		b = binary.BigEndian.AppendUint64(b, f[3-i])
	}
	return b
}

// TestFieldAgreesWithIntegers computes beside math/big, most often close to 0,
// to p and to 2^256, where words carry.
func TestFieldAgreesWithIntegers(t *testing.T) {
	p := btcec.S256().Params().P
	whole := new(big.Int).Lsh(big.NewInt(1), 256)
	draw := rapid.Custom(func(t *rapid.T) *big.Int {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "n"))
		near := []*big.Int{nil, nil, new(big.Int), p, whole, new(big.Int).Sub(whole, big.NewInt(fold))}
		if at := near[rapid.IntRange(0, len(near)-1).Draw(t, "near")]; at != nil {
			n = new(big.Int).Add(at, big.NewInt(int64(rapid.IntRange(-3, 3).Draw(t, "off"))))
		}
		return n.Mod(n, whole)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		x, y := fieldOf(a.FillBytes(make([]byte, 32))), fieldOf(b.FillBytes(make([]byte, 32)))
		var sum, difference, product field
		sum.add(&x, &y)
		difference.sub(&x, &y)
		product.mul(&x, &y)
		for _, c := range []struct {
			name string
			got  field
			want *big.Int
		}{
			{"+", sum, new(big.Int).Add(a, b)}, {"-", difference, new(big.Int).Sub(a, b)}, {"*", product, new(big.Int).Mul(a, b)},
			{"canonical", x, a},
		} {
			if got := new(big.Int).SetBytes(octets(c.got.canonical())); got.Cmp(c.want.Mod(c.want, p)) != 0 {
				t.Fatalf("%x %s %x: %x, want %x", a, c.name, b, got, c.want)
			}
		}
	})
}

// TestVerifierAgrees holds a Verifier to PublicKey.Verify over signatures that
// are good, changed, and made for the edges of the range, before and after keys
// have tables.
func TestVerifierAgrees(t *testing.T) {
	verifier := NewVerifier()
	rapid.Check(t, func(t *rapid.T) {
		key := testSecret(byte(rapid.IntRange(1, 3).Draw(t, "key")))
		for range tableAfter {
			tx := &Tx{Signer: key.Public(), ID: sha256.Sum256(rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "message"))}
			tx.Signature = key.Sign(tx.ID)
			switch at := rapid.IntRange(0, 63).Draw(t, "at"); rapid.IntRange(0, 4).Draw(t, "how") {
			case 0:
				tx.Signature[at] ^= 1 << (at % 8)
			case 1:
				tx.ID[at/2] ^= 1
			case 2:
				copy(tx.Signature[:32], make([]byte, 16)) // a small r, where r + N is tried too
			}
			want, got := tx.VerifySignature(), verifier.Verify(tx)
			if (want == nil) != (got == nil) || want != nil && want.Error() != got.Error() {
				t.Fatalf("the library says %v, the verifier %v", want, got)
			}
		}
	})
	tables := 0
	for _, f := range verifier.young {
		if f.table != nil {
			tables++
		}
	}
	if tables != 3 {
		t.Fatalf("%d keys have tables, want 3", tables)
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

func BenchmarkVerifyKnownKey(b *testing.B) {
	key := testKey(b, 1)
	digest := Hash(sha256.Sum256([]byte("message")))
	signature := key.Sign(digest)
	table, err := NewKeyTable(key.Public())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := table.Verify(digest, signature); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFieldMul(b *testing.B) {
	x, y := generator()[0][0].x, generator()[0][0].y
	for b.Loop() {
		x.mul(&x, &y)
	}
}

func BenchmarkNewKeyTable(b *testing.B) {
	key := testKey(b, 1).Public()
	for b.Loop() {
		if _, err := NewKeyTable(key); err != nil {
			b.Fatal(err)
		}
	}
}
