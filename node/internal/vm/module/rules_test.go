package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// builder assembles a module, good unless a test spoils it: one memory, one
// entry point cairn_event that answers 0, and the functions a test adds.
type builder struct {
	types    []string // encodings
	imports  []string
	bodies   []string // of functions of type 1, () -> ()
	table    string
	memory   string
	globals  []string
	exports  []string
	start    string
	elements []string
	data     []string
	custom   string
}

func u(v int) string { return string(binary.AppendUvarint(nil, uint64(v))) }

func name(s string) string { return u(len(s)) + s }

// vector is a section's contents, nothing for no items.
func vector(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return u(len(items)) + strings.Join(items, "")
}

// body is a function's body with runs of locals.
func body(locals []string, code string) string {
	b := u(len(locals)) + strings.Join(locals, "") + code + "\x0b"
	return u(len(b)) + b
}

func newBuilder() *builder {
	return &builder{
		types:   []string{"\x60\x02\x7f\x7f\x01\x7f", "\x60\x00\x00"},
		memory:  "\x01\x00\x01",
		exports: []string{name("memory") + "\x02\x00", ""},
	}
}

func (b *builder) bytes() []byte {
	functions := []string{"\x00"}
	bodies := []string{body(nil, "\x41\x00")}
	for _, f := range b.bodies {
		functions = append(functions, "\x01")
		bodies = append(bodies, f)
	}
	imported := len(b.imports) // all of them functions, unless a test says otherwise
	exports := append([]string(nil), b.exports...)
	if len(exports) > 1 && exports[1] == "" {
		exports[1] = name("cairn_event") + "\x00" + u(imported)
	}
	var out bytes.Buffer
	out.Write(header)
	out.WriteString(b.custom)
	for id, contents := range []string{
		SectionType: vector(b.types), SectionImport: vector(b.imports), SectionFunction: vector(functions),
		SectionTable: b.table, SectionMemory: b.memory, SectionGlobal: vector(b.globals),
		SectionExport: vector(exports), SectionStart: b.start, SectionElement: vector(b.elements),
		SectionCode: vector(bodies), SectionData: vector(b.data),
	} {
		if contents != "" {
			out.WriteByte(byte(id))
			out.WriteString(u(len(contents)) + contents)
		}
	}
	return out.Bytes()
}

var hostFunctions = map[string]FuncType{"log": NewFuncType(0, I32, I32)}

func admit(code []byte) error {
	l := Contract()
	m, err := Parse(code, &l)
	if err != nil {
		return err
	}
	return m.Admit(hostFunctions)
}

// add appends functions of type () -> ().
func add(code ...string) func(*builder) {
	return func(b *builder) {
		for _, c := range code {
			b.bodies = append(b.bodies, body(nil, c))
		}
	}
}

func repeat(n int, s string) string { return strings.Repeat(s, n) }

// targets are the labels 0 to n-1 of a br_table.
func targets(n int) string {
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = byte(i)
	}
	return string(labels)
}

func many(n int, s string) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = s
	}
	return items
}

const block, loop, end = "\x02\x40", "\x03\x40", "\x0b"

func TestRules(t *testing.T) {
	l := Contract()
	cases := []struct {
		name     string
		spoil    func(*builder)
		rule     string // "" when it is admitted
		function int
	}{
		{"as it is", func(b *builder) {}, "", 0},
		{"custom section", func(b *builder) { b.custom = "\x00\x05\x04name" }, "", 0},
		{"custom section without name", func(b *builder) { b.custom = "\x00\x01\x04" }, "name-bytes", NoFunction},
		{"module bytes", func(b *builder) { b.custom = "\x00" + u(l.ModuleBytes) + name("x") + repeat(l.ModuleBytes-2, "x") }, "module-bytes", NoFunction},

		{"all types", func(b *builder) { b.types = append(b.types, many(l.Types-2, "\x60\x00\x00")...) }, "", 0},
		{"one more type", func(b *builder) { b.types = append(b.types, many(l.Types-1, "\x60\x00\x00")...) }, "types", NoFunction},
		{"two results", func(b *builder) { b.types = append(b.types, "\x60\x00\x02\x7f\x7f") }, "results", NoFunction},
		{"too many parameters", func(b *builder) { b.types = append(b.types, "\x60"+u(l.Params+1)+repeat(l.Params+1, "\x7f")+"\x00") }, "params", NoFunction},
		{"vector type", func(b *builder) { b.types = append(b.types, "\x60\x01\x7b\x00") }, "value-type", NoFunction},
		{"reference type", func(b *builder) { b.types = append(b.types, "\x60\x01\x70\x00") }, "value-type", NoFunction},

		{"host function", func(b *builder) {
			b.types = append(b.types, "\x60\x02\x7f\x7f\x00")
			b.imports = []string{name("cairn") + name("log") + "\x00\x02"}
			b.exports[1] = name("cairn_event") + "\x00\x01"
		}, "", 0},
		{"host function of another type", func(b *builder) { b.imports = []string{name("cairn") + name("log") + "\x00\x01"} }, "import", NoFunction},
		{"unknown host function", func(b *builder) { b.imports = []string{name("cairn") + name("exec") + "\x00\x01"} }, "import", NoFunction},
		{"other module", func(b *builder) { b.imports = []string{name("env") + name("log") + "\x00\x01"} }, "import", NoFunction},
		{"imported memory", func(b *builder) {
			b.imports = []string{name("cairn") + name("m") + "\x02\x00\x01"}
			b.memory = ""
			b.exports[1] = name("cairn_event") + "\x00\x00"
		}, "import", NoFunction},
		{"imported global", func(b *builder) {
			b.imports = []string{name("cairn") + name("g") + "\x03\x7f\x00"}
			b.exports[1] = name("cairn_event") + "\x00\x00"
		}, "import", NoFunction},
		{"imported table", func(b *builder) {
			b.imports = []string{name("cairn") + name("t") + "\x01\x70\x00\x01"}
			b.exports[1] = name("cairn_event") + "\x00\x00"
		}, "import", NoFunction},
		{"too many imports", func(b *builder) { b.imports = many(l.Imports+1, name("a")+name("b")+"\x00\x01") }, "imports", NoFunction},

		{"too many functions", add(many(l.Functions, "")...), "functions", NoFunction},
		{"too large a body", add(repeat(l.BodyBytes, "\x01")), "body-bytes", 1},
		{"largest body", add(repeat(l.BodyBytes-2, "\x01")), "", 0},
		{"all locals", func(b *builder) { b.bodies = []string{body([]string{u(l.Locals) + "\x7e"}, "")} }, "", 0},
		{"one more local", func(b *builder) { b.bodies = []string{body([]string{u(l.Locals) + "\x7e", "\x01\x7f"}, "")} }, "locals", 1},
		{"four billion locals", func(b *builder) { b.bodies = []string{body([]string{u(1<<32-1) + "\x7e"}, "")} }, "locals", 1},
		{"runs of no locals", func(b *builder) { b.bodies = []string{body(many(l.Locals+1, "\x00\x7e"), "")} }, "locals", 1},

		{"all blocks", add(repeat(l.Blocks, block+end)), "", 0},
		{"one more block", add("", repeat(l.Blocks+1, block+end)), "blocks", 2},
		{"too many blocks in all", add(many(l.ModuleBlocks/200+1, repeat(200, block+end))...), "module-blocks", 101},
		{"deepest nesting", add(repeat(l.Nesting, block) + repeat(l.Nesting, end)), "", 0},
		{"deeper nesting", add(repeat(l.Nesting+1, block) + repeat(l.Nesting+1, end)), "nesting", 1},
		{"deepest loops", add(repeat(l.LoopNesting, loop) + repeat(l.LoopNesting, end)), "", 0},
		{"deeper loops", add(repeat(l.LoopNesting+1, loop) + repeat(l.LoopNesting+1, end)), "loop-nesting", 1},
		{"loops in a row", add(repeat(l.LoopNesting+1, loop+end)), "", 0},
		{"locals by blocks", func(b *builder) { b.bodies = []string{body([]string{"\x64\x7f"}, repeat(1001, block+end))} }, "locals-by-blocks", 1},
		{"branch table", add("\x41\x00\x0e" + u(l.BranchTable) + repeat(l.BranchTable+1, "\x00")), "", 0},
		{"larger branch table", add("\x41\x00\x0e" + u(l.BranchTable+1) + repeat(l.BranchTable+2, "\x00")), "branch-table", 1},
		{"branch tables", add(many(17, "\x41\x00\x0e"+u(l.BranchTable)+repeat(l.BranchTable+1, "\x00"))...), "branch-tables", 16},

		{"all branches", add(repeat(l.Blocks, "\x41\x00\x0d\x00")), "", 0},
		{"one more branch", add(repeat(l.Blocks+1, "\x41\x00\x0d\x00")), "blocks", 1},
		{"branch tables of one target", add(repeat(15, "\x41\x00\x0e"+u(l.BranchTable)+repeat(l.BranchTable+1, "\x00"))), "", 0},
		{"branch tables of many targets", add(repeat(125, block) + repeat(15, block+"\x41\x00\x0e"+u(124)+targets(125)+end) + repeat(125, end)), "blocks", 1},
		{"bulk operations", add(repeat(l.Blocks/bulkBlocks+1, "\x41\x00\x41\x00\x41\x00\xfc\x0b\x00")), "blocks", 1},
		{"all grows", add(repeat(l.Grows, "\x41\x00\x40\x00\x1a")), "", 0},
		{"one more grow", add("", repeat(l.Grows+1, "\x41\x00\x40\x00\x1a")), "memory-grows", 2},
		{"work", func(b *builder) {
			b.bodies = many(5, body([]string{"\x5c\x7f"}, repeat(316, block+end)))
		}, "work", 5},

		{"SIMD", add("\xfd\x0c" + repeat(16, "\x00") + "\x1a"), "opcode", 1},
		{"threads", add("\xfe\x03\x00"), "opcode", 1},
		{"memory.init", add("\x41\x00\x41\x00\x41\x00\xfc\x08\x00\x00"), "opcode", 1},
		{"table.grow", add("\xfc\x0f\x00"), "opcode", 1},
		{"ref.null", add("\xd0\x70\x1a"), "opcode", 1},
		{"typed select", add("\x41\x00\x41\x00\x41\x00\x1c\x01\x7f\x1a"), "opcode", 1},
		{"tail call", add("\x12\x00"), "opcode", 1},
		{"block with parameters", add("\x02\x00\x0b"), "opcode", 1},
		{"memory.fill", add("\x41\x00\x41\x00\x41\x00\xfc\x0b\x00"), "", 0},
		{"second memory", add("\x3f\x01\x1a"), "format", 1},

		{"label out of reach", add("\x0c\x01"), "format", 1},
		{"label of the body", add("\x0c\x00"), "", 0},
		{"unknown function", add("\x10\x09"), "format", 1},
		{"unknown type", add("\x41\x00\x11\x09\x00"), "format", 1},
		{"unknown local", add("\x20\x00\x1a"), "format", 1},
		{"unknown global", add("\x23\x00\x1a"), "format", 1},
		{"immutable global", func(b *builder) { b.globals = []string{"\x7f\x00\x41\x00\x0b"}; add("\x41\x00\x24\x00")(b) }, "format", 1},
		{"else without if", add("\x02\x40\x05\x0b"), "format", 1},
		{"second else", add("\x41\x00\x04\x40\x05\x05\x0b"), "format", 1},
		{"unclosed block", add("\x02\x40"), "format", 1},
		{"code after the end", add("\x0b"), "format", 1},

		{"start function", func(b *builder) { add("")(b); b.start = "\x01" }, "start", NoFunction},
		{"no memory", func(b *builder) {
			b.memory = ""
			b.exports = b.exports[1:]
			b.exports[0] = name("cairn_event") + "\x00\x00"
		}, "memory", NoFunction},
		{"two memories", func(b *builder) { b.memory = "\x02\x00\x01\x00\x01" }, "memories", NoFunction},
		{"largest memory", func(b *builder) { b.memory = "\x01\x00" + u(l.MemoryPages) }, "", 0},
		{"larger memory", func(b *builder) { b.memory = "\x01\x00" + u(l.MemoryPages+1) }, "memory-pages", NoFunction},
		{"shared memory", func(b *builder) { b.memory = "\x01\x03\x01\x02" }, "format", NoFunction},
		{"two tables", func(b *builder) { b.table = "\x02\x70\x00\x01\x70\x00\x01" }, "tables", NoFunction},
		{"large table", func(b *builder) { b.table = "\x01\x70\x00" + u(l.TableEntries+1) }, "table-entries", NoFunction},
		{"externref table", func(b *builder) { b.table = "\x01\x6f\x00\x01" }, "value-type", NoFunction},
		{"all globals", func(b *builder) { b.globals = many(l.Globals, "\x7f\x01\x41\x00\x0b") }, "", 0},
		{"one more global", func(b *builder) { b.globals = many(l.Globals+1, "\x7f\x01\x41\x00\x0b") }, "globals", NoFunction},
		{"global of a global", func(b *builder) { b.globals = many(2, "\x7f\x00\x23\x00\x0b") }, "format", NoFunction},
		{"computed global", func(b *builder) { b.globals = many(1, "\x7f\x00\x41\x01\x41\x01\x6a\x0b") }, "opcode", NoFunction},
		{"passive data", func(b *builder) { b.data = []string{"\x01\x00"} }, "segment", NoFunction},
		{"too many data segments", func(b *builder) { b.data = many(l.DataSegments+1, "\x00\x41\x00\x0b\x00") }, "data-segments", NoFunction},
		{"declared elements", func(b *builder) { b.elements = []string{"\x03\x00\x00"} }, "segment", NoFunction},
		{"too many elements", func(b *builder) {
			b.table = "\x01\x70\x00\x01"
			b.elements = many(3, "\x00\x41\x00\x0b"+u(3000)+repeat(3000, "\x00"))
		}, "element-items", NoFunction},

		{"unknown export", func(b *builder) { b.exports = append(b.exports, name("main")+"\x00\x00") }, "export", NoFunction},
		{"reserved export", func(b *builder) {
			b.globals = []string{"\x7f\x01\x41\x00\x0b"}
			b.exports = append(b.exports, name("cairn.gas")+"\x03\x00")
		}, "export", NoFunction},
		{"export twice", func(b *builder) { b.exports = append(b.exports, name("memory")+"\x02\x00") }, "format", NoFunction},
		{"entry point of another type", func(b *builder) { b.exports = append(b.exports, name("cairn_init")+"\x00\x00") }, "export", NoFunction},
		{"memory not exported", func(b *builder) { b.exports = []string{name("cairn_event") + "\x00\x00"} }, "export", NoFunction},
		{"no entry point", func(b *builder) { b.exports = b.exports[:1] }, "export", NoFunction},
		{"export of nothing", func(b *builder) { b.exports = append(b.exports, name("x")+"\x00\x63") }, "format", NoFunction},
		{"name not UTF-8", func(b *builder) { b.exports = append(b.exports, name("\xff")+"\x00\x00") }, "format", NoFunction},
		{"long name", func(b *builder) { b.exports = append(b.exports, name(repeat(129, "x"))+"\x00\x00") }, "name-bytes", NoFunction},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder()
			c.spoil(b)
			err := admit(b.bytes())
			if c.rule == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var fault *Fault
			if !errors.As(err, &fault) || fault.Rule != c.rule || fault.Function != c.function {
				t.Fatalf("error %v, want rule %q, function %d", err, c.rule, c.function)
			}
			if code, ok := protocol.CodeOf(err); !ok || code != protocol.CodeContractInvalid {
				t.Fatalf("code %v", code)
			}
		})
	}
}

// TestTruncated cuts and spoils a good module everywhere.
func TestTruncated(t *testing.T) {
	code, err := os.ReadFile(filepath.Join("..", "testdata", "ewma.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	l := Contract()
	if _, err := Parse(code, &l); err != nil {
		t.Fatal(err)
	}
	for n := range code {
		// A cut between sections can leave a whole module, without its end.
		if m, err := Parse(code[:n], &l); err == nil && len(m.Bodies) == 3 && m.Raw[SectionData] != nil {
			t.Errorf("cut to %d of %d bytes it is still whole", n, len(code))
		}
	}
}

func TestNumbers(t *testing.T) {
	cases := []struct {
		bytes  string
		bits   uint
		signed bool
		want   int64
		ok     bool
	}{
		{"\x00", 32, false, 0, true},
		{"\x80\x80\x80\x80\x00", 32, false, 0, true},
		{"\xff\xff\xff\xff\x0f", 32, false, 1<<32 - 1, true},
		{"\xff\xff\xff\xff\x1f", 32, false, 0, false},
		{"\x80\x80\x80\x80\x80\x00", 32, false, 0, false},
		{"\x7f", 32, true, -1, true},
		{"\xff\xff\xff\xff\x7f", 32, true, -1, true},
		{"\xff\xff\xff\xff\x0f", 32, true, 0, false},
		{"\x80\x80\x80\x80\x78", 32, true, -1 << 31, true},
		{"\xff\xff\xff\xff\x07", 32, true, 1<<31 - 1, true},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 64, true, 1<<63 - 1, true},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 64, true, -1 << 63, true},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 64, true, 0, false},
		{"\x80", 32, false, 0, false},
	}
	for _, c := range cases {
		r := reader{buf: []byte(c.bytes)}
		got := int64(r.leb(c.bits, c.signed))
		if (r.err == nil) != c.ok || c.ok && (got != c.want || r.left() != 0) {
			t.Errorf("% x as %d bits, signed %v: %d, %v", c.bytes, c.bits, c.signed, got, r.err)
		}
	}
}

// FuzzParse shows that no input makes the decoder panic or answer an error
// without a rule.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "testdata", "*.wasm"))
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code)
	}
	f.Add(newBuilder().bytes())
	l := Contract()
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := Parse(code, &l)
		if err == nil {
			err = m.Admit(hostFunctions)
		}
		var fault *Fault
		if err != nil && (!errors.As(err, &fault) || fault.Rule == "") {
			t.Fatalf("error %v", err)
		}
	})
}
