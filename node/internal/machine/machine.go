package machine

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/registry"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// State is a readable authenticated state: a block's overlay, or a past view.
type State interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(prefix, after []byte, limit int) ([]state.KV, error)
}

// cacheBytes bounds the memory of checked transactions that wait: about four
// full blocks, or forty thousand transactions of one event.
const cacheBytes = 64 << 20

// Machine executes blocks of one chain. Its fields are caches of pure
// functions; what it decides comes from the state and the block alone. Check,
// Valid and Order are safe for concurrent use beside one Execute.
type Machine struct {
	chainID string
	engine  *vm.Engine
	seen    *cache
	keys    *protocol.Verifier

	compiled *registry.Cache   // schemas, by their hash
	holders  *registry.Holders // of the state that arriving transactions are judged by

	fresh freshBuffer
	known uint64 // newest version of the rules that this program knows

	auditBank bool // after every block, in tests and where an operator asks for it

	mu         sync.Mutex
	rawParams  []byte                           // guarded by mu
	lastParams genesis.Params                   // of rawParams; guarded by mu
	manifests  map[protocol.Hash]*contractRules // by manifest hash; guarded by mu

}

// New makes a machine for a chain. The engine is the caller's to close.
func New(chainID string, engine *vm.Engine) *Machine {
	compiled := registry.NewCache()
	return &Machine{
		chainID: chainID, engine: engine, keys: protocol.NewVerifier(), seen: newCache(cacheBytes), known: genesis.Rules(),
		compiled: compiled, holders: registry.NewHolders(compiled),
		manifests: make(map[protocol.Hash]*contractRules),
	}
}

// AuditTokens has every block end with a check that the supply of every asset is
// what is owned of it: a block that breaks it is a fault of the node. It reads
// all balances. Call it before the first block.
func (m *Machine) AuditTokens() { m.auditBank = true }

// params decodes the canonical parameters, remembering the last ones.
func (m *Machine) params(raw []byte) (genesis.Params, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rawParams != nil && bytes.Equal(raw, m.rawParams) {
		return m.lastParams, nil
	}
	p, err := genesis.DecodeParams(raw)
	if err != nil {
		return p, fmt.Errorf("machine: parameters at rest: %w", err)
	}
	m.rawParams, m.lastParams = bytes.Clone(raw), p
	return p, nil
}

// Found writes the founding document into an empty ledger.
func (m *Machine) Found(b *store.Batch, doc *genesis.Document) error {
	if doc.ChainID != m.chainID {
		return fmt.Errorf("machine: genesis is for chain %q, this node runs %q", doc.ChainID, m.chainID)
	}
	b.SetParams(doc.Params.Canonical())
	return governance.Found(b.State(), doc)
}
