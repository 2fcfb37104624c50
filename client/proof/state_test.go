package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// smallState is the state tree as its definition says, for tests.
type smallState struct{ leaves []StateLeaf }

func newSmallState(pairs map[string]string) smallState {
	var s smallState
	for k, v := range pairs {
		s.leaves = append(s.leaves, NewStateLeaf([]byte(k), []byte(v)))
	}
	slices.SortFunc(s.leaves, func(a, b StateLeaf) int { return bytes.Compare(a.KeyHash[:], b.KeyHash[:]) })
	return s
}

func (s smallState) split(depth int) (left, right smallState) {
	i := slices.IndexFunc(s.leaves, func(l StateLeaf) bool { return bit(l.KeyHash, depth) == 1 })
	if i < 0 {
		i = len(s.leaves)
	}
	return smallState{s.leaves[:i]}, smallState{s.leaves[i:]}
}

func (s smallState) root(depth int) protocol.Hash {
	switch len(s.leaves) {
	case 0:
		return StatePlaceholder
	case 1:
		return s.leaves[0].Hash()
	}
	left, right := s.split(depth)
	return StateNodeHash(left.root(depth+1), right.root(depth+1))
}

// prove answers the proof of a key; value is nil for an absent one.
func (s smallState) prove(key, value []byte) State {
	p := State{Key: key, Value: value}
	keyHash := protocol.Hash(sha256.Sum256(key))
	depth := 0
	for ; len(s.leaves) > 1; depth++ {
		left, right := s.split(depth)
		if bit(keyHash, depth) == 0 {
			p.Siblings, s = append(p.Siblings, right.root(depth+1)), left
		} else {
			p.Siblings, s = append(p.Siblings, left.root(depth+1)), right
		}
	}
	if len(s.leaves) == 1 {
		p.Leaf = &s.leaves[0]
	}
	slices.Reverse(p.Siblings)
	return p
}

func somePairs(n int) map[string]string {
	pairs := make(map[string]string, n)
	for i := range n {
		pairs[fmt.Sprintf("key/%d", i)] = fmt.Sprintf("value %d", i)
	}
	return pairs
}

func TestStateProofsOfPresentAndAbsentKeys(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 17, 300} {
		pairs := somePairs(n)
		tree := newSmallState(pairs)
		root := tree.root(0)
		if n == 0 && root != StatePlaceholder {
			t.Fatalf("root of an empty state: %s", root)
		}
		var proofs []State
		for k, v := range pairs {
			proofs = append(proofs, tree.prove([]byte(k), []byte(v)))
		}
		for i := range 40 {
			proofs = append(proofs, tree.prove(fmt.Appendf(nil, "absent/%d", i), nil))
		}
		for _, p := range proofs[max(0, len(proofs)-60):] {
			checkStateProof(t, tree, p, root)
		}
	}
}

func checkStateProof(t *testing.T, tree smallState, p State, root protocol.Hash) {
	t.Helper()
	if err := p.Verify(root); err != nil {
		t.Fatalf("%q: %v", p.Key, err)
	}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeState(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.AppendBinary(nil); !bytes.Equal(again, b) {
		t.Fatalf("%q: does not encode to what it was decoded from", p.Key)
	}
	if p.Key == nil {
		p.Key = []byte{}
	}
	if !reflect.DeepEqual(back, p) {
		t.Fatalf("decoded %+v, want %+v", back, p)
	}
	for i := range 8 * len(b) {
		changed := slices.Clone(b)
		changed[i/8] ^= 0x80 >> (i % 8)
		q, err := DecodeState(changed)
		if err != nil || q.Verify(root) != nil {
			continue
		}
		// A changed key of an absence proof may be another absent key with the
		// same first bits: then what is proven must be true.
		if truth := tree.prove(q.Key, nil); q.Exists() || truth.Verify(root) != nil || bytes.Equal(q.Key, p.Key) {
			t.Fatalf("%q: bit %d flipped and it still verifies, as %+v", p.Key, i, q)
		}
	}
	for n := range b {
		if _, err := DecodeState(b[:n]); err == nil {
			t.Fatalf("%q: decodes when cut to %d bytes", p.Key, n)
		}
	}
	if _, err := DecodeState(append(b, 0)); !errors.Is(err, ErrForm) {
		t.Fatalf("%q: decodes with a byte more", p.Key)
	}
}

func TestStateProofRefusals(t *testing.T) {
	pairs := somePairs(50)
	tree := newSmallState(pairs)
	root := tree.root(0)
	present, absent := tree.prove([]byte("key/7"), []byte("value 7")), tree.prove([]byte("nothing"), nil)

	hidden := present
	hidden.Value = nil
	cases := []struct {
		name string
		p    State
		want error
	}{
		{"the key's own leaf as absence", hidden, ErrState},
		{"absence as existence", State{Key: absent.Key, Value: []byte("x"), Leaf: absent.Leaf, Siblings: absent.Siblings}, ErrState},
		{"an empty place as existence", State{Key: absent.Key, Value: []byte("x"), Siblings: absent.Siblings}, ErrState},
		{"another value", State{Key: present.Key, Value: []byte("value 8"), Leaf: present.Leaf, Siblings: present.Siblings}, ErrState},
		{"a leaf from elsewhere", State{Key: []byte("nothing"), Leaf: present.Leaf, Siblings: present.Siblings}, nil},
		{"too many siblings", State{Key: present.Key, Siblings: make([]protocol.Hash, MaxStateDepth+1)}, ErrForm},
		{"an empty lowest sibling", State{Key: present.Key, Siblings: []protocol.Hash{StatePlaceholder}}, ErrState},
		{"a key over the limit", State{Key: make([]byte, MaxStateKey+1)}, ErrForm},
		{"a value over the limit", State{Value: make([]byte, MaxStateValue+1)}, ErrForm},
		{"an empty place as absence of a present key", State{Key: present.Key, Siblings: present.Siblings}, ErrRoot},
	}
	for _, c := range cases {
		err := c.p.Verify(root)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := present.Verify(LeafHash(nil)); !errors.Is(err, ErrRoot) {
		t.Errorf("another root: %v", err)
	}
	if _, err := hidden.AppendBinary(nil); err != nil { // encodes as what it claims; verification refuses it
		t.Error(err)
	}
	present.Leaf = nil
	if _, err := present.AppendBinary(nil); !errors.Is(err, ErrState) {
		t.Errorf("existence without its leaf encodes: %v", err)
	}
}

func TestStateCodecIsCanonical(t *testing.T) {
	one := LeafHash([]byte("one"))
	p := State{Key: []byte("k"), Siblings: []protocol.Hash{one, StatePlaceholder}}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	padded := slices.Clone(b)
	padded[4] |= 1
	written := slices.Concat(b[:4], []byte{0xc0}, one[:], StatePlaceholder[:])
	long := slices.Concat([]byte{0x81, 0}, b[1:])
	form := slices.Clone(b)
	form[2] = 9
	for name, bad := range map[string][]byte{
		"padding": padded, "an empty sibling written out": written, "a long number": long, "a form": form,
		"overflow": bytes.Repeat([]byte{0xff}, 12),
	} {
		if _, err := DecodeState(bad); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	existing := State{Key: []byte{}, Value: []byte{}}
	leaf := NewStateLeaf(nil, nil)
	existing.Leaf = &leaf
	checkStateProof(t, newSmallState(map[string]string{"": ""}), existing, leaf.Hash())
}

func FuzzDecodeState(f *testing.F) {
	tree := newSmallState(somePairs(9))
	for _, p := range []State{tree.prove([]byte("key/3"), []byte("value 3")), tree.prove([]byte("no"), nil), {Key: []byte("k")}} {
		b, err := p.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	root := tree.root(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeState(b)
		if err != nil {
			return
		}
		again, err := p.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("decodes and encodes to other bytes: %v", err)
		}
		if p.Verify(root) == nil && p.Exists() && somePairs(9)[string(p.Key)] != string(p.Value) {
			t.Fatalf("proves %q = %q, which is not so", p.Key, p.Value)
		}
	})
}
