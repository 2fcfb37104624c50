package protocol

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite vectors and generated documentation")

// The table of codes in docs/protocol.md is the one of this package.
func TestDocumentedCodesAreTheCodes(t *testing.T) {
	const path = "../../docs/protocol.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const marker = "<!-- codes: checked by client/protocol -->\n"
	head, table, found := bytes.Cut(page, []byte(marker))
	if !found {
		t.Fatal("docs/protocol.md has no marker before its table of codes")
	}
	table, tail, _ := bytes.Cut(table, []byte("\n\n"))
	var want bytes.Buffer
	fmt.Fprint(&want, "| code | name | retry | meaning |\n|---|---|---|---|\n")
	for _, c := range Codes() {
		retry := ""
		if c.Retryable() {
			retry = "yes"
		}
		fmt.Fprintf(&want, "| %d | %s | %s | %s |\n", c, c.Name(), retry, c.Meaning())
	}
	if *rewrite {
		page = slices.Concat(head, []byte(marker), want.Bytes(), []byte("\n"), tail)
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(table)+"\n" != want.String() {
		t.Fatal("docs/protocol.md and the code disagree; run go test ./client/protocol -rewrite")
	}
}
