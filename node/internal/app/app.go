// Package app drives the machine from CometBFT: it turns ABCI 2.0 calls into
// block execution and nothing else. Beside package node it is the only one
// that knows CometBFT.
//
// What CometBFT asks of an application, and how it is kept:
//
//   - ProcessProposal is a pure function of the block: it checks form and
//     signatures, never the state of this node.
//   - Execution may begin while a block is voted on; it leaves no trace unless
//     that block is decided.
//   - Nothing is persisted before Commit, and Commit is one synced atomic
//     batch; so the store may lag CometBFT's block store (its handshake replays
//     the missing blocks) but never leads it.
//   - A fault of this node, or a broken invariant, halts the process: a
//     validator that stopped harms nobody, one that diverged does.
package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtmempool "github.com/cometbft/cometbft/mempool"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/pool"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// Version of the rules, in every block's header.
const Version = 1

// Config is what an App is made of. Every field is required but KeepBlocks and
// TrustPeer.
type Config struct {
	Machine *machine.Machine
	Store   *store.Store
	Genesis *genesis.Document
	Log     *slog.Logger
	// ProposalBytes bounds the transactions of a block this node proposes;
	// the network's own limit holds beside it. It must exceed protocol.MaxTxBytes.
	ProposalBytes int64
	// WaitingTxs and WaitingBytes bound what clients may have waiting for a block.
	WaitingTxs   int
	WaitingBytes int64
	// ExecuteAhead begins to execute a proposal while it is voted on.
	ExecuteAhead bool
	// KeepBlocks is how many blocks CometBFT keeps; 0 keeps all.
	KeepBlocks uint64
	// Halt stops the process for good; it does not return.
	Halt func(error)
	// TrustPeer lets a peer in that the newest state does not admit: a node that
	// catches up knows an old registry. Nil trusts nobody beside it.
	TrustPeer func(protocol.NodeID) bool
}

// App is the application as CometBFT sees it. CometBFT calls FinalizeBlock and
// Commit from one goroutine, the others from any.
type App struct {
	abci.BaseApplication
	Config
	Pool *pool.Pool // what waits for a block

	mempool cmtmempool.Mempool // of CometBFT; nil until Follow
	door    door
	logs    *contractLogs
	refused refusals // peers

	block *execution // decided, not committed; consensus goroutine only
	ahead *execution // of a proposal that is voted on; consensus goroutine only

	mu        sync.Mutex
	committed chan struct{} // closed at the next commit; guarded by mu
	totals    Totals        // guarded by mu
}

// Totals are counters since the process started.
type Totals struct {
	Blocks, Transactions, Refused   uint64
	Entries, Duplicates             uint64
	Delivered, DeadLettered, Gas    uint64
	ExecuteSeconds, CommitSeconds   float64
	LastBlockTxs, LastBlockDelivers int
}

// New makes an application.
func New(c Config) *App {
	a := &App{Config: c, logs: newContractLogs(), committed: make(chan struct{})}
	a.Pool = pool.New(pool.Config{
		ChainID: c.Genesis.ChainID, Check: a.Check, Prepare: c.Machine.Prepare, MaxTxs: c.WaitingTxs, MaxBytes: c.WaitingBytes,
	})
	return a
}

// Info tells CometBFT where the store stands; its handshake replays what is missing.
func (a *App) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	head := a.Store.Head()
	info := &abci.ResponseInfo{Data: "cairn", AppVersion: Version, LastBlockHeight: int64(head.Height)}
	if head.Height > 0 {
		info.LastBlockAppHash = head.AppHash[:]
	}
	return info, nil
}

// InitChain writes the founding state as height 0. CometBFT calls it again
// after a crash before block 1; what is there then is the same state.
func (a *App) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	if req.ChainId != a.Genesis.ChainID {
		return nil, fmt.Errorf("app: CometBFT runs chain %q, the genesis file is for %q", req.ChainId, a.Genesis.ChainID)
	}
	head := a.Store.Head()
	if head.AppHash.IsZero() {
		batch := a.Store.Begin(0, a.Genesis.Time.UnixMilli())
		if err := a.Machine.Found(batch, a.Genesis); err != nil {
			batch.Discard()
			return nil, err
		}
		var err error
		if head, err = batch.Seal(); err != nil {
			return nil, err
		}
		if err := batch.Commit(); err != nil {
			return nil, err
		}
	}
	return &abci.ResponseInitChain{AppHash: head.AppHash[:]}, nil
}

// CheckTx decides whether a transaction may wait in CometBFT's mempool. Those
// of the API and of peers wait in the Pool instead.
func (a *App) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	if bytes.Equal(req.Tx, marker) {
		return &abci.ResponseCheckTx{GasWanted: 1}, nil
	}
	err := a.Check(req.Tx)
	if err == nil {
		return &abci.ResponseCheckTx{GasWanted: 1}, nil
	}
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return &abci.ResponseCheckTx{Code: uint32(refusal.Code), Log: refusal.Text}, nil
	}
	a.Log.Error("a transaction could not be checked", "err", err)
	return &abci.ResponseCheckTx{Code: uint32(protocol.CodeInternal), Log: "the node failed to check it; its log has the reason"}, nil
}

// Check decides whether a transaction may wait for a block. The error is a
// refusal, or a fault of this node.
func (a *App) Check(tx []byte) error {
	head := a.Store.Head()
	view, err := a.door.open(a.Store, head)
	if err != nil {
		return err
	}
	return a.Machine.CheckTx(view, head, tx)
}

// Query answers whether a peer is let in. For other questions it points to
// where they are answered: the node's API, with proofs that auditors verify.
func (a *App) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	if about, filter := strings.CutPrefix(req.Path, peerFilter); filter {
		return a.filterPeer(about), nil
	}
	return &abci.ResponseQuery{
		Code: uint32(protocol.CodeMethodNotAllowed), Height: int64(a.Store.Head().Height),
		Log: "this ledger answers questions at the node's HTTP API",
	}, nil
}

// PrepareProposal orders what waits and leaves out what no validator would
// accept.
func (a *App) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	maxBytes := min(req.MaxTxBytes, a.ProposalBytes)
	return &abci.ResponsePrepareProposal{Txs: a.Machine.Order(a.waiting(req.Txs, maxBytes), maxBytes)}, nil
}

// ProcessProposal accepts a block whose every transaction is well formed and signed.
func (a *App) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	if err := a.Machine.Valid(req.Txs); err != nil {
		a.Log.Warn("proposal refused", "height", req.Height, "proposer", fmt.Sprintf("%X", req.ProposerAddress), "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	a.beginAhead(req.Hash, machine.Block{
		Height: uint64(req.Height), TimeMs: req.Time.UnixMilli(), Txs: req.Txs, Misbehaviour: misbehaviour(req.Misbehavior),
	})
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock executes a decided block. It writes nothing.
func (a *App) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	defer a.haltOnPanic("execute", req.Height)
	if a.block != nil { // CometBFT was interrupted between FinalizeBlock and Commit
		a.block.batch.Discard()
		a.block = nil
	}
	a.block = a.executed(req.Hash, machine.Block{
		Height: uint64(req.Height), TimeMs: req.Time.UnixMilli(), Txs: req.Txs, Misbehaviour: misbehaviour(req.Misbehavior),
	})
	result, head := &a.block.result, &a.block.head
	response := &abci.ResponseFinalizeBlock{
		AppHash: head.AppHash[:], TxResults: make([]*abci.ExecTxResult, len(result.Outcomes)), ValidatorUpdates: validatorUpdates(result.Validators),
	}
	for i, out := range result.Outcomes {
		// Only code, data and gas are hashed into the next header; the text is this node's own.
		response.TxResults[i] = &abci.ExecTxResult{
			Code: uint32(out.Code), Data: out.Outcome.AppendBinary(nil), GasUsed: int64(out.Gas), Log: out.Text,
		}
		if out.Code != protocol.CodeOK {
			a.Log.Info("transaction refused", "height", req.Height, "tx", out.TxID, "code", out.Code.Name(), "why", out.Text)
		}
	}
	a.count(result, a.block.took)
	return response, nil
}

// Commit makes the executed block durable and tells those who wait for it.
func (a *App) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	defer a.haltOnPanic("commit", int64(a.Store.Head().Height)+1)
	start := time.Now()
	if err := a.block.batch.Commit(); err != nil {
		a.halt(fmt.Errorf("commit block %d: %w", a.Store.Head().Height+1, err))
	}
	result := &a.block.result
	a.block = nil
	a.decided(result.Outcomes)
	a.logs.add(a.Store.Head().Height, result.Logs)
	a.mu.Lock()
	a.totals.CommitSeconds += time.Since(start).Seconds()
	close(a.committed)
	a.committed = make(chan struct{})
	a.mu.Unlock()
	return &abci.ResponseCommit{RetainHeight: a.retain()}, nil
}

// retain is the first height whose block is kept; 0 keeps all.
func (a *App) retain() int64 {
	height := a.Store.Head().Height
	if a.KeepBlocks == 0 || height <= a.KeepBlocks {
		return 0
	}
	return int64(height - a.KeepBlocks + 1)
}

// Committed answers a channel that closes at the next commit. Take it before
// looking at the store, so that no commit is missed in between.
func (a *App) Committed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.committed
}

// Totals are the counters of this process.
func (a *App) Totals() Totals {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.totals
}

func (a *App) count(result *machine.Result, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := &a.totals
	t.Blocks++
	t.Transactions += uint64(len(result.Outcomes))
	for _, out := range result.Outcomes {
		if out.Code != protocol.CodeOK {
			t.Refused++
		}
		t.Entries += uint64(out.Entries)
		t.Duplicates += uint64(out.Duplicates)
	}
	t.Delivered += uint64(result.Delivered)
	t.DeadLettered += uint64(result.Dead)
	t.Gas += result.Gas
	t.ExecuteSeconds += took.Seconds()
	t.LastBlockTxs, t.LastBlockDelivers = len(result.Outcomes), result.Delivered
}

func (a *App) halt(err error) {
	a.Log.Error("this node halts: it cannot go on without risking a different result than the others", "err", err)
	a.Halt(err)
	panic(err) // Halt does not return
}

// haltOnPanic turns a broken invariant into a halt. CometBFT would recover the
// panic and leave a process behind that answers but no longer decides.
func (a *App) haltOnPanic(doing string, height int64) {
	if r := recover(); r != nil {
		a.haltBroken(doing, height, &brokenInvariant{r, debug.Stack()})
	}
}

func (a *App) haltBroken(doing string, height int64, b *brokenInvariant) {
	err, isErr := b.cause.(error)
	if !isErr {
		err = fmt.Errorf("%v", b.cause)
	}
	a.Log.Error("broken invariant", "doing", doing, "height", height, "err", err, "stack", string(b.stack))
	a.Halt(fmt.Errorf("%s block %d: %w", doing, height, err))
	panic(err)
}
