package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// TestTableTimes compares multiples with the library's, of tables of both
// widths, at the scalars where digits carry and at random ones.
func TestTableTimes(t *testing.T) {
	table, err := NewKeyTable(testKey(t, 7).Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := table.key.point()
	if err != nil {
		t.Fatal(err)
	}
	n := btcec.S256().Params().N
	scalars := []*big.Int{n, new(big.Int).Rsh(n, 1), new(big.Int).Add(new(big.Int).Rsh(n, 1), big.NewInt(1))}
	for shift := range uint(256) {
		power := new(big.Int).Lsh(big.NewInt(1), shift)
		for _, d := range []int64{-1025, -1024, -128, -1, 0, 128, 129, 1024, 1025} {
			scalars = append(scalars, new(big.Int).Add(power, big.NewInt(d)))
		}
		scalars = append(scalars, new(big.Int).Sub(n, power))
	}
	for i := range uint64(300) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		scalars = append(scalars, new(big.Int).SetBytes(sum[:]))
	}
	for _, scalar := range scalars {
		k := scalarOf(scalar)
		var q, want, wantG btcec.JacobianPoint
		public.AsJacobian(&q)
		btcec.ScalarMultNonConst(&k, &q, &want)
		btcec.ScalarBaseMultNonConst(&k, &wantG)
		if got := total(table.multiple.pick(&k, nil)); !same(&got, &want) {
			t.Fatalf("%x times the key is not what the library says", scalar)
		}
		if got := total(generator().pick(&k, nil)); !same(&got, &wantG) {
			t.Fatalf("%x times the generator is not what the library says", scalar)
		}
	}
}

func scalarOf(i *big.Int) (k btcec.ModNScalar) {
	k.SetByteSlice(new(big.Int).Mod(i, btcec.S256().Params().N).FillBytes(make([]byte, 32)))
	return k
}

func total(points []affine) (sum point) {
	for i := range points {
		sum.addAffine(&points[i])
	}
	return sum
}

// TestVerifierAgrees holds a Verifier to PublicKey.Verify over signatures that
// are good, changed, and made for the edges of the range, one by one and
// together, before and after keys have tables.
func TestVerifierAgrees(t *testing.T) {
	verifier := NewVerifier()
	rapid.Check(t, func(t *rapid.T) {
		var txs []*Tx
		for range rapid.IntRange(1, 2*minClaims).Draw(t, "transactions") {
			key := testSecret(byte(rapid.IntRange(1, 3).Draw(t, "key")))
			tx := &Tx{Signer: key.Public(), ID: sha256.Sum256(rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "message"))}
			tx.Signature = key.Sign(tx.ID)
			switch at := rapid.IntRange(0, 63).Draw(t, "at"); rapid.IntRange(0, 6).Draw(t, "how") {
			case 0:
				tx.Signature[at] ^= 1 << (at % 8)
			case 1:
				tx.ID[at/2] ^= 1
			case 2:
				copy(tx.Signature[:32], make([]byte, 16)) // a small r, where r + N is tried too
			case 3:
				tx.Signer[at/2] ^= 1 << (at % 8) // often no point
			}
			txs = append(txs, tx)
		}
		agree(t, verifier, txs)
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

// TestVerifierForgets: a key keeps its table through the generation after the
// one it was last met in, and no longer.
func TestVerifierForgets(t *testing.T) {
	verifier, key, others := NewVerifier(), testKey(t, 1).Public(), uint16(0)
	meet := func(count int) {
		for range count {
			others++
			verifier.met(PublicKey{1: byte(others >> 8), 2: byte(others)})
		}
	}
	verifier.met(key)
	verifier.keep(&KeyTable{key: key})
	for _, c := range []struct {
		others int
		kept   bool
	}{{maxFrequent, true}, {maxFrequent, true}, {3 * maxFrequent, false}} {
		meet(c.others)
		if table, _ := verifier.met(key); (table != nil) != c.kept {
			t.Fatalf("after %d other keys, that the table is kept is %v", c.others, !c.kept)
		}
		if len(verifier.young) > maxFrequent || len(verifier.old) > maxFrequent {
			t.Fatalf("%d and %d keys are kept", len(verifier.young), len(verifier.old))
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

func BenchmarkNewKeyTable(b *testing.B) {
	key := testKey(b, 1).Public()
	for b.Loop() {
		if _, err := NewKeyTable(key); err != nil {
			b.Fatal(err)
		}
	}
}
