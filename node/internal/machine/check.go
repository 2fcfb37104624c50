package machine

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"

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
	raw    []byte // all of it, an own copy: what is remembered answers for these bytes alone
	sender protocol.Address
	stream protocol.StreamID // of a batch
	events []preparedEvent   // of a batch
	relay  *relay            // of a relay
	size   int               // as signed
	bytes  int               // in memory, about
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

// checkedBatch is a checked batch in one piece of memory, with room for what a
// batch of one event needs.
type checkedBatch struct {
	checked
	held  held
	event [1]preparedEvent
	steps [1]heldEvent
}

// checkedOverhead is about what a checked transaction takes in memory beside
// its bytes, and eventOverhead each of its events.
const (
	checkedOverhead = 800
	eventOverhead   = 150
)

// check decodes and verifies a transaction and prepares its hashes.
func (m *Machine) check(raw []byte) (*checked, error) {
	if c := m.seen.get(raw); c != nil {
		return c, nil
	}
	tx, err := protocol.DecodeTx(m.chainID, raw)
	if err != nil {
		return nil, err
	}
	if err := m.keys.Verify(tx); err != nil {
		return nil, err
	}
	c, err := newChecked(tx, bytes.Clone(raw))
	if err != nil {
		return nil, err
	}
	m.seen.put(c)
	return c, nil
}

func newChecked(tx *protocol.Tx, raw []byte) (c *checked, err error) {
	size := checkedOverhead + len(raw)
	switch body := tx.Body.(type) {
	case *protocol.Batch:
		whole := &checkedBatch{}
		c = &whole.checked
		c.held, c.events = &whole.held, whole.event[:]
		if n := len(body.Records); n == 1 {
			c.held.events = whole.steps[:]
		} else {
			c.events = make([]preparedEvent, n)
		}
		if err := prepare(c.events, body); err != nil {
			return nil, err
		}
		size += len(body.Compressed) + body.RawBytes + len(body.Records)*eventOverhead
	case *protocol.Relay:
		c = &checked{}
		size += 2 * len(raw) // as a testimony, and its sets
		if c.relay, err = newRelay(body); err != nil {
			return nil, err
		}
	default:
		c = &checked{}
		size += len(raw) // as decoded
	}
	c.Tx, c.raw, c.sender, c.cause = tx, raw, tx.Sender(), protocol.NoCause
	c.size, c.bytes = len(raw), size
	if batch, ok := tx.Body.(*protocol.Batch); ok {
		c.stream = protocol.NewStreamID(c.sender, batch.Stream)
	}
	return c, nil
}

// prepare works out what the log needs of a batch's events. Decoding has
// checked the records.
func prepare(events []preparedEvent, batch *protocol.Batch) error {
	var view protocol.RecordView
	var hashed []byte // the type of the event before, which most events share
	var typeHash protocol.TypeHash
	for i, record := range batch.Records {
		if err := view.Reread(record); err != nil {
			return err
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
	return nil
}

// checkAll checks a block's transactions, and the proofs of its relays, whose
// refusals are remembered for when they are executed. Most were checked before;
// the others are in parallel. Results and refusals are placed by index.
func (m *Machine) checkAll(txs [][]byte) ([]*checked, []error) {
	out, errs := make([]*checked, len(txs)), make([]error, len(txs))
	var work []int // what is left to do, by index
	m.seen.getAll(txs, out)
	for i, c := range out {
		if c == nil || c.relay != nil {
			work = append(work, i)
		}
	}
	workers := min(len(work), runtime.GOMAXPROCS(0))
	if workers == 0 {
		return out, errs
	}
	share := min((len(work)+workers-1)/workers, checkedTogether)
	var next atomic.Int64 // of work
	do := func() {
		for {
			end := int(next.Add(int64(share)))
			if end-share >= len(work) {
				return
			}
			mine := work[end-share : min(end, len(work))]
			m.checkSome(txs, mine, out, errs)
			for _, i := range mine {
				if out[i] != nil && out[i].relay != nil {
					out[i].relay.verify()
				}
			}
		}
	}
	var group sync.WaitGroup
	for range workers - 1 {
		group.Go(do)
	}
	do()
	group.Wait()
	return out, errs
}

// checkedTogether is how many transactions have their signatures verified
// together: more gain nothing.
const checkedTogether = 32

// checkSome checks the transactions at some indices, unless out has them.
func (m *Machine) checkSome(txs [][]byte, indices []int, out []*checked, errs []error) {
	decoded, at := make([]*protocol.Tx, 0, len(indices)), make([]int, 0, len(indices))
	for _, i := range indices {
		if out[i] != nil {
			continue
		}
		tx, err := protocol.DecodeTx(m.chainID, txs[i])
		if err != nil {
			errs[i] = err
			continue
		}
		decoded, at = append(decoded, tx), append(at, i)
	}
	for n, err := range m.keys.VerifyAll(decoded) {
		i := at[n]
		if err == nil {
			out[i], err = newChecked(decoded[n], bytes.Clone(txs[i]))
		}
		if errs[i] = err; err == nil {
			m.seen.put(out[i])
		}
	}
}

// Prepare checks the form and the signatures of transactions that CheckTx is
// asked about next: many at once cost half of what they cost one by one.
func (m *Machine) Prepare(txs [][]byte) {
	out, errs := make([]*checked, len(txs)), make([]error, len(txs))
	m.seen.getAll(txs, out)
	missing := make([]int, 0, len(txs))
	for i, c := range out {
		if c == nil {
			missing = append(missing, i)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), checkedTogether)
		m.checkSome(txs, missing[:n], out, errs)
		missing = missing[n:]
	}
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

func checkExpiry(tx *protocol.Tx, height, maxAhead uint64) error {
	switch {
	case tx.Expiry < height:
		return protocol.Refuse(protocol.CodeExpired, "transaction expired at height %d, the next block is %d", tx.Expiry, height)
	case tx.Expiry-height > maxAhead:
		return protocol.Refuse(protocol.CodeExpiryTooFar, "transaction expires at height %d, at most %d are allowed at this head", tx.Expiry, height+maxAhead)
	}
	return nil
}
