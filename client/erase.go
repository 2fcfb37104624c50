package client

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Erase has every node erase payload and blind of an entry: an event of the
// key's account, what a contract of it made, or, for an auditor, any. The
// outcome is final when this returns; docs/privacy.md says when the octets are
// gone from the nodes' disks.
func (c *Client) Erase(ctx context.Context, key protocol.PrivateKey, index uint64, reason protocol.EraseReason) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Erase{Reason: reason, First: index, Count: 1})
}

// EraseStream erases count events of the key's own stream from a sequence on,
// in as many transactions as that takes. It answers how many payloads it
// erased; gaps and what was erased before are passed over. After an error some
// may be erased: the same call again goes on.
func (c *Client) EraseStream(ctx context.Context, key protocol.PrivateKey, stream string, first, count uint64, reason protocol.EraseReason) (erased uint64, err error) {
	for count > 0 {
		n := min(count, protocol.MaxEraseEntries)
		s, err := c.Execute(ctx, key, &protocol.Erase{Reason: reason, Stream: stream, First: first, Count: n})
		switch code, _ := protocol.CodeOf(err); {
		case code == protocol.CodeEraseBusy:
			continue
		case err != nil && code != protocol.CodeNotErasable:
			return erased, err
		}
		erased += uint64(s.Entries)
		first, count = first+n, count-n
	}
	return erased, nil
}

// Erasure fetches the proof that an entry existed and that its payload was
// erased, and verifies it where the client trusts somebody.
func (c *Client) Erasure(ctx context.Context, index uint64) (*proof.Erasure, error) {
	answer, err := c.call(ctx, request{path: fmt.Sprintf("/v1/erasures/%d", index), wait: receiptWait})
	if err != nil {
		return nil, err
	}
	erasure, err := proof.DecodeErasure(answer)
	if err != nil {
		return nil, fmt.Errorf("client: erasure of entry %d: %w", index, err)
	}
	if erasure.Entry.Entry.Index != index {
		return nil, fmt.Errorf("client: the node sent the erasure of another entry than %d", index)
	}
	if c.config.Trust == nil {
		return erasure, nil
	}
	for _, receipt := range []*proof.Receipt{erasure.Entry, erasure.Erase} { // follows the validators where it has to
		if _, err := c.Verify(ctx, receipt); err != nil {
			return nil, fmt.Errorf("client: erasure of entry %d: %w", index, err)
		}
	}
	if _, err := erasure.VerifyWith(c.Trust()); err != nil {
		return nil, fmt.Errorf("client: erasure of entry %d: %w", index, err)
	}
	return erasure, nil
}
