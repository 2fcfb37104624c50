package projection

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

func field(kind abi.Kind, path ...string) abi.Field {
	if len(path) == 0 {
		path = []string{"x"}
	}
	return abi.Field{Name: "x", Kind: kind, Path: path}
}

func decimal(scale uint8) abi.Field {
	f := field(abi.KindDecimal)
	f.Scale = scale
	return f
}

// le renders a value as a present field of 8 bytes.
func le(v uint64) string { return "01" + hex.EncodeToString(abi.AppendU64(nil, v)) }

func run(s string) string { return "01" + hex.EncodeToString(abi.AppendRun(nil, []byte(s))) }

func TestValues(t *testing.T) {
	str := field(abi.KindString)
	optional := field(abi.KindUint)
	optional.Optional = true
	cases := []struct {
		name  string
		field abi.Field
		json  string
		want  string // hex, or the error's text after "field x "
	}{
		{"zero", field(abi.KindUint), `0`, le(0)},
		{"uint", field(abi.KindUint), `42`, le(42)},
		{"most", field(abi.KindUint), `18446744073709551615`, le(1<<64 - 1)},
		{"one more", field(abi.KindUint), `18446744073709551616`, "is out of range"},
		{"21 digits", field(abi.KindUint), `100000000000000000000`, "is out of range"},
		{"1e400", field(abi.KindUint), `1e400`, "is out of range"},
		{"1e-400", field(abi.KindUint), `1e-400`, "has more decimal places than the field"},
		{"0e400", field(abi.KindUint), `0e400`, le(0)},
		{"0e-400", field(abi.KindUint), `0.000e-999999999999999999`, le(0)},
		{"huge exponent", field(abi.KindUint), `1e99999999999999999999`, "is out of range"},
		{"tiny exponent", field(abi.KindUint), `1E-99999999999999999999`, "has more decimal places than the field"},
		{"exponent", field(abi.KindUint), `5e3`, le(5000)},
		{"plus exponent", field(abi.KindUint), `5E+3`, le(5000)},
		{"fraction and exponent", field(abi.KindUint), `0.005e3`, le(5)},
		{"whole with point", field(abi.KindUint), `5.000`, le(5)},
		{"trailing zeros cancel", field(abi.KindUint), `5000e-3`, le(5)},
		{"inner zeros", field(abi.KindUint), `10203.0`, le(10203)},
		{"zeros then exponent", field(abi.KindUint), `1` + strings.Repeat("0", 500) + `e-500`, le(1)},
		{"small then exponent", field(abi.KindUint), `0.` + strings.Repeat("0", 499) + `1e500`, le(1)},
		{"fraction", field(abi.KindUint), `5.5`, "has more decimal places than the field"},
		{"minus zero", field(abi.KindUint), `-0`, le(0)},
		{"minus zero point", field(abi.KindInt), `-0.0e5`, le(0)},
		{"negative uint", field(abi.KindUint), `-1`, "is negative"},
		{"int", field(abi.KindInt), `-2`, le(1<<64 - 2)},
		{"most int", field(abi.KindInt), `9223372036854775807`, le(1<<63 - 1)},
		{"one more int", field(abi.KindInt), `9223372036854775808`, "is out of range"},
		{"least int", field(abi.KindInt), `-9223372036854775808`, le(1 << 63)},
		{"one less int", field(abi.KindInt), `-9223372036854775809`, "is out of range"},
		{"above 2^53", field(abi.KindInt), `9007199254740993`, le(9007199254740993)},
		{"number as string", field(abi.KindUint), `"5"`, "must be a number"},
		{"number as bool", field(abi.KindUint), `true`, "must be a number"},
		{"number as object", field(abi.KindUint), `{}`, "must be a number"},
		{"null number", field(abi.KindUint), `null`, "is missing"},
		{"null optional", optional, `null`, "00"},
		{"decimal", decimal(7), `0.0000001`, le(1)},
		{"decimal whole", decimal(7), `12`, le(120000000)},
		{"decimal exact", decimal(2), `0.29`, le(29)},
		{"decimal too fine", decimal(2), `0.295`, "has more decimal places than the field"},
		{"decimal trailing zeros", decimal(2), `0.2900000`, le(29)},
		{"decimal exponent", decimal(2), `1.5e-1`, le(15)},
		{"decimal negative", decimal(2), `-12.34`, le(1<<64 - 1234)},
		{"decimal out of range", decimal(18), `9.3`, "is out of range"},
		{"decimal most", decimal(18), `9.223372036854775807`, le(1<<63 - 1)},
		{"true", field(abi.KindBool), `true`, "0101"},
		{"false", field(abi.KindBool), `false`, "0100"},
		{"bool as number", field(abi.KindBool), `1`, "must be true or false"},
		{"empty string", str, `""`, run("")},
		{"string", str, `"B1 é"`, run("B1 é")},
		{"escapes", str, `"\"\\\/\b\f\n\r\t\u0000\u00e9"`, run("\"\\/\b\f\n\r\t\x00é")},
		{"pair", str, `"\ud83d\ude00"`, run("😀")},
		{"string as number", str, `1`, "must be a string"},
		{"bytes", field(abi.KindBytes), `"AQID"`, run("\x01\x02\x03")},
		{"bytes padded", field(abi.KindBytes), `"AQI="`, run("\x01\x02")},
		{"bytes padded twice", field(abi.KindBytes), `"AQ=="`, run("\x01")},
		{"bytes escaped", field(abi.KindBytes), `"\/\/\u002f\/"`, run("\xff\xff\xff")},
		{"no bytes", field(abi.KindBytes), `""`, run("")},
		{"bytes unpadded", field(abi.KindBytes), `"AQI"`, "is not base64 (RFC 4648, padded)"},
		{"bytes unused bits", field(abi.KindBytes), `"AQJ="`, "is not base64 (RFC 4648, padded)"},
		{"bytes line break", field(abi.KindBytes), `"AQ\nID"`, "is not base64 (RFC 4648, padded)"},
		{"bytes padding inside", field(abi.KindBytes), `"AQ==AQID"`, "is not base64 (RFC 4648, padded)"},
		{"bytes of the URL alphabet", field(abi.KindBytes), `"__--"`, "is not base64 (RFC 4648, padded)"},
		{"bytes one digit", field(abi.KindBytes), `"A==="`, "is not base64 (RFC 4648, padded)"},
		{"time", field(abi.KindTime), `"2016-10-04T07:59:42Z"`, le(1475567982_000000000)},
		{"time offset", field(abi.KindTime), `"2016-10-04T09:59:42.5+02:00"`, le(1475567982_500000000)},
		{"time before 1970", field(abi.KindTime), `"1969-12-31T23:59:59.999999999Z"`, le(1<<64 - 1)},
		{"leap day", field(abi.KindTime), `"2000-02-29T00:00:00Z"`, le(951782400_000000000)},
		{"no leap day", field(abi.KindTime), `"1900-02-29T00:00:00Z"`, protocol.ErrTimeForm.Error()},
		{"leap second", field(abi.KindTime), `"2016-12-31T23:59:60Z"`, protocol.ErrTimeForm.Error()},
		{"ten decimals", field(abi.KindTime), `"2016-10-04T07:59:42.0000000000Z"`, protocol.ErrTimeForm.Error()},
		{"no zone", field(abi.KindTime), `"2016-10-04T07:59:42"`, protocol.ErrTimeForm.Error()},
		{"lower case", field(abi.KindTime), `"2016-10-04t07:59:42z"`, protocol.ErrTimeForm.Error()},
		{"space", field(abi.KindTime), `"2016-10-04 07:59:42Z"`, protocol.ErrTimeForm.Error()},
		{"latest", field(abi.KindTime), `"2262-04-11T23:47:16.854775807Z"`, le(1<<63 - 1)},
		{"too late", field(abi.KindTime), `"2262-04-11T23:47:16.854775808Z"`, "is outside the years 1677 to 2262"},
		{"earliest", field(abi.KindTime), `"1677-09-21T00:12:43.145224192Z"`, le(1 << 63)},
		{"too early", field(abi.KindTime), `"1677-09-21T00:12:43.145224191Z"`, "is outside the years 1677 to 2262"},
		{"time as number", field(abi.KindTime), `1475567982`, "must be a string"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := Events([]abi.Field{c.field}).Append(nil, []byte(`{"x":`+c.json+`}`))
			if err != nil {
				code, _ := protocol.CodeOf(err)
				if want := `PROJECTION: field "x" ` + c.want; err.Error() != want || code != protocol.CodeProjection || len(out) != 0 {
					t.Fatalf("error = %v, want %s", err, want)
				}
				return
			}
			if got := hex.EncodeToString(out); got != c.want {
				t.Fatalf("record = %s, want %s", got, c.want)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	cases := []struct {
		name, json string
		want       string // error's text without its code, "" for success with x = 1
	}{
		{"plain", `{"x":1}`, ""},
		{"space", " \t\r\n{ \"x\" : 1 } \n", ""},
		{"other members", `{"a":[1,{"x":2}],"x":1,"b":null}`, ""},
		{"escaped name", `{"\u0078":1}`, ""},
		{"other repeated member", `{"a":1,"a":2,"x":1}`, ""},
		{"deep", `{"a":` + deep + `,"x":1}`, ""},
		{"long escaped name", `{"` + strings.Repeat(`\u0041`, 1000) + `":1,"x":1}`, ""},
		{"nested like a field", `{"a":{"x":2},"x":1}`, ""},
		{"empty", ``, `field "x" is missing`},
		{"empty object", `{}`, `field "x" is missing`},
		{"case differs", `{"X":1}`, `field "x" is missing`},
		{"repeated", `{"x":1,"x":1}`, "the JSON repeats the member x (offset 11)"},
		{"repeated by escape", `{"x":1,"\u0078":1}`, "the JSON repeats the member x (offset 16)"},
		{"repeated null", `{"x":null,"x":1}`, "the JSON repeats the member x (offset 14)"},
		{"too deep", `{"a":[` + deep + `],"x":1}`, "the JSON is nested too deep (offset 69)"},
		{"array", `[1]`, "the JSON is not an object (offset 0)"},
		{"byte-order mark", "\ufeff{}", "the JSON is not an object (offset 0)"},
		{"trailing", `{"x":1} 2`, "the JSON is followed by something (offset 8)"},
		{"truncated", `{"x":1`, "the JSON is not JSON: , or } expected (offset 6)"},
		{"trailing comma", `{"x":1,}`, "the JSON is not JSON: a member's name expected (offset 7)"},
		{"no value", `{"x":}`, "the JSON is not JSON where a value should start (offset 5)"},
		{"bad word", `{"x":tru}`, "the JSON is not JSON where a value should start (offset 5)"},
		{"leading zero", `{"x":01}`, "the JSON is not JSON: , or } expected (offset 6)"},
		{"plus", `{"x":+1}`, "the JSON is not JSON where a value should start (offset 5)"},
		{"bare point", `{"x":1.}`, "the JSON has a number without digits after the point (offset 7)"},
		{"bare exponent", `{"x":1e}`, "the JSON has a number without digits in the exponent (offset 7)"},
		{"NaN", `{"x":NaN}`, "the JSON is not JSON where a value should start (offset 5)"},
		{"lone surrogate", `{"a":"\ud800","x":1}`, "the JSON has half a surrogate pair in a string (offset 12)"},
		{"wrong order", `{"a":"\ude00\ud83d","x":1}`, "the JSON has half a surrogate pair in a string (offset 18)"},
		{"lone surrogate in a name", `{"\ud800":1,"x":1}`, "the JSON has half a surrogate pair in a string (offset 8)"},
		{"not UTF-8", "{\"a\":\"\xff\",\"x\":1}", "the JSON is not UTF-8 (offset 6)"},
		{"raw control", "{\"a\":\"\n\",\"x\":1}", "the JSON has a control character in a string (offset 6)"},
		{"unknown escape", `{"a":"\x41","x":1}`, "the JSON has an unknown escape in a string (offset 6)"},
		{"open string", `{"a`, "the JSON ends inside a string (offset 3)"},
	}
	plan := Events([]abi.Field{field(abi.KindUint)})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := plan.Append([]byte("head"), []byte(c.json))
			if c.want == "" {
				if err != nil || string(out[:4]) != "head" || hex.EncodeToString(out[4:]) != le(1) {
					t.Fatalf("record = %x, %v", out, err)
				}
				return
			}
			if err == nil || err.Error() != "PROJECTION: "+c.want || string(out) != "head" {
				t.Fatalf("record = %q, error = %v", out, err)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	fields := []abi.Field{
		{Name: "b", Kind: abi.KindUint, Path: []string{"a", "b"}},
		{Name: "c", Kind: abi.KindUint, Path: []string{"a", "c", "d"}, Optional: true},
		{Name: "e", Kind: abi.KindUint, Path: []string{"e"}},
	}
	plan := Events(fields)
	cases := []struct{ json, want string }{
		{`{"e":3,"a":{"c":{"d":2},"b":1}}`, le(1) + le(2) + le(3)},
		{`{"e":3,"a":{"c":null,"b":1}}`, le(1) + "00" + le(3)},
		{`{"e":3,"a":{"b":1,"z":{"b":9}}}`, le(1) + "00" + le(3)},
		{`{"e":3,"a":null}`, `PROJECTION: field "b" is missing`},
		{`{"e":3,"a":5}`, `PROJECTION: the JSON has no object at a (offset 11)`},
		{`{"e":3,"a":{"b":1,"c":[]}}`, `PROJECTION: the JSON has no object at c (offset 22)`},
		{`{"e":3,"a":{"b":1},"a":{}}`, `PROJECTION: the JSON repeats the member a (offset 23)`},
	}
	for _, c := range cases {
		out, err := plan.Append(nil, []byte(c.json))
		got := hex.EncodeToString(out)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.json, got, c.want)
		}
	}
}

func TestArguments(t *testing.T) {
	plan := Arguments([]abi.Field{field(abi.KindUint)})
	if out, err := plan.Append(nil, []byte(`{"x":1}`)); err != nil || hex.EncodeToString(out) != le(1) {
		t.Fatalf("record = %x, %v", out, err)
	}
	_, err := plan.Append(nil, []byte(`{"x":1,"y":2}`))
	if code, _ := protocol.CodeOf(err); code != protocol.CodeArgument {
		t.Fatalf("error = %v", err)
	}
	if out, err := Arguments(nil).Append(nil, nil); err != nil || len(out) != 0 {
		t.Fatalf("no arguments: %x, %v", out, err)
	}
}

// reading is what the parking demonstration projects.
var reading = []abi.Field{
	{Name: "occupied", Kind: abi.KindInt, Path: []string{"occupied"}},
	{Name: "capacity", Kind: abi.KindUint, Path: []string{"capacity"}},
}

func TestNoAllocation(t *testing.T) {
	plan := Events(reading)
	text, dst := []byte(`{"occupied":61,"capacity":577,"note":"\u00e9"}`), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := plan.Append(dst, text); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	plan := Events(reading)
	text, dst := []byte(`{"occupied":61,"capacity":577}`), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Append(dst, text); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzNumber compares with exact rational arithmetic.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.50", "1e18", "18446744073709551615", "-9223372036854775808", "0.1e-3", "1e400"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, number string, scale uint8) {
		scale %= abi.MaxScale + 1
		s := scanner{text: []byte(number)}
		if len(number) == 0 || !s.number() || s.off != len(number) || strings.Count(number, "")-1 > 60 {
			return
		}
		if e := strings.IndexAny(number, "eE"); e >= 0 && len(number)-e > 6 {
			return // the reference would take forever
		}
		want, ok := new(big.Rat).SetString(number)
		if !ok {
			t.Fatalf("reference does not read %q", number)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
		d := decimal(scale)
		out, fault := appendNumber(nil, []byte(number), &d)
		fits := want.IsInt() && want.Num().IsInt64()
		if (fault == "") != fits {
			t.Fatalf("%s at scale %d: fault %q, exact value %s", number, scale, fault, want)
		}
		if fits {
			r := abi.NewReader(out)
			if got := r.Int(); got != want.Num().Int64() {
				t.Fatalf("%s at scale %d: %d, want %s", number, scale, got, want)
			}
		}
	})
}

// FuzzAppend compares the scanner with encoding/json: what it accepts is
// valid JSON, and what it refuses for its form is either invalid or one of
// the things that are stricter here.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{`{"s":"a\ud83d\ude00","b":"AQ==","t":true,"n":{"x":-1.5e2}}`, `{"s":null}`, `{"a":[1,2,{"s":"x"}]}`, `{"s":"\ud800"}`} {
		f.Add([]byte(s))
	}
	plan := Events([]abi.Field{
		{Name: "s", Kind: abi.KindString, Optional: true, Path: []string{"s"}},
		{Name: "b", Kind: abi.KindBytes, Optional: true, Path: []string{"b"}},
		{Name: "t", Kind: abi.KindBool, Optional: true, Path: []string{"t"}},
		{Name: "x", Kind: abi.KindDecimal, Scale: 3, Optional: true, Path: []string{"n", "x"}},
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := plan.Append(nil, text)
		if err != nil {
			if code, ok := protocol.CodeOf(err); !ok || code != protocol.CodeProjection {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(text) == 0 {
			return
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Fatalf("accepted %q", text)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatalf("not an object: %v", err)
		}
		r := abi.NewReader(out)
		compareString(t, &r, members["s"], func(s string) []byte { return []byte(s) })
		compareString(t, &r, members["b"], func(s string) []byte {
			b, err := base64.StdEncoding.Strict().DecodeString(s)
			if err != nil {
				t.Fatalf("accepted base64 %q", s)
			}
			return b
		})
		if r.Present() && r.Bool() != (string(bytes.TrimSpace(members["t"])) == "true") {
			t.Fatal("bool differs")
		}
		if r.Present() {
			r.Int()
		}
		if !r.Done() {
			t.Fatalf("record %x is not read exactly", out)
		}
	})
}

func compareString(t *testing.T, r *abi.Reader, raw json.RawMessage, decode func(string) []byte) {
	if !r.Present() {
		return
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if got := r.Bytes(); !bytes.Equal(got, decode(s)) {
		t.Fatalf("%q, want %q", got, decode(s))
	}
}
