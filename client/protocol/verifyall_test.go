package protocol

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// forge makes a digest and a signature of the key d that verify by way of
// u1*G + u2*Q for the u1 and u2 asked for, or for both negated: it chooses the
// digest last. Where that sum is at infinity, or u2 is 0, nothing verifies.
func forge(d, u1, u2 btcec.ModNScalar) *Tx {
	var sum, r, s, e btcec.ModNScalar
	var point btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(sum.Mul2(&u2, &d).Add(&u1), &point)
	point.ToAffine()
	x := point.X.Bytes()
	if r.SetByteSlice(x[:]); r.IsZero() {
		r.SetInt(1)
	}
	if s.SetInt(1); !u2.IsZero() {
		s.InverseValNonConst(&u2).Mul(&r)
	}
	e.Mul2(&u1, &s)
	if s.IsOverHalfOrder() {
		s.Negate()
	}
	secret := d.Bytes()
	key, err := PrivateKeyFromBytes(secret[:])
	if err != nil {
		panic(err)
	}
	tx := &Tx{Signer: key.Public(), ID: e.Bytes()}
	r.PutBytesUnchecked(tx.Signature[:32])
	s.PutBytesUnchecked(tx.Signature[32:])
	return tx
}

// know gives a verifier tables of the transactions' signers.
func know(t testing.TB, v *Verifier, txs ...*Tx) {
	t.Helper()
	for _, tx := range txs {
		if v.young[tx.Signer] == nil {
			table, err := NewKeyTable(tx.Signer)
			if err != nil {
				t.Fatal(err)
			}
			v.young[tx.Signer] = &frequent{table: table}
		}
	}
}

// agree holds Verify and VerifyAll to the library, and counts what is good.
func agree(t rapid.TB, v *Verifier, txs []*Tx) (good int) {
	t.Helper()
	all := v.VerifyAll(txs)
	for i, tx := range txs {
		want := tx.VerifySignature()
		for how, got := range map[string]error{"Verify": v.Verify(tx), "VerifyAll": all[i]} {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s says %v, the library %v: key %s, digest %x, signature %x", how, got, want, tx.Signer, tx.ID, tx.Signature)
			}
		}
		if want == nil {
			good++
		}
	}
	return good
}

// TestPointsMeetInSignatures verifies what who knows his key's secret can make:
// signatures whose points are the same, or opposite, somewhere on the way.
func TestPointsMeetInSignatures(t *testing.T) {
	n := btcec.S256().Params().N
	var edges []*big.Int
	for _, i := range []int64{1, 2, 3, 128, 256, 1 << 11, 1<<16 + 1, 1<<22 - 5} {
		edges = append(edges, big.NewInt(i), new(big.Int).Sub(n, big.NewInt(i)))
	}
	edges = append(edges, new(big.Int).Rsh(n, 1), new(big.Int).Lsh(big.NewInt(1), 253))
	verifier := NewVerifier()
	var txs []*Tx
	for _, d := range edges[:8] {
		for _, u2 := range append(edges, new(big.Int)) {
			for _, u1 := range append(edges, new(big.Int)) {
				txs = append(txs, forge(scalarOf(d), scalarOf(u1), scalarOf(u2)))
			}
		}
	}
	know(t, verifier, txs...)
	good := 0
	for at := 0; at < len(txs); { // batches of each size from 1 to more than are settled at once
		size := min(at%(maxClaims+5)+1, len(txs)-at)
		good += agree(t, verifier, txs[at:at+size])
		at += size
	}
	if good < len(txs)*3/4 {
		t.Fatalf("%d of %d are good; the test tests little", good, len(txs))
	}
}

// TestSignatureWithXBeyondOrder: the x of a point may lie between N and P, and
// r is then x - N. Who chooses the key last can make such a signature.
func TestSignatureWithXBeyondOrder(t *testing.T) {
	order := btcec.S256().Params().N
	verifier := NewVerifier()
	var txs []*Tx
	for i := int64(1); len(txs) < 8; i++ {
		var R, sR, eG, rQ, Q btcec.JacobianPoint
		R.X.SetByteSlice(new(big.Int).Add(order, big.NewInt(i)).Bytes())
		R.Z.SetInt(1)
		if !btcec.DecompressY(&R.X, i%2 == 0, &R.Y) {
			continue
		}
		R.Y.Normalize()
		digest := sha256.Sum256([]byte{byte(i)})
		var r, s, e btcec.ModNScalar
		e.SetBytes(&digest)
		e.Negate()
		r.SetInt(uint32(i))
		s.SetInt(12345)
		btcec.ScalarMultNonConst(&s, &R, &sR)
		btcec.ScalarBaseMultNonConst(&e, &eG)
		btcec.AddNonConst(&sR, &eG, &rQ) // s*R = e*G + r*Q
		btcec.ScalarMultNonConst(new(btcec.ModNScalar).InverseValNonConst(&r), &rQ, &Q)
		Q.ToAffine()
		tx := &Tx{Signer: PublicKey(btcec.NewPublicKey(&Q.X, &Q.Y).SerializeCompressed()), ID: digest}
		r.PutBytesUnchecked(tx.Signature[:32])
		s.PutBytesUnchecked(tx.Signature[32:])
		txs = append(txs, tx)
	}
	know(t, verifier, txs...)
	if good := agree(t, verifier, txs); good != len(txs) {
		t.Fatalf("%d of %d signatures are good", good, len(txs))
	}
}

// FuzzVerify makes four signatures by one recipe, spoils one octet of the third
// and the digest of the fourth, and compares all answers.
func FuzzVerify(f *testing.F) {
	f.Add([]byte{1}, []byte{5}, []byte{5}, byte(0))
	f.Add([]byte{2}, []byte{0xff, 0xff, 0x80}, []byte{0x80, 0, 1}, byte(7))
	f.Add([]byte{7, 7}, []byte{}, []byte{1, 0, 0}, byte(40))
	f.Fuzz(func(t *testing.T, secret, first, second []byte, spoil byte) {
		d := scalarOf(new(big.Int).SetBytes(secret))
		if d.IsZero() {
			return
		}
		verifier := NewVerifier()
		u1, u2 := scalarOf(new(big.Int).SetBytes(first)), scalarOf(new(big.Int).SetBytes(second))
		txs := []*Tx{forge(d, u1, u2), forge(d, u2, u1), forge(d, u1, u2), forge(d, u2, u1)}
		txs[2].Signature[spoil%64] ^= spoil | 1
		txs[3].ID[spoil%32] ^= spoil | 1
		know(t, verifier, txs...)
		agree(t, verifier, txs)
	})
}

func BenchmarkVerifyAll(b *testing.B) {
	for _, keys := range []int{1, 64} {
		for _, size := range []int{4, 16, 32, 128} {
			b.Run(fmt.Sprintf("keys=%d/batch=%d", keys, size), func(b *testing.B) {
				verifier, txs := NewVerifier(), make([]*Tx, size)
				for i := range max(size, keys) {
					key := testKey(b, byte(i%keys+1))
					tx := &Tx{Signer: key.Public(), ID: sha256.Sum256([]byte{byte(i)})}
					tx.Signature = key.Sign(tx.ID)
					txs[i%size] = tx
					for range tableAfter {
						if err := verifier.Verify(tx); err != nil {
							b.Fatal(err)
						}
					}
				}
				for b.Loop() {
					verifier.VerifyAll(txs)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "us/tx")
			})
		}
	}
}
