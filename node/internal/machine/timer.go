package machine

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// never is the due point of the first of no timers.
const never = math.MaxUint64

// timers is what is kept of a contract's timers as a whole, so that a block
// looks only at contracts that have one due.
type timers struct {
	last    uint64    // id that was given out
	pending uint64    //
	first   [2]uint64 // by unit: the earliest due point, or never
}

func (t *timers) record() []byte {
	return append(append(append(u64(t.last), u64(t.pending)...), u64(t.first[0])...), u64(t.first[1])...)
}

func decodeTimers(value []byte) (*timers, error) {
	if len(value) != 32 {
		return nil, fmt.Errorf("a contract's record of timers has %d bytes, must have 32", len(value))
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(value[8*i:]) }
	return &timers{n(0), n(1), [2]uint64{n(2), n(3)}}, nil
}

func readTimers(s State, contract protocol.Address) (*timers, error) {
	value, ok, err := s.Get(key(prefixTimers, contract[:]))
	if err != nil {
		return nil, err
	}
	if !ok {
		return &timers{first: [2]uint64{never, never}}, nil
	}
	return decodeTimers(value)
}

// timer is one that is pending.
type timer struct {
	unit    byte
	due, id uint64
	handler uint32
	set     uint64         // height that set it; it fires at a later one
	cause   uint64         // entry whose delivery set it
	blind   protocol.Blind // one step away from that entry's
	data    []byte
}

func timerKey(contract protocol.Address, unit byte, due, id uint64) []byte {
	return key(prefixTimer, contract[:], []byte{unit}, u64(due), u64(id))
}

func timerIDKey(contract protocol.Address, id uint64) []byte {
	return key(prefixTimerID, contract[:], u64(id))
}

func (t *timer) record() []byte {
	out := binary.BigEndian.AppendUint32(nil, t.handler)
	out = append(append(out, u64(t.set)...), u64(t.cause)...)
	return append(append(out, t.blind[:]...), t.data...)
}

const timerRecordBytes = 4 + 8 + 8 + 32

func decodeTimer(kv state.KV) (*timer, error) {
	if len(kv.Key) != 1+20+1+16 || len(kv.Value) < timerRecordBytes {
		return nil, fmt.Errorf("timer %x is damaged", kv.Key)
	}
	at, v := kv.Key[21:], kv.Value
	return &timer{
		unit: at[0], due: binary.BigEndian.Uint64(at[1:]), id: binary.BigEndian.Uint64(at[9:]),
		handler: binary.BigEndian.Uint32(v), set: binary.BigEndian.Uint64(v[4:]), cause: binary.BigEndian.Uint64(v[12:]),
		blind: protocol.Blind(v[20:]), data: v[timerRecordBytes:],
	}, nil
}

// Schedule sets a timer of the running contract's.
func (h *host) Schedule(r vm.TimerRequest) (uint64, error) {
	if int(r.Handler) >= len(h.contract.Manifest.Timers) {
		return 0, protocol.Refuse(protocol.CodeHostMisuse, "timer handler %d of %d", r.Handler, len(h.contract.Manifest.Timers))
	}
	all, err := readTimers(h.state, h.contract.Address)
	if err != nil {
		return 0, err
	}
	if all.pending >= abi.MaxTimers {
		return 0, protocol.Refuse(protocol.CodeTimerLimit, "%d timers are pending, and no more can be", all.pending)
	}
	all.last++
	all.pending++
	t := timer{
		unit: abi.UnitHeight, due: r.At, id: all.last, handler: r.Handler,
		set: h.x.block.Height, cause: h.cause, blind: origin(h.cause, h.blind).Blind, data: r.Data,
	}
	if r.ByTime {
		t.unit = abi.UnitTime
	}
	all.first[t.unit] = min(all.first[t.unit], t.due)
	address := h.contract.Address
	err = h.state.Set(timerKey(address, t.unit, t.due, t.id), t.record())
	if err == nil {
		err = h.state.Set(timerIDKey(address, t.id), append([]byte{t.unit}, u64(t.due)...))
	}
	if err == nil {
		err = h.state.Set(key(prefixTimers, address[:]), all.record())
	}
	return t.id, err
}

// Cancel takes back a timer of the running contract's.
func (h *host) Cancel(id uint64) (bool, error) {
	address := h.contract.Address
	value, ok, err := h.state.Get(timerIDKey(address, id))
	if err != nil || !ok {
		return false, err
	}
	if len(value) != 9 {
		return false, fmt.Errorf("timer %d of contract %s is damaged", id, address)
	}
	return true, removeTimer(h.state, address, value[0], binary.BigEndian.Uint64(value[1:]), id)
}

// removeTimer forgets a timer and finds the earliest of those that stay.
func removeTimer(overlay *state.Overlay, contract protocol.Address, unit byte, due, id uint64) error {
	all, err := readTimers(overlay, contract)
	if err != nil {
		return err
	}
	if err := overlay.Delete(timerKey(contract, unit, due, id)); err != nil {
		return err
	}
	if err := overlay.Delete(timerIDKey(contract, id)); err != nil {
		return err
	}
	rest, err := overlay.Scan(key(prefixTimer, contract[:], []byte{unit}), nil, 1)
	if err != nil {
		return err
	}
	all.pending--
	all.first[unit] = never
	if len(rest) == 1 {
		t, err := decodeTimer(rest[0])
		if err != nil {
			return err
		}
		all.first[unit] = t.due
	}
	return overlay.Set(key(prefixTimers, contract[:]), all.record())
}

// fireTimers runs the timers that are due, contract by contract: those by
// height, then those by time, each by due point and id. What does not fit into
// the gas waits for the next block.
func (x *execution) fireTimers(consumers []*consumer, blockGas *uint64) error {
	records, err := x.b.State().Scan([]byte{prefixTimers}, nil, maxContracts)
	if err != nil || len(records) == 0 {
		return err
	}
	due := make(map[protocol.Address]*timers, len(records))
	for _, kv := range records {
		if due[protocol.Address(kv.Key[1:])], err = decodeTimers(kv.Value); err != nil {
			return err
		}
	}
	now := [2]uint64{abi.UnitHeight: x.block.Height, abi.UnitTime: uint64(x.block.TimeMs)}
	for _, c := range consumers {
		all := due[c.Address]
		if all == nil || c.Paused {
			continue
		}
		for unit := range now {
			if all.first[unit] > now[unit] {
				continue
			}
			if err := x.fireUnit(c, byte(unit), now[unit], blockGas); err != nil {
				return err
			}
		}
	}
	return nil
}

// timerPage is how many timers are read at once.
const timerPage = 64

func (x *execution) fireUnit(c *consumer, unit byte, now uint64, blockGas *uint64) error {
	prefix := key(prefixTimer, c.Address[:], []byte{unit})
	var after []byte
	for {
		page, err := x.b.State().Scan(prefix, after, timerPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, kv := range page {
			after = kv.Key
			t, err := decodeTimer(kv)
			if err != nil {
				return err
			}
			if t.due > now || !x.affords(c, *blockGas) {
				return nil
			}
			x.spend(c, blockGas, gasPerScannedEntry)
			if t.set == x.block.Height {
				continue // it fires at a later height
			}
			if _, there, err := x.b.State().Get(kv.Key); err != nil || !there {
				if err != nil {
					return err
				}
				continue // a timer before it canceled it
			}
			if err := x.fire(c, t, blockGas); err != nil {
				return err
			}
		}
	}
}

// fire turns a timer into an entry of the log and delivers that.
func (x *execution) fire(c *consumer, t *timer, blockGas *uint64) error {
	if err := removeTimer(x.b.State(), c.Address, t.unit, t.due, t.id); err != nil {
		return err
	}
	act := protocol.TimerAct{ID: t.id, Handler: t.handler, Data: t.data}
	index := x.appendOwn(protocol.Entry{Kind: protocol.EntryTimer, Origin: c.Address, Cause: t.cause}, t.blind, 0, act.AppendBinary(nil))
	a, err := x.attempt(c.Contract, index, x.fresh[index-x.base])
	if err != nil {
		return err
	}
	x.spend(c, blockGas, a.gas)
	x.log(c.Address, index, protocol.Hash{}, a.result)
	return x.settle(c.Contract, index, a)
}

// timerInput builds the record of a timer that fired into x.input.
func (x *execution) timerInput(index uint64, payload Payload) (vm.Entrypoint, error) {
	decoded, err := protocol.DecodeAct(payload.Bytes)
	act, ok := decoded.(*protocol.TimerAct)
	if err != nil || !ok {
		return vm.Entrypoint{}, fmt.Errorf("payload of timer entry %d at rest is damaged", index)
	}
	header := abi.TimerHeader{Height: x.block.Height, TimeMs: uint64(x.block.TimeMs), Index: index, ID: act.ID, Data: act.Data}
	x.input = abi.AppendTimerHeader(x.input[:0], &header)
	return vm.Entrypoint{Kind: vm.Timer, Handler: act.Handler}, nil
}
