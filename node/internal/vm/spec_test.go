package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// specCommand is one line of the WebAssembly specification's own test suite,
// compiled to JSON by wast2json. The suite ships with wazero's module.
type specCommand struct {
	Type       string
	Line       int
	Name       string
	Filename   string
	As         string
	ModuleType string `json:"module_type"`
	Text       string
	Action     struct {
		Type   string
		Field  string
		Module string
		Args   []specValue
	}
	Expected []specValue
}

type specValue struct {
	Type  string
	Value any
}

// specCounts are what ran; they may not shrink.
type specCounts struct{ modules, refused, commands, skipped int }

// TestSpecification runs every module of the official suite that the decoder
// understands through the metering, on both engines, and requires the results
// the suite asks for: canonical NaNs, traps where it traps, and running out
// of depth or gas where it exhausts the stack.
func TestSpecification(t *testing.T) {
	dir := specDir(t)
	floor := map[string]specCounts{
		"v1": {modules: 780, commands: 18_050},
		"v2": {modules: 966, commands: 23_316},
	}
	for _, engine := range []string{"compiler", "interpreter"} {
		for _, version := range []string{"v1", "v2"} {
			t.Run(engine+"/"+version, func(t *testing.T) {
				t.Parallel()
				files, err := filepath.Glob(filepath.Join(dir, version, "testdata", "*.json"))
				if err != nil || len(files) == 0 {
					t.Fatalf("no suite: %v", err)
				}
				var total specCounts
				for _, file := range files {
					s := &specRun{t: t, dir: filepath.Dir(file), interpreter: engine == "interpreter", shared: dir}
					s.file(file)
					total.modules += s.counts.modules
					total.refused += s.counts.refused
					total.commands += s.counts.commands
					total.skipped += s.counts.skipped
				}
				t.Logf("%s %s: %d commands ran in %d modules; %d modules are not admitted, %d commands with them skipped",
					engine, version, total.commands, total.modules, total.refused, total.skipped)
				if total.commands < floor[version].commands || total.modules < floor[version].modules {
					t.Errorf("fewer than before: want at least %+v", floor[version])
				}
			})
		}
	}
}

func specDir(t *testing.T) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("wazero's module: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

// specRun is one file of the suite on one engine.
type specRun struct {
	t           *testing.T
	dir, shared string
	interpreter bool
	runtime     wazero.Runtime
	limits      module.Limits
	name        string
	commands    []specCommand
	current     api.Module // nil when its module is not admitted
	named       map[string]api.Module
	unknown     map[string]bool // registered names whose module is not admitted
	counts      specCounts
}

func (s *specRun) errorf(c specCommand, format string, args ...any) {
	s.t.Helper()
	if slices.Contains(otherwise, s.name+":"+strconv.Itoa(c.Line)) {
		return
	}
	s.t.Errorf("%s:%d %s: %s", s.name, c.Line, c.Type, fmt.Sprintf(format, args...))
}

func (s *specRun) file(path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var file struct{ Commands []specCommand }
	if err := json.Unmarshal(raw, &file); err != nil {
		s.t.Fatal(err)
	}
	s.name, s.commands = filepath.Base(path), file.Commands
	s.named, s.unknown = map[string]api.Module{}, map[string]bool{}
	// Structure is bounded here by the module's size alone: the suite has
	// hundreds of functions and exports, and tests for sizes over any limit.
	s.limits = module.Contract()
	s.limits.Exports, s.limits.Globals, s.limits.NameBytes, s.limits.Params = 5_000, 5_000, 5_000, 5_000
	s.limits.TableEntries, s.limits.MemoryPages, s.limits.Locals, s.limits.BranchTable = math.MaxInt32, 65_536, 1_100, 100_000
	s.limits.BranchTables, s.limits.Blocks, s.limits.Nesting, s.limits.BodyBytes = 1_000_000, 10_000, 1_000, 1<<20
	s.limits.LocalsByBlocks, s.limits.LoopNesting, s.limits.Work = math.MaxInt32, 1_000, math.MaxInt
	ctx := context.Background()
	config := wazero.NewRuntimeConfigCompiler()
	if s.interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	s.runtime = wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(features))
	defer s.runtime.Close(ctx)
	if wasm, err := os.ReadFile(filepath.Join(s.shared, "testdata", "spectest.wasm")); err != nil {
		s.t.Fatal(err)
	} else if _, err := s.runtime.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		s.t.Fatal(err)
	}
	for i, c := range s.commands {
		s.command(i, c)
	}
}

func (s *specRun) command(i int, c specCommand) {
	switch c.Type {
	case "module":
		s.module(i, c)
	case "register":
		// instantiate gave it the name already
	case "action", "assert_return":
		if m := s.target(c); m != nil {
			s.returns(c, m)
		}
	case "assert_trap", "assert_exhaustion":
		if m := s.target(c); m != nil {
			s.traps(c, m)
		}
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType == "binary" || c.ModuleType == "" {
			s.refuses(c)
		}
	default:
		s.errorf(c, "unknown command")
	}
}

// load reads, meters and instantiates a module; admitted is false when the
// decoder does not understand it, by a rule other than "format".
func (s *specRun) load(c specCommand, as string) (m api.Module, admitted bool, err error) {
	binary, err := os.ReadFile(filepath.Join(s.dir, c.Filename))
	if err != nil {
		s.t.Fatal(err)
	}
	parsed, err := module.Parse(binary, &s.limits)
	if err != nil {
		var fault *module.Fault
		if !errors.As(err, &fault) {
			s.errorf(c, "untyped error %v", err)
		}
		return nil, fault.Rule == "format" && !strings.Contains(fault.Text, "section 12"), err
	}
	for _, i := range parsed.Imports {
		if s.unknown[i.Module] {
			return nil, false, errors.New("imports a module that is not admitted")
		}
	}
	metered, err := meter.Inject(parsed, &s.limits, meter.Options{Gas: math.MaxInt64, Depth: meter.MaxDepth})
	if err != nil {
		return nil, true, err
	}
	config := wazero.NewModuleConfig().WithName(as).WithStartFunctions()
	m, err = s.runtime.InstantiateWithConfig(context.Background(), metered, config)
	return m, true, err
}

func (s *specRun) module(i int, c specCommand) {
	as := ""
	for _, later := range s.commands[i+1:] {
		if later.Type == "register" && later.Name == c.Name {
			as = later.As
		}
		if later.Type == "module" || as != "" {
			break
		}
	}
	m, admitted, err := s.load(c, as)
	s.current = m
	if c.Name != "" {
		s.named[c.Name] = m
	}
	switch {
	case !admitted:
		s.counts.refused++
		s.current = nil
		s.unknown[as] = as != ""
	case err != nil:
		s.errorf(c, "%s: %v", c.Filename, err)
	default:
		s.counts.modules++
	}
}

func (s *specRun) target(c specCommand) api.Module {
	m := s.current
	if c.Action.Module != "" {
		m = s.named[c.Action.Module]
	}
	if m == nil {
		s.counts.skipped++
		return nil
	}
	s.counts.commands++
	return m
}

// invoke calls a function or reads a global.
func (s *specRun) invoke(c specCommand, m api.Module) ([]uint64, error) {
	if c.Action.Type == "get" {
		return []uint64{m.ExportedGlobal(c.Action.Field).Get()}, nil
	}
	var args []uint64
	for _, a := range c.Action.Args {
		v, _ := a.bits()
		args = append(args, v)
	}
	m.ExportedGlobal(meter.GasExport).(api.MutableGlobal).Set(1 << 33)
	m.ExportedGlobal(meter.DepthExport).(api.MutableGlobal).Set(meter.MaxDepth)
	return m.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
}

func (s *specRun) returns(c specCommand, m api.Module) {
	got, err := s.invoke(c, m)
	if err != nil {
		s.errorf(c, "%s: %v", c.Action.Field, err)
		return
	}
	if c.Type == "action" {
		return
	}
	if len(got) != len(c.Expected) {
		s.errorf(c, "%s: %d results, want %d", c.Action.Field, len(got), len(c.Expected))
		return
	}
	for i, e := range c.Expected {
		want, known := e.bits()
		if known && e.width(got[i]) != want {
			s.errorf(c, "%s: result %#x, want %#x", c.Action.Field, got[i], want)
		}
	}
	// A finished call leaves the depth as it was.
	if d := m.ExportedGlobal(meter.DepthExport).Get(); c.Action.Type == "invoke" && d != meter.MaxDepth {
		s.errorf(c, "%s: depth is %d after the call", c.Action.Field, int32(d))
	}
}

func (s *specRun) traps(c specCommand, m api.Module) {
	_, err := s.invoke(c, m)
	if err == nil {
		s.errorf(c, "%s: did not trap", c.Action.Field)
		return
	}
	out := int32(m.ExportedGlobal(meter.DepthExport).Get()) < 0 || int64(m.ExportedGlobal(meter.GasExport).Get()) < 0
	if exhausts := c.Type == "assert_exhaustion"; out != exhausts || strings.Contains(err.Error(), "stack overflow") {
		s.errorf(c, "%s: out of gas or depth = %v, want %v: %v", c.Action.Field, out, exhausts, err)
	}
}

// otherwise are commands of v2 that follow v1 here, because they need the
// reference types that features leaves out: a module whose segments do not
// fit writes none of them (contracts import no memory and no table), and the
// targets of a br_table in unreachable code must agree.
var otherwise = []string{
	"linking.json:275", "linking.json:288", "linking.json:406", "linking.json:419", "unreached-valid.json:49",
}

func (s *specRun) refuses(c specCommand) {
	m, _, err := s.load(c, "")
	if err == nil {
		m.Close(context.Background())
		s.errorf(c, "%s (%s) is accepted", c.Filename, c.Text)
		return
	}
	s.counts.commands++
}

// bits are a value's bits; known is false for a NaN of any payload, which the
// metering makes canonical, so that only references are unknown.
func (v specValue) bits() (bits uint64, known bool) {
	text, _ := v.Value.(string)
	switch v.Type {
	case "i32", "i64", "f32", "f64":
	default:
		return 0, false
	}
	switch text {
	case "nan:canonical":
		if v.Type == "f32" {
			return 0x7fc00000, true
		}
		return 0x7ff8000000000000, true
	case "nan:arithmetic":
		return 0, false
	}
	bits, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return bits, true
}

// width cuts a result to the value's type; a canonical NaN may have any sign
// where the operation only copies bits.
func (v specValue) width(bits uint64) uint64 {
	if v.Type == "i32" || v.Type == "f32" {
		bits &= math.MaxUint32
	}
	if text, _ := v.Value.(string); text == "nan:canonical" {
		if v.Type == "f32" {
			return bits &^ (1 << 31)
		}
		return bits &^ (1 << 63)
	}
	return bits
}
