package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// random draws schemas and instances over few names and values, so that they
// often meet.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) chance(percent int) bool { return r.IntN(100) < percent }

func (r random) instance(depth int) any {
	switch n := r.IntN(10); {
	case n < 3 && depth > 0:
		object := map[string]any{}
		for range r.IntN(4) {
			object[r.name()] = r.instance(depth - 1)
		}
		return object
	case n < 5 && depth > 0:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, r.instance(depth-1))
		}
		return list
	case n < 7:
		return json.Number(pick(r, "0", "1", "2", "3", "-1", "1.0", "1.5", "0.25", "2.50", "1e1", "10", "100e-1", "12345678901234567890"))
	case n < 9:
		return pick(r, "", "a", "b", "ab", "abc", "é", "1", "2026-01-01")
	}
	return pick[any](r, nil, true, false)
}

func (r random) name() string { return pick(r, "a", "b", "c", "ab", "x/y") }

func (r random) names() []string {
	all := []string{"a", "b", "c"}
	r.Shuffle(3, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:r.IntN(3)]
}

// schema draws one; refs may be taken from the document's $defs.
func (r random) schema(depth int) any {
	if r.chance(8) {
		return r.chance(70)
	}
	s := map[string]any{}
	for range 1 + r.IntN(3) {
		r.keyword(s, depth)
	}
	if depth > 0 && r.chance(6) {
		s["$ref"] = pick(r, "#/$defs/d", "#/$defs/e")
	}
	return s
}

func (r random) list(depth int) []any {
	list := []any{}
	for range 1 + r.IntN(2) {
		list = append(list, r.schema(depth-1))
	}
	return list
}

func (r random) keyword(s map[string]any, depth int) {
	bound := func(name string) { s[name] = r.IntN(4) }
	switch n := r.IntN(17); {
	case n < 3:
		s["type"] = pick[any](r, "object", "object", "integer", "number", "string", "array", []string{"object", "integer"}, []string{"string", "null"}, "boolean")
	case n < 4:
		delete(s, "const")
		s["enum"] = []any{r.instance(1), r.instance(1), r.instance(0)}
	case n < 5:
		bound(pick(r, "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"))
	case n < 6:
		s[pick(r, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")] = json.Number(pick(r, "0", "1", "1.5", "2", "10", "-1"))
	case n < 7:
		s["multipleOf"] = json.Number(pick(r, "1", "2", "0.5", "0.25", "3"))
	case n < 8:
		s["pattern"] = pick(r, "^a", "b$", "^[0-9]{4}-", "^.{0,2}$")
	case n < 9:
		s["required"] = r.names()
	case n < 10:
		s["dependentRequired"] = map[string]any{r.name(): r.names()}
	case depth == 0:
		s["uniqueItems"] = r.chance(50)
	case n < 13:
		of := map[string]any{}
		for range 1 + r.IntN(3) {
			of[r.name()] = r.schema(depth - 1)
		}
		s["properties"] = of
	case n < 14:
		s[pick(r, "additionalProperties", "items", "additionalProperties", "propertyNames", "not", "if")] = r.schema(depth - 1)
		if _, conditional := s["if"]; conditional {
			s[pick(r, "then", "else")] = r.schema(depth - 1)
		}
	case n < 15:
		s[pick(r, "allOf", "anyOf", "oneOf", "prefixItems")] = r.list(depth)
	case n < 16:
		s["patternProperties"] = map[string]any{pick(r, "^a", "b"): r.schema(depth - 1)}
	}
}

// document is a schema whose $defs refer nowhere.
func (r random) document() any {
	s, ok := r.schema(3).(map[string]any)
	if !ok {
		return true
	}
	s["$defs"] = map[string]any{"d": r.schema(0), "e": r.schema(0)}
	return s
}

// varied changes a schema here and there.
func (r random) varied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			if _, known := keywords[name]; known && r.chance(7) && name != "$defs" && name != "if" && name != "then" && name != "else" {
				continue
			}
			out[name] = r.varied(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.varied(v[i])
		}
		return out
	case int:
		return max(0, v+pick(r, 0, 0, 0, 1, -1))
	case bool:
		return v || r.chance(10)
	}
	return v
}

func text(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return out
}
