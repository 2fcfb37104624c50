package genesis

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func testDocument(t testing.TB) *Document {
	t.Helper()
	net, err := Generate("cairn-test", 4, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return net.Document
}

func TestDocumentRoundTrips(t *testing.T) {
	doc := testDocument(t)
	back, err := Parse(doc.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Bytes(), doc.Bytes()) || back.Hash() != doc.Hash() {
		t.Fatal("document changed on its way through JSON")
	}
	if _, err := back.Anchor(); err != nil {
		t.Fatal(err)
	}
	cosigners, err := back.Cosigners()
	if err != nil || cosigners.TotalPower() != 40 || cosigners.List()[2].Name != "cairn-test/node2" {
		t.Fatalf("%+v %v", cosigners, err)
	}
	doc.Validators[3].LogKey = Key{} // one without a log key is fine
	if back, err = Parse(doc.Bytes()); err != nil || back.Hash() != doc.Hash() || bytes.Contains(doc.Bytes(), []byte(`"AAAAAAAA`)) {
		t.Fatal(err)
	}
	params, err := DecodeParams(doc.Params.Canonical())
	if err != nil || params != doc.Params {
		t.Fatalf("%+v %v", params, err)
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	cases := []struct {
		want   string
		change func(d *Document)
	}{
		{"chainId", func(d *Document) { d.ChainID = "Not A Chain" }},
		{"genesisTime", func(d *Document) { d.Time = time.Time{} }},
		{"params.deliveryGas", func(d *Document) { d.Params.DeliveryGas = 1 }},
		{"params.version", func(d *Document) { d.Params.Version = 9 }},
		{"validators: must be", func(d *Document) { d.Validators = nil }},
		{"validators[2].power", func(d *Document) { d.Validators[2].Power = 0 }},
		{"validators[1].publicKey", func(d *Document) { d.Validators[1].PubKey = d.Validators[0].PubKey }},
		{"validators[1].logKey", func(d *Document) { d.Validators[1].LogKey = d.Validators[0].LogKey }},
		{"validators[1].logKey", func(d *Document) { d.Validators[1].LogKey = d.Validators[1].PubKey }},
		{"validators[1].logKey", func(d *Document) { d.Validators[1].LogKey = d.Validators[0].PubKey }},
		{"validators[1].name", func(d *Document) { d.Validators[1].Name = d.Validators[0].Name }},
		{"accounts[0].address", func(d *Document) { d.Accounts[0].Address = protocol.Address{} }},
		{"accounts[1].address", func(d *Document) { d.Accounts[1] = d.Accounts[0] }},
		{"accounts[0].roles[1]", func(d *Document) { d.Accounts[0].Roles = []string{"author", "king"} }},
	}
	for _, c := range cases {
		doc := testDocument(t)
		c.change(doc)
		_, err := Parse(doc.Bytes())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error about %s", err, c.want)
		}
	}
	text := testDocument(t).Bytes()
	for _, bad := range [][]byte{nil, []byte("{}"), append(bytes.Clone(text), '{'), bytes.Replace(text, []byte("blockGas"), []byte("blokGas"), 1)} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("accepted %.60q", bad)
		}
	}
	if _, err := Load("no-such-file.json"); err == nil {
		t.Error("a missing file loaded")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(testDocument(f).Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse(text)
		if err != nil {
			return
		}
		if back, err := Parse(doc.Bytes()); err != nil || back.Hash() != doc.Hash() {
			t.Fatalf("accepted a document that does not round-trip: %v", err)
		}
	})
}
