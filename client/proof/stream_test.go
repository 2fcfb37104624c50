package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// streamOf is a proof of the sequences 100 to 112 of a stream: 100 to 103, a
// gap of five, 109 to 111. The stream has reached next.
func streamOf(t testing.TB, bed *testbed, next uint64) *StreamProof {
	t.Helper()
	producer := testAddress("origin")
	p := &StreamProof{Producer: producer, Name: "birmingham", From: 100, To: 112}
	first := batchOf(t, bed, 70_000, []uint64{500, 501, 502, 900}, true)
	gap := protocol.GapAct{Count: 5}
	second := batchOf(t, bed, 70_000, []uint64{901, 950, 951, 4000}, true)
	e := &second.Entries[0]
	e.Withheld, e.Blind, e.Payload = false, protocol.EventBlind([32]byte{9}, 104), gap.AppendBinary(nil)
	e.Entry.Kind, e.Entry.Type, e.Entry.Cause = protocol.EntryGap, protocol.TypeHash{}, protocol.NoCause
	e.Entry.Commitment = protocol.Commitment(e.Blind, e.Payload)
	for i := range second.Entries {
		second.Entries[i].Entry.Sequence = [...]uint64{104, 109, 110, 111}[i]
	}
	resignBatch(t, bed, second)
	p.Batches = []BatchReceipt{*first, *second}
	key := StreamKey(producer, p.Name)
	value := binary.BigEndian.AppendUint64(nil, next)
	leaf := NewStateLeaf(key, value)
	p.Next = bed.sign(t, &Receipt{State: &StateProof{State: State{Key: key, Value: value, Leaf: &leaf}}}, 3)
	return p
}

// resignBatch signs a batch after a change of its entries.
func resignBatch(t testing.TB, bed *testbed, r *BatchReceipt) {
	t.Helper()
	var leaves []Leaf
	for _, e := range r.Entries {
		leaves = append(leaves, Leaf{e.Index, LeafHash(e.Entry.AppendBinary(nil))})
	}
	root, err := MultiRoot(leaves, r.LogSize, r.Beside)
	if err != nil {
		t.Fatal(err)
	}
	bed.signBatch(t, r, root)
}

func TestStreamIsComplete(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	trust := NewTrust(bed.anchor, 1, time.Unix(0, 0))
	p := streamOf(t, bed, 112)
	s, err := p.Verify(trust)
	if err != nil {
		t.Fatal(err)
	}
	if s.Events != 5 || len(s.Duplicates) != 2 || len(s.Gaps) != 1 || s.Gaps[0] != (DeclaredGap{104, 5}) || s.Next != 112 || len(s.Entries) != 8 ||
		s.Duplicates[0] != (DuplicateOfFirst{103, 3}) {
		t.Errorf("%+v", s)
	}
	for _, words := range []string{"100 to 111 none is missing", "5 events", "2 repeats", "5 sequences", "all it had"} {
		if !strings.Contains(s.String(), words) {
			t.Errorf("%q is not in: %s", words, s)
		}
	}
	text, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseStreamProof(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.MarshalBinary(); err != nil || !bytes.Equal(again, text) {
		t.Error("the proof changed on its way")
	}
	inner := *p // a range that begins and ends inside the gap
	inner.From, inner.To = 105, 108
	inner.Batches = []BatchReceipt{p.Batches[1]}
	inner.Batches[0].Entries = p.Batches[1].Entries[:1]
	inner.Batches[0].Beside = nil
	if _, err := inner.Verify(trust); err == nil {
		t.Error("a batch with the wrong hashes verifies")
	}
	for range BesideRanges([]uint64{901}, 70_000) {
		inner.Batches[0].Beside = append(inner.Batches[0].Beside, testHash("beside", len(inner.Batches[0].Beside)))
	}
	resignBatch(t, bed, &inner.Batches[0])
	if s, err := inner.Verify(trust); err != nil || s.Gaps[0] != (DeclaredGap{105, 3}) {
		t.Errorf("%+v %v", s.Gaps, err)
	}
}

// Whatever is left out, moved or taken from elsewhere shows.
func TestStreamsThatAreNotComplete(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	trust := NewTrust(bed.anchor, 1, time.Unix(0, 0))
	for _, c := range []struct {
		what   string
		change func(p *StreamProof)
		want   error
	}{
		{"a batch left out", func(p *StreamProof) { p.Batches = p.Batches[1:] }, ErrIncomplete},
		{"the last batch left out", func(p *StreamProof) { p.Batches = p.Batches[:1] }, ErrIncomplete},
		{"batches swapped", func(p *StreamProof) { slices.Reverse(p.Batches) }, ErrIncomplete},
		{"a batch twice", func(p *StreamProof) { p.Batches = append(p.Batches[:1], p.Batches[0], p.Batches[1]) }, ErrIncomplete},
		{"a longer range", func(p *StreamProof) { p.To++ }, ErrIncomplete},
		{"an earlier range", func(p *StreamProof) { p.From-- }, ErrIncomplete},
		{"a shorter range", func(p *StreamProof) { p.To = 111 }, ErrForm},
		{"a later range", func(p *StreamProof) { p.From++ }, ErrIncomplete},
		{"another stream", func(p *StreamProof) { p.Name = "leeds" }, ErrIncomplete},
		{"another producer", func(p *StreamProof) { p.Producer[0]++ }, ErrIncomplete},
		{"no state receipt", func(p *StreamProof) { p.Next = nil }, ErrForm},
		{"another state receipt", func(p *StreamProof) { p.Next = oneOfEach(t, bed)["state value"] }, ErrIncomplete},
		{"a next sequence before the end", func(p *StreamProof) { *p = *streamOf(t, bed, 111) }, ErrIncomplete},
		{"a hole in a batch", func(p *StreamProof) {
			p.Batches[1].Entries[2].Entry.Sequence++
			resignBatch(t, bed, &p.Batches[1])
		}, ErrIncomplete},
		{"a gap withheld", func(p *StreamProof) {
			e := &p.Batches[1].Entries[0]
			e.Withheld, e.Blind, e.Payload = true, protocol.Blind{}, nil
		}, ErrIncomplete},
		{"an entry of another kind", func(p *StreamProof) {
			p.Batches[1].Entries[1].Entry.Kind = protocol.EntryEmitted
			resignBatch(t, bed, &p.Batches[1])
		}, ErrForm},
	} {
		p := streamOf(t, bed, 112)
		c.change(p)
		if s, err := p.Verify(trust); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v; %s", c.what, err, c.want, s)
		}
	}
}

func FuzzParseStreamProof(f *testing.F) {
	bed := newTestbed(f, testChain, 1, 1, 1, 1)
	text, err := streamOf(f, bed, 112).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > digestBytes {
			b = redigest(bytes.Clone(b))
		}
		p, err := ParseStreamProof(b)
		if err != nil {
			return
		}
		if again, err := p.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatal("decodes and encodes to other bytes")
		}
	})
}
