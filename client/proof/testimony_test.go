package proof

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// testimonies of the same validators: of a receipt, of steps, of both.
func testimonies(t testing.TB) (bed *testbed, all map[string]*Testimony) {
	t.Helper()
	bed = newTestbed(t, testChain, 10, 10, 10, 10)
	still := stillSigns(t, bed, 7)
	receipt := batchOf(t, bed, 1000, []uint64{3, 4, 900}, false)
	set := bed.anchor.Validators()
	return bed, map[string]*Testimony{
		"receipt": {ChainID: testChain, Validators: set, Receipt: receipt},
		"steps":   {ChainID: testChain, Validators: set, Steps: []TrustStep{still}},
		"both":    {ChainID: testChain, Validators: set, Steps: []TrustStep{still}, Receipt: receipt},
	}
}

// stillSigns is a step by which a set says that it signs a height.
func stillSigns(t testing.TB, bed *testbed, height uint64) TrustStep {
	t.Helper()
	s := TrustStep{Skip: true, TimeNs: testTimeNs, Next: bed.anchor.Validators(), Commit: Commit{Height: height, Parts: PartSet{Total: 1, Hash: testHash("parts", 1)}}}
	for i := range besideSkip {
		s.Beside = append(s.Beside, testHash("beside", i))
	}
	block := s.blockHash(testChain, bed.anchor.SetHash())
	for i, v := range bed.anchor.validators[:3] {
		vote := VoteBytes(testChain, height, 0, block, s.Commit.Parts, testTimeNs)
		s.Commit.Signatures = append(s.Commit.Signatures, Signature{uint32(i), testTimeNs, [ed25519.SignatureSize]byte(ed25519.Sign(bed.secrets[v.PubKey], vote))})
	}
	return s
}

// testimonyVector is a testimony and what it is about.
type testimonyVector struct {
	Name      string           `json:"name"`
	ChainID   string           `json:"chainId"`
	Set       protocol.Hash    `json:"set"` // hash of the set that has to be trusted
	Steps     int              `json:"steps"`
	Entries   []uint64         `json:"entries"` // log indexes shown
	Address   protocol.Address `json:"address"` // of the ledger, its founding document's hash being 32 zero octets
	Stream    string           `json:"stream"`  // of the name "prices"
	Testimony octetsHex        `json:"testimony"`
}

func TestTestimonyVectors(t *testing.T) {
	bed, all := testimonies(t)
	var computed, published []testimonyVector
	for _, name := range []string{"receipt", "steps", "both"} {
		testimony := all[name]
		b, err := testimony.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		stream, _ := protocol.LedgerStream("prices").MarshalText()
		v := testimonyVector{Name: name, ChainID: testChain, Set: bed.anchor.SetHash(), Steps: len(testimony.Steps), Entries: []uint64{},
			Address: protocol.LedgerAddress(testChain, protocol.Hash{}), Stream: string(stream), Testimony: b}
		if testimony.Receipt != nil {
			for i := range testimony.Receipt.Entries {
				v.Entries = append(v.Entries, testimony.Receipt.Entries[i].Index)
			}
		}
		computed = append(computed, v)
	}
	vectors(t, "testimony.json", computed, &published)
	for _, v := range published {
		read, err := ParseTestimony(v.Testimony)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := read.Verify()
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(0, testTimeNs)
		if f, err := verified.Follow(Followed{Set: v.Set, Since: 1, Seen: 1, At: now}, now, time.Hour); err != nil || f.Set != v.Set {
			t.Fatalf("%s: %v %v", v.Name, f, err)
		}
		if _, err := verified.Follow(Followed{Set: v.Set, Since: 1, Seen: 1, At: now.Add(-2 * time.Hour)}, now, time.Hour); err == nil {
			t.Fatalf("%s: an old set is believed", v.Name)
		}
	}
}

// FuzzTestimony holds the decoder to its word: what it accepts, it encodes to
// exactly, and verifying it does not panic.
func FuzzTestimony(f *testing.F) {
	_, all := testimonies(f)
	for _, testimony := range all { // seeds: order does not matter
		b, err := testimony.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		testimony, err := ParseTestimony(b)
		if err != nil {
			return
		}
		again, err := testimony.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%v: %x became %x", err, b, again)
		}
		testimony.Verify()
	})
}
