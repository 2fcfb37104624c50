package app

import (
	"bytes"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
)

func (b *bench) propose(height int64, hash string, txs ...[]byte) {
	b.t.Helper()
	res, err := b.ProcessProposal(ctx, &abci.RequestProcessProposal{
		Height: height, Hash: []byte(hash), Time: time.UnixMilli(1_800_000_000_000 + height), Txs: txs,
	})
	if err != nil || !res.IsAccepted() {
		b.t.Fatalf("proposal %s: %v, %v", hash, res, err)
	}
}

func (b *bench) decide(height int64, hash string, txs ...[]byte) []byte {
	b.t.Helper()
	res, err := b.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{
		Height: height, Hash: []byte(hash), Time: time.UnixMilli(1_800_000_000_000 + height), Txs: txs,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return res.AppHash
}

// A block that was executed while it was voted on comes to what it comes to
// otherwise, and one that was not decided to nothing.
func TestExecutionAhead(t *testing.T) {
	ahead := founded(t)
	after := newBench(t, t.TempDir(), ahead.network)
	after.initChain()
	txs := make([][]byte, 8)
	for i := range txs {
		txs[i] = ahead.batch(uint64(2*i), 2)
	}
	same := func(height int64, hash string, txs ...[]byte) {
		t.Helper()
		if got, want := ahead.decide(height, hash, txs...), after.decide(height, hash, txs...); !bytes.Equal(got, want) {
			t.Fatalf("height %d: app hash %x, without execution ahead %x", height, got, want)
		}
	}
	before := ahead.Store.Head()
	ahead.propose(1, "a", txs[:2]...)
	begun := ahead.ahead
	ahead.propose(1, "a", txs[:2]...) // asked again, it is not executed again
	if begun == nil || ahead.ahead != begun {
		t.Fatal("execution did not begin, or twice")
	}
	<-begun.done
	if ahead.Store.Head().AppHash != before.AppHash || ahead.Store.Head().Height != before.Height {
		t.Fatal("execution ahead moved the head")
	}
	same(1, "a", txs[:2]...)
	if ahead.block != begun || ahead.ahead != nil {
		t.Error("what was begun was not used")
	}
	ahead.commit()
	after.commit()

	ahead.propose(2, "b", txs[2]) // three rounds, and the first one's block is decided
	ahead.propose(2, "c", txs[2:6]...)
	ahead.propose(2, "d")
	same(2, "b", txs[2])
	ahead.commit()
	after.commit()

	ahead.propose(3, "e", txs[3:]...) // CometBFT fetched block 3 from a peer instead
	same(3, "f", txs[3:5]...)
	ahead.propose(4, "g", txs[5]) // early: block 3 is not committed
	if ahead.ahead != nil {
		t.Error("execution began on a state that is not there yet")
	}
	ahead.commit()
	after.commit()
	same(4, "g", txs[5])
	ahead.commit()
	after.commit()
	ahead.propose(5, "h", txs[6:]...)
	ahead.Stop() // the process ends
	if ahead.ahead != nil || ahead.Store.Head().AppHash != after.Store.Head().AppHash {
		t.Error("an execution outlived the application, or the ledgers differ")
	}
}

// What a proposal breaks halts the node only if it is decided.
func TestABrokenProposal(t *testing.T) {
	b := founded(t)
	b.propose(7, "far", b.batch(0, 1)) // of a height that this state does not lead to
	<-b.ahead.done
	b.decide(1, "good", b.batch(0, 1))
	b.commit()
	if b.halted != nil || b.Store.Head().Height != 1 {
		t.Fatalf("halted: %v", b.halted)
	}
	b.ahead = &execution{hash: []byte("x"), done: make(chan struct{}), broken: &brokenInvariant{cause: "it broke"}}
	close(b.ahead.done)
	defer func() {
		if recover() == nil || b.halted == nil {
			t.Errorf("a broken invariant must halt the node, halted: %v", b.halted)
		}
	}()
	b.decide(2, "x")
}
