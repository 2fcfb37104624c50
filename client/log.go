package client

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Checkpoint fetches the log's newest checkpoint and checks who signed it.
func (c *Client) Checkpoint(ctx context.Context, by proof.Cosigners) (*proof.SignedCheckpoint, proof.Cosigned, error) {
	answer, err := c.call(ctx, request{path: "/log/checkpoint", anyHeight: true})
	if err != nil {
		return nil, proof.Cosigned{}, err
	}
	checkpoint, err := proof.ParseCheckpoint(answer)
	if err != nil {
		return nil, proof.Cosigned{}, fmt.Errorf("client: checkpoint: %w", err)
	}
	cosigned, err := by.Verify(checkpoint)
	return checkpoint, cosigned, err
}

// Consistency fetches the proof that the log of one size begins with that of
// another. Its roots are the node's word: compare them with checkpoints.
func (c *Client) Consistency(ctx context.Context, from, to uint64) (rest.Consistency, error) {
	return read[rest.Consistency](ctx, c, "/v1/log/consistency?from=%d&to=%d", from, to)
}

// Tile fetches a tile or an entry bundle, as C2SP tlog-tiles names it after
// "tile/". Nothing is verified.
func (c *Client) Tile(ctx context.Context, path string) ([]byte, error) {
	return c.call(ctx, request{path: "/log/tile/" + path, anyHeight: true})
}

// ExportReceipt fetches the receipt of an entry as "tlog-proof" or "cose".
// Nothing is verified.
func (c *Client) ExportReceipt(ctx context.Context, index uint64, format string) ([]byte, error) {
	return c.call(ctx, request{path: fmt.Sprintf("/v1/receipts/%d?format=%s", index, format), wait: receiptWait})
}
