package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// counted is what the audit found.
type counted struct {
	lost, duplicated uint64
	indexes          []uint64 // of some events, for receipts
}

// auditStreams reads every stream again, from the ledger, and compares each
// entry with the event that was sent: what was acknowledged must be there, in
// its place, once. One node is asked: all have been found to agree.
func auditStreams(ctx context.Context, node *client.Client, streams []*stream, producer protocol.Address, sample int) (c counted, err error) {
	var seen bitmap
	for _, s := range streams {
		every := max(1, s.sent*uint64(len(streams))/uint64(max(sample, 1)))
		pick := rand.Uint64N(every)
		for from := uint64(0); from < s.sent; {
			page, err := node.StreamEntries(ctx, producer, s.name(), from, rest.MaxStreamEntries)
			if err != nil {
				return c, fmt.Errorf("audit of stream %s: %w", s.name(), err)
			}
			if len(page) == 0 { // the ledger knows of nothing from here on
				c.lost += s.sent - from
				break
			}
			for _, e := range page {
				if e.Sequence >= s.sent {
					return c, fmt.Errorf("audit: stream %s holds sequence %d, which was never sent", s.name(), e.Sequence)
				}
				c.lost += e.Sequence - min(from, e.Sequence) // those in between are not there
				event := s.event(e.Sequence)
				switch {
				case e.Sequence < from, e.Kind == protocol.EntryDuplicate, seen.set(e.Index):
					c.duplicated++
				case e.Kind != protocol.EntryEvent || e.Record != sha256.Sum256(event.AppendRecord(nil)):
					c.lost++ // something else is in its place
				case e.Sequence%every == pick && len(c.indexes) < sample:
					c.indexes = append(c.indexes, e.Index)
				}
				from = max(from, e.Sequence+1)
			}
		}
	}
	return c, nil
}

// bitmap is a set of log indexes.
type bitmap []uint64

// set adds an index and says whether it was there.
func (b *bitmap) set(index uint64) bool {
	at, bit := index/64, uint64(1)<<(index%64)
	for uint64(len(*b)) <= at {
		*b = append(*b, make([]uint64, max(64, len(*b)))...)
	}
	was := (*b)[at]&bit != 0
	(*b)[at] |= bit
	return was
}

// agree waits until all nodes have executed everything and stand at the same
// height, and compares what they hold there.
func agree(ctx context.Context, nodes []*validator) (rest.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		heads := make([]rest.Head, len(nodes))
		same, rested := true, true
		for i, n := range nodes {
			if err := fetchJSON(ctx, n.API+"/v1/head", &heads[i]); err != nil {
				return rest.Head{}, err
			}
			same = same && heads[i].Height == heads[0].Height
			rested = rested && heads[i].Lag == 0
		}
		if same {
			for i, h := range heads {
				if h.AppHash != heads[0].AppHash || h.LogSize != heads[0].LogSize || h.LogRoot != heads[0].LogRoot {
					return rest.Head{}, fmt.Errorf("%s and %s disagree about height %d: app hashes %s and %s",
						nodes[0].Name, nodes[i].Name, h.Height, heads[0].AppHash, h.AppHash)
				}
			}
			if rested {
				return heads[0], nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return rest.Head{}, errors.Join(fmt.Errorf("the nodes did not come to rest at one height: %+v", heads), ctx.Err())
		}
	}
}

// verifyReceipts fetches receipts, which the clients verify with the founding
// document alone.
func verifyReceipts(ctx context.Context, clients []*client.Client, indexes []uint64) (int, error) {
	for i, index := range indexes {
		if _, err := clients[i%len(clients)].Receipt(ctx, index); err != nil {
			return i, err
		}
	}
	return len(indexes), nil
}
