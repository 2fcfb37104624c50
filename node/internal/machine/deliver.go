package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Gas a block pays for work outside the guest, so that skipping over entries
// and projecting fields are bounded too.
const (
	gasPerScannedEntry = 500
	gasPerDelivery     = 2_000
	gasPerInputByte    = 10
)

// cursor is a contract's place in the log while it is behind.
type cursor struct {
	index    uint64 // next log index to look at
	attempts uint8  // deliveries of that entry that were aborted
	after    uint64 // height before which it is not tried again
}

// record is the index, and what is known of an entry that is retried.
func (c *cursor) record() []byte {
	out := u64(c.index)
	if c.attempts > 0 {
		out = binary.BigEndian.AppendUint64(append(out, c.attempts), c.after)
	}
	return out
}

// readCursor answers nil for a contract that has caught up.
func readCursor(s State, contract protocol.Address) (*cursor, error) {
	value, ok, err := s.Get(key(prefixCursor, contract[:]))
	if err != nil || !ok {
		return nil, err
	}
	switch len(value) {
	case 8:
		return &cursor{index: binary.BigEndian.Uint64(value)}, nil
	case 17:
		return &cursor{binary.BigEndian.Uint64(value), value[8], binary.BigEndian.Uint64(value[9:])}, nil
	}
	return nil, fmt.Errorf("cursor of contract %s is damaged", contract)
}

// consumer is a contract in this block: its place in the log and what it may
// still spend.
type consumer struct {
	*Contract
	cursor
	behind bool   // the state holds a cursor
	gas    uint64 // left of the contract's share of the block
}

// deliverAll fires the timers that are due and hands entries to the contracts
// that subscribed to them, each contract in log order, until nobody can go on:
// everything is delivered, or gas is used up. Entries that contracts emit are
// delivered in turn.
func (x *execution) deliverAll() error {
	if x.params.Halted {
		return nil // entries of a halted ledger are none that a contract subscribes to
	}
	consumers, err := x.consumers()
	if err != nil {
		return err
	}
	blockGas := x.params.BlockGas
	if err := x.fireTimers(consumers, &blockGas); err != nil {
		return err
	}
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
		if len(contract.Manifest.Events) == 0 && len(contract.Manifest.Timers) == 0 {
			continue
		}
		c := &consumer{Contract: contract, cursor: cursor{index: max(x.base, contract.Since+1)}, gas: x.params.ContractGas}
		at, err := readCursor(x.b.State(), contract.Address)
		if err != nil {
			return nil, err
		}
		if at != nil {
			c.cursor, c.behind = *at, true
		}
		consumers = append(consumers, c)
	}
	return consumers, nil
}

// saveCursor keeps a cursor in the state only while the contract is behind:
// one that has caught up costs a block nothing.
func (x *execution) saveCursor(c *consumer) error {
	k, state := key(prefixCursor, c.Address[:]), x.b.State()
	if c.index < x.b.LogSize() && len(c.Manifest.Events) > 0 {
		return state.Set(k, c.cursor.record())
	}
	if c.behind {
		return state.Delete(k)
	}
	return nil
}

// affords says whether a delivery may start: with its whole gas limit at hand,
// so that its result never depends on its place in the block.
func (x *execution) affords(c *consumer, blockGas uint64) bool {
	need := x.params.DeliveryGas + gasPerDelivery + gasPerInputByte*abi.MaxInputBytes
	return c.gas >= need && blockGas >= need
}

func (x *execution) spend(c *consumer, blockGas *uint64, gas uint64) {
	c.gas -= min(gas, c.gas)
	*blockGas -= min(gas, *blockGas)
	x.result.Gas += gas
}

// drain delivers to one contract until it has caught up, gas is short, or an
// entry is to be tried again in a later block.
func (x *execution) drain(c *consumer, blockGas *uint64) (moved bool, err error) {
	if c.Paused || len(c.Manifest.Events) == 0 || x.block.Height < c.after {
		return false, nil
	}
	for c.index < x.b.LogSize() {
		if !x.affords(c, *blockGas) {
			return moved, nil
		}
		entry, err := x.entryAt(c.index)
		if err != nil {
			return moved, err
		}
		gas := uint64(gasPerScannedEntry)
		if c.index >= x.base {
			gas = 0 // this block's own entries are at hand
		}
		if handler, subscribed := c.rules.handler(&entry.Entry); subscribed {
			used, again, err := x.deliver(c, entry, c.Manifest.Events[handler].Retries)
			if err != nil {
				return moved, err
			}
			x.spend(c, blockGas, gas+used)
			if again {
				return moved, nil
			}
		} else {
			x.spend(c, blockGas, gas)
		}
		c.cursor = cursor{index: c.index + 1}
		moved = true
	}
	return moved, nil
}

// deliver runs a contract on the entry at its cursor: all it did is kept, or
// nothing is and the entry is tried again later or becomes a dead letter. The
// error is a fault of this node.
func (x *execution) deliver(c *consumer, entry freshEntry, retries uint8) (gas uint64, again bool, err error) {
	a, err := x.attempt(c.Contract, c.index, entry)
	if err != nil {
		return 0, false, err
	}
	x.log(c.Address, c.cursor.index, protocol.Hash{}, a.result)
	if a.result.Code == protocol.CodeContractAborted && c.attempts < retries {
		// Only a contract's own refusal can turn out otherwise later. It waits
		// 1, 2, 4 ... blocks, and what comes after waits with it.
		a.host.state.Discard()
		if err := x.deliveryFee(c.Address, c.cursor.index, a); err != nil {
			return 0, false, err
		}
		c.after = x.block.Height + 1<<c.attempts
		c.attempts++
		return a.gas, true, nil
	}
	return a.gas, false, x.settle(c.Contract, c.index, a)
}

// settle keeps what a delivery did, or records that it was given up.
func (x *execution) settle(c *Contract, index uint64, a *attempt) error {
	if a.result.Code != protocol.CodeOK {
		a.host.state.Discard()
		x.result.Dead++
		if err := x.deadLetter(c, index, a.payload, a.result); err != nil {
			return err
		}
		return x.deliveryFee(c.Address, index, a)
	}
	a.host.state.Commit()
	x.result.Delivered++
	x.appendEmissions(a.host, index, a.payload)
	return x.deliveryFee(c.Address, index, a)
}

// attempt is a run of a contract on an entry, of which nothing was kept yet.
type attempt struct {
	result  vm.Result
	gas     uint64 // with the cost of getting there
	host    *host  // holds the run's open overlay
	payload Payload
}

// attempt runs a contract on an entry: an event it subscribed to, or a timer
// of its own that fired. What it answers is good until the next attempt.
func (x *execution) attempt(c *Contract, index uint64, entry freshEntry) (*attempt, error) {
	program, err := x.program(x.b.State(), c)
	if err != nil {
		return nil, err
	}
	payload, err := x.payloadAt(index, entry)
	if err != nil {
		return nil, err
	}
	x.begins(c, index)
	if x.tried == nil {
		x.tried = &attempt{host: newHost(x, c, nil, 0, payload.Blind)}
	}
	a := x.tried
	a.host.begin(x, c, x.b.State().Child(), index, payload.Blind)
	*a = attempt{gas: gasPerDelivery, payload: payload, host: a.host}
	var entrypoint vm.Entrypoint
	if payload.Erased {
		err = protocol.Refuse(protocol.CodeErased, "the payload of entry %d was erased", index)
	} else if entry.Kind == protocol.EntryTimer {
		entrypoint, err = x.timerInput(index, payload)
	} else {
		entrypoint, err = x.eventInput(c, index, entry, a.host, payload)
	}
	if err == nil {
		a.gas += gasPerInputByte * uint64(len(x.input))
		a.result, err = program.Run(x.ctx, entrypoint, x.env(c.Address, entry.Origin), x.input, x.params.DeliveryGas, a.host)
		a.gas += a.result.GasUsed
		return a, err
	}
	code, refused := protocol.CodeOf(err)
	if !refused {
		return nil, err
	}
	a.result.Code, a.result.Log = code, []string{err.Error()}
	return a, nil
}

func (x *execution) env(self, caller protocol.Address) vm.Env {
	return vm.Env{Height: x.block.Height, TimeMs: uint64(x.block.TimeMs), Self: self, Caller: caller}
}

// eventInput builds the record of an event into x.input. A refusal means a
// field is missing or malformed: the delivery is dead.
func (x *execution) eventInput(c *Contract, index uint64, entry freshEntry, h *host, payload Payload) (vm.Entrypoint, error) {
	handler, subscribed := c.rules.handler(&entry.Entry)
	if !subscribed {
		return vm.Entrypoint{}, protocol.Refuse(protocol.CodeMethodUnknown, "the contract no longer subscribes to the event's type")
	}
	record, err := EventRecord(entry.Kind, payload.Bytes)
	if err != nil {
		return vm.Entrypoint{}, fmt.Errorf("payload of entry %d at rest: %v", index, err)
	}
	var event protocol.RecordView
	if err := event.Reread(record); err != nil {
		return vm.Entrypoint{}, fmt.Errorf("payload of entry %d at rest: %v", index, err)
	}
	h.hop = payload.Hop
	if event.HasTime {
		h.eventTime = event.TimeNs // what follows from an event happened when it did
	}
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
	x.input, err = c.rules.events[handler].Append(x.input, data)
	return vm.Entrypoint{Kind: vm.Event, Handler: handler}, err
}

// deadLetter records a delivery that was given up: in the contract's queue
// and in the log.
func (x *execution) deadLetter(c *Contract, index uint64, cause Payload, result vm.Result) error {
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
	raw, err := x.oldEntry(index)
	if err != nil {
		return freshEntry{}, err
	}
	entry, err := protocol.DecodeEntry(raw)
	if err != nil {
		return freshEntry{}, fmt.Errorf("entry %d at rest: %w", index, err)
	}
	return freshEntry{Entry: entry}, nil
}

// oldEntries is how many committed entries are read at once for a contract
// that is behind.
const oldEntries = 256

// oldEntry reads a committed entry; a contract that is behind reads on in order.
func (x *execution) oldEntry(index uint64) ([]byte, error) {
	i := index - x.oldFrom
	if index < x.oldFrom || i >= uint64(len(x.old)) {
		entries, err := x.b.Entries(index, oldEntries)
		if err != nil {
			return nil, err
		}
		x.oldFrom, x.old, i = index, entries, 0
	}
	return x.old[i], nil
}

// payloadAt reads an entry's payload; for older entries the last bundle read
// is kept, since a contract that is behind reads on in order.
func (x *execution) payloadAt(index uint64, entry freshEntry) (Payload, error) {
	if x.anyErased {
		if _, gone, err := ErasedBy(x.b.State(), index); err != nil || gone {
			return erasedPayload(&entry.Entry), err
		}
	}
	if index >= x.base {
		return entry.Payload, nil
	}
	if i := index - x.oldFirst; index >= x.oldFirst && i < uint64(len(x.oldBundle)) {
		return x.oldBundle[i], nil
	}
	first, payloads, err := StoredBundle(x.b, index)
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

// ReadBundle reads the payloads of the run of entries that holds an entry. What
// was erased up to the state s is not shown, also where the octets still are.
func ReadBundle(r BundleReader, s State, index uint64) (first uint64, payloads []Payload, err error) {
	if first, payloads, err = StoredBundle(r, index); err != nil {
		return 0, nil, err
	}
	var after []byte
	if first > 0 {
		after = erasedKey(first - 1)
	}
	erased, err := s.Scan([]byte{prefixErased}, after, len(payloads))
	if err != nil {
		return 0, nil, err
	}
	for _, kv := range erased {
		if len(kv.Key) != 1+8 {
			return 0, nil, fmt.Errorf("erasure %x is damaged", kv.Key)
		}
		if at := binary.BigEndian.Uint64(kv.Key[1:]) - first; at < uint64(len(payloads)) {
			payloads[at] = Payload{Erased: true}
		}
	}
	return first, payloads, nil
}

// StoredBundle reads the payloads of the run of entries that holds an entry, as
// they are at rest: erased ones too, until they are scrubbed.
func StoredBundle(r BundleReader, index uint64) (first uint64, payloads []Payload, err error) {
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

// ReadPayload reads the payload and blind of one entry, or that they were erased.
func ReadPayload(r BundleReader, s State, index uint64) (Payload, error) {
	first, count, data, err := r.Bundle(index)
	if err != nil {
		return Payload{}, err
	}
	if _, erased, err := ErasedBy(s, index); err != nil || erased {
		return Payload{Erased: erased}, err
	}
	payload, err := payloadAt(data, count, index-first)
	if err != nil {
		return Payload{}, fmt.Errorf("entry %d, bundle of %d entries from %d: %w", index, count, first, err)
	}
	return payload, nil
}
