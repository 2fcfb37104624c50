package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/app"
)

// RunNoop runs the consensus engine of a home with the settings of a node and
// an application that does nothing: what a benchmark compares with. Its small
// API takes any bytes as a transaction and says when a block has them.
func RunNoop(ctx context.Context, home string, c Config, logTo io.Writer) error {
	n := &Node{config: c, fault: make(chan error, 1)}
	defer n.Close()
	var err error
	if n.log, err = newLogger(&c, logTo); err != nil {
		return err
	}
	if n.genesis, err = genesis.Load(inHome(home, c.GenesisFile)); err != nil {
		return err
	}
	if n.listen, err = listen(c.APIAddress, "api_address"); err != nil {
		return err
	}
	noop := &noopApp{blockBytes: c.BlockBytes, waiting: map[protocol.Hash]chan struct{}{}}
	if n.comet, err = n.newNoopComet(home, noop); err != nil {
		return err
	}
	if err := n.comet.Start(); err != nil {
		return fmt.Errorf("CometBFT: %w", err)
	}
	server := &http.Server{Handler: noop.routes(n), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(n.listen) }()
	defer server.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return fmt.Errorf("api: %w", err)
	}
}

func (n *Node) newNoopComet(home string, noop *noopApp) (*cmtnode.Node, error) {
	cfg := cometConfig(home, &n.config)
	cfg.Mempool.Size = waitingTxs + waitingTxs/4 // gossip may fill what the API leaves
	cfg.Mempool.CacheSize = 4 * waitingTxs
	cfg.Mempool.MaxTxsBytes = n.config.MempoolBytes + n.config.MempoolBytes/4
	if err := os.MkdirAll(filepath.Join(home, filepath.Dir(cfg.Consensus.WalPath)), 0o700); err != nil {
		return nil, err
	}
	nodeKey, err := p2p.LoadNodeKey(filepath.Join(home, nodeKeyFile))
	if err != nil {
		return nil, err
	}
	validator, err := loadValidator(home)
	if err != nil {
		return nil, err
	}
	founding := func() (*cmttypes.GenesisDoc, error) { return cometGenesis(n.genesis) }
	return cmtnode.NewNode(cfg, validator, nodeKey, app.Clients(noop), founding, n.openCometDB,
		cmtnode.DefaultMetricsProvider(cfg.Instrumentation), n.cometLog())
}

// noopApp counts blocks and tells who waits for a transaction. What it knows
// is gone when the process ends: a home it ran in is not started again.
type noopApp struct {
	abci.BaseApplication
	blockBytes int64

	mu      sync.Mutex
	height  int64                           // guarded by mu
	txs     uint64                          // guarded by mu
	waiting map[protocol.Hash]chan struct{} // closed when a block has it; guarded by mu
}

// PrepareProposal keeps to the size of a block that this node would propose.
func (a *noopApp) PrepareProposal(ctx context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	req.MaxTxBytes = min(req.MaxTxBytes, a.blockBytes)
	return a.BaseApplication.PrepareProposal(ctx, req)
}

// FinalizeBlock executes nothing.
func (a *noopApp) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	results := make([]*abci.ExecTxResult, len(req.Txs))
	for i := range results {
		results[i] = &abci.ExecTxResult{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.height, a.txs = req.Height, a.txs+uint64(len(req.Txs))
	for _, tx := range req.Txs {
		if done, ok := a.waiting[sha256.Sum256(tx)]; ok {
			close(done)
			delete(a.waiting, sha256.Sum256(tx))
		}
	}
	return &abci.ResponseFinalizeBlock{TxResults: results, AppHash: make([]byte, 32)}, nil
}

// wait answers a channel that closes when a block has the transaction.
func (a *noopApp) wait(id protocol.Hash, add bool) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	done, ok := a.waiting[id]
	if !ok {
		done = make(chan struct{})
		if add {
			a.waiting[id] = done
		} else {
			close(done) // it was here: this API is asked about what it took
		}
	}
	return done
}

func (a *noopApp) routes(n *Node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		a.mu.Lock()
		height := a.height
		a.mu.Unlock()
		if peers := n.comet.Switch().Peers().Size(); height == 0 || peers < len(n.genesis.Validators)-1 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /v1/transactions", func(w http.ResponseWriter, r *http.Request) { a.submit(n, w, r) })
	mux.HandleFunc("GET /v1/transactions/{id}", func(w http.ResponseWriter, r *http.Request) {
		var id protocol.Hash
		if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		within, err := time.ParseDuration(r.URL.Query().Get("wait"))
		if err != nil {
			within = 0
		}
		status := rest.Status{TxID: id, State: rest.StateCommitted}
		select {
		case <-a.wait(id, false):
		case <-time.After(min(within, 30*time.Second)):
			status.State = rest.StatePending
		case <-r.Context().Done():
		}
		json.NewEncoder(w).Encode(status)
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "cairn_blocks_total", Help: "Blocks since the start."},
		func() float64 { a.mu.Lock(); defer a.mu.Unlock(); return float64(a.height) }))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (a *noopApp) submit(n *Node, w http.ResponseWriter, r *http.Request) {
	tx, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxTxBytes))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	pool := n.comet.Mempool()
	if pool.Size() >= waitingTxs || pool.SizeBytes()+int64(len(tx)) > n.config.MempoolBytes {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	id := protocol.Hash(sha256.Sum256(tx))
	a.wait(id, true)
	if err := pool.CheckTx(tx, nil, mempool.TxInfo{}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	json.NewEncoder(w).Encode(rest.Submitted{TxID: id})
}
