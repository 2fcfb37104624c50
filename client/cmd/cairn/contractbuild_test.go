package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// needTinyGo skips where no compiler for contracts has been built yet.
func needTinyGo(t *testing.T) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "cairn", "tinygo", "*", "run"))
	if err != nil || len(found) == 0 {
		t.Skipf("no TinyGo in %s; scripts/tinygo.sh builds it", filepath.Join(cache, "cairn", "tinygo"))
	}
}

func glob(t *testing.T, pattern ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The contracts of this repository, built by the command line from a module
// somewhere else, come to the bytes that are committed.
func TestBuildIsTheSameEverywhere(t *testing.T) {
	needTinyGo(t)
	var names []string
	for _, sum := range glob(t, repository, "contracts", "*", "*.wasm.sha256") {
		if dir := filepath.Dir(sum); len(glob(t, dir, "main.go")) > 0 { // not the one in Rust
			names = append(names, filepath.Base(dir))
		}
	}
	if len(names) < 3 {
		t.Fatalf("found %q", names)
	}
	if testing.Short() {
		names = names[:1]
	}
	parent := t.TempDir()
	var dirs []string
	for _, name := range names {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, source := range append(glob(t, repository, "contracts", name, "*.go"), filepath.Join(repository, "contracts", name, "manifest.json")) {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(source)), mustRead(t, source), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		moduleLike(t, dir, name)
		dirs = append(dirs, dir)
	}
	out, sentence, code := cairn(t, append([]string{"contract", "build", "--json"}, dirs...)...)
	var results []built
	if code != 0 || json.Unmarshal([]byte(out), &results) != nil || len(results) != len(names) {
		t.Fatalf("exit %d, %s: %s", code, sentence, out)
	}
	for i, r := range results {
		want := string(mustRead(t, repository, "contracts", names[i], names[i]+".wasm.sha256"))
		if line := fmt.Sprintf("%s  %s.wasm\n", r.SHA256, names[i]); line != want {
			t.Errorf("%s is %s, committed is %s", names[i], line, want)
		}
		if got := string(mustRead(t, r.Module+".sha256")); got != want {
			t.Errorf("%s.sha256 says %s", r.Module, got)
		}
	}
}

// What cannot be built is said: no contract, wrong code, no tools.
func TestBuildRefuses(t *testing.T) {
	if _, sentence, code := cairn(t, "contract", "test", t.TempDir()); code != exitFailed || !strings.Contains(sentence, "is no contract in Go") {
		t.Errorf("an empty folder: exit %d, %s", code, sentence)
	}
	fresh := t.TempDir()
	mustCairn(t, "contract", "new", "pumps", "--dir", fresh)
	if _, sentence, code := cairn(t, "contract", "test", filepath.Join(fresh, "pumps")); code != exitFailed || !strings.Contains(sentence, "go mod tidy") {
		t.Errorf("before go mod tidy: exit %d, %s", code, sentence)
	}
	t.Run("without tools", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, sentence, code := cairn(t, "contract", "build"); code != exitFailed || !strings.Contains(sentence, "must be on the PATH") {
			t.Errorf("exit %d, %s", code, sentence)
		}
	})
	t.Run("without LLVM", func(t *testing.T) {
		t.Setenv("CAIRN_LLVM", t.TempDir())
		if _, sentence, code := cairn(t, "contract", "build"); code != exitFailed || !strings.Contains(sentence, "CAIRN_LLVM") {
			t.Errorf("exit %d, %s", code, sentence)
		}
	})
	t.Run("a fault in the source", func(t *testing.T) {
		needTinyGo(t)
		dir := t.TempDir()
		for name, text := range map[string]string{"main.go": "package main\n\nfunc main() { nowhere() }\n", "manifest.json": "{}", "go.mod": "module x\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, sentence, code := cairn(t, "contract", "build", dir); code != exitFailed || !strings.Contains(sentence, "does not build") {
			t.Errorf("exit %d, %s", code, sentence)
		}
	})
}

// The tests' exit code is the command's, and its flags are go test's. Only a
// source that is newer is built.
func TestContractTestPassesThrough(t *testing.T) {
	tools, dir := t.TempDir(), filepath.Join(t.TempDir(), "pumps")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for i, name := range []string{"main.go", "manifest.json", "pumps.wasm", "later_test.go"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for want := range 4 {
		script := fmt.Sprintf("#!/bin/sh\necho ran $*\nexit %d\n", want)
		if err := os.WriteFile(filepath.Join(tools, "go"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
		out, sentence, code := cairn(t, "contract", "test", dir, "--", "-run", "X")
		if code != want || out != "ran test -run X\n" {
			t.Errorf("exit %d, want %d: %s%s", code, want, out, sentence)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "main.go"), long, time.Now()); err != nil {
		t.Fatal(err)
	}
	if stale, err := staleModule(dir); err != nil || !stale {
		t.Errorf("a newer source: %v %v", stale, err)
	}
}

// A check says what a deployment would: that a module is taken and what it uses
// of the limits, or which rule it breaks and where.
func TestCheck(t *testing.T) {
	module := filepath.Join(repository, "contracts", "parking", "parking.wasm")
	out, sentence, code := cairn(t, "contract", "check", module, "--json")
	var c checked
	if code != 0 || json.Unmarshal([]byte(out), &c) != nil || !c.Admitted || c.Refused != nil || len(c.Uses) < 20 {
		t.Fatalf("exit %d, %s: %s", code, sentence, out)
	}
	if !slices.IsSortedFunc(c.Uses, func(a, b checkedUse) int { return b.permille() - a.permille() }) {
		t.Errorf("the nearest limit is not first: %v", c.Uses)
	}
	if sum := string(mustRead(t, module+".sha256")); !strings.HasPrefix(sum, c.CodeHash.String()) {
		t.Errorf("hash %s, the file says %s", c.CodeHash, sum)
	}
	out, _, code = cairn(t, "contract", "check", module)
	if code != 0 || !strings.Contains(out, "parking.occupancy.v1") || !strings.Contains(out, "a ledger would take it") {
		t.Errorf("exit %d: %s", code, out)
	}

	code1 := append([]byte("\x00asm\x01\x00\x00\x00"), 8, 1, 0) // a start section
	bad, manifest := writeFile(t, "bad.wasm", code1), writeFile(t, "m.json", mustRead(t, repository, "contracts", "parking", "manifest.json"))
	out, sentence, code = cairn(t, "contract", "check", bad, "--manifest", manifest, "--json")
	c = checked{}
	if code != exitFailed || json.Unmarshal([]byte(out), &c) != nil || c.Admitted || c.Refused == nil || c.Refused.Rule == "" || !strings.Contains(sentence, c.Refused.Rule) {
		t.Errorf("exit %d, %s: %s", code, sentence, out)
	}
	broken := writeFile(t, "broken.json", []byte(`{"name":"x"}`))
	if _, sentence, code := cairn(t, "contract", "check", module, "--manifest", broken); code != exitFailed || !strings.Contains(sentence, "MANIFEST_INVALID") {
		t.Errorf("a broken manifest: exit %d, %s", code, sentence)
	}
	if _, _, code := cairn(t, "contract", "check", "missing.wasm"); code != exitFailed {
		t.Errorf("a missing module: exit %d", code)
	}
}
