package machine

import (
	"cmp"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Framing bounds what a block's encoding adds to a transaction: field tag and length.
const Framing = 6

// Order puts the transactions of a proposal in the order a block should have
// them: as they came, but batches of one stream by sequence, since gossip may
// have swapped them. What is no valid transaction is left out; what would
// exceed maxBytes, or another bound of a block, waits.
func (m *Machine) Order(txs [][]byte, maxBytes int64) [][]byte {
	all, _ := m.checkAll(txs)
	type item struct {
		index int    // as they came
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
		it := item{index: i, place: i}
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
	slices.SortFunc(items, func(a, b item) int {
		if a.place != b.place {
			return a.place - b.place
		}
		return cmp.Or(cmp.Compare(a.first, b.first), a.index-b.index)
	})
	out := make([][]byte, 0, len(items))
	for _, it := range items {
		raw := txs[it.index]
		if maxBytes -= int64(len(raw)) + Framing; maxBytes < 0 {
			break
		}
		out = append(out, raw)
	}
	return out
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
