package shipped

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

const contracts = "../../../contracts"

// gasLimit of a delivery in these tests: far above what any of them uses.
const gasLimit = 1 << 30

// ledger is one contract's state and emitted events, in memory. A run's
// writes are kept apart until it has succeeded.
type ledger struct {
	vm.Alone
	bank    *tokens // once the transcript opens one
	host    vm.Host // in the place of this ledger, where a test looks on
	program *vm.Program
	timers  map[uint64]bool // pending, by id, as the run under way sees them
	last    uint64          // id that was given out
	state   map[string][]byte
	written map[string][]byte // by the run under way; nil deletes
	emitted []vm.Emission     // by the run under way
	gas     uint64            // of the last run
}

// load admits and loads contracts/NAME/NAME.wasm.
func load(t testing.TB, name string, interpreter bool) *ledger {
	t.Helper()
	engine, err := vm.New(context.Background(), vm.Config{Interpreter: interpreter})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	code := readFile(t, name, name+".wasm")
	if err := engine.Check(code); err != nil {
		t.Fatalf("%s is not admitted: %v", name, err)
	}
	program, err := engine.Load(code)
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{program: program, state: map[string][]byte{}, timers: map[uint64]bool{}}
}

func readFile(t testing.TB, name, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(contracts, name, file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// names lists the contracts that are there as .wasm.
func names(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(contracts, "*", "*.wasm"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".wasm"))
	}
	return names
}

// run delivers a record, and keeps what it did if it succeeded.
func (l *ledger) run(t testing.TB, kind vm.EntryKind, handler uint32, record []byte) vm.Result {
	t.Helper()
	l.written, l.emitted = map[string][]byte{}, nil
	timers, last := maps.Clone(l.timers), l.last
	entry := vm.Entrypoint{Kind: kind, Handler: handler}
	host := l.host
	if host == nil {
		host = l
	}
	result, err := l.program.Run(context.Background(), entry, vm.Env{Height: 1, Self: l.bank.address()}, record, gasLimit, host)
	if err != nil {
		t.Fatal(err)
	}
	l.gas = result.GasUsed
	l.bank.keep(result.Code == 0)
	if result.Code != 0 {
		l.emitted, l.timers, l.last = nil, timers, last
		return result
	}
	for key, value := range l.written {
		if value == nil {
			delete(l.state, key)
		} else {
			l.state[key] = value
		}
	}
	return result
}

// Get implements vm.Host, as the methods below do.
func (l *ledger) Get(key []byte) ([]byte, bool, error) {
	if value, ok := l.written[string(key)]; ok {
		return value, value != nil, nil
	}
	value, ok := l.state[string(key)]
	return value, ok, nil
}

func (l *ledger) Set(key, value []byte) error {
	l.written[string(key)] = append([]byte{}, value...)
	return nil
}

func (l *ledger) Delete(key []byte) error {
	l.written[string(key)] = nil
	return nil
}

func (l *ledger) Scan(prefix, after []byte, limit int) ([]vm.KV, error) {
	all := maps.Clone(l.state)
	maps.Copy(all, l.written)
	var pairs []vm.KV
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(pairs) < limit && all[key] != nil && strings.HasPrefix(key, string(prefix)) &&
			(len(after) == 0 || key > string(after)) {
			pairs = append(pairs, vm.KV{Key: []byte(key), Value: all[key]})
		}
	}
	return pairs, nil
}

func (l *ledger) Emit(e vm.Emission) error {
	l.emitted = append(l.emitted, e)
	return nil
}

// Schedule gives out ids as the SDK's native host does.
func (l *ledger) Schedule(vm.TimerRequest) (uint64, error) {
	l.last++
	l.timers[l.last] = true
	return l.last, nil
}

func (l *ledger) Cancel(id uint64) (bool, error) {
	pending := l.timers[id]
	delete(l.timers, id)
	return pending, nil
}

// Every shipped contract has a manifest under its name and the bytes that its
// .sha256 file names, in the form sha256sum -c reads.
func TestFiles(t *testing.T) {
	for _, name := range names(t) {
		m, err := abi.ParseManifest(readFile(t, name, "manifest.json"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Name != name {
			t.Errorf("%s: its manifest names it %s", name, m.Name)
		}
		want := fmt.Sprintf("%x  %s.wasm\n", sha256.Sum256(readFile(t, name, name+".wasm")), name)
		if got := string(readFile(t, name, name+".wasm.sha256")); got != want {
			t.Errorf("%s.wasm.sha256 is %q, the file's is %q; run scripts/build-contracts.sh %s", name, got, want, name)
		}
	}
}

// What the handlers answered natively, the built contract answers on the
// engine, compiled and interpreted, for the same gas.
func TestTranscripts(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			text := string(readFile(t, name, "testdata/transcript.txt"))
			compiled, interpreted := load(t, name, false), load(t, name, true)
			blocks := strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n")
			for i, want := range blocks {
				input, _, _ := strings.Cut(want, "\n")
				if got := replay(t, compiled, input); got != want {
					t.Fatalf("delivery %d\ngot  %s\nwant %s", i, got, want)
				}
				if got := replay(t, interpreted, input); got != want {
					t.Fatalf("delivery %d, interpreted\ngot  %s\nwant %s", i, got, want)
				}
				if compiled.gas != interpreted.gas {
					t.Fatalf("delivery %d took %d gas compiled and %d interpreted", i, compiled.gas, interpreted.gas)
				}
			}
		})
	}
}

// replay delivers a transcript's input line and renders what came of it as
// the SDK's native host does.
func replay(t *testing.T, l *ledger, input string) string {
	t.Helper()
	if l.openBank(t, input) {
		return input + "\nok"
	}
	kinds := map[string]vm.EntryKind{"init": vm.Init, "event": vm.Event, "call": vm.Call, "query": vm.Query, "timer": vm.Timer, "migrate": vm.Migrate}
	var kind string
	var handler uint32
	var record []byte
	if _, err := fmt.Sscanf(input, "%s %d %x", &kind, &handler, &record); err != nil {
		t.Fatalf("transcript line %q: %v", input, err)
	}
	result := l.run(t, kinds[kind], handler, record)
	var out bytes.Buffer
	fmt.Fprintln(&out, input)
	switch {
	case result.GuestCode != 0:
		fmt.Fprintf(&out, "abort %d", result.GuestCode)
	case result.Code.Name() == "HOST_MISUSE":
		fmt.Fprint(&out, "misuse")
	case result.Code != 0:
		fmt.Fprint(&out, result.Code.Name(), result.Log)
	default:
		for _, e := range l.emitted {
			fmt.Fprintf(&out, "emit %s %q %s\n", e.Type, e.Subject, e.Data)
		}
		if len(result.Output) > 0 {
			fmt.Fprintf(&out, "output %s\n", result.Output)
		}
		fmt.Fprint(&out, "ok")
	}
	return out.String()
}
