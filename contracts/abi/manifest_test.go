package abi

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const parkingManifest = `{
 "name": "parking", "version": "1.0.0", "abi": 1, "description": "prices",
 "events": [
  {"type": "parking.occupancy.v1", "fields": [
   {"name": "occupied", "kind": "int"},
   {"name": "level", "kind": "decimal", "scale": 3, "path": "a.b", "optional": true}]},
  {"type": "parking.week.close.v1"}],
 "init": {"fields": [{"name": "startCents", "kind": "uint"}]},
 "calls": [{"name": "set_price", "fields": [{"name": "lot", "kind": "string"}]}],
 "queries": [{"name": "price"}]}`

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(parkingManifest))
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{
		Name: "parking", Version: "1.0.0", Description: "prices",
		Events: []Subscription{
			{Type: "parking.occupancy.v1", Fields: []Field{
				{Name: "occupied", Kind: KindInt, Path: []string{"occupied"}},
				{Name: "level", Kind: KindDecimal, Scale: 3, Optional: true, Path: []string{"a", "b"}},
			}},
			{Type: "parking.week.close.v1"},
		},
		Init:    []Field{{Name: "startCents", Kind: KindUint, Path: []string{"startCents"}}},
		Calls:   []Method{{Name: "set_price", Fields: []Field{{Name: "lot", Kind: KindString, Path: []string{"lot"}}}}},
		Queries: []Method{{Name: "price"}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Fatalf("manifest = %+v", m)
	}
	if h, ok := m.Handler("", "parking.week.close.v1"); h != 1 || !ok {
		t.Fatal("handler not found")
	}
	if _, ok := m.Handler("", "x"); ok {
		t.Fatal("handler found")
	}
	if h, ok := m.Call("set_price"); h != 0 || !ok {
		t.Fatal("call not found")
	}
	if _, ok := m.Query("set_price"); ok {
		t.Fatal("query found")
	}
}

func TestParseManifestRefuses(t *testing.T) {
	event := func(fields string) string {
		return `{"name":"a","version":"1","abi":1,"events":[{"type":"t","fields":[` + fields + `]}]}`
	}
	cases := []struct{ name, text, field string }{
		{"empty", ``, ""},
		{"not an object", `[]`, ""},
		{"trailing", `{"name":"a","version":"1","abi":1} x`, ""},
		{"truncated", `{"name":"a","version":"1","abi":1`, ""},
		{"not UTF-8", "{\"name\":\"\xff\"}", ""},
		{"too large", strings.Repeat(" ", MaxManifestBytes+1), ""},
		{"too deep", strings.Repeat("[", 100), "[0][0][0][0][0][0][0][0][0]"},
		{"no name", `{"version":"1","abi":1}`, "name"},
		{"no version", `{"name":"a","abi":1}`, "version"},
		{"no abi", `{"name":"a","version":"1"}`, "abi"},
		{"other abi", `{"name":"a","version":"1","abi":2}`, "abi"},
		{"abi as text", `{"name":"a","version":"1","abi":"1"}`, "abi"},
		{"abi as fraction", `{"name":"a","version":"1","abi":1.0}`, "abi"},
		{"upper-case member", `{"name":"a","version":"1","abi":1,"Calls":[]}`, "Calls"},
		{"member twice", `{"name":"a","name":"b","version":"1","abi":1}`, "name"},
		{"bad name", `{"name":"A","version":"1","abi":1}`, "name"},
		{"name starts with a digit", `{"name":"1a","version":"1","abi":1}`, "name"},
		{"long name", `{"name":"` + strings.Repeat("a", 65) + `","version":"1","abi":1}`, "name"},
		{"control character", `{"name":"a","version":"\u0001","abi":1}`, "version"},
		{"lone surrogate", `{"name":"a","version":"\ud800","abi":1}`, "version"},
		{"null events", `{"name":"a","version":"1","abi":1,"events":null}`, "events"},
		{"event without type", `{"name":"a","version":"1","abi":1,"events":[{}]}`, "events[0].type"},
		{"type twice", `{"name":"a","version":"1","abi":1,"events":[{"type":"t"},{"type":"t"}]}`, "events[1].type"},
		{"too many events", `{"name":"a","version":"1","abi":1,"events":[` + strings.Repeat(`{},`, 64) + `{}]}`, "events"},
		{"unknown kind", event(`{"name":"x","kind":"float"}`), "events[0].fields[0].kind"},
		{"no kind", event(`{"name":"x"}`), "events[0].fields[0].kind"},
		{"decimal without scale", event(`{"name":"x","kind":"decimal"}`), "events[0].fields[0].scale"},
		{"scale of an int", event(`{"name":"x","kind":"int","scale":1}`), "events[0].fields[0].scale"},
		{"scale too large", event(`{"name":"x","kind":"decimal","scale":19}`), "events[0].fields[0].scale"},
		{"optional as number", event(`{"name":"x","kind":"int","optional":1}`), "events[0].fields[0].optional"},
		{"field twice", event(`{"name":"x","kind":"int"},{"name":"x","kind":"int","path":"y"}`), "events[0].fields[1].name"},
		{"path twice", event(`{"name":"x","kind":"int"},{"name":"y","kind":"int","path":"x"}`), "events[0].fields[1].path"},
		{"path inside a scalar", event(`{"name":"x","kind":"int"},{"name":"y","kind":"int","path":"x.z"}`), "events[0].fields[1].path"},
		{"empty segment", event(`{"name":"x","kind":"int","path":"a..b"}`), "events[0].fields[0].path"},
		{"deep path", event(`{"name":"x","kind":"int","path":"a.b.c.d.e.f.g.h.i"}`), "events[0].fields[0].path"},
		{"bad field name", event(`{"name":"x y","kind":"int"}`), "events[0].fields[0].name"},
		{"unknown field member", event(`{"name":"x","kind":"int","min":0}`), "events[0].fields[0].min"},
		{"method twice", `{"name":"a","version":"1","abi":1,"calls":[{"name":"c"},{"name":"c"}]}`, "calls[1].name"},
		{"init as array", `{"name":"a","version":"1","abi":1,"init":[]}`, "init"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseManifest([]byte(c.text))
			var refusal *ManifestError
			if !errors.As(err, &refusal) {
				t.Fatalf("error = %v", err)
			}
			if refusal.Field != c.field {
				t.Fatalf("field = %q (%v), want %q", refusal.Field, err, c.field)
			}
		})
	}
}

// FuzzParseManifest shows that no text makes the parser panic, and that what
// it accepts keeps the limits.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(parkingManifest))
	f.Add([]byte(`{"name":"a","version":"1","abi":1,"events":[{"type":"t","fields":[{"name":"x","kind":"bytes"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			var refusal *ManifestError
			if !errors.As(err, &refusal) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if m.Name == "" || len(m.Events) > MaxEvents || len(m.Calls) > MaxMethods || len(m.Init) > MaxFields {
			t.Fatalf("accepted %+v", m)
		}
		for _, s := range m.Events {
			for _, field := range s.Fields {
				if field.Kind.String() == "unknown" || field.Scale > MaxScale || len(field.Path) == 0 {
					t.Fatalf("accepted field %+v", field)
				}
			}
		}
	})
}
