package vm

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// parkingDir holds the contract that ships with the ledger.
var parkingDir = filepath.Join("..", "..", "..", "contracts", "parking")

func parkingFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parkingDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// transcriptStep runs one line of the transcript against state and describes
// what came of it as the transcript does. A failed run leaves no trace.
func transcriptStep(t *testing.T, p *Program, state *ledger, line string) (outcome string, gas uint64) {
	var kind, record string
	var handler uint32
	if _, err := fmt.Sscanf(line, "%s %d %s", &kind, &handler, &record); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	input, err := hex.DecodeString(record)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]EntryKind{"init": Init, "event": Event, "call": Call, "query": Query}
	attempt := &ledger{state: maps.Clone(state.state)}
	r, err := p.Run(context.Background(), Entrypoint{Kind: kinds[kind], Handler: handler}, testEnv, input, 20_000_000, attempt)
	if err != nil {
		t.Fatal(err)
	}
	switch r.Code {
	case protocol.CodeOK:
	case protocol.CodeContractAborted:
		return fmt.Sprintf("abort %d", r.GuestCode), r.GasUsed
	default:
		return fmt.Sprintf("%v %q", r.Code, r.Log), r.GasUsed
	}
	state.state = attempt.state
	var out bytes.Buffer
	for _, e := range attempt.events {
		fmt.Fprintf(&out, "emit %s %q %s\n", e.Type, e.Subject, e.Data)
	}
	if len(r.Output) > 0 {
		fmt.Fprintf(&out, "output %s\n", r.Output)
	}
	out.WriteString("ok")
	return out.String(), r.GasUsed
}

// BenchmarkParking is one reading through the parking contract, from its JSON
// on: projection, image restored, one state read, one write.
func BenchmarkParking(b *testing.B) {
	manifest, err := abi.ParseManifest(parkingFile(b, "manifest.json"))
	if err != nil {
		b.Fatal(err)
	}
	p, err := newEngine(b, Config{}).Load(parkingFile(b, "parking.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	ctx, plan, host := context.Background(), projection.Events(manifest.Events[0].Fields), newLedger()
	init, err := projection.Arguments(manifest.Init).Append(abi.AppendCallHeader(nil, &abi.CallHeader{}), nil)
	if err != nil {
		b.Fatal(err)
	}
	if r, err := p.Run(ctx, Entrypoint{Kind: Init}, testEnv, init, testGas, host); err != nil || r.Code != protocol.CodeOK {
		b.Fatal(r, err)
	}
	header := abi.EventHeader{
		TimeMs: 1_475_567_982_000, HasTime: true, ID: []byte("BHMBCCMKT01@2016-10-04T07:59:42Z"),
		Source: []byte("/parking/birmingham"), Type: []byte("parking.occupancy.v1"), Subject: []byte("BHMBCCMKT01"),
	}
	data := []byte(`{"occupied":61,"capacity":577}`)
	var record []byte
	var gas uint64
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		header.EventTimeNs = 1_475_567_982_000_000_000 + i%1_000
		record, err = plan.Append(abi.AppendEventHeader(record[:0], &header), data)
		if err != nil {
			b.Fatal(err)
		}
		r, err := p.Run(ctx, Entrypoint{Kind: Event}, testEnv, record, testGas, host)
		if err != nil || r.Code != protocol.CodeOK {
			b.Fatal(r, err)
		}
		gas = r.GasUsed
	}
	b.ReportMetric(float64(gas), "gas/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
