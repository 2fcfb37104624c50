package machine

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

const testChain = "cairn-test"

// ledger is one node without consensus: blocks go straight to the machine.
type ledger struct {
	t       testing.TB
	fs      *vfs.MemFS
	machine *Machine
	store   *store.Store
	keys    map[string]protocol.PrivateKey
	nonce   uint64
	blocks  []Block // executed, as consensus would record them
}

// testKeys makes the same keys in every ledger of a test.
func testKey(n byte) protocol.PrivateKey {
	key, err := protocol.PrivateKeyFromBytes([]byte(fmt.Sprintf("%031d%c", 0, n)))
	if err != nil {
		panic(err)
	}
	return key
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	return newLedgerOf(t, func(*genesis.Document) {})
}

// newLedgerOf founds a ledger by a document that was changed.
func newLedgerOf(t testing.TB, change func(*genesis.Document)) *ledger {
	t.Helper()
	l := &ledger{t: t, fs: vfs.NewMem(), keys: map[string]protocol.PrivateKey{"producer": testKey('p'), "author": testKey('a')}}
	doc := &genesis.Document{ChainID: testChain, Time: time.Unix(1_700_000_000, 0), Params: genesis.DefaultParams()}
	roles := map[string][]string{"producer": {"producer"}, "author": {"author", "issuer"}}
	for _, name := range []string{"producer", "author"} {
		key := l.keys[name]
		doc.Accounts = append(doc.Accounts, genesis.Account{Name: name, PubKey: key.Public(), Address: key.Address(), Roles: roles[name]})
	}
	change(doc)
	l.open()
	b := l.store.Begin(0, doc.Time.UnixMilli())
	if err := l.machine.Found(b, doc); err != nil {
		t.Fatal(err)
	}
	l.commit(b)
	t.Cleanup(func() { knownKeys(t, l); l.store.Close() })
	return l
}

// open starts the ledger from what is on its disk, with cold caches.
func (l *ledger) open() {
	l.t.Helper()
	engine, err := vm.New(context.Background(), vm.Config{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { engine.Close() })
	if l.store, err = store.Open("ledger", store.Options{FS: l.fs, ChainID: testChain}); err != nil {
		l.t.Fatal(err)
	}
	l.machine = New(testChain, engine)
	l.machine.AuditTokens()
}

func (l *ledger) commit(b *store.Batch) store.Head {
	l.t.Helper()
	head, err := b.Seal()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		l.t.Fatal(err)
	}
	return head
}

// block executes and commits one block.
func (l *ledger) block(txs ...[]byte) Result {
	l.t.Helper()
	height := l.store.Head().Height + 1
	return l.execute(Block{Height: height, TimeMs: 1_700_000_000_000 + int64(height)*1000, Txs: txs})
}

func (l *ledger) execute(block Block) Result {
	l.t.Helper()
	l.blocks = append(l.blocks, block)
	b := l.store.Begin(block.Height, block.TimeMs)
	result, err := l.machine.Execute(b, block)
	if err != nil {
		l.t.Fatal(err)
	}
	l.commit(b)
	return result
}

// replay executes the blocks of another ledger from genesis and holds every
// app hash to the one that was recorded.
func (l *ledger) replay(recorded *ledger) {
	l.t.Helper()
	for _, block := range recorded.blocks {
		l.execute(block)
		want, err := recorded.store.HeadAt(block.Height)
		if err != nil {
			l.t.Fatal(err)
		}
		if got := l.store.Head().AppHash; got != want.AppHash {
			l.t.Fatalf("height %d replays to app hash %s, recorded was %s", block.Height, got, want.AppHash)
		}
	}
}

// sign makes a transaction that expires soon.
func (l *ledger) sign(who string, body protocol.Body) []byte {
	l.t.Helper()
	l.nonce++
	raw, err := protocol.SignTx(testChain, l.keys[who], l.store.Head().Height+100, l.nonce, body)
	if err != nil {
		l.t.Fatal(err)
	}
	return raw
}

// one executes a transaction alone and answers its outcome.
func (l *ledger) one(who string, body protocol.Body) Outcome {
	l.t.Helper()
	return l.block(l.sign(who, body)).Outcomes[0]
}

func (l *ledger) deploy(name string) Outcome {
	l.t.Helper()
	dir := "../../../contracts/" + name + "/"
	code, err := os.ReadFile(dir + name + ".wasm")
	if err != nil {
		l.t.Fatal(err)
	}
	manifest, err := os.ReadFile(dir + "manifest.json")
	if err != nil {
		l.t.Fatal(err)
	}
	return l.one("author", &protocol.Deploy{Code: code, Manifest: manifest})
}

func (l *ledger) query(contract, method, args string, into any) {
	l.t.Helper()
	head := l.store.Head()
	view, err := l.store.View(head.Height)
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := l.machine.ContractNamed(view, contract)
	if err != nil {
		l.t.Fatal(err)
	}
	answer, err := l.machine.Query(context.Background(), view, head, c, method, []byte(args))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		l.t.Fatalf("%v: %s", err, answer)
	}
}

// reading is a parking event's record.
func reading(lot string, occupied, capacity int, at time.Time) []byte {
	e := protocol.Event{
		ID: lot + "@" + at.Format(time.RFC3339), Source: "/parking/test", Type: "parking.occupancy.v1", Subject: lot,
		TimeNs: at.UnixNano(), HasTime: true, DataForm: protocol.DataJSON,
		Data: fmt.Appendf(nil, `{"occupied":%d,"capacity":%d}`, occupied, capacity),
	}
	return e.AppendRecord(nil)
}

func closeAll() []byte {
	e := protocol.Event{ID: "close", Source: "/parking/test", Type: "parking.week.close.v1", Subject: "*"}
	return e.AppendRecord(nil)
}

// birmingham reads the real data as event records, one a row.
func birmingham(t testing.TB) [][]byte {
	t.Helper()
	file, err := os.Open("../../../../shared/data/parking-birmingham/parking_birmingham.csv")
	if err != nil {
		t.Skip("the Birmingham car park data are not there")
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for _, row := range rows[1:] {
		capacity, _ := strconv.Atoi(row[1])
		occupied, _ := strconv.Atoi(row[2])
		at, err := time.Parse(time.DateTime, row[3])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, reading(row[0], occupied, capacity, at))
	}
	return records
}

// A year of real readings through the machine: nothing is lost, repeats are
// absorbed, and a ledger that is restarted in the middle, with cold caches,
// comes to the same app hash in every block.
func TestRealReadingsGiveTheSameHashesAfterARestart(t *testing.T) {
	records := birmingham(t)
	steady, restarted := newLedger(t), newLedger(t)
	ledgers := []*ledger{steady, restarted}
	for _, l := range ledgers {
		if out := l.deploy("parking"); out.Code != protocol.CodeOK {
			t.Fatal(out.Text)
		}
	}
	duplicates, delivered := 0, 0
	const size = 500
	for first := 0; first < len(records); first += size {
		raw := steady.sign("producer", &protocol.Batch{Stream: "birmingham", First: uint64(first), Seed: [32]byte{9}, Records: records[first:min(first+size, len(records))]})
		for _, l := range ledgers {
			result := l.block(raw)
			if out := result.Outcomes[0]; out.Code != protocol.CodeOK || result.Dead > 0 {
				t.Fatalf("%+v", result)
			}
			if l == steady {
				duplicates += int(result.Outcomes[0].Duplicates)
				delivered += result.Delivered
			}
		}
		if steady.store.Head().AppHash != restarted.store.Head().AppHash {
			t.Fatalf("app hashes differ at height %d", steady.store.Head().Height)
		}
		if first/size%10 == 5 {
			restarted.store.Close()
			restarted.open()
		}
	}
	if duplicates != 216 || delivered != len(records)-216 {
		t.Fatalf("%d duplicates, %d deliveries", duplicates, delivered)
	}
	for _, l := range ledgers {
		if out := l.one("producer", &protocol.Batch{Stream: "close", Records: [][]byte{closeAll()}}); out.Code != protocol.CodeOK {
			t.Fatal(out.Text)
		}
		var answer struct{ Evaluations int }
		if l.query("parking", "evaluations", "{}", &answer); answer.Evaluations != 1_023 {
			t.Fatalf("%d evaluations, want 1023", answer.Evaluations)
		}
	}
	checkStreamIsComplete(t, steady, len(records))
	newLedger(t).replay(steady)
}

// checkStreamIsComplete walks a stream as an auditor does: every sequence has
// exactly one entry, an event or a duplicate whose cause is an equal event.
func checkStreamIsComplete(t *testing.T, l *ledger, count int) {
	t.Helper()
	stream := protocol.NewStreamID(l.keys["producer"].Address(), "birmingham")
	for sequence := range uint64(count) {
		index, ok, err := StreamEntry(l.store, stream, sequence)
		if err != nil || !ok {
			t.Fatalf("sequence %d: %v %v", sequence, ok, err)
		}
		entry := l.entry(index)
		if entry.Stream != stream || entry.Sequence != sequence {
			t.Fatalf("sequence %d leads to the entry of %d", sequence, entry.Sequence)
		}
		if entry.Kind == protocol.EntryDuplicate {
			a, b := l.event(index), l.event(entry.Cause)
			if a.ID != b.ID || l.entry(entry.Cause).Kind != protocol.EntryEvent {
				t.Fatalf("duplicate %d of %s points to %s", index, a.ID, b.ID)
			}
		}
	}
	if _, ok, _ := StreamEntry(l.store, stream, uint64(count)); ok {
		t.Fatal("a sequence beyond the stream has an entry")
	}
}

func (l *ledger) entry(index uint64) protocol.Entry {
	l.t.Helper()
	raw, err := l.store.Entry(index)
	if err != nil {
		l.t.Fatal(err)
	}
	entry, err := protocol.DecodeEntry(raw)
	if err != nil {
		l.t.Fatal(err)
	}
	return entry
}

// view is the newest committed state.
func (l *ledger) view() *store.View {
	l.t.Helper()
	view, err := l.store.View(l.store.Head().Height)
	if err != nil {
		l.t.Fatal(err)
	}
	return view
}

// event reads an event back and holds it to its entry's commitment.
func (l *ledger) event(index uint64) protocol.Event {
	l.t.Helper()
	payload, err := ReadPayload(l.store, l.view(), index)
	if err != nil {
		l.t.Fatal(err)
	}
	if protocol.Commitment(payload.Blind, payload.Bytes) != l.entry(index).Commitment {
		l.t.Fatalf("payload of entry %d is not what it commits to", index)
	}
	event, err := protocol.DecodeRecord(payload.Bytes)
	if err != nil {
		l.t.Fatal(err)
	}
	return event
}
