package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	meterSchema = `{"type":"object","properties":{"kwh":{"type":"number","minimum":0}},"required":["kwh"],"additionalProperties":false}`
	// meterNext allows what the first allows, and more.
	meterNext = `{"type":"object","properties":{"kwh":{"type":"number","minimum":0},"site":{"type":"string"}},"required":["kwh"],"additionalProperties":false}`
	// meterBreaks refuses what the ones before allow.
	meterBreaks = `{"type":"object","properties":{"kwh":{"type":"integer","minimum":0}},"required":["kwh"],"additionalProperties":false}`
)

// schemas is `cairn schema` on a network, with files of its own.
type schemas struct {
	shell
	dir string
}

func (s schemas) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// says runs a command that ends with an exit code and says some words.
func (s schemas) says(code int, words string, args ...string) string {
	s.t.Helper()
	out, got := s.run(append([]string{"schema"}, args...)...)
	if got != code || !strings.Contains(out, words) {
		s.t.Fatalf("cairn schema %v: exit %d, want %d and %q\n%s", args, got, code, words, out)
	}
	return out
}

// A type's schema at the command line: checked, registered, followed by another,
// listed, shown, and its events held to it.
func TestSchemasAtTheCommandLine(t *testing.T) {
	s := schemas{shell{t, startNetwork(t, 1)}, t.TempDir()}
	const meter = "meter.reading.v1"
	first, next, breaks := s.file("first.json", meterSchema), s.file("next.json", meterNext), s.file("breaks.json", meterBreaks)
	good := `{"specversion":"1.0","id":"1","source":"/e2e","type":"meter.reading.v1","data":{"kwh":1.5}}` + "\n"
	bad := `{"specversion":"1.0","id":"2","source":"/e2e","type":"meter.reading.v1","data":{"kwh":-1}}` + "\n"

	s.says(1, "SCHEMA_INVALID", "check", s.file("wrong.json", `{"type":"metre"}`))
	s.says(0, "is a schema", "check", first, "--type", meter, "--events", s.file("good.jsonl", good))
	s.says(1, `line 2, event "2"`, "check", first, "--events", s.file("both.jsonl", good+bad))
	s.says(2, "event type", "add", meter)
	s.says(0, "registered version 1 of "+meter, "add", meter, first)
	s.says(1, "SCHEMA_INCOMPATIBLE", "check", breaks, "--type", meter)
	s.says(1, "SCHEMA_INCOMPATIBLE", "add", meter, breaks)
	s.says(0, "may follow version 1 of "+meter, "check", next, "--type", meter)
	s.says(0, "registered version 2", "add", meter, next)
	s.says(0, "from now on", "rule", meter, "full")
	s.says(1, "UNAUTHORIZED", "add", meter, next, "--key", "producer")

	var types []struct{ Type, Compatibility string }
	readJSON(t, s.says(0, meter, "list", "--json"), &types)
	if !slices.ContainsFunc(types, func(one struct{ Type, Compatibility string }) bool {
		return one.Type == meter && one.Compatibility == "full"
	}) {
		t.Errorf("the list has no %s held to full: %+v", meter, types)
	}
	if table := s.says(0, "VERSION", "list", meter); strings.Count(table, "\n") != 3 {
		t.Errorf("two versions:\n%s", table)
	}
	if text := s.says(0, "kwh", "show", meter, "--version", "1"); strings.TrimSpace(text) != meterSchema {
		t.Errorf("version 1 is shown as %s", text)
	}
	var shown struct {
		Text string
		URI  string
	}
	readJSON(t, s.says(0, "", "show", meter, "--json"), &shown)
	if shown.Text != meterNext || shown.URI != "cairn:schema/meter.reading.v1/2" {
		t.Errorf("the newest version: %+v", shown)
	}
	s.says(1, "NOT_FOUND", "show", meter, "--version", "3")
	s.says(1, "NOT_FOUND", "show", "meter.reading.v9")

	if out, code := s.run("submit", s.file("bad.jsonl", bad), "--key", "producer"); code != 1 || !strings.Contains(out, "SCHEMA_MISMATCH") || !strings.Contains(out, "/kwh") {
		t.Errorf("an event that does not conform: exit %d\n%s", code, out)
	}
	if out, code := s.run("submit", s.file("site.jsonl", strings.Replace(good, "1.5", `1.5,"site":"north"`, 1)), "--key", "producer"); code != 0 {
		t.Errorf("an event of the second version: exit %d\n%s", code, out)
	}
}
