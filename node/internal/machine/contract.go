package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// Contract is a deployed contract.
type Contract struct {
	Address      protocol.Address
	Author       protocol.Address
	CodeHash     protocol.Hash
	ManifestHash protocol.Hash
	Since        uint64 // log index of the deployment; deliveries begin after it
	Paused       bool   // by its author or the council: no deliveries, timers or calls
	paused       byte   // by whom
	Manifest     *abi.Manifest

	rules   *contractRules
	program *vm.Program // once it was asked for
}

// contractRules is what the machine keeps of a manifest: a pure function of
// its bytes, shared by every block.
type contractRules struct {
	manifest *abi.Manifest
	handlers map[subscribed]uint32
	events   []*projection.Plan // by handler
	init     *projection.Plan
	migrate  *projection.Plan
	calls    []*projection.Plan // by handler
	queries  []*projection.Plan // by handler
}

// subscribed is what a contract subscribed to: an event type, of this ledger or
// of another one. What another ledger sent never passes for this one's, nor the
// other way round.
type subscribed struct {
	ledger protocol.StreamID // protocol.LedgerStream of its name; zero: this one
	event  protocol.TypeHash
}

// handler finds the subscription to an entry.
func (r *contractRules) handler(e *protocol.Entry) (handler uint32, ok bool) {
	s := subscribed{event: e.Type}
	switch e.Kind {
	case protocol.EntryEvent, protocol.EntryEmitted:
	case protocol.EntryForeign:
		s.ledger = e.Stream
	default:
		return 0, false
	}
	handler, ok = r.handlers[s]
	return handler, ok
}

func newRules(manifest *abi.Manifest) *contractRules {
	r := &contractRules{
		manifest: manifest, handlers: make(map[subscribed]uint32, len(manifest.Events)),
		init: projection.Arguments(manifest.Init), migrate: projection.Arguments(manifest.Migrate),
	}
	for i := range manifest.Events {
		s := subscribed{event: protocol.NewTypeHash(manifest.Events[i].Type)}
		if ledger := manifest.Events[i].Ledger; ledger != "" {
			s.ledger = protocol.LedgerStream(ledger)
		}
		r.handlers[s] = uint32(i)
		r.events = append(r.events, projection.Events(manifest.Events[i].Fields))
	}
	for i := range manifest.Calls {
		r.calls = append(r.calls, projection.Arguments(manifest.Calls[i].Fields))
	}
	for i := range manifest.Queries {
		r.queries = append(r.queries, projection.Arguments(manifest.Queries[i].Fields))
	}
	return r
}

const contractRecordBytes = 20 + 32 + 32 + 8 + 1

func (c *Contract) record() []byte {
	out := make([]byte, 0, contractRecordBytes)
	out = append(out, c.Author[:]...)
	out = append(out, c.CodeHash[:]...)
	out = append(out, c.ManifestHash[:]...)
	out = binary.BigEndian.AppendUint64(out, c.Since)
	return append(out, c.paused)
}

// Who paused a contract, as bits.
const (
	pausedByAuthor  = 1
	pausedByCouncil = 2
)

func (c *Contract) setPaused(by byte, paused bool) {
	if c.paused &^= by; paused {
		c.paused |= by
	}
	c.Paused = c.paused != 0
}

// maxContracts bounds how many contracts a ledger holds: every block looks at
// all of them.
const maxContracts = 1_000

// maxCached bounds the manifests that are kept parsed: of every contract, and
// of as many attempts to deploy one.
const maxCached = 2 * maxContracts

// Contracts lists the deployed contracts in address order.
func (m *Machine) Contracts(state State) ([]*Contract, error) {
	records, err := state.Scan([]byte{prefixContract}, nil, maxContracts)
	if err != nil {
		return nil, err
	}
	contracts := make([]*Contract, 0, len(records))
	for _, kv := range records {
		if len(kv.Key) != 1+20 || len(kv.Value) != contractRecordBytes {
			return nil, fmt.Errorf("contract record %x is damaged", kv.Key)
		}
		c, err := m.contract(state, protocol.Address(kv.Key[1:]), kv.Value)
		if err != nil {
			return nil, err
		}
		contracts = append(contracts, c)
	}
	return contracts, nil
}

// Contract finds one contract by address; a refusal says there is none.
func (m *Machine) Contract(state State, address protocol.Address) (*Contract, error) {
	value, ok, err := state.Get(key(prefixContract, address[:]))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeContractUnknown, "no contract has the address %s", address)
	}
	if len(value) != contractRecordBytes {
		return nil, fmt.Errorf("contract record of %s is damaged", address)
	}
	return m.contract(state, address, value)
}

// ContractNamed finds one contract by name; a refusal says there is none.
func (m *Machine) ContractNamed(state State, name string) (*Contract, error) {
	value, ok, err := state.Get(key(prefixName, []byte(name)))
	if err != nil {
		return nil, err
	}
	if !ok || len(value) != 20 {
		return nil, protocol.Refuse(protocol.CodeContractUnknown, "no contract is named %q", name)
	}
	return m.Contract(state, protocol.Address(value))
}

func (m *Machine) contract(state State, address protocol.Address, record []byte) (*Contract, error) {
	c := &Contract{
		Address: address, Author: protocol.Address(record), CodeHash: protocol.Hash(record[20:]),
		ManifestHash: protocol.Hash(record[52:]), Since: binary.BigEndian.Uint64(record[84:]),
		Paused: record[92] != 0, paused: record[92],
	}
	var err error
	if c.rules, err = m.rules(state, c); err != nil {
		return nil, err
	}
	c.Manifest = c.rules.manifest
	return c, nil
}

func (m *Machine) rules(state State, c *Contract) (*contractRules, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.manifests[c.ManifestHash]; r != nil {
		return r, nil
	}
	raw, ok, err := state.Get(key(prefixManifest, c.ManifestHash[:]))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("manifest of contract %s is missing", c.Address)
	}
	manifest, err := abi.ParseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("manifest of contract %s at rest: %w", c.Address, err)
	}
	r := newRules(manifest)
	if len(m.manifests) >= maxCached {
		clear(m.manifests)
	}
	m.manifests[c.ManifestHash] = r
	return r, nil
}

// program answers a contract's compiled module.
func (m *Machine) program(state State, c *Contract) (*vm.Program, error) {
	if c.program != nil {
		return c.program, nil
	}
	if c.program = m.engine.Cached(c.CodeHash); c.program != nil {
		return c.program, nil
	}
	code, ok, err := state.Get(key(prefixCode, c.CodeHash[:]))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("module of contract %s is missing", c.Address)
	}
	p, err := m.engine.Load(code)
	if err != nil {
		return nil, fmt.Errorf("module of contract %s at rest: %w", c.Address, err)
	}
	c.program = p
	return p, nil
}
