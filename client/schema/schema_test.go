package schema

import (
	"errors"
	"strings"
	"testing"
)

func compile(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Compile([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// What is said of an instance is part of what people see: pointer, keyword and
// reason, and the first violation in the instance's order.
func TestMismatches(t *testing.T) {
	const meter = `{"type":"object","properties":{"kWh":{"type":"number","minimum":0,"multipleOf":0.001},"tags":{"type":"array","items":{"pattern":"^[a-z]+$"},"uniqueItems":true,"maxItems":3},
		"at":{"$ref":"#/$defs/place"},"phase":{"enum":[1,"L2",null]}},"required":["kWh"],"additionalProperties":false,"$defs":{"place":{"prefixItems":[{"type":"number"},{"type":"number"}],"items":false}}}`
	for _, c := range [...]struct{ schema, instance, want string }{
		{meter, `{"kWh":1.25}`, ""},
		{meter, `{"kWh":12e-3,"tags":["a","b"],"at":[1,2.5],"phase":1.0}`, ""},
		{meter, `[]`, "the value is an array, must be an object (schema /type)"},
		{meter, `{}`, `the value lacks "kWh" (schema /required)`},
		{meter, `{"kWh":-0.001}`, "/kWh must be at least 0 (schema /properties/kWh/minimum)"},
		{meter, `{"kWh":0.0005}`, "/kWh must be a multiple of 0.001 (schema /properties/kWh/multipleOf)"},
		{meter, `{"kWh":1,"kWh":2}`, "/kWh stands there twice (schema )"},
		{meter, `{"kWh":1,"k\u0057h":2}`, "/kWh stands there twice (schema )"},
		{meter, `{"kWh":1e10000}`, "/kWh has an exponent over 9999 (schema )"},
		{meter, `{"kWh":1,"kwh":2}`, "/kwh is a member that the schema does not name (schema /additionalProperties)"},
		{meter, `{"tags":["a","B"],"kWh":"x"}`, `/tags/1 does not match the pattern "^[a-z]+$" (schema /properties/tags/items/pattern)`},
		{meter, `{"kWh":1,"tags":["a","b","a"]}`, "/tags/2 is there twice (schema /properties/tags/uniqueItems)"},
		{meter, `{"kWh":1,"at":[1,2,3]}`, "/at/2 must not be there (schema /$defs/place/items)"},
		{meter, `{"kWh":1,"phase":2}`, "/phase is none of the values that are allowed (schema /properties/phase)"},
		{`{"maximum":9007199254740993}`, `9007199254740993`, ""},
		{`{"maximum":9007199254740992}`, `9007199254740993`, "the value must be at most 9007199254740992 (schema /maximum)"},
		{`{"type":"integer"}`, `1e400`, ""},
		{`{"anyOf":[{"type":"null"},{"minLength":2}]}`, `"a"`, "the value conforms to none of the 2 alternatives (schema /anyOf)"},
		{`{"oneOf":[{"type":"number"},{"minimum":5}]}`, `7`, "the value must conform to exactly one of 2 alternatives, conforms to several (schema /oneOf)"},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":false}`, `{"a":1}`, `the value lacks "b" (schema /then/required)`},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, `the value has "a" and lacks "b" (schema /dependentRequired)`},
		{`{"properties":{"a/b":{"properties":{"m~n":false}}}}`, `{"a/b":{"m~n":1}}`, "/a~1b/m~0n must not be there (schema /properties/a~1b/properties/m~0n)"},
		{`{"maxLength":2}`, `"\ud83d\ude00é"`, ""},
		{`{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}`, `{"next":{"next":{"x":1}}}`, "/next/next/x is a member that the schema does not name (schema /additionalProperties)"},
	} {
		var checker Checker
		_, err := checker.Check(compile(t, c.schema), []byte(c.instance))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s under %s\n got %s\nwant %s", c.instance, c.schema, got, c.want)
		}
	}
}

func TestRefusedSchemas(t *testing.T) {
	for _, c := range [...]struct{ schema, want string }{
		{`{"type":"objct"}`, "/type: must be null, boolean"},
		{`{"properties":{"a":{"requird":[]}}}`, `/properties/a: the keyword "requird" is not one`},
		{`{"unevaluatedProperties":false}`, `the keyword "unevaluatedProperties" is not one`},
		{`{"$ref":"https://example.org/other.json"}`, "nothing is fetched"},
		{`{"$ref":"#"}`, "refers to itself"},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/a"}]}}}`, "refers to itself"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "/$schema: must be"},
		{`{"pattern":"\\p{L}"}`, "the escape at 0"},
		{`{"pattern":"(?i)a"}`, "groups are"},
		{`{"pattern":"((a{50}){50}){50}"}`, "weighs"},
		{`{"pattern":"a{1,2000}"}`, "repetition"},
		{`{"pattern":"a)"}`, ") too many"},
		{`{"required":["a","a"]}`, "/required: has a name twice"},
		{`{"minLength":-1}`, "must be an integer from 0"},
		{`{"multipleOf":0}`, "must be over 0"},
		{`{"a":1,"a":2}`, "twice"},
		{`{"then":true}`, "need an if"},
		{strings.Repeat(`{"not":`, 40) + `true` + strings.Repeat(`}`, 40), "nested deeper than 32"},
		{`{"enum":[` + strings.Repeat(" ", MaxBytes) + `1]}`, "the limit is 65536"},
		{`{"anyOf":[true` + strings.Repeat(",true", maxSubschemas) + `]}`, "more than 2000 schemas"},
		{`7`, "a schema is an object, true or false"},
	} {
		if _, err := Compile([]byte(c.schema)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: got %v, want %q", c.schema, err, c.want)
		}
	}
}

// TestBombsEnd: what grows without bound elsewhere ends after the same number
// of steps everywhere.
func TestBombsEnd(t *testing.T) {
	branching := `{"$defs":{"a":{"anyOf":[{"items":{"$ref":"#/$defs/a"},"maxItems":0},{"items":{"$ref":"#/$defs/a"},"minItems":9},{"items":{"$ref":"#/$defs/a"},"not":true},{"items":{"$ref":"#/$defs/a"},"type":"array"}]}},"$ref":"#/$defs/a"}`
	deep := strings.Repeat("[", 60) + "1" + strings.Repeat("]", 60)
	costly := `{"items":{"pattern":"^([a-z]{1,100}){1,10}$"}}`
	for _, c := range [...][2]string{
		{branching, deep},
		{costly, `["` + strings.Repeat("a", 3_000) + `"]`},
		{costly, `[` + strings.Repeat(`"aaaaaaaaaa",`, 4_000) + `1]`},
	} {
		s := compile(t, c[0])
		var checker Checker
		steps, err := checker.Check(s, []byte(c[1]))
		var mismatch *Mismatch
		if !errors.As(err, &mismatch) || !strings.Contains(mismatch.Reason, "steps") || steps > 8*MaxSteps {
			t.Errorf("%.60s: %d steps, %v", c[0], steps, err)
		}
	}
}

func TestFollow(t *testing.T) {
	const v1 = `{"type":"object","properties":{"a":{"type":"integer","minimum":0}},"required":["a"]}`
	for _, c := range [...]struct {
		rule       Rule
		prev, next string
		want       string
	}{
		{RuleFull, v1, v1, ""},
		{RuleNone, v1, `false`, ""},
		{RuleBackward, v1, `{"type":"object","properties":{"a":{"type":"number","minimum":-1}}}`, ""},
		{RuleBackward, v1, `{"type":"object","properties":{"a":{"type":"integer","minimum":0},"b":{"type":"string"}},"required":["a"]}`,
			"not backward compatible: /properties/b/type of the new version: null or a boolean or a number or an array or an object was allowed"},
		{RuleBackward, `{"properties":{"a":true},"additionalProperties":false}`, `{"properties":{"a":true,"b":{"type":"string"}},"additionalProperties":false}`, ""},
		{RuleForward, `{"properties":{"a":true},"additionalProperties":false}`, `{"properties":{"a":true,"b":{"type":"string"}},"additionalProperties":false}`,
			`not forward compatible: /additionalProperties of the old version: the member "b" was allowed`},
		{RuleForward, v1, `{"type":"object","properties":{"a":{"type":"integer","minimum":5},"b":{"type":"string"}},"required":["a","b"]}`, ""},
		{RuleBackward, v1, `{"type":"object","required":["a","b"]}`, `not backward compatible: /required of the new version: "b" could be left out`},
		{RuleBackward, `{"enum":["a","b"]}`, `{"type":"string","maxLength":1}`, ""},
		{RuleBackward, `{"enum":["a","bb"]}`, `{"type":"string","maxLength":1}`, `not backward compatible: schema of the new version: the value "bb" was allowed: the value has 2 characters, must have at most 1 (schema /maxLength)`},
		{RuleBackward, `{"properties":{"n":{"$ref":"#"}}}`, `{"properties":{"n":{"$ref":"#"}},"$comment":"more"}`, ""},
		{RuleBackward, `{"multipleOf":0.5}`, `{"multipleOf":0.25}`, ""},
		{RuleBackward, `{"multipleOf":0.25}`, `{"multipleOf":0.5}`, "not backward compatible: /multipleOf of the new version: other numbers were allowed"},
		{RuleBackward, `{"x-sealed":true}`, `{}`, "not backward compatible: /x-sealed of the new version: sealed data were let through and no longer are"},
	} {
		err := Follow(c.rule, compile(t, c.prev), compile(t, c.next))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s -> %s\n got %s\nwant %s", c.rule, c.prev, c.next, got, c.want)
		}
	}
}
