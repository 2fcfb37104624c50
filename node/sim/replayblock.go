package sim

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Gas of a delivery outside the guest: the machine's prices. When a contract
// was behind, they decide which block delivers what.
const (
	gasPerScannedEntry = 500
	gasPerDelivery     = 2_000
	gasPerInputByte    = 10
)

func deliveryGas(run *ReplayedRun) uint64 {
	return run.Gas + gasPerDelivery + gasPerInputByte*uint64(len(run.Input))
}

// budget is what the contract may still spend in a block.
type budget struct{ left, need uint64 }

// affords says whether a delivery may start: with its whole limit at hand.
func (b *budget) affords() bool    { return b.left >= b.need }
func (b *budget) spend(gas uint64) { b.left -= min(gas, b.left) }

// place orders entries by block and index; the index alone would put what only
// a new version emits behind all blocks.
func place(p *Past) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, p.Height), p.Index)
}

// next is the event that the contract gets next, in this block or a later one;
// nil where the history has none.
func (r *replayer) next() *Past {
	for r.look = max(r.look, r.events); r.look < len(r.h.Past); r.look++ {
		p := &r.h.Past[r.look]
		if _, subscribed := subscription(r.version.manifest, p.Kind, p.Event, p.Act); subscribed && !r.h.own(p) {
			break
		}
	}
	if len(r.emitted) > 0 && (r.look == len(r.h.Past) || bytes.Compare(place(&r.emitted[0]), place(&r.h.Past[r.look])) < 0) {
		own := r.emitted[0]
		return &own
	}
	if r.look < len(r.h.Past) {
		return &r.h.Past[r.look]
	}
	return nil
}

// pass moves on behind the event that next answered.
func (r *replayer) pass(e *Past) {
	if r.h.own(e) {
		r.emitted = r.emitted[1:]
	} else {
		r.events = r.look + 1
	}
	if e.Index < r.h.Size {
		r.cursor = max(r.cursor, e.Index+1)
	}
	r.attempts, r.after = 0, 0
}

// nextHeight is the next block in which the contract does something, or a
// height beyond the history.
func (r *replayer) nextHeight() (uint64, error) {
	next := r.h.Height + 1
	for i := r.acts; i < len(r.h.Past); i++ {
		if act, ok := r.h.Past[i].Act.(*protocol.ContractAct); ok && act.Contract == r.h.Contract {
			next = min(next, r.h.Past[i].Height)
			break
		}
		r.acts = i + 1
	}
	if r.paused {
		return next, nil
	}
	if e := r.next(); !r.caught {
		next = min(next, max(r.height+1, r.after))
	} else if e != nil {
		next = min(next, max(e.Height, r.height+1))
	}
	due := [2]uint64{abi.UnitHeight: ^uint64(0), abi.UnitTime: ^uint64(0)}
	for i := range r.host.timers {
		due[r.host.timers[i].unit] = min(due[r.host.timers[i].unit], r.host.timers[i].due)
	}
	next = min(next, max(due[abi.UnitHeight], r.height+1))
	if to := min(next, r.h.Height); due[abi.UnitTime] != ^uint64(0) && to > r.height {
		first, there, err := r.h.firstAt(due[abi.UnitTime], r.height+1, to)
		if err != nil {
			return 0, err
		}
		if there {
			next = min(next, first)
		}
	}
	return next, nil
}

// block fires the timers that are due and delivers what the gas suffices for.
func (r *replayer) block(height uint64) error {
	first, end := r.h.span(height)
	if r.caught {
		r.cursor = max(r.cursor, first)
	}
	r.caught = false
	if r.paused {
		return nil
	}
	p := &r.h.Params
	b := budget{left: min(p.ContractGas, p.BlockGas), need: p.DeliveryGas + gasPerDelivery + gasPerInputByte*abi.MaxInputBytes}
	for unit, now := range [2]uint64{abi.UnitHeight: height, abi.UnitTime: r.timeMs} {
		if err := r.fire(byte(unit), now, &b); err != nil {
			return err
		}
	}
	if len(r.version.manifest.Events) == 0 {
		r.caught = true
		return nil
	}
	if height < r.after {
		return nil
	}
	return r.drain(first, end, &b)
}

// drain delivers until the contract has caught up, gas is short or an entry is
// to be tried again.
func (r *replayer) drain(first, end uint64, b *budget) error {
	for {
		e := r.next()
		if e != nil && e.Height > r.height {
			e = nil
		}
		target := end
		if e != nil {
			target = min(target, e.Index)
		}
		for ; r.cursor < target; r.cursor++ { // looks at what is not for the contract
			if !b.affords() {
				return nil
			}
			if r.cursor < first {
				b.spend(gasPerScannedEntry)
			}
		}
		if e == nil {
			r.caught = true
			return nil
		}
		if !b.affords() {
			return nil
		}
		run, err := r.attempt(e, nil, e.Index)
		if err != nil {
			return err
		}
		b.spend(deliveryGas(run))
		if e.Index < first {
			b.spend(gasPerScannedEntry)
		}
		retries := r.version.manifest.Events[run.Handler].Retries
		if run.Code == protocol.CodeContractAborted && r.attempts < retries {
			run.Again = true
			r.note(*run)
			r.after = r.height + 1<<r.attempts
			r.attempts++
			return nil
		}
		r.settle(run, deadItem{event: e})
		r.pass(e)
	}
}

// settle notes a delivery that is decided.
func (r *replayer) settle(run *ReplayedRun, item deadItem) {
	r.note(*run)
	if run.Code != protocol.CodeOK {
		item.DeadLetter = DeadLetter{run.Index, run.Code, run.GuestCode}
		r.dead[run.Index] = item
	}
}

// fire runs the timers of one unit that are due, by due point and id.
func (r *replayer) fire(unit byte, now uint64, b *budget) error {
	var due []replayTimer
	for _, t := range r.host.timers {
		if t.unit == unit && t.due <= now && t.set < r.height {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b replayTimer) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id)) })
	for i := range due {
		t := &due[i]
		if !b.affords() {
			return nil
		}
		b.spend(gasPerScannedEntry)
		if !r.host.remove(t.id) {
			continue // a timer before it canceled it
		}
		index, known := r.fired[t.id]
		if !known {
			index = r.beyond()
		}
		run, err := r.attempt(nil, t, index)
		if err != nil {
			return err
		}
		b.spend(deliveryGas(run))
		r.settle(run, deadItem{timer: t})
	}
	return nil
}

// replayTimer is a timer that waits.
type replayTimer struct {
	id, due, set uint64 // set: the height that set it
	unit         byte
	handler      uint32
	data         []byte
}

// replayHost is the ledger as a replayed run sees it: a rerun's, with timers.
type replayHost struct {
	rerunHost
	r      *replayer
	timers []replayTimer
	last   uint64 // id that was given out

	undo []func() // of the timers that the run under way changed
}

func (h *replayHost) init(r *replayer) {
	h.r = r
	h.base, h.contract, h.hopLimit = &r.state, r.h.Contract, r.h.Params.HopLimit
}

func (h *replayHost) begin(hop uint8, eventTime int64) {
	h.hop, h.eventTime, h.written, h.emitted, h.undo = hop, eventTime, map[string][]byte{}, nil, nil
}

// keep makes what the run wrote the contract's state.
func (h *replayHost) keep() {
	for _, name := range slices.Sorted(maps.Keys(h.written)) {
		h.r.state.set(ValueKey(h.contract, name), h.written[name])
	}
}

// drop takes back what the run did to the timers.
func (h *replayHost) drop() {
	for _, undo := range slices.Backward(h.undo) {
		undo()
	}
}

// Call finds the state of no other contract.
func (h *replayHost) Call(vm.CallRequest) (vm.CallResult, error) {
	return vm.CallResult{}, errCallsOthers
}

// Balance finds none either.
func (h *replayHost) Balance(string, protocol.Address) (uint64, error) { return 0, errHasTokens }

// Token moves none.
func (h *replayHost) Token(*protocol.TokenOp) (vm.TokenResult, error) {
	return vm.TokenResult{}, errHasTokens
}

// Schedule sets a timer.
func (h *replayHost) Schedule(q vm.TimerRequest) (uint64, error) {
	if n := len(h.r.version.manifest.Timers); int(q.Handler) >= n {
		return 0, protocol.Refuse(protocol.CodeHostMisuse, "timer handler %d of %d", q.Handler, n)
	}
	if len(h.timers) >= abi.MaxTimers {
		return 0, protocol.Refuse(protocol.CodeTimerLimit, "%d timers are pending, and no more can be", len(h.timers))
	}
	h.last++
	t := replayTimer{id: h.last, due: q.At, set: h.r.height, unit: abi.UnitHeight, handler: q.Handler, data: q.Data}
	if q.ByTime {
		t.unit = abi.UnitTime
	}
	h.timers = append(h.timers, t)
	h.undo = append(h.undo, func() {
		h.remove(t.id)
		h.last--
	})
	return t.id, nil
}

// Cancel takes a timer back.
func (h *replayHost) Cancel(id uint64) (bool, error) {
	at := h.find(id)
	if at < 0 {
		return false, nil
	}
	t := h.timers[at]
	h.undo = append(h.undo, func() { h.timers = append(h.timers, t) })
	return h.remove(id), nil
}

func (h *replayHost) find(id uint64) int {
	return slices.IndexFunc(h.timers, func(t replayTimer) bool { return t.id == id })
}

func (h *replayHost) remove(id uint64) bool {
	at := h.find(id)
	if at >= 0 {
		h.timers = slices.Delete(h.timers, at, at+1)
	}
	return at >= 0
}

// memory is a state without proofs, in the order of its keys.
type memory struct {
	values map[string][]byte
	names  []string
}

// Get reads a value.
func (m *memory) Get(key []byte) ([]byte, bool, error) {
	value, ok := m.values[string(key)]
	return value, ok, nil
}

// Scan lists pairs under a prefix after a key.
func (m *memory) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	at, _ := slices.BinarySearch(m.names, string(prefix))
	if len(after) > 0 {
		i, found := slices.BinarySearch(m.names, string(after))
		if found {
			i++
		}
		at = max(at, i)
	}
	var found []state.KV
	for ; at < len(m.names) && len(found) < limit && strings.HasPrefix(m.names[at], string(prefix)); at++ {
		found = append(found, state.KV{Key: []byte(m.names[at]), Value: m.values[m.names[at]]})
	}
	return found, nil
}

// set stores a value; nil deletes.
func (m *memory) set(key []byte, value []byte) {
	name := string(key)
	at, found := slices.BinarySearch(m.names, name)
	switch {
	case value == nil && found:
		m.names = slices.Delete(m.names, at, at+1)
		delete(m.values, name)
	case value != nil && !found:
		m.names = slices.Insert(m.names, at, name)
		fallthrough
	case value != nil:
		m.values[name] = value
	}
}
