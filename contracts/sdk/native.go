//go:build !tinygo

package sdk

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// Host runs the registered handlers natively against a ledger in memory: a
// contract's unit tests. It keeps the rules of the real machine that a handler
// can notice: limits, read-only queries, deliveries that happen entirely or
// not at all. It has no gas, no WebAssembly memory and no signatures; and Go's
// global variables keep their values between deliveries, which on the ledger
// they do not.
//
// Fields may be set between deliveries. A Host is for one goroutine; several
// hosts may be used at once.
type Host struct {
	Height  uint64
	TimeMs  uint64
	Address [abi.AddressBytes]byte // of the contract

	State   map[string][]byte
	Emitted []Emission // by the deliveries that succeeded, in order
	Timers  []Pending  // set and neither fired nor canceled, by id
	Logged  []string   // by every delivery

	// Transcript, when set, gets every delivery with its outcome as text, in a
	// form that the built contract can be held against.
	Transcript io.Writer

	// Contracts answers the contract's calls of other contracts; without it,
	// there are none.
	Contracts func(contract [abi.AddressBytes]byte, method string, args []byte) CallResult

	// Verify answers the SDK's Verify, which has no native form of its own:
	// this package imports no cryptography. A handler that asks without it panics.
	Verify func(hash [abi.HashBytes]byte, signature [abi.SignatureBytes]byte, key [abi.PublicKeyBytes]byte) bool

	lastTimer uint64 // id that was given out
	bank      *Bank  // after OpenBank
}

// Pending is a timer that waits.
type Pending struct {
	ID      uint64
	Handler int
	ByTime  bool   // Due is Unix milliseconds, not a height
	Due     uint64 //
	Data    []byte
}

// Emission is an event that a contract emitted.
type Emission struct {
	Type, Subject string
	Data          []byte
}

// Failure is how a delivery ended that was undone.
type Failure struct {
	Code    uint32 // the contract's own, or 0 when it broke a rule of the host
	Message string
}

// Error renders the code and message.
func (f *Failure) Error() string {
	if f.Code == 0 {
		return "host misuse: " + f.Message
	}
	return fmt.Sprintf("contract aborted with code %d: %s", f.Code, f.Message)
}

// CodeOf is the contract's code in an error of Host, or 0.
func CodeOf(err error) uint32 {
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return 0
}

// NewHost answers a ledger at height 1 without state.
func NewHost() *Host { return &Host{Height: 1, State: map[string][]byte{}} }

// delivery is what one run of a handler did so far.
type delivery struct {
	host     *Host
	undo     []undo // of the state, in the order of the changes
	timers   []Pending
	lastID   uint64
	input    []byte
	output   []byte
	emitted  []Emission
	readOnly bool
}

// undo is what was under a key before a change; nil where nothing was.
type undo struct {
	key   string
	value []byte
}

// change sets a key of the state, or deletes it when value is nil.
func (d *delivery) change(key string, value []byte) {
	d.undo = append(d.undo, undo{key, d.host.State[key]})
	if value == nil {
		delete(d.host.State, key)
		return
	}
	d.host.State[key] = value
}

// rollBack restores the state from before the delivery.
func (d *delivery) rollBack() {
	for _, u := range slices.Backward(d.undo) {
		d.change(u.key, u.value)
	}
}

// running guards current, the delivery that the host functions act on.
var (
	running sync.Mutex
	current *delivery
)

// Init delivers the deployment's arguments.
func (h *Host) Init(args *Args) error {
	_, err := h.Deliver(EntryInit, 0, h.request(args))
	return err
}

// Event delivers an event to the handler with this index. Header fields that
// concern the block are the host's.
func (h *Host) Event(handler int, header abi.EventHeader, args *Args) error {
	header.Height, header.TimeMs = h.Height, h.TimeMs
	_, err := h.Deliver(EntryEvent, handler, append(abi.AppendEventHeader(nil, &header), args.bytes()...))
	return err
}

// Migrate delivers the arguments of an upgrade to this code.
func (h *Host) Migrate(args *Args) error {
	_, err := h.Deliver(EntryMigrate, 0, h.request(args))
	return err
}

// Fire takes the first timer that is due at the host's height and time, and
// delivers it. It answers false where none is. What a timer's handler fails at
// is lost to it, as on the ledger, where it becomes a dead letter.
func (h *Host) Fire() (bool, error) {
	at := slices.IndexFunc(h.Timers, func(p Pending) bool {
		return p.ByTime && p.Due <= h.TimeMs || !p.ByTime && p.Due <= h.Height
	})
	if at < 0 {
		return false, nil
	}
	p := h.Timers[at]
	h.Timers = slices.Delete(slices.Clone(h.Timers), at, at+1)
	header := abi.TimerHeader{Height: h.Height, TimeMs: h.TimeMs, ID: p.ID, Data: p.Data}
	_, err := h.Deliver(EntryTimer, p.Handler, abi.AppendTimerHeader(nil, &header))
	return true, err
}

// Call delivers a method call and answers what the contract replied.
func (h *Host) Call(handler int, args *Args) ([]byte, error) {
	return h.Deliver(EntryCall, handler, h.request(args))
}

// CallAs is Call for one caller; those of Call have none.
func (h *Host) CallAs(caller [abi.AddressBytes]byte, handler int, args *Args) ([]byte, error) {
	header := abi.CallHeader{Height: h.Height, TimeMs: h.TimeMs, Caller: caller}
	return h.Deliver(EntryCall, handler, append(abi.AppendCallHeader(nil, &header), args.bytes()...))
}

// Query asks and answers what the contract replied.
func (h *Host) Query(handler int, args *Args) ([]byte, error) {
	return h.Deliver(EntryQuery, handler, h.request(args))
}

func (h *Host) request(args *Args) []byte {
	header := abi.CallHeader{Height: h.Height, TimeMs: h.TimeMs}
	return append(abi.AppendCallHeader(nil, &header), args.bytes()...)
}

// Entry is one of a contract's entry points.
type Entry int

// The entry points of package abi.
const (
	EntryInit Entry = iota
	EntryEvent
	EntryCall
	EntryQuery
	EntryTimer
	EntryMigrate
)

// Deliver runs an entry point on a whole input record, as the machine would
// write it. It happens entirely, or has no effect and a *Failure. Panics of
// the handler itself pass through.
func (h *Host) Deliver(entry Entry, handler int, record []byte) (output []byte, err error) {
	before := len(h.Emitted)
	output, err = h.run(record, entry == EntryQuery, func(size uint32) {
		switch entry {
		case EntryInit:
			runInit(size)
		case EntryEvent:
			runEvent(uint32(handler), size)
		case EntryCall:
			runCall(uint32(handler), size)
		case EntryQuery:
			runQuery(uint32(handler), size)
		case EntryTimer:
			runTimer(uint32(handler), size)
		case EntryMigrate:
			runMigrate(size)
		}
	})
	if h.Transcript != nil {
		transcribe(h.Transcript, entry, handler, record, h.Emitted[before:], output, err)
	}
	return output, err
}

func (h *Host) run(input []byte, readOnly bool, enter func(size uint32)) (output []byte, err error) {
	running.Lock()
	defer running.Unlock()
	if h.State == nil {
		h.State = map[string][]byte{}
	}
	d := &delivery{host: h, input: input, readOnly: readOnly, timers: slices.Clone(h.Timers), lastID: h.lastTimer}
	current = d
	h.bank.expire()
	before := h.bank.copy()
	defer func() {
		current = nil
		if p := recover(); p != nil {
			d.rollBack()
			h.bank.restore(before)
			failure, ok := p.(*Failure)
			if !ok {
				panic(p)
			}
			output, err = nil, failure
		}
	}()
	enter(uint32(len(input)))
	h.Emitted, h.Timers, h.lastTimer = append(h.Emitted, d.emitted...), d.timers, d.lastID
	return d.output, nil
}

// misuse ends the delivery as the real host does, with HOST_MISUSE.
func misuse(format string, args ...any) { panic(&Failure{Message: fmt.Sprintf(format, args...)}) }

// limit ends the delivery when a length is outside its bounds.
func limit(what string, n, low, high int) {
	if n < low || n > high {
		misuse("%s has %d bytes, allowed are %d to %d", what, n, low, high)
	}
}

func writable(what string) {
	if current.readOnly {
		misuse("%s in a query", what)
	}
}

func hostInput(size uint32) []byte { return bytes.Clone(current.input[:size]) }

func hostOutput(b []byte) {
	limit("the output", len(current.output)+len(b), 0, abi.MaxOutputBytes)
	current.output = append(current.output, b...)
}

func hostStateGet(key, dst []byte) int32 {
	limit("a key", len(key), 1, abi.MaxKeyBytes)
	value, ok := current.host.State[string(key)]
	if !ok {
		return abi.NotFound
	}
	copy(dst, value)
	return int32(len(value))
}

func hostStateSet(key, value []byte) {
	writable("state_set")
	limit("a key", len(key), 1, abi.MaxKeyBytes)
	limit("a value", len(value), 0, abi.MaxValueBytes)
	current.change(string(key), append([]byte{}, value...))
}

func hostStateDelete(key []byte) {
	writable("state_delete")
	limit("a key", len(key), 1, abi.MaxKeyBytes)
	current.change(string(key), nil)
}

func hostStateScan(prefix, after []byte, count uint32, dst []byte) int32 {
	limit("a scan's prefix", len(prefix), 0, abi.MaxKeyBytes)
	limit("a scan's start", len(after), 0, abi.MaxKeyBytes)
	if count == 0 || count > abi.MaxScanPairs {
		misuse("a scan of %d pairs, allowed are 1 to %d", count, abi.MaxScanPairs)
	}
	page := dst[:0]
	for _, key := range slices.Sorted(maps.Keys(current.host.State)) {
		if count == 0 || len(prefix) > len(key) || key[:len(prefix)] != string(prefix) {
			continue
		}
		if len(after) > 0 && key <= string(after) {
			continue
		}
		value := current.host.State[key]
		size := 8 + len(key) + len(value)
		if size > cap(dst)-len(page) {
			if len(page) == 0 {
				return -int32(size)
			}
			break
		}
		page = abi.AppendRun(abi.AppendRun(page, []byte(key)), value)
		count--
	}
	return int32(len(page))
}

func hostEmit(eventType string, subject, data []byte) {
	writable("emit")
	limit("an emitted type", len(eventType), 1, abi.MaxEmitAttribute)
	limit("an emitted subject", len(subject), 0, abi.MaxEmitAttribute)
	limit("emitted data", len(data), 1, abi.MaxEmitData)
	if len(current.emitted) == abi.MaxEmissions {
		misuse("more than %d events emitted", abi.MaxEmissions)
	}
	current.emitted = append(current.emitted, Emission{eventType, string(subject), bytes.Clone(data)})
}

func hostBlockHeight() uint64               { return current.host.Height }
func hostBlockTimeMs() uint64               { return current.host.TimeMs }
func hostSelf() [abi.AddressBytes]byte      { return current.host.Address }
func hostSHA256(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

func hostVerify(hash *[abi.HashBytes]byte, signature *[abi.SignatureBytes]byte, key *[abi.PublicKeyBytes]byte) bool {
	if current.host.Verify == nil {
		panic("sdk: a native test of Verify sets Host.Verify")
	}
	return current.host.Verify(*hash, *signature, *key)
}

func hostCall(contract *[abi.AddressBytes]byte, method string, args []byte, _ uint64, dst []byte) uint64 {
	writable("call")
	limit("a method", len(method), 1, abi.MaxName)
	limit("a call's arguments", len(args), 0, abi.MaxCallArgs)
	if current.host.Contracts == nil {
		return 202 << 32 // CONTRACT_UNKNOWN
	}
	r := current.host.Contracts(*contract, method, bytes.Clone(args))
	if r.Code != 0 {
		return uint64(r.Code)<<32 | uint64(r.Guest)
	}
	copy(dst, r.Answer)
	return uint64(len(r.Answer))
}

func hostSchedule(handler, unit uint32, due uint64, data []byte) uint64 {
	writable("schedule")
	limit("a timer's data", len(data), 0, abi.MaxTimerData)
	if len(current.timers) == abi.MaxTimers {
		misuse("%d timers are pending", abi.MaxTimers)
	}
	current.lastID++
	current.timers = append(current.timers, Pending{current.lastID, int(handler), unit == abi.UnitTime, due, bytes.Clone(data)})
	return current.lastID
}

func hostCancel(id uint64) bool {
	writable("cancel")
	before := len(current.timers)
	current.timers = slices.DeleteFunc(current.timers, func(p Pending) bool { return p.ID == id })
	return len(current.timers) < before
}

func hostLog(line string) {
	current.host.Logged = append(current.host.Logged, line[:min(len(line), abi.MaxLogBytes)])
}

func hostAbort(code uint32, message string) {
	if code == 0 {
		misuse("abort with code 0")
	}
	panic(&Failure{Code: code, Message: message})
}
