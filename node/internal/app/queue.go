package app

import (
	"bytes"
	"context"

	cmtmempool "github.com/cometbft/cometbft/mempool"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// Transactions wait in the Pool. CometBFT makes a block while its own mempool
// holds something, so that holds one marker as long as anything waits here. It
// is never proposed, nor sent to peers.
var marker = []byte("cairn: transactions wait in the pool")

// Follow keeps the marker in CometBFT's mempool while anything waits in the
// pool, until ctx ends. Call it once, before CometBFT starts, and run what it
// returns.
func (a *App) Follow(mempool cmtmempool.Mempool) (run func(context.Context)) {
	a.mempool = mempool
	return func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.Pool.Available():
			}
			// A block may have decided what came; then its commit took the marker
			// away, or the next one does. While a commit is under way, this waits.
			if txs, _ := a.Pool.Size(); txs == 0 {
				continue
			}
			if err := mempool.CheckTx(marker, nil, cmtmempool.TxInfo{}); err != nil {
				a.Log.Error("CometBFT is not told that transactions wait", "err", err)
			}
		}
	}
}

// decided takes a block's transactions out of the pool, and the marker away
// when none are left. CometBFT holds its mempool's lock meanwhile, so that no
// marker can be put back in between.
func (a *App) decided(outcomes []machine.Outcome) {
	for i := range outcomes {
		a.Pool.Decide(outcomes[i].TxID, outcomes[i].Code == protocol.CodeOK)
	}
	if txs, _ := a.Pool.Size(); txs == 0 && a.mempool != nil {
		_ = a.mempool.RemoveTxByKey(cmttypes.Tx(marker).Key()) // it may not be there
	}
}

// waiting lists what a proposal may hold: what waits in the pool, and what
// CometBFT's own RPC put into its mempool.
func (a *App) waiting(mempool [][]byte, maxBytes int64) [][]byte {
	txs := a.Pool.Oldest(maxBytes, machine.Framing)
	for _, raw := range mempool {
		if bytes.Equal(raw, marker) {
			continue
		}
		if id, err := protocol.TxID(a.Genesis.ChainID, raw); err == nil && !a.Pool.Has(id) {
			txs = append(txs, raw)
		}
	}
	return txs
}
