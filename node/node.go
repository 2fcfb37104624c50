// Package node is the composition root: it makes a validator out of the store,
// the machine, CometBFT and the API, starts them in order and stops them in
// the reverse.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	cmtnode "github.com/cometbft/cometbft/node"
	cmtstate "github.com/cometbft/cometbft/state"

	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/app"
	"github.com/cairn-ledger/cairn/node/internal/cosign"
	"github.com/cairn-ledger/cairn/node/internal/gateway"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/cometdb"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
	"github.com/cairn-ledger/cairn/node/internal/subscription"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Node is one validator, running or about to.
type Node struct {
	home    string
	config  Config
	log     *slog.Logger
	genesis *genesis.Document
	fault   chan error // what made the node halt itself

	engine *vm.Engine
	store  *store.Store
	app    *app.App
	comet  *cmtnode.Node
	api    *api.Server
	listen net.Listener
	keeper *cosign.Keeper

	local         *local.DB // what the node remembers beside the ledger
	gateway       *gateway.Gateway
	traces        *traces
	subscriptions *subscription.Manager

	sets     cmtstate.Store // CometBFT's record of validator sets
	blocks   *cometdb.DB    // CometBFT's block store
	cometDBs []io.Closer    // closed by comet once it runs, by Close before
	stopping atomic.Bool    // CometBFT's complaints are expected
}

// Open makes a node from its home: it claims the API port, opens the data and
// checks that they belong to the founding document. Errors are one sentence
// that says what to do. Close a node that is not Run.
func Open(home string, c Config, logTo io.Writer) (n *Node, err error) {
	n = &Node{home: home, config: c, fault: make(chan error, 1)}
	defer func() {
		if err != nil {
			n.Close()
			n = nil
		}
	}()
	if n.log, err = newLogger(&c, logTo); err != nil {
		return n, err
	}
	if n.genesis, err = genesis.Load(inHome(home, c.GenesisFile)); err != nil {
		return n, err
	}
	if n.listen, err = listen(c.APIAddress, "api_address"); err != nil {
		return n, err
	}
	if err = checkPorts(&c); err != nil {
		return n, err
	}
	if n.engine, err = vm.New(context.Background(), vm.Config{CacheDir: filepath.Join(home, contractCacheDir)}); err != nil {
		return n, err
	}
	if n.store, err = n.openStore(home); err != nil {
		return n, err
	}
	n.app = app.New(app.Config{
		Machine: n.newMachine(), Store: n.store, Genesis: n.genesis, Log: n.log,
		ProposalBytes: c.BlockBytes, WaitingTxs: waitingTxs, WaitingBytes: c.MempoolBytes,
		ExecuteAhead: c.ExecuteAhead, KeepBlocks: c.KeepBlocks, Halt: n.halt, TrustPeer: n.trusts,
	})
	if n.comet, err = n.newComet(home); err != nil {
		return n, err
	}
	backend := newBackend(n.app, n.comet, n.sets)
	if err = n.newKeeper(home, backend); err != nil {
		return n, err
	}
	n.keeper = backend.keeper
	if n.local, err = local.Open(filepath.Join(home, localDir), local.Options{Fatal: func(text string) { n.halt(errors.New(text)) }}); err != nil {
		return n, err
	}
	events := &eventLog{backend: backend, behind: make(chan struct{}, 1)}
	if n.subscriptions, err = subscription.Open(n.local, events, n.log.With("in", "subscriptions")); err != nil {
		return n, err
	}
	config := api.Config{MaxConnections: c.MaxConnections, Log: n.log, Events: events, Subscriptions: n.subscriptions}
	if config.Callers, config.TLS, err = n.newDoor(home); err != nil {
		return n, err
	}
	if n.traces, err = newTraces(context.Background(), c.TraceEndpoint, c.Name, backend, n.log.With("in", "traces")); err != nil {
		return n, err
	}
	backend.traces = n.traces
	if n.gateway, err = n.newGateway(home, backend); err != nil {
		return n, err
	}
	backend.figures = append(backend.figures, func() []api.Gauge { return subscriptionFigures(n.subscriptions) })
	if n.gateway != nil {
		config.Gateway = n.gateway
		backend.figures = append(backend.figures, func() []api.Gauge { return gatewayFigures(n.gateway) })
	}
	n.api, err = api.New(backend, config)
	return n, err
}

func inHome(home, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(home, path)
}

// listen claims a port; a busy one names the setting to change.
func listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another process; stop it or choose another port", setting, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

// checkPorts tries the ports that CometBFT will claim later, whose own error
// would come after the data were opened and not name the setting.
func checkPorts(c *Config) error {
	for _, a := range [...]struct{ address, setting string }{{c.RPCAddress, "rpc_address"}, {c.P2PAddress, "p2p_address"}} {
		if a.address == "" {
			continue
		}
		l, err := listen(a.address, a.setting)
		if err != nil {
			return err
		}
		l.Close()
	}
	return nil
}

func (n *Node) openStore(home string) (*store.Store, error) {
	dir := filepath.Join(home, ledgerDir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(dir, store.Options{
		CacheBytes: n.config.CacheBytes, KeepVersions: n.config.KeepVersions,
		ChainID: identity(n.genesis),
		Fatal:   func(text string) { n.halt(errors.New(text)) },
	})
	switch {
	case errors.Is(err, store.ErrWrongChain):
		return nil, fmt.Errorf("the data in %s belong to another ledger than the %s of %s; use its own genesis file, or another home",
			dir, n.genesis.ChainID, n.config.GenesisFile)
	case errors.Is(err, store.ErrCorrupt):
		return nil, fmt.Errorf("the data in %s are damaged: %w; move the folder %s away and let the node fetch the chain from its peers again",
			dir, err, filepath.Dir(dir))
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another process uses %s; stop it first", dir)
	}
	return s, err
}

// identity names a ledger in its store: a chain id alone could be taken twice.
func identity(doc *genesis.Document) string { return doc.ChainID + " " + doc.Hash().String() }

// Run starts the node and serves until ctx ends or the node halts itself.
func (n *Node) Run(ctx context.Context) error {
	defer n.Close()
	follow := n.app.Follow(n.comet.Mempool())
	if err := n.comet.Start(); err != nil {
		return fmt.Errorf("CometBFT: %w", err)
	}
	working, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { (&scrubber{node: n, blocks: n.blocks, walDir: filepath.Join(n.home, walDir)}).run(working) })
	work.Go(func() { follow(working) })
	work.Go(func() { n.keepOutPeers(working) })
	told := new(atomic.Int64)
	for _, peer := range n.config.Peers {
		work.Go(func() { n.keepDialling(working, peer, told) })
	}
	n.serve(working, &work)
	served := make(chan error, 1)
	go func() { served <- n.api.Serve(n.listen) }()
	keeping, stopKeeping := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() { defer close(kept); n.keeper.Run(keeping) }()
	defer func() { stopKeeping(); <-kept }() // before Close: it reads the store
	n.log.Info("node is up", "name", n.config.Name, "chain", n.genesis.ChainID, "height", n.store.Head().Height,
		"api", n.config.apiScheme()+"://"+n.config.APIAddress, "p2p", n.config.P2PAddress)
	select {
	case <-ctx.Done():
		n.log.Info("node stops", "height", n.store.Head().Height)
		return nil
	case err := <-n.fault:
		return fmt.Errorf("%w: %w", ErrHalted, err)
	case err := <-served:
		return fmt.Errorf("api: %w", err)
	}
}

// halt is called on a goroutine that must not go on. The process ends within
// seconds, also if stopping in order hangs.
func (n *Node) halt(err error) {
	n.fail(err)
	time.Sleep(5 * time.Second)
	fmt.Fprintf(os.Stderr, "cairnd: node halted: %v\n", err)
	os.Exit(ExitFault)
}

// fail makes Run end with a fault; the first one counts.
func (n *Node) fail(err error) {
	select {
	case n.fault <- err:
	default:
	}
}

// ErrHalted marks the error of a node that stopped itself: its disk failed, or
// going on would have risked another result than its peers'.
var ErrHalted = errors.New("node halted")

// ExitFault is the exit code of a node that halted itself (EX_SOFTWARE of sysexits).
const ExitFault = 70

// Close stops what Open and Run started, in reverse order. It may be called
// again.
func (n *Node) Close() {
	if n.api != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		n.api.Shutdown(ctx)
		cancel()
		n.api = nil
	}
	if n.listen != nil {
		n.listen.Close()
		n.listen = nil
	}
	n.stopping.Store(true)
	if n.comet != nil && n.comet.IsRunning() {
		if err := n.comet.Stop(); err != nil {
			n.log.Warn("CometBFT did not stop in order", "err", err)
		}
		n.comet.Wait()
		n.cometDBs = nil
	}
	if n.app != nil {
		n.app.Stop()
	}
	for _, db := range n.cometDBs {
		if err := db.Close(); err != nil {
			n.log.Warn("CometBFT's data did not close in order", "err", err)
		}
	}
	n.cometDBs = nil
	if n.local != nil {
		if err := n.local.Close(); err != nil {
			n.log.Warn("the node's own records did not close in order", "err", err)
		}
		n.local = nil
	}
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Error("ledger did not close in order", "err", err)
		}
		n.store = nil
	}
	if n.engine != nil {
		n.engine.Close()
		n.engine = nil
	}
}
