package machine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// remembered is a view whose reads are remembered until the next block, as the
// application judges what arrives by.
type remembered struct {
	State
	values map[string][]byte
	lists  map[string][]state.KV
}

func (r *remembered) Get(key []byte) ([]byte, bool, error) {
	if value, known := r.values[string(key)]; known {
		return value, value != nil, nil
	}
	value, ok, err := r.State.Get(key)
	r.values[string(key)] = value
	return value, ok, err
}

func (r *remembered) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	asked := string(binary.AppendUvarint(nil, uint64(limit))) + string(prefix) + "\x00" + string(after)
	if found, known := r.lists[asked]; known {
		return found, nil
	}
	found, err := r.State.Scan(prefix, after, limit)
	r.lists[asked] = found
	return found, err
}

// clock is what steps are measured with.
var clock = func() int64 { return time.Now().UnixNano() }

// costs adds up what the steps of a block take.
type costs struct {
	b     *testing.B
	names []string
	ns    map[string]int64
	count map[string]uint64
	bytes map[string]uint64
}

// step measures one of them.
func (c *costs) step(name string, do func()) {
	if _, met := c.ns[name]; !met {
		c.names = append(c.names, name)
	}
	var before, after runtime.MemStats
	c.b.StopTimer()
	runtime.ReadMemStats(&before)
	c.b.StartTimer()
	start := clock()
	do()
	took := clock() - start
	c.b.StopTimer()
	runtime.ReadMemStats(&after)
	c.b.StartTimer()
	c.ns[name] += took
	c.count[name] += after.Mallocs - before.Mallocs
	c.bytes[name] += after.TotalAlloc - before.TotalAlloc
}

// report divides by the number of transactions.
func (c *costs) report(txs int) {
	for _, name := range c.names {
		c.b.ReportMetric(float64(c.ns[name])/float64(txs), name+"-ns/tx")
		c.b.ReportMetric(float64(c.count[name])/float64(txs), name+"-allocs/tx")
		c.b.ReportMetric(float64(c.bytes[name])/float64(txs), name+"-B/tx")
	}
}

// newParkingLedger has the parking contract and the schemas that come with it.
func newParkingLedger(b *testing.B) *ledger {
	b.Helper()
	text, err := os.ReadFile("../../../contracts/parking/schemas.json")
	if err != nil {
		b.Fatal(err)
	}
	var schemas []struct {
		Type   string
		Schema json.RawMessage
	}
	if err := json.Unmarshal(text, &schemas); err != nil {
		b.Fatal(err)
	}
	l := newLedger(b)
	l.machine.auditBank = false // as nodes run by default
	for _, s := range schemas {
		if out := l.one("author", &protocol.RegisterSchema{Type: s.Type, Text: s.Schema}); out.Code != protocol.CodeOK {
			b.Fatal(out)
		}
	}
	if out := l.deploy("parking"); out.Code != protocol.CodeOK {
		b.Fatal(out)
	}
	return l
}

// single signs transactions of one reading each, of streams in turn.
func (l *ledger) single(txs, streams int, next *uint64) [][]byte {
	block := make([][]byte, 0, txs)
	for range txs {
		batch := readings(*next, 1)
		batch.Stream, batch.First = fmt.Sprintf("s%d", *next%uint64(streams)), *next/uint64(streams)
		block = append(block, l.sign("producer", batch))
		*next++
	}
	return block
}

// BenchmarkBlockSingles does what a validator does with transactions of one
// event: checks each as it arrives, orders them for a proposal, checks the
// proposal, executes, seals and commits the block.
func BenchmarkBlockSingles(b *testing.B) {
	const txs, streams = 1_500, 32
	l := newParkingLedger(b)
	c := &costs{b: b, ns: map[string]int64{}, count: map[string]uint64{}, bytes: map[string]uint64{}}
	next := uint64(0)
	for b.Loop() {
		b.StopTimer()
		arrived := l.single(txs, streams, &next)
		b.StartTimer()
		l.singles(c, arrived)
	}
	c.report(int(next))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/tx")
}

// singles takes one block through all steps.
func (l *ledger) singles(c *costs, arrived [][]byte) {
	head := l.store.Head()
	view := &remembered{l.view(), map[string][]byte{}, map[string][]state.KV{}}
	c.step("check", func() {
		for message := range slices.Chunk(arrived, protocol.MaxTransactions) {
			l.machine.Prepare(message)
			for _, tx := range message {
				if err := l.machine.CheckTx(view, head, tx); err != nil {
					c.b.Fatal(err)
				}
			}
		}
	})
	var block Block
	c.step("order", func() {
		block = Block{Height: head.Height + 1, TimeMs: head.TimeMs + 1000, Txs: l.machine.Order(arrived, 4<<20)}
	})
	c.step("valid", func() {
		if err := l.machine.Valid(block.Txs); err != nil || len(block.Txs) != len(arrived) {
			c.b.Fatal(len(block.Txs), err)
		}
	})
	batch := l.store.Begin(block.Height, block.TimeMs)
	c.step("execute", func() {
		result, err := l.machine.Execute(batch, block)
		if err != nil || result.Delivered != len(block.Txs) {
			c.b.Fatal(result.Delivered, err)
		}
	})
	c.step("seal", func() {
		if _, err := batch.Seal(); err != nil {
			c.b.Fatal(err)
		}
	})
	c.step("commit", func() {
		if err := batch.Commit(); err != nil {
			c.b.Fatal(err)
		}
	})
}
