package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cmtconfig "github.com/cometbft/cometbft/config"
	cmtcrypto "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	cmtstate "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/app"
	"github.com/cairn-ledger/cairn/node/internal/cosign"
	"github.com/cairn-ledger/cairn/node/internal/store/cometdb"
)

// waitingTxs is how many transactions may wait for a block before the API
// answers BUSY: bytes are the usual limit, this bounds small ones.
const waitingTxs = 16_000

// maxBlockBytes is the network's limit of a block, a consensus parameter.
const maxBlockBytes = 8 << 20

// Files of a home. Secrets are the validator key and the node key: whoever has
// the first can vote as this validator, whoever has the second can pose as
// this peer.
const (
	validatorKeyFile   = "validator-key.json"
	nodeKeyFile        = "node-key.json"
	validatorStateFile = "data/validator-state.json"
	cometDir           = "data/comet"
	ledgerDir          = "data/ledger"
	contractCacheDir   = "data/contracts"
	walDir             = "data/wal"
	localDir           = "local" // not in data: what was answered 202 outlives a ledger that is fetched again
)

// cometConfig translates our settings. The reasons for what is not in Config:
//
//   - No transaction indexer: it runs on the consensus path and writes more
//     than the ledger itself; outcomes are indexed by the ledger.
//   - No empty blocks: an idle network rests, but for the block that carries a
//     changed app hash, and one a minute for the timers of contracts.
//   - No pause after a commit: with the default of one second, a third of the
//     throughput is lost waiting for late votes.
//   - CometBFT's mempool holds a marker and what its own RPC takes; the node's
//     transactions wait in internal/pool, which gossips many in a message and
//     each to a peer once.
//   - No recheck: a waiting transaction cannot become harmful, only
//     refused, and rechecking doubles the cost of a full mempool.
//   - No peer exchange: a permissioned network knows its peers, and the
//     application is asked about each (filter_peers).
func cometConfig(home string, c *Config) *cmtconfig.Config {
	cfg := cmtconfig.DefaultConfig()
	cfg.SetRoot(home)
	cfg.Moniker = c.Name
	cfg.DBPath = cometDir
	cfg.PrivValidatorKey = validatorKeyFile
	cfg.PrivValidatorState = validatorStateFile
	cfg.NodeKey = nodeKeyFile
	cfg.RPC.ListenAddress = ""
	if c.RPCAddress != "" {
		cfg.RPC.ListenAddress = "tcp://" + c.RPCAddress
	}
	cfg.P2P.ListenAddress = "tcp://" + c.P2PAddress
	cfg.P2P.PersistentPeers = strings.Join(c.Peers, ",")
	cfg.P2P.PersistentPeersMaxDialPeriod = 2 * time.Second
	cfg.P2P.PexReactor = false
	cfg.FilterPeers = true
	cfg.P2P.AddrBook = "data/addrbook.json"
	cfg.P2P.AddrBookStrict = false
	cfg.P2P.AllowDuplicateIP = true
	cfg.P2P.SendRate, cfg.P2P.RecvRate = c.P2PRate, c.P2PRate
	cfg.P2P.MaxPacketMsgPayloadSize = c.MaxPacketPayload
	cfg.P2P.FlushThrottleTimeout = 5 * time.Millisecond
	cfg.Consensus.WalPath = walDir + "/wal"
	cfg.Consensus.TimeoutPropose = time.Duration(c.TimeoutPropose)
	cfg.Consensus.TimeoutProposeDelta = 200 * time.Millisecond
	cfg.Consensus.TimeoutPrevote = 300 * time.Millisecond
	cfg.Consensus.TimeoutPrecommit = 300 * time.Millisecond
	cfg.Consensus.TimeoutCommit = 0
	cfg.Consensus.SkipTimeoutCommit = true
	cfg.Consensus.CreateEmptyBlocks = false
	cfg.Consensus.CreateEmptyBlocksInterval = time.Duration(c.IdleBlock)
	cfg.Consensus.PeerGossipSleepDuration = time.Duration(c.GossipSleep)
	cfg.Mempool.Recheck = false
	cfg.Mempool.CacheSize = 0
	cfg.Mempool.MaxTxBytes = protocol.MaxTxBytes
	cfg.TxIndex.Indexer = "null"
	cfg.StateSync.Enable = false
	cfg.Storage.DiscardABCIResponses = true
	return cfg
}

// cometGenesis derives CometBFT's genesis document from ours, so that there is
// one founding document and not two that could disagree.
func cometGenesis(doc *genesis.Document) (*cmttypes.GenesisDoc, error) {
	out := &cmttypes.GenesisDoc{
		ChainID: doc.ChainID, GenesisTime: doc.Time, InitialHeight: 1,
		ConsensusParams: cmttypes.DefaultConsensusParams(), AppState: []byte("{}"),
	}
	out.ConsensusParams.Block.MaxBytes = maxBlockBytes
	out.ConsensusParams.Block.MaxGas = -1
	out.ConsensusParams.Version.App = app.Version
	for _, v := range doc.Validators {
		key := cmtcrypto.PubKey(v.PubKey[:])
		out.Validators = append(out.Validators, cmttypes.GenesisValidator{
			Address: key.Address(), PubKey: key, Power: int64(v.Power), Name: v.Name,
		})
	}
	return out, out.ValidateAndComplete()
}

// newComet makes the CometBFT node and replays what the ledger lacks of its
// blocks.
func (n *Node) newComet(home string) (comet *cmtnode.Node, err error) {
	cfg := cometConfig(home, &n.config)
	cfg.P2P.PersistentPeers = "" // keepDialling has them
	if err := os.MkdirAll(filepath.Join(home, filepath.Dir(cfg.Consensus.WalPath)), 0o700); err != nil {
		return nil, err
	}
	nodeKey, err := p2p.LoadNodeKey(filepath.Join(home, nodeKeyFile))
	if err != nil {
		return nil, fmt.Errorf("node key: %w; `cairnd init` makes a home's keys", err)
	}
	validator, err := loadValidator(home)
	if err != nil {
		return nil, err
	}
	defer func() { // CometBFT panics, with pages of state, where its stores contradict each other or us
		if r := recover(); r != nil {
			n.log.Debug("CometBFT panicked while it opened its data", "panic", r)
			err = cometDataError(home, errors.New(firstLine(fmt.Sprint(r))))
		}
	}()
	founding := func() (*cmttypes.GenesisDoc, error) { return cometGenesis(n.genesis) }
	comet, err = cmtnode.NewNode(cfg, validator, nodeKey, app.Clients(n.app), founding,
		n.openCometDB, cmtnode.DefaultMetricsProvider(cfg.Instrumentation), n.cometLog(),
		cmtnode.CustomReactors(map[string]p2p.Reactor{
			"MEMPOOL":   newGossip(n.app.Pool, n.behind, n.log.With("in", "gossip")),
			"COSIGNING": newCosigning(n),
		}))
	if err != nil {
		return nil, cometDataError(home, err)
	}
	return comet, n.mendWAL(cfg.Consensus.WalFile(), comet.BlockStore().Height())
}

func (n *Node) cometLog() cometLogger {
	return cometLogger{n.log.With("in", "cometbft"), &n.stopping, n.fail}
}

// behind says whether the node fetches blocks that its peers decided before.
func (n *Node) behind() bool { return n.comet.ConsensusReactor().WaitSync() }

func cometDataError(home string, cause error) error {
	return fmt.Errorf("the data in %s are damaged or of different ages: %w; move the folder away, keeping %s, and let the node fetch the chain from its peers again",
		filepath.Join(home, "data"), cause, filepath.Base(validatorStateFile))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}

// openCometDB keeps CometBFT's stores in pebble. The node closes them: CometBFT
// closes only those of a node that ran.
func (n *Node) openCometDB(ctx *cmtconfig.DBContext) (dbm.DB, error) {
	db, err := cometdb.Open(filepath.Join(ctx.Config.DBDir(), ctx.ID), nil)
	if err != nil {
		return nil, err
	}
	n.cometDBs = append(n.cometDBs, db)
	if ctx.ID == "blockstore" {
		n.blocks = db
	}
	if ctx.ID == "state" {
		n.sets = cmtstate.NewStore(db, cmtstate.StoreOptions{DiscardABCIResponses: true})
	}
	return db, nil
}

// loadValidator reads the consensus key and the record of what it signed.
// CometBFT's own loader ends the process where a file is damaged, so they are
// tried first.
func loadValidator(home string) (*privval.FilePV, error) {
	key, state := filepath.Join(home, validatorKeyFile), filepath.Join(home, validatorStateFile)
	var secret privval.FilePVKey
	for _, file := range [...]struct {
		path string
		into any
		then string
	}{
		{key, &secret, "`cairnd init` makes a home's keys"},
		{state, new(privval.FilePVLastSignState), "without its record of what it signed a validator could sign twice: restore it, or found a new validator"},
	} {
		text, err := os.ReadFile(file.path)
		if err == nil {
			err = cmtjson.Unmarshal(text, file.into)
		}
		if err != nil {
			return nil, fmt.Errorf("validator key: %s: %w; %s", file.path, err, file.then)
		}
	}
	if secret.PrivKey == nil {
		return nil, fmt.Errorf("validator key: %s holds no private key", key)
	}
	return privval.LoadFilePV(key, state), nil
}

// WriteKeys puts a validator's consensus key, its log key and a fresh node key
// into a home and answers the node's id. Existing keys are not replaced. The
// log key may be nil: such a node cosigns no checkpoints.
func WriteKeys(home string, key, logKey ed25519.PrivateKey) (nodeID string, err error) {
	if err := os.MkdirAll(filepath.Join(home, "data"), 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(home, validatorKeyFile)
	if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("%s exists; a validator key is never replaced: remove the home to start over", path)
	}
	if logKey != nil {
		if err := cosign.WriteKey(filepath.Join(home, logKeyFile), logKey); err != nil {
			return "", err
		}
	}
	pv := privval.NewFilePV(cmtcrypto.PrivKey(key), path, filepath.Join(home, validatorStateFile))
	pv.Save()
	nodeKey, err := p2p.LoadOrGenNodeKey(filepath.Join(home, nodeKeyFile))
	if err != nil {
		return "", err
	}
	return string(nodeKey.ID()), nil
}
