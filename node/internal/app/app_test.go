package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtmempool "github.com/cometbft/cometbft/mempool"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// bench is an application over a ledger of its own.
type bench struct {
	*App
	t       *testing.T
	network *genesis.Network
	halted  error
}

var ctx = context.Background()

func newBench(t *testing.T, dir string, network *genesis.Network) *bench {
	t.Helper()
	engine, err := vm.New(ctx, vm.Config{Interpreter: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	s, err := store.Open(dir, store.Options{ChainID: "cairn-test"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, network: network}
	b.App = New(Config{
		Machine: machine.New("cairn-test", engine), Store: s, Genesis: network.Document,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), ProposalBytes: 4 << 20,
		ExecuteAhead: true, WaitingTxs: 1000, WaitingBytes: 16 << 20, Halt: func(err error) { b.halted = err },
	})
	t.Cleanup(func() { b.close() })
	return b
}

func (b *bench) close() {
	if b.Store != nil {
		b.Store.Close()
		b.Store = nil
	}
}

func founded(t *testing.T) *bench {
	t.Helper()
	network, err := genesis.Generate("cairn-test", 1, time.UnixMilli(1_800_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, t.TempDir(), network)
	b.initChain()
	return b
}

func (b *bench) initChain() []byte {
	b.t.Helper()
	res, err := b.InitChain(ctx, &abci.RequestInitChain{ChainId: "cairn-test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return res.AppHash
}

func (b *bench) batch(first uint64, count int) []byte {
	b.t.Helper()
	body := &protocol.Batch{Stream: "s", First: first, Seed: [32]byte{1}}
	for i := range count {
		e := protocol.Event{ID: fmt.Sprint(first + uint64(i)), Source: "/test", Type: "reading.v1"}
		body.Records = append(body.Records, e.AppendRecord(nil))
	}
	raw, err := protocol.SignTx("cairn-test", b.network.Accounts["producer"], 100, first, body)
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

func (b *bench) finalize(height int64, txs ...[]byte) *abci.ResponseFinalizeBlock {
	b.t.Helper()
	res, err := b.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{Height: height, Time: time.UnixMilli(1_800_000_000_000 + height), Txs: txs})
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) commit() {
	b.t.Helper()
	if _, err := b.Commit(ctx, &abci.RequestCommit{}); err != nil {
		b.t.Fatal(err)
	}
}

func TestNothingIsPersistedBeforeCommit(t *testing.T) {
	b := founded(t)
	before := b.Store.Head()
	waiting := b.Committed()
	res := b.finalize(1, b.batch(0, 3))
	if head := b.Store.Head(); head.Height != before.Height || head.AppHash != before.AppHash {
		t.Fatalf("FinalizeBlock moved the head to %+v", head)
	}
	select {
	case <-waiting:
		t.Fatal("waiters were told before the commit")
	default:
	}
	if again := b.finalize(1, b.batch(0, 3)); !bytes.Equal(again.AppHash, res.AppHash) {
		t.Errorf("the same block gave %x, then %x", res.AppHash, again.AppHash)
	}
	b.commit()
	<-waiting
	if head := b.Store.Head(); head.Height != 1 || !bytes.Equal(head.AppHash[:], res.AppHash) || head.LogSize != 3 {
		t.Errorf("committed head %+v, app hash %x", head, res.AppHash)
	}
	info, err := b.Info(ctx, &abci.RequestInfo{})
	if err != nil || info.LastBlockHeight != 1 || !bytes.Equal(info.LastBlockAppHash, res.AppHash) {
		t.Errorf("info %+v, %v", info, err)
	}
	if empty := b.finalize(2); !bytes.Equal(empty.AppHash, res.AppHash) {
		t.Error("an empty block changed the app hash: the network would never rest")
	}
}

// CometBFT asks for InitChain again when it went down before block 1.
func TestInitChainAgain(t *testing.T) {
	network, err := genesis.Generate("cairn-test", 1, time.UnixMilli(1_800_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := newBench(t, dir, network)
	first := b.initChain()
	b.close()
	if second := newBench(t, dir, network).initChain(); !bytes.Equal(first, second) {
		t.Errorf("app hash %x, after a restart %x", first, second)
	}
	if _, err := b.InitChain(ctx, &abci.RequestInitChain{ChainId: "other"}); err == nil {
		t.Error("another chain's InitChain passed")
	}
}

func TestProposals(t *testing.T) {
	b := founded(t)
	forged := b.batch(9, 1)
	forged[len(forged)-1] ^= 1
	first, second := b.batch(0, 2), b.batch(2, 2)
	prepared, err := b.PrepareProposal(ctx, &abci.RequestPrepareProposal{Txs: [][]byte{second, forged, first}, MaxTxBytes: 1 << 20})
	if err != nil || len(prepared.Txs) != 2 || !bytes.Equal(prepared.Txs[0], first) {
		t.Errorf("a stream's batches must be in sequence and forgeries left out: %d transactions, %v", len(prepared.Txs), err)
	}
	b.ProposalBytes = int64(len(first)) + 10
	if prepared, err = b.PrepareProposal(ctx, &abci.RequestPrepareProposal{Txs: [][]byte{first, second}, MaxTxBytes: 1 << 20}); err != nil || len(prepared.Txs) != 1 {
		t.Errorf("%d transactions exceed the node's own limit, %v", len(prepared.Txs), err)
	}
	for _, tc := range []struct {
		name string
		txs  [][]byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{
		{"valid", [][]byte{first, second}, abci.ResponseProcessProposal_ACCEPT},
		{"out of sequence is an outcome, not a bad block", [][]byte{second}, abci.ResponseProcessProposal_ACCEPT},
		{"empty", nil, abci.ResponseProcessProposal_ACCEPT},
		{"forged", [][]byte{first, forged}, abci.ResponseProcessProposal_REJECT},
		{"garbage", [][]byte{{1, 2, 3}}, abci.ResponseProcessProposal_REJECT},
	} {
		res, err := b.ProcessProposal(ctx, &abci.RequestProcessProposal{Txs: tc.txs, Height: 1})
		if err != nil || res.Status != tc.want {
			t.Errorf("%s: %v, %v", tc.name, res, err)
		}
	}
}

// A transaction waits from when the pool takes it to its commit, whatever its
// outcome, and CometBFT's mempool holds the marker just as long.
func TestWaiting(t *testing.T) {
	b := founded(t)
	mempool := &fakeMempool{}
	run := b.Follow(mempool)
	working, stop := context.WithCancel(ctx)
	defer stop()
	go run(working)
	raw := b.batch(5, 1) // a gap: refused in the block
	id, err := b.Pool.Add(raw)
	if err != nil || !b.Pool.Has(id) {
		t.Fatal(err)
	}
	mempool.await(t, true)
	prepared, err := b.PrepareProposal(ctx, &abci.RequestPrepareProposal{Txs: [][]byte{marker, raw}, MaxTxBytes: 1 << 20})
	if err != nil || len(prepared.Txs) != 1 || !bytes.Equal(prepared.Txs[0], raw) {
		t.Fatalf("proposed %d transactions, %v; want the one of the pool, once, and no marker", len(prepared.Txs), err)
	}
	res := b.finalize(1, raw)
	if !b.Pool.Has(id) {
		t.Error("decided before the commit")
	}
	b.commit()
	if b.Pool.Has(id) || res.TxResults[0].Code != uint32(protocol.CodeSequenceGap) {
		t.Errorf("after the commit: waiting, or outcome %+v", res.TxResults[0])
	}
	mempool.await(t, false)
	if _, err := b.Pool.Add(raw); err != nil {
		t.Errorf("what a block refused may be sent again: %v", err)
	}
	mempool.await(t, true)
	if res, err := b.CheckTx(ctx, &abci.RequestCheckTx{Tx: marker}); err != nil || res.Code != 0 {
		t.Errorf("the marker: %+v, %v", res, err)
	}
	raw[len(raw)-1] ^= 1
	if res, err := b.CheckTx(ctx, &abci.RequestCheckTx{Tx: raw}); err != nil || res.Code != uint32(protocol.CodeBadSignature) || res.Log == "" {
		t.Errorf("a forged signature: %+v, %v", res, err)
	}
}

// fakeMempool holds the marker or not.
type fakeMempool struct {
	cmtmempool.NopMempool
	mu     sync.Mutex
	marked bool // guarded by mu
}

func (m *fakeMempool) CheckTx(tx cmttypes.Tx, _ func(*abci.ResponseCheckTx), _ cmtmempool.TxInfo) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marked = bytes.Equal(tx, marker)
	return nil
}

func (m *fakeMempool) RemoveTxByKey(cmttypes.TxKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marked = false
	return nil
}

func (m *fakeMempool) await(t *testing.T, want bool) {
	t.Helper()
	for range 1000 {
		m.mu.Lock()
		marked := m.marked
		m.mu.Unlock()
		if marked == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("CometBFT's mempool must hold the marker: %v", want)
}

// A fault of the node halts it, with the fault, and commits nothing.
func TestHalt(t *testing.T) {
	b := founded(t)
	b.finalize(1, b.batch(0, 1))
	defer func() {
		if recover() == nil || b.halted == nil {
			t.Errorf("a broken invariant must halt the node, halted: %v", b.halted)
		}
	}()
	b.block = nil // CometBFT never commits what it did not finalize
	b.Commit(ctx, &abci.RequestCommit{})
}

// Checks run at the same time, beside a block's execution.
func TestClientsDoNotSerialise(t *testing.T) {
	b := founded(t)
	made, err := Clients(b.App).NewABCIClient()
	if err != nil {
		t.Fatal(err)
	}
	var calls int
	made.SetResponseCallback(func(*abci.Request, *abci.Response) { calls++ })
	raw := b.batch(0, 1)
	done, err := made.CheckTxAsync(ctx, &abci.RequestCheckTx{Tx: raw})
	if err != nil || calls != 1 {
		t.Fatalf("%d callbacks, %v", calls, err)
	}
	answered := false
	done.SetCallback(func(res *abci.Response) { answered = res.GetCheckTx().Code == 0 })
	if !answered {
		t.Error("the request's own callback must run at once")
	}
	made.SetResponseCallback(nil)
	slow := &slowApp{entered: make(chan struct{}, 2), leave: make(chan struct{})}
	both, err := Clients(slow).NewABCIClient()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := both.CheckTx(ctx, &abci.RequestCheckTx{}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		select {
		case <-slow.entered:
		case <-time.After(5 * time.Second):
			t.Fatal("the second check waits for the first")
		}
	}
	close(slow.leave)
	group.Wait()
}

type slowApp struct {
	abci.BaseApplication
	entered, leave chan struct{}
}

func (a *slowApp) CheckTx(context.Context, *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.entered <- struct{}{}
	<-a.leave
	return &abci.ResponseCheckTx{}, nil
}
