package main

import (
	"bytes"
	"encoding/json"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// repository is the root of the checkout that this test belongs to.
const repository = "../../.."

func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// moduleLike gives a folder a go.mod with the requirements and checksums of
// this repository, so that what is in it builds without asking a proxy.
func moduleLike(t *testing.T, dir, name string) {
	t.Helper()
	file, err := modfile.Parse("go.mod", mustRead(t, repository, "go.mod"), nil)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err == nil {
		err = file.AddModuleStmt(name)
	}
	if err == nil {
		err = file.AddRequire(modulePath, "v0.0.0")
	}
	if err == nil {
		err = file.AddReplace(modulePath, "", root, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := file.Format()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "go.sum"), mustRead(t, repository, "go.sum"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A new contract is formatted, says its name everywhere, has the manifest that
// its source registers, and passes its own
// tests: natively, and built, on a ledger in memory.
func TestNewContractIsSound(t *testing.T) {
	parent := t.TempDir()
	out, sentence, code := cairn(t, "contract", "new", "cold-chain", "--dir", parent, "--replace", repository)
	if code != 0 || !strings.Contains(out, "go mod tidy") || !strings.Contains(out, "dropreplace") {
		t.Fatalf("exit %d, %s: %s", code, sentence, out)
	}
	dir := filepath.Join(parent, "cold-chain")
	for _, f := range templateWords {
		text := mustRead(t, dir, f.file)
		if bytes.Contains(text, []byte("{{N")) || !strings.Contains(out, f.file) {
			t.Errorf("%s: a placeholder is left, or the tree lacks it", f.file)
		}
		if filepath.Ext(f.file) != ".go" {
			continue
		}
		if formatted, err := format.Source(text); err != nil || !bytes.Equal(formatted, text) {
			t.Errorf("%s is not formatted (%v)", f.file, err)
		}
	}
	mod, err := modfile.Parse("go.mod", mustRead(t, dir, "go.mod"), nil)
	if err != nil || mod.Module.Mod.Path != "cold-chain" || len(mod.Require) != 1 || len(mod.Replace) != 1 {
		t.Fatalf("go.mod: %v", err)
	}
	own, err := modfile.Parse("go.mod", mustRead(t, repository, "go.mod"), nil)
	if err != nil || own.Go.Version != goDirective || mod.Go.Version != goDirective {
		t.Errorf("a new go.mod says %s, this module's %s", goDirective, own.Go.Version)
	}
	if m, err := abi.ParseManifest(mustRead(t, dir, "manifest.json")); err != nil || m.Name != "cold-chain" {
		t.Errorf("manifest: %v", err)
	}
	moduleLike(t, dir, "cold-chain")
	test := exec.Command("go", "test", "-run", "Manifest|Alert", ".")
	test.Dir = dir
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	needTinyGo(t)
	if out, sentence, code := cairn(t, "contract", "test", dir); code != 0 || !strings.Contains(out, "ok") {
		t.Errorf("exit %d, %s: %s", code, sentence, out)
	}
}

func TestNewContractRefuses(t *testing.T) {
	parent := t.TempDir()
	if err := os.MkdirAll(filepath.Join(parent, "taken", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		code       int
	}{
		{"Parking", "only a-z", exitUsage}, {"9lives", "only a-z", exitUsage}, {"a/b", "only a-z", exitUsage}, {"", "bytes", exitUsage},
		{strings.Repeat("a", abi.MaxName+1), "bytes", exitUsage},
		{"time", "Go's own library", exitUsage}, {"taken", "nothing is overwritten", exitFailed},
	} {
		_, sentence, code := cairn(t, "contract", "new", c.name, "--dir", parent)
		if code != c.code || !strings.Contains(sentence, c.want) {
			t.Errorf("%q: exit %d, %s", c.name, code, sentence)
		}
	}
	if _, sentence, code := cairn(t, "contract", "new", "a", "--dir", parent, "--replace", parent); code != exitUsage || !strings.Contains(sentence, "no go.mod") {
		t.Errorf("--replace of another folder: exit %d, %s", code, sentence)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("refused commands left %v", entries)
	}
}

// In a checkout a contract is a package of it; a build without a version says
// what to do.
func TestNewContractInACheckout(t *testing.T) {
	checkout := t.TempDir()
	if err := os.WriteFile(filepath.Join(checkout, "go.mod"), []byte("module "+modulePath+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, sentence, code := cairn(t, "contract", "new", "pumps", "--dir", filepath.Join(checkout, "contracts"), "--json")
	var said struct {
		Dir   string
		Files []string
		Next  []string
	}
	if code != 0 || json.Unmarshal([]byte(out), &said) != nil || slices.Contains(said.Files, "go.mod") || strings.Contains(said.Next[0], "tidy") {
		t.Errorf("exit %d, %s: %s", code, sentence, out)
	}
	n := newContract{name: "pumps", dir: "pumps"}
	if next := n.next(); !strings.Contains(next[0], "go mod edit -replace") {
		t.Errorf("a development build: %q", next)
	}
	n.version = "v1.2.3"
	if next, mod := n.next(), n.goMod(); strings.Contains(next[0], "edit") || !strings.Contains(mod, modulePath+" v1.2.3") {
		t.Errorf("a released build: %q %s", next, mod)
	}
}
