package contracts

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

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

// object is a schema of an object, its members in order of their names.
type object struct {
	Draft      string             `json:"$schema,omitempty"`
	Title      string             `json:"title,omitempty"`
	Sealed     bool               `json:"x-sealed,omitempty"`
	Type       any                `json:"type"`
	Properties map[string]*object `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Minimum    json.Number        `json:"minimum,omitempty"`
	Maximum    json.Number        `json:"maximum,omitempty"`
	MultipleOf json.Number        `json:"multipleOf,omitempty"`
	Pattern    string             `json:"pattern,omitempty"`
	Format     string             `json:"format,omitempty"`
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
		v.Pattern = "^[A-Za-z0-9+/]*={0,2}$"
	case abi.KindTime:
		v.Format = "date-time"
	}
	v.Type = kind
	if f.Optional {
		v.Type = []string{kind, "null"}
	}
	return &v
}
