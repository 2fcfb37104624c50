package client

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
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

// HeldReceipt fetches the receipt of an entry up to a subtree of 2^level
// entries, for whoever holds a checkpoint. Nothing is verified.
func (c *Client) HeldReceipt(ctx context.Context, index uint64, level uint8) (*proof.HeldReceipt, error) {
	answer, err := c.call(ctx, request{path: fmt.Sprintf("/v1/receipts/%d?format=held&level=%d", index, level)})
	if err != nil {
		return nil, err
	}
	return proof.ParseHeldReceipt(answer)
}

// BatchReceipt fetches a receipt of consecutive entries: at most count, at
// least one. With withhold it leaves payloads out. It verifies nothing.
func (c *Client) BatchReceipt(ctx context.Context, first uint64, count int, withhold bool) (*proof.BatchReceipt, error) {
	r, err := c.batch(ctx, fmt.Sprintf("/v1/receipts?first=%d&count=%d&withhold=%t&format=binary", first, count, withhold))
	if err == nil && (r.Entries[0].Index != first || len(r.Entries) > count) {
		err = fmt.Errorf("client: the node sent %d entries from %d on, asked were %d from %d", len(r.Entries), r.Entries[0].Index, count, first)
	}
	return r, err
}

func (c *Client) batch(ctx context.Context, path string) (*proof.BatchReceipt, error) {
	answer, err := c.call(ctx, request{path: path, wait: receiptWait})
	if err != nil {
		return nil, err
	}
	r, err := proof.ParseBatch(answer)
	if err != nil {
		return nil, fmt.Errorf("client: batch receipt: %w", err)
	}
	return r, nil
}

// StreamProof fetches what proves that of a stream's sequences from one on
// none is missing, up to but without to; 0 is the newest. It verifies nothing.
func (c *Client) StreamProof(ctx context.Context, producer protocol.Address, name string, from, to uint64, withhold bool) (*proof.StreamProof, error) {
	next, err := c.StateReceipt(ctx, proof.StreamKey(producer, name), 0)
	if err != nil {
		return nil, err
	}
	var held uint64 // sequences the stream has
	if value := next.State.Value; len(value) == 8 {
		held = binary.BigEndian.Uint64(value)
	}
	if to == 0 {
		to = held
	}
	if from > to {
		return nil, fmt.Errorf("client: the stream's next sequence is %d, asked was from %d on", held, from)
	}
	p := &proof.StreamProof{Producer: producer, Name: name, From: from, To: to, Next: next}
	for at := from; at < min(to, held); { // of what is not there, verifying says so
		count := min(to-at, rest.MaxStreamEntries, proof.MaxBatchEntries)
		r, err := c.batch(ctx, fmt.Sprintf("/v1/streams/%s/%s/receipt?from=%d&count=%d&withhold=%t&format=binary", producer, name, at, count, withhold))
		if err != nil {
			return nil, err
		}
		p.Batches = append(p.Batches, *r)
		after := endOf(&r.Entries[len(r.Entries)-1])
		if after <= at {
			return nil, fmt.Errorf("client: the node answered sequence %d with what ends before it", at)
		}
		at = after
	}
	return p, nil
}

// endOf is the sequence after those that an entry holds.
func endOf(e *proof.BatchEntry) uint64 {
	if act, err := protocol.DecodeAct(e.Payload); err == nil && e.Entry.Kind == protocol.EntryGap {
		if gap, ok := act.(*protocol.GapAct); ok {
			return e.Entry.Sequence + gap.Count
		}
	}
	return e.Entry.Sequence + 1
}
