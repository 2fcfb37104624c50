package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the test vectors in docs/vectors")

// vectors holds computed values to the published file, or rewrites it, and
// reads the file into out: what is tested is what is published.
func vectors(t *testing.T, name string, computed, out any) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "vectors", name)
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(computed); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, want.Bytes()) {
		t.Errorf("%s and the code disagree from byte %d on; run go test ./client/proof -rewrite", path,
			firstDifference(published, want.Bytes()))
	}
	decoder := json.NewDecoder(bytes.NewReader(published))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		t.Fatal(err)
	}
}

// octetsHex is octets in hex.
type octetsHex []byte

func (o octetsHex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

func (o *octetsHex) UnmarshalText(text []byte) (err error) {
	*o, err = hex.AppendDecode(octetsHex{}, text)
	return err
}

type logVectors struct {
	Leaves      []octetsHex         `json:"leaves"` // data of the leaves
	Roots       []protocol.Hash     `json:"roots"`  // by size, from 0
	Inclusion   []inclusionVector   `json:"inclusion"`
	Consistency []consistencyVector `json:"consistency"`
}

type inclusionVector struct {
	Index uint64          `json:"index"`
	Size  uint64          `json:"size"`
	Path  []protocol.Hash `json:"path"`
	Valid bool            `json:"valid"`
}

type consistencyVector struct {
	OldSize uint64          `json:"oldSize"`
	NewSize uint64          `json:"newSize"`
	Path    []protocol.Hash `json:"path"`
	Valid   bool            `json:"valid"`
}

func TestLogVectors(t *testing.T) {
	var computed, v logVectors
	var leaves []protocol.Hash
	for i := range 11 {
		data := bytes.Repeat([]byte{byte(i)}, 7*i)
		computed.Leaves, leaves = append(computed.Leaves, data), append(leaves, LeafHash(data))
	}
	for size := range len(leaves) + 1 {
		computed.Roots = append(computed.Roots, TreeRoot(leaves[:size]))
	}
	for _, size := range []int{1, 2, 7, 8, 11} {
		for _, index := range []int{0, size / 2, size - 1} {
			path := notNil(TreePath(leaves[:size], index))
			computed.Inclusion = append(computed.Inclusion,
				inclusionVector{uint64(index), uint64(size), path, true},
				inclusionVector{uint64(index), uint64(size), append(slices.Clone(path), leaves[0]), false},
				inclusionVector{uint64(index + 1), uint64(size), path, false})
		}
	}
	for _, sizes := range [][2]int{{0, 5}, {1, 1}, {1, 8}, {4, 8}, {6, 7}, {6, 11}, {7, 11}, {8, 11}} {
		path := []protocol.Hash{}
		if sizes[0] > 0 {
			path = notNil(consistencyPath(sizes[0], leaves[:sizes[1]], true))
		}
		computed.Consistency = append(computed.Consistency,
			consistencyVector{uint64(sizes[0]), uint64(sizes[1]), path, true},
			consistencyVector{uint64(sizes[0]), uint64(sizes[1]), append(slices.Clone(path), leaves[0]), false})
	}
	vectors(t, "log.json", computed, &v)
	for _, c := range v.Inclusion {
		var leaf protocol.Hash
		if c.Index < uint64(len(v.Leaves)) {
			leaf = LeafHash(v.Leaves[c.Index])
		}
		if err := VerifyInclusion(leaf, c.Index, c.Size, c.Path, v.Roots[c.Size]); (err == nil) != c.Valid {
			t.Errorf("inclusion %d of %d, valid %v: %v", c.Index, c.Size, c.Valid, err)
		}
	}
	for _, c := range v.Consistency {
		err := VerifyConsistency(c.OldSize, c.NewSize, v.Roots[c.OldSize], v.Roots[c.NewSize], c.Path)
		if (err == nil) != c.Valid {
			t.Errorf("consistency %d to %d, valid %v: %v", c.OldSize, c.NewSize, c.Valid, err)
		}
	}
}

type stateVectors struct {
	EmptyRoot protocol.Hash      `json:"emptyRoot"`
	Root      protocol.Hash      `json:"root"`
	Pairs     []stateVectorPair  `json:"pairs"` // the whole state
	Proofs    []stateVectorProof `json:"proofs"`
}

type stateVectorPair struct {
	Key   octetsHex `json:"key"`
	Value octetsHex `json:"value"`
}

type stateVectorProof struct {
	Key    octetsHex  `json:"key"`
	Value  *octetsHex `json:"value"` // null: the key is absent
	Binary octetsHex  `json:"binary"`
}

func TestStateVectors(t *testing.T) {
	pairs := somePairs(20)
	tree := newSmallState(pairs)
	computed, v := stateVectors{EmptyRoot: smallState{}.root(0), Root: tree.root(0)}, stateVectors{}
	add := func(p State) {
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		vector := stateVectorProof{Key: p.Key, Binary: b}
		if p.Exists() {
			value := octetsHex(p.Value)
			vector.Value = &value
		}
		computed.Proofs = append(computed.Proofs, vector)
	}
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		computed.Pairs = append(computed.Pairs, stateVectorPair{octetsHex(k), octetsHex(pairs[k])})
	}
	for _, k := range []string{"key/0", "key/7", "key/19"} {
		add(tree.prove([]byte(k), []byte(pairs[k])))
	}
	for _, k := range []string{"", "absent/1", "absent/2", "absent/3"} {
		add(tree.prove([]byte(k), nil))
	}
	vectors(t, "state.json", computed, &v)
	all := map[string]string{}
	for _, p := range v.Pairs {
		all[string(p.Key)] = string(p.Value)
	}
	if root := newSmallState(all).root(0); root != v.Root || v.EmptyRoot != StatePlaceholder {
		t.Errorf("root %s, published %s", root, v.Root)
	}
	for _, c := range v.Proofs {
		p, err := DecodeState(c.Binary)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(v.Root); err != nil {
			t.Errorf("%q: %v", c.Key, err)
		}
		if !bytes.Equal(p.Key, c.Key) || p.Exists() != (c.Value != nil) || (p.Exists() && !bytes.Equal(p.Value, *c.Value)) {
			t.Errorf("%q: decodes to %+v", c.Key, p)
		}
	}
}

type headerVectors struct {
	App     appHashVector  `json:"appHash"`
	Headers []headerVector `json:"headers"`
}

type appHashVector struct {
	LogSize   uint64        `json:"logSize"`
	LogRoot   protocol.Hash `json:"logRoot"`
	Params    octetsHex     `json:"params"`
	StateRoot protocol.Hash `json:"stateRoot"`
	AppHash   protocol.Hash `json:"appHash"`
}

type headerVector struct {
	ChainID    string        `json:"chainId"`
	Height     uint64        `json:"height"`
	AppHash    protocol.Hash `json:"appHash"`
	Opening    headerJSON    `json:"opening"`
	BlockHash  protocol.Hash `json:"blockHash"`
	Round      uint32        `json:"round"`
	PartsTotal uint32        `json:"partsTotal"`
	PartsHash  protocol.Hash `json:"partsHash"`
	VoteTime   timeJSON      `json:"voteTime"`
	VoteBytes  octetsHex     `json:"voteBytes"`
}

func (h headerJSON) header() Header {
	return Header{int64(h.Time), h.Version, h.Blocks, h.Next, h.Results, h.Tail}
}

func TestHeaderVectors(t *testing.T) {
	app := appHashVector{LogSize: 70_000, LogRoot: testHash("log", 0), Params: octetsHex("params"), StateRoot: testHash("state", 0)}
	app.AppHash = AppHash(app.LogSize, app.LogRoot, app.Params, app.StateRoot)
	computed, v := headerVectors{App: app}, headerVectors{}
	for i, c := range []headerVector{
		{Height: 1, PartsTotal: 1, Opening: headerJSON{Time: testTimeNs}, VoteTime: testTimeNs + 1},
		{Height: 1 << 40, Round: 3, PartsTotal: 1600, Opening: headerJSON{Time: 1_760_000_000_000_000_000}, VoteTime: 1},
		{Height: 300, Round: 1<<31 - 1, PartsTotal: 1<<32 - 1, Opening: headerJSON{Time: -1}, VoteTime: 0},
	} {
		c.ChainID, c.AppHash, c.PartsHash = testChain, app.AppHash, testHash("parts", i)
		for part, hash := range map[string]*protocol.Hash{"version": &c.Opening.Version, "blocks": &c.Opening.Blocks,
			"next": &c.Opening.Next, "results": &c.Opening.Results, "tail": &c.Opening.Tail} {
			*hash = testHash(part, i)
		}
		opening := c.Opening.header()
		c.BlockHash = opening.BlockHash(c.ChainID, c.Height, c.AppHash)
		c.VoteBytes = VoteBytes(c.ChainID, c.Height, c.Round, c.BlockHash, PartSet{c.PartsTotal, c.PartsHash}, int64(c.VoteTime))
		computed.Headers = append(computed.Headers, c)
	}
	vectors(t, "header.json", computed, &v)
	if got := AppHash(v.App.LogSize, v.App.LogRoot, v.App.Params, v.App.StateRoot); got != v.App.AppHash {
		t.Errorf("app hash %s, published %s", got, v.App.AppHash)
	}
	for _, c := range v.Headers {
		opening := c.Opening.header()
		if got := opening.BlockHash(c.ChainID, c.Height, c.AppHash); got != c.BlockHash {
			t.Errorf("height %d: block hash %s, published %s", c.Height, got, c.BlockHash)
		}
		got := VoteBytes(c.ChainID, c.Height, c.Round, c.BlockHash, PartSet{c.PartsTotal, c.PartsHash}, int64(c.VoteTime))
		if !bytes.Equal(got, c.VoteBytes) {
			t.Errorf("height %d: vote bytes %x, published %x", c.Height, got, c.VoteBytes)
		}
	}
}

type receiptVectors struct {
	ChainID    string            `json:"chainId"`
	Validators []validatorVector `json:"validators"` // in no order
	Receipts   []receiptVector   `json:"receipts"`
	Refused    []refusedVector   `json:"refused"`
}

type validatorVector struct {
	PubKey octetsHex `json:"pubKey"`
	Power  uint64    `json:"power"`
}

type receiptVector struct {
	Name      string    `json:"name"`
	Binary    octetsHex `json:"binary"`
	JSON      string    `json:"json"`
	Statement Statement `json:"statement"`
	Sentence  string    `json:"sentence"`
}

type refusedVector struct {
	Name   string    `json:"name"`
	Binary octetsHex `json:"binary,omitempty"`
	JSON   string    `json:"json,omitempty"`
	Error  string    `json:"error"` // sentence of the check that fails
}

func TestReceiptVectors(t *testing.T) {
	bed := newTestbed(t, testChain, 5, 10, 10, 10)
	computed, v := receiptVectors{ChainID: testChain}, receiptVectors{}
	for i, power := range []uint64{5, 10, 10, 10} {
		secret := validatorSecret(i)
		computed.Validators = append(computed.Validators, validatorVector{octetsHex(secret[32:]), power})
	}
	all := oneOfEach(t, bed)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		binary, text := mustEncode(t, all[name])
		statement, err := all[name].Verify(bed.anchor)
		if err != nil {
			t.Fatal(err)
		}
		computed.Receipts = append(computed.Receipts, receiptVector{name, binary, string(text), statement, statement.String()})
	}
	computed.Refused = refusedVectors(t, bed)
	vectors(t, "receipt.json", computed, &v)

	var validators []Validator
	for _, c := range v.Validators {
		validators = append(validators, Validator{ValidatorKey(c.PubKey), c.Power})
	}
	anchor, err := NewAnchor(v.ChainID, validators)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Receipts {
		for _, form := range [][]byte{c.Binary, []byte(c.JSON)} {
			_, statement, err := parseAndVerify(form, anchor)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			} else if statement.String() != c.Sentence {
				t.Errorf("%s: says %s", c.Name, statement)
			}
		}
	}
	for _, c := range v.Refused {
		form := []byte(c.Binary)
		if c.JSON != "" {
			form = []byte(c.JSON)
		}
		if _, _, err := parseAndVerify(form, anchor); err == nil || !errors.Is(err, sentinel(c.Error)) {
			t.Errorf("refused %s: %v, want %s", c.Name, err, c.Error)
		}
	}
}

func sentinel(sentence string) error {
	for _, err := range []error{ErrForm, ErrDigest, ErrCanonical, ErrChain, ErrInclusion, ErrState, ErrEvent, ErrAct, ErrType,
		ErrHeight, ErrValidator, ErrSignature, ErrUnsigned, ErrPower} {
		if err.Error() == sentence {
			return err
		}
	}
	return errors.New("no such check: " + sentence)
}

// refusedVectors are receipts that must fail, each at another check.
func refusedVectors(t *testing.T, bed *testbed) (out []refusedVector) {
	changed := func(name, of string, want error, change func(r *Receipt)) {
		r := oneOfEach(t, bed)[of]
		change(r)
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, refusedVector{Name: name, Binary: b, Error: want.Error()})
	}
	changed("another index", "event", ErrUnsigned, func(r *Receipt) { r.Entry.Index++ })
	changed("a shorter path", "event", ErrInclusion, func(r *Receipt) { r.Entry.Path = r.Entry.Path[1:] })
	changed("another payload", "event", ErrUnsigned, func(r *Receipt) {
		event := testEvent()
		event.Subject = "BHMBCCMKT02"
		repay(event.AppendRecord(nil))(t, r)
	})
	changed("no event", "event", ErrEvent, func(r *Receipt) { repay([]byte("?"))(t, r) })
	changed("another type", "event", ErrType, func(r *Receipt) { r.Entry.Entry.Type[0]++ })
	changed("no act", "gap", ErrAct, func(r *Receipt) { repay([]byte("?"))(t, r) })
	changed("another chain", "event", ErrChain, func(r *Receipt) { r.ChainID = "cairn-elsewhere" })
	changed("too few signers", "event", ErrPower, func(r *Receipt) { bed.resign(t, r, 2) })
	changed("a false signature beyond the quorum", "event", ErrSignature, func(r *Receipt) {
		bed.resign(t, r, 4)
		r.Commit.Signatures[3].Bytes[0]++
	})
	changed("a validator the set does not have", "event", ErrValidator, func(r *Receipt) { r.Commit.Signatures[2].Validator = 9 })
	changed("entry of the signed block itself", "event", ErrHeight, func(r *Receipt) {
		r.Entry.Entry.Height = r.Commit.Height
		bed.resign(t, r, 3)
	})
	changed("absence of a key by its own leaf", "state value", ErrState, func(r *Receipt) { r.State.Value = nil })
	changed("a later block time", "state value", ErrUnsigned, func(r *Receipt) { r.Header.TimeNs++ })

	binary, text := mustEncode(t, oneOfEach(t, bed)["event"])
	damaged := slices.Clone(binary)
	damaged[100] ^= 1
	space := bytes.Replace(text, []byte(`,"log"`), []byte(`, "log"`), 1)
	return append(out,
		refusedVector{Name: "a bit flipped", Binary: damaged, Error: ErrDigest.Error()},
		refusedVector{Name: "cut", Binary: binary[:20], Error: ErrDigest.Error()},
		refusedVector{Name: "another version", Binary: redigest(append([]byte("cairn/rc\x02"), binary[9:]...)), Error: ErrForm.Error()},
		refusedVector{Name: "a byte more", Binary: redigest(slices.Insert(slices.Clone(binary), len(binary)-digestBytes, 0)), Error: ErrForm.Error()},
		refusedVector{Name: "a space in the text", JSON: string(space), Error: ErrCanonical.Error()},
		refusedVector{Name: "another member", JSON: string(bytes.Replace(text, []byte(`"log"`), []byte(`"note":1,"log"`), 1)), Error: ErrForm.Error()},
	)
}

// redigest renews the digest of an encoded receipt.
func redigest(b []byte) []byte {
	digest := digestOf(b[:len(b)-digestBytes])
	return append(b[:len(b)-digestBytes], digest[:]...)
}
