package machine

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"runtime"
	"slices"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// checked is a transaction whose form and signature hold, with the hashes
// execution needs. It is a pure function of the bytes, so it is worked out
// once, on any goroutine, and remembered between CheckTx, ProcessProposal and
// FinalizeBlock. Of an account that has changed its key it is not the last
// word: the state says which account the signer speaks for (party.go).
type checked struct {
	*protocol.Tx
	sender protocol.Address
	stream protocol.StreamID // of a batch
	events []preparedEvent   // of a batch
	relay  *relay            // of a relay
	size   int               // as signed
	bytes  int               // in memory
	cause  uint64            // entry that led to it, or NoCause
	held   *held             // of a batch: what its events conformed to
}

// preparedEvent is what the log needs of one event.
type preparedEvent struct {
	blind      protocol.Blind
	commitment protocol.Hash
	typeHash   protocol.TypeHash
	source     protocol.SourceKey
	schema     uint32 // version of its type's schema that it names, or 0
}

// check decodes and verifies a transaction and prepares its hashes.
func (m *Machine) check(raw []byte) (*checked, error) {
	id := sha256.Sum256(raw)
	if c := m.seen.get(id); c != nil {
		return c, nil
	}
	tx, err := protocol.DecodeTx(m.chainID, raw)
	if err != nil {
		return nil, err
	}
	if err := m.keys.Verify(tx); err != nil {
		return nil, err
	}
	c := &checked{Tx: tx, sender: tx.Sender(), size: len(raw), bytes: len(raw), cause: protocol.NoCause}
	if batch, ok := tx.Body.(*protocol.Batch); ok {
		c.stream = protocol.NewStreamID(c.sender, batch.Stream)
		c.bytes += batch.RawBytes
		c.held = &held{}
		if c.events, err = prepare(batch); err != nil {
			return nil, err
		}
	}
	if body, ok := tx.Body.(*protocol.Relay); ok {
		c.bytes *= 3 // as signed, as a testimony, and its sets
		if c.relay, err = newRelay(body); err != nil {
			return nil, err
		}
	}
	m.seen.put(id, c)
	return c, nil
}

func prepare(batch *protocol.Batch) ([]preparedEvent, error) {
	events := make([]preparedEvent, len(batch.Records))
	var view protocol.RecordView
	var hashed []byte // the type of the event before, which most events share
	var typeHash protocol.TypeHash
	for i, record := range batch.Records {
		if err := view.Parse(record); err != nil {
			return nil, err
		}
		if i == 0 || !bytes.Equal(view.Type, hashed) {
			hashed, typeHash = view.Type, protocol.NewTypeHash(string(view.Type))
		}
		blind := batch.Blind(i)
		events[i] = preparedEvent{
			blind: blind, commitment: protocol.Commitment(blind, record),
			typeHash: typeHash, source: protocol.NewSourceKey(string(view.Source), string(view.ID)),
			schema: protocol.NamedSchema(view.DataSchema, view.Type),
		}
	}
	return events, nil
}

// checkAll checks a block's transactions in parallel, and the proofs of its
// relays, whose refusals are remembered for when they are executed; results and
// refusals are placed by index.
func (m *Machine) checkAll(txs [][]byte) ([]*checked, []error) {
	out, errs := make([]*checked, len(txs)), make([]error, len(txs))
	next := make(chan int, len(txs))
	for i := range txs {
		next <- i
	}
	close(next)
	var group sync.WaitGroup
	for range min(len(txs), runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := range next {
				if out[i], errs[i] = m.check(txs[i]); errs[i] == nil && out[i].relay != nil {
					out[i].relay.verify()
				}
			}
		})
	}
	group.Wait()
	return out, errs
}

// CheckTx decides whether a transaction may wait for a block, judged by the
// committed state. The error is a refusal, or a fault of this node.
func (m *Machine) CheckTx(state State, head store.Head, raw []byte) error {
	c, err := m.check(raw)
	if err != nil {
		return err
	}
	params, err := m.params(head.Params)
	if err != nil {
		return err
	}
	party, err := admissible(state, &params, c, head.Height+1)
	if err != nil {
		return err
	}
	if err := m.door(state, &params, &party, c, head.Height+1); err != nil || c.relay == nil {
		return err
	}
	_, err = judge(state, head.Height+1, head.TimeMs, c.Body.(*protocol.Relay).Ledger, c.relay)
	return err
}

// maxCodeTxs bounds the deployments and upgrades of one block: each may take
// every validator's compiler up to a second.
const maxCodeTxs = 2

func carriesCode(c *checked) bool {
	kind := c.Body.Kind()
	return kind == protocol.TxDeploy || kind == protocol.TxUpgrade
}

// load counts what is bounded in a block beside its bytes.
type load struct {
	code       int    // deployments and upgrades
	signatures uint64 // that relays carry
}

// add counts a transaction, unless with it the block would be over a bound.
func (l *load) add(c *checked) error {
	if carriesCode(c) {
		if l.code == maxCodeTxs {
			return protocol.Refuse(protocol.CodeContractLimit, "a block has more than %d deployments and upgrades", maxCodeTxs)
		}
		l.code++
	}
	if c.relay != nil {
		more := c.relay.testimony.Work().Signatures
		if l.signatures+more > maxRelaySignatures {
			return protocol.Refuse(protocol.CodeTooLarge, "the relays of a block carry more than %d signatures", maxRelaySignatures)
		}
		l.signatures += more
	}
	return nil
}

// Valid says whether a proposal may hold the transactions: their form, their
// signatures and what is bounded in a block, nothing that depends on state. It
// is pure.
func (m *Machine) Valid(txs [][]byte) error {
	all, errs := m.checkAll(txs)
	var l load
	for i, err := range errs {
		if err != nil {
			return err
		}
		if err := l.add(all[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkExpiry(tx *protocol.Tx, height, maxAhead uint64) error {
	switch {
	case tx.Expiry < height:
		return protocol.Refuse(protocol.CodeExpired, "transaction expired at height %d, the next block is %d", tx.Expiry, height)
	case tx.Expiry-height > maxAhead:
		return protocol.Refuse(protocol.CodeExpiryTooFar, "transaction expires at height %d, at most %d are allowed at this head", tx.Expiry, height+maxAhead)
	}
	return nil
}

// framing bounds what a block's encoding adds to a transaction: field tag and length.
const framing = 6

// Order puts the transactions of a proposal in the order a block should have
// them: as they came, but batches of one stream by sequence, since gossip may
// have swapped them. What is no valid transaction is left out; what would
// exceed maxBytes, or another bound of a block, waits.
func (m *Machine) Order(txs [][]byte, maxBytes int64) [][]byte {
	all, _ := m.checkAll(txs)
	type item struct {
		raw   []byte
		place int    // of the stream's first transaction in this proposal
		first uint64 // sequence
	}
	places := make(map[protocol.StreamID]int)
	items := make([]item, 0, len(txs))
	var l load
	for i, c := range all {
		if c == nil || l.add(c) != nil {
			continue
		}
		it := item{raw: txs[i], place: i}
		if batch, ok := c.Body.(*protocol.Batch); ok {
			it.first = batch.First
			if place, met := places[c.stream]; met {
				it.place = place
			} else {
				places[c.stream] = i
			}
		}
		items = append(items, it)
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.first, b.first))
	})
	out := make([][]byte, 0, len(items))
	for _, it := range items {
		if maxBytes -= int64(len(it.raw)) + framing; maxBytes < 0 {
			break
		}
		out = append(out, it.raw)
	}
	return out
}

// cache remembers checked transactions, at most limit bytes of them, in two
// generations: when the young one is full it becomes the old one.
type cache struct {
	mu         sync.Mutex
	young, old map[[32]byte]*checked // guarded by mu
	bytes      int                   // of young; guarded by mu
	limit      int
}

func newCache(limit int) *cache {
	return &cache{young: map[[32]byte]*checked{}, limit: limit}
}

func (c *cache) get(id [32]byte) *checked {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[id]; found != nil {
		return found
	}
	return c.old[id]
}

func (c *cache) put(id [32]byte, tx *checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes+tx.bytes > c.limit/2 {
		c.young, c.old, c.bytes = map[[32]byte]*checked{}, c.young, 0
	}
	c.young[id] = tx
	c.bytes += tx.bytes
}
