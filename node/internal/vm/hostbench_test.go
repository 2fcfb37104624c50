package vm

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// hostImports are what repeated imports, and the type that follows theirs.
var hostImports, eventKind = func() (names []string, kind int) {
	a := &assembly{}
	for _, f := range modelled {
		a.host(f.name)
	}
	return a.imports, a.kindOf(eventType)
}()

// repeated is a contract whose handler n runs a piece of code n times.
func repeated(code string) []byte {
	a := &assembly{pages: 64, table: []int{len(hostImports) + 1}, globals: []assemblyGlobal{{kind: module.I64, mutable: true, init: i64Const(0)}}}
	for _, name := range hostImports {
		a.host(name)
	}
	loop := "\x03\x40" + code + op(0x20, 0) + i32Const(1) + "\x6b" + op(0x22, 0) + "\x0d\x00\x0b" + i32Const(0)
	a.entry(abi.ExportEvent, a.add(assemblyFunc{kind: a.kindOf(eventType), code: loop}))
	a.add(assemblyFunc{kind: a.kindOf(eventType), code: op(0x20, 0) + i32Const(1) + "\x6a"})
	a.data = []assemblyData{{0, scriptData}, {signedAt, signed()}}
	return a.bytes()
}

// BenchmarkHostCall is what one call of each host function takes, with a Host
// that answers at once: what the ledger's state takes comes on top, and is in
// the price. Gas and processor time are those of one call, its share of the
// run around it included.
func BenchmarkHostCall(b *testing.B) {
	const many = 200 // calls in a run
	word := func(v int32) term { return term{value: v} }
	for _, c := range []struct {
		name string
		use  *hostUse
	}{
		{"block_height", &hostUse{name: abi.HostBlockHeight}},
		{"self", &hostUse{name: abi.HostSelf, args: []term{word(512)}}},
		{"input 16 B", &hostUse{name: abi.HostInput, args: []term{word(0), word(512), word(16)}}},
		{"input 64 KiB", &hostUse{name: abi.HostInput, args: []term{word(0), word(512), word(64 << 10)}}},
		{"output 16 B", &hostUse{name: abi.HostOutput, args: []term{word(0), word(16)}}},
		{"state_get 8 B", &hostUse{name: abi.HostStateGet, args: []term{word(0), word(16), word(512), word(8)}}},
		{"state_set 8 B", &hostUse{name: abi.HostStateSet, args: []term{word(0), word(16), word(512), word(8)}}},
		{"state_set 4 KiB", &hostUse{name: abi.HostStateSet, args: []term{word(0), word(16), word(512), word(4 << 10)}}},
		{"state_delete", &hostUse{name: abi.HostStateDelete, args: []term{word(0), word(16)}}},
		{"state_scan 16 pairs", &hostUse{name: abi.HostStateScan, args: []term{word(0), word(1), word(0), word(0), word(16), word(512), word(4096)}}},
		{"emit 100 B", &hostUse{name: abi.HostEmit, args: []term{word(0), word(8), word(8), word(8), word(16), word(84)}}},
		{"sha256 32 B", &hostUse{name: abi.HostSHA256, args: []term{word(0), word(32), word(512)}}},
		{"sha256 64 KiB", &hostUse{name: abi.HostSHA256, args: []term{word(0), word(64 << 10), word(512)}}},
		{"secp256k1_verify", &hostUse{name: abi.HostVerify, args: []term{word(signedAt), word(signedAt + 32), word(signedAt + 96)}}},
		{"call 8 B", &hostUse{name: abi.HostCall, args: []term{word(0), word(8), word(8), word(16), word(8), {wide: true, value: 1_000}, word(512), word(8)}}},
		{"schedule 8 B", &hostUse{name: abi.HostSchedule, args: []term{word(0), word(0), {wide: true, value: 9}, word(0), word(8)}}},
		{"cancel", &hostUse{name: abi.HostCancel, args: []term{{wide: true, value: 1}}}},
		{"log 32 B", &hostUse{name: abi.HostLog, args: []term{word(0), word(32)}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.use.store = -1
			a := &assembly{}
			for _, f := range modelled {
				a.host(f.name)
			}
			var call strings.Builder
			(&hostScript{}).statement(a, &call, c.use)
			perCall := func(code string) (gas, ns float64) {
				p, err := newEngine(b, Config{}).Load(repeated(code))
				if err != nil {
					b.Fatal(err)
				}
				host, input := &pairHost{}, make([]byte, 64<<10)
				start := processorTime()
				for b.Loop() {
					r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: many}, testEnv, input, math.MaxInt64, host)
					if err != nil || r.Code != protocol.CodeOK {
						b.Fatal(r, err)
					}
					gas = float64(r.GasUsed)
				}
				return gas / many, float64(processorTime()-start) / float64(b.N) / many
			}
			gas, ns := perCall(call.String())
			b.ReportMetric(gas, "gas/call")
			b.ReportMetric(ns, "ns/call")
			b.ReportMetric(gas/ns, "gas/ns")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// pairHost is flatHost with 16 pairs to scan.
type pairHost struct{ flatHost }

func (h *pairHost) Scan(_, _ []byte, limit int) ([]KV, error) { return somePairs[:limit], nil }

func (h *pairHost) Call(CallRequest) (CallResult, error)  { return CallResult{Output: h.value[:]}, nil }
func (h *pairHost) Schedule(TimerRequest) (uint64, error) { return 1, nil }
func (h *pairHost) Cancel(uint64) (bool, error)           { return true, nil }

var somePairs = func() (all []KV) {
	for i := range 16 {
		all = append(all, KV{fmt.Append(nil, "key-of-a-pair-", i), make([]byte, 32)})
	}
	return all
}()

// BenchmarkHostileLoops are loops that try to take more time than they pay
// for: a gas is meant to be about a third of a nanosecond.
func BenchmarkHostileLoops(b *testing.B) {
	const many, mask = 200_000, "\x41\xfc\xff\xff\x01\x71" // and 4 MiB - 4
	get := op(0x20, 1)
	set := op(0x21, 1)
	times := func(n int, code string) string { return strings.Repeat(code, n) }
	next := get + i32Const(1664525) + "\x6c" + i32Const(1013904223) + "\x6a" // a random walk
	for _, c := range []struct{ name, code string }{
		{"i32.add", times(8, get+i32Const(3)+"\x6a"+set)},
		{"loads that miss", times(4, next+get+mask+"\x28\x02\x00\x6a"+set)},
		{"stores that miss", times(4, next+op(0x22, 1)+mask+get+"\x36\x02\x00")},
		{"i32.div_u", times(4, i32Const(-7)+get+i32Const(3)+"\x72\x6e"+set)},
		{"i64.rem_s", times(4, i64Const(1<<62+3)+get+i32Const(3)+"\x72\xac\x81\xa7"+set)},
		{"f64.div, sqrt", times(4, get+"\xb7\x9f"+get+"\xb8\xa3\xfc\x02"+set)},
		{"f32.nearest", times(4, get+"\xb2\x90\xfc\x00"+set)},
		{"branches mispredicted", times(4, next+op(0x22, 1)+i32Const(16)+"\x76\x41\x01\x71\x04\x40"+get+i32Const(1)+"\x6a"+set+"\x0b")},
		{"br_table mispredicted", next + set + "\x02\x40\x02\x40\x02\x40\x02\x40" + get + i32Const(16) + "\x76\x41\x03\x71\x0e\x03\x00\x01\x02\x03\x0b\x0b\x0b\x0b"},
		{"calls", times(4, get+get+op(0x10, len(hostImports)+1)+set)},
		{"indirect calls", times(4, get+get+i32Const(0)+"\x11"+uleb(uint64(eventKind))+"\x00"+set)},
		{"memory.fill 0 B", times(4, i32Const(0)+i32Const(0)+i32Const(0)+"\xfc\x0b\x00")},
		{"memory.fill 64 KiB", i32Const(0) + get + i32Const(wasmPage) + "\xfc\x0b\x00"},
		{"memory.copy 2 MiB", i32Const(2<<20) + i32Const(0) + i32Const(2<<20) + "\xfc\x0a\x00\x00"},
		{"memory.copy 7 B", times(4, i32Const(1<<20)+get+i32Const(0xffff)+"\x71"+i32Const(7)+"\xfc\x0a\x00\x00")},
		{"globals", times(8, op(0x23, 0)+i64Const(1)+"\x7c"+op(0x24, 0))},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := newEngine(b, Config{}).Load(repeated(c.code))
			if err != nil {
				b.Fatal(err)
			}
			n := uint32(many)
			if strings.Contains(c.name, "iB") {
				n = 50
			}
			var gas uint64
			start := processorTime()
			for b.Loop() {
				r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: n}, testEnv, nil, math.MaxInt64, newLedger())
				if err != nil || r.Code != protocol.CodeOK {
					b.Fatal(r, err)
				}
				gas = r.GasUsed
			}
			b.ReportMetric(float64(gas)*float64(b.N)/float64(processorTime()-start), "gas/ns")
		})
	}
}
