package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// ledger is a tree with its database.
type ledger struct {
	t    testing.TB
	db   *pebble.DB
	tree *Tree
}

func openLedger(t testing.TB, fs vfs.FS, height uint64, o Options) *ledger {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Open(db, height, o)
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{t, db, tree}
}

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// block applies and commits one block.
func (l *ledger) block(height uint64, change func(o *Overlay)) protocol.Hash {
	l.t.Helper()
	o := l.tree.Overlay()
	change(o)
	p, err := l.tree.Apply(o, height)
	if err != nil {
		l.t.Fatal(err)
	}
	batch := l.db.NewBatch()
	if err := l.tree.Write(batch, p); err != nil {
		l.t.Fatal(err)
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		l.t.Fatal(err)
	}
	l.tree.Adopt(p)
	return p.Root()
}

// referenceRoot computes the root the slow way, from the definition: a binary
// tree over hashed keys in which a subtree with one leaf is that leaf.
func referenceRoot(model map[string]string) protocol.Hash {
	var leaves []proof.StateLeaf
	for k, v := range model {
		leaves = append(leaves, proof.NewStateLeaf([]byte(k), []byte(v)))
	}
	slices.SortFunc(leaves, func(a, b proof.StateLeaf) int { return bytes.Compare(a.KeyHash[:], b.KeyHash[:]) })
	var build func(leaves []proof.StateLeaf, depth int) protocol.Hash
	build = func(leaves []proof.StateLeaf, depth int) protocol.Hash {
		switch len(leaves) {
		case 0:
			return proof.StatePlaceholder
		case 1:
			return leaves[0].Hash()
		}
		split := 0
		for split < len(leaves) && leaves[split].KeyHash[depth/8]>>(7-depth%8)&1 == 0 {
			split++
		}
		return proof.StateNodeHash(build(leaves[:split], depth+1), build(leaves[split:], depth+1))
	}
	return build(leaves, 0)
}

// Random blocks against a map: equal roots, values, scans and proofs of
// presence and absence at every kept height, over reopening, with pruning on and off.
func TestAgreesWithAModel(t *testing.T) {
	for _, keep := range []uint64{0, 1, 5} {
		t.Run(fmt.Sprintf("keep=%d", keep), func(t *testing.T) {
			for seed := range uint64(4) {
				modelRun(t, seed, keep)
			}
		})
	}
}

func modelRun(t *testing.T, seed, keep uint64) {
	random := rand.New(rand.NewPCG(seed, keep))
	fs := vfs.NewMem()
	options := Options{KeepVersions: keep, MaxNodes: 20, HotBytes: 2_000}
	l := openLedger(t, fs, 0, options)
	defer func() { l.db.Close() }()
	model := map[string]string{}
	past := map[uint64]map[string]string{}
	for height := uint64(1); height <= 40; height++ {
		before := l.tree.Root()
		root := l.block(height, func(o *Overlay) { randomChanges(t, random, o, model) })
		past[height] = maps.Clone(model)
		if want := referenceRoot(model); root != want {
			t.Fatalf("seed %d, height %d: root %s, want %s", seed, height, root, want)
		}
		if height%7 == 0 {
			if again := l.block(height+0, func(*Overlay) {}); again != root || before == (protocol.Hash{}) {
				t.Fatal("an empty block changed the root")
			}
		}
		if height%9 == 0 {
			l.db.Close()
			l = openLedger(t, fs, height, options)
		}
		oldest := uint64(1)
		if keep > 0 && height >= keep {
			oldest = height - keep + 1
		}
		for h := oldest; h <= height; h += 1 + uint64(random.IntN(5)) {
			checkView(t, l.tree, h, past[h], random)
		}
		if oldest > 1 {
			if _, err := l.tree.View(oldest - 1); err == nil {
				t.Fatal("a pruned height can be read")
			}
		}
	}
}

func randomKey(random *rand.Rand) []byte {
	key := make([]byte, 1+random.IntN(3))
	for i := range key {
		key[i] = []byte{0, 1, 0xff, 'a', 'b'}[random.IntN(5)]
	}
	return key
}

// randomChanges changes an overlay and the model alike, partly in children
// that are committed or discarded.
func randomChanges(t *testing.T, random *rand.Rand, o *Overlay, model map[string]string) {
	for range random.IntN(12) {
		at, into := o, model
		inChild, keep := random.IntN(2) == 0, random.IntN(2) == 0
		if inChild {
			at = o.Child()
			into = maps.Clone(model)
		}
		for range 1 + random.IntN(4) {
			key, value := randomKey(random), fmt.Sprint(random.IntN(6))
			var err error
			if random.IntN(3) == 0 {
				err = at.Delete(key)
				delete(into, string(key))
			} else {
				err = at.Set(key, []byte(value))
				into[string(key)] = value
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		checkReads(t, at, into, random)
		switch {
		case inChild && keep:
			at.Commit()
			clear(model)
			maps.Copy(model, into)
		case inChild:
			at.Discard()
		}
	}
}

// reader is an overlay or a view.
type reader interface {
	Get(key []byte) ([]byte, bool, error)
	Scan(prefix, after []byte, limit int) ([]KV, error)
}

func checkReads(t *testing.T, r reader, model map[string]string, random *rand.Rand) {
	t.Helper()
	key := randomKey(random)
	value, ok, err := r.Get(key)
	want, present := model[string(key)]
	if err != nil || ok != present || string(value) != want {
		t.Fatalf("get %x: %q %v %v, want %q %v", key, value, ok, err, want, present)
	}
	prefix, limit := randomKey(random)[:random.IntN(2)], 1+random.IntN(8)
	var after []byte
	if random.IntN(2) == 0 {
		after = randomKey(random)
	}
	pairs, err := r.Scan(prefix, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for k := range model {
		if bytes.HasPrefix([]byte(k), prefix) && k > string(after) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	names = names[:min(len(names), limit)]
	if len(pairs) != len(names) {
		t.Fatalf("scan prefix %x after %x: %d pairs, want %d", prefix, after, len(pairs), len(names))
	}
	for i, kv := range pairs {
		if string(kv.Key) != names[i] || string(kv.Value) != model[names[i]] {
			t.Fatalf("scan prefix %x after %x: pair %d is %x", prefix, after, i, kv.Key)
		}
	}
}

func checkView(t *testing.T, tree *Tree, height uint64, model map[string]string, random *rand.Rand) {
	t.Helper()
	view, err := tree.View(height)
	if err != nil {
		t.Fatalf("view of %d: %v", height, err)
	}
	for range 4 {
		checkReads(t, view, model, random)
		key := randomKey(random)
		p, err := view.Prove(key)
		if err != nil {
			t.Fatal(err)
		}
		want, present := model[string(key)]
		if err := p.Verify(view.Root()); err != nil || p.Exists() != present || string(p.Value) != want {
			t.Fatalf("height %d, key %x: %v, value %q, want %q %v", height, key, err, p.Value, want, present)
		}
		encoded, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.DecodeState(encoded); err != nil {
			t.Fatal(err)
		}
	}
}

// jmtSpec is the ICS23 description of the tree, as Penumbra publishes it.
var jmtSpec = &ics23.ProofSpec{
	LeafSpec: &ics23.LeafOp{
		Hash: ics23.HashOp_SHA256, PrehashKey: ics23.HashOp_SHA256, PrehashValue: ics23.HashOp_SHA256,
		Length: ics23.LengthOp_NO_PREFIX, Prefix: []byte("JMT::LeafNode"),
	},
	InnerSpec: &ics23.InnerSpec{
		Hash: ics23.HashOp_SHA256, ChildOrder: []int32{0, 1}, MinPrefixLength: 16, MaxPrefixLength: 48, ChildSize: 32,
		EmptyChild: []byte("SPARSE_MERKLE_PLACEHOLDER_HASH__"),
	},
	MaxDepth:                   64,
	PrehashKeyBeforeComparison: true,
}

// existence turns a proof of ours into ICS23's form.
func existence(p proof.State) *ics23.ExistenceProof {
	out := &ics23.ExistenceProof{Key: p.Key, Value: p.Value, Leaf: jmtSpec.LeafSpec}
	keyHash := sha256.Sum256(p.Key)
	for i, sibling := range p.Siblings {
		depth := len(p.Siblings) - 1 - i
		op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte("JMT::IntrnalNode")}
		if keyHash[depth/8]>>(7-depth%8)&1 == 0 {
			op.Suffix = sibling[:]
		} else {
			op.Prefix = append(op.Prefix, sibling[:]...)
		}
		out.Path = append(out.Path, op)
	}
	return out
}

// ICS23, written by others, accepts our proofs of existence, and of absence
// between the two neighbours.
func TestICS23VerifiesOurProofs(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	var keys [][]byte
	root := l.block(1, func(o *Overlay) {
		for i := range 500 {
			key := fmt.Appendf(nil, "key-%d", i)
			keys = append(keys, key)
			if err := o.Set(key, fmt.Appendf(nil, "value-%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	slices.SortFunc(keys, func(a, b []byte) int {
		x, y := sha256.Sum256(a), sha256.Sum256(b)
		return bytes.Compare(x[:], y[:])
	})
	view, err := l.tree.View(1)
	if err != nil {
		t.Fatal(err)
	}
	prove := func(key []byte) *ics23.ExistenceProof {
		p, err := view.Prove(key)
		if err != nil || !p.Exists() {
			t.Fatalf("%s: %v", key, err)
		}
		return existence(p)
	}
	for _, key := range keys {
		e := prove(key)
		commitment := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: e}}
		if !ics23.VerifyMembership(jmtSpec, root[:], commitment, key, e.Value) {
			t.Fatalf("ICS23 refuses %s", key)
		}
	}
	for i := range 50 {
		absent := fmt.Appendf(nil, "absent-%d", i)
		h := sha256.Sum256(absent)
		at, _ := slices.BinarySearchFunc(keys, h[:], func(k, h []byte) int {
			x := sha256.Sum256(k)
			return bytes.Compare(x[:], h)
		})
		gap := &ics23.NonExistenceProof{Key: absent}
		if at > 0 {
			gap.Left = prove(keys[at-1])
		}
		if at < len(keys) {
			gap.Right = prove(keys[at])
		}
		commitment := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: gap}}
		if !ics23.VerifyNonMembership(jmtSpec, root[:], commitment, absent) {
			t.Fatalf("ICS23 refuses the absence of %s", absent)
		}
	}
}

// Exported pairs imported in parts into an empty database give the same root.
func TestImportReproducesTheRoot(t *testing.T) {
	source := openLedger(t, vfs.NewMem(), 0, Options{})
	defer source.db.Close()
	for h := range uint64(3) {
		source.block(h+1, func(o *Overlay) {
			for i := range 700 {
				if err := o.Set(fmt.Appendf(nil, "key-%d", i*(int(h)+1)), fmt.Appendf(nil, "%d", h)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	view, err := source.tree.View(3)
	if err != nil {
		t.Fatal(err)
	}
	target := openLedger(t, vfs.NewMem(), 0, Options{KeepVersions: 2})
	defer target.db.Close()
	var after []byte
	for {
		part, err := view.Scan(nil, after, 256)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		after = part[len(part)-1].Key
		target.block(3, func(o *Overlay) {
			for _, kv := range part {
				if err := o.Set(kv.Key, kv.Value); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if target.tree.Root() != view.Root() {
		t.Fatal("the imported state has another root")
	}
	for h := uint64(4); h < 9; h++ { // pruning after an import takes nothing that is needed
		target.block(h, func(o *Overlay) { _ = o.Set(fmt.Appendf(nil, "key-%d", h), []byte("new")) })
	}
	target.tree.root.node = nil
	if v, err := target.tree.View(8); err != nil {
		t.Fatal(err)
	} else if p, err := v.Prove([]byte("key-699")); err != nil || p.Verify(v.Root()) != nil {
		t.Fatalf("%v", err)
	}
}

// Damage at rest is an error, never a wrong answer.
func TestDamagedNodesAreFound(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	l.block(1, func(o *Overlay) {
		for i := range 100 {
			_ = o.Set(fmt.Appendf(nil, "key-%d", i), []byte("v"))
		}
	})
	record, closer, err := l.db.Get(nodeKey(1, nil))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(record)
	closer.Close()
	damaged[len(damaged)-1] ^= 1
	if err := l.db.Set(nodeKey(1, nil), damaged, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	view, err := l.tree.View(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := view.Prove([]byte("key-1")); err == nil {
		t.Fatal("a damaged node was used")
	}
}
