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
		for _, p := range table.multiple.pick(&k, nil) {
			got.addAffine(&p)
		}
		if !same(&got, &want) {
			t.Fatalf("%x times the key is not what the library says", scalar)
		}
	}
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
