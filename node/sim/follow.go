package sim

import (
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// Follower executes decided blocks from the founding on, as a new node does,
// in memory.
type Follower struct{ ledger *Ledger }

// Follow founds a ledger by a document. Close it.
func Follow(doc *genesis.Document) (*Follower, error) {
	o := Options{ChainID: doc.ChainID, Start: doc.Time, BlockBytes: 64 << 20}
	o.fill()
	l, err := start(o, doc)
	if err != nil {
		return nil, err
	}
	return &Follower{l}, nil
}

// Close frees the ledger's memory.
func (f *Follower) Close() error { return f.ledger.Close() }

// Stand is where a ledger stands after a block.
type Stand struct {
	Height                      uint64
	LogSize                     uint64
	LogRoot, StateRoot, AppHash protocol.Hash
}

// Stand answers where the ledger stands.
func (f *Follower) Stand() Stand {
	h := f.ledger.store.Head()
	return Stand{h.Height, h.LogSize, h.LogRoot, h.StateRoot, h.AppHash}
}

// Execute takes over the next block, and keeps nothing of it but what it comes
// to.
func (f *Follower) Execute(height uint64, at time.Time, txs [][]byte) error {
	if next := f.ledger.Height() + 1; height != next {
		return fmt.Errorf("sim: block %d does not follow height %d", height, next-1)
	}
	block := &Block{Height: height, Time: at, Txs: txs}
	if err := f.ledger.accept(block); err != nil {
		return err
	}
	f.ledger.now = at
	if err := f.ledger.finalize(block); err != nil {
		return err
	}
	return f.ledger.commit()
}
