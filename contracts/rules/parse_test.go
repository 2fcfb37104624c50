package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

const someone = "cairn1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnjzzdqf"

// rulesOfAllKinds pass through every branch of the grammar; each is followed
// by its canonical text, or by nothing where it is canonical.
var rulesOfAllKinds = [][2]string{
	{"when smoke=true do alert fire", "when smoke = true per subject late 30s cooldown 0s do alert fire"},
	{"when ((level  >= 80.500)) global\nlate 90s cooldown 120m do action vent.open on \"vent-7\"",
		`when level >= 80.5 global late 90s cooldown 2h do action vent.open on "vent-7"`},
	{`when smoke = true then temperature > 60 within 2m in circle 52.1, 4.3000, 500m per subject late 0s cooldown 1000ms do alert a`,
		`when smoke = true then temperature > 60 within 2m in circle 52.1, 4.3, 500m per subject late 0s cooldown 1s do alert a`},
	{`when not door = "open" then temperature of "truck/*" > -0 "C" within 10m per subject late 1m cooldown 0s do alert cold`,
		`when not door = "open" then temperature of "truck/*" > 0 "C" within 10m per subject late 1m cooldown 0s do alert cold`},
	{`when (level < 4 then level >= 4 within 30m) and gate = "clo\"s\\ed" and not (gate status != "shut" or gate seen) within 10m per subject late 0s cooldown 0s do alert b`, ""},
	{`when (a = 1 in box -1, 179.5, 1, -179.5) or (b = 0.000001..2) per subject late 0s cooldown 0s do alert c`,
		`when (a = 1 in box -1, 179.5, 1, -179.5) or b = 0.000001..2 per subject late 0s cooldown 0s do alert c`},
	{`when a from ` + someone + ` != 3..4 then not b <= 5 then c < 999999999999.999999 then not d = false within 366d global late 0s cooldown 0s do action open`, ""},
	{`when (a seen and b seen within 1s) in circle 1,1,1km do alert d`,
		`when (a seen and b seen within 1s) in circle 1, 1, 1000m per subject late 30s cooldown 0s do alert d`},
}

func TestCanonical(t *testing.T) {
	for _, c := range rulesOfAllKinds {
		want := c[1]
		if want == "" {
			want = c[0]
		}
		r, f := parse([]byte(c[0]))
		if f != nil {
			t.Errorf("%s\n%d: %s", c[0], f.at, f.text)
			continue
		}
		if got := string(r.canonical()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestRefusedTexts(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "expected: when",
		`when`:                            "name of a property",
		`when a = 1`:                      "expected: do",
		`when a = 1 do`:                   "alert or action",
		`when a = 1 do alert then`:        "name of an alert",
		`when a = 1 do alert x y`:         "ends here",
		`when a = 1 and b = 1 do alert x`: "need a window",
		`when a = 1 and b = 1 or c = 1 within 1m do alert x`:                     "not mixed",
		`when a = 1 within 1m do alert x`:                                        "within belongs",
		`when a = 1 or b = 1 within 1m do alert x`:                               "within belongs",
		`when not a = 1 do alert x`:                                              "not stands in the outermost",
		`when not a = 1 and not b = 1 within 1m do alert x`:                      "not alone",
		`when a = 1 then not b = 1 then not c = 1 within 1m do alert`:            "name of an alert",
		`when a = 1 or not b = 1 do alert x`:                                     "not stands",
		`when not not a = 1 do alert x`:                                          "name of a property",
		`when a = 1 and b = 1 within 0s do alert x`:                              "longer than 0s",
		`when a = 1 and b = 1 within 367d do alert x`:                            "366d",
		`when a = 1 and b = 1 within 5 do alert x`:                               "366d",
		`when a = 1 and b = 1 within 5m in do alert x`:                           "circle or box",
		`when a = 1 in circle 91, 0, 5m do alert x`:                              "latitude",
		`when a = 1 in circle 1, 0, 101km do alert x`:                            "radius",
		`when a = 1 in circle 1, 0, 0m do alert x`:                               "radius",
		`when a = 1 in circle 1.12345678, 0, 1m do alert x`:                      "7 decimal",
		`when a = 1 in box 2, 0, 1, 0 do alert x`:                                "south-west",
		`when a = 1.1234567 do alert x`:                                          "6 decimal",
		`when a = 01 do alert x`:                                                 "a number",
		`when a = 1234567890123 do alert x`:                                      "12 digits",
		`when a = 5..4 do alert x`:                                               "low to high",
		`when a = 5m do alert x`:                                                 "a number",
		`when a < "x" do alert x`:                                                "a number",
		`when a != true do alert x`:                                              "a number",
		`when a = - do alert x`:                                                  "digits",
		`when a = "x do alert x`:                                                 "ends with a quote",
		"when a = \"\n\" do alert x":                                             "control",
		`when a = "\n" do alert x`:                                               "backslash",
		`when a & b do alert x`:                                                  "no rule has",
		`when a from cairn1x = 1 do alert x`:                                     "an address",
		`when ((((( a = 1 ))))) do alert x`:                                      "4 deep",
		`when a = 1 do action x on ""`:                                           "actuator",
		`when a = "` + strings.Repeat("x", 33) + `" do alert x`:                  "too long",
		`when ` + strings.Repeat("a = 1 or ", 8) + `a = 1 do alert x`:            "8 tests",
		strings.Repeat(" ", 1025):                                                "1024 bytes",
		`when a seen then (b seen and c seen within 1m) within 2m do alert x`:    "single reading",
		`when not (b seen and c seen within 1m) and a seen within 2m do alert x`: "single reading",
		`when (a seen and not b seen within 1m) and c seen within 1m do alert x`: "not stands",
		`when not b seen then not c seen then a seen within 1m do alert x`:       "two nots",
		`when a seen do alert x é`:                                               "no rule has",
	} {
		if r, f := parse([]byte(text)); f == nil || !strings.Contains(f.text, want) || f.at > len(text) {
			t.Errorf("%s: %v, want %s", text, f, want)
			if r != nil {
				t.Errorf("read as %s", r.canonical())
			}
		}
	}
}

// The rules that README.md shows are rules, and so are the pieces it shows.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for i, block := range strings.Split(string(page), "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "\nwhen ") {
			continue
		}
		for text := range strings.SplitSeq(strings.TrimSpace(block), "\n\n") {
			whole++
			if _, f := parse([]byte(text)); f != nil {
				t.Errorf("%s\n%d: %s", text, f.at, f.text)
			}
		}
	}
	_, table, _ := strings.Cut(string(page), "| you want | you write |")
	table, _, _ = strings.Cut(table, "\n\n")
	pieces := 0
	for i, piece := range strings.Split(table, "`") {
		if i%2 == 0 || strings.HasPrefix(piece, "…") {
			continue
		}
		pieces++
		piece = strings.TrimPrefix(strings.ReplaceAll(piece, "cairn1…", someone), "when ")
		piece, _, _ = strings.Cut(piece, " do ")
		if _, f := parse([]byte("when " + piece + " do alert x")); f != nil {
			t.Errorf("%s: %d: %s", piece, f.at, f.text)
		}
	}
	if whole != 4 || pieces < 15 {
		t.Errorf("the page shows %d rules and %d pieces", whole, pieces)
	}
}

// Whatever the text, the parser answers; what it accepts has a canonical text
// that means the same and is its own canonical text.
func FuzzParse(f *testing.F) {
	for _, c := range rulesOfAllKinds {
		f.Add([]byte(c[0]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, fault := parse(text)
		if fault != nil {
			if r != nil || fault.at < 0 || fault.at > max(len(text), maxRuleBytes) || fault.text == "" {
				t.Fatalf("%q: %+v", text, fault)
			}
			return
		}
		if len(r.tests) == 0 || len(r.tests) > maxTests || r.nodes > maxNodes {
			t.Fatalf("%q has %d tests, %d nodes", text, len(r.tests), r.nodes)
		}
		canonical := r.canonical()
		again, fault := parse(canonical)
		if fault != nil {
			if len(canonical) > maxRuleBytes {
				return // it was near the limit, and its defaults were left out
			}
			t.Fatalf("%q\n%q: %+v", text, canonical, fault)
		}
		if string(again.canonical()) != string(canonical) {
			t.Fatalf("%q\n%q\n%q", text, canonical, again.canonical())
		}
		forgetPlaces(r.when)
		forgetPlaces(again.when)
		r.nodes = again.nodes
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("%q means something else than %q", text, canonical)
		}
	})
}

// forgetPlaces clears what may differ between two texts of one rule.
func forgetPlaces(p *pattern) {
	p.at, p.id = 0, 0
	for _, part := range p.parts {
		forgetPlaces(part)
	}
}
