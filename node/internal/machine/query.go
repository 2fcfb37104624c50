package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// queryHost lets a contract read a past or present state and nothing else.
type queryHost struct {
	vm.Alone
	state  State
	prefix []byte
}

var errReadOnly = protocol.Refuse(protocol.CodeHostMisuse, "a query cannot change anything")

func (h *queryHost) own(name []byte) []byte {
	return append(append(make([]byte, 0, 21+len(name)), h.prefix...), name...)
}

func (h *queryHost) Get(name []byte) ([]byte, bool, error) { return h.state.Get(h.own(name)) }
func (h *queryHost) Set(_, _ []byte) error                 { return errReadOnly }
func (h *queryHost) Delete(_ []byte) error                 { return errReadOnly }
func (h *queryHost) Emit(vm.Emission) error                { return errReadOnly }

func (h *queryHost) Scan(prefix, after []byte, limit int) ([]vm.KV, error) {
	var from []byte
	if len(after) > 0 {
		from = h.own(after)
	}
	return scanOwn(h.state, h.own(prefix), from, limit)
}

// Query asks a contract a question about the state of one block. args is a
// JSON object; the answer is what the contract wrote. A refusal carries a
// code; it is never consensus.
func (m *Machine) Query(ctx context.Context, s State, head store.Head, contract *Contract, method string, args []byte) ([]byte, error) {
	params, err := m.params(head.Params)
	if err != nil {
		return nil, err
	}
	handler, ok := contract.Manifest.Query(method)
	if !ok {
		return nil, protocol.Refuse(protocol.CodeMethodUnknown, "contract %s has no query %q", contract.Manifest.Name, method)
	}
	program, err := m.program(s, contract)
	if err != nil {
		return nil, err
	}
	header := abi.CallHeader{Height: head.Height, TimeMs: uint64(head.TimeMs)}
	input, err := contract.rules.queries[handler].Append(abi.AppendCallHeader(nil, &header), args)
	if err != nil {
		return nil, err
	}
	env := vm.Env{Height: head.Height, TimeMs: uint64(head.TimeMs), Self: contract.Address}
	host := &queryHost{state: s, prefix: key(prefixValue, contract.Address[:])}
	result, err := program.Run(ctx, vm.Entrypoint{Kind: vm.Query, Handler: handler}, env, input, params.DeliveryGas, host)
	if err != nil {
		return nil, err
	}
	if result.Code != protocol.CodeOK {
		return nil, protocol.Refuse(result.Code, "contract %s: %s", contract.Manifest.Name, guestText(result))
	}
	return result.Output, nil
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Index uint64 // of the entry that was being delivered
	protocol.DeadLetterAct
}

// DeadLetters lists a contract's dead letters after an index, ascending.
func DeadLetters(s State, contract protocol.Address, after *uint64, limit int) ([]DeadLetter, error) {
	prefix := key(prefixDead, contract[:])
	var from []byte
	if after != nil {
		from = append(append([]byte(nil), prefix...), u64(*after)...)
	}
	found, err := s.Scan(prefix, from, limit)
	if err != nil {
		return nil, err
	}
	letters := make([]DeadLetter, 0, len(found))
	for _, kv := range found {
		act, err := protocol.DecodeAct(kv.Value)
		letter, ok := act.(*protocol.DeadLetterAct)
		if err != nil || !ok || len(kv.Key) != len(prefix)+8 {
			return nil, fmt.Errorf("dead letter %x is damaged", kv.Key)
		}
		letters = append(letters, DeadLetter{binary.BigEndian.Uint64(kv.Key[len(prefix):]), *letter})
	}
	return letters, nil
}

// Lag is how many log entries a contract has not looked at yet.
func Lag(s State, contract protocol.Address, logSize uint64) (uint64, error) {
	at, err := readCursor(s, contract)
	if err != nil || at == nil {
		return 0, err
	}
	return logSize - at.index, nil
}

// Retrying is the entry a contract is trying again, and how often it was
// aborted so far; ok is false where there is none.
func Retrying(s State, contract protocol.Address) (index uint64, attempts int, ok bool, err error) {
	at, err := readCursor(s, contract)
	if err != nil || at == nil || at.attempts == 0 {
		return 0, 0, false, err
	}
	return at.index, int(at.attempts), true, nil
}

// PendingTimers is how many timers of a contract wait to fire.
func PendingTimers(s State, contract protocol.Address) (uint64, error) {
	all, err := readTimers(s, contract)
	if err != nil {
		return 0, err
	}
	return all.pending, nil
}

// StreamNext is the next sequence of a producer's stream; 0 for a new one.
func StreamNext(s State, producer protocol.Address, stream string) (uint64, error) {
	value, ok, err := s.Get(StreamKey(producer, stream))
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 8 {
		return 0, errors.New("stream record is damaged")
	}
	return binary.BigEndian.Uint64(value), nil
}

// RecordedOutcome is an outcome and the height that decided it.
type RecordedOutcome struct {
	protocol.Outcome
	Height uint64
}

// Lookup reads the side tables of committed blocks.
type Lookup interface {
	Side(key []byte) (value []byte, ok bool, err error)
	SideBefore(key []byte) (k, v []byte, ok bool, err error)
}

// TxOutcome finds what a transaction came to; ok is false while unknown.
func TxOutcome(side Lookup, id protocol.Hash) (RecordedOutcome, bool, error) {
	value, ok, err := side.Side(key(sideOutcome, id[:]))
	if err != nil || !ok {
		return RecordedOutcome{}, false, err
	}
	if len(value) < 8 {
		return RecordedOutcome{}, false, errors.New("outcome record is damaged")
	}
	outcome, err := protocol.DecodeOutcome(value[8:])
	return RecordedOutcome{outcome, binary.BigEndian.Uint64(value)}, err == nil, err
}

// FindEvent finds the entry of an event a producer submitted, by its
// CloudEvents identity.
func FindEvent(side Lookup, producer protocol.Address, source, id string) (index uint64, ok bool, err error) {
	sourceKey := protocol.NewSourceKey(source, id)
	value, ok, err := side.Side(key(sideSource, sourceKey[:], producer[:]))
	if err != nil || !ok {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, errors.New("source record is damaged")
	}
	return binary.BigEndian.Uint64(value), true, nil
}

// FindEventOfAny finds an event by its identity whoever submitted it; where
// several did, the producer with the greatest address.
func FindEventOfAny(side Lookup, source, id string) (index uint64, ok bool, err error) {
	sourceKey := protocol.NewSourceKey(source, id)
	prefix := key(sideSource, sourceKey[:])
	last := protocol.Address{}
	for i := range last {
		last[i] = 0xff
	}
	k, v, ok, err := side.SideBefore(append(prefix, last[:]...))
	if err != nil || !ok || len(k) != len(prefix)+20 || string(k[:len(prefix)]) != string(prefix) {
		return 0, false, err
	}
	if len(v) != 8 {
		return 0, false, errors.New("source record is damaged")
	}
	return binary.BigEndian.Uint64(v), true, nil
}

// StreamName tells whose stream an id is and its name.
func StreamName(side Lookup, stream protocol.StreamID) (producer protocol.Address, name string, ok bool, err error) {
	value, ok, err := side.Side(key(sideStream, stream[:]))
	if err != nil || !ok || len(value) < 20 {
		return producer, "", false, err
	}
	return protocol.Address(value), string(value[20:]), true, nil
}
