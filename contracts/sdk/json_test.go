package sdk

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"
)

func ExampleJSON() {
	var w JSON
	w.Object().Key("lot").Text([]byte("North \"1\"")).Key("bands").Array().String("A").String("B").EndArray()
	w.Key("cents").Int(-25).Key("open").Bool(true).Key("next").Null().Key("none").Object().EndObject().EndObject()
	fmt.Println(string(w.Bytes()))
	// Output: {"lot":"North \"1\"","bands":["A","B"],"cents":-25,"open":true,"next":null,"none":{}}
}

// Whatever string goes in comes out of a JSON reader.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", `a"b\c`, "\x00\x1f\x7f", "lot:", "{", "[", "\u2028 é 🅿"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var w JSON
		w.Array().String(s).String(s).EndArray()
		var got []string
		if err := json.Unmarshal(w.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v", w.Bytes(), err)
		}
		want, err := json.Marshal(s) // replaces what is not UTF-8, as the reader does
		if err != nil {
			t.Fatal(err)
		}
		var valid string
		if err := json.Unmarshal(want, &valid); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0] != valid || got[1] != valid {
			t.Fatalf("%q became %q", valid, got)
		}
	})
}

func TestAppendNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, 9, 10, 99, 100, -1, -10, math.MaxInt64, math.MinInt64} {
		if got := string(AppendInt(nil, v)); got != strconv.FormatInt(v, 10) {
			t.Errorf("%d written as %s", v, got)
		}
		if got := string(AppendUint(nil, uint64(v))); got != strconv.FormatUint(uint64(v), 10) {
			t.Errorf("%d written as %s", uint64(v), got)
		}
	}
}
