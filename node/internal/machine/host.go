package machine

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// host is the ledger as one run of a contract sees it: the contract's own
// keys of a child overlay, and a list of what it emitted. Nothing of it
// counts until the caller commits the overlay and appends the emissions.
type host struct {
	x         *execution
	contract  *Contract
	callers   []protocol.Address // contracts that wait for this run, the first one first
	state     *state.Overlay
	cause     uint64         // entry that is delivered, or that the run will be
	blind     protocol.Blind // of that entry
	hop       uint8          // of the entry being delivered
	eventTime int64          // of the events it emits, Unix nanoseconds
	emitted   []emission
	bank      *bank.Bank // once the run asks for it
	key       []byte     // scratch: prefix and contract, then the contract's key
}

// emission is an event and the contract that emitted it: the one the run began
// with, or one it called.
type emission struct {
	from  protocol.Address
	event protocol.Event
}

// newHost makes the host of one run; it owns the overlay until the run ends.
func newHost(x *execution, contract *Contract, overlay *state.Overlay, cause uint64, blind protocol.Blind) *host {
	h := &host{key: make([]byte, 0, 21+abi.MaxKeyBytes)}
	h.begin(x, contract, overlay, cause, blind)
	return h
}

// begin makes h the host of another run.
func (h *host) begin(x *execution, contract *Contract, overlay *state.Overlay, cause uint64, blind protocol.Blind) {
	clear(h.emitted)
	*h = host{
		x: x, contract: contract, state: overlay, cause: cause, blind: blind, eventTime: x.block.TimeMs * 1e6,
		emitted: h.emitted[:0], key: append(append(h.key[:0], prefixValue), contract.Address[:]...),
	}
}

// own is the state key of one of the contract's keys.
func (h *host) own(name []byte) []byte { return append(h.key[:21], name...) }

// Get reads a value of the contract's.
func (h *host) Get(name []byte) ([]byte, bool, error) { return h.state.Get(h.own(name)) }

// Set writes a value of the contract's.
func (h *host) Set(name, value []byte) error { return h.state.Set(h.own(name), value) }

// Delete removes a value of the contract's.
func (h *host) Delete(name []byte) error { return h.state.Delete(h.own(name)) }

// Scan lists the contract's pairs by ascending key.
func (h *host) Scan(prefix, after []byte, limit int) ([]vm.KV, error) {
	var from []byte
	if len(after) > 0 {
		from = append(append([]byte(nil), h.key[:21]...), after...)
	}
	return scanOwn(h.state, h.own(prefix), from, limit)
}

// scanOwn scans a contract's keys and cuts the contract's prefix off them.
func scanOwn(s State, prefix, after []byte, limit int) ([]vm.KV, error) {
	found, err := s.Scan(prefix, after, limit)
	if err != nil {
		return nil, err
	}
	pairs := make([]vm.KV, len(found))
	for i, kv := range found {
		pairs[i] = vm.KV{Key: kv.Key[21:], Value: kv.Value}
	}
	return pairs, nil
}

// Emit adds an event to what the run will append to the log.
func (h *host) Emit(e vm.Emission) error {
	if h.hop >= h.x.params.HopLimit {
		return protocol.Refuse(protocol.CodeHopLimit, "an event after %d deliveries in a row may not cause another", h.hop)
	}
	event := protocol.Event{
		ID: "0", Source: "/contracts/" + h.contract.rules.manifest.Name, Type: string(e.Type), Subject: string(e.Subject),
		TimeNs: h.eventTime, HasTime: true, DataContentType: "application/json", DataForm: protocol.DataJSON, Data: e.Data,
	}
	if err := event.Validate(); err != nil {
		return protocol.Refuse(protocol.CodeHostMisuse, "emitted %v", err)
	}
	if err := h.x.conforms(&event); err != nil {
		return err
	}
	h.emitted = append(h.emitted, emission{h.contract.Address, event})
	return nil
}

// Call runs a method of another contract in a child of this run's overlay: it
// is kept or undone with it, and undone at once where it fails.
func (h *host) Call(r vm.CallRequest) (vm.CallResult, error) {
	callers := append(slices.Clip(h.callers), h.contract.Address)
	switch {
	case len(callers) >= abi.MaxCallDepth:
		return vm.CallResult{Code: protocol.CodeCallDepth}, nil
	case slices.Contains(callers, r.Contract):
		return vm.CallResult{Code: protocol.CodeReentry}, nil
	}
	result, err := h.call(r, callers)
	if code, refused := protocol.CodeOf(err); err != nil && refused {
		return vm.CallResult{Code: code}, nil
	}
	return result, err
}

func (h *host) call(r vm.CallRequest, callers []protocol.Address) (vm.CallResult, error) {
	contract, handler, err := h.x.callable(h.state, r.Contract, string(r.Method))
	if err != nil {
		return vm.CallResult{}, err
	}
	program, err := h.x.program(h.state, contract)
	if err != nil {
		return vm.CallResult{}, err
	}
	header := abi.CallHeader{Height: h.x.block.Height, TimeMs: uint64(h.x.block.TimeMs), Caller: h.contract.Address}
	input, err := contract.rules.calls[handler].Append(abi.AppendCallHeader(nil, &header), r.Args)
	if err != nil {
		return vm.CallResult{}, err
	}
	callee := newHost(h.x, contract, h.state.Child(), h.cause, h.blind)
	callee.callers, callee.hop, callee.eventTime = callers, h.hop, h.eventTime
	entry := vm.Entrypoint{Kind: vm.Call, Handler: handler}
	result, err := program.Run(h.x.ctx, entry, h.x.env(contract.Address, h.contract.Address), input, r.Gas, callee)
	if err != nil {
		return vm.CallResult{}, faultOnly(err)
	}
	if result.Code != protocol.CodeOK {
		callee.state.Discard()
	} else {
		callee.state.Commit()
		h.emitted = append(h.emitted, callee.emitted...)
		h.take(callee)
	}
	return vm.CallResult{Code: result.Code, GuestCode: result.GuestCode, GasUsed: result.GasUsed, Output: result.Output}, nil
}

// faultOnly keeps a fault of this node from being read as a refusal, whatever
// it wraps.
func faultOnly(err error) error { return fmt.Errorf("%v", err) }

// appendEmissions puts what a run moved and emitted into the log, caused by one
// entry. An event's id is its log index, which makes it unique under its source.
func (x *execution) appendEmissions(h *host, cause uint64, causePayload Payload) {
	x.appendMovements(h, causePayload.Hop+1)
	for i := range h.emitted {
		e := &h.emitted[i]
		e.event.ID = strconv.FormatUint(x.b.LogSize(), 10)
		x.appendOwn(protocol.Entry{
			Kind: protocol.EntryEmitted, Origin: e.from, Cause: cause, Type: protocol.NewTypeHash(e.event.Type),
		}, causePayload.Blind, causePayload.Hop+1, e.event.AppendRecord(nil))
	}
}

// act runs an initialisation, a migration or a call in a child overlay and, when it succeeds, appends the act and what it emitted.
func (x *execution) act(c *checked, contract *Contract, child *state.Overlay, entry vm.Entrypoint, plan *projection.Plan, act protocol.ContractAct, out *Outcome) error {
	result, h, err := x.runAct(c, contract, child, entry, plan, act.Args)
	if err != nil {
		child.Discard()
		return err
	}
	out.Gas = result.GasUsed
	x.log(contract.Address, x.b.LogSize(), c.ID, result)
	if result.Code != protocol.CodeOK {
		child.Discard()
		out.GuestCode = result.GuestCode
		if err := x.b.State().Set(replayKey(c.Tx), []byte{1}); err != nil { // it ran: its outcome stands
			return err
		}
		return protocol.Refuse(result.Code, "contract %s: %s", contract.rules.manifest.Name, guestText(result))
	}
	child.Commit()
	out.First = x.b.LogSize()
	payload := act.AppendBinary(nil)
	x.appendOwn(protocol.Entry{Kind: protocol.EntryContract, Origin: c.sender, Cause: c.cause}, protocol.Blind(c.ID), 0, payload)
	x.appendEmissions(h, out.First, x.fresh[len(x.fresh)-1].Payload)
	out.Entries = uint32(x.b.LogSize() - out.First)
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}

func (x *execution) runAct(c *checked, contract *Contract, child *state.Overlay, entry vm.Entrypoint, plan *projection.Plan, args []byte) (vm.Result, *host, error) {
	program, err := x.program(child, contract)
	if err != nil {
		return vm.Result{}, nil, err
	}
	x.begins(contract, x.b.LogSize())
	h := newHost(x, contract, child, x.b.LogSize(), protocol.Blind(c.ID))
	if entry.Kind != vm.Call && !program.Has(entry.Kind) && len(args) == 0 {
		return vm.Result{}, h, nil // nothing to initialise or migrate
	}
	header := abi.CallHeader{Height: x.block.Height, TimeMs: uint64(x.block.TimeMs), Caller: c.sender}
	input, err := plan.Append(abi.AppendCallHeader(nil, &header), args)
	if err != nil {
		return vm.Result{}, nil, err
	}
	result, err := program.Run(x.ctx, entry, x.env(contract.Address, c.sender), input, x.gasMax, h)
	if result.Code == protocol.CodeOutOfGas && x.gasMax < x.params.DeliveryGas {
		result.Code = protocol.CodeOverQuota // it was the quota that ran out
	}
	return result, h, err
}

// guestText is what a contract said of its refusal, for the log of this node.
func guestText(r vm.Result) string {
	if len(r.Log) > 0 {
		return r.Log[len(r.Log)-1]
	}
	if r.Code == protocol.CodeContractAborted {
		return "refused with its code " + strconv.FormatUint(uint64(r.GuestCode), 10)
	}
	return r.Code.Meaning()
}
