package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// Gas a block pays for work outside the guest, so that skipping over entries
// and projecting fields are bounded too.
const (
	gasPerScannedEntry = 500
	gasPerDelivery     = 2_000
	gasPerInputByte    = 10
)

// consumer is a contract in this block: its place in the log and what it may
// still spend.
type consumer struct {
	*Contract
	program *vm.Program
	cursor  uint64 // next log index to look at
	behind  bool   // the state holds a cursor
	gas     uint64 // left of the contract's share of the block
}

// deliverAll hands entries to the contracts that subscribed to them, each
// contract in log order, until nobody can go on: everything is delivered, or
// gas is used up. Entries that contracts emit are delivered in turn.
func (x *execution) deliverAll() error {
	consumers, err := x.consumers()
	if err != nil {
		return err
	}
	blockGas := x.params.BlockGas
	for progress := true; progress; {
		progress = false
		for _, c := range consumers {
			moved, err := x.drain(c, &blockGas)
			if err != nil {
				return err
			}
			progress = progress || moved
		}
	}
	for _, c := range consumers {
		if err := x.saveCursor(c); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) consumers() ([]*consumer, error) {
	contracts, err := x.Contracts(x.b.State())
	if err != nil {
		return nil, err
	}
	var consumers []*consumer
	for _, contract := range contracts {
		if len(contract.Manifest.Events) == 0 {
			continue
		}
		c := &consumer{Contract: contract, cursor: max(x.base, contract.Since+1), gas: x.params.ContractGas}
		value, ok, err := x.b.State().Get(key(prefixCursor, contract.Address[:]))
		if err != nil {
			return nil, err
		}
		if ok {
			if len(value) != 8 {
				return nil, fmt.Errorf("cursor of contract %s is damaged", contract.Address)
			}
			c.cursor, c.behind = binary.BigEndian.Uint64(value), true
		}
		consumers = append(consumers, c)
	}
	return consumers, nil
}

// saveCursor keeps a cursor in the state only while the contract is behind:
// one that has caught up costs a block nothing.
func (x *execution) saveCursor(c *consumer) error {
	k, state := key(prefixCursor, c.Address[:]), x.b.State()
	if c.cursor < x.b.LogSize() {
		return state.Set(k, u64(c.cursor))
	}
	if c.behind {
		return state.Delete(k)
	}
	return nil
}

// drain delivers to one contract until it has caught up or gas is short. A
// delivery starts only with its whole gas limit at hand, so its result never
// depends on its place in the block.
func (x *execution) drain(c *consumer, blockGas *uint64) (moved bool, err error) {
	need := x.params.DeliveryGas + gasPerDelivery + gasPerInputByte*abi.MaxInputBytes
	for c.cursor < x.b.LogSize() {
		if c.gas < need || *blockGas < need {
			return moved, nil
		}
		entry, err := x.entryAt(c.cursor)
		if err != nil {
			return moved, err
		}
		gas := uint64(gasPerScannedEntry)
		if c.cursor >= x.base {
			gas = 0 // this block's own entries are at hand
		}
		handler, subscribed := c.rules.handlers[entry.Type]
		if subscribed && (entry.Kind == protocol.EntryEvent || entry.Kind == protocol.EntryEmitted) {
			used, err := x.deliver(c, c.cursor, handler, entry)
			if err != nil {
				return moved, err
			}
			gas += used
		}
		c.gas -= min(gas, c.gas)
		*blockGas -= min(gas, *blockGas)
		x.result.Gas += gas
		c.cursor++
		moved = true
	}
	return moved, nil
}

// deliver runs one contract on one entry: all it did is kept, or nothing is
// and a dead letter says why. The error is a fault of this node.
func (x *execution) deliver(c *consumer, index uint64, handler uint32, entry freshEntry) (gas uint64, err error) {
	if c.program == nil {
		if c.program, err = x.program(x.b.State(), c.Contract); err != nil {
			return 0, err
		}
	}
	payload, err := x.payloadAt(index, entry)
	if err != nil {
		return 0, err
	}
	var event protocol.RecordView
	if err := event.Parse(payload.Bytes); err != nil {
		return 0, fmt.Errorf("payload of entry %d at rest: %w", index, err)
	}
	gas = gasPerDelivery
	input, err := x.eventInput(index, entry, &event, c.rules.events[handler])
	var result vm.Result
	host := newHost(x, c.Contract, x.b.State().Child())
	if err == nil {
		gas += gasPerInputByte * uint64(len(input))
		host.hop = payload.Hop
		if event.HasTime {
			host.eventTime = event.TimeNs // what follows from an event happened when it did
		}
		result, err = c.program.Run(x.ctx, vm.Entrypoint{Kind: vm.Event, Handler: handler}, x.env(c.Address, entry.Origin), input, x.params.DeliveryGas, host)
		if err != nil {
			return 0, err
		}
		gas += result.GasUsed
	} else {
		code, refused := protocol.CodeOf(err)
		if !refused {
			return 0, err
		}
		result.Code = code
	}
	if result.Code != protocol.CodeOK {
		host.state.Discard()
		x.result.Dead++
		return gas, x.deadLetter(c, index, payload, result)
	}
	host.state.Commit()
	x.result.Delivered++
	x.appendEmissions(c.Contract, host, index, payload)
	return gas, nil
}

func (x *execution) env(self, caller protocol.Address) vm.Env {
	return vm.Env{Height: x.block.Height, TimeMs: uint64(x.block.TimeMs), Self: self, Caller: caller}
}

// eventInput builds the record a contract reads. A refusal means a field is
// missing or malformed: the delivery is dead.
func (x *execution) eventInput(index uint64, entry freshEntry, event *protocol.RecordView, plan *projection.Plan) ([]byte, error) {
	header := abi.EventHeader{
		Height: x.block.Height, TimeMs: uint64(x.block.TimeMs), Index: index,
		EventTimeNs: event.TimeNs, HasTime: event.HasTime, Origin: entry.Origin,
		ID: event.ID, Source: event.Source, Type: event.Type, Subject: event.Subject,
	}
	x.input = abi.AppendEventHeader(x.input[:0], &header)
	var data []byte
	if event.DataForm == protocol.DataJSON {
		data = event.Data
	}
	var err error
	x.input, err = plan.Append(x.input, data)
	return x.input, err
}

// deadLetter records a delivery that was given up: in the contract's queue
// and in the log.
func (x *execution) deadLetter(c *consumer, index uint64, cause Payload, result vm.Result) error {
	act := (&protocol.DeadLetterAct{Code: result.Code, GuestCode: result.GuestCode}).AppendBinary(nil)
	if err := x.b.State().Set(key(prefixDead, c.Address[:], u64(index)), act); err != nil {
		return err
	}
	x.appendOwn(protocol.Entry{Kind: protocol.EntryDeadLetter, Origin: c.Address, Cause: index}, cause.Blind, cause.Hop, act)
	return nil
}

// entryAt reads an entry of this block, or an older one.
func (x *execution) entryAt(index uint64) (freshEntry, error) {
	if index >= x.base {
		return x.fresh[index-x.base], nil
	}
	raw, err := x.b.Entry(index)
	if err != nil {
		return freshEntry{}, err
	}
	entry, err := protocol.DecodeEntry(raw)
	if err != nil {
		return freshEntry{}, fmt.Errorf("entry %d at rest: %w", index, err)
	}
	return freshEntry{Entry: entry}, nil
}

// payloadAt reads an entry's payload; for older entries the last bundle read
// is kept, since a contract that is behind reads on in order.
func (x *execution) payloadAt(index uint64, entry freshEntry) (Payload, error) {
	if index >= x.base {
		return entry.Payload, nil
	}
	if i := index - x.oldFirst; index >= x.oldFirst && i < uint64(len(x.oldBundle)) {
		return x.oldBundle[i], nil
	}
	first, payloads, err := ReadBundle(x.b, index)
	if err != nil {
		return Payload{}, err
	}
	x.oldFirst, x.oldBundle = first, payloads
	return payloads[index-first], nil
}

// BundleReader reads payload bundles: a batch in progress or the store.
type BundleReader interface {
	Bundle(index uint64) (first uint64, count uint32, data []byte, err error)
}

// ReadBundle reads the payloads of the run of entries that holds an entry.
func ReadBundle(r BundleReader, index uint64) (first uint64, payloads []Payload, err error) {
	first, count, data, err := r.Bundle(index)
	if err != nil {
		return 0, nil, err
	}
	if payloads, err = DecodeBundle(data); err != nil {
		return 0, nil, err
	}
	if uint64(len(payloads)) != uint64(count) || index < first || index-first >= uint64(count) {
		return 0, nil, fmt.Errorf("%w: entry %d, bundle of %d entries from %d", errBundle, index, count, first)
	}
	return first, payloads, nil
}

// ReadPayload reads the payload and blind of one entry.
func ReadPayload(r BundleReader, index uint64) (Payload, error) {
	first, payloads, err := ReadBundle(r, index)
	if err != nil {
		return Payload{}, err
	}
	return payloads[index-first], nil
}
