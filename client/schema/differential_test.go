package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// oracle judges by a library of others.
func oracle(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:///schema.json")
	if err != nil {
		t.Fatalf("the library refuses %s: %v", text, err)
	}
	return compiled
}

func TestAgreesWithAnotherImplementation(t *testing.T) {
	valid := 0
	const schemas, instances = 1500, 25
	for seed := range uint64(schemas) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		source := text(r.document())
		own, err := Compile(source)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, source, err)
		}
		others := oracle(t, source)
		var c Checker
		for range instances {
			value := text(r.instance(3))
			_, err := c.Check(own, value)
			var mismatch *Mismatch
			if err != nil && !errors.As(err, &mismatch) {
				t.Fatalf("seed %d: %s: %v", seed, value, err)
			}
			parsed, _ := jsonschema.UnmarshalJSON(bytes.NewReader(value))
			if want := others.Validate(parsed); (want == nil) != (err == nil) {
				t.Fatalf("seed %d: schema %s\ninstance %s\nwe say %v\nthe library says %v", seed, source, value, err, want)
			}
			if err == nil {
				valid++
			} else if !leads(value, mismatch.Pointer) {
				t.Fatalf("seed %d: %s has no %q", seed, value, mismatch.Pointer)
			}
		}
	}
	if share := valid * 100 / (schemas * instances); share < 15 || share > 85 {
		t.Errorf("%d %% of the instances conform: the test tests little", share)
	}
}

// leads says whether a pointer leads to something in a text.
func leads(value []byte, pointer string) bool {
	t, err := readJSON(value)
	if err != nil {
		return false
	}
	for n := range t.nodes {
		if t.pointer(int32(n)) == pointer {
			return true
		}
	}
	return false
}

// TestCompatibleMeansIncluded: whenever one schema may follow another, every
// instance of the one is an instance of the other.
func TestCompatibleMeansIncluded(t *testing.T) {
	proved, tried := 0, 0
	for seed := range uint64(5000) {
		r := random{rand.New(rand.NewPCG(seed, 2))}
		before := r.document()
		after := r.varied(before)
		if r.chance(10) {
			after = r.document()
		}
		first, err := Compile(text(before))
		if err != nil {
			t.Fatal(err)
		}
		second, err := Compile(text(after))
		if err != nil {
			t.Fatalf("%s: %v", text(after), err)
		}
		backward, forward := Follow(RuleBackward, first, second) == nil, Follow(RuleForward, first, second) == nil
		if full := Follow(RuleFull, first, second) == nil; full != (backward && forward) {
			t.Fatalf("seed %d: full %t, backward %t, forward %t", seed, full, backward, forward)
		}
		if b := Follow(RuleFull, first, first); b != nil && !bytes.Contains(text(before), []byte("oneOf")) && !bytes.Contains(text(before), []byte(`$ref`)) {
			t.Fatalf("seed %d: %s does not follow itself: %v", seed, text(before), b)
		}
		if !backward && !forward {
			continue
		}
		proved++
		var c Checker
		for range 60 {
			value := text(r.instance(3))
			_, old := c.Check(first, value)
			_, now := c.Check(second, value)
			if old == nil {
				tried++
			}
			if backward && old == nil && now != nil || forward && now == nil && old != nil {
				t.Fatalf("seed %d: backward %t forward %t\n%s\n%s\n%s\nold: %v\nnew: %v", seed, backward, forward, text(before), text(after), value, old, now)
			}
		}
	}
	if proved < 1000 || tried < 10000 {
		t.Errorf("%d pairs were compatible, %d instances tried: the test tests little", proved, tried)
	}
}

func FuzzCheck(f *testing.F) {
	for seed := range uint64(40) {
		r := random{rand.New(rand.NewPCG(seed, 3))}
		f.Add(text(r.document()), text(r.instance(3)))
	}
	f.Add([]byte(`{"pattern":"^(?:a{1,3}|[b-]){2}$"}`), []byte(`"aab"`))
	f.Add([]byte(`{"multipleOf":0.01,"maximum":1e300}`), []byte(`1e-9999`))
	f.Fuzz(func(t *testing.T, source, value []byte) {
		s, err := Compile(source)
		if err != nil {
			return
		}
		var a, b Checker
		steps, err := a.Check(s, value)
		again, err2 := b.Check(s, value)
		if steps != again || fmt.Sprint(err) != fmt.Sprint(err2) || steps > 3*MaxSteps {
			t.Fatalf("%d steps, %v; then %d, %v", steps, err, again, err2)
		}
		if err == nil && !json.Valid(value) {
			t.Fatal("accepted what is no JSON")
		}
		if b := Follow(RuleBackward, s, s); b != nil && b.Error() == "" {
			t.Fatal("a breach without words")
		}
	})
}
