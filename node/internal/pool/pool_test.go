package pool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// network is pools whose messages pass in virtual time.
type network struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	pools  []*Pool
	links  map[[2]int]*Link // of the first, to the second
	loss   float64          // of messages
	sent   map[protocol.Hash]int
	bytes  int
}

func newNetwork(t *testing.T, seed uint64, pools int) *network {
	n := &network{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.UnixMilli(1_800_000_000_000),
		links: map[[2]int]*Link{}, sent: map[protocol.Hash]int{},
	}
	for range pools {
		n.pools = append(n.pools, New(Config{
			ChainID: "test", Check: check, MaxTxs: 10_000, MaxBytes: 16 << 20, Now: func() time.Time { return n.now },
		}))
	}
	return n
}

// check refuses transactions that begin with a 1.
func check(raw []byte) error {
	if raw[0] == 1 {
		return protocol.Refuse(protocol.CodeWrongChain, "nobody knows it")
	}
	return nil
}

func (n *network) connect(a, b int) {
	n.links[[2]int{a, b}], n.links[[2]int{b, a}] = n.pools[a].Join(), n.pools[b].Join()
}

func (n *network) mesh() {
	for a := range n.pools {
		for b := range a {
			n.connect(a, b)
		}
	}
}

var nextTx uint64

// tx makes a transaction that is like no other.
func tx(size int) []byte {
	nextTx++
	raw := make([]byte, max(size, 300))
	binary.BigEndian.PutUint64(raw[8:], nextTx)
	return raw
}

func (n *network) id(raw []byte) protocol.Hash {
	n.t.Helper()
	id, err := protocol.TxID("test", raw)
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

// step passes messages until none are left, then some time.
func (n *network) step(d time.Duration) {
	for busy := true; busy; {
		busy = false
		for a := range n.pools { // in order, so that a seed tells all
			for b := range n.pools {
				busy = n.pass(a, b) || busy
			}
		}
	}
	n.now = n.now.Add(d)
}

func (n *network) pass(a, b int) bool {
	link := n.links[[2]int{a, b}]
	if link == nil {
		return false
	}
	octets := link.Next()
	if octets == nil {
		return false
	}
	if len(octets) > MaxMessage {
		n.t.Fatalf("a message of %d bytes", len(octets))
	}
	n.bytes += len(octets)
	if m, err := readMessage(octets); err != nil {
		n.t.Fatal(err)
	} else if m.kind == kindTransactions {
		for _, raw := range m.txs {
			n.sent[n.id(raw)]++
		}
	}
	if n.random.Float64() >= n.loss {
		if _, err := n.links[[2]int{b, a}].Receive(octets); err != nil {
			n.t.Fatal(err)
		}
		clear(octets) // what is received is nobody's to keep
	}
	return true
}

// Where all are connected, a transaction crosses each connection of where it
// came in once, and nothing else is said until it has waited for a while.
func TestATransactionIsSentOnce(t *testing.T) {
	n := newNetwork(t, 1, 5)
	n.mesh()
	want, total := map[protocol.Hash]bool{}, 0
	for i := range 2000 {
		raw := tx(300 + n.random.IntN(300))
		total += len(raw)
		if i == 100 {
			raw = tx(protocol.MaxTxBytes)
			total += len(raw)
		}
		want[n.id(raw)] = true
		for range 2 { // twice is harmless
			if _, err := n.pools[i%5].Add(raw); err != nil {
				t.Fatal(err)
			}
		}
		if i%70 == 0 {
			n.step(time.Millisecond)
		}
	}
	n.step(time.Millisecond)
	for id := range want {
		for i, p := range n.pools {
			if !p.Has(id) {
				t.Fatalf("pool %d lacks %s", i, id)
			}
		}
		if n.sent[id] != 4 {
			t.Fatalf("%s was sent %d times, want 4", id, n.sent[id])
		}
	}
	if limit := 4 * (total + 5*len(want)); n.bytes > limit {
		t.Errorf("%d bytes were sent, want %d at most", n.bytes, limit)
	}
	before := n.bytes
	n.step(announceAfter)
	n.step(0)
	if said := n.bytes - before; said == 0 || said > 20*len(want)*len(protocol.Hash{}) {
		t.Errorf("announcing what everybody has took %d bytes", said)
	}
	if n.sent[n.id(n.pools[0].queue[0].raw)] != 4 {
		t.Error("announcing made a pool send what its peers have")
	}
}

// Whatever was lost, and whoever is not connected to whom, soon everybody has
// what waits, and nobody keeps what was decided.
func TestEverybodyHasWhatWaits(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n := newNetwork(t, seed, 2+int(seed%5))
			n.loss = float64(seed%4) * 0.2
			if seed%2 == 0 {
				n.mesh()
			} else {
				for i := range len(n.pools) - 1 {
					n.connect(i, i+1)
				}
			}
			undecided := n.churn()
			n.loss = 0
			for range 4 * int(repeatAfter/AskEvery) { // along the line, from one end to the other
				n.step(AskEvery)
			}
			for i, p := range n.pools {
				if txs, _ := p.Size(); txs != len(undecided) {
					t.Errorf("pool %d has %d transactions, want %d", i, txs, len(undecided))
				}
				for id := range undecided {
					if !p.Has(id) {
						t.Fatalf("pool %d lacks %s", i, id)
					}
				}
				if len(p.queue) > 2*len(p.items)+1 {
					t.Errorf("pool %d keeps a queue of %d for %d transactions", i, len(p.queue), len(p.items))
				}
			}
		})
	}
}

// churn adds, decides, disconnects and connects; it answers what still waits.
func (n *network) churn() map[protocol.Hash]bool {
	undecided := map[protocol.Hash]bool{}
	for round := range 60 {
		for range n.random.IntN(30) {
			raw := tx(0)
			undecided[n.id(raw)] = true
			if _, err := n.pools[n.random.IntN(len(n.pools))].Add(raw); err != nil {
				n.t.Fatal(err)
			}
		}
		for id := range n.pools[0].items { // pool 0 proposes
			if n.random.IntN(3) > 0 {
				continue
			}
			delete(undecided, id)
			for _, p := range n.pools {
				p.Decide(id, true)
			}
		}
		if round%10 == 5 {
			n.links[[2]int{0, 1}].Leave()
			n.links[[2]int{1, 0}].Leave()
			delete(n.links, [2]int{0, 1})
			delete(n.links, [2]int{1, 0})
		}
		if round%10 == 9 {
			n.connect(0, 1)
		}
		n.step(time.Duration(n.random.IntN(400)) * time.Millisecond)
	}
	return undecided
}

// Transactions leave in the order they came, within a block's bytes.
func TestOldest(t *testing.T) {
	p := newNetwork(t, 1, 1).pools[0]
	var raws [][]byte
	for range 100 {
		raws = append(raws, tx(300))
		if _, err := p.Add(raws[len(raws)-1]); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-p.Available():
	default:
		t.Error("nobody was told that something waits")
	}
	for len(raws) > 0 {
		got := p.Oldest(10*306, 6)
		if len(got) != min(10, len(raws)) {
			t.Fatalf("%d transactions of %d fit", len(got), len(raws))
		}
		for i := range got {
			if !bytes.Equal(got[i], raws[i]) {
				t.Fatal("not in the order they came")
			}
			id, _ := protocol.TxID("test", got[i])
			p.Decide(id, i%2 == 0)
			if _, err := p.Add(raws[i]); err != nil || p.Has(id) != (i%2 == 1) {
				t.Fatalf("sent again after it was decided, %v: waits: %v", err, p.Has(id))
			}
			p.Decide(id, true)
		}
		raws = raws[len(got):]
	}
	if txs, size := p.Size(); txs != 0 || size != 0 {
		t.Errorf("%d transactions of %d bytes are left", txs, size)
	}
}

// Clients fill the pool, peers a quarter more, and then nobody.
func TestRoom(t *testing.T) {
	n := newNetwork(t, 1, 2)
	n.mesh()
	p := n.pools[1]
	p.MaxTxs = 8
	busy := func(err error) bool { code, _ := protocol.CodeOf(err); return code == protocol.CodeBusy }
	for i := range 10 {
		if _, err := p.Add(tx(0)); busy(err) != (i >= 8) {
			t.Errorf("transaction %d of a client: %v", i, err)
		}
	}
	for range 4 {
		if _, err := n.pools[0].Add(tx(0)); err != nil {
			t.Fatal(err)
		}
	}
	n.step(0)
	if txs, _ := p.Size(); txs != 10 {
		t.Errorf("%d transactions wait, want 10", txs)
	}
	p.MaxTxs, p.MaxBytes = 1000, 12*300
	if _, err := p.Add(tx(1000)); !busy(err) {
		t.Errorf("too many bytes: %v", err)
	}
	for i, err := range p.AddAll([][]byte{[]byte("short"), tx(1000), tx(300)}) { // the last one would fit
		if code, _ := protocol.CodeOf(err); code != []protocol.Code{protocol.CodeMalformed, protocol.CodeBusy, protocol.CodeBusy}[i] {
			t.Errorf("%d of many: %v", i, err)
		}
	}
	refused := tx(0)
	refused[0] = 1
	var refusal *protocol.Error
	if _, err := p.Add(refused); !errors.As(err, &refusal) || refusal.Code != protocol.CodeWrongChain {
		t.Errorf("refused by the check: %v", err)
	}
	if _, err := p.Add([]byte("short")); !errors.As(err, &refusal) || refusal.Code != protocol.CodeMalformed {
		t.Errorf("no transaction: %v", err)
	}
}

// A peer that says more than it should costs a bounded memory.
func TestHostilePeer(t *testing.T) {
	n := newNetwork(t, 1, 1)
	p := n.pools[0]
	link := p.Join()
	ids := make([]protocol.Hash, maxIDs)
	for i := range 200 {
		for j := range ids {
			binary.BigEndian.PutUint64(ids[j][:], uint64(i*maxIDs+j))
		}
		for _, kind := range []byte{kindHave, kindWant} {
			if _, err := link.Receive(writeIDs(kind, ids)); err != nil {
				t.Fatal(err)
			}
		}
		n.now = n.now.Add(100 * time.Millisecond)
	}
	if len(link.wanted) > maxAsked || len(link.lacking) > maxAsked || len(p.asked.young)+len(p.asked.old) > maxAsked {
		t.Errorf("remembers %d wanted, %d lacking, %d and %d asked", len(link.wanted), len(link.lacking), len(p.asked.young), len(p.asked.old))
	}
	for range 2 * maxLinks { // more peers than there are places
		p.Join()
	}
	late := p.Join()
	if _, err := p.Add(tx(0)); err != nil {
		t.Fatal(err)
	}
	if octets := late.Next(); len(octets) == 0 || octets[0] != kindTransactions {
		t.Errorf("a peer without a place is sent %x", octets)
	}
	late.Leave()
	for range 3 * rememberDecided {
		p.Decide(protocol.Hash(binary.BigEndian.AppendUint64(make([]byte, 24), n.random.Uint64())), true)
	}
	if known := len(p.decided.young) + len(p.decided.old); known > rememberDecided {
		t.Errorf("remembers %d decided transactions", known)
	}
}

// Whatever a peer sends is a message or an error; a message is written as it
// was read.
func FuzzReadMessage(f *testing.F) {
	f.Add(writeTransactions([][]byte{tx(0), []byte("x"), nil}))
	f.Add(writeIDs(kindHave, make([]protocol.Hash, 3)))
	f.Add(writeIDs(kindWant, make([]protocol.Hash, maxIDs)))
	f.Add([]byte{4, 1, 2})
	f.Fuzz(func(t *testing.T, octets []byte) {
		m, err := readMessage(octets)
		if err != nil {
			return
		}
		again := writeIDs(m.kind, m.ids)
		if m.kind == kindTransactions {
			again = writeTransactions(m.txs)
		}
		if !bytes.Equal(again, octets) {
			t.Errorf("%x was read, %x is written", octets, again)
		}
	})
}
