package seal

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/cairn-ledger/cairn/client/protocol"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the test vectors in docs/vectors")

type sealVector struct {
	Name     string       `json:"name"`
	Event    string       `json:"event"` // JSON before it is sealed
	Key      string       `json:"key"`
	KeyID    string       `json:"keyId"`
	EventKey string       `json:"eventKey"`
	Clear    []string     `json:"clear,omitempty"`
	Fields   bool         `json:"fields,omitempty"`
	Withhold bool         `json:"withhold,omitempty"`
	Leaves   []leafVector `json:"leaves,omitempty"` // in the order of the tree
	Root     string       `json:"root,omitempty"`
	Data     string       `json:"data"` // of the sealed event
	Receipt  string       `json:"receipt,omitempty"`
	Shown    []string     `json:"shown,omitempty"`
	Text     string       `json:"disclosure,omitempty"`
}

type leafVector struct {
	Name  string        `json:"name"`
	Value string        `json:"value"`
	Salt  string        `json:"salt"`
	Hash  protocol.Hash `json:"hash"`
}

// wrapVector is drawn at random when the vectors are rewritten.
type wrapVector struct {
	Identity string `json:"identity"`
	Event    string `json:"event"`
	Key      string `json:"key"`
}

type allVectors struct {
	Seal []sealVector `json:"seal"`
	Wrap wrapVector   `json:"wrap"`
}

func newVector(t *testing.T, name string, e protocol.Event, key Key, o Options, shown ...string) sealVector {
	t.Helper()
	eventKey := key.ForEvent(&e)
	v := sealVector{
		Name: name, Event: string(must(e.MarshalJSON())(t)), Key: encode(key[:]), KeyID: key.ID().String(), EventKey: encode(eventKey[:]),
		Clear: o.Clear, Fields: o.Fields, Withhold: o.Withhold, Shown: shown,
	}
	sealed := must(Seal(e, key, o))(t)
	v.Data = string(sealed.Data)
	if !o.Fields {
		return v
	}
	tree := must(newTree(eventKey, must(dataMembers(&e))(t)))(t)
	for _, l := range tree.leaves {
		v.Leaves = append(v.Leaves, leafVector{l.name, string(l.value), encode(l.salt[:]), l.hash})
	}
	root := tree.root()
	v.Root = encode(root[:])
	receipt, _ := receiptOf(t, sealed)
	v.Receipt = string(must(receipt.MarshalJSON())(t))
	v.Text = string(must(must(Disclose(receipt, key, &e, shown...))(t).MarshalJSON())(t))
	return v
}

func TestVectors(t *testing.T) {
	text := testEvent()
	text.DataForm, text.DataContentType, text.Data, text.Subject = protocol.DataText, "text/plain", []byte("twelve"), ""
	computed := allVectors{Seal: []sealVector{
		newVector(t, "as a whole", testEvent(), testKey(1), Options{}),
		newVector(t, "text, no subject", text, testKey(2), Options{}),
		newVector(t, "with members in the clear", testEvent(), testKey(1), Options{Clear: []string{"kwh", "meter"}}),
		newVector(t, "to be disclosed", testEvent(), testKey(1), Options{Clear: []string{"meter"}, Fields: true}, "kwh", "at"),
		newVector(t, "withheld", testEvent(), testKey(3), Options{Fields: true, Withhold: true}, "note"),
	}}
	path := filepath.Join("..", "..", "docs", "vectors", "seal.json")
	if published, err := os.ReadFile(path); err == nil {
		var old allVectors
		if err := json.Unmarshal(published, &old); err != nil {
			t.Fatal(err)
		}
		computed.Wrap = old.Wrap
	} else {
		identity, key := must(age.GenerateX25519Identity())(t), testKey(1)
		e := must(KeyEvent(key, 0, identity.Recipient()))(t)
		computed.Wrap = wrapVector{identity.String(), string(must(e.MarshalJSON())(t)), encode(key[:])}
	}
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
	if published, err := os.ReadFile(path); err != nil || !bytes.Equal(published, want.Bytes()) {
		t.Fatalf("%s and the code disagree (%v); run make vectors", path, err)
	}
	checkWrap(t, computed.Wrap)
}

func checkWrap(t *testing.T, w wrapVector) {
	t.Helper()
	e := must(protocol.ParseEventJSON([]byte(w.Event)))(t)
	identity := must(age.ParseX25519Identity(w.Identity))(t)
	if key := must(Unwrap(&e, identity))(t); encode(key[:]) != w.Key {
		t.Fatalf("unwraps to key %s", key.ID())
	}
}
