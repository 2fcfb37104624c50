package expr

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

func mapping(t testing.TB, text string, needID bool) (*Mapping, error) {
	t.Helper()
	var c Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return New(c, needID)
}

const head = `{type: '"t.v1"', source: '"/s"', `

// What expressions make of a record, as CloudEvents JSON; or the reason why not.
func TestEvents(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	json := func(text string) *record.Record { return &record.Record{Value: []byte(text), Time: at} }
	for _, c := range []struct {
		name, settings string
		record         *record.Record
		want           string
	}{
		{"octets are kept", head[:len(head)-2] + `}`, json(`{"kWh": 21.50}`), `"id":"meters/7","source":"/s","type":"t.v1","datacontenttype":"application/json","data":{"kWh": 21.50}`},
		{"made data is sorted", head + `data: '{"b": value.n, "a": [1, 2.5, "x", null, true]}'}`, json(`{"n": 18446744073709551615}`), `"data":{"a":[1,2.5,"x",null,true],"b":18446744073709551615}`},
		{"large whole numbers stay whole", head + `data: value.n}`, json(`{"n": 9007199254740993}`), `"data":9007199254740993`},
		{"an id of the record's own", head + `id: value.m + "@" + string(timestamp)}`, json(`{"m":"a"}`), `"id":"a@2026-03-01T12:00:00Z"`},
		{"time", head + `time: timestamp}`, json(`1`), `"time":"2026-03-01T12:00:00Z"`},
		{"a zone", head + `time: 'parseTime(value.t, "02.01.2006 15:04", "Europe/Berlin")'}`, json(`{"t":"01.07.2026 12:00"}`), `"time":"2026-07-01T10:00:00Z"`},
		{"extensions", head + `extensions: {b: 'headers["x"]', a: 3, c: "null"}}`, &record.Record{Value: []byte(`1`), Headers: map[string]string{"x": "y"}}, `"a":3,"b":"y"`},
		{"a subject of the key", head + `subject: key}`, &record.Record{Value: []byte(`1`), Key: []byte("k")}, `"subject":"k"`},
		{"a row", head + `data: '{"n": int(value.n)}'}`, &record.Record{Columns: []record.Column{{Name: "n", Text: "5"}}}, `"data":{"n":5}`},
		{"a whole row", head + `id: value.n}`, &record.Record{Columns: []record.Column{{Name: "n", Text: "5"}, {Name: "m", Text: "x"}}}, `"data":{"n":"5","m":"x"}`},
		{"text", head + `format: text, subject: value}`, json(`hello`), `"subject":"hello","datacontenttype":"text/plain","data":"hello"`},
		{"bytes", head + `format: bytes}`, json("\xff\x00"), `"data_base64":"/wA="`},
		{"a hash", head + `format: bytes, id: sha256(raw)}`, json("abc"), `"id":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{"JSON in JSON", head + `data: parseJSON(value.inner).n}`, json(`{"inner":"{\"n\":4}"}`), `"data":4`},
		{"structured CloudEvents", `{format: cloudevents}`, json(`{"specversion":"1.0","id":"1","source":"/s","type":"t"}`), `"id":"1"`},
		{"binary CloudEvents", `{format: cloudevents}`, &record.Record{Value: []byte(`{"n":1}`), Headers: map[string]string{
			"ce_specversion": "1.0", "ce_id": "9", "ce_source": "/k", "ce_type": "t", "content-type": "application/json"}}, `"id":"9","source":"/k","type":"t","datacontenttype":"application/json","data":{"n":1}`},

		{"not JSON", head + `id: value.n}`, json(`{"n":`), "! the value is not JSON"},
		{"not JSON, unread", head[:len(head)-2] + `}`, json(`{"n":`), "! the value is not JSON"},
		{"two values", head + `id: value}`, json(`1 2`), "! more follows"},
		{"a member that is missing", head + `id: value.n}`, json(`{"m":1}`), "! id: no such key: n"},
		{"an id that is no text", head + `id: value}`, json(`[1]`), "! id: is list, must be a text"},
		{"an empty id", head + `id: value}`, json(`""`), "! id: is empty"},
		{"a time that is none", head + `time: value}`, json(`"noon"`), "! time: \"noon\""},
		{"a filter that is none", head + `filter: value.n}`, json(`{"n":1}`), "! filter: is int"},
		{"infinite", head + `data: 1.0 / 0.0}`, json(`1`), "! data: holds a number"},
		{"a source that is no URI", `{type: '"t"', source: '"a b"'}`, json(`1`), "! not a URI reference"},
		{"the source's own reason", head[:len(head)-2] + `}`, &record.Record{Bad: errors.New("torn")}, "! torn"},
		{"too long", head[:len(head)-2] + `}`, &record.Record{Value: make([]byte, record.MaxValueBytes+1)}, "! at most"},
		{"too much work", head + `id: 'string([1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, [1,2,3,4,5,6,7,8,9].map(d, [1,2,3,4,5,6,7,8,9].map(e, [1,2,3,4,5,6,7,8,9].map(f, value)))))).size())'}`, json(`1`), "! cost limit"},
	} {
		m, err := mapping(t, c.settings, false)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		event, err := m.Event("meters", 7, c.record)
		if reason, refused := strings.CutPrefix(c.want, "! "); refused {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: %v; want %q", c.name, err, reason)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if text, err := event.MarshalJSON(); err != nil || !strings.Contains(string(text), c.want) {
			t.Errorf("%s: %s, %v; want %s", c.name, text, err, c.want)
		}
	}
}

func TestFilter(t *testing.T) {
	m, err := mapping(t, head+`filter: value.kwh > 0}`, false)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]error{`{"kwh":0.5}`: nil, `{"kwh":3}`: nil, `{"kwh":0}`: ErrFiltered} {
		if _, err := m.Event("s", 0, &record.Record{Value: []byte(text)}); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", text, err, want)
		}
	}
}

// Mistakes in the settings are found before anything runs, with their line.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		settings string
		needID   bool
		want     string
	}{
		{`{source: '"/s"'}`, false, "map.type is missing"},
		{`{type: '"t"'}`, false, "map.source is missing"},
		{head[:len(head)-2] + `}`, true, "map.id is missing"},
		{`{type: meter.v1, source: '"/s"'}`, false, "needs quotes"},
		{"type: '\"t\"'\nsource: '\"/s\"'\nid: value +", false, "line 3: map.id"},
		{head + `id: valu.x}`, false, "undeclared reference to 'valu'"},
		{head + `filter: '"yes"'}`, false, "must be true or false"},
		{head + `extensions: {x: ""}}`, false, "map.extensions.x: is empty"},
		{head + `format: xml}`, false, "map.format"},
		{`{format: cloudevents, type: '"t"'}`, false, "leave it out"},
		{head + `id: ` + strings.Repeat("1+", 10_000) + `1}`, false, "size"},
		{head + `id: 'nobody(value)'}`, false, "nobody"},
	} {
		if _, err := mapping(t, c.settings, c.needID); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %v; want %q", c.settings, err, c.want)
		}
	}
}

// No record makes a mapping panic, or an event that the ledger would refuse.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"n": 1, "t": "2026-01-01T00:00:00Z"}`), "k")
	f.Add([]byte(`{"n": 1e400}`), "\xff")
	m, err := mapping(f, head+`id: string(value.n), time: 'has(value.t) ? value.t : null', subject: key, data: value}`, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte, key string) {
		event, err := m.Event("s", 0, &record.Record{Value: value, Key: []byte(key)})
		if err == nil {
			err = event.Validate()
			if err != nil {
				t.Fatalf("%s: %v", value, err)
			}
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	m, err := mapping(b, head+`filter: value.kwh > 0.0, id: 'value.meter + "@" + value.read', subject: value.meter, time: value.read}`, true)
	if err != nil {
		b.Fatal(err)
	}
	r := &record.Record{Value: []byte(`{"meter":"m17","read":"2026-03-01T12:00:00Z","kwh":21.5}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Event("s", 0, r); err != nil {
			b.Fatal(err)
		}
	}
}
