package vm

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// counter stands for a counter of the metering where there is none.
type counter struct {
	api.MutableGlobal
	v uint64
}

func (c *counter) Get() uint64  { return c.v }
func (c *counter) Set(v uint64) { c.v = v }

// bare is a contract that was not metered, with the host functions of one
// that was. It makes an instance, and another whenever one has grown.
func bare(b *testing.B, code []byte, p *Program) func() *instance {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithMemoryLimitPages(64))
	b.Cleanup(func() { r.Close(ctx) })
	if err := instantiateHost(ctx, r); err != nil {
		b.Fatal(err)
	}
	compiled, err := r.CompileModule(ctx, withGlobals(b, code))
	if err != nil {
		b.Fatal(err)
	}
	var kept *instance
	return func() *instance {
		if kept != nil && kept.mem.Size() == uint32(len(p.image)) {
			return kept
		}
		if kept != nil {
			kept.mod.Close(ctx)
		}
		kept = bareInstance(b, r, compiled)
		if missing := uint32(len(p.image)) - kept.mem.Size(); missing > 0 {
			kept.mem.Grow(missing / wasmPage)
		}
		return kept
	}
}

func bareInstance(b *testing.B, r wazero.Runtime, compiled wazero.CompiledModule) *instance {
	in := &instance{gas: &counter{}, depth: &counter{}, limit: math.MaxInt64}
	in.ctx = context.WithValue(context.Background(), instanceKey{}, in)
	mod, err := r.InstantiateModule(in.ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		b.Fatal(err)
	}
	in.mod, in.mem = mod, mod.Memory()
	for i := 0; mod.ExportedGlobal(meter.GlobalExport+strconv.Itoa(i)) != nil; i++ {
		in.globals = append(in.globals, mod.ExportedGlobal(meter.GlobalExport+strconv.Itoa(i)).(api.MutableGlobal))
	}
	for kind, name := range entryNames {
		in.entries[kind] = mod.ExportedFunction(name)
	}
	return in
}

// withGlobals exports a module's mutable globals, as the metering does, so
// that they can be put back between runs, and changes nothing else.
func withGlobals(b *testing.B, code []byte) []byte {
	l := module.Contract()
	m, err := module.Parse(code, &l)
	if err != nil {
		b.Fatal(err)
	}
	exports, n := "", len(m.Exports)
	for _, e := range m.Exports {
		exports += sized(e.Name) + string([]byte{e.Kind}) + uleb(uint64(e.Index))
	}
	mutable := 0
	for i, g := range m.Globals {
		if g.Mutable {
			exports += sized(meter.GlobalExport+strconv.Itoa(mutable)) + "\x03" + uleb(uint64(i))
			mutable++
		}
	}
	m.Raw[module.SectionExport] = []byte(uleb(uint64(n+mutable)) + exports)
	out := code[:8:8]
	for id, contents := range m.Raw {
		if contents != nil {
			out = append(out, string([]byte{byte(id)})+sized(string(contents))...)
		}
	}
	return out
}

// BenchmarkShipped plays the transcripts of the shipped contracts, as they
// run on the ledger and as they would without the metering's code: the same
// host functions, and memory restored before every run.
func BenchmarkShipped(b *testing.B) {
	modules, _ := filepath.Glob(filepath.Join("..", "..", "..", "contracts", "*", "*.wasm"))
	for _, module := range modules {
		code, err := os.ReadFile(module)
		if err != nil {
			b.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(module), "testdata", "transcript.txt"))
		if err != nil {
			continue
		}
		calls := transcriptCalls(b, string(text))
		tape := record(b, code, calls)
		name := filepath.Base(filepath.Dir(module))
		var metered float64
		b.Run(name+"/metered", func(b *testing.B) {
			p, err := newEngine(b, Config{}).Load(code)
			if err != nil {
				b.Fatal(err)
			}
			metered = playFor(b, calls, tape, func(c transcriptCall, host Host) {
				if _, err := p.Run(context.Background(), c.entry, testEnv, c.input, math.MaxInt64, host); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(name+"/bare", func(b *testing.B) {
			p, err := newEngine(b, Config{}).Load(code) // for its image
			if err != nil {
				b.Fatal(err)
			}
			fresh := bare(b, code, p)
			plain := playFor(b, calls, tape, func(c transcriptCall, host Host) { runBare(b, fresh(), p, c, host) })
			b.ReportMetric(100*(metered/plain-1), "%overhead")
		})
	}
}

// runBare is Program.Run without a metering.
func runBare(b *testing.B, in *instance, p *Program, c transcriptCall, host Host) {
	in.mem.Write(0, p.image)
	for i, g := range in.globals {
		g.Set(p.globals[i])
	}
	in.gas.Set(math.MaxInt64)
	in.begin(run{kind: c.entry.Kind, env: testEnv, input: c.input, host: host})
	stack := in.stack[:2]
	stack[0], stack[1] = uint64(c.entry.Handler), uint64(len(c.input))
	if c.entry.Kind == Init {
		stack[0] = uint64(len(c.input))
	}
	if err := in.entries[c.entry.Kind].CallWithStack(in.ctx, stack); err != nil {
		if in.run.refusal == nil {
			b.Fatal(err)
		}
	}
}

// transcriptCall is one line of a transcript.
type transcriptCall struct {
	entry Entrypoint
	input []byte
}

func transcriptCalls(b *testing.B, text string) (all []transcriptCall) {
	kinds := map[string]EntryKind{"init": Init, "event": Event, "call": Call, "query": Query}
	for _, step := range runs(text) {
		var kind, record string
		var c transcriptCall
		if _, err := fmt.Sscanf(step, "%s %d %s", &kind, &c.entry.Handler, &record); err != nil {
			b.Fatal(err)
		}
		var err error
		if c.input, err = hex.DecodeString(record); err != nil {
			b.Fatal(err)
		}
		c.entry.Kind = kinds[kind]
		all = append(all, c)
	}
	return all
}

// tape is a Host that plays back what another answered, so that only the
// contract's own work is measured.
type tape struct {
	*ledger
	recording bool
	answers   []tapeAnswer
	next      int
}

type tapeAnswer struct {
	value []byte
	ok    bool
	pairs []KV
}

func (h *tape) Get(key []byte) ([]byte, bool, error) {
	if h.recording {
		value, ok, _ := h.ledger.Get(key)
		h.answers = append(h.answers, tapeAnswer{value: value, ok: ok})
	}
	h.next++
	a := &h.answers[h.next-1]
	return a.value, a.ok, nil
}

func (h *tape) Scan(prefix, after []byte, limit int) ([]KV, error) {
	if h.recording {
		pairs, _ := h.ledger.Scan(prefix, after, limit)
		h.answers = append(h.answers, tapeAnswer{pairs: pairs})
	}
	h.next++
	return h.answers[h.next-1].pairs, nil
}

func (h *tape) Set(key, value []byte) error {
	if h.recording {
		return h.ledger.Set(key, value)
	}
	return nil
}

func (h *tape) Delete(key []byte) error {
	if h.recording {
		return h.ledger.Delete(key)
	}
	return nil
}

func (h *tape) Emit(Emission) error { return nil }

// record plays the calls once; what failed is undone by hand, as the ledger does.
func record(b *testing.B, code []byte, calls []transcriptCall) *tape {
	p, err := newEngine(b, Config{}).Load(code)
	if err != nil {
		b.Fatal(err)
	}
	h := &tape{ledger: newLedger(), recording: true}
	for _, c := range calls {
		before := maps.Clone(h.state)
		r, err := p.Run(context.Background(), c.entry, testEnv, c.input, math.MaxInt64, h)
		if err != nil {
			b.Fatal(err)
		}
		if r.Code != protocol.CodeOK {
			h.state = before
		}
	}
	h.recording = false
	return h
}

// playFor plays the calls again and again and answers the processor's time
// for one in ns.
func playFor(b *testing.B, calls []transcriptCall, h *tape, call func(transcriptCall, Host)) float64 {
	start := processorTime()
	for b.Loop() {
		h.next = 0
		for _, c := range calls {
			call(c, h)
		}
	}
	ns := float64(processorTime()-start) / float64(b.N) / float64(len(calls))
	b.ReportMetric(ns, "ns/call")
	b.ReportMetric(0, "ns/op")
	return ns
}

// BenchmarkBatch is a batch of 100 events through the benchmark's contract,
// as the deliveries of a block run: one by one, each from the same image.
func BenchmarkBatch(b *testing.B) {
	p := load(b, newEngine(b, Config{}), "ewma")
	ctx, host := context.Background(), &flatHost{}
	records := make([][]byte, 100)
	for i := range records {
		records[i] = eventRecord(fmt.Sprint("press-", i%10), int64(60_000+i))
	}
	start := processorTime()
	for b.Loop() {
		for _, record := range records {
			if r, err := p.Run(ctx, Entrypoint{Kind: Event}, testEnv, record, testGas, host); err != nil || r.Code != protocol.CodeOK {
				b.Fatal(r, err)
			}
		}
	}
	b.ReportMetric(100*float64(b.N)/(processorTime()-start).Seconds(), "deliveries/s/core")
}
