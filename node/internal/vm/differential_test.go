package vm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"hash"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// witness is a Host that notes everything it is asked, in order. A call of
// any other contract is one of the contract itself, in an instance of its own,
// down to maxNested; a failed one leaves nothing.
type witness struct {
	*ledger
	program *Program
	nested  int
	timers  map[uint64]bool // by id: pending
	notes   hash.Hash
	calls   int
}

const maxNested = 2

func newWitness(p *Program) *witness {
	return &witness{ledger: newLedger(), program: p, timers: map[uint64]bool{}, notes: sha256.New()}
}

func (w *witness) Call(r CallRequest) (CallResult, error) {
	w.note(fmt.Sprint("call ", r.Gas), r.Contract[:], r.Method, r.Args)
	if w.nested == maxNested {
		return w.ledger.Call(r)
	}
	inner := &witness{ledger: newLedger(), program: w.program, nested: w.nested + 1, timers: maps.Clone(w.timers), notes: w.notes}
	inner.state = maps.Clone(w.state)
	entry := Entrypoint{Kind: Event, Handler: uint32(len(r.Args))}
	result, err := w.program.Run(context.Background(), entry, testEnv, r.Args, r.Gas, inner)
	if err != nil {
		return CallResult{}, err
	}
	if result.Code == protocol.CodeOK {
		w.state, w.timers, w.events = inner.state, inner.timers, append(w.events, inner.events...)
	}
	w.note(fmt.Sprint("called ", result.Code, result.GuestCode, result.GasUsed), result.Output)
	return CallResult{Code: result.Code, GuestCode: result.GuestCode, GasUsed: result.GasUsed, Output: result.Output}, nil
}

func (w *witness) Schedule(r TimerRequest) (uint64, error) {
	w.note(fmt.Sprint("schedule ", r.Handler, r.ByTime, r.At), r.Data)
	id := uint64(len(w.timers) + 1)
	w.timers[id] = true
	return id, nil
}

func (w *witness) Cancel(id uint64) (bool, error) {
	w.note(fmt.Sprint("cancel ", id))
	pending := w.timers[id]
	if pending {
		w.timers[id] = false
	}
	return pending, nil
}

func (w *witness) note(what string, parts ...[]byte) {
	w.calls++
	fmt.Fprintf(w.notes, "%s %q\n", what, parts)
}

func (w *witness) Get(key []byte) ([]byte, bool, error) {
	w.note("get", key)
	return w.ledger.Get(key)
}

func (w *witness) Set(key, value []byte) error {
	w.note("set", key, value)
	return w.ledger.Set(key, value)
}

func (w *witness) Delete(key []byte) error {
	w.note("delete", key)
	return w.ledger.Delete(key)
}

func (w *witness) Scan(prefix, after []byte, limit int) ([]KV, error) {
	w.note(fmt.Sprint("scan ", limit), prefix, after)
	return w.ledger.Scan(prefix, after, limit)
}

func (w *witness) Emit(e Emission) error {
	w.note("emit", e.Type, e.Subject, e.Data)
	return w.ledger.Emit(e)
}

// sight is all that a run leaves to be seen, from outside and from inside.
type sight struct {
	Result  Result   // without the reason of a failure, which is for people
	Asked   [32]byte // what the Host was asked, in order
	Calls   int
	State   map[string]string
	Events  []Emission
	Memory  [32]byte // as the run left it
	Size    uint32
	Globals []uint64
	Gas     uint64 // the counters inside, before the failure is charged
	Depth   uint64
}

// step is one run of a module.
type step struct {
	kind    EntryKind
	handler uint32
	input   []byte
	limit   uint64
}

// look runs a step and looks at the instance that ran it.
func look(t testing.TB, p *Program, s step) sight {
	t.Helper()
	ctx, host := context.Background(), newWitness(p)
	in, err := p.get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.idle = append(p.idle, in) // the next to be taken
	r, err := p.Run(ctx, Entrypoint{Kind: s.kind, Handler: s.handler}, testEnv, s.input, s.limit, host)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	if in.run != nil {
		t.Fatalf("%+v ended with its run under way", s)
	}
	if r.Code != protocol.CodeOK {
		r.Log = nil
	}
	v := sight{
		Result: r, Asked: [32]byte(host.notes.Sum(nil)), Calls: host.calls, State: host.state, Events: host.events,
		Size: in.mem.Size(), Gas: in.gas.Get(), Depth: in.depth.Get(),
	}
	memory, ok := in.mem.Read(0, v.Size)
	if !ok {
		t.Fatal("memory cannot be read")
	}
	v.Memory = sha256.Sum256(memory)
	for _, g := range in.globals {
		v.Globals = append(v.Globals, g.Get())
	}
	return v
}

// same requires two looks to be equal and answers the first.
func same(t testing.TB, what string, s step, a, b sight) {
	t.Helper()
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("%s: handler %d, limit %d:\n%+v\n%+v", what, s.handler, s.limit, a, b)
	}
}

// forget drops a program from its engine, as nothing but tests need to.
func forget(e *Engine, code []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := programKey{sha256.Sum256(code), meter.Version}
	if p := e.programs[key]; p != nil {
		for _, in := range p.idle {
			in.mod.Close(in.ctx)
		}
		p.compiled.Close(context.Background())
		delete(e.programs, key)
	}
}

// engines are one of each kind.
type engines struct{ compiler, interpreter *Engine }

func newEngines(t testing.TB) engines {
	return engines{newEngine(t, Config{}), newEngine(t, Config{Interpreter: true})}
}

// stopGas is what a random module may use, plenty for its few loops.
const stopGas = 400_000

// steps are what a random module is asked to do, by further random bytes.
func randomSteps(e *entropy) []step {
	all := make([]step, 3)
	for i := range all {
		input := binary.LittleEndian.AppendUint64(nil, e.u64())
		all[i] = step{Event, uint32(e.n(5)), append(input, input...), stopGas}
	}
	all[2].kind = Query
	return all
}

// differ runs a module in every way there is and requires each to come to the
// same: both engines; a fresh instance and one that served other runs; and gas
// that ends anywhere on the way. It answers what the first runs left, nil for
// a module that both engines refuse to load.
func differ(t testing.TB, e engines, code []byte, choose *entropy) []sight {
	t.Helper()
	if err := e.compiler.Check(code); err != nil {
		t.Fatalf("a generated module is not admitted: %v", err)
	}
	compiled, errA := e.compiler.Load(code)
	defer forget(e.compiler, code)
	interpreted, errB := e.interpreter.Load(code)
	defer forget(e.interpreter, code)
	if (errA == nil) != (errB == nil) {
		t.Fatalf("compiler: %v, interpreter: %v", errA, errB)
	}
	if errA != nil { // _initialize trapped
		for _, err := range []error{errA, errB} {
			if c, ok := protocol.CodeOf(err); !ok || c != protocol.CodeContractInvalid {
				t.Fatal(err)
			}
		}
		return nil
	}
	if !slices.Equal(compiled.globals, interpreted.globals) || string(compiled.image) != string(interpreted.image) {
		t.Fatal("the engines begin with different images")
	}
	var first []sight
	steps := randomSteps(choose)
	for _, s := range steps {
		v := look(t, compiled, s)
		same(t, "compiler and interpreter", s, v, look(t, interpreted, s))
		first = append(first, v)
	}
	for i, s := range slices.Backward(steps) {
		same(t, "reused instance", s, first[i], look(t, compiled, s))
		same(t, "reused instance, interpreted", s, first[i], look(t, interpreted, s))
	}
	compiled.idle = nil
	same(t, "fresh instance", steps[0], first[0], look(t, compiled, steps[0]))
	for range 4 {
		s := steps[choose.n(len(steps))]
		s.limit = choose.u64() % (first[0].Result.GasUsed + 2)
		if v := look(t, compiled, s); v.Result.GasUsed > s.limit {
			t.Fatalf("%d gas used of %d", v.Result.GasUsed, s.limit)
		} else {
			same(t, "out of gas", s, v, look(t, interpreted, s))
		}
	}
	return first
}

// restarted runs a module on engines that share a directory of compiled code:
// the first writes it, the second reads it.
func restarted(t testing.TB, dir string, code []byte, steps []step, want []sight) {
	t.Helper()
	for _, name := range []string{"cold cache", "warm cache after a restart"} {
		e, err := New(context.Background(), Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Load(code)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, s := range steps {
			same(t, name, s, want[i], look(t, p, s))
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// seedBytes are the fuzzer's bytes of a numbered random module.
func seedBytes(n int) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(n)*0x9e3779b97f4a7c15)
}

// differential runs numbered random modules and answers a digest of all they
// left, which is the same on every processor.
func differential(t testing.TB, from, to int) (digest [32]byte, codes map[protocol.Code]int) {
	t.Helper()
	e, sum := newEngines(t), sha256.New()
	codes = map[protocol.Code]int{}
	for n := from; n < to; n++ {
		first := differ(t, e, randomModule(seedBytes(n)), newEntropy(seedBytes(n+1)))
		for _, v := range first {
			codes[v.Result.Code]++
			fmt.Fprintf(sum, "%d %+v\n", n, v)
		}
	}
	return [32]byte(sum.Sum(nil)), codes
}

var modules = flag.Int("modules", 0, "how many random modules TestDifferential runs, instead of its own number")

// TestDifferential runs random modules on the compiler and the interpreter,
// fresh and reused, with enough gas and too little, and with cached code.
func TestDifferential(t *testing.T) {
	n := 400
	if testing.Short() {
		n = shortDifferential
	}
	if *modules > 0 {
		n = *modules
	}
	digest, codes := differential(t, 0, n)
	t.Logf("digest %x of %v", digest, codes)
	for _, c := range []protocol.Code{protocol.CodeOK, protocol.CodeContractTrap, protocol.CodeHostMisuse, protocol.CodeContractAborted} {
		if codes[c] < n/50 {
			t.Errorf("only %d runs of %d modules came to %v", codes[c], n, c)
		}
	}
	e, dir := newEngines(t), t.TempDir()
	for n := range 10 {
		code, steps := randomModule(seedBytes(n)), randomSteps(newEntropy(seedBytes(n+1)))
		if first := differ(t, e, code, newEntropy(seedBytes(n+1))); first != nil {
			restarted(t, fmt.Sprint(dir, n), code, steps, first)
		}
	}
}

// FuzzDifferential lets the fuzzer choose the module and what is asked of it.
func FuzzDifferential(f *testing.F) {
	for n := range 24 {
		f.Add(seedBytes(n), seedBytes(n+1))
	}
	e := newEngines(f)
	f.Fuzz(func(t *testing.T, module, choices []byte) {
		code := randomModule(module)
		first := differ(t, e, code, newEntropy(choices))
		if first != nil {
			restarted(t, t.TempDir()+"/cache", code, randomSteps(newEntropy(choices)), first)
		}
	})
}

// TestGeneratorCoverage: random modules hold every instruction that the rules
// admit.
func TestGeneratorCoverage(t *testing.T) {
	l := module.Contract()
	seen := map[uint16]bool{}
	for n := range 400 {
		m, err := module.Parse(randomModule(seedBytes(n)), &l)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Bodies {
			d := module.NewDecoder(m.Bodies[i].Code, &l)
			var in module.Instruction
			for d.More() {
				if err := d.Next(&in); err != nil {
					t.Fatal(err)
				}
				seen[in.Op] = true
			}
		}
	}
	for op := range uint16(module.OpI64Extend32S + 1) {
		padded := append([]byte{byte(op)}, make([]byte, 9)...)
		if err := module.NewDecoder(padded, &l).Next(&module.Instruction{}); err == nil && !seen[op] {
			t.Errorf("no module has the instruction 0x%02x", op)
		}
	}
	for op := uint16(0xfc00); op <= module.OpMemoryFill; op++ {
		if !seen[op] && (op <= 0xfc07 || op >= module.OpMemoryCopy) {
			t.Errorf("no module has the instruction 0x%04x", op)
		}
	}
}
