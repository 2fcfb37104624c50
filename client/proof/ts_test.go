package proof

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// typeScript is the folder of the verifier in TypeScript.
var typeScript = filepath.Join("..", "verify-ts")

// offline marks npm's complaints about a registry that is out of reach.
var offline = []string{"ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENOTCACHED", "ECONNRESET"}

var prepare = sync.OnceValues(func() (complaint string, err error) {
	if complaint, err = install(typeScript); err != nil {
		return complaint, err
	}
	out, err := runIn(typeScript, "npm", "run", "build")
	return string(out), err
})

// install fetches what a folder's package depends on, unless it is there.
func install(folder string) (complaint string, err error) {
	if !newer(filepath.Join(folder, "node_modules", ".package-lock.json"), filepath.Join(folder, "package-lock.json")) {
		return "", nil
	}
	out, err := runIn(folder, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")
	return string(out), err
}

// newer says whether the second file changed after the first, or the first is not there.
func newer(first, second string) bool {
	a, errA := os.Stat(first)
	b, errB := os.Stat(second)
	return errA != nil || errB != nil || b.ModTime().After(a.ModTime())
}

func runIn(folder, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	return cmd.CombinedOutput()
}

func inTypeScript(name string, args ...string) ([]byte, error) {
	return runIn(typeScript, name, args...)
}

// needNode skips a test where Node is not installed, or not asked for.
func needNode(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("the verifier in TypeScript is not built in a short run")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the verifier in TypeScript goes untested", program)
		}
	}
}

// installed skips a test where npm cannot reach its registry.
func installed(t *testing.T, complaint string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, mark := range offline {
		if strings.Contains(complaint, mark) {
			t.Skipf("npm cannot fetch what this test depends on:\n%s", complaint)
		}
	}
	t.Fatalf("installing with npm: %v\n%s", err, complaint)
}

// builtTypeScript builds the verifier, or skips the test where that is not possible.
func builtTypeScript(t *testing.T) {
	t.Helper()
	needNode(t)
	complaint, err := prepare()
	installed(t, complaint, err)
}

// TestTransmuteReadsOurCose has @transmute/cose, by an author of RFC 9942,
// verify the published COSE receipts.
func TestTransmuteReadsOurCose(t *testing.T) {
	needNode(t)
	folder := filepath.Join("..", "..", "scripts", "interop", "cose")
	complaint, err := install(folder)
	installed(t, complaint, err)
	if out, err := runIn(folder, "npm", "test"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDocumentedTablesInTypeScript holds the tables of the verifier in
// TypeScript to the protocol's: names of codes, of entries and of movements.
func TestDocumentedTablesInTypeScript(t *testing.T) {
	var want bytes.Buffer
	fmt.Fprint(&want, "// Written by `make vectors` from client/protocol: names that the protocol gives to numbers.\n")
	table := func(doc, name string, rows func(yield func(n int, name string) bool)) {
		fmt.Fprintf(&want, "\n/** %s */\nexport const %s: Readonly<Record<number, string>> = {\n", doc, name)
		for n, name := range rows {
			fmt.Fprintf(&want, "  %d: '%s',\n", n, name)
		}
		fmt.Fprint(&want, "};\n")
	}
	table("Codes of docs/protocol.md, section 9.", "CODES", func(yield func(int, string) bool) {
		for _, code := range protocol.Codes() {
			if !yield(int(code), code.Name()) {
				return
			}
		}
	})
	table("Kinds of entries.", "ENTRY_KINDS", named(func(n int) string { return protocol.EntryKind(n).String() }))
	table("Kinds of transactions.", "TX_KINDS", named(func(n int) string { return protocol.TxKind(n).String() }))
	table("Kinds of operations on tokens and of movements.", "TOKEN_KINDS", named(func(n int) string { return protocol.TokenKind(n).String() }))
	table("Operations on accounts.", "ACCOUNT_OPS", named(func(n int) string { return protocol.AccountOp(n).String() }))
	table("Actions of proposals.", "GOV_KINDS", named(func(n int) string { return protocol.GovKind(n).String() }))
	table("Steps of governance.", "GOV_STEPS", named(func(n int) string { return protocol.GovStep(n).String() }))
	table("Rulings on disputes.", "RULINGS", named(func(n int) string { return protocol.Ruling(n).String() }))
	table("Reasons of erasures.", "ERASE_REASONS", named(func(n int) string { return protocol.EraseReason(n).String() }))
	table("Compatibility rules of schemas.", "SCHEMA_RULES", named(func(n int) string { return protocol.SchemaRule(n).String() }))
	path := filepath.Join(typeScript, "src", "tables.ts")
	if *rewrite {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if published, err := os.ReadFile(path); err != nil || !bytes.Equal(published, want.Bytes()) {
		t.Errorf("%s and client/protocol disagree (%v); run make vectors", path, err)
	}
}

// named lists the small numbers that have a name.
func named(of func(n int) string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		for n := range 256 {
			if name := of(n); !strings.HasSuffix(name, fmt.Sprintf("-%d", n)) && !yield(n, name) {
				return
			}
		}
	}
}

// TestTypeScript runs the tests of the verifier in TypeScript: the published
// vectors, its own rules, and the page where Chromium is installed.
func TestTypeScript(t *testing.T) {
	builtTypeScript(t)
	out, err := inTypeScript("npm", "test")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte("# SKIP")) {
			t.Logf("%s", bytes.TrimSpace(line))
		}
	}
}

// TestTypeScriptAgrees has both verifiers judge the same receipts, sound and
// spoilt: they accept the same, state the same, and name the same failed check.
func TestTypeScriptAgrees(t *testing.T) {
	builtTypeScript(t)
	c := newCorpus(t)
	c.random(1000)
	c.binaries()
	c.texts()
	c.payloads()
	c.strangeKeys()
	c.trusts()
	c.batches()
	c.streams()
	c.exports()
	c.helds()
	c.erasures()
	out, err := inTypeScript("node", filepath.Join("scripts", "differential.mjs"), c.close())
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
