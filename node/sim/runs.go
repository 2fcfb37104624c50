package sim

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// Run is one run of a contract: its initialisation, a delivery, a call or a query.
type Run struct {
	Kind    string // "init", "event", "call" or "query"
	Handler uint32 // place in the manifest's list
	Index   uint64 // of the entry delivered; protocol.NoCause for the others
	Input   []byte // the record the contract read; nil when its fields were refused

	Code      protocol.Code
	GuestCode uint32   // the contract's own, where Code is CodeContractAborted
	Gas       uint64   // of the limit, which is Params.DeliveryGas
	Log       []string // the contract's lines, then why it failed
	Emitted   []protocol.Event
	Output    []byte
}

var kindNames = [...]string{vm.Init: "init", vm.Event: "event", vm.Call: "call", vm.Query: "query"}

// Runs lists what a contract did in a block, in order. The ledger keeps
// results and no log lines or gas, so the contract is run again, beside
// consensus, on the state the block began with. Results and state must be what
// the ledger has; the error says where they are not, or that the contract did
// what cannot be run again on its own: called others or was called by them, set
// timers, was upgraded or had an entry redelivered. A delivery that is to be
// retried is not listed before it is settled.
func (l *Ledger) Runs(contract string, height uint64) ([]Run, error) {
	block := l.BlockAt(height)
	if block == nil || height > l.Height() {
		return nil, fmt.Errorf("sim: there is no block %d", height)
	}
	r, err := l.newRerun(contract, block)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	for i := range block.Txs {
		if err := r.transaction(block, i); err != nil {
			return nil, fmt.Errorf("sim: transaction %d of height %d: %w", i, height, err)
		}
	}
	if err := errors.Join(r.deliveries(), r.checkState()); err != nil {
		return nil, fmt.Errorf("sim: height %d: %w", height, err)
	}
	return r.runs, nil
}

// rerun is the block of one contract, run again.
type rerun struct {
	ledger   *Ledger
	contract *machine.Contract
	program  *vm.Program
	params   genesis.Params
	env      vm.Env
	after    machine.State // what the ledger has after the block
	first    uint64        // log index that the block began with
	end      uint64        // and ended with
	from, to uint64        // log indexes delivered in the block
	host     rerunHost
	runs     []Run
}

func (l *Ledger) newRerun(name string, block *Block) (*rerun, error) {
	before, err := l.store.HeadAt(block.Height - 1)
	if err != nil {
		return nil, err
	}
	after, err := l.store.HeadAt(block.Height)
	if err != nil {
		return nil, err
	}
	old, err := l.store.View(before.Height)
	if err != nil {
		return nil, err
	}
	view, err := l.store.View(after.Height)
	if err != nil {
		return nil, err
	}
	r, err := l.load(name, view, old)
	if err != nil {
		return nil, err
	}
	if r.params, err = genesis.DecodeParams(before.Params); err != nil {
		return nil, err
	}
	r.env.Height, r.env.TimeMs, r.host.hopLimit = block.Height, uint64(block.Time.UnixMilli()), r.params.HopLimit
	behind, err := machine.Lag(old, r.contract.Address, before.LogSize)
	if err != nil {
		return nil, err
	}
	stillBehind, err := machine.Lag(view, r.contract.Address, after.LogSize)
	if err != nil {
		return nil, err
	}
	r.after, r.first, r.end = view, before.LogSize, after.LogSize
	r.from, r.to = max(before.LogSize-behind, r.contract.Since+1), after.LogSize-stillBehind
	return r, nil
}

// load prepares to run a contract that view has, on the state base.
func (l *Ledger) load(name string, view, base machine.State) (*rerun, error) {
	r := &rerun{ledger: l, host: rerunHost{base: base, kept: map[string][]byte{}}}
	var err error
	if r.contract, err = l.machine.ContractNamed(view, name); err != nil {
		return nil, err
	}
	code := l.codes[r.contract.CodeHash]
	if code == nil {
		return nil, fmt.Errorf("the module of %s is not known", name)
	}
	r.program, err = l.engine.Load(code)
	r.env.Self, r.host.contract = r.contract.Address, r.contract.Address
	return r, err
}

// Ask is Query with all that is known of the run. It need not succeed: the
// error says that it could not be run.
func (l *Ledger) Ask(contract, method string, args []byte) (Run, error) {
	head := l.store.Head()
	view, err := l.store.View(head.Height)
	if err != nil {
		return Run{}, fmt.Errorf("sim: %w", err)
	}
	r, err := l.load(contract, view, view)
	if err != nil {
		return Run{}, err
	}
	if r.params, err = genesis.DecodeParams(head.Params); err != nil {
		return Run{}, fmt.Errorf("sim: %w", err)
	}
	handler, ok := r.contract.Manifest.Query(method)
	if !ok {
		return Run{}, protocol.Refuse(protocol.CodeMethodUnknown, "contract %s has no query %q", contract, method)
	}
	r.env.Height, r.env.TimeMs = head.Height, uint64(head.TimeMs)
	header := abi.CallHeader{Height: r.env.Height, TimeMs: r.env.TimeMs}
	fields := r.contract.Manifest.Queries[handler].Fields
	input, err := projection.Arguments(fields).Append(abi.AppendCallHeader(nil, &header), args)
	if err != nil {
		return Run{}, err
	}
	err = r.run(vm.Entrypoint{Kind: vm.Query, Handler: handler}, protocol.NoCause, input)
	if err != nil {
		return Run{}, fmt.Errorf("sim: %w", err)
	}
	return r.runs[0], nil
}

// transaction runs a deployment or call of the contract, if it is one that ran.
func (r *rerun) transaction(block *Block, i int) error {
	outcome := block.Outcomes[i]
	if !ran(outcome.Code) {
		return nil
	}
	tx, err := protocol.DecodeTx(r.ledger.options.ChainID, block.Txs[i])
	if err != nil {
		return err
	}
	manifest := r.contract.Manifest
	sender := tx.Sender()
	var entry vm.Entrypoint
	var fields []abi.Field
	var args []byte
	switch body := tx.Body.(type) {
	case *protocol.Deploy:
		// A name is taken once: what was deployed under it before failed.
		if outcome.Code != protocol.CodeOK || outcome.First != r.contract.Since {
			return nil
		}
		entry, fields, args = vm.Entrypoint{Kind: vm.Init}, manifest.Init, body.Args
	case *protocol.Call:
		handler, ok := manifest.Call(body.Method)
		if body.Contract != r.contract.Address || !ok {
			return nil
		}
		entry, fields, args = vm.Entrypoint{Kind: vm.Call, Handler: handler}, manifest.Calls[handler].Fields, body.Args
	case *protocol.Upgrade:
		return r.notAlone(body.Contract)
	case *protocol.Control:
		return r.notAlone(body.Contract)
	default:
		return nil
	}
	header := abi.CallHeader{Height: r.env.Height, TimeMs: r.env.TimeMs, Caller: sender}
	input, err := projection.Arguments(fields).Append(abi.AppendCallHeader(nil, &header), args)
	if err != nil {
		return err
	}
	r.env.Caller = sender
	r.host.hop, r.host.eventTime = 0, int64(r.env.TimeMs)*1e6
	return r.check(outcome.Code, r.run(entry, protocol.NoCause, input))
}

var errNotAlone = errors.New("calls between contracts, timers, upgrades and redeliveries are not run again")

func (r *rerun) notAlone(contract protocol.Address) error {
	if contract == r.contract.Address {
		return errNotAlone
	}
	return nil
}

// ran says whether a transaction of this outcome got as far as the contract.
func ran(code protocol.Code) bool {
	switch code {
	case protocol.CodeOK, protocol.CodeContractTrap, protocol.CodeOutOfGas, protocol.CodeCallDepth,
		protocol.CodeContractAborted, protocol.CodeHostMisuse, protocol.CodeHopLimit:
		return true
	}
	return false
}

func (r *rerun) deliveries() error {
	if r.from >= r.to || len(r.contract.Manifest.Events) == 0 {
		return nil
	}
	dead, err := r.deadLetters()
	if err != nil {
		return err
	}
	entries, err := r.ledger.Entries(r.from, int(r.to-r.from))
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		handler, ok := subscription(r.contract.Manifest, e.Kind, e.Event, e.Act)
		if !ok {
			continue
		}
		if err := r.deliver(e, handler, dead[e.Index]); err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
	}
	return nil
}

// deadLetters are the codes of what the contract gave up in the block, by the
// index of the entry.
func (r *rerun) deadLetters() (map[uint64]protocol.Code, error) {
	entries, err := r.ledger.Entries(r.first, int(r.end-r.first))
	dead := map[uint64]protocol.Code{}
	for i := range entries {
		if e := &entries[i]; e.Kind == protocol.EntryDeadLetter && e.Origin == r.contract.Address {
			dead[e.Cause] = e.Act.(*protocol.DeadLetterAct).Code
		}
	}
	return dead, err
}

// checkState holds what the runs wrote to what the ledger has.
func (r *rerun) checkState() error {
	for _, name := range slices.Sorted(maps.Keys(r.host.kept)) {
		value, ok, err := r.after.Get(machine.ValueKey(r.contract.Address, []byte(name)))
		if err != nil {
			return err
		}
		if ok != (r.host.kept[name] != nil) || !bytes.Equal(value, r.host.kept[name]) {
			return fmt.Errorf("run again it left %x under %x, the ledger has %x: %w", r.host.kept[name], name, value, errNotAlone)
		}
	}
	return nil
}

func (r *rerun) deliver(e *Entry, handler uint32, want protocol.Code) error {
	header := abi.EventHeader{
		Height: r.env.Height, TimeMs: r.env.TimeMs, Index: e.Index,
		EventTimeNs: e.Event.TimeNs, HasTime: e.Event.HasTime, Origin: e.Origin,
		ID: []byte(e.Event.ID), Source: []byte(e.Event.Source), Type: []byte(e.Event.Type), Subject: []byte(e.Event.Subject),
	}
	var data []byte
	if e.Event.DataForm == protocol.DataJSON {
		data = e.Event.Data
	}
	entry := vm.Entrypoint{Kind: vm.Event, Handler: handler}
	input, err := projection.Events(r.contract.Manifest.Events[handler].Fields).Append(abi.AppendEventHeader(nil, &header), data)
	if err != nil {
		code, refused := protocol.CodeOf(err)
		if !refused || code != want {
			return err
		}
		r.runs = append(r.runs, Run{Kind: kindNames[vm.Event], Handler: handler, Index: e.Index, Code: code, Log: []string{err.Error()}})
		return nil
	}
	r.env.Caller = e.Origin
	r.host.hop, r.host.eventTime = e.Hop, int64(r.env.TimeMs)*1e6
	if e.Event.HasTime {
		r.host.eventTime = e.Event.TimeNs
	}
	return r.check(want, r.run(entry, e.Index, input))
}

func (r *rerun) run(entry vm.Entrypoint, index uint64, input []byte) error {
	r.host.written, r.host.emitted = map[string][]byte{}, nil
	result, err := r.program.Run(ctx, entry, r.env, input, r.params.DeliveryGas, &r.host)
	if err != nil {
		return err
	}
	run := Run{
		Kind: kindNames[entry.Kind], Handler: entry.Handler, Index: index, Input: input,
		Code: result.Code, GuestCode: result.GuestCode, Gas: result.GasUsed, Log: result.Log, Output: result.Output,
	}
	if result.Code == protocol.CodeOK {
		maps.Copy(r.host.kept, r.host.written)
		run.Emitted = r.host.emitted
	}
	r.runs = append(r.runs, run)
	return nil
}

// check holds the last run to what the ledger recorded.
func (r *rerun) check(want protocol.Code, err error) error {
	if err == nil && r.runs[len(r.runs)-1].Code != want {
		err = fmt.Errorf("run again it came to %v, the ledger has %v", r.runs[len(r.runs)-1].Code, want)
	}
	return err
}

// rerunHost is the ledger as the contract saw it. It answers what contracts
// can do alone. Whatever else a host may come to answer is the embedded one's,
// which is nil: a contract that asks for it cannot be run again.
type rerunHost struct {
	vm.Host
	base      machine.State
	contract  protocol.Address
	kept      map[string][]byte // by the runs of this block that succeeded; nil deletes
	written   map[string][]byte // by the run under way
	hop       uint8
	hopLimit  uint8
	eventTime int64
	emitted   []protocol.Event
}

func (h *rerunHost) Get(name []byte) ([]byte, bool, error) {
	for _, layer := range [...]map[string][]byte{h.written, h.kept} {
		if value, ok := layer[string(name)]; ok {
			return value, value != nil, nil
		}
	}
	return h.base.Get(machine.ValueKey(h.contract, name))
}

func (h *rerunHost) Set(name, value []byte) error {
	h.written[string(name)] = append([]byte{}, value...)
	return nil
}

func (h *rerunHost) Delete(name []byte) error {
	h.written[string(name)] = nil
	return nil
}

func (h *rerunHost) Scan(prefix, after []byte, limit int) ([]vm.KV, error) {
	var from []byte
	if len(after) > 0 {
		from = machine.ValueKey(h.contract, after)
	}
	// As many more as may turn out to be deleted.
	found, err := h.base.Scan(machine.ValueKey(h.contract, prefix), from, limit+len(h.kept)+len(h.written))
	if err != nil {
		return nil, err
	}
	values, cut := map[string][]byte{}, len(machine.ValueKey(h.contract, nil))
	for _, kv := range found {
		values[string(kv.Key[cut:])] = append([]byte{}, kv.Value...) // not nil, which deletes
	}
	for _, layer := range [...]map[string][]byte{h.kept, h.written} {
		for name, value := range layer {
			if bytes.HasPrefix([]byte(name), prefix) && (len(after) == 0 || name > string(after)) {
				values[name] = value
			}
		}
	}
	var pairs []vm.KV
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != nil && len(pairs) < limit {
			pairs = append(pairs, vm.KV{Key: []byte(name), Value: values[name]})
		}
	}
	return pairs, nil
}

func (h *rerunHost) Call(vm.CallRequest) (vm.CallResult, error) { return vm.CallResult{}, errNotAlone }
func (h *rerunHost) Schedule(vm.TimerRequest) (uint64, error)   { return 0, errNotAlone }
func (h *rerunHost) Cancel(uint64) (bool, error)                { return false, errNotAlone }

func (h *rerunHost) Emit(e vm.Emission) error {
	if h.hop >= h.hopLimit {
		return protocol.Refuse(protocol.CodeHopLimit, "an event after %d deliveries in a row may not cause another", h.hop)
	}
	event := protocol.Event{
		ID: "0", Source: "/contracts/0", Type: string(e.Type), Subject: string(e.Subject), TimeNs: h.eventTime, HasTime: true,
		DataContentType: "application/json", DataForm: protocol.DataJSON, Data: e.Data,
	}
	if err := event.Validate(); err != nil {
		return protocol.Refuse(protocol.CodeHostMisuse, "emitted %v", err)
	}
	h.emitted = append(h.emitted, event)
	return nil
}
