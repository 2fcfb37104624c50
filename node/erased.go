package node

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// showable refuses a block that carries a payload that was erased since: as an
// entry of its own, from one log size to another, or once more, in a batch that
// was sent again.
func (b *backend) showable(height, from, to uint64, txs [][]byte) error {
	view, _, err := b.viewAt(0)
	if err != nil {
		return err
	}
	refusal := protocol.Refuse(protocol.CodeErased, "block %d carries payloads that were erased: it is no longer shown, and cannot be executed again from here", height)
	if index, ok, err := machine.NextErased(view, from); err != nil || ok && index < to {
		return either(err, refusal)
	}
	var event protocol.RecordView
	for _, raw := range txs {
		tx, err := protocol.DecodeTx(b.genesis.ChainID, raw)
		if err != nil {
			continue // it was refused, and its octets are nobody's event
		}
		batch, ok := tx.Body.(*protocol.Batch)
		if !ok {
			continue
		}
		for _, record := range batch.Records {
			if err := event.Parse(record); err != nil {
				return err
			}
			index, ok, err := machine.FindEventOfAny(b.store, string(event.Source), string(event.ID))
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if _, erased, err := machine.ErasedBy(view, index); err != nil || erased {
				return either(err, refusal)
			}
		}
	}
	return nil
}

// either answers err, or the refusal where there is none.
func either(err, refusal error) error {
	if err != nil {
		return err
	}
	return refusal
}
