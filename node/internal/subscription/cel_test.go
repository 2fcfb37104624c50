package subscription

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func celFilter(source string) []json.RawMessage {
	text, err := json.Marshal(map[string]string{"cel": source})
	if err != nil {
		panic(err)
	}
	return []json.RawMessage{text}
}

var reading = protocol.Event{
	ID: "1", Source: "/city/north", Type: "energy.reading.v1", Subject: "meter-7", HasTime: true, TimeNs: 1_714_564_800_000_000_000,
	Extensions: []protocol.Extension{{Name: "level", Kind: protocol.ExtensionInteger, Int: 3}, {Name: "urgent", Kind: protocol.ExtensionBool, Bool: true}},
	DataForm:   protocol.DataJSON, Data: []byte(`{"kwh":3.5,"n":4,"big":9007199254740993,"text":"0.25","tags":["a","b"],"at":{"lat":52.5},"none":null,"ok":true}`),
}

func TestCELFilters(t *testing.T) {
	for _, c := range []struct {
		source string
		want   string // true, false, fails, or what the refusal says
	}{
		{`data.kwh > 3.0 && type == "energy.reading.v1"`, "true"},
		{`data.kwh > 3`, "true"}, // numbers of different types compare
		{`data.n >= 4.5`, "false"},
		{`data.big == 9007199254740993`, "true"}, // whole numbers stay exact
		{`double(data.text) < 0.3`, "true"},
		{`"b" in data.tags && data.tags.exists(t, t.startsWith("a"))`, "true"},
		{`has(data.missing) && data.missing > 1`, "false"},
		{`data.missing > 1`, "fails"},
		{`data.missing > 1 || type.startsWith("energy.")`, "true"}, // CEL's or absorbs the error
		{`data.at.lat > 52 && data.none == null`, "true"},
		{`ext.level == 3 && ext.urgent`, "true"},
		{`time < timestamp("2024-05-02T00:00:00Z") && time.getFullYear() == 2024`, "true"},
		{`dataschema == ""`, "true"},
		{`data.ok`, "true"},
		{`data.kwh`, "fails"}, // not a truth
		{`data.tags.all(a, data.tags.all(b, data.tags.all(c, data.tags.all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, e + f > 0))))))`, "fails"}, // costs too much
		{`data.kwh >`, "line 1, column 11"},
		{"type == 'a' &&\n  nothing == 3", "line 2, column 3: undeclared reference to 'nothing'"},
		{`type.matches("a+")`, "undeclared reference to 'matches'"},
		{`data.kwh + 1.0 > "a" + 2`, "line 1, column"},
		{`type`, "of type string"},
		{``, "expression as text"},
		{strings.Repeat("!", 1100) + "true", "bytes"},
		{strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400), "recursion limit"},
	} {
		failed := 0
		f, err := compile(celFilter(c.source), func() { failed++ })
		got := ""
		switch {
		case err != nil:
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.60s: %v, want %s", c.source, err, c.want)
			}
			continue
		case f(&reading):
			got = "true"
		default:
			got = "false"
		}
		if failed > 0 {
			got = "fails"
		}
		if got != c.want {
			t.Errorf("%.60s: %s, want %s", c.source, got, c.want)
		}
	}
	if _, err := compile(celFilter("true")[:1:1], nil); err != nil {
		t.Error(err)
	}
	var many []json.RawMessage
	for range maxExpressions + 1 {
		many = append(many, celFilter("true")...)
	}
	if _, err := compile(many, nil); err == nil || !strings.Contains(err.Error(), "at most 8 expressions") {
		t.Errorf("%d expressions: %v", len(many), err)
	}
}

// Whatever the filters are, they are refused with a sentence, or decide about
// any event without a panic, the same each time.
func FuzzFilters(f *testing.F) {
	for _, text := range []string{
		`[{"exact":{"type":"energy.reading.v1"}}]`, `[{"any":[{"prefix":{"id":"1"}},{"not":{"suffix":{"subject":"7"}}}]}]`, `[{"cel":"data.kwh > 3.0"}]`,
		`[{"all":[{"cel":"data.tags.exists(t, t == 'a')"}]}]`, `[{"cel":"data == data && ext.level in [1,2,3] ? true : data.n % 0 == 1"}]`,
		`[{"cel":"timestamp(data.text) > time || duration('1h') < time - time || size(data.tags.map(x, x + x)) > 1"}]`, `[{"cel":1}]`, `[{}]`, `[null]`, `[{"not":null}]`,
	} {
		f.Add([]byte(text))
	}
	bare := protocol.Event{ID: "1", Source: "/s", Type: "t", DataForm: protocol.DataBinary, Data: []byte{0xff}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			return
		}
		wanted, err := compile(list, func() {})
		if err != nil {
			if code, ok := protocol.CodeOf(err); !ok || code != protocol.CodeBadRequest || len(err.Error()) > 2_000 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, e := range []protocol.Event{reading, bare, {}} {
			if first, second := wanted(&e), wanted(&e); first != second {
				t.Fatalf("%s: %t, then %t", text, first, second)
			}
		}
	})
}

func BenchmarkCEL(b *testing.B) {
	for _, source := range []string{`type == "energy.reading.v1" && subject == "meter-7"`, `data.kwh > 3.0 && type.startsWith("energy.")`} {
		f, err := compile(celFilter(source), func() {})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%.12s", source), func(b *testing.B) {
			for b.Loop() {
				f(&reading)
			}
		})
	}
}
