package machine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/registry"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Block is what execution knows of a block.
type Block struct {
	Height uint64
	TimeMs int64 // block time, Unix milliseconds
	Txs    [][]byte
	// Watch is told of every run of a contract that begins, with the entry that
	// is delivered or that the run will be. Auditors have one, validators none.
	Watch func(contract protocol.Address, cause uint64)
	// Misbehaviour is what CometBFT proved of validators.
	Misbehaviour []governance.Misbehaviour
}

// Result is what a block did.
type Result struct {
	Outcomes  []Outcome // by transaction
	Delivered int       // contract deliveries that committed
	Dead      int       // contract deliveries given up
	Gas       uint64    // used by deliveries
	Logs      []Log     // of runs that said something or failed, for this node's operator
	// Validators are those whose power changes, two blocks on; 0 is gone.
	Validators []protocol.SetMember
}

// Log is what one run of a contract said, and why it failed if it did. It is
// no part of consensus.
type Log struct {
	Contract  protocol.Address
	Index     uint64        // log entry delivered; of a transaction, the entry it made or would have made
	TxID      protocol.Hash // zero for deliveries
	Code      protocol.Code
	GuestCode uint32
	Lines     []string
}

// maxLogs bounds the runs of one block that are kept for the operator.
const maxLogs = 1_000

func (x *execution) log(contract protocol.Address, index uint64, tx protocol.Hash, r vm.Result) {
	if len(x.result.Logs) < maxLogs && (len(r.Log) > 0 || r.Code != protocol.CodeOK) {
		x.result.Logs = append(x.result.Logs, Log{contract, index, tx, r.Code, r.GuestCode, r.Log})
	}
}

// Outcome is one transaction's: the part every node agrees on, and text for
// this node's log.
type Outcome struct {
	protocol.Outcome
	TxID protocol.Hash // zero where the transaction did not decode
	Gas  uint64
	Text string
}

// execution is one block in progress. Entries [base, LogSize) are of this
// block and kept decoded in fresh, so that delivering them reads nothing.
type execution struct {
	*Machine
	ctx    context.Context
	b      *store.Batch
	store  Lookup // what was committed before the block
	block  Block
	params genesis.Params

	base   uint64       // log size before the block
	fresh  []freshEntry // entry base+i
	open   []byte       // ledger bundle in progress
	first  uint64       // index of the open bundle's first entry
	count  uint32       // entries in the open bundle
	result Result
	money  money
	party  membership.Party // who the transaction in progress speaks for
	gasMax uint64           // what a run of that transaction may use

	governed bool // governance may have changed the validator set

	schemas     *registry.Holder // of the state as it is now
	schemaGas   uint64           // that holding events to them took
	registering int              // schemas that this block's transactions register

	anyErased bool   // some entry's payload was erased, in this block or before
	erasing   uint64 // entries that this block's erasures name

	runs map[protocol.StreamID][]run // appended by this block
	scratch
	input     []byte    // the record of the delivery in progress
	tried     *attempt  // the delivery in progress, its memory used again for the next
	oldFrom   uint64    // index of the first of old
	old       [][]byte  // committed entries, last read
	oldFirst  uint64    // index of oldBundle's first entry
	oldBundle []Payload // last bundle read from the store
}

// scratch is memory for keys and values while they are handed on: who takes
// them copies them.
type scratch struct {
	streamKey []byte // of the batch in progress
	sourceKey [64]byte
	number    [8]byte
	sideKey   []byte
	sideValue []byte
	bundle    []byte // of the batch in progress
	entry     [protocol.EntryBytes]byte
}

// freshEntry is an entry with its payload.
type freshEntry struct {
	protocol.Entry
	Payload
}

// freshBuffer keeps the memory of a block's entries for the next block.
type freshBuffer struct{ kept atomic.Pointer[[]freshEntry] }

// keepFresh bounds what is kept, in entries.
const keepFresh = 1 << 16

func (f *freshBuffer) take() []freshEntry {
	if kept := f.kept.Swap(nil); kept != nil {
		return *kept
	}
	return nil
}

func (f *freshBuffer) give(entries []freshEntry) {
	if cap(entries) > keepFresh {
		return
	}
	clear(entries) // payloads are not kept alive
	entries = entries[:0]
	f.kept.Store(&entries)
}

// Execute runs a block into b. It writes nothing else and may be called again
// with another batch for another proposal. The error is a fault of this node
// on which it must stop; a bad transaction is an outcome.
func (m *Machine) Execute(b *store.Batch, block Block) (Result, error) {
	params, err := m.params(b.Params())
	if err != nil {
		return Result{}, err
	}
	x := &execution{
		Machine: m, ctx: context.Background(), b: b, store: b.Committed(), block: block, params: params,
		base: b.LogSize(), fresh: m.fresh.take(), runs: make(map[protocol.StreamID][]run),
	}
	defer func() { m.fresh.give(x.fresh) }()
	for _, open := range [...]func() error{x.upgradeRules, x.punish, x.expire, x.openBank, x.findErased, x.findSchemas} {
		if err := open(); err != nil {
			return Result{}, err
		}
	}
	all, refusals := m.checkAll(block.Txs)
	x.result.Outcomes = make([]Outcome, 0, len(all))
	for i, c := range all {
		outcome, err := x.transaction(c, refusals[i])
		if err != nil {
			return Result{}, err
		}
		x.result.Outcomes = append(x.result.Outcomes, outcome)
	}
	for _, end := range [...]func() error{x.deliverAll, x.closeBank, x.updates} {
		if err := end(); err != nil {
			return Result{}, err
		}
	}
	x.flush()
	if len(block.Txs) > 0 { // an empty block changes nothing
		if err := x.forgetExpired(); err != nil {
			return Result{}, err
		}
	}
	m.seen.drop(all)
	return x.result, nil
}

// transaction executes one transaction and records its outcome.
func (x *execution) transaction(c *checked, refusal error) (Outcome, error) {
	var out Outcome
	err := refusal
	if c != nil {
		out.TxID = c.ID
		var own *checked
		if own, err = x.admit(c); err == nil {
			err = x.run(own, &out)
		}
	}
	if err != nil {
		code, refused := protocol.CodeOf(err)
		if !refused {
			return out, fmt.Errorf("machine: height %d: %w", x.block.Height, err)
		}
		out.Code, out.Text = code, err.Error()
	}
	if c != nil && out.Code != protocol.CodeReplayed {
		x.record(&out)
	}
	return out, nil
}

// run does what a transaction asks for on behalf of x.party, within its quota.
func (x *execution) run(c *checked, out *Outcome) error {
	if err := x.meter(c); err != nil {
		return err
	}
	gas, err := x.reserveGas(c)
	if err != nil {
		return err
	}
	err = x.do(c, out)
	if _, whole := protocol.CodeOf(err); !whole {
		return err
	}
	fault := x.settleGas(gas, c, out)
	if fault == nil {
		fault = x.tally(c, out, err == nil)
	}
	if fault != nil {
		return faultOnly(fault)
	}
	return err
}

func (x *execution) do(c *checked, out *Outcome) error {
	switch body := c.Body.(type) {
	case *protocol.Batch:
		return x.batch(c, body, out)
	case *protocol.Deploy:
		return x.deploy(c, body, out)
	case *protocol.Call:
		return x.call(c, body, out)
	case *protocol.Upgrade:
		return x.upgrade(c, body, out)
	case *protocol.Control:
		return x.control(c, body, out)
	case *protocol.Token:
		return x.token(c, body, out)
	case *protocol.Erase:
		return x.erase(c, body, out)
	case *protocol.Relay:
		return x.relay(c, body, out)
	case *protocol.RegisterSchema:
		return x.registerSchema(c, body, out)
	}
	switch c.Body.Kind() {
	case protocol.TxGovernance:
		return x.govern(c, out)
	case protocol.TxDispute:
		return x.dispute(c, out)
	}
	return x.account(c, out)
}

// admit refuses what has expired, lacks its role, is over its quota or was
// executed before. It answers the transaction as one of the account that the
// signer speaks for.
func (x *execution) admit(c *checked) (*checked, error) {
	party, err := admissible(x.b.State(), &x.params, c, x.block.Height)
	if err != nil {
		return nil, err
	}
	x.party, c = party, c.as(party.Address)
	if c.Body.Kind() == protocol.TxBatch {
		return c, nil // the stream's sequence is its replay protection
	}
	_, done, err := x.b.State().Get(replayKey(c.Tx))
	if err == nil && done {
		err = protocol.Refuse(protocol.CodeReplayed, "transaction %s was already executed", c.ID)
	}
	return c, err
}

func replayKey(tx *protocol.Tx) []byte { return key(prefixReplay, u64(tx.Expiry), tx.ID[:]) }

// record keeps the outcome where a status request finds it. A resubmitted
// batch that was refused for a gap and then accepted shows its last outcome.
func (x *execution) record(out *Outcome) {
	x.sideKey = append(append(x.sideKey[:0], sideOutcome), out.TxID[:]...)
	x.sideValue = out.Outcome.AppendBinary(binary.BigEndian.AppendUint64(x.sideValue[:0], x.block.Height))
	x.b.SetSide(x.sideKey, x.sideValue)
}

// forgetExpired drops replay records whose transactions can no longer be
// executed: at most as many as two per transaction of the block, so the work
// is bounded and still catches up.
func (x *execution) forgetExpired() error {
	state := x.b.State()
	stale, err := state.Scan([]byte{prefixReplay}, nil, 2*len(x.block.Txs)+8)
	if err != nil {
		return err
	}
	limit := key(prefixReplay, u64(x.block.Height))
	for _, kv := range stale {
		if string(kv.Key[:len(limit)]) >= string(limit) {
			break
		}
		if err := state.Delete(kv.Key); err != nil {
			return err
		}
	}
	return nil
}

// appendEntry adds an entry of this block to the log.
func (x *execution) appendEntry(e protocol.Entry, p Payload) (index uint64) {
	e.Height, e.TimeMs = x.block.Height, uint64(x.block.TimeMs)
	index = x.b.Append(e.AppendBinary(x.entry[:0]))
	x.fresh = append(x.fresh, freshEntry{e, p})
	return index
}

// appendOwn adds an entry the ledger itself makes, payload included. Its
// blind derives from what caused it.
func (x *execution) appendOwn(e protocol.Entry, cause protocol.Blind, hop uint8, payload []byte) (index uint64) {
	index = x.b.LogSize()
	p := Payload{Blind: protocol.EmittedBlind(cause, index), Bytes: payload, Hop: hop}
	e.Commitment = protocol.Commitment(p.Blind, payload)
	if x.count == 0 {
		x.first = index
	}
	x.open = appendLedgerPayload(x.open, p)
	x.count++
	return x.appendEntry(e, p)
}

// flush closes the open ledger bundle. It runs before a batch's entries are
// appended, since a bundle holds consecutive entries.
func (x *execution) flush() {
	if x.count > 0 {
		x.b.PutBundle(x.first, x.count, x.open)
		x.open, x.count = x.open[:0], 0
	}
}
