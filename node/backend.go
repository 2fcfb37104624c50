package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	cmtnode "github.com/cometbft/cometbft/node"
	cmtstate "github.com/cometbft/cometbft/state"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/app"
	"github.com/cairn-ledger/cairn/node/internal/cosign"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// backend answers the API from the node's parts.
type backend struct {
	app     *app.App
	store   *store.Store
	machine *machine.Machine
	comet   *cmtnode.Node
	genesis *genesis.Document
	sets    cmtstate.Store // of CometBFT: validators by height

	keeper *cosign.Keeper

	traces  *traces              // nil where none are recorded; set before it serves
	figures []func() []api.Gauge // of what runs beside the API; set before it serves

	queries chan struct{} // one token for each contract query under way

	mu     sync.Mutex
	proven map[uint64]*proven // by height of the block that proves; guarded by mu
}

var _ api.Backend = (*backend)(nil)

func newBackend(a *app.App, comet *cmtnode.Node, sets cmtstate.Store) *backend {
	return &backend{
		app: a, store: a.Store, machine: a.Machine, comet: comet, genesis: a.Genesis, sets: sets,
		queries: make(chan struct{}, runtime.GOMAXPROCS(0)), proven: make(map[uint64]*proven),
	}
}

// asRefusal turns the store's "not there" into an answer; other errors stay faults.
func asRefusal(err error, format string, args ...any) error {
	if errors.Is(err, store.ErrNotFound) {
		return protocol.Refuse(protocol.CodeNotFound, format, args...)
	}
	return err
}

// Submit checks a transaction and puts it into the pool, from where it reaches
// the other validators. The same one again is harmless: the answer is the same
// id, and the status says what became of it.
func (b *backend) Submit(_ context.Context, raw []byte) (protocol.Hash, error) {
	if err := b.takes(); err != nil {
		return protocol.Hash{}, err
	}
	id, err := b.app.Pool.Add(raw)
	return id, b.submitted(raw, err)
}

// SubmitAll is Submit of many in order. Once one finds no room, those after it
// are refused alike.
func (b *backend) SubmitAll(_ context.Context, raws [][]byte) ([]error, error) {
	if err := b.takes(); err != nil {
		return nil, err
	}
	errs := b.app.Pool.AddAll(raws)
	for i, err := range errs {
		errs[i] = b.submitted(raws[i], err)
	}
	return errs, nil
}

// takes refuses where this node could not judge a transaction.
func (b *backend) takes() error {
	if b.comet.ConsensusReactor().WaitSync() {
		return protocol.Refuse(protocol.CodeUnavailable, "this node is catching up; submit at another one, or wait")
	}
	return nil
}

func (b *backend) submitted(raw []byte, err error) error {
	if err == nil {
		b.traces.took(raw)
		return nil
	}
	return b.overQuota(raw, err)
}

// unknownWithin is how long gossip is given to bring a transaction this node
// has not seen. Whoever asks had better send it again soon: the node that took
// it may be gone.
const unknownWithin = 500 * time.Millisecond

// Status looks for the recorded outcome, waiting for commits up to wait.
func (b *backend) Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	grace := time.NewTimer(unknownWithin)
	defer grace.Stop()
	for expired := false; ; {
		committed := b.app.Committed()
		s, err := b.statusNow(id)
		if err != nil || s.State == rest.StateCommitted || s.State == rest.StateRefused || expired && s.State == rest.StateUnknown {
			return s, err
		}
		select {
		case <-committed:
		case <-grace.C:
			expired = true
		case <-ctx.Done():
			return s, nil
		}
	}
}

// statusNow looks once. A transaction that was refused and then sent again is
// pending, not refused.
func (b *backend) statusNow(id protocol.Hash) (rest.Status, error) {
	waiting := b.app.Pool.Has(id) // before the outcome: a commit in between shows as decided
	out, ok, err := machine.TxOutcome(b.store, id)
	switch {
	case err != nil:
		return rest.Status{}, err
	case ok && (out.Code == protocol.CodeOK || !waiting):
		return decided(id, out), nil
	case waiting:
		return rest.Status{TxID: id, State: rest.StatePending, Name: protocol.CodeOK.Name(), Retryable: true}, nil
	}
	return rest.Status{TxID: id, State: rest.StateUnknown, Name: protocol.CodeOK.Name(), Retryable: true}, nil
}

func decided(id protocol.Hash, out machine.RecordedOutcome) rest.Status {
	s := rest.Status{
		TxID: id, State: rest.StateCommitted, Code: out.Code, Name: out.Code.Name(), Height: out.Height, FirstIndex: out.First,
		Entries: out.Entries, Absorbed: out.Absorbed, Duplicates: out.Duplicates, Next: out.Next, GuestCode: out.GuestCode,
	}
	if out.Code != protocol.CodeOK {
		s.State, s.Retryable, s.Message = rest.StateRefused, out.Code.Retryable(), out.Code.Meaning()
		if out.Code == protocol.CodeContractAborted {
			s.Message = fmt.Sprintf("the contract refused this with its code %d, and its writes were undone; its README says what the code means", out.GuestCode)
		}
	}
	return s
}

// Height is the newest committed block's, waiting for atLeast.
func (b *backend) Height(ctx context.Context, atLeast uint64) uint64 {
	for {
		committed := b.app.Committed()
		if height := b.store.Head().Height; height >= atLeast {
			return height
		}
		select {
		case <-committed:
		case <-ctx.Done():
			return b.store.Head().Height
		}
	}
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
	if b.comet.ConsensusReactor().WaitSync() {
		return fmt.Errorf("catching up with the network, at height %d", b.store.Head().Height)
	}
	n, err := b.validators()
	if err != nil {
		return err
	}
	if peers, need := b.comet.Switch().Peers().Size(), n*2/3; n > 1 && peers < need {
		return fmt.Errorf("%d peers are connected, %d are needed for a quorum", peers, need)
	}
	if b.store.Head().Height == 0 {
		return errors.New("the first block is not there yet")
	}
	return nil
}

// Gauges are the node's figures.
func (b *backend) Gauges() []api.Gauge {
	head, totals, usage := b.store.Head(), b.app.Totals(), b.store.Usage()
	waiting, waitingBytes := b.app.Pool.Size()
	lag := 0.0
	if h, err := b.Head(); err == nil {
		lag = float64(h.Lag)
	}
	out := []api.Gauge{
		{Name: "height", Help: "Newest committed block.", Value: float64(head.Height)},
		{Name: "log_entries", Help: "Entries in the log.", Value: float64(head.LogSize)},
		{Name: "contract_lag_entries", Help: "Log entries the slowest contract has yet to look at.", Value: lag},
		{Name: "peers", Help: "Connected peers.", Value: float64(b.comet.Switch().Peers().Size())},
		{Name: "mempool_transactions", Help: "Transactions that wait for a block.", Value: float64(waiting)},
		{Name: "mempool_bytes", Help: "Bytes that wait for a block.", Value: float64(waitingBytes)},
		{Name: "erased_on_disk", Help: "1 while erased payloads wait to be taken off this disk.", Value: b.erasedOnDisk()},
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
	for _, more := range b.figures {
		out = append(out, more()...)
	}
	return out
}

func (b *backend) erasedOnDisk() float64 {
	if waits, err := machine.Unscrubbed(b.store); err != nil || waits {
		return 1
	}
	return 0
}

// Query asks a contract about a height. As many queries run at once as there
// are cores; the others wait, as long as whoever asked does.
func (b *backend) Query(ctx context.Context, contract, method string, args api.Args, height uint64) (json.RawMessage, error) {
	select {
	case b.queries <- struct{}{}:
		defer func() { <-b.queries }()
	case <-ctx.Done():
		return nil, protocol.Refuse(protocol.CodeBusy, "too many contract queries are under way; ask again in a second")
	}
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
	answer, err := b.machine.Query(ctx, view, head, c, method, text)
	if err != nil {
		return nil, err
	}
	if !json.Valid(answer) {
		return nil, protocol.Refuse(protocol.CodeHostMisuse, "contract %s answered the query %s with what is not JSON", c.Manifest.Name, method)
	}
	return answer, nil
}
