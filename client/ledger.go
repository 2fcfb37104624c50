package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Ledgers lists the other ledgers that the council registered.
func (c *Client) Ledgers(ctx context.Context) (all []rest.LedgerRow, err error) {
	for after := ""; ; {
		answer, err := read[rest.Ledgers](ctx, c, "/v1/ledgers?limit=%d&after=%s", page, url.QueryEscape(after))
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Ledgers...)
		if answer.Next == "" {
			return all, nil
		}
		after = answer.Next
	}
}

// Ledger is one of them, as it was at a height; 0 is now.
func (c *Client) Ledger(ctx context.Context, name string, height uint64) (rest.Ledger, error) {
	return read[rest.Ledger](ctx, c, "/v1/ledgers/%s?height=%d", url.PathEscape(name), height)
}

// ProvenLedger is Ledger by a receipt of the state, which is verified where the
// client trusts somebody.
func (c *Client) ProvenLedger(ctx context.Context, name string, height uint64) (*protocol.LedgerRecord, error) {
	receipt, err := c.StateReceipt(ctx, protocol.LedgerKey(name), height)
	if err != nil {
		return nil, err
	}
	if receipt.State.State.Value == nil {
		return nil, protocol.Refuse(protocol.CodeLedgerUnknown, "no ledger is registered as %q", name)
	}
	return protocol.DecodeLedger(name, receipt.State.State.Value)
}

func joined(indices []uint64) string {
	texts := make([]string, len(indices))
	for i, n := range indices {
		texts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(texts, ",")
}

// Relayed says which entries of another ledger, at most rest.MaxIndices in
// ascending order, were relayed.
func (c *Client) Relayed(ctx context.Context, name string, indices []uint64) ([]bool, error) {
	answer, err := read[rest.RelayedEntries](ctx, c, "/v1/ledgers/%s/relayed?indices=%s", url.PathEscape(name), joined(indices))
	if err == nil && len(answer.Relayed) != len(indices) {
		err = fmt.Errorf("client: the node answered of %d entries, asked were %d", len(answer.Relayed), len(indices))
	}
	return answer.Relayed, err
}

// EventsSince lists events in the order of the log: those among at most limit
// entries from one on. It waits for the log to grow up to there.
func (c *Client) EventsSince(ctx context.Context, from uint64, limit int, wait time.Duration) (rest.EventsSince, error) {
	return get[rest.EventsSince](ctx, c, request{path: fmt.Sprintf("/v1/events/since?from=%d&limit=%d&wait=%s", from, limit, wait), wait: wait, anyHeight: true})
}

// ReceiptOf fetches one receipt of chosen entries, at most rest.MaxIndices in
// ascending order; fewer where they do not fit. It verifies nothing.
func (c *Client) ReceiptOf(ctx context.Context, indices []uint64) (*proof.BatchReceipt, error) {
	return c.batch(ctx, "/v1/receipts/of?indices="+joined(indices)+"&format=binary")
}

// TrustPath fetches steps from the validators of a height to later ones. It
// verifies nothing.
func (c *Client) TrustPath(ctx context.Context, from uint64) (*proof.TrustPath, error) {
	path, err := read[proof.TrustPath](ctx, c, "/v1/trust?from=%d", from)
	return &path, err
}
