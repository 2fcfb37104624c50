package vm

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// repeated is a contract whose handler n runs a piece of code n times.
func repeated(code string) []byte {
	a := &assembly{pages: 2}
	for _, f := range modelled {
		a.host(f.name)
	}
	loop := "\x03\x40" + code + op(0x20, 0) + i32Const(1) + "\x6b" + op(0x22, 0) + "\x0d\x00\x0b" + i32Const(0)
	a.entry(abi.ExportEvent, a.add(assemblyFunc{kind: a.kindOf(eventType), code: loop}))
	a.data = []assemblyData{{0, scriptData}, {signedAt, signed()}}
	return a.bytes()
}

// BenchmarkHostCall is what one call of each host function takes, with a Host
// that answers at once: what the ledger's state takes comes on top, and is in
// the price. Gas and time are those of one call, without the loop's.
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
				b.ResetTimer()
				for b.Loop() {
					r, err := p.Run(context.Background(), Entrypoint{Kind: Event, Handler: many}, testEnv, input, math.MaxInt64, host)
					if err != nil || r.Code != protocol.CodeOK {
						b.Fatal(r, err)
					}
					gas = float64(r.GasUsed)
				}
				return gas / many, float64(b.Elapsed().Nanoseconds()) / float64(b.N) / many
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

var somePairs = func() (all []KV) {
	for i := range 16 {
		all = append(all, KV{fmt.Append(nil, "key-of-a-pair-", i), make([]byte, 32)})
	}
	return all
}()
