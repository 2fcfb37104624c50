package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func TestDisclosedFieldsAreProven(t *testing.T) {
	for _, withhold := range []bool{false, true} {
		e := testEvent()
		receipt, trust := receiptOf(t, must(Seal(e, testKey(1), Options{Fields: true, Withhold: withhold}))(t))
		d := must(Disclose(receipt, testKey(1), &e, "kwh", "at", "kwh"))(t)
		text := must(d.MarshalJSON())(t)
		for _, hidden := range []string{"A. ", "m-7\"", "note"} {
			if bytes.Contains(text, []byte(hidden)) {
				t.Errorf("%q is in the disclosure", hidden)
			}
		}
		shown := must(must(DecodeDisclosure(text))(t).VerifyWith(trust))(t)
		if len(shown.Fields) != 2 || string(shown.Fields["kwh"]) != "12.50" || string(shown.Fields["at"]) != "[1, 2]" || shown.Of != 5 {
			t.Fatalf("%+v", shown)
		}
	}
}

// Any members of any object can be shown, and the others stay hidden.
func TestAnyFieldsCanBeDisclosed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "members")
		data, names := []byte("{"), []string{}
		for i := range n {
			if i > 0 {
				data = append(data, ',')
			}
			name := fmt.Sprintf("field %d", i)
			data = fmt.Appendf(data, "%q:%d", name, rapid.IntRange(0, 3).Draw(t, "value"))
			if rapid.Bool().Draw(t, "shown") {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			names = append(names, "field 0")
		}
		e := testEvent()
		e.Data = append(data, '}')
		key := testKey(1)
		members, err := dataMembers(&e)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := newTree(key.ForEvent(&e), members)
		if err != nil {
			t.Fatal(err)
		}
		d, err := tree.disclose(nil, names)
		if err != nil || len(d.Fields) != len(names) {
			t.Fatal(err)
		}
		var leaves []proof.Leaf
		for _, f := range d.Fields {
			leaves = append(leaves, proof.Leaf{Index: uint64(f.At), Hash: salt(f.Salt).leaf(&member{f.Name, f.Value})})
		}
		if root, err := proof.MultiRoot(leaves, uint64(n), d.Beside); err != nil || root != tree.root() {
			t.Fatalf("%v", err)
		}
	})
}

func TestDisclosureRefusals(t *testing.T) {
	e := testEvent()
	sealed := must(Seal(e, testKey(1), Options{Fields: true}))(t)
	receipt, trust := receiptOf(t, sealed)
	if _, err := Disclose(receipt, testKey(2), nil, "kwh"); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Disclose(receipt, testKey(1), nil, "watt"); !errors.Is(err, ErrField) {
		t.Errorf("no such member: %v", err)
	}
	if _, err := Disclose(receipt, testKey(1), nil); !errors.Is(err, ErrField) {
		t.Errorf("nothing to show: %v", err)
	}
	changed := e
	changed.Data = bytes.Replace(e.Data, []byte("12.50"), []byte("11.50"), 1)
	if _, err := Disclose(receipt, testKey(1), &changed, "kwh"); !errors.Is(err, ErrField) {
		t.Errorf("other data: %v", err)
	}
	whole, _ := receiptOf(t, must(Seal(e, testKey(1), Options{}))(t))
	if _, err := Disclose(whole, testKey(1), nil, "kwh"); !errors.Is(err, ErrField) {
		t.Errorf("sealed as a whole: %v", err)
	}
	other, _ := receiptOf(t, must(Seal(changed, testKey(1), Options{Fields: true}))(t))
	good := func() *Disclosure { return must(Disclose(receipt, testKey(1), nil, "kwh", "meter"))(t) }
	for name, change := range map[string]func(d *Disclosure){
		"value":            func(d *Disclosure) { d.Fields[0].Value = []byte("1") },
		"name":             func(d *Disclosure) { d.Fields[0].Name = "watt" },
		"salt":             func(d *Disclosure) { d.Fields[0].Salt[0] ^= 1 },
		"place":            func(d *Disclosure) { d.Fields[0].At++ },
		"negative place":   func(d *Disclosure) { d.Fields[0].At = -1 },
		"twice":            func(d *Disclosure) { d.Fields = append(d.Fields, d.Fields[1]) },
		"order":            func(d *Disclosure) { slices.Reverse(d.Fields) },
		"a hash":           func(d *Disclosure) { d.Beside[0][0] ^= 1 },
		"a hash less":      func(d *Disclosure) { d.Beside = d.Beside[1:] },
		"a hash more":      func(d *Disclosure) { d.Beside = append(d.Beside, d.Beside[0]) },
		"a field less":     func(d *Disclosure) { d.Fields = d.Fields[1:] },
		"no field":         func(d *Disclosure) { d.Fields = nil },
		"another receipt":  func(d *Disclosure) { d.Receipt = other },
		"no receipt":       func(d *Disclosure) { d.Receipt = nil },
		"withheld payload": func(d *Disclosure) { d.Receipt = withheld(receipt) },
	} {
		d := good()
		change(d)
		if _, err := d.VerifyWith(trust); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func withheld(r *proof.Receipt) *proof.Receipt {
	out, entry := *r, *r.Entry
	entry.Withheld, entry.Payload, entry.Blind = true, nil, protocol.Blind{}
	out.Entry = &entry
	return &out
}

func TestEveryChangedCharacterOfADisclosureIsRefused(t *testing.T) {
	receipt, trust := receiptOf(t, must(Seal(testEvent(), testKey(1), Options{Fields: true}))(t))
	text := must(must(Disclose(receipt, testKey(1), nil, "kwh", "name"))(t).MarshalJSON())(t)
	accepts := func(text []byte) bool {
		d, err := DecodeDisclosure(text)
		if err == nil {
			_, err = d.VerifyWith(trust)
		}
		return err == nil
	}
	for i := range text {
		for _, bit := range []byte{1, 2, 32} {
			text[i] ^= bit
			if accepts(text) {
				t.Fatalf("character %d changed to %q is accepted", i, text[i])
			}
			text[i] ^= bit
		}
		if accepts(text[:i]) {
			t.Fatalf("%d characters are accepted", i)
		}
	}
	if !accepts(text) || accepts(append(text, '\n')) {
		t.Fatal("the text itself")
	}
}

func FuzzDisclosure(f *testing.F) {
	receipt, _ := receiptOf(f, must(Seal(testEvent(), testKey(1), Options{Fields: true}))(f))
	f.Add(must(must(Disclose(receipt, testKey(1), nil, "kwh", "name"))(f).MarshalJSON())(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := DecodeDisclosure(text)
		if err != nil {
			return
		}
		if again, err := d.MarshalJSON(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("accepted a second form: %v", err)
		}
	})
}
