package vm

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// hostScript is a handler that only calls the host: function 0 is the entry
// point, the others are called by those before them.
type hostScript struct {
	functions [][]hostUse
	answer    int32
	signed    string // good digest, signature and key, at signedAt
}

// hostUse is one call of a host function, or of a helper.
type hostUse struct {
	name   string
	args   []term
	store  int32 // where its result goes, below 0 for nowhere
	helper int
}

// term is an argument: a constant, a word of memory, or what a call answers.
type term struct {
	value int32
	load  bool
	wide  bool // an i64
	call  *hostUse
}

// What is in memory at first.
const (
	scriptData = "abcdabceabcfabcdabceabcfabcdabceabcfabcdabceabcfabcdabceabcfabcd" // at 0
	signedAt   = 60_000
)

// hostResult is the letter of a host function's result.
func hostResult(name string) string {
	for _, f := range hostFunctions {
		if f.name == name {
			return f.result
		}
	}
	panic("no host function " + name)
}

func (t term) staticCost() uint64 {
	switch {
	case t.call != nil:
		return t.call.staticCost()
	case t.load:
		return modelConst + modelMemory
	}
	return modelConst
}

func (u *hostUse) staticCost() uint64 {
	cost := uint64(modelCall)
	for _, t := range u.args {
		cost += t.staticCost()
	}
	if u.helper == 0 && u.store >= 0 && hostResult(u.name) != "" {
		cost += modelConst + modelMemory
	}
	return cost
}

// modelled are the functions that the model knows, with a letter for every
// argument as in hostCall; x is a short piece of memory, l a limit, L an i64 and S room.
var modelled = []struct{ name, args string }{
	{abi.HostStateSet, "kv"}, {abi.HostStateSet, "kv"}, {abi.HostStateSet, "kv"}, {abi.HostStateGet, "kps"}, {abi.HostStateGet, "kps"},
	{abi.HostStateDelete, "k"}, {abi.HostStateScan, "xxlpS"}, {abi.HostStateScan, "xxlpS"}, {abi.HostEmit, "kxv"}, {abi.HostSHA256, "vp"},
	{abi.HostInput, "cpc"}, {abi.HostOutput, "v"}, {abi.HostLog, "v"}, {abi.HostSelf, "p"}, {abi.HostBlockHeight, ""},
	{abi.HostBlockTimeMs, ""}, {abi.HostVerify, "!"}, {abi.HostAbort, "cv"}, {abi.HostCall, "pkvgps"}, {abi.HostSchedule, "cuLv"},
	{abi.HostCancel, "L"},
}

// randomScript makes up a script.
func randomScript(e *entropy) *hostScript {
	s := &hostScript{functions: make([][]hostUse, 1+e.n(3)), signed: signed()}
	for i := range s.functions {
		for range 1 + e.n(14) {
			if i+1 < len(s.functions) && e.in(5) {
				s.functions[i] = append(s.functions[i], hostUse{helper: i + 1 + e.n(len(s.functions)-i-1)})
			} else if u := s.use(e, ""); u.name != abi.HostAbort || e.in(4) {
				s.functions[i] = append(s.functions[i], u)
			}
		}
	}
	if e.in(4) {
		s.answer = pick(e, 5, -1, int32(1)<<30)
	}
	return s
}

// use makes up a call with a result of a kind, "" for any.
func (s *hostScript) use(e *entropy, result string) hostUse {
	f := pick(e, modelled...)
	for result != "" && hostResult(f.name) != result {
		f = modelled[e.n(len(modelled))]
	}
	u := hostUse{name: f.name, store: -1}
	if e.in(2) {
		u.store = int32(e.n(64)) * 8
	}
	small := func(n int) term { return term{value: int32(e.n(n))} }
	for _, letter := range f.args {
		switch letter {
		case 'k': // few keys, so that they meet
			u.args = append(u.args, small(8), term{value: int32(1 + e.n(2))})
		case 'x':
			u.args = append(u.args, small(8), small(3))
		case 'v':
			u.args = append(u.args, small(600), s.odd(e, small(60), 10))
		case 'p':
			u.args = append(u.args, s.odd(e, term{value: int32(e.n(900))}, 25))
		case 's':
			u.args = append(u.args, s.odd(e, small(80), 10))
		case 'S':
			u.args = append(u.args, s.odd(e, small(250), 10))
		case 'c':
			u.args = append(u.args, s.odd(e, term{value: int32(1 + e.n(6))}, 10))
		case 'l':
			u.args = append(u.args, s.odd(e, term{value: int32(1 + e.n(40))}, 10))
		case 'g':
			u.args = append(u.args, term{wide: true, value: pick(e, int32(0), 0, 10_000, 100_000, -1)})
		case 'L':
			u.args = append(u.args, term{wide: true, value: pick(e, int32(1), 2, 3, 7, -1)})
		case 'u':
			u.args = append(u.args, s.odd(e, small(2), 10))
		case '!':
			u.args = append(u.args, small(2), term{value: signedAt + 32}, term{value: signedAt + 96})
			u.args[0].value += signedAt
		}
	}
	return u
}

// odd is the usual argument, once in n times one that is read from memory,
// answered by a call, or close to a limit.
func (s *hostScript) odd(e *entropy, usual term, n int) term {
	if !e.in(n) {
		return usual
	}
	switch e.n(4) {
	case 0:
		return term{load: true, value: int32(e.n(64)) * 8}
	case 1, 2:
		u := s.use(e, "i")
		u.store = -1
		return term{call: &u}
	}
	return term{value: pick(e, int32(0), -1, 256, 257, 16<<10, 16<<10+1, wasmPage-600, wasmPage, wasmPage+1, 1<<20, 1<<31-1)}
}

// module is the script as a contract.
func (s *hostScript) module() []byte {
	a := &assembly{pages: 1}
	for _, f := range modelled {
		a.host(f.name)
	}
	for i, uses := range s.functions {
		var code strings.Builder
		for j := range uses {
			s.statement(a, &code, &uses[j])
		}
		kind := module.FuncType{Result: noType}
		if i == 0 {
			kind = eventType
			code.WriteString(i32Const(s.answer))
		}
		a.add(assemblyFunc{kind: a.kindOf(kind), code: code.String()})
	}
	a.entry(abi.ExportEvent, len(a.imports))
	a.entry(abi.ExportQuery, len(a.imports))
	a.data = []assemblyData{{0, scriptData}, {signedAt, s.signed}}
	return a.bytes()
}

func (s *hostScript) statement(a *assembly, code *strings.Builder, u *hostUse) {
	if u.helper > 0 {
		code.WriteString(op(0x10, len(a.imports)+u.helper))
		return
	}
	result := hostResult(u.name)
	if result != "" && u.store >= 0 {
		code.WriteString(i32Const(u.store))
	}
	s.call(a, code, u)
	switch {
	case result == "":
	case u.store < 0:
		code.WriteString("\x1a")
	case result == "l":
		code.WriteString("\x37\x00\x00")
	default:
		code.WriteString("\x36\x00\x00")
	}
}

func (s *hostScript) call(a *assembly, code *strings.Builder, u *hostUse) {
	for _, t := range u.args {
		switch {
		case t.wide:
			code.WriteString(i64Const(int64(t.value)))
		case t.call != nil:
			s.call(a, code, t.call)
		case t.load:
			code.WriteString(i32Const(t.value) + "\x28\x00\x00")
		default:
			code.WriteString(i32Const(t.value))
		}
	}
	code.WriteString(op(0x10, a.host(u.name)))
}

// playScript runs a script on an engine and requires what the model says.
func playScript(t testing.TB, p *Program, s *hostScript, kind EntryKind, limit uint64) uint64 {
	t.Helper()
	m := newHostModel(s, []byte("thirteen byte"))
	m.query = kind == Query
	used := m.run(limit)
	v := look(t, p, step{kind: kind, input: []byte("thirteen byte"), limit: limit})
	want := Result{GasUsed: used, Output: m.output, Code: m.code, GuestCode: m.guest, Log: v.Result.Log}
	if len(want.Output) == 0 {
		want.Output, v.Result.Output = nil, nil
	}
	if !reflect.DeepEqual(v.Result, want) {
		t.Fatalf("%v of %d gas: %+v, the model says %+v\n%s", kind, limit, v.Result, want, s)
	}
	if m.code == protocol.CodeOK && len(v.Result.Log) != min(m.log, abi.MaxLogLines) {
		t.Fatalf("%d lines of log, the model says %d\n%s", len(v.Result.Log), m.log, s)
	}
	if uint64(len(m.memory))/16 > limit {
		return used // the image was not even restored
	}
	var state []KV
	for _, k := range slices.Sorted(maps.Keys(v.State)) {
		state = append(state, KV{[]byte(k), []byte(v.State[k])})
	}
	if fmt.Sprintf("%q", state) != fmt.Sprintf("%q", m.state) || fmt.Sprintf("%q", v.Events) != fmt.Sprintf("%q", m.events) {
		t.Fatalf("state %q, events %q, the model says %q and %q\n%s", state, v.Events, m.state, m.events, s)
	}
	if v.Memory != sha256.Sum256(m.memory) {
		t.Fatalf("memory differs from the model's\n%s", s)
	}
	return used
}

// String prints a script for whoever has to find out what went wrong.
func (s *hostScript) String() string {
	var show func(u *hostUse) string
	show = func(u *hostUse) string {
		if u.helper > 0 {
			return fmt.Sprint("function ", u.helper)
		}
		var args []string
		for _, t := range u.args {
			switch {
			case t.call != nil:
				args = append(args, show(t.call))
			case t.load:
				args = append(args, fmt.Sprintf("[%d]", t.value))
			default:
				args = append(args, fmt.Sprint(t.value))
			}
		}
		return fmt.Sprintf("%s(%s) -> %d", u.name, strings.Join(args, ", "), u.store)
	}
	var out strings.Builder
	for i, uses := range s.functions {
		fmt.Fprintf(&out, "function %d:\n", i)
		for j := range uses {
			fmt.Fprintln(&out, " ", show(&uses[j]))
		}
	}
	return out.String() + fmt.Sprint("answer ", s.answer)
}

func hostScriptAgrees(t testing.TB, e engines, data []byte) protocol.Code {
	t.Helper()
	choose := newEntropy(data)
	s := randomScript(choose)
	code := s.module()
	var last protocol.Code
	for _, engine := range []*Engine{e.compiler, e.interpreter} {
		p, err := engine.Load(code)
		if err != nil {
			t.Fatal(err)
		}
		used := playScript(t, p, s, Event, 3_000_000)
		playScript(t, p, s, Query, 3_000_000)
		for range 3 {
			playScript(t, p, s, Event, choose.u64()%(used+2))
		}
		last = look(t, p, step{kind: Event, input: []byte("thirteen byte"), limit: 3_000_000}).Result.Code
		forget(engine, code)
	}
	return last
}

// TestHostModel runs random scripts of host calls against the model.
func TestHostModel(t *testing.T) {
	e, codes := newEngines(t), map[protocol.Code]int{}
	for n := range 300 {
		codes[hostScriptAgrees(t, e, seedBytes(n))]++
	}
	t.Log(codes)
}

// FuzzHostModel lets the fuzzer write the script.
func FuzzHostModel(f *testing.F) {
	for n := range 24 {
		f.Add(seedBytes(n))
	}
	e := newEngines(f)
	f.Fuzz(func(t *testing.T, data []byte) { hostScriptAgrees(t, e, data) })
}
