package contracttest

import "testing"

func TestCompareJSON(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{`{"a": 1}`, `{"b": 2, "a": 1.0}`, true},
		{`{"a": 1, "b": 2}`, `{"a": 1}`, false},
		{`{"a": {"b": [1, {"c": null}]}}`, `{"a": {"b": [1e0, {"c": null, "d": 3}], "x": 1}}`, true},
		{`[1, 2]`, `[1, 2, 3]`, false},
		{`[]`, `{}`, false},
		{`9007199254740993`, `9007199254740992`, false}, // one float64
		{`0.1`, `0.10000000000000000001`, false},
		{`0.1`, `1e-1`, true},
		{`-0`, `0`, true},
		{`1e999999999`, `1e999999998`, false},
		{`1e999999999`, `1e999999999`, true},
		{`"1"`, `1`, false},
		{`true`, `"true"`, false},
		{`null`, `0`, false},
		{`{`, `{}`, false},
		{`{}`, `{} {}`, false},
	} {
		if differences := compareJSON(c.want, c.got); (differences == "") != c.same {
			t.Errorf("%s and %s: %q", c.want, c.got, differences)
		}
	}
}
