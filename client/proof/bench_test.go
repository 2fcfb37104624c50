package proof

import (
	"bytes"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// billion is the receipt DESIGN.md, section 8, sets its targets for: an event
// of about 313 octets as JSON, four validators, 1e9 entries.
func billion(t testing.TB) (*testbed, *Receipt) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	event := testEvent()
	r := entryFact(protocol.EntryEvent, event.AppendRecord(nil), 987_654_321, 1_000_000_000)
	r.Entry.Entry.Height, r.Entry.Entry.Sequence = 30_000_000, 500_000_000
	bed.sign(t, r, 3)
	r.Commit.Height = 30_000_001
	bed.resign(t, r, 3)
	return bed, r
}

func TestReceiptSizeAtABillionEntries(t *testing.T) {
	bed, r := billion(t)
	if _, err := r.Verify(bed.anchor); err != nil {
		t.Fatal(err)
	}
	binary, text := mustEncode(t, r)
	beside := len(binary) - len(r.Entry.Payload)
	t.Logf("4 validators, 1e9 entries: %d bytes and a record of %d; JSON %d in all", beside, len(r.Entry.Payload), len(text))
	if beside > 1600 {
		t.Errorf("%d bytes beside the event, the target is 1600", beside)
	}
}

func BenchmarkVerify(b *testing.B) {
	bed, r := billion(b)
	binary, text := mustEncode(b, r)
	for name, form := range map[string][]byte{"binary": binary, "json": text} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.ReportMetric(float64(len(form)), "bytes")
			for b.Loop() {
				if _, _, err := parseAndVerify(form, bed.anchor); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzParse holds both decoders to their word: what they accept they encode to
// the same bytes, and the two forms say the same.
// anything nothing.
func FuzzParse(f *testing.F) {
	bed := newTestbed(f, testChain, 1, 1, 1, 1)
	for _, r := range oneOfEach(f, bed) {
		binary, text := mustEncode(f, r)
		f.Add(binary)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > digestBytes && b[0] != '{' {
			b = redigest(bytes.Clone(b)) // or the digest would stop nearly every input
		}
		r, err := Parse(b)
		if err != nil {
			return
		}
		binary, text := mustEncode(t, r)
		if !bytes.Equal(b, binary) && !bytes.Equal(b, text) {
			t.Fatal("decodes and encodes to other bytes")
		}
		other, err := Parse(binary)
		if err != nil {
			t.Fatal(err)
		}
		if _, again := mustEncode(t, other); !bytes.Equal(again, text) {
			t.Fatal("the two forms say different things")
		}
		if s, err := r.Verify(bed.anchor); err == nil {
			_ = s.String() // must not panic
		}
	})
}

func FuzzInclusion(f *testing.F) {
	f.Add(uint64(5), uint64(11), []byte("leaf"), make([]byte, 128))
	f.Fuzz(func(t *testing.T, index, size uint64, leaf, raw []byte) {
		path := make([]protocol.Hash, 0, len(raw)/32)
		for ; len(raw) >= 32; raw = raw[32:] {
			path = append(path, protocol.Hash(raw))
		}
		root, err := InclusionRoot(LeafHash(leaf), index, size, path)
		if err != nil {
			return
		}
		if index >= size || len(path) != PathLength(index, size) {
			t.Fatalf("index %d, size %d, %d hashes accepted", index, size, len(path))
		}
		if err := VerifyInclusion(LeafHash(leaf), index, size, path, root); err != nil {
			t.Fatal(err)
		}
		if index+1 < size && VerifyInclusion(LeafHash(leaf), index+1, size, path, root) == nil {
			t.Fatalf("index %d of %d passes as %d", index, size, index+1)
		}
	})
}
