package sim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

var (
	seeds = flag.Int("seeds", 8, "simulations to run")
	first = flag.Uint64("seed", 1, "seed of the first")
)

// TestSimulation runs replicas that are fed the same random blocks: one
// compiles contracts, one interprets them, one crashes and starts again, one
// joins late and is built by replay. Their app hashes and results must be equal
// at every height, and all that happened must be what the model foresees.
func TestSimulation(t *testing.T) {
	engine, err := vm.New(context.Background(), vm.Config{})
	must(t, err)
	defer engine.Close()
	start, total := time.Now(), stats{}
	for i := range *seeds {
		seed := *first + uint64(i)
		s, err := simulate(seed, engine)
		if err != nil {
			t.Fatalf("seed %d: %v\nonce more: go test ./node/sim -run Simulation -args -seeds 1 -seed %d", seed, err, seed)
		}
		total.add(s)
		if (i+1)%20 == 0 || i+1 == *seeds {
			t.Logf("%d seeds of %d, %s: %s", i+1, *seeds, time.Since(start).Round(time.Second), total)
		}
	}
	if total.refused == 0 || total.dead == 0 || total.duplicates == 0 || total.crashes == 0 || total.erased == 0 {
		t.Errorf("the simulation did not get to everything it is for: %s", total)
	}
}

// stats say what simulations went through.
type stats struct{ blocks, entries, txs, refused, duplicates, delivered, dead, lagged, crashes, erased, late int }

func (s *stats) add(o stats) {
	s.blocks, s.entries, s.txs, s.refused = s.blocks+o.blocks, s.entries+o.entries, s.txs+o.txs, s.refused+o.refused
	s.duplicates, s.delivered, s.dead = s.duplicates+o.duplicates, s.delivered+o.delivered, s.dead+o.dead
	s.lagged, s.crashes = s.lagged+o.lagged, s.crashes+o.crashes
	s.erased, s.late = s.erased+o.erased, s.late+o.late
}

func (s stats) String() string {
	return fmt.Sprintf("%d blocks, %d entries, %d of %d transactions refused, %d duplicates, %d deliveries and %d dead letters, behind after %d blocks, %d crashes, %d payloads erased, %d before their delivery",
		s.blocks, s.entries, s.refused, s.txs, s.duplicates, s.delivered, s.dead, s.lagged, s.crashes, s.erased, s.late)
}

// world is one simulation.
type world struct {
	random   *rand.Rand
	lead     *Ledger // makes the blocks
	crashing *Ledger
	others   []*Ledger
	model    *model
	requests map[string]*request // by encoded transaction
	sent     [][]byte            // all of them
	nonce    uint64
	ids      int // of events: few, so that they repeat
	stats    stats
}

// Accounts and what they may do; one may do nothing.
var simulated = map[string]string{"p1": "producer", "p2": "producer", Author: "author", "nobody": ""}

// simulate runs one seed.
func simulate(seed uint64, engine *vm.Engine) (_ stats, err error) {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), requests: map[string]*request{}}
	w.ids = pick(w.random, 8, 40, 400)
	o := Options{Accounts: []Account{{"p1", []string{"producer"}}, {"p2", []string{"producer"}}}, engine: engine}
	o.Params = func(p *genesis.Params) {
		p.MaxExpiryBlocks = 20
		p.DedupeWindowEntries = pick(w.random, uint64(0), 7, 60, 1_000_000)
		p.DeliveryGas = pick(w.random, uint64(100_000), 1_000_000, 3_000_000)
		p.ContractGas = pick(w.random, uint64(10_000_000), 12_000_000)
		p.BlockGas = pick(w.random, uint64(10_000_000), 30_000_000, 4_000_000_000)
		p.HopLimit = pick(w.random, uint8(0), 1, 3, 4)
	}
	if w.lead, err = New(o); err != nil {
		return w.stats, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	interpreting := w.lead.options
	interpreting.engine, interpreting.Interpreter = nil, true
	for _, o := range []Options{w.lead.options, interpreting, w.lead.options} {
		l, err := start(o, w.lead.genesis)
		if err != nil {
			return w.stats, err
		}
		w.others = append(w.others, l)
	}
	w.crashing = w.others[0]
	w.model = newModel(w.lead.genesis.Params, simulated)
	blocks := 20 + w.random.IntN(20)
	for i := range blocks {
		if err := w.block(); err != nil {
			return w.stats, fmt.Errorf("height %d: %w", w.lead.Height(), err)
		}
		if i == blocks/2 {
			joined, err := w.lead.Replay()
			if err != nil {
				return w.stats, err
			}
			w.others = append(w.others, joined)
		}
	}
	return w.stats, w.finish()
}

func (w *world) close() error {
	var err error
	for _, l := range w.others {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, w.lead.Close())
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// finish lets the contracts catch up and looks at everything.
func (w *world) finish() error {
	for _, f := range fixtures() {
		r := &request{account: Author, expiry: w.lead.Height() + 1, control: &controlRequest{contract: f.name}}
		raw, err := w.sign(r, w.control(r))
		if err != nil {
			return err
		}
		w.lead.waiting = append(w.lead.waiting, raw)
	}
	for {
		lag, err := w.lead.Lag()
		if err != nil {
			return err
		}
		if lag == 0 && len(w.lead.waiting) == 0 {
			break
		}
		if err := w.step(); err != nil {
			return fmt.Errorf("height %d: %w", w.lead.Height(), err)
		}
	}
	replayed, err := w.lead.Replay()
	if err != nil {
		return err
	}
	w.others = append(w.others, replayed)
	w.stats.entries = int(w.lead.Size())
	err = w.model.audit(w.crashing)
	w.stats.erased, w.stats.late = len(w.model.erased), len(w.model.late)
	return err
}

// block makes a block of new random transactions.
func (w *world) block() error {
	for range w.random.IntN(7) {
		raw, err := w.transaction()
		if err != nil {
			return err
		}
		if err := w.lead.Send(raw); err != nil {
			if _, refused := protocol.CodeOf(err); !refused {
				return err
			}
			if w.random.IntN(2) == 0 { // a proposer that does not check
				w.lead.waiting = append(w.lead.waiting, raw)
			}
		}
	}
	if len(w.sent) > 0 && w.random.IntN(4) == 0 { // somebody sends again what was sent before
		w.lead.waiting = append(w.lead.waiting, pick(w.random, w.sent...))
	}
	if err := w.forgery(); err != nil {
		return err
	}
	return w.step()
}

// step decides a block on all replicas and compares.
func (w *world) step() error {
	block, err := w.lead.Advance(time.Duration(1+w.random.IntN(5_000)) * time.Millisecond)
	if err != nil {
		return err
	}
	for i, raw := range block.Txs {
		want, got := w.model.execute(w.requests[string(raw)], block.Height), block.Outcomes[i].Outcome
		if got != want {
			return fmt.Errorf("transaction %d %+v came to %+v, the model has %+v", i, w.requests[string(raw)], got, want)
		}
		if got.Code != protocol.CodeOK {
			w.stats.refused++
		}
		w.stats.duplicates += int(got.Duplicates)
	}
	w.model.endTransactions(block.Height, w.lead.Size()) // deliveries come after; audit counts them
	w.stats.blocks++
	w.stats.txs += len(block.Txs)
	w.stats.delivered += block.Delivered
	w.stats.dead += block.DeadLettered
	lag, err := w.lead.Lag()
	if err != nil {
		return err
	}
	if lag > 0 {
		w.stats.lagged++
	}
	for i, l := range w.others {
		if err := w.votedDown(l, block); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
		if l == w.crashing {
			err = w.crash(block)
		} else {
			err = l.Apply(block)
		}
		if err == nil && l.AppHash() != block.AppHash {
			err = fmt.Errorf("app hash %s, the leader has %s", l.AppHash(), block.AppHash)
		}
		if err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
	}
	return w.scrub()
}

// votedDown offers proposals to a replica that are not decided in the end. It
// begins to execute each.
func (w *world) votedDown(l *Ledger, block *Block) error {
	for range w.random.IntN(3) {
		other := &Block{Height: block.Height, Time: block.Time.Add(time.Duration(w.random.IntN(3)) * time.Millisecond)}
		other.Txs = block.Txs[:w.random.IntN(len(block.Txs)+1)]
		if err := l.accept(other); err != nil {
			return err
		}
	}
	return nil
}

// crash applies a block to the replica that crashes: before, in the middle,
// between execution and commit, after, or not at all.
func (w *world) crash(block *Block) error {
	l := w.crashing
	// A generator of its own: how often it is asked depends on pebble's
	// goroutines, and the seed must go on making the same blocks.
	lost := loss{keepPercent: pick(w.random, 0, 0, 50, 100), random: rand.New(rand.NewPCG(w.random.Uint64(), 2))}
	moment := w.random.IntN(10)
	if moment < 4 {
		w.stats.crashes++
	}
	var err error
	again := 0 // blocks that the restart may find missing: what was committed is on disk
	switch moment {
	case 0: // at a write of the commit, or of what the store does beside it
		l.disk.strike(1+w.random.IntN(4), lost)
		err, again = errors.Join(l.Apply(block), l.crash(lost)), 1
	case 1: // executed, not committed
		mine := &Block{Height: block.Height, Time: block.Time, Txs: block.Txs}
		if err := errors.Join(l.accept(mine), l.keepCode(mine)); err != nil {
			return err
		}
		l.blocks, l.now = append(l.blocks, mine), mine.Time
		err, again = errors.Join(l.finalize(mine), l.crash(lost)), 1
	case 2:
		err = errors.Join(l.crash(lost), l.Apply(block))
	case 3:
		err = errors.Join(l.Apply(block), l.crash(lost))
	default:
		return l.Apply(block)
	}
	if err == nil && l.again > again {
		err = fmt.Errorf("a crash lost %d committed blocks", l.again)
	}
	return err
}

// forgery offers a block with a transaction whose signature does not hold:
// every replica must refuse it.
func (w *world) forgery() error {
	if len(w.sent) == 0 || w.random.IntN(5) > 0 {
		return nil
	}
	forged := append([]byte(nil), pick(w.random, w.sent...)...)
	forged[len(forged)-1-w.random.IntN(protocol.SignatureBytes)] ^= 1 << w.random.IntN(8)
	block := &Block{Height: w.lead.Height() + 1, Time: w.lead.Now().Add(time.Second), Txs: [][]byte{forged}}
	for i, l := range append([]*Ledger{w.lead}, w.others...) {
		if l.Send(forged) == nil || l.accept(block) == nil {
			return fmt.Errorf("replica %d takes a forged transaction", i)
		}
	}
	return nil
}

// Data of readings, as fussy sees them.
const (
	evenData = `{"v": 4}`
	oddData  = `{"v": 5, "more": [1, 2]}`
	noData   = `{"v": "four"}`
)

// transaction makes a random one.
func (w *world) transaction() ([]byte, error) {
	height := w.lead.Height() + 1
	r := &request{account: Author, expiry: height + uint64(w.random.IntN(int(w.model.params.MaxExpiryBlocks)))}
	var body protocol.Body
	switch kind := w.random.IntN(22); {
	case kind < 12:
		r.account = pick(w.random, "p1", "p2")
		body = w.batch(r)
	case kind < 16:
		body = w.deploy(r)
	case kind < 18:
		r.control = &controlRequest{contract: pick(w.random, "fussy", "broken", "relay", "hog", "caller", "unknown"), pause: w.random.IntN(2) == 0}
		body = w.control(r)
	case kind < 19:
		body = w.call(r)
	default:
		body = w.erase(r)
	}
	switch w.random.IntN(20) {
	case 0:
		r.account = pick(w.random, "p1", Author, "nobody")
	case 1:
		r.expiry = height - 1
	case 2:
		r.expiry = height + 2*w.model.params.MaxExpiryBlocks
	}
	return w.sign(r, body)
}

// sign makes the transaction and tells the model what it asks for.
func (w *world) sign(r *request, body protocol.Body) ([]byte, error) {
	w.nonce++
	raw, err := protocol.SignTx(w.lead.options.ChainID, key(r.account), r.expiry, w.nonce, body)
	if err != nil {
		return nil, err
	}
	r.id, err = protocol.TxID(w.lead.options.ChainID, raw)
	w.requests[string(raw)] = r
	w.sent = append(w.sent, raw)
	return raw, err
}

// batch continues a stream, overlaps it, leaves a gap or declares one.
func (w *world) batch(r *request) protocol.Body {
	b := &batchRequest{stream: pick(w.random, "a", "b")}
	next := w.model.next[streamKey{r.account, b.stream}]
	b.first = next
	switch w.random.IntN(8) {
	case 0:
		b.first -= min(next, w.random.Uint64N(6))
	case 1:
		b.first += 1 + w.random.Uint64N(4)
	case 2:
		b.first += 1 + w.random.Uint64N(4)
		b.skip = min(b.first, b.first-next+w.random.Uint64N(3))
	}
	body := &protocol.Batch{Stream: b.stream, First: b.first, Skip: b.skip, Seed: seed(r.account, b.stream, w.nonce)}
	for range 1 + w.random.IntN(12) {
		who := identity{source: pick(w.random, "/x", "/y"), id: strconv.Itoa(w.random.IntN(w.ids))}
		e := protocol.Event{
			ID: who.id, Source: who.source, Type: pick(w.random, readingType, readingType, otherType),
			DataForm: protocol.DataJSON, Data: []byte(pick(w.random, evenData, oddData, noData)),
		}
		b.events, b.records = append(b.events, who), append(b.records, e)
		body.Records = append(body.Records, e.AppendRecord(nil))
	}
	r.batch = b
	return body
}

func (w *world) control(r *request) protocol.Body {
	action := protocol.ActionResume
	if r.control.pause {
		action = protocol.ActionPause
	}
	return &protocol.Control{Contract: protocol.ContractAddress(Address(Author), r.control.contract), Action: action}
}

// deploy brings one of the fixtures, or what is refused. What caller's
// deliveries come to depends on tally, so it comes later.
func (w *world) deploy(r *request) protocol.Body {
	f := pick(w.random, fixtures()...)
	if _, there := w.model.contracts["tally"]; f.name == "caller" && !there {
		f = fixtures()[0]
	}
	r.deploy = &deployRequest{name: f.name}
	switch w.random.IntN(6) {
	case 0:
		r.deploy.code = protocol.CodeContractInvalid
		f.code = f.code[:len(f.code)-1]
	case 1:
		r.deploy.code = protocol.CodeManifestInvalid
		f.manifest = f.manifest[1:]
	case 2:
		r.deploy.code = protocol.CodeContractInvalid // nothing is there to be called
		f.code = asm.Contract("", "", "\x6a"+done)
	}
	return &protocol.Deploy{Code: f.code, Manifest: f.manifest}
}

func (w *world) call(r *request) protocol.Body {
	r.call = &callRequest{contract: pick(w.random, "tally", "tally", "relay", "unknown"), method: pick(w.random, "add", "fail", "nothing")}
	return &protocol.Call{Contract: protocol.ContractAddress(Address(Author), r.call.contract), Method: r.call.method}
}
