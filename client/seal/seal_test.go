package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
)

var allOptions = []Options{{}, {Clear: []string{"meter"}}, {Fields: true}, {Clear: []string{"note", "kwh", "kwh"}, Fields: true}}

func TestSealedEventsOpen(t *testing.T) {
	for _, o := range allOptions {
		e := testEvent()
		sealed := must(Seal(e, testKey(1), o))(t)
		if bytes.Contains(sealed.Data, []byte("A. ")) || sealed.ID != e.ID || sealed.Subject != e.Subject || sealed.Type != e.Type {
			t.Fatalf("%+v", sealed)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(sealed.Data, &members); err != nil {
			t.Fatal(err)
		}
		for _, name := range o.Clear {
			if members[name] == nil {
				t.Fatalf("%q is not in the clear: %s", name, sealed.Data)
			}
		}
		if opened := must(Open(sealed, testKey(1)))(t); !equal(opened, e) {
			t.Fatalf("opens to %s", opened.Data)
		}
		key := testKey(1)
		if opened := must(OpenOne(sealed, key.ForEvent(&sealed)))(t); !equal(opened, e) {
			t.Fatalf("opens to %s", opened.Data)
		}
		if again := must(Seal(e, testKey(1), o))(t); !equal(again, sealed) {
			t.Fatal("sealed again it is another event")
		}
		if _, err := Open(sealed, testKey(2)); !errors.Is(err, ErrKey) {
			t.Fatalf("another key: %v", err)
		}
		if _, err := Seal(sealed, testKey(1), o); err == nil {
			t.Fatal("it was sealed twice")
		}
	}
}

// Whatever the data are, they come back; the length says little.
func TestAnyDataOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := testEvent()
		switch form := protocol.DataForm(rapid.IntRange(0, 3).Draw(t, "form")); form {
		case protocol.DataNone:
			e.DataForm, e.Data, e.DataContentType = form, nil, ""
		case protocol.DataJSON:
			value := rapid.MapOf(rapid.String(), rapid.OneOf(rapid.Int().AsAny(), rapid.String().AsAny(), rapid.Bool().AsAny())).Draw(t, "value")
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			e.Data = text
		case protocol.DataText:
			e.DataForm, e.DataContentType, e.Data = form, "text/plain", []byte(rapid.String().Draw(t, "text"))
		case protocol.DataBinary:
			e.DataForm, e.DataContentType, e.Data = form, "", rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "octets")
		}
		if e.Validate() != nil {
			t.Skip("no event")
		}
		o := Options{Fields: e.DataForm == protocol.DataJSON && len(e.Data) > 2}
		sealed, err := Seal(e, testKey(1), o)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseEnvelope(&sealed)
		if err != nil || (len(v.Box)-nonceBytes-16)%blockBytes != 0 {
			t.Fatalf("box of %d octets, %v", len(v.Box), err)
		}
		opened, err := Open(sealed, testKey(1))
		if err != nil || !equal(opened, e) {
			t.Fatalf("%s became %s: %v", e.Data, opened.Data, err)
		}
	})
}

// The box is bound to the event it was made for, and to what stands beside it.
func TestSealedDataOfAnotherEventDoNotOpen(t *testing.T) {
	sealed := must(Seal(testEvent(), testKey(1), Options{Clear: []string{"meter", "kwh"}, Fields: true}))(t)
	for name, change := range map[string]func(e *protocol.Event){
		"id":      func(e *protocol.Event) { e.ID += "0" },
		"source":  func(e *protocol.Event) { e.Source += "0" },
		"type":    func(e *protocol.Event) { e.Type += "0" },
		"subject": func(e *protocol.Event) { e.Subject = "" },
		"clear":   func(e *protocol.Event) { e.Data = bytes.Replace(e.Data, []byte("m-7"), []byte("m-8"), 1) },
		"no clear": func(e *protocol.Event) {
			e.Data = bytes.Replace(e.Data, []byte(`,"meter":"m-7"`), nil, 1)
		},
		"identity cut elsewhere": func(e *protocol.Event) { e.Source, e.ID = e.Source+e.ID[:1], e.ID[1:] },
	} {
		moved := sealed
		moved.Data = bytes.Clone(sealed.Data)
		change(&moved)
		if _, err := Open(moved, testKey(1)); !errors.Is(err, ErrBox) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryChangedOctetOfSealedDataIsRefused(t *testing.T) {
	sealed := must(Seal(testEvent(), testKey(1), Options{Clear: []string{"meter"}, Fields: true}))(t)
	for i := range sealed.Data {
		for _, bit := range []byte{1, 4, 32} {
			changed := sealed
			changed.Data = bytes.Clone(sealed.Data)
			changed.Data[i] ^= bit
			if opened, err := Open(changed, testKey(1)); err == nil {
				t.Fatalf("octet %d: opens to %s", i, opened.Data)
			}
		}
	}
}

func TestSealRefusals(t *testing.T) {
	event := func(data string) protocol.Event {
		e := testEvent()
		e.Data = []byte(data)
		return e
	}
	for name, c := range map[string]struct {
		e    protocol.Event
		o    Options
		want error
	}{
		"no such member":      {testEvent(), Options{Clear: []string{"nobody"}}, ErrField},
		"the reserved member": {event(`{"sealed":1}`), Options{Clear: []string{"sealed"}}, ErrField},
		"fields of no object": {event(`[1]`), Options{Fields: true}, ErrForm},
		"fields of nothing":   {event(`{}`), Options{Fields: true}, ErrForm},
		"a member twice":      {event(`{"a":1,"a":2}`), Options{Fields: true}, ErrForm},
	} {
		if _, err := Seal(c.e, testKey(1), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Seal(testEvent(), testKey(1), Options{Withhold: true}); err == nil {
		t.Error("data were withheld without a commitment")
	}
	large := event(`{"a":"` + strings.Repeat("x", 50_000) + `"}`)
	if _, err := Seal(large, testKey(1), Options{}); err == nil {
		t.Error("an event over the limit was sealed")
	}
	if _, err := Open(testEvent(), testKey(1)); !errors.Is(err, ErrNotSealed) {
		t.Errorf("an event that is not sealed: %v", err)
	}
	withheld := must(Seal(testEvent(), testKey(1), Options{Fields: true, Withhold: true}))(t)
	if _, err := Open(withheld, testKey(1)); !errors.Is(err, ErrWithheld) {
		t.Errorf("withheld data: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	key, e := testKey(1), testEvent()
	one := key.ForEvent(&e)
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%v %+v", one, struct{ K Key }{key})} {
		if strings.Contains(text, fmt.Sprint(key[0], " ", key[1])) || strings.Contains(text, fmt.Sprint(one[0], " ", one[1])) {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, o := range append(allOptions, Options{Fields: true, Withhold: true}) {
		f.Add(must(Seal(testEvent(), testKey(1), o))(f).Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := testEvent()
		e.DataContentType, e.Data = ContentType, data
		if e.Validate() != nil {
			return
		}
		v, err := parseEnvelope(&e)
		if err != nil {
			return
		}
		if !bytes.Equal(v.append(nil), data) {
			t.Fatal("accepted a second form")
		}
		if opened, err := Open(e, testKey(1)); err == nil {
			if sealed, err := Seal(opened, testKey(1), Options{Clear: names(v.Clear), Fields: v.Fields > 0}); err != nil || !equal(sealed, e) {
				t.Fatalf("opens, and is no sealed event: %v", err)
			}
		}
	})
}

func names(members []member) (out []string) {
	for _, m := range members {
		out = append(out, m.name)
	}
	return out
}
