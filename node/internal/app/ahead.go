package app

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// execution is a block that was executed and sealed, but not committed: what
// it came to, or what failed.
type execution struct {
	hash []byte // of the block

	done   chan struct{} // closed when the rest is there
	batch  *store.Batch
	result machine.Result
	head   store.Head
	took   time.Duration
	err    error
	broken *brokenInvariant
}

// brokenInvariant is a panic of the machine, and where it was.
type brokenInvariant struct {
	cause any
	stack []byte
}

// A proposal that is valid is most often decided. So its execution begins while
// the validators vote, on a goroutine of its own, and FinalizeBlock finds it
// done. It writes nothing that others read: where another block is decided, it
// is thrown away.

// beginAhead executes a proposed block. It and the others here are called by
// CometBFT's consensus goroutine alone, or when that has ended.
func (a *App) beginAhead(hash []byte, block machine.Block) {
	if !a.ExecuteAhead || len(hash) == 0 || a.block != nil || a.ahead != nil && bytes.Equal(a.ahead.hash, hash) {
		return
	}
	before, next := a.ahead, &execution{hash: bytes.Clone(hash), done: make(chan struct{})}
	a.ahead = next
	go func() {
		a.abandon(before) // of a round before
		a.execute(next, block)
	}()
}

// abandonAhead throws away what was begun, if anything was.
func (a *App) abandonAhead() {
	x := a.ahead
	a.ahead = nil
	a.abandon(x)
}

// abandon waits for the end of an execution, if there is one, and throws it away.
func (a *App) abandon(x *execution) {
	if x == nil {
		return
	}
	if <-x.done; x.batch != nil {
		x.batch.Discard()
	}
	if x.broken != nil || x.err != nil {
		a.Log.Error("a proposal that was not decided could not be executed", "block", fmt.Sprintf("%X", x.hash), "err", x.err, "broken", x.broken)
	}
}

// executed is the execution of the decided block: the one that was begun, or
// one made now. A fault, or a broken invariant, is thrown here.
func (a *App) executed(hash []byte, block machine.Block) *execution {
	x := a.ahead
	if x != nil && len(hash) > 0 && bytes.Equal(x.hash, hash) {
		a.ahead = nil
		<-x.done
	} else {
		a.abandonAhead()
		x = &execution{hash: hash, done: make(chan struct{})}
		a.execute(x, block)
	}
	if x.broken != nil {
		a.haltBroken("execute", int64(block.Height), x.broken)
	}
	if x.err != nil {
		a.halt(fmt.Errorf("execute block %d: %w", block.Height, x.err))
	}
	return x
}

func (a *App) execute(x *execution, block machine.Block) {
	defer close(x.done)
	defer func() {
		if r := recover(); r != nil {
			x.broken = &brokenInvariant{r, debug.Stack()}
		}
	}()
	start := time.Now()
	x.batch = a.Store.Begin(block.Height, block.TimeMs)
	if x.result, x.err = a.Machine.Execute(x.batch, block); x.err == nil {
		x.head, x.err = x.batch.Seal()
	}
	x.took = time.Since(start)
}

// Stop waits for what runs ahead. CometBFT must have ended.
func (a *App) Stop() { a.abandonAhead() }
