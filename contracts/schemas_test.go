package contracts

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the schemas of the shipped contracts")

// spoken are the prefixes of the types that producers speak to a contract in;
// what else it hears is another contract's to say.
var spoken = map[string][]string{
	"escrow": {"project."}, "maintenance": {"machine.", "maintenance."}, "metering": {"metering."}, "parking": {"parking."},
	"rules": {"rules."}, "saga": {"order.", "payment.", "stock.", "shipment."},
}

// The schemas follow from the manifests: what a contract reads of an event must
// be there and of its kind. Other members are nobody's business, and neither is
// an event of which the contract reads nothing.
func TestSchemasFollowFromManifests(t *testing.T) {
	for _, name := range shipped {
		_, text, err := Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := abi.ParseManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		var list []Schema
		for _, event := range manifest.Events {
			if len(event.Fields) == 0 || !slices.ContainsFunc(spoken[name], func(p string) bool { return strings.HasPrefix(event.Type, p) }) {
				continue
			}
			source, err := json.Marshal(document(event.Type, event.Fields))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := schema.Compile(source); err != nil {
				t.Fatalf("%s: %v", event.Type, err)
			}
			list = append(list, Schema{event.Type, source})
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(list); err != nil {
			t.Fatal(err)
		}
		path := name + "/schemas.json"
		if *rewrite {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s does not follow from the manifest (%v); run go test ./contracts -rewrite", path, err)
		}
	}
	if all, err := Schemas(); err != nil || len(all) < 20 {
		t.Errorf("%d schemas, %v", len(all), err)
	}
}

// Days of nearly six hundred years, and days that are none: the patterns take
// what the ledger takes as a time.
func TestTimePatternsAreTheLedgersTimes(t *testing.T) {
	form, calendar := regexp.MustCompile(timePattern), regexp.MustCompile(dayPattern)
	texts := []string{"2026-01-01T24:00:00Z", "2026-01-01T23:60:00Z", "2026-01-01T23:59:60Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
		"2026-01-01T00:00:00.123456789+23:59", "2026-01-01T00:00:00-24:00", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01T00:00:00Z\n", "1678-01-01T00:00:00+23:59", "2261-12-31T23:59:59.999999999-23:59"}
	for year := 1678; year < 2262; year++ {
		for month := range 14 {
			for _, day := range []int{0, 1, 9, 10, 19, 20, 28, 29, 30, 31, 32} {
				texts = append(texts, fmt.Sprintf("%04d-%02d-%02dT12:30:00Z", year, month, day))
			}
		}
	}
	for _, text := range texts {
		_, err := protocol.ParseTime([]byte(text))
		if takes := form.MatchString(text) && calendar.MatchString(text); takes != (err == nil) {
			t.Fatalf("%q: the patterns say %v, the ledger %v", text, takes, err)
		}
	}
	for _, beyond := range []string{"1677-12-31T00:00:00Z", "2262-01-01T00:00:00Z", "0000-01-01T00:00:00Z"} {
		if form.MatchString(beyond) {
			t.Errorf("%s is taken", beyond)
		}
	}
}

// object is a schema of an object, its members in order of their names.
type object struct {
	Draft      string             `json:"$schema,omitempty"`
	Title      string             `json:"title,omitempty"`
	Sealed     bool               `json:"x-sealed,omitempty"`
	Type       any                `json:"type,omitempty"`
	Properties map[string]*object `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Minimum    json.Number        `json:"minimum,omitempty"`
	Maximum    json.Number        `json:"maximum,omitempty"`
	MultipleOf json.Number        `json:"multipleOf,omitempty"`
	Pattern    string             `json:"pattern,omitempty"`
	Format     string             `json:"format,omitempty"`
	AllOf      []*object          `json:"allOf,omitempty"`
}

func document(eventType string, fields []abi.Field) *object {
	top := &object{Draft: schema.Draft, Title: eventType, Sealed: true, Type: "object"}
	for _, f := range fields {
		at := top
		path := f.Path
		if len(path) == 0 {
			path = []string{f.Name}
		}
		for i, member := range path {
			if at.Properties == nil {
				at.Properties = map[string]*object{}
			}
			if !f.Optional && !slices.Contains(at.Required, member) {
				at.Required = append(at.Required, member)
			}
			next := at.Properties[member]
			if i == len(path)-1 {
				next = value(f)
			} else if next == nil {
				next = &object{Type: "object"}
			}
			at.Properties[member], at = next, next
		}
	}
	return top
}

// base64Pattern is of padded base64 (RFC 4648, section 4), the bits that no
// octet has being 0.
const base64Pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"

// Times of RFC 3339 as the ledger reads them: timePattern of the whole years
// that nanoseconds in 64 bits reach, 1678 to 2261, without a leap second, with
// at most nine digits of a second; dayPattern of a day that is in the calendar.
const (
	timePattern = `^(167[89]|16[89]\d|1[789]\d\d|2[01]\d\d|22[0-5]\d|226[01])-\d\d-\d\d` +
		`T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	dayPattern = `^(\d{4}-((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|` +
		`(\d\d(0[48]|[2468][048]|[13579][26])|2000)-02-29)T`
)

func value(f abi.Field) *object {
	var v object
	kind := "string"
	switch f.Kind {
	case abi.KindUint:
		kind, v.Minimum, v.Maximum = "integer", "0", "18446744073709551615"
	case abi.KindInt:
		kind, v.Minimum, v.Maximum = "integer", "-9223372036854775808", "9223372036854775807"
	case abi.KindDecimal:
		kind, v.MultipleOf = "number", json.Number(fmt.Sprintf("1e-%d", f.Scale))
		v.Minimum, v.Maximum = json.Number(fmt.Sprintf("-9223372036854775808e-%d", f.Scale)), json.Number(fmt.Sprintf("9223372036854775807e-%d", f.Scale))
	case abi.KindBool:
		kind = "boolean"
	case abi.KindBytes:
		v.Pattern = base64Pattern
	case abi.KindTime:
		v.Format, v.Pattern, v.AllOf = "date-time", timePattern, []*object{{Pattern: dayPattern}} // the format says nothing about validity
	}
	v.Type = kind
	if f.Optional {
		v.Type = []string{kind, "null"}
	}
	return &v
}
