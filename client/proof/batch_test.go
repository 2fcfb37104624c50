package proof

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// besideOf are the hashes beside leaves of a whole small tree.
func besideOf(leaves []protocol.Hash, indices []uint64) (out []protocol.Hash) {
	for _, r := range BesideRanges(indices, uint64(len(leaves))) {
		out = append(out, TreeRoot(leaves[r[0]:r[1]]))
	}
	return out
}

// Every choice of leaves of every small tree leads to the tree's root, with no
// hash to spare, and with nothing else in any place.
func TestMultiRootOfEveryChoice(t *testing.T) {
	var leaves []protocol.Hash
	for size := 1; size <= 11; size++ {
		leaves = append(leaves, testHash("leaf", size))
		root := TreeRoot(leaves)
		for choice := 1; choice < 1<<size; choice++ {
			var chosen []Leaf
			var indices []uint64
			for i := range size {
				if choice>>i&1 == 1 {
					chosen, indices = append(chosen, Leaf{uint64(i), leaves[i]}), append(indices, uint64(i))
				}
			}
			beside := besideOf(leaves, indices)
			if got, err := MultiRoot(chosen, uint64(size), beside); err != nil || got != root {
				t.Fatalf("%v of %d: %s, %v", indices, size, got, err)
			}
			if _, err := MultiRoot(chosen, uint64(size), append(slices.Clone(beside), root)); !errors.Is(err, ErrInclusion) {
				t.Fatalf("%v of %d: a hash too many: %v", indices, size, err)
			}
			if len(beside) > 0 {
				if _, err := MultiRoot(chosen, uint64(size), beside[1:]); !errors.Is(err, ErrInclusion) {
					t.Fatalf("%v of %d: a hash too few: %v", indices, size, err)
				}
			}
			last := &chosen[len(chosen)-1]
			if last.Index++; last.Index < uint64(size) {
				if got, err := MultiRoot(chosen, uint64(size), beside); err == nil && got == root {
					t.Fatalf("%v of %d: the last passes as the next one", indices, size)
				}
			}
		}
	}
	if len(besideOf(leaves, []uint64{5})) != PathLength(5, uint64(len(leaves))) {
		t.Error("one leaf needs another number of hashes than its path has")
	}
}

// batchOf is a batch receipt of entries of one stream among others.
func batchOf(t testing.TB, bed *testbed, size uint64, indices []uint64, withhold bool) *BatchReceipt {
	t.Helper()
	event := testEvent()
	r := &BatchReceipt{LogSize: size, Params: testHash("params", 0), State: testHash("state", 0)}
	var leaves []Leaf
	for i, index := range indices {
		kind, payload := protocol.EntryEvent, event.AppendRecord(nil)
		if i%7 == 3 {
			kind = protocol.EntryDuplicate
		}
		e := BatchEntry{Index: index, Entry: entryFact(kind, payload, index, index+1).Entry.Entry, Blind: protocol.EventBlind([32]byte{1}, uint64(i)), Payload: payload}
		e.Entry.Sequence = 100 + uint64(i)
		e.Entry.Cause = protocol.NoCause
		if kind == protocol.EntryDuplicate {
			e.Entry.Cause = 3
		}
		e.Entry.Commitment = protocol.Commitment(e.Blind, e.Payload)
		if withhold {
			e.Withheld, e.Blind, e.Payload = true, protocol.Blind{}, nil
		}
		r.Entries = append(r.Entries, e)
		leaves = append(leaves, Leaf{index, LeafHash(e.Entry.AppendBinary(nil))})
	}
	for i := range BesideRanges(indices, size) {
		r.Beside = append(r.Beside, testHash("beside", i))
	}
	root, err := MultiRoot(leaves, size, r.Beside)
	if err != nil {
		t.Fatal(err)
	}
	bed.signBatch(t, r, root)
	return r
}

// signBatch signs a batch as a receipt of the same app hash.
func (b *testbed) signBatch(t testing.TB, r *BatchReceipt, root protocol.Hash) {
	t.Helper()
	state := State{Key: []byte("any")}
	fact := &Receipt{State: &StateProof{State: state}}
	b.sign(t, fact, 3) // for header and commit of the usual kind
	r.ChainID, r.Header, r.Commit = fact.ChainID, fact.Header, fact.Commit
	appHash := NodeHash(NodeHash(MapLeaf(mapLog, LogValue(r.LogSize, root)), r.Params), r.State)
	block := r.Header.BlockHash(r.ChainID, r.Commit.Height, appHash)
	for i := range r.Commit.Signatures {
		s := &r.Commit.Signatures[i]
		vote := VoteBytes(r.ChainID, r.Commit.Height, r.Commit.Round, block, r.Commit.Parts, s.TimeNs)
		s.Bytes = [64]byte(ed25519.Sign(b.secrets[b.anchor.validators[s.Validator].PubKey], vote))
	}
}

func run(first, count uint64) (out []uint64) {
	for i := range count {
		out = append(out, first+i)
	}
	return out
}

func batchForms(t testing.TB, r *BatchReceipt) (binary, text []byte) {
	t.Helper()
	binary, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = r.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return binary, text
}

func openBatch(b []byte, anchor Anchor) (BatchStatement, error) {
	r, err := ParseBatch(b)
	if err != nil {
		return BatchStatement{}, err
	}
	return r.Verify(anchor)
}

func TestEveryBitOfABatchCounts(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	for name, r := range map[string]*BatchReceipt{
		"consecutive": batchOf(t, bed, 101, run(34, 2), false),
		"scattered":   batchOf(t, bed, 101, []uint64{0, 7, 100}, true),
		"whole log":   batchOf(t, bed, 2, run(0, 2), true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, text := batchForms(t, r)
			first, err := openBatch(binary, bed.anchor)
			if err != nil {
				t.Fatal(err)
			}
			second, err := openBatch(text, bed.anchor)
			if err != nil || !reflect.DeepEqual(first, second) {
				t.Errorf("the two forms state different things: %v", err)
			}
			for _, form := range [][]byte{binary, text} {
				for i := range 8 * len(form) {
					form[i/8] ^= 0x80 >> (i % 8)
					if s, err := openBatch(form, bed.anchor); err == nil {
						t.Fatalf("bit %d of byte %d flipped, and it verifies: %s", i%8, i/8, s)
					}
					form[i/8] ^= 0x80 >> (i % 8)
				}
				for n := range form {
					if _, err := ParseBatch(form[:n]); err == nil {
						t.Fatalf("parses when cut to %d bytes", n)
					}
				}
			}
			body := slices.Clone(binary[:len(binary)-digestBytes])
			for i := range 8 * len(body) { // as a forger would
				body[i/8] ^= 0x80 >> (i % 8)
				digest := digestOf(body)
				if s, err := openBatch(append(slices.Clone(body), digest[:]...), bed.anchor); err == nil {
					t.Fatalf("bit %d of byte %d flipped, the digest renewed, and it verifies: %s", i%8, i/8, s)
				}
				body[i/8] ^= 0x80 >> (i % 8)
			}
		})
	}
}

func TestBatchRefusals(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	for what, change := range map[string]func(r *BatchReceipt){
		"an entry left out":    func(r *BatchReceipt) { r.Entries = slices.Delete(r.Entries, 1, 2) },
		"entries swapped":      func(r *BatchReceipt) { r.Entries[0], r.Entries[1] = r.Entries[1], r.Entries[0] },
		"an entry twice":       func(r *BatchReceipt) { r.Entries[1] = r.Entries[0] },
		"another size":         func(r *BatchReceipt) { r.LogSize++ },
		"hashes swapped":       func(r *BatchReceipt) { r.Beside[0], r.Beside[1] = r.Beside[1], r.Beside[0] },
		"another payload":      func(r *BatchReceipt) { r.Entries[2].Payload = []byte("x") },
		"entry of that block":  func(r *BatchReceipt) { r.Entries[2].Entry.Height = r.Commit.Height },
		"no entry":             func(r *BatchReceipt) { r.Entries = nil },
		"an index in the next": func(r *BatchReceipt) { r.Entries[4].Index++ },
		"two thirds":           func(r *BatchReceipt) { r.Commit.Signatures = r.Commit.Signatures[:2] },
	} {
		r := batchOf(t, bed, 70_000, run(1234, 5), false)
		change(r)
		if _, err := r.Verify(bed.anchor); err == nil {
			t.Errorf("verifies with %s", what)
		}
	}
	r := batchOf(t, bed, 70_000, run(1234, 2), true)
	second := r.Entries[1]
	written := second.appendBinary(nil, &r.Entries[0])
	if written[0] != batchWithheld {
		t.Fatalf("flags %08b", written[0])
	}
	body := r.appendBody(nil) // the second entry's kind, written though it follows
	at := bytes.Index(body, written)
	body = slices.Insert(body, at+1, byte(second.Entry.Kind))
	body[at] |= batchKind
	digest := digestOf(body)
	if _, err := ParseBatch(append(body, digest[:]...)); !errors.Is(err, ErrCanonical) {
		t.Errorf("a field that follows is written out: %v", err)
	}
}

// A thousand consecutive entries at 1e9: at most 40 octets an entry beside the
// payloads.
func TestBatchSize(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	r := batchOf(t, bed, 1_000_000_000, run(987_654_000, 1000), false)
	binary, text := batchForms(t, r)
	if _, err := openBatch(binary, bed.anchor); err != nil {
		t.Fatal(err)
	}
	payloads := 0
	for _, e := range r.Entries {
		payloads += len(e.Payload)
	}
	beside := len(binary) - payloads
	t.Logf("1,000 entries at 1e9: %d bytes beside %d of payload, %d.%02d an entry; JSON %d in all", beside, payloads, beside/1000, beside%1000/10, len(text))
	if beside > 40_000 {
		t.Errorf("%d bytes beside the payloads, the target is 40 an entry", beside)
	}
}

func BenchmarkVerifyBatch(b *testing.B) {
	bed := newTestbed(b, testChain, 1, 1, 1, 1)
	binary, _ := batchForms(b, batchOf(b, bed, 1_000_000_000, run(987_654_000, 1000), false))
	for b.Loop() {
		if _, err := openBatch(binary, bed.anchor); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	bed := newTestbed(f, testChain, 1, 1, 1, 1)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		binary, text := batchForms(f, batchOf(f, bed, 5000, run(random.Uint64N(4000), 1+random.Uint64N(5)), random.Uint64N(2) == 0))
		f.Add(binary)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > digestBytes && b[0] != '{' {
			b = redigest(bytes.Clone(b))
		}
		r, err := ParseBatch(b)
		if err != nil {
			return
		}
		if binary, text := batchForms(t, r); !bytes.Equal(b, binary) && !bytes.Equal(b, text) {
			t.Fatal("decodes and encodes to other bytes")
		}
	})
}
