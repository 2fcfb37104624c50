package genesis

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const page = "../docs/genesis.md"

// The example in docs/genesis.md is a document that founds a ledger, in the
// form and with the parameters that `cairnd init` writes.
func TestDocumentedExampleFoundsALedger(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := bytes.Cut(text, []byte("```json\n"))
	example, _, closed := bytes.Cut(after, []byte("```\n"))
	if !found || !closed {
		t.Fatalf("%s has no JSON example", page)
	}
	doc, err := Parse(example)
	if err != nil {
		t.Fatalf("%s: the example: %v", page, err)
	}
	if doc.Params != DefaultParams() {
		t.Errorf("%s shows the parameters %+v, a new network has %+v", page, doc.Params, DefaultParams())
	}
	if !bytes.Equal(compact(t, example), compact(t, doc.Bytes())) {
		t.Errorf("%s: the example's fields are not in the order that is written:\n%s", page, doc.Bytes())
	}
}

func compact(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Every field and every role has its row.
func TestEveryFieldIsDocumented(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(testDocument(t).Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, value := range document {
		switch value := value.(type) {
		case map[string]any:
			for field := range value {
				names = append(names, name+"."+field)
			}
		case []any:
			for field := range value[0].(map[string]any) {
				names = append(names, name+"[]."+field)
			}
		default:
			names = append(names, name)
		}
	}
	for _, name := range append(names, roleNames...) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s does not mention `%s`", page, name)
		}
	}
}
