package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// readings makes a batch of a stream: readings of 50 car parks in order of time.
func readings(first uint64, count int) *protocol.Batch {
	at := time.Date(2023, 6, 5, 0, 0, 0, 0, time.UTC)
	batch := &protocol.Batch{Stream: "s", First: first}
	for i := range uint64(count) {
		n := first + i
		e := protocol.Event{
			ID: fmt.Sprint(n), Source: "/parking/bench", Type: "parking.occupancy.v1", Subject: fmt.Sprintf("lot-%d", n%50), HasTime: true,
			TimeNs: at.Add(time.Duration(n/50) * 5 * time.Minute).UnixNano(), DataForm: protocol.DataJSON,
			Data: fmt.Appendf(nil, `{"occupied":%d,"capacity":500,"batteryMv":3111,"signalDbm":-71}`, n*7919%501),
		}
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	return batch
}

// benchmarkBlocks executes and commits blocks of so many transactions of so
// many events each: one iteration is a block.
func benchmarkBlocks(b *testing.B, txs, events int, contracts ...string) {
	benchmarkBlocksOf(b, func(*ledger) {}, txs, events, contracts...)
}

func benchmarkBlocksOf(b *testing.B, prepare func(*ledger), txs, events int, contracts ...string) {
	l := newLedger(b)
	prepare(l)
	l.machine.auditBank = false // as nodes run by default
	for _, name := range contracts {
		if out := l.deploy(name); out.Code != protocol.CodeOK {
			b.Fatal(out)
		}
	}
	b.ReportAllocs()
	sequence, delivered := uint64(0), 0
	for b.Loop() {
		b.StopTimer()
		var block [][]byte
		for range txs {
			block = append(block, l.sign("producer", readings(sequence, events)))
			sequence += uint64(events)
		}
		b.StartTimer()
		result := l.block(block...)
		delivered += result.Delivered
		for _, out := range result.Outcomes {
			if out.Code != protocol.CodeOK {
				b.Fatal(out)
			}
		}
		l.blocks = l.blocks[:0]
	}
	if len(contracts) > 0 && delivered == 0 {
		b.Fatal("nothing was delivered")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sequence), "ns/event")
}

// Blocks of ten batches: signatures, entries, log, state and commit.
func BenchmarkBlockOrder(b *testing.B) { benchmarkBlocks(b, 10, 500) }

// The same, delivered to the parking contract.
func BenchmarkBlockParking(b *testing.B) { benchmarkBlocks(b, 10, 500, "parking") }

// Blocks of transactions of one event, whose signatures are most of the work.
func BenchmarkBlockSmall(b *testing.B) { benchmarkBlocks(b, 500, 1, "parking") }

// BenchmarkCheckTx decides whether a batch may wait, as a node does that sees
// it for the first time.
func BenchmarkCheckTx(b *testing.B) {
	l := newLedger(b)
	view, head := l.view(), l.store.Head()
	b.ReportAllocs()
	for sequence := uint64(0); b.Loop(); sequence += 500 {
		b.StopTimer()
		tx := l.sign("producer", readings(sequence, 500))
		b.StartTimer()
		if err := l.machine.CheckTx(view, head, tx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBlockSchema is BenchmarkBlockOrder with a schema registered for the
// type, which each batch meets for the first time in execution.
func BenchmarkBlockSchema(b *testing.B) {
	benchmarkBlocksOf(b, func(l *ledger) {
		text := `{"type":"object","properties":{"occupied":{"type":"integer","minimum":-1000000000,"maximum":1000000000},"capacity":{"type":"integer","minimum":0,"maximum":1000000000}},"required":["occupied","capacity"]}`
		if out := l.one("author", &protocol.RegisterSchema{Type: "parking.occupancy.v1", Text: []byte(text)}); out.Code != protocol.CodeOK {
			b.Fatal(out)
		}
	}, 10, 500)
}
