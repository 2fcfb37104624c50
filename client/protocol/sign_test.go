package protocol

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// Signatures are those of the library, octet for octet.
func TestSignaturesAreTheLibrarys(t *testing.T) {
	random := rand.NewChaCha8([32]byte{4})
	order := btcec.S256().Params().N
	edges := [][]byte{
		make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), big.NewInt(1).FillBytes(make([]byte, 32)),
		new(big.Int).Sub(order, big.NewInt(1)).FillBytes(make([]byte, 32)), order.FillBytes(make([]byte, 32)),
	}
	draw := func(n int) []byte {
		if n < len(edges) {
			return edges[n]
		}
		b := make([]byte, 32)
		random.Read(b)
		return b
	}
	for i := range 24 {
		key, err := PrivateKeyFromBytes(draw(i))
		if err != nil {
			continue
		}
		theirs, public := btcec.PrivKeyFromBytes(key.Bytes())
		if got := key.Public(); !bytes.Equal(got[:], public.SerializeCompressed()) {
			t.Fatalf("key %x: public half is %s", key.Bytes(), got)
		}
		for j := range 24 {
			digest := Hash(draw(j))
			got, want := key.Sign(digest), ecdsa.SignCompact(theirs, digest[:], true)[1:]
			if !bytes.Equal(got[:], want) {
				t.Fatalf("key %x, digest %s: signed %x, the library %x", key.Bytes(), digest, got, want)
			}
		}
	}
}

// Nonces that RFC 6979 will hardly ever derive, such as those with digits of
// zero, give the signature that the equation says.
func TestSignaturesOfRareNonces(t *testing.T) {
	key, digest := testKey(t, 7), Hash{1, 2, 3}
	start := signMasks().start
	var nonces []btcec.ModNScalar
	for shift := range 256 {
		var bit btcec.ModNScalar
		raw := new(big.Int).Lsh(big.NewInt(1), uint(shift)).FillBytes(make([]byte, 32))
		bit.SetByteSlice(raw)
		shifted := bit
		nonces = append(nonces, bit, *shifted.Add(&start)) // what is added up has one digit
	}
	nonces = append(nonces, *new(btcec.ModNScalar).NegateVal(new(btcec.ModNScalar).SetInt(1)))
	for _, nonce := range nonces {
		sig, ok := key.signWith(&nonce, digest)
		if !ok {
			t.Fatalf("nonce %s is refused", nonce)
		}
		if err := key.Public().Verify(digest, sig); err != nil {
			t.Fatalf("nonce %s: %v", nonce, err)
		}
	}
}
