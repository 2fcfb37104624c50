package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// played is what every step of a transcript came to, and its gas.
type played struct {
	outcome string
	gas     uint64
}

// runs are the steps of a transcript that run the contract. Those that say
// what surrounds it are left out: here it is the same for all.
func runs(text string) (steps []string) {
	for step := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		switch kind, _, _ := strings.Cut(step, " "); kind {
		case "init", "event", "call", "query":
			steps = append(steps, step)
		}
	}
	return steps
}

// play gives a shipped contract the records of its transcript.
func play(t *testing.T, e *Engine, code []byte, transcript []string) (all []played) {
	t.Helper()
	p, err := e.Load(code)
	if err != nil {
		t.Fatal(err)
	}
	state := newLedger()
	for _, step := range transcript {
		input, _, _ := strings.Cut(step, "\n")
		outcome, gas := transcriptStep(t, p, state, input)
		all = append(all, played{outcome, gas})
	}
	return all
}

// TestShippedTranscripts plays the transcript of every shipped contract on
// both engines, with a cold cache, from a warm one after a restart, and from
// one that was damaged: every step comes to the same at the same gas. That it
// is what the native tests wrote down is node/internal/shipped's to show.
func TestShippedTranscripts(t *testing.T) {
	modules, err := filepath.Glob(filepath.Join("..", "..", "..", "contracts", "*", "*.wasm"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	for _, module := range modules {
		t.Run(filepath.Base(filepath.Dir(module)), func(t *testing.T) {
			code, err := os.ReadFile(module)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(filepath.Dir(module), "testdata", "transcript.txt"))
			if err != nil {
				t.Skip(err)
			}
			transcript := runs(string(text))
			dir := filepath.Join(t.TempDir(), "cache")
			first := play(t, newEngine(t, Config{}), code, transcript)
			again := func(name string, c Config) {
				for i, step := range play(t, newEngine(t, c), code, transcript) {
					if step != first[i] {
						t.Fatalf("%s: step %d: %+v, want %+v", name, i, step, first[i])
					}
				}
			}
			again("interpreter", Config{Interpreter: true})
			again("another process's compiler", Config{})
			again("cold cache", Config{CacheDir: dir})
			again("warm cache", Config{CacheDir: dir})
			for _, f := range compiledFiles(t, dir) {
				if err := os.Truncate(f, 100); err != nil {
					t.Fatal(err)
				}
			}
			again("damaged cache", Config{CacheDir: dir})
		})
	}
}

// TestFixturesKeepTheirGas runs the other fixtures' handlers in the same ways.
func TestFixturesKeepTheirGas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var first []sight
	for _, c := range []Config{{}, {Interpreter: true}, {}, {CacheDir: dir}, {CacheDir: dir}} {
		e, n := newEngine(t, c), 0
		for _, name := range []string{"ewma", "kernels", "hostile"} {
			p := load(t, e, name)
			for _, handler := range []uint32{0, 1, 2, 3, 17, 19, 20, 25, 38} {
				s := step{Event, handler, eventRecord("press-7", 150_000), testGas}
				v := look(t, p, s)
				if n == len(first) {
					first = append(first, v)
				}
				same(t, name, s, first[n], v)
				n++
			}
		}
	}
}
