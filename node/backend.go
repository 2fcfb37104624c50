package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	cmtabci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	cmtnode "github.com/cometbft/cometbft/node"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/app"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// receiptWithin bounds how long a receipt waits for its block.
const receiptWithin = 15 * time.Second

// backend answers the API from the node's parts.
type backend struct {
	app     *app.App
	store   *store.Store
	machine *machine.Machine
	comet   *cmtnode.Node
	genesis *genesis.Document
	anchor  proof.Anchor

	mu        sync.Mutex
	submitted [2]map[protocol.Hash]struct{} // handed to the mempool here, in two generations; guarded by mu
}

var _ api.Backend = (*backend)(nil)

func newBackend(a *app.App, comet *cmtnode.Node) (*backend, error) {
	anchor, err := a.Genesis.Anchor()
	if err != nil {
		return nil, err
	}
	b := &backend{app: a, store: a.Store, machine: a.Machine, comet: comet, genesis: a.Genesis, anchor: anchor}
	b.submitted[0] = make(map[protocol.Hash]struct{})
	return b, nil
}

// asRefusal turns the store's "not there" into an answer; other errors stay faults.
func asRefusal(err error, format string, args ...any) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return protocol.Refuse(protocol.CodeNotFound, format, args...)
	case errors.Is(err, store.ErrPruned):
		return protocol.Refuse(protocol.CodePruned, "this node does not keep that height")
	}
	return err
}

// maxRemembered bounds one generation of submitted ids.
const maxRemembered = 100_000

func (b *backend) remember(id protocol.Hash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.submitted[0]) >= maxRemembered {
		b.submitted[0], b.submitted[1] = make(map[protocol.Hash]struct{}), b.submitted[0]
	}
	b.submitted[0][id] = struct{}{}
}

func (b *backend) remembers(id protocol.Hash) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, young := b.submitted[0][id]
	_, old := b.submitted[1][id]
	return young || old
}

// Submit checks a transaction and puts it into the mempool, which gossips it.
func (b *backend) Submit(ctx context.Context, raw []byte) (protocol.Hash, error) {
	id, err := protocol.TxID(b.genesis.ChainID, raw)
	if err != nil {
		return id, err
	}
	if err := b.app.Check(raw); err != nil { // said here in full; the mempool only passes a code on
		return id, err
	}
	checked := make(chan *cmtabci.ResponseCheckTx, 1)
	err = b.comet.Mempool().CheckTx(raw, func(r *cmtabci.ResponseCheckTx) { checked <- r }, mempool.TxInfo{})
	var full mempool.ErrMempoolIsFull
	switch {
	case errors.Is(err, mempool.ErrTxInCache):
		b.remember(id)
		return id, nil // it is on its way, or was decided: the status says which
	case errors.As(err, &full):
		return id, protocol.Refuse(protocol.CodeBusy, "%d transactions wait for a block; send it again in a second", full.NumTxs)
	case err != nil:
		return id, protocol.Refuse(protocol.CodeUnavailable, "the mempool does not take it: %v", err)
	}
	select {
	case r := <-checked:
		if r.Code != 0 {
			return id, protocol.Refuse(protocol.Code(r.Code), "%s", r.Log)
		}
	case <-ctx.Done():
		return id, protocol.Refuse(protocol.CodeTimeout, "the mempool did not answer in time; ask for the status of %s", id)
	}
	b.remember(id)
	return id, nil
}

// Status looks for the recorded outcome, waiting for commits up to wait.
func (b *backend) Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		committed := b.app.Committed()
		out, ok, err := machine.TxOutcome(b.store, id)
		if err != nil {
			return rest.Status{}, err
		}
		if ok {
			return decided(id, out), nil
		}
		select {
		case <-committed:
		case <-ctx.Done():
			s := rest.Status{TxID: id, State: rest.StateUnknown, Name: protocol.CodeOK.Name(), Retryable: true}
			if b.remembers(id) {
				s.State = rest.StatePending
			}
			return s, nil
		}
	}
}

func decided(id protocol.Hash, out machine.RecordedOutcome) rest.Status {
	s := rest.Status{
		TxID: id, State: rest.StateCommitted, Code: out.Code, Name: out.Code.Name(), Height: out.Height, FirstIndex: out.First,
		Entries: out.Entries, Absorbed: out.Absorbed, Duplicates: out.Duplicates, Next: out.Next, GuestCode: out.GuestCode,
	}
	if out.Code != protocol.CodeOK {
		s.State, s.Retryable, s.Message = rest.StateRefused, out.Code.Retryable(), out.Code.Meaning()
	}
	return s
}

// Head is the newest committed block.
func (b *backend) Head() (rest.Head, error) {
	view, head, err := b.viewAt(0)
	if err != nil {
		return rest.Head{}, err
	}
	contracts, err := b.machine.Contracts(view)
	if err != nil {
		return rest.Head{}, err
	}
	out := rest.Head{
		ChainID: b.genesis.ChainID, Height: head.Height, TimeMs: head.TimeMs, LogSize: head.LogSize,
		LogRoot: head.LogRoot, StateRoot: head.StateRoot, AppHash: head.AppHash,
	}
	for _, c := range contracts {
		lag, err := machine.Lag(view, c.Address, head.LogSize)
		if err != nil {
			return out, err
		}
		out.Lag = max(out.Lag, lag)
	}
	return out, nil
}

// viewAt opens the state of a height; 0 is the newest.
func (b *backend) viewAt(height uint64) (*store.View, store.Head, error) {
	head := b.store.Head()
	if height != 0 && height != head.Height {
		if height > head.Height {
			return nil, head, protocol.Refuse(protocol.CodeNotFound, "height %d is not there yet; the head is %d", height, head.Height)
		}
		var err error
		if head, err = b.store.HeadAt(height); err != nil {
			return nil, head, asRefusal(err, "height %d is not kept", height)
		}
	}
	view, err := b.store.View(head.Height)
	return view, head, asRefusal(err, "height %d is not kept", height)
}

// Genesis is the founding document.
func (b *backend) Genesis() []byte { return b.genesis.Bytes() }

// Version is the build's.
func (b *backend) Version() string { return Version() }

// Version is this build's version.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development build"
}

// Ready says whether the node can serve: it has caught up and, in a network of
// several, has peers enough for blocks to be made.
func (b *backend) Ready() error {
	if b.store.Head().AppHash.IsZero() {
		return errors.New("the ledger is not founded yet")
	}
	if b.comet.ConsensusReactor().WaitSync() {
		return fmt.Errorf("catching up with the network, at height %d", b.store.Head().Height)
	}
	n := len(b.genesis.Validators)
	if peers, need := b.comet.Switch().Peers().Size(), n*2/3; n > 1 && peers < need {
		return fmt.Errorf("%d peers are connected, %d are needed for a quorum", peers, need)
	}
	return nil
}

// Gauges are the node's figures.
func (b *backend) Gauges() []api.Gauge {
	head, totals, usage := b.store.Head(), b.app.Totals(), b.store.Usage()
	lag := 0.0
	if h, err := b.Head(); err == nil {
		lag = float64(h.Lag)
	}
	return []api.Gauge{
		{Name: "height", Help: "Newest committed block.", Value: float64(head.Height)},
		{Name: "log_entries", Help: "Entries in the log.", Value: float64(head.LogSize)},
		{Name: "contract_lag_entries", Help: "Log entries the slowest contract has yet to look at.", Value: lag},
		{Name: "peers", Help: "Connected peers.", Value: float64(b.comet.Switch().Peers().Size())},
		{Name: "mempool_transactions", Help: "Transactions that wait for a block.", Value: float64(b.comet.Mempool().Size())},
		{Name: "mempool_bytes", Help: "Bytes that wait for a block.", Value: float64(b.comet.Mempool().SizeBytes())},
		{Name: "disk_bytes", Help: "Size of the ledger at rest.", Value: float64(usage.Disk)},
		{Name: "memtable_bytes", Help: "Memory for what was not yet flushed.", Value: float64(usage.Memtables)},
		{Name: "cache_bytes", Help: "Memory of the block cache.", Value: float64(usage.Cache)},
		{Name: "blocks_total", Help: "Blocks executed since the start.", Value: float64(totals.Blocks), Counter: true},
		{Name: "transactions_total", Help: "Transactions executed since the start.", Value: float64(totals.Transactions), Counter: true},
		{Name: "transactions_refused_total", Help: "Transactions refused in blocks since the start.", Value: float64(totals.Refused), Counter: true},
		{Name: "entries_total", Help: "Entries appended by transactions since the start.", Value: float64(totals.Entries), Counter: true},
		{Name: "duplicates_total", Help: "Duplicate events since the start.", Value: float64(totals.Duplicates), Counter: true},
		{Name: "deliveries_total", Help: "Contract deliveries since the start.", Value: float64(totals.Delivered), Counter: true},
		{Name: "dead_letters_total", Help: "Contract deliveries given up since the start.", Value: float64(totals.DeadLettered), Counter: true},
		{Name: "gas_total", Help: "Gas used by deliveries since the start.", Value: float64(totals.Gas), Counter: true},
		{Name: "execute_seconds_total", Help: "Time spent executing blocks.", Value: totals.ExecuteSeconds, Counter: true},
		{Name: "commit_seconds_total", Help: "Time spent making blocks durable.", Value: totals.CommitSeconds, Counter: true},
	}
}

// Query asks a contract about a height.
func (b *backend) Query(ctx context.Context, contract, method string, args api.Args, height uint64) (json.RawMessage, error) {
	view, head, err := b.viewAt(height)
	if err != nil {
		return nil, err
	}
	c, err := b.findContract(view, contract)
	if err != nil {
		return nil, err
	}
	text, err := queryArgs(c.Manifest, method, args)
	if err != nil {
		return nil, err
	}
	return b.machine.Query(ctx, view, head, c, method, text)
}
