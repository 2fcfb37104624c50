package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// reading is a typical event of 313 bytes of JSON.
const reading = `{"specversion":"1.0","id":"BHMBCCMKT01@2016-10-04T07:59:42Z","source":"/parking/birmingham","type":"parking.occupancy.v1","subject":"BHMBCCMKT01","time":"2016-10-04T07:59:42Z","datacontenttype":"application/json","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"occupied":61,"capacity":577}}`

// accepted are valid events and the JSON this package renders for them;
// "" means the input itself.
var accepted = []struct{ name, in, out string }{
	{"typical reading", reading, `{"specversion":"1.0","id":"BHMBCCMKT01@2016-10-04T07:59:42Z","source":"/parking/birmingham","type":"parking.occupancy.v1","subject":"BHMBCCMKT01","datacontenttype":"application/json","time":"2016-10-04T07:59:42Z","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"occupied":61,"capacity":577}}`},
	{"required attributes alone", `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`, ""},
	{"data keeps its exact text", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{ "a" : 1.50e1, "b":[ ] }}`, ""},
	{"data may be a JSON string", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"x\u0041"}`, ""},
	{"data may be null", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":null}`, ""},
	{"text data", `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/xml","data":"<a b=\"c\"/>"}`, ""},
	{"binary data", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AAEC"}`, ""},
	{"empty binary data", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":""}`, ""},
	{"null optional attributes are absent", `{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":null,"time":null,"ext":null,"data_base64":null}`, `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`},
	{"extensions of every kind, sorted", `{"zeta":"z","specversion":"1.0","id":"1","source":"/s","type":"t","flag":true,"count":-2147483648}`, `{"specversion":"1.0","id":"1","source":"/s","type":"t","count":-2147483648,"flag":true,"zeta":"z"}`},
	{"empty extension string", `{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":""}`, ""},
	{"offsets become UTC", `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2018-04-05T17:31:00.000000001+02:00"}`, `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2018-04-05T15:31:00.000000001Z"}`},
	{"escapes in attributes", `{"specversion":"1.0","id":"\u00e9\ud83d\ude00","source":"/s","type":"t"}`, `{"specversion":"1.0","id":"é😀","source":"/s","type":"t"}`},
	{"space around", " \n{ \"specversion\" : \"1.0\" , \"id\":\"1\",\"source\":\"urn:x:%20y\",\"type\":\"t\" }\t", `{"specversion":"1.0","id":"1","source":"urn:x:%20y","type":"t"}`},
	{"media type parameters", `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/cloudevents+json; charset=\"utf-8\"; a=b","dataschema":"https://example.org/s#v1"}`, ""},
}

func TestValidEventsRoundTripExactly(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			e, err := ParseEventJSON([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			out, _ := e.MarshalJSON()
			want := c.out
			if want == "" {
				want = c.in
			}
			if string(out) != want {
				t.Fatalf("rendered\n%s\nwant\n%s", out, want)
			}
			checkRoundTrip(t, e)
		})
	}
}

// checkRoundTrip holds that record and JSON both give the same event back.
func checkRoundTrip(t *testing.T, e Event) {
	t.Helper()
	record := e.AppendRecord(nil)
	decoded, err := DecodeRecord(record)
	if err != nil {
		t.Fatalf("record of a valid event: %v", err)
	}
	if again := decoded.AppendRecord(nil); !bytes.Equal(again, record) {
		t.Fatalf("record changed\n%q\n%q", record, again)
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > MaxEventJSONBytes {
		return
	}
	parsed, err := ParseEventJSON(mustRender(t, decoded))
	if err != nil {
		t.Fatalf("rendered JSON does not parse: %v\n%s", err, text)
	}
	if again := parsed.AppendRecord(nil); !bytes.Equal(again, record) {
		t.Fatalf("record changed over JSON\n%q\n%q", record, again)
	}
}

func mustRender(t *testing.T, e Event) []byte {
	t.Helper()
	text, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestInvalidEventsAreRefusedWithTheirCode(t *testing.T) {
	const base = `"specversion":"1.0","id":"1","source":"/s","type":"t"`
	with := func(more string) string { return "{" + base + "," + more + "}" }
	cases := []struct {
		name, in string
		code     Code
	}{
		{"empty", ``, CodeEventMalformed},
		{"not JSON", `hello`, CodeEventMalformed},
		{"an array", `[]`, CodeEventMalformed},
		{"cut short", `{"specversion":"1.0"`, CodeEventMalformed},
		{"two documents", "{" + base + "}{}", CodeEventMalformed},
		{"no specversion", `{"id":"1","source":"/s","type":"t"}`, CodeEventMissing},
		{"specversion 0.3", `{"specversion":"0.3","id":"1","source":"/s","type":"t"}`, CodeEventAttribute},
		{"specversion a number", `{"specversion":1.0,"id":"1","source":"/s","type":"t"}`, CodeEventAttribute},
		{"no id", `{"specversion":"1.0","source":"/s","type":"t"}`, CodeEventMissing},
		{"null id", `{"specversion":"1.0","id":null,"source":"/s","type":"t"}`, CodeEventMissing},
		{"empty id", `{"specversion":"1.0","id":"","source":"/s","type":"t"}`, CodeEventAttribute},
		{"id a number", `{"specversion":"1.0","id":1,"source":"/s","type":"t"}`, CodeEventAttribute},
		{"no source", `{"specversion":"1.0","id":"1","type":"t"}`, CodeEventMissing},
		{"source with a space", `{"specversion":"1.0","id":"1","source":"a b","type":"t"}`, CodeEventAttribute},
		{"source with a bad escape", `{"specversion":"1.0","id":"1","source":"/%zz","type":"t"}`, CodeEventAttribute},
		{"no type", `{"specversion":"1.0","id":"1","source":"/s"}`, CodeEventMissing},
		{"empty subject", with(`"subject":""`), CodeEventAttribute},
		{"empty dataschema", with(`"dataschema":""`), CodeEventAttribute},
		{"relative dataschema", with(`"dataschema":"/schema"`), CodeEventAttribute},
		{"bad media type", with(`"datacontenttype":"json"`), CodeEventAttribute},
		{"bad time", with(`"time":"yesterday"`), CodeEventAttribute},
		{"time without zone", with(`"time":"2018-04-05T17:31:00"`), CodeEventAttribute},
		{"time finer than nanoseconds", with(`"time":"2018-04-05T17:31:00.00000000000000001Z"`), CodeEventAttribute},
		{"time out of range", with(`"time":"1500-01-01T00:00:00Z"`), CodeEventAttribute},
		{"capital in an extension name", with(`"Ext":"x"`), CodeEventAttribute},
		{"underscore in an extension name", with(`"my_ext":"x"`), CodeEventAttribute},
		{"extension object", with(`"ext":{}`), CodeEventAttribute},
		{"extension fraction", with(`"ext":1.5`), CodeEventAttribute},
		{"extension over 32 bits", with(`"ext":2147483648`), CodeEventAttribute},
		{"data twice", with(`"data":1,"data":2`), CodeEventMalformed},
		{"id twice, one escaped", with(`"\u0069d":"2"`), CodeEventMalformed},
		{"data and data_base64", with(`"data":1,"data_base64":"AA=="`), CodeEventMalformed},
		{"bad base64", with(`"data_base64":"AA="`), CodeEventMalformed},
		{"loose base64 padding bits", with(`"data_base64":"AB=="`), CodeEventMalformed},
		{"lone surrogate", with(`"data":"\ud800"`), CodeEventMalformed},
		{"bad UTF-8", with("\"data\":\"\xff\""), CodeEventMalformed},
		{"leading zero", with(`"data":01`), CodeEventMalformed},
		{"control character in an attribute", with(`"subject":"a\u0000b"`), CodeEventAttribute},
		{"deep nesting", with(`"data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), CodeEventMalformed},
		{"long attribute", with(`"subject":"` + strings.Repeat("x", MaxAttributeBytes+1) + `"`), CodeEventAttribute},
		{"record over the limit", with(`"data":"` + strings.Repeat("x", MaxRecordBytes) + `"`), CodeEventTooLarge},
		{"text over the limit", strings.Repeat(" ", MaxEventJSONBytes) + "{}", CodeEventTooLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, err := ParseEventJSON([]byte(c.in))
			if code, ok := CodeOf(err); !ok || code != c.code {
				t.Fatalf("got %v (%+v), want code %s", err, e, c.code)
			}
		})
	}
}

func TestBatchJSONNamesTheBadEvent(t *testing.T) {
	good := `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`
	events, err := ParseEventBatchJSON([]byte(" [" + good + " ,\n" + reading + "]"))
	if err != nil || len(events) != 2 || events[1].Subject != "BHMBCCMKT01" {
		t.Fatalf("%v %v", events, err)
	}
	_, err = ParseEventBatchJSON([]byte("[" + good + `,{"specversion":"1.0"}]`))
	if code, _ := CodeOf(err); code != CodeEventMissing || !strings.Contains(err.Error(), "event 1") {
		t.Fatalf("%v", err)
	}
	if events, err := ParseEventBatchJSON([]byte("[]")); err != nil || len(events) != 0 {
		t.Fatalf("%v %v", events, err)
	}
}

func FuzzEventJSON(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseEventJSON(text)
		if err != nil {
			if _, coded := CodeOf(err); !coded {
				t.Fatalf("refusal without a code: %v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("accepted what encoding/json refuses: %q", text)
		}
		checkRoundTrip(t, e)
	})
}

func FuzzRecord(f *testing.F) {
	for _, c := range accepted {
		e, err := ParseEventJSON([]byte(c.in))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.AppendRecord(nil))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		e, err := DecodeRecord(record)
		if err != nil {
			return
		}
		if again := e.AppendRecord(nil); !bytes.Equal(again, record) {
			t.Fatalf("accepted a second encoding\n%q\n%q", record, again)
		}
		checkRoundTrip(t, e)
		var v RecordView
		if err := v.Parse(record); err != nil || !reflect.DeepEqual(v.Event(), e) {
			t.Fatalf("view differs: %v", err)
		}
	})
}

func BenchmarkRecordParse(b *testing.B) {
	e, err := ParseEventJSON([]byte(reading))
	if err != nil {
		b.Fatal(err)
	}
	record := e.AppendRecord(nil)
	var v RecordView
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Parse(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventJSONParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseEventJSON([]byte(reading)); err != nil {
			b.Fatal(err)
		}
	}
}
