package vm

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// hostModel says what a script of host calls comes to, in plain Go and from
// docs/contracts.md: no WebAssembly, no metering. It counts gas too.
type hostModel struct {
	script   *hostScript
	query    bool
	input    []byte
	memory   []byte
	state    []KV // ascending
	events   []Emission
	timers   []bool // by id less one: pending
	nested   int    // calls around this one
	output   []byte
	log      int
	gas      int64
	code     protocol.Code
	guest    uint32
	finished bool // the run ended early: nothing happens any more
}

// The prices of docs/contracts.md.
const (
	modelCross, modelByte, modelGet, modelSet, modelStateByte, modelDelete = 120, 1, 3_000, 9_000, 8, 9_000
	modelScan, modelPair, modelEmit, modelEmitByte                         = 6_000, 600, 12_000, 12
	modelHash, modelHashByte, modelVerify, modelLog, modelFailure          = 600, 8, 500_000, 300, 10_000
	modelContract, modelArgByte, modelTimer                                = 30_000, 10, 30_000
	modelConst, modelCall, modelMemory                                     = 1, 6, 6
)

// newHostModel begins a run of a script with its memory's image.
func newHostModel(s *hostScript, input []byte) *hostModel {
	m := &hostModel{script: s, input: input, memory: make([]byte, wasmPage)}
	copy(m.memory, scriptData)
	copy(m.memory[signedAt:], s.signed)
	return m
}

// run answers the gas used.
func (m *hostModel) run(limit uint64) uint64 {
	m.gas = int64(limit)
	if m.pay(uint64(len(m.memory)) / 16); m.finished {
		return limit
	}
	m.enter(0)
	if !m.finished {
		switch {
		case m.script.answer > 0:
			m.stop(protocol.CodeContractAborted)
			m.guest = uint32(m.script.answer)
		case m.script.answer < 0:
			m.stop(protocol.CodeContractTrap)
		}
	}
	used := limit - uint64(max(m.gas, 0))
	if m.finished {
		m.output = nil
		used = min(used+modelFailure, limit)
	}
	return used
}

func (m *hostModel) stop(code protocol.Code) {
	if !m.finished {
		m.finished, m.code = true, code
	}
}

func (m *hostModel) pay(cost uint64) {
	if m.finished {
		return
	}
	if m.gas -= int64(cost); m.gas < 0 {
		m.stop(protocol.CodeOutOfGas)
	}
}

// misuse ends the run when a condition holds.
func (m *hostModel) misuse(when bool) {
	if when {
		m.stop(protocol.CodeHostMisuse)
	}
}

// at answers guest memory, nil once the run has ended.
func (m *hostModel) at(ptr, size uint64) []byte {
	m.misuse(ptr+size > uint64(len(m.memory)))
	if m.finished {
		return nil
	}
	return m.memory[ptr:][:size]
}

func (m *hostModel) enter(function int) {
	uses := m.script.functions[function]
	cost := uint64(0)
	for i := range uses {
		cost += uses[i].staticCost()
	}
	if function == 0 {
		cost += modelConst // the answer
	}
	m.pay(cost)
	for i := range uses {
		if m.finished {
			return
		}
		u := &uses[i]
		if u.helper > 0 {
			m.enter(u.helper)
			continue
		}
		v := m.use(u)
		switch {
		case m.finished || u.store < 0 || hostResult(u.name) == "":
		case hostResult(u.name) == "l":
			binary.LittleEndian.PutUint64(m.memory[u.store:], v)
		default:
			binary.LittleEndian.PutUint32(m.memory[u.store:], uint32(v))
		}
	}
}

func (m *hostModel) term(t term) uint64 {
	switch {
	case t.wide:
		return uint64(int64(t.value))
	case t.call != nil:
		return m.use(t.call)
	case t.load:
		return uint64(binary.LittleEndian.Uint32(m.memory[t.value:]))
	}
	return uint64(uint32(t.value))
}

// args are a call's arguments, i32 zero-extended.
type args [8]uint64

// use evaluates the arguments, then calls.
func (m *hostModel) use(u *hostUse) uint64 {
	var a args
	for i, t := range u.args {
		if a[i] = m.term(t); m.finished {
			return 0
		}
	}
	if m.pay(modelCross); m.finished {
		return 0
	}
	switch u.name {
	case abi.HostStateSet, abi.HostStateDelete, abi.HostEmit, abi.HostCall, abi.HostSchedule, abi.HostCancel:
		if m.misuse(m.query); m.finished {
			return 0
		}
	}
	return m.host(u.name, a)
}

func (m *hostModel) host(name string, a args) uint64 {
	switch name {
	case abi.HostInput:
		m.pay(a[2] * modelByte)
		m.misuse(a[0]+a[2] > uint64(len(m.input)))
		if to := m.at(a[1], a[2]); !m.finished {
			copy(to, m.input[a[0]:])
		}
	case abi.HostOutput:
		m.pay(a[1] * modelByte)
		m.misuse(uint64(len(m.output))+a[1] > abi.MaxOutputBytes)
		m.output = append(m.output, m.at(a[0], a[1])...)
	case abi.HostBlockHeight:
		return testEnv.Height
	case abi.HostBlockTimeMs:
		return testEnv.TimeMs
	case abi.HostSelf:
		copy(m.at(a[0], abi.AddressBytes), testEnv.Self[:])
	case abi.HostSHA256:
		m.pay(modelHash + a[1]*modelHashByte)
		m.misuse(a[1] > abi.MaxHashInput)
		sum := sha256.Sum256(m.at(a[0], a[1]))
		copy(m.at(a[2], abi.HashBytes), sum[:])
	case abi.HostVerify:
		m.pay(modelVerify)
		hash, signature, key := m.at(a[0], 32), m.at(a[1], 64), m.at(a[2], 33)
		if !m.finished && string(hash)+string(signature)+string(key) == m.script.signed {
			return 1
		}
	case abi.HostLog:
		m.pay(modelLog + a[1]*modelByte)
		if m.at(a[0], a[1]); !m.finished {
			m.log++
		}
	case abi.HostAbort:
		m.pay(a[2] * modelByte)
		m.at(a[1], a[2])
		m.misuse(int32(uint32(a[0])) <= 0)
		if !m.finished {
			m.guest = uint32(a[0])
		}
		m.stop(protocol.CodeContractAborted)
	default:
		return m.stateful(name, a)
	}
	return 0
}

// key answers a valid key.
func (m *hostModel) key(ptr, size uint64) []byte {
	m.misuse(size == 0 || size > abi.MaxKeyBytes)
	return m.at(ptr, size)
}

// find answers where a key is or belongs.
func (m *hostModel) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.state, key, func(kv KV, key []byte) int { return cmp.Compare(string(kv.Key), string(key)) })
}

func (m *hostModel) stateful(name string, a args) uint64 {
	switch name {
	case abi.HostStateGet:
		m.pay(modelGet)
		i, ok := m.find(m.key(a[0], a[1]))
		if m.finished || !ok {
			return 0xffff_ffff
		}
		value := m.state[i].Value
		n := min(uint64(len(value)), a[3])
		m.pay(n * modelByte)
		copy(m.at(a[2], n), value)
		return uint64(len(value))
	case abi.HostStateSet:
		m.pay(modelSet + (a[1]+a[3])*modelStateByte)
		key := m.key(a[0], a[1])
		m.misuse(a[3] > abi.MaxValueBytes)
		value := bytes.Clone(m.at(a[2], a[3]))
		if m.finished {
			return 0
		}
		if i, ok := m.find(key); ok {
			m.state[i].Value = value
		} else {
			m.state = slices.Insert(m.state, i, KV{bytes.Clone(key), value})
		}
	case abi.HostStateDelete:
		m.pay(modelDelete)
		if i, ok := m.find(m.key(a[0], a[1])); ok && !m.finished {
			m.state = slices.Delete(m.state, i, i+1)
		}
	case abi.HostEmit:
		m.pay(modelEmit + (a[1]+a[3]+a[5])*modelEmitByte)
		m.misuse(a[1] == 0 || a[1] > abi.MaxEmitAttribute || a[3] > abi.MaxEmitAttribute)
		m.misuse(a[5] == 0 || a[5] > abi.MaxEmitData || len(m.events) >= abi.MaxEmissions)
		e := Emission{m.at(a[0], a[1]), m.at(a[2], a[3]), m.at(a[4], a[5])}
		if !m.finished {
			m.events = append(m.events, Emission{bytes.Clone(e.Type), bytes.Clone(e.Subject), bytes.Clone(e.Data)})
		}
	case abi.HostStateScan:
		return uint64(uint32(m.scan(a)))
	case abi.HostCall:
		return m.call(a)
	case abi.HostSchedule:
		m.pay(modelTimer + a[4]*modelStateByte)
		m.misuse(a[1] > 1 || a[2] > math.MaxInt64 || a[4] > abi.MaxTimerData)
		if m.at(a[3], a[4]); !m.finished {
			m.timers = append(m.timers, true)
		}
		return uint64(len(m.timers))
	case abi.HostCancel:
		m.pay(modelTimer)
		if i := a[0] - 1; !m.finished && i < uint64(len(m.timers)) && m.timers[i] {
			m.timers[i] = false
			return 1
		}
	default:
		panic("no model of " + name)
	}
	return 0
}

// call runs the script again, in a memory of its own.
func (m *hostModel) call(a args) uint64 {
	m.pay(modelContract + (a[2]+a[4])*modelArgByte)
	m.misuse(a[2] == 0 || a[2] > protocol.MaxMethodName || a[4] > abi.MaxCallArgs)
	answer, _, _, input := m.at(a[6], a[7]), m.at(a[0], abi.AddressBytes), m.at(a[1], a[2]), m.at(a[3], a[4])
	if m.finished {
		return 0
	}
	limit := uint64(m.gas)
	if a[5] != 0 {
		limit = min(limit, a[5])
	}
	if m.nested == maxNested {
		return uint64(protocol.CodeContractUnknown) << 32
	}
	inner := newHostModel(m.script, bytes.Clone(input))
	inner.nested, inner.state, inner.timers = m.nested+1, slices.Clone(m.state), slices.Clone(m.timers)
	m.pay(inner.run(limit))
	low := 0
	switch inner.code {
	case protocol.CodeOK:
		m.state, m.timers, m.events = inner.state, inner.timers, append(m.events, inner.events...)
		low = len(inner.output)
		m.pay(uint64(min(low, len(answer))) * modelByte)
		if !m.finished {
			copy(answer, inner.output)
		}
	case protocol.CodeContractAborted:
		low = int(inner.guest)
	}
	return uint64(inner.code)<<32 | uint64(low)
}

// scan looks at pairs in pages of 16, each paid for whole.
func (m *hostModel) scan(a args) int32 {
	limit := int(a[4])
	m.misuse(a[1] > abi.MaxKeyBytes || a[3] > abi.MaxKeyBytes || limit < 1 || limit > abi.MaxScanPairs)
	m.pay(modelScan)
	page, prefix, after := m.at(a[5], a[6]), bytes.Clone(m.at(a[0], a[1])), string(m.at(a[2], a[3]))
	written, got := 0, 0
	for _, kv := range m.state {
		if !bytes.HasPrefix(kv.Key, prefix) || after != "" && string(kv.Key) <= after || got == limit || m.finished {
			continue
		}
		if got%16 == 0 {
			m.pay(uint64(min(limit-got, 16)) * modelPair)
		}
		got++
		size := 8 + len(kv.Key) + len(kv.Value)
		if size > len(page)-written {
			if written == 0 {
				return -int32(size)
			}
			return int32(written)
		}
		if m.pay(uint64(size) * modelByte); m.finished {
			return 0
		}
		for _, part := range [][]byte{kv.Key, kv.Value} {
			binary.LittleEndian.PutUint32(page[written:], uint32(len(part)))
			written += 4 + copy(page[written+4:], part)
		}
	}
	if got%16 == 0 && got < limit { // the look that finds nothing more
		m.pay(uint64(min(limit-got, 16)) * modelPair)
	}
	return int32(written)
}
