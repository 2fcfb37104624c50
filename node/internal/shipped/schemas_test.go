package shipped

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/schema"
	sources "github.com/cairn-ledger/cairn/contracts"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// What the schema of a type accepts, the projection of every contract that
// hears the type accepts: a producer whose events pass the door has no delivery
// dead-lettered for their form. Instances are drawn around the schema's edges;
// of each schema some are accepted and some refused.
func TestWhatASchemaAcceptsIsProjected(t *testing.T) {
	all, err := sources.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]json.RawMessage{}
	for _, s := range all {
		texts[s.Type] = s.Schema
	}
	heard := map[string]bool{}
	for _, name := range []string{"escrow", "maintenance", "metering", "parking", "rules", "saga"} {
		_, text, err := sources.Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := abi.ParseManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range manifest.Events {
			if source := texts[event.Type]; source != nil {
				heard[event.Type] = true
				compareWithPlan(t, event, source)
			}
		}
	}
	if len(heard) != len(texts) {
		t.Errorf("%d types are heard, %d have schemas", len(heard), len(texts))
	}
}

func compareWithPlan(t *testing.T, event abi.Subscription, source json.RawMessage) {
	t.Helper()
	compiled, err := schema.Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	var shape node
	if err := json.Unmarshal(source, &shape); err != nil {
		t.Fatal(err)
	}
	var checker schema.Checker
	plan, random := projection.Events(event.Fields), instances{rand.New(rand.NewPCG(1, uint64(len(event.Type))))}
	accepted, refused := 0, 0
	for range 2_000 {
		instance := random.of(&shape)
		if _, err := checker.Check(compiled, []byte(instance)); err != nil {
			refused++
			continue
		}
		accepted++
		if _, err := plan.Append(nil, []byte(instance)); err != nil {
			t.Errorf("%s: the schema accepts %s; the projection: %v", event.Type, instance, err)
			return
		}
	}
	if accepted < 20 || refused < 20 {
		t.Errorf("%s: %d instances are accepted, %d refused", event.Type, accepted, refused)
	}
}

// node is what instances are drawn by.
type node struct {
	Type       any              `json:"type"`
	Properties map[string]*node `json:"properties"`
	Format     string           `json:"format"`
	Pattern    string           `json:"pattern"`
	Minimum    json.Number      `json:"minimum"`
	Maximum    json.Number      `json:"maximum"`
	MultipleOf json.Number      `json:"multipleOf"`
}

func (n *node) is(kind string) bool {
	list, several := n.Type.([]any)
	return n.Type == kind || several && slices.Contains(list, any(kind))
}

// instances draws JSON texts that a schema mostly accepts, or nearly.
type instances struct{ *rand.Rand }

func (r instances) one(from ...string) string { return from[r.IntN(len(from))] }

func (r instances) of(n *node) string {
	if r.IntN(40) == 0 || !n.is("object") && r.IntN(12) == 0 {
		return r.one("null", "true", "{}", "[]", `""`, "0", `{"a":{"b":[1]}}`)
	}
	switch {
	case n.is("object"):
		return r.object(n)
	case n.is("boolean"):
		return r.one("true", "false")
	case n.is("string"):
		return r.string(n)
	}
	return r.number(n)
}

func (r instances) object(n *node) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		if r.IntN(12) > 0 {
			members = append(members, fmt.Sprintf("%q : %s", name, r.of(n.Properties[name])))
		}
	}
	for _, other := range []string{`"x-other":[{"a":1e999}]`, `"":"\ud83d\ude00"`} {
		if r.IntN(4) == 0 {
			members = append(members, other)
		}
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, r.one(",", " ,\n\t")) + "}"
}

// number draws small ones, edges and odd spellings.
func (r instances) number(n *node) string {
	digits, point, scale := fmt.Sprint(r.IntN(1000)), "", 0
	if n.MultipleOf != "" {
		fmt.Sscanf(n.MultipleOf.String(), "1e-%d", &scale)
	}
	switch r.IntN(5) {
	case 0:
		return r.one(n.Minimum.String(), n.Maximum.String(), "0", "-0", "-0.0e5", "-1", "9223372036854775808", "18446744073709551616", "1e19", "2E+1", "1e99999999")
	case 1:
		return fmt.Sprintf("%s%se-%d", digits, strings.Repeat("0", scale), scale)
	case 2:
		point = "." + strings.Repeat(r.one("0", "5"), r.IntN(scale+2))
		return strings.TrimSuffix(digits+point, ".")
	case 3:
		return digits + "." + strings.Repeat("0", 1+r.IntN(30))
	}
	return r.one("", "-") + digits
}

func (r instances) string(n *node) string {
	switch {
	case n.Format == "date-time":
		if r.IntN(3) > 0 {
			return fmt.Sprintf(`"%04d-%02d-%02dT%02d:%02d:00.%dZ"`, 1678+r.IntN(584), 1+r.IntN(12), 1+r.IntN(29), r.IntN(24), r.IntN(60), r.IntN(1e9))
		}
		return `"` + r.one("2026-05-01t12:00:00.123456789z", "2026-12-31T23:59:60Z", "1969-12-31T23:59:59.5-23:59", "2026-02-30T00:00:00Z",
			"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z", "2026-05-01T12:00:00.1234567890Z", "2026-05-01", "2026-05-01 12:00:00Z", `2026-05-01T12:00:00\u005a`) + `"`
	case n.Pattern != "":
		octets := make([]byte, r.IntN(7))
		for i := range octets {
			octets[i] = byte(r.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(octets)
		switch r.IntN(4) {
		case 0:
			text = base64.RawStdEncoding.EncodeToString(octets)
		case 1:
			text = r.one("A", "AA", "AAA=", "AB==", "AAB=", "====", "==", "AA==AAAA", "AA=A", "A-_A", "AAAAA", "AAAA\\n") // bits that must be 0, padding astray
		}
		return `"` + text + `"`
	}
	return r.one(`""`, `"a"`, `"a\u0000\"\\\/é"`, `"\ud83d\ude00"`, `"`+strings.Repeat("x", r.IntN(2000))+`"`)
}
