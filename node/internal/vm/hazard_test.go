package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/tetratelabs/wazero"
)

// Ways in which a contract could part the nodes of a ledger or stop one, and
// the test that stands against each.
//
//	engines differ in anything at all          TestDifferential, FuzzDifferential, TestSpecification
//	processors differ                          TestArm64
//	bits of a NaN                              TestEveryNaN
//	rem on arm64, MinInt rem -1, rem 0         TestEveryRemainder
//	an and compared with zero                  TestComparisonsWithZero
//	stack overflow of an engine                TestDepthIsLogical
//	memory keeps what a run before left        TestMemoryStartsAnew, TestHostile (counts, grows)
//	memory grows on every reuse                TestMemoryStartsAnew
//	gas ends elsewhere on another engine       TestEveryGasLimit, TestDifferential
//	gas differs between releases               TestGasIsPinned, meter.TestOutputIsPinned
//	gas differs between cold and warm code     TestShippedTranscripts, TestCache
//	gas of a host function that fails is lost  TestFailedHostCallsArePaid
//	others can write the code cache            TestCache
//	the code cache is damaged                  TestDamagedCache
//	the code cache is of another metering      TestCacheKnowsTheMetering
//	text of errors gets into results           TestErrorTextStaysOut
//	a contract does not see its own writes     TestHostModel
//	host functions answer otherwise            TestHostModel, FuzzHostModel
//	a module is slow to compile                TestCompileTime, TestWorstFound
//	the compiler panics                        TestCompilerPanics
//	start function                             module.TestRules (start function)
//	table without bounds                       TestTableIsBounded, module.TestRules (large table)
//	custom sections                            TestCustomSectionsAreDropped
//	panics of the decoder                      module.FuzzParse, FuzzEngines

// only is a contract of one function of an entry point's type.
func only(code string, locals ...byte) *assembly {
	a := &assembly{pages: 2}
	a.entry(abi.ExportEvent, a.add(assemblyFunc{kind: a.kindOf(eventType), locals: locals, code: code}))
	return a
}

// onBoth runs handler 0 of a contract on both engines and answers the memory
// it leaves.
func onBoth(t *testing.T, a *assembly, want protocol.Code) []byte {
	t.Helper()
	code, e := a.bytes(), newEngines(t)
	var memories [][]byte
	for _, engine := range []*Engine{e.compiler, e.interpreter} {
		p, err := engine.Load(code)
		if err != nil {
			t.Fatal(err)
		}
		in := p.idle[0]
		if r := deliver(t, p, 0, nil, newLedger()); r.Code != want {
			t.Fatalf("%+v", r)
		}
		memory, _ := in.mem.Read(0, in.mem.Size())
		memories = append(memories, bytes.Clone(memory))
	}
	if !bytes.Equal(memories[0], memories[1]) {
		t.Fatal("the engines leave different memories")
	}
	return memories[0]
}

// everyPair is code that applies an operator to all pairs of width bytes in
// a table of n at address 0 and stores the results from at on.
func everyPair(o operator, load, store memoryOp, n, width, resultWidth, at int) string {
	var code strings.Builder
	read := func(i int) string { return i32Const(0) + string([]byte{load.code, 0}) + uleb(uint64(i*width)) }
	for i := range n {
		for j := range n {
			code.WriteString(i32Const(int32(at)) + read(i))
			if len(o.in) == 2 {
				code.WriteString(read(j))
			}
			code.WriteString(o.code + string([]byte{store.code, 0, 0}))
			at += resultWidth
		}
	}
	return code.String()
}

// TestEveryNaN applies every operation that can make a NaN to every pair of
// odd values: whatever NaN comes out is the canonical one.
func TestEveryNaN(t *testing.T) {
	singles := []uint32{0, 1 << 31, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffa0_0001, 0x7fff_ffff, 0x7f7f_ffff, 1}
	doubles := []uint64{0, 1 << 63, 0x3ff << 52, 0xbff << 52, 0x7ff << 52, 0xfff << 52, 0x7ff8 << 48, 0xfff8 << 48, 0x7ff<<52 | 1, 0xfff4 << 48, 1<<63 - 1, 0x7fef << 48, 1}
	var table, table64 []byte
	for i := range singles {
		table = binary.LittleEndian.AppendUint32(table, singles[i])
		table64 = binary.LittleEndian.AppendUint64(table64, doubles[i])
	}
	makes := func(from, to byte, in, out string) {
		for code := from; code <= to; code++ {
			o := operator{string([]byte{code}), in}
			data, load, store, width, resultWidth := table, loads[module.F32][0], stores[2], 4, 4
			if in[0] == module.F64 {
				data, load, width = table64, loads[module.F64][0], 8
			}
			if out[0] == module.F64 {
				store, resultWidth = stores[3], 8
			}
			a := only(everyPair(o, load, store, len(singles), width, resultWidth, 1024) + i32Const(0))
			a.data = []assemblyData{{0, string(data)}}
			memory, nans := onBoth(t, a, protocol.CodeOK)[1024:], 0
			for range len(singles) * len(singles) {
				v, canonical := uint64(binary.LittleEndian.Uint32(memory)), uint64(0x7fc0_0000)
				isNaN := math.IsNaN(float64(math.Float32frombits(uint32(v))))
				if out[0] == module.F64 {
					v, canonical = binary.LittleEndian.Uint64(memory), 0x7ff8<<48
					isNaN = math.IsNaN(math.Float64frombits(v))
				}
				if isNaN {
					if nans++; v != canonical {
						t.Errorf("instruction 0x%02x makes the NaN %#x", code, v)
					}
				}
				memory = memory[resultWidth:]
			}
			if nans == 0 {
				t.Errorf("instruction 0x%02x made no NaN", code)
			}
		}
	}
	makes(0x8d, 0x91, f32, f32) // ceil floor trunc nearest sqrt
	makes(0x92, 0x97, f32+f32, f32)
	makes(0x9b, 0x9f, f64, f64)
	makes(0xa0, 0xa5, f64+f64, f64)
	makes(0xb6, 0xb6, f64, f32)
	makes(0xbb, 0xbb, f32, f64)
}

// TestEveryRemainder compares rem on the engines with Go's, at every pair of
// edges; by zero it traps.
func TestEveryRemainder(t *testing.T) {
	edges := []int64{1, -1, 2, -2, 3, -3, 7, 10, math.MaxInt32, math.MinInt32, math.MinInt32 + 1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, 1 << 32, -1 << 40}
	const at = 1024
	for _, width := range []int{4, 8} {
		var table []byte
		divisors := edges
		if width == 4 {
			divisors = edges[:11] // the others have no 32 bits, or zeros
		}
		for _, v := range divisors {
			table = append(table, binary.LittleEndian.AppendUint64(nil, uint64(v))[:width]...)
		}
		ops, load, store := []byte{module.OpI64RemS, module.OpI64RemU}, loads[module.I64][0], stores[1]
		if width == 4 {
			ops, load, store = []byte{module.OpI32RemS, module.OpI32RemU}, loads[module.I32][0], stores[0]
		}
		for unsigned, opcode := range ops {
			o := operator{string([]byte{opcode}), i32 + i32}
			a := only(everyPair(o, load, store, len(divisors), width, width, at) + i32Const(0))
			a.data = []assemblyData{{0, string(table)}}
			memory := onBoth(t, a, protocol.CodeOK)[at:]
			for _, x := range divisors {
				for _, y := range divisors {
					got := append(memory[:width:width], make([]byte, 8-width)...)
					if memory = memory[width:]; binary.LittleEndian.Uint64(got) != remainder(x, y, width, unsigned == 1) {
						t.Errorf("instruction 0x%02x: %d rem %d is %d", opcode, x, y, got)
					}
				}
			}
			a = only(everyPair(o, load, store, 1, width, width, at) + i32Const(0)) // of zeros
			onBoth(t, a, protocol.CodeContractTrap)
		}
	}
}

// remainder is what Go says, as the low bits of the result.
func remainder(x, y int64, width int, unsigned bool) uint64 {
	switch {
	case width == 4 && unsigned:
		return uint64(uint32(x) % uint32(y))
	case width == 4:
		return uint64(uint32(int32(x) % int32(y)))
	case unsigned:
		return uint64(x) % uint64(y)
	}
	return uint64(x % y)
}

// TestDepthIsLogical: calls nest as deep as the counter says and no deeper,
// whatever a frame holds and however it was called.
func TestDepthIsLogical(t *testing.T) {
	locals := bytes.Repeat([]byte{module.I64}, 240)
	var fill, use strings.Builder // keeps all locals alive across the call
	for i := range locals {
		fill.WriteString(op(0x20, 0) + "\xac" + op(0x21, i+2))
		use.WriteString(op(0x20, i+2) + "\xa7\x72")
	}
	again := op(0x20, 0) + i32Const(1) + "\x6b" + i32Const(0)
	recursion := func(call, before, after string) string {
		return before + op(0x20, 0) + "\x04\x7f" + again + call + "\x05" + i32Const(0) + "\x0b" + after
	}
	contracts := map[string]*assembly{
		"direct":   only(recursion(op(0x10, 0), "", "")),
		"fat":      only(recursion(op(0x10, 0), fill.String(), use.String()+i32Const(0)+"\x71"), locals...),
		"indirect": only(recursion(i32Const(0)+"\x11\x00\x00", "", "")),
	}
	contracts["indirect"].table = []int{0}
	for name, a := range contracts {
		code, e := a.bytes(), newEngines(t)
		for _, engine := range []*Engine{e.compiler, e.interpreter} {
			p, err := engine.Load(code)
			if err != nil {
				t.Fatal(err)
			}
			// Handler n nests n+1 calls of a function that counts itself.
			for handler, want := range map[uint32]protocol.Code{0: 0, meter.MaxDepth - 1: 0, meter.MaxDepth: protocol.CodeCallDepth, 1 << 30: protocol.CodeCallDepth} {
				for range 2 {
					if r := deliver(t, p, handler, nil, newLedger()); r.Code != want {
						t.Errorf("%s: depth %d: %+v", name, handler, r)
					}
				}
			}
		}
	}
}

// TestMemoryStartsAnew: what a run writes or grows is gone in the next, and an
// instance that grew is not kept.
func TestMemoryStartsAnew(t *testing.T) {
	// Grows by handler pages, marks the last word, and leaves at 0 the size it
	// met, at 4 what grow answered and at 8 the sum of what it met in both pages.
	code := i32Const(8) + op(0x20, 2) + "\x6a\x1a" +
		i32Const(0) + "\x3f\x00\x36\x00\x00" +
		i32Const(4) + op(0x20, 0) + "\x40\x00\x36\x00\x00" +
		i32Const(8) + i32Const(12) + "\x28\x00\x00" + i32Const(2*wasmPage-4) + "\x28\x00\x00\x6a\x36\x00\x00" +
		i32Const(12) + i32Const(-1) + "\x36\x00\x00" + i32Const(2*wasmPage-4) + i32Const(-1) + "\x36\x00\x00" +
		"\x3f\x00" + i32Const(wasmPage) + "\x6c" + i32Const(4) + "\x6b" + i32Const(-1) + "\x36\x00\x00" + i32Const(0)
	a := only(code, module.I32)
	grown := only(code, module.I32) // with an image larger than the memory it declares
	grown.pages = 1
	grown.entry(abi.ExportInitialize, grown.add(assemblyFunc{kind: grown.kindOf(module.FuncType{Result: noType}), code: i32Const(1) + "\x40\x00\x1a"}))
	for _, a := range []*assembly{a, grown} {
		wasm, e := a.bytes(), newEngines(t)
		for _, engine := range []*Engine{e.compiler, e.interpreter} {
			p, err := engine.Load(wasm)
			if err != nil {
				t.Fatal(err)
			}
			for _, grow := range []uint32{0, 1, 0, 62, 63, 0, 1 << 31, 0, 1, 1, 0} {
				in, _ := p.get(context.Background())
				p.idle = append(p.idle[:0], in)
				const gas = math.MaxInt64 // 2^31 pages would be refused for their price
				if r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: grow}, testEnv, nil, gas, newLedger()); err != nil || r.Code != protocol.CodeOK {
					t.Fatalf("%+v, %v", r, err)
				}
				memory, _ := in.mem.Read(0, 12)
				answered, size := int32(2), 2+grow
				if grow > 62 {
					answered, size = -1, 2
				}
				want := binary.LittleEndian.AppendUint32(nil, 2)
				want = binary.LittleEndian.AppendUint32(want, uint32(answered))
				if !bytes.Equal(memory, append(want, 0, 0, 0, 0)) || in.mem.Size() != size*wasmPage {
					t.Fatalf("grown by %d: memory begins with % x, its size is %d", grow, memory, in.mem.Size())
				}
				if kept := len(p.idle) == 1; kept != (grow == 0 || grow > 62) {
					t.Fatalf("grown by %d: kept is %v", grow, kept)
				}
			}
		}
	}
}

// TestFailedHostCallsArePaid: a call that the ledger refuses costs what it
// costs when it succeeds, and the failure.
func TestFailedHostCallsArePaid(t *testing.T) {
	word := func(v int32) term { return term{value: v} }
	key := []term{word(0), word(4)}
	for _, u := range []hostUse{
		{name: abi.HostStateGet, args: append(key, word(8), word(8))},
		{name: abi.HostStateSet, args: append(key, word(8), word(8))},
		{name: abi.HostStateDelete, args: key},
		{name: abi.HostStateScan, args: append(key, word(0), word(0), word(40), word(512), word(512))},
		{name: abi.HostEmit, args: append(append(key, key...), word(8), word(8))},
	} {
		u.store = -1
		p, err := newEngine(t, Config{}).Load((&hostScript{functions: [][]hostUse{{u}}}).module())
		if err != nil {
			t.Fatal(err)
		}
		paid := deliver(t, p, 0, nil, newLedger())
		refused := deliver(t, p, 0, nil, &ledger{state: map[string]string{}, fault: protocol.Refuse(protocol.CodeHopLimit, "no")})
		broken := func() (err error) {
			_, err = p.Run(context.Background(), Entrypoint{Kind: Event}, testEnv, nil, testGas, nil) // a Host that panics
			return err
		}
		// A scan of 40 pairs stops after its first look at 16.
		if paid.Code != protocol.CodeOK || refused.Code != protocol.CodeHopLimit || refused.GasUsed != paid.GasUsed+gasFailure {
			t.Errorf("%s: %+v when it succeeds, %+v when it is refused", u.name, paid, refused)
		}
		if broken() == nil {
			t.Errorf("%s: a panic of the host has a result", u.name)
		}
		if again := deliver(t, p, 0, nil, newLedger()); !reflect.DeepEqual(again, paid) {
			t.Errorf("%s: %+v after a panic of the host, %+v before", u.name, again, paid)
		}
	}
}

// TestErrorTextStaysOut: the text of a refusal, which may change between
// releases, is in Log alone, and Log is the only text there is.
func TestErrorTextStaysOut(t *testing.T) {
	p := load(t, newEngine(t, Config{}), "hostile")
	results := map[string]Result{}
	for _, text := range []string{"no", "a longer reason, of another release"} {
		r := deliver(t, p, 18, nil, &ledger{state: map[string]string{}, fault: protocol.Refuse(protocol.CodeHopLimit, "%s", text)})
		if len(r.Log) != 1 || r.Log[0] != text {
			t.Errorf("log %q", r.Log)
		}
		r.Log = nil
		results[text] = r
	}
	if len(results) != 2 || !reflect.DeepEqual(results["no"], results["a longer reason, of another release"]) {
		t.Errorf("results differ by their text: %+v", results)
	}
	fields := reflect.TypeFor[Result]()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Type.Kind() {
		case reflect.String, reflect.Interface, reflect.Pointer, reflect.Map:
			t.Errorf("Result.%s could carry the text of an error", f.Name)
		}
	}
	for _, c := range hostileCases {
		if r := deliver(t, p, c.handler, []byte(c.input), newLedger()); r.Code != protocol.CodeOK && len(r.Output) > 0 {
			t.Errorf("%s: output %q of a run that failed", c.name, r.Output)
		}
	}
}

// TestTableIsBounded: no instruction changes a table, so its first size is
// its size, and a maximum it may declare costs nothing.
func TestTableIsBounded(t *testing.T) {
	for name, code := range map[string]string{
		"table.get": "\x25\x00", "table.set": "\x26\x00", "table.init": "\xfc\x0c\x00\x00", "elem.drop": "\xfc\x0d\x00",
		"table.copy": "\xfc\x0e\x00\x00", "table.grow": "\xfc\x0f\x00", "table.size": "\xfc\x10\x00", "table.fill": "\xfc\x11\x00",
	} {
		a := only(code + i32Const(0))
		a.table = []int{0}
		var fault *module.Fault
		if err := newEngine(t, Config{Interpreter: true}).Check(a.bytes()); !errors.As(err, &fault) || fault.Rule != "opcode" {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := only(i32Const(0))
	a.table = []int{0}
	code := a.bytes()
	bounded := "\x04\x05\x01\x70\x01\x01\x01" // one table of 1 to 1 entries
	for table, admitted := range map[string]bool{
		"\x04\x04\x01\x70\x00\x01":                     true,  // 1, no maximum
		"\x04\x09\x01\x70\x01\x01\xff\xff\xff\xff\x0f": true,  // 1 to 4 billion
		"\x04\x08\x01\x70\x00\xff\xff\xff\xff\x0f":     false, // 4 billion
		"\x04\x07\x02\x70\x00\x01\x70\x00\x01":         false, // two
		"\x04\x05\x01\x70\x00\x81\x20":                 false, // 4,097
	} {
		e := newEngine(t, Config{})
		_, err := e.Load(bytes.Replace(code, []byte(bounded), []byte(table), 1))
		if admitted != (err == nil) {
			t.Errorf("table % x: %v", table, err)
		}
	}
}

// TestCustomSectionsAreDropped: nothing of a custom section reaches an engine
// or changes a result.
func TestCustomSectionsAreDropped(t *testing.T) {
	e, code := newEngine(t, Config{}), fixture(t, "hostile")
	section := func(name string) []byte { return []byte("\x00" + sized(sized(name)+"\xff\x01 not what it should be")) }
	custom := append(append(bytes.Clone(code[:8]), section("name")...), code[8:]...)
	custom = append(append(custom, section(".debug_line")...), section("cairn.metering")...)
	plain, err := e.meter(code)
	if err != nil {
		t.Fatal(err)
	}
	if metered, err := e.meter(custom); err != nil || !bytes.Equal(metered, plain) {
		t.Errorf("custom sections change what is compiled: %v", err)
	}
	if bytes.Count(plain, []byte("cairn.metering")) != 1 {
		t.Error("the marker of the metering is not there once")
	}
}

// TestCacheKnowsTheMetering: code metered otherwise is never taken from the
// cache, even when it does the same.
func TestCacheKnowsTheMetering(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	e := newEngine(t, Config{CacheDir: dir})
	metered, err := e.meter(fixture(t, "ewma"))
	if err != nil {
		t.Fatal(err)
	}
	if metered[len(metered)-1] != meter.Version {
		t.Fatal("the version of the metering is not the last byte")
	}
	next := bytes.Clone(metered)
	next[len(next)-1]++
	for i, code := range [][]byte{metered, metered, next} {
		if _, err := e.compile(context.Background(), code); err != nil {
			t.Fatal(err)
		}
		if files := len(compiledFiles(t, dir)); files != 1+i/2 {
			t.Errorf("%d files of compiled code", files)
		}
	}
	if (programKey{version: 1} == programKey{version: 2}) {
		t.Error("programs of different meterings have one key")
	}
}

// compiledFiles are the files of compiled code in a cache.
func compiledFiles(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var code []string
	for _, f := range all {
		if filepath.Ext(f) == "" {
			code = append(code, f)
		}
	}
	return code
}

// panicking is a runtime whose compiler panics.
type panicking struct{ wazero.Runtime }

func (panicking) CompileModule(context.Context, []byte) (wazero.CompiledModule, error) {
	var nothing []int
	return nil, errors.New(string(rune(nothing[3])))
}

// TestCompilerPanics: a panic of the compiler is a fault of this node and
// stops it in order; it never looks like a module's fault, which other nodes
// would not see.
func TestCompilerPanics(t *testing.T) {
	e := newEngine(t, Config{})
	real := e.runtime
	e.runtime = panicking{real}
	_, err := e.Load(fixture(t, "ewma"))
	if _, refused := protocol.CodeOf(err); err == nil || refused {
		t.Errorf("error %v", err)
	}
	e.runtime = real
	load(t, e, "ewma") // locks are free
}
