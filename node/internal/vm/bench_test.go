package vm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/tetratelabs/wazero"
)

// flatHost answers one value, so that the benchmark measures the engine.
type flatHost struct {
	Alone
	value [8]byte
}

func (h *flatHost) Get([]byte) ([]byte, bool, error)      { return h.value[:], true, nil }
func (h *flatHost) Set(_, value []byte) error             { copy(h.value[:], value); return nil }
func (h *flatHost) Delete([]byte) error                   { return nil }
func (h *flatHost) Scan(_, _ []byte, _ int) ([]KV, error) { return nil, nil }
func (h *flatHost) Emit(Emission) error                   { return nil }
func eventRecord(subject string, value int64) []byte {
	record := abi.AppendEventHeader(nil, &abi.EventHeader{
		Height: 1, TimeMs: 2, ID: []byte(subject + "@1"), Source: []byte("/machines"), Type: []byte("temperature.v1"), Subject: []byte(subject),
	})
	return abi.AppendU64(abi.AppendFlag(record, true), uint64(value))
}

// BenchmarkDelivery is one event through a small contract that reads and
// writes one value: memory image restored, gas on, four host calls.
func BenchmarkDelivery(b *testing.B) {
	for _, c := range []struct {
		name string
		Config
	}{{"compiler", Config{}}, {"interpreter", Config{Interpreter: true}}} {
		b.Run(c.name, func(b *testing.B) {
			p := load(b, newEngine(b, c.Config), "ewma")
			ctx, host, record := context.Background(), &flatHost{}, eventRecord("press-7", 61_250)
			var gas uint64
			b.ReportAllocs()
			for b.Loop() {
				r, err := p.Run(ctx, Entrypoint{Kind: Event}, testEnv, record, testGas, host)
				if err != nil || r.Code != protocol.CodeOK {
					b.Fatal(r, err)
				}
				gas = r.GasUsed
			}
			b.ReportMetric(float64(gas), "gas/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// TestBenchmarkContract holds the benchmark's contract to its meaning.
func TestBenchmarkContract(t *testing.T) {
	p := load(t, newEngine(t, Config{}), "ewma")
	host := newLedger()
	average := int64(0)
	for i := range int64(20) {
		value := 90_000 + i*2_000
		if i == 0 {
			average = value
		} else {
			average += (value - average) >> 3
		}
		if r := deliver(t, p, 0, eventRecord("press-7", value), host); r.Code != protocol.CodeOK {
			t.Fatalf("%+v", r)
		}
		if got := int64(binary.LittleEndian.Uint64([]byte(host.state["press-7"]))); got != average {
			t.Fatalf("reading %d: average %d, want %d", i, got, average)
		}
	}
	if len(host.events) == 0 || string(host.events[0].Type) != "alarm.v1" || string(host.events[0].Subject) != "press-7" || string(host.events[0].Data) != `{"high":true}` {
		t.Fatalf("events %q", host.events)
	}
}

// BenchmarkMetering compares loops with and without the injected code.
func BenchmarkMetering(b *testing.B) {
	ctx := context.Background()
	for handler, name := range []string{"collatz", "bytes", "fibonacci", "remainders"} {
		b.Run(name+"/bare", func(b *testing.B) {
			r := wazero.NewRuntime(ctx)
			defer r.Close(ctx)
			m, err := r.Instantiate(ctx, fixture(b, "kernels"))
			if err != nil {
				b.Fatal(err)
			}
			f := m.ExportedFunction(abi.ExportEvent)
			for b.Loop() {
				if _, err := f.Call(ctx, uint64(handler), 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/metered", func(b *testing.B) {
			p := load(b, newEngine(b, Config{}), "kernels")
			var gas uint64
			for b.Loop() {
				r, err := p.Run(ctx, Entrypoint{Kind: Event, Handler: uint32(handler)}, testEnv, nil, math.MaxInt64, nil)
				if err != nil || r.Code != protocol.CodeOK {
					b.Fatal(r, err)
				}
				gas = r.GasUsed
			}
			b.ReportMetric(float64(gas)/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "gas/ns")
		})
	}
}

// BenchmarkHandlers is what a delivery costs that fails, grows or does nothing.
func BenchmarkHandlers(b *testing.B) {
	p := load(b, newEngine(b, Config{}), "hostile")
	for _, c := range hostileCases {
		switch c.handler {
		case 0, 4, 9, 10, 12, 21, 23, 24, 30:
		default:
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			var gas uint64
			for b.Loop() {
				r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: c.handler}, testEnv, []byte(c.input), testGas, &flatHost{})
				if err != nil {
					b.Fatal(err)
				}
				gas = r.GasUsed
			}
			b.ReportMetric(float64(gas), "gas/op")
		})
	}
}

// BenchmarkLoad is what a new contract costs before its first delivery.
func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"ewma", "hostile"} {
		b.Run(fmt.Sprintf("check/%s", name), func(b *testing.B) {
			e := newEngine(b, Config{})
			code := fixture(b, name)
			for b.Loop() {
				if err := e.Check(code); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
