package sim

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// Every limit has a use, and every use is exact: the rules admit the module
// when the limit is what it uses, and refuse it when it is one less.
func TestUsesAreExact(t *testing.T) {
	files, err := filepath.Glob("../../contracts/*/*.wasm")
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	for _, file := range append(files, "../internal/vm/testdata/kernels.wasm", "../internal/vm/testdata/hostile.wasm") {
		code, err := os.ReadFile(file)
		must(t, err)
		var r Report
		r.measure(code)
		fields := reflect.TypeOf(module.Limits{})
		if len(r.Uses) != fields.NumField() {
			t.Fatalf("%s: %d uses of %d limits", file, len(r.Uses), fields.NumField())
		}
		for _, use := range r.Uses {
			limits := module.Contract()
			limit := reflect.ValueOf(&limits).Elem().FieldByName(use.Limit)
			if use.Max != int(limit.Int()) {
				t.Errorf("the limit %s is %d, the report has %d", use.Limit, limit.Int(), use.Max)
			}
			if use.Limit == meteredBytes || use.Used == 0 {
				continue // metering has its own; what is not used cannot be less
			}
			limit.SetInt(int64(use.Used))
			if _, err := module.Parse(code, &limits); err != nil {
				t.Errorf("%s: uses %d of %s, and with that limit: %v", file, use.Used, use.Limit, err)
			}
			limit.SetInt(int64(use.Used - 1))
			if _, err := module.Parse(code, &limits); err == nil {
				t.Errorf("%s: uses %d of %s, and one less is enough", file, use.Used, use.Limit)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	code, err := os.ReadFile("../../contracts/parking/parking.wasm")
	must(t, err)
	manifest, err := os.ReadFile("../../contracts/parking/manifest.json")
	must(t, err)
	report, err := Check(code, manifest)
	if err != nil || report.Manifest.Name != "parking" || report.Init.Code != protocol.CodeOK || len(report.Exports) < 4 {
		t.Errorf("parking: %+v, %v", report, err)
	}
	for _, use := range report.Uses {
		t.Logf("%-15s %9d of %9d  %s", use.Limit, use.Used, use.Max, use.Function)
		if use.Used > use.Max {
			t.Errorf("parking uses %d of %s, the limit is %d", use.Used, use.Limit, use.Max)
		}
	}
	event := func(body asm.Code) []byte {
		m := asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportEvent, "", body+done)}}
		return m.Bytes()
	}
	// The custom section "name", of which function 22 is the only own one.
	names := "\x00\x0d\x04name\x01\x06\x01\x16\x03bad"
	for _, c := range []struct {
		name           string
		code, manifest []byte
		want           protocol.Code
		rule, text     string
	}{
		{"sound", event(""), asm.Manifest("sound", "a.v1"), protocol.CodeOK, "", ""},
		{"nested", []byte(string(event(strings.Repeat("\x03\x40", 17)+strings.Repeat(asm.End, 17))) + names), asm.Manifest("a", "a.v1"),
			protocol.CodeContractInvalid, "loop-nesting", "function 22 (bad): 17 nested loops"},
		{"untyped", event(asm.I64Add), asm.Manifest("a", "a.v1"), protocol.CodeContractInvalid, "validation", "i64.add"},
		{"no module", []byte("text"), asm.Manifest("a", "a.v1"), protocol.CodeContractInvalid, "format", "not a WebAssembly"},
		{"no manifest", event(""), []byte("{"), protocol.CodeManifestInvalid, "", ""},
		{"a call that is not exported", event(""), []byte(`{"name":"a","version":"1","abi":1,"calls":[{"name":"c","fields":[]}]}`),
			protocol.CodeContractInvalid, "", abi.ExportCall},
		{"too large", make([]byte, protocol.MaxCodeBytes+1), asm.Manifest("a", "a.v1"), protocol.CodeContractInvalid, "module-bytes", ""},
	} {
		_, err := Check(c.code, c.manifest)
		code, known := protocol.CodeOf(err)
		if code != c.want || !known || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Rule != c.rule {
			t.Errorf("%s: rule %q, want %q", c.name, refusal.Rule, c.rule)
		}
	}
	// What the initialisation says of absent arguments is no refusal of the module.
	needs := asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportInit, "", done)}}
	report, err = Check(needs.Bytes(), []byte(`{"name":"a","version":"1","abi":1,"init":{"fields":[{"name":"x","kind":"int"}]}}`))
	if err != nil || report.Init.Code != protocol.CodeArgument {
		t.Errorf("an initialisation with an argument: %+v, %v", report.Init, err)
	}
}
