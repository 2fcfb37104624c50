package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// ErrNotTested says that a run cannot be repeated alone, so that nothing can
// be said about what it would have come to otherwise.
var ErrNotTested = errors.New("sim: the run cannot be repeated alone")

// Depends says which of the keys that a run read its result depends on: the
// run is repeated once for each, without it. The result is one entry that the
// run led to: an event it emitted, or its dead letter. Runs that call others,
// set timers or move tokens cannot be repeated alone.
func (s *Sandbox) Depends(g *Ground, cause *Entry, t *Trace, result *Entry) ([]bool, error) {
	r, err := s.alone(g, t)
	if err != nil {
		return nil, err
	}
	same := func(without int) (bool, error) {
		m := &memory{values: map[string][]byte{}}
		for i, kv := range t.Read {
			if i != without {
				m.set(kv.Key, kv.Value)
			}
		}
		r.host = rerunHost{base: m, contract: t.Contract, kept: map[string][]byte{}, hopLimit: r.params.HopLimit}
		run, err := r.repeat(cause)
		if err != nil {
			return false, err
		}
		return run.ledTo(result), nil
	}
	if held, err := same(-1); err != nil || !held {
		return nil, fmt.Errorf("%w: %w", ErrNotTested, errors.Join(err, errOtherResult))
	}
	depends := make([]bool, len(t.Read))
	for i := range t.Read {
		held, err := same(i)
		depends[i] = err != nil || !held
	}
	return depends, nil
}

var errOtherResult = errors.New("it comes to something else than in its block")

// alone prepares to run one contract on a few values.
func (s *Sandbox) alone(g *Ground, t *Trace) (*rerun, error) {
	before := &elsewhere{g: g}
	contract, err := s.machine.Contract(before, t.Contract)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTested, err)
	}
	r := &rerun{contract: contract}
	if r.params, err = genesis.DecodeParams(g.Params); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	if r.program = s.programs[contract.CodeHash]; r.program == nil {
		code, err := g.Source.Value(ModuleKey(contract.CodeHash))
		if err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		if r.program, err = s.engine.Load(code); err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		s.programs[contract.CodeHash] = r.program
	}
	r.env = vm.Env{Height: g.Height, TimeMs: uint64(g.Time.UnixMilli()), Self: t.Contract}
	return r, nil
}

// repeat runs the contract on the entry that a run was of.
func (r *rerun) repeat(e *Entry) (run *Run, err error) {
	r.runs = nil
	switch act := e.Act.(type) {
	case nil, *protocol.ForeignAct:
		handler, ok := subscription(r.contract.Manifest, e.Kind, e.Event, e.Act)
		if !ok {
			return nil, errNotAlone
		}
		if err = r.deliver(e, handler, protocol.CodeOK); len(r.runs) > 0 {
			err = nil // another code than OK is a result too
		}
	case *protocol.ContractAct:
		handler, ok := r.contract.Manifest.Call(act.Name)
		if !ok || act.Kind != protocol.TxCall {
			return nil, errNotAlone
		}
		header := abi.CallHeader{Height: r.env.Height, TimeMs: r.env.TimeMs, Caller: e.Origin}
		plan := projection.Arguments(r.contract.Manifest.Calls[handler].Fields)
		input, projected := plan.Append(abi.AppendCallHeader(nil, &header), act.Args)
		if projected != nil {
			return nil, projected
		}
		r.env.Caller = e.Origin
		r.host.eventTime = int64(r.env.TimeMs) * 1e6
		err = r.run(vm.Entrypoint{Kind: vm.Call, Handler: handler}, e.Index, input)
	case *protocol.TimerAct:
		header := abi.TimerHeader{Height: r.env.Height, TimeMs: r.env.TimeMs, Index: e.Index, ID: act.ID, Data: act.Data}
		r.env.Caller = e.Origin
		r.host.eventTime = int64(r.env.TimeMs) * 1e6
		err = r.run(vm.Entrypoint{Kind: vm.Timer, Handler: act.Handler}, e.Index, abi.AppendTimerHeader(nil, &header))
	default:
		return nil, errNotAlone
	}
	if err != nil {
		return nil, err
	}
	return &r.runs[0], nil
}

// ledTo says whether a run comes to an entry.
func (run *Run) ledTo(result *Entry) bool {
	if act, ok := result.Act.(*protocol.DeadLetterAct); ok {
		return *act == protocol.DeadLetterAct{Code: run.Code, GuestCode: run.GuestCode}
	}
	want := result.Event
	return want != nil && slices.ContainsFunc(run.Emitted, func(e protocol.Event) bool {
		return e.Type == want.Type && e.Subject == want.Subject && e.TimeNs == want.TimeNs && bytes.Equal(e.Data, want.Data)
	})
}

// DecodePayload fills in what an entry commits to.
func (e *Entry) DecodePayload(payload []byte) (err error) {
	e.payload = payload
	e.Event, e.Act, err = decodePayload(e.Kind, payload)
	return err
}
