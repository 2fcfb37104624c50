package client

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// ProvenSet is a validator set that receipts of the state prove to be the
// newest of a height.
type ProvenSet struct {
	Set    *protocol.ValidatorSet
	Height uint64 // of the block after which it was the newest
}

// ValidatorSet answers the newest validator set with powers, names and log
// keys, by receipts of the state. They are verified where the client trusts
// somebody; it follows changes of the validators for that.
func (c *Client) ValidatorSet(ctx context.Context) (*ProvenSet, error) {
	latest, err := c.StateReceipt(ctx, protocol.LatestSetKey(), 0)
	if err != nil {
		return nil, err
	}
	if n := len(latest.State.State.Value); n != 8 {
		return nil, fmt.Errorf("client: the height of the newest validator set has %d bytes, must be 8", n)
	}
	since, height := binary.BigEndian.Uint64(latest.State.State.Value), latest.Commit.Height-1 // the next header commits to the state
	receipt, err := c.StateReceipt(ctx, protocol.ValidatorSetKey(since), height)
	if err != nil {
		return nil, err
	}
	set, err := protocol.DecodeValidatorSet(since, receipt.State.State.Value)
	if err != nil {
		return nil, fmt.Errorf("client: validator set: %w", err)
	}
	return &ProvenSet{set, height}, nil
}

// Cosigners answers whose signatures on the log's checkpoints make a quorum
// today, proven as ValidatorSet says.
func (c *Client) Cosigners(ctx context.Context) (proof.Cosigners, error) {
	proven, err := c.ValidatorSet(ctx)
	if err != nil {
		return proof.Cosigners{}, err
	}
	return proof.SetCosigners(c.ChainID(), proven.Set)
}
