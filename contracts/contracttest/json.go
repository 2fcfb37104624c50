package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// compareJSON tells where got differs from want, one place a line; "" where it
// does not. Members of got's objects that want does not name may be anything.
func compareJSON(want, got string) string {
	w, err := parseJSON(want)
	if err != nil {
		return fmt.Sprintf("  what is expected is not JSON: %v\n", err)
	}
	g, err := parseJSON(got)
	if err != nil {
		return fmt.Sprintf("  the answer is not JSON: %v\n", err)
	}
	var out strings.Builder
	compare(&out, "", w, g)
	return out.String()
}

func parseJSON(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value")
	}
	return v, nil
}

func compare(out *strings.Builder, path string, want, got any) {
	differ := func(format string, args ...any) {
		at := path
		if at == "" {
			at = "the value"
		}
		fmt.Fprintf(out, "  %s: "+format+"\n", append([]any{at}, args...)...)
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			differ("expected an object, got %s", show(got))
			return
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			value, there := g[name]
			if !there {
				differ("has no member %q, expected %s", name, show(w[name]))
				continue
			}
			compare(out, strings.TrimPrefix(path+"."+name, "."), w[name], value)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			differ("expected %d elements, got %s", len(w), show(got))
			return
		}
		for i := range w {
			compare(out, fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
	case json.Number:
		if g, ok := got.(json.Number); !ok || !sameNumber(string(w), string(g)) {
			differ("expected %s, got %s", w, show(got))
		}
	default: // strings, booleans and null
		if want != got {
			differ("expected %s, got %s", show(want), show(got))
		}
	}
}

// maxExponent bounds what a number's text is expanded to.
const maxExponent = 1_000

// sameNumber compares exact values: 1.50 is 15e-1.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	for _, text := range [...]string{a, b} {
		if at := strings.IndexAny(text, "eE"); at >= 0 {
			exponent, ok := new(big.Int).SetString(strings.TrimPrefix(text[at+1:], "+"), 10)
			if !ok || exponent.CmpAbs(big.NewInt(maxExponent)) > 0 {
				return false
			}
		}
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
