package vm

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
)

//go:embed testdata/*.wasm
var fixtures embed.FS

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	code, err := fixtures.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func newEngine(t testing.TB, c Config) *Engine {
	t.Helper()
	e, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func load(t testing.TB, e *Engine, name string) *Program {
	t.Helper()
	p, err := e.Load(fixture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ledger is a Host in memory.
type ledger struct {
	Alone
	state  map[string]string
	events []Emission
	fault  error // answered by everything when set
}

func newLedger() *ledger { return &ledger{state: map[string]string{}} }

func (l *ledger) Get(key []byte) ([]byte, bool, error) {
	v, ok := l.state[string(key)]
	return []byte(v), ok, l.fault
}

func (l *ledger) Set(key, value []byte) error {
	l.state[string(key)] = string(value)
	return l.fault
}

func (l *ledger) Delete(key []byte) error {
	delete(l.state, string(key))
	return l.fault
}

func (l *ledger) Scan(prefix, after []byte, limit int) ([]KV, error) {
	var keys []string
	for k := range l.state {
		if strings.HasPrefix(k, string(prefix)) && (len(after) == 0 || k > string(after)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var pairs []KV
	for _, k := range keys[:min(limit, len(keys))] {
		pairs = append(pairs, KV{[]byte(k), []byte(l.state[k])})
	}
	return pairs, l.fault
}

func (l *ledger) Emit(e Emission) error {
	l.events = append(l.events, e)
	return l.fault
}

var testEnv = Env{Height: 7, TimeMs: 1_475_567_982_000, Self: protocol.Address{1, 2, 3}}

const testGas = 5_000_000

func deliver(t testing.TB, p *Program, handler uint32, input []byte, host Host) Result {
	t.Helper()
	r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: handler}, testEnv, input, testGas, host)
	if err != nil {
		t.Fatalf("handler %d: %v", handler, err)
	}
	return r
}

// hostileCase is one handler of testdata/hostile.wat and what it comes to.
type hostileCase struct {
	name    string
	handler uint32
	input   string
	code    protocol.Code
	guest   uint32
	events  int
	check   func(t *testing.T, r Result)
	log     string // part of the last line
}

// signed is a digest, its signature and the signer's key.
func signed() string {
	key, err := protocol.PrivateKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	digest := protocol.Hash{9}
	signature := key.Sign(digest)
	public := key.Public()
	return string(digest[:]) + string(signature[:]) + string(public[:])
}

func outputHex(want string) func(*testing.T, Result) {
	return func(t *testing.T, r Result) {
		if got := hex.EncodeToString(r.Output); got != want {
			t.Errorf("output %s, want %s", got, want)
		}
	}
}

var hostileCases = []hostileCase{
	{name: "ok", handler: 0},
	{name: "infinite loop", handler: 1, code: protocol.CodeOutOfGas},
	{name: "recursion", handler: 2, code: protocol.CodeCallDepth},
	{name: "memory bomb", handler: 3, code: protocol.CodeOutOfGas},
	{name: "unreachable", handler: 4, code: protocol.CodeContractTrap, log: "unreachable"},
	{name: "division by zero", handler: 5, code: protocol.CodeContractTrap, log: "integer divide by zero"},
	{name: "load out of bounds", handler: 6, code: protocol.CodeContractTrap, log: "out of bounds memory access"},
	{name: "bad pointer", handler: 7, code: protocol.CodeHostMisuse, log: "memory 131056..131088 is out of bounds"},
	{name: "long key", handler: 8, code: protocol.CodeHostMisuse, log: "a state key of 257 bytes"},
	{name: "abort", handler: 9, code: protocol.CodeContractAborted, guest: 7, log: "a message"},
	{name: "own code", handler: 10, code: protocol.CodeContractAborted, guest: 5},
	{name: "negative answer", handler: 11, code: protocol.CodeContractTrap, log: "answered -1"},
	{name: "emit", handler: 12, events: 1},
	{name: "emit for ever", handler: 13, code: protocol.CodeHostMisuse, events: abi.MaxEmissions, log: "more than 256 events"},
	{name: "fill for ever", handler: 14, code: protocol.CodeOutOfGas},
	{name: "call of nothing", handler: 15, code: protocol.CodeContractTrap, log: "invalid table access"},
	{name: "handler not in the table", handler: 9999, code: protocol.CodeContractTrap, log: "invalid table access"},
	{name: "log flood", handler: 16, check: func(t *testing.T, r Result) {
		if len(r.Log) != abi.MaxLogLines || len(r.Log[0]) != abi.MaxLogBytes {
			t.Errorf("%d log lines", len(r.Log))
		}
	}},
	{name: "NaNs are canonical", handler: 17, check: outputHex("000000000000f87f0000c07f0000c07f000000000000f87f")},
	{name: "writes, then traps", handler: 18, code: protocol.CodeContractTrap},
	{name: "counts from the same image", handler: 19, check: outputHex("010000004d00000001000000")},
	{name: "scan", handler: 20, check: func(t *testing.T, r Result) {
		if len(r.Output) != 40*18 || string(r.Output[4:9]) != "key-A" || string(r.Output[39*18+4:39*18+9]) != "key-h" {
			t.Errorf("%d bytes of pairs: %q", len(r.Output), r.Output)
		}
	}},
	{name: "grows", handler: 21},
	{name: "abort with zero", handler: 22, code: protocol.CodeHostMisuse},
	{name: "hash", handler: 23, check: outputHex("f53c09ca39717a45c62d9aca8f8113eddbfd5f81dcab0b33b1c1834075225e68")},
	{name: "context", handler: 24, check: outputHex("0700000000000000" + "b095b48e57010000" + "010203" + strings.Repeat("00", 17))},
	{name: "remainders", handler: 25, check: outputHex("00000000" + "ffffffff" + "00000000" + "ffffffffffffffff" + "0000000000000000")},
	{name: "input and state", handler: 26, input: "some input", check: outputHex(hex.EncodeToString([]byte("some input")))},
	{name: "deletes", handler: 27},
	{name: "input past its end", handler: 28, input: "abc", code: protocol.CodeHostMisuse, log: "input 1..4 of 3 bytes"},
	{name: "huge value", handler: 29, code: protocol.CodeHostMisuse},
	{name: "good signature", handler: 30, input: signed()},
	{name: "bad signature", handler: 30, input: "x" + signed()[1:], code: protocol.CodeContractAborted, guest: 1},
	{name: "scan without room", handler: 31},
	{name: "host calls for ever", handler: 32, code: protocol.CodeOutOfGas},
	{name: "copy out of bounds", handler: 33, code: protocol.CodeContractTrap, log: "out of bounds memory access"},
	{name: "empty key", handler: 34, code: protocol.CodeHostMisuse},
	{name: "output for ever", handler: 35, code: protocol.CodeHostMisuse, log: "output is over"},
	{name: "mutual recursion", handler: 36, code: protocol.CodeCallDepth},
	{name: "size after growth", handler: 37},
	{name: "floats", handler: 38},
}

func TestHostile(t *testing.T) {
	programs := map[string]*Program{
		"compiler":    load(t, newEngine(t, Config{}), "hostile"),
		"interpreter": load(t, newEngine(t, Config{Interpreter: true}), "hostile"),
	}
	results := map[string][]Result{}
	// Three rounds: fresh instances, reused ones, and after every kind of failure.
	for _, name := range []string{"compiler", "interpreter"} {
		for round := range 3 {
			for i, c := range hostileCases {
				host := newLedger()
				r := deliver(t, programs[name], c.handler, []byte(c.input), host)
				if r.Code != c.code || r.GuestCode != c.guest || len(host.events) != c.events {
					t.Errorf("%s: %s: code %v, guest code %d, %d events: %q", name, c.name, r.Code, r.GuestCode, len(host.events), r.Log)
				}
				if c.code == protocol.CodeOutOfGas && r.GasUsed != testGas || r.GasUsed == 0 || r.GasUsed > testGas {
					t.Errorf("%s: %s: %d gas", name, c.name, r.GasUsed)
				}
				if c.log != "" && (len(r.Log) == 0 || !strings.Contains(r.Log[len(r.Log)-1], c.log)) {
					t.Errorf("%s: %s: log %q", name, c.name, r.Log)
				}
				if c.check != nil {
					c.check(t, r)
				}
				r.Log = nil // the one part that may differ
				if round == 0 {
					results[name] = append(results[name], r)
				} else if !reflect.DeepEqual(r, results[name][i]) {
					t.Errorf("%s: %s: round %d: %+v, first %+v", name, c.name, round, r, results[name][i])
				}
			}
		}
	}
	for i, c := range hostileCases {
		if a, b := results["compiler"][i], results["interpreter"][i]; !reflect.DeepEqual(a, b) {
			t.Errorf("%s: compiler %+v, interpreter %+v", c.name, a, b)
		}
	}
}

// TestEveryGasLimit stops a run at every limit up to what it needs: both
// engines must stop alike, and none may use more than it was given.
func TestEveryGasLimit(t *testing.T) {
	compiled := load(t, newEngine(t, Config{}), "hostile")
	interpreted := load(t, newEngine(t, Config{Interpreter: true}), "hostile")
	ctx, entry := context.Background(), Entrypoint{Kind: Event, Handler: 19}
	need := deliver(t, compiled, entry.Handler, nil, newLedger()).GasUsed
	for limit := uint64(0); limit <= need+2; limit += 1 + limit/400 {
		a, errA := compiled.Run(ctx, entry, testEnv, nil, limit, newLedger())
		b, errB := interpreted.Run(ctx, entry, testEnv, nil, limit, newLedger())
		if errA != nil || errB != nil {
			t.Fatalf("limit %d: %v, %v", limit, errA, errB)
		}
		if a.GasUsed > limit || (a.Code == protocol.CodeOK) != (limit >= need) {
			t.Fatalf("limit %d of %d: %+v", limit, need, a)
		}
		a.Log, b.Log = nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("limit %d: %+v, interpreted %+v", limit, a, b)
		}
	}
	exact, err := compiled.Run(ctx, entry, testEnv, nil, need, newLedger())
	if err != nil || exact.Code != protocol.CodeOK || exact.GasUsed != need {
		t.Fatalf("at the exact limit: %+v, %v", exact, err)
	}
}

func TestEntryKinds(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t, Config{})
	p, ewma := load(t, e, "hostile"), load(t, e, "ewma")
	if again := load(t, e, "hostile"); again != p {
		t.Error("the same code is compiled twice")
	}
	if !p.Has(Query) || ewma.Has(Query) || ewma.Has(Init) || !ewma.Has(Event) {
		t.Error("entry points are not told apart")
	}
	host := newLedger()
	if r, err := p.Run(ctx, Entrypoint{Kind: Init}, testEnv, nil, testGas, host); err != nil || r.Code != protocol.CodeOK || host.state["key-0"] != "value" {
		t.Errorf("init: %+v, %v", r, err)
	}
	if r, err := ewma.Run(ctx, Entrypoint{Kind: Init}, testEnv, nil, testGas, host); err != nil || r.Code != protocol.CodeOK || r.GasUsed != 0 {
		t.Errorf("init that is not exported: %+v, %v", r, err)
	}
	if r, err := ewma.Run(ctx, Entrypoint{Kind: Call}, testEnv, nil, testGas, host); err != nil || r.Code != protocol.CodeMethodUnknown {
		t.Errorf("call that is not exported: %+v, %v", r, err)
	}
	for handler, want := range map[uint32]protocol.Code{0: protocol.CodeOK, 12: protocol.CodeHostMisuse, 18: protocol.CodeHostMisuse, 27: protocol.CodeHostMisuse} {
		if r, err := p.Run(ctx, Entrypoint{Kind: Query, Handler: handler}, testEnv, nil, testGas, newLedger()); err != nil || r.Code != want {
			t.Errorf("query %d: %+v, %v", handler, r, err)
		}
	}
	if r, err := p.Run(ctx, Entrypoint{Kind: Call, Handler: 10}, testEnv, nil, testGas, newLedger()); err != nil || r.GuestCode != 5 {
		t.Errorf("call: %+v, %v", r, err)
	}
	if _, err := p.Run(ctx, Entrypoint{Kind: Event}, testEnv, make([]byte, abi.MaxInputBytes+1), testGas, host); err == nil {
		t.Error("oversized input runs")
	}
}

// TestHostErrors tells a refusal of the ledger from a fault of the node.
func TestHostErrors(t *testing.T) {
	p := load(t, newEngine(t, Config{}), "hostile")
	disk := errors.New("disk on fire")
	for _, handler := range []uint32{12, 18, 20, 26, 27} {
		_, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: handler}, testEnv, nil, testGas, &ledger{state: map[string]string{}, fault: disk})
		if !errors.Is(err, disk) {
			t.Errorf("handler %d: error %v", handler, err)
		}
		r := deliver(t, p, handler, nil, &ledger{state: map[string]string{}, fault: protocol.Refuse(protocol.CodeHopLimit, "too far")})
		if r.Code != protocol.CodeHopLimit || r.Log[len(r.Log)-1] != "too far" {
			t.Errorf("handler %d: %+v", handler, r)
		}
	}
	// A panic of the host is not the contract's trap.
	if _, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: 12}, testEnv, nil, testGas, nil); err == nil {
		t.Error("a broken host looks like a trap")
	}
}

// TestCache runs the same code cold, from the disk cache, and with the cache
// damaged.
func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var first []Result
	for restart := range 2 {
		p := load(t, newEngine(t, Config{CacheDir: dir}), "hostile")
		for i, c := range hostileCases {
			r := deliver(t, p, c.handler, []byte(c.input), newLedger())
			r.Log = nil
			if restart == 0 {
				first = append(first, r)
			} else if !reflect.DeepEqual(r, first[i]) {
				t.Errorf("%s: %+v after a restart, %+v before", c.name, r, first[i])
			}
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("cache directory: %v, %v", info.Mode(), err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if len(files) == 0 {
		t.Fatal("nothing is cached")
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := load(t, newEngine(t, Config{CacheDir: dir}), "hostile")
	if r := deliver(t, p, 0, nil, newLedger()); r.GasUsed != first[0].GasUsed {
		t.Errorf("after damage: %+v", r)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(context.Background(), Config{CacheDir: dir}); err == nil {
		t.Error("a cache that anyone can write to is trusted")
	}
}

// TestConcurrentRuns runs queries beside one another; the race detector
// watches the pool.
func TestConcurrentRuns(t *testing.T) {
	p := load(t, newEngine(t, Config{}), "hostile")
	var wg sync.WaitGroup
	for range 2 * poolSize {
		wg.Go(func() {
			for range 20 {
				r, err := p.Run(context.Background(), Entrypoint{Kind: Query, Handler: 19}, testEnv, nil, testGas, newLedger())
				if err != nil || hex.EncodeToString(r.Output) != "010000004d00000001000000" {
					t.Errorf("%+v, %v", r, err)
				}
			}
		})
	}
	wg.Wait()
	if len(p.idle) > poolSize {
		t.Errorf("%d idle instances", len(p.idle))
	}
}

// TestGasIsPinned holds gas constant between releases: a change here needs a
// new meter.Version.
func TestGasIsPinned(t *testing.T) {
	e := newEngine(t, Config{Interpreter: true})
	want := map[string][]uint64{
		"kernels": {1_527_975, 1_318_952, 347_531, 348_232},
		"hostile": {8_205},
	}
	for name, gas := range want {
		p := load(t, e, name)
		for handler, g := range gas {
			if got := deliver(t, p, uint32(handler), nil, newLedger()).GasUsed; got != g {
				t.Errorf("%s %d: %d gas, pinned %d (metering version %d)", name, handler, got, g, meter.Version)
			}
		}
	}
}
