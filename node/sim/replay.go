package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

// Replay runs a contract's history off chain, block by block as the machine
// does, twice: with the code it had, which must append what the ledger has; and
// as if a version had taken its place before the block that holds entry from,
// or at the deployment where from is not above that. What other accounts and
// contracts did stays as it was. What only the version's runs append gets
// indexes from the end of the log on.
//
// A contract that calls others cannot be replayed. The block gas is taken to be
// the contract's own.
func Replay(h *History, from uint64, with Version) (was, would *Replayed, err error) {
	act, err := h.check()
	if err != nil {
		return nil, nil, fmt.Errorf("sim: %w", err)
	}
	engine, err := vm.New(ctx, vm.Config{})
	if err != nil {
		return nil, nil, fmt.Errorf("sim: %w", err)
	}
	defer engine.Close()
	first := newReplayer(h, engine)
	second := newReplayer(h, engine)
	changed, err := second.load(with.Wasm, with.Manifest)
	if err != nil {
		return nil, nil, fmt.Errorf("sim: the new version: %w", err)
	}
	if err = first.follow(act); err == nil {
		err = first.deploy(act)
	}
	if err != nil {
		return nil, nil, &Diverged{fmt.Errorf("sim: the deployment: %w", err)}
	}
	if changed.manifest.Name != first.version.manifest.Name {
		return nil, nil, fmt.Errorf("sim: the new version is named %q, the contract %q", changed.manifest.Name, first.version.manifest.Name)
	}
	if from > h.Past[0].Index {
		if from >= h.Size {
			return nil, nil, fmt.Errorf("sim: the log has no entry %d; its size is %d", from, h.Size)
		}
		at := h.Blocks[h.blockOf(from)]
		err = first.run(at.Height - 1)
		if second = first.clone(); err == nil {
			err = second.change(at, changed, with.Args)
		}
	} else {
		second.version, second.fixed = changed, true
		if err := second.deploy(act); err != nil {
			return nil, nil, fmt.Errorf("sim: the new version does not take the deployment: %w", err)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("sim: %w", err)
	}
	if was, err = first.finish(); err == nil {
		if diverged := h.confirm(was); diverged != nil {
			return nil, nil, &Diverged{fmt.Errorf("sim: %w", diverged)}
		}
		would, err = second.finish()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("sim: %w", err)
	}
	return was, would, nil
}

// replayVersion is a version, loaded.
type replayVersion struct {
	manifest *abi.Manifest
	program  *vm.Program
	events   []*projection.Plan
}

// replayer is the machine with one contract on it.
type replayer struct {
	h       *History
	engine  *vm.Engine
	version *replayVersion
	fixed   bool // upgrades of the history do not change the version any more

	height, timeMs uint64 // of the block under way, or of the last one
	acts           int    // place in Past of the next act
	events         int    // place in Past behind the last event delivered
	look           int    // place in Past of the next event to deliver, as far as it is known
	cursor         uint64 // next log index to look at
	caught         bool   // up with the log, at the last block
	attempts       uint8  // deliveries of the next event that were refused
	after          uint64 // height before which it is not tried again
	paused         bool

	state     memory
	host      replayHost
	emitted   []Past              // by the contract, to be delivered to itself
	dead      map[uint64]deadItem // by index
	given     map[uint64]int      // by cause: how many of its emissions have an index
	made      map[uint64][]uint64 // by cause: indexes of what the ledger's contract emitted
	fired     map[uint64]uint64   // by timer id: index of its entry on the ledger
	synthetic uint64              // next index beyond the log
	result    Replayed
}

// deadItem is a delivery that was given up: of an event or of a timer.
type deadItem struct {
	DeadLetter
	event *Past
	timer *replayTimer
}

func newReplayer(h *History, engine *vm.Engine) *replayer {
	r := &replayer{
		h: h, engine: engine, cursor: h.Past[0].Index + 1, synthetic: h.Size, acts: 1, events: 1,
		state: memory{values: map[string][]byte{}}, dead: map[uint64]deadItem{}, given: map[uint64]int{},
		made: map[uint64][]uint64{}, fired: map[uint64]uint64{},
	}
	for i := range h.Past {
		p := &h.Past[i]
		if !h.own(p) {
			continue
		}
		if t, ok := p.Act.(*protocol.TimerAct); ok {
			r.fired[t.ID] = p.Index
		} else if p.Kind == protocol.EntryEmitted {
			r.made[p.Cause] = append(r.made[p.Cause], p.Index)
		}
	}
	r.host.init(r)
	return r
}

// clone is a replayer that has done the same and goes on by itself.
func (r *replayer) clone() *replayer {
	c := *r
	c.state = memory{maps.Clone(r.state.values), slices.Clone(r.state.names)}
	c.emitted, c.dead, c.given = slices.Clone(r.emitted), maps.Clone(r.dead), maps.Clone(r.given)
	c.result.Runs = slices.Clone(r.result.Runs)
	c.host = replayHost{timers: slices.Clone(r.host.timers), last: r.host.last}
	c.host.init(&c)
	return &c
}

func (r *replayer) load(wasm, manifest []byte) (*replayVersion, error) {
	m, err := abi.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	v := &replayVersion{manifest: m}
	for i := range m.Events {
		v.events = append(v.events, projection.Events(m.Events[i].Fields))
	}
	v.program, err = r.engine.Load(wasm)
	return v, err
}

// follow takes the version that a deployment or an upgrade names.
func (r *replayer) follow(act *protocol.ContractAct) error {
	wasm, err := r.h.Module(act.CodeHash)
	if err == nil && sha256.Sum256(wasm) != act.CodeHash {
		err = fmt.Errorf("the module has another hash than %s", act.CodeHash)
	}
	if err != nil {
		return err
	}
	manifest, err := r.h.Manifest(act.ManifestHash)
	if err == nil && sha256.Sum256(manifest) != act.ManifestHash {
		err = fmt.Errorf("the manifest has another hash than %s", act.ManifestHash)
	}
	if err != nil {
		return err
	}
	r.version, err = r.load(wasm, manifest)
	r.look = r.events
	return err
}

// deploy initialises the contract and delivers what the block leaves to.
func (r *replayer) deploy(act *protocol.ContractAct) error {
	p := &r.h.Past[0]
	r.height, r.timeMs = p.Height, r.h.Blocks[0].TimeMs
	fields := projection.Arguments(r.version.manifest.Init)
	if err := r.must(vm.Entrypoint{Kind: vm.Init}, p, fields, act.Args); err != nil {
		return err
	}
	return r.block(p.Height)
}

// change goes on to before a block and puts a version in the place of the one
// that the contract has.
func (r *replayer) change(at PastBlock, v *replayVersion, args []byte) error {
	r.version, r.fixed, r.look = v, true, r.events
	r.height, r.timeMs = at.Height, at.TimeMs
	p := &Past{Index: r.beyond(), Origin: r.author()}
	if err := r.must(vm.Entrypoint{Kind: vm.Migrate}, p, projection.Arguments(v.manifest.Migrate), args); err != nil {
		return fmt.Errorf("the migration: %w", err)
	}
	r.height-- // the block itself is still to come
	return nil
}

func (r *replayer) author() protocol.Address { return r.h.Past[0].Origin }

// must runs an initialisation or a migration, which have to succeed.
func (r *replayer) must(entry vm.Entrypoint, p *Past, plan *projection.Plan, args []byte) error {
	if !r.version.program.Has(entry.Kind) && len(args) == 0 {
		return nil
	}
	run, err := r.request(entry, p, plan, args)
	if err != nil {
		return err
	}
	if run.Code != protocol.CodeOK {
		return refusedRun(run)
	}
	return nil
}

func refusedRun(run *ReplayedRun) error {
	text := run.Code.Meaning()
	if len(run.Log) > 0 {
		text = run.Log[len(run.Log)-1]
	} else if run.GuestCode != 0 {
		text = "refused with its code " + strconv.FormatUint(uint64(run.GuestCode), 10)
	}
	return &protocol.Error{Code: run.Code, Text: text}
}

// finish goes on to the end of the history.
func (r *replayer) finish() (*Replayed, error) {
	if err := r.run(r.h.Height); err != nil {
		return nil, err
	}
	prefix := len(ValueKey(r.h.Contract, ""))
	r.result.State = make(map[string][]byte, len(r.state.names))
	for _, name := range r.state.names {
		r.result.State[name[prefix:]] = r.state.values[name]
	}
	for _, index := range slices.Sorted(maps.Keys(r.dead)) {
		r.result.Dead = append(r.result.Dead, r.dead[index].DeadLetter)
	}
	r.result.Timers = len(r.host.timers)
	return &r.result, nil
}

// run makes the blocks up to a height in which the contract does something.
func (r *replayer) run(last uint64) error {
	for {
		height, err := r.nextHeight()
		if err != nil || height > last {
			return err
		}
		r.height = height
		if r.timeMs, err = r.h.timeMs(height); err != nil {
			return err
		}
		if err := r.transactions(); err != nil {
			return err
		}
		if err := r.block(height); err != nil {
			return err
		}
	}
}

// transactions does what the block's calls, upgrades and controls did.
func (r *replayer) transactions() error {
	for ; r.acts < len(r.h.Past) && r.h.Past[r.acts].Height <= r.height; r.acts++ {
		p := &r.h.Past[r.acts]
		act, ok := p.Act.(*protocol.ContractAct)
		if !ok || act.Contract != r.h.Contract {
			continue
		}
		var err error
		switch act.Kind {
		case protocol.TxCall:
			err = r.call(p, act)
		case protocol.TxUpgrade:
			err = r.upgrade(p, act)
		case protocol.TxControl:
			err = r.control(p, act)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", p.Index, err)
		}
	}
	return nil
}

func (r *replayer) call(p *Past, act *protocol.ContractAct) error {
	handler, ok := r.version.manifest.Call(act.Name)
	if !ok || r.paused {
		r.note(ReplayedRun{Run: Run{Kind: "call", Index: p.Index, Code: protocol.CodeMethodUnknown}})
		return nil
	}
	plan := projection.Arguments(r.version.manifest.Calls[handler].Fields)
	_, err := r.request(vm.Entrypoint{Kind: vm.Call, Handler: handler}, p, plan, act.Args)
	if code, refused := protocol.CodeOf(err); refused && err != nil {
		r.note(ReplayedRun{Run: Run{Kind: "call", Handler: handler, Index: p.Index, Code: code, Log: []string{err.Error()}}})
		return nil
	}
	return err
}

func (r *replayer) upgrade(p *Past, act *protocol.ContractAct) error {
	if r.fixed {
		return nil
	}
	if err := r.follow(act); err != nil {
		return err
	}
	return r.must(vm.Entrypoint{Kind: vm.Migrate}, p, projection.Arguments(r.version.manifest.Migrate), act.Args)
}

// control does what the contract's author decided. A version that took an entry
// which the other had refused has nothing to redeliver or skip.
func (r *replayer) control(p *Past, act *protocol.ContractAct) error {
	switch act.Name {
	case protocol.ActionPause.String(), protocol.ActionResume.String():
		r.paused = act.Name == protocol.ActionPause.String()
		return nil
	}
	var on struct {
		Index uint64 `json:"index"`
	}
	if err := json.Unmarshal(act.Args, &on); err != nil {
		return err
	}
	item, there := r.dead[on.Index]
	switch {
	case act.Name == protocol.ActionSkip.String() && there:
		delete(r.dead, on.Index)
	case act.Name == protocol.ActionSkip.String():
		if e := r.next(); e != nil && e.Index == on.Index && r.attempts > 0 {
			r.pass(e)
		}
	case there:
		run, err := r.attempt(item.event, item.timer, on.Index)
		if err == nil && run.Code == protocol.CodeOK {
			r.note(*run)
			delete(r.dead, on.Index)
		}
		return err
	}
	return nil
}

// request runs what a transaction asked for. The error is a *protocol.Error
// where the arguments are refused.
func (r *replayer) request(entry vm.Entrypoint, p *Past, plan *projection.Plan, args []byte) (*ReplayedRun, error) {
	header := abi.CallHeader{Height: r.height, TimeMs: r.timeMs, Caller: p.Origin}
	input, err := plan.Append(abi.AppendCallHeader(nil, &header), args)
	if err != nil {
		return nil, err
	}
	r.host.begin(0, int64(r.timeMs)*1e6)
	run, err := r.execute(entry, p.Index, p.Origin, input)
	if err == nil {
		r.note(*run)
	}
	return run, err
}

// attempt runs the contract on an event or a timer. What it did is kept where
// it succeeded.
func (r *replayer) attempt(e *Past, t *replayTimer, index uint64) (*ReplayedRun, error) {
	if t != nil {
		header := abi.TimerHeader{Height: r.height, TimeMs: r.timeMs, Index: index, ID: t.id, Data: t.data}
		r.host.begin(0, int64(r.timeMs)*1e6)
		return r.execute(vm.Entrypoint{Kind: vm.Timer, Handler: t.handler}, index, r.h.Contract, abi.AppendTimerHeader(nil, &header))
	}
	handler, ok := subscription(r.version.manifest, e.Kind, e.Event, e.Act)
	run := &ReplayedRun{Run: Run{Kind: "event", Handler: handler, Index: index, Code: protocol.CodeMethodUnknown}, Height: r.height}
	if !ok {
		return run, nil
	}
	happened := int64(r.timeMs) * 1e6
	if e.Event.HasTime {
		happened = e.Event.TimeNs
	}
	header := abi.EventHeader{
		Height: r.height, TimeMs: r.timeMs, Index: index, EventTimeNs: e.Event.TimeNs, HasTime: e.Event.HasTime, Origin: e.Origin,
		ID: []byte(e.Event.ID), Source: []byte(e.Event.Source), Type: []byte(e.Event.Type), Subject: []byte(e.Event.Subject),
	}
	var data []byte
	if e.Event.DataForm == protocol.DataJSON {
		data = e.Event.Data
	}
	input, err := r.version.events[handler].Append(abi.AppendEventHeader(nil, &header), data)
	if err != nil {
		code, refused := protocol.CodeOf(err)
		if !refused {
			return nil, err
		}
		run.Code, run.Log = code, []string{err.Error()}
		return run, nil
	}
	r.host.begin(e.Hop, happened)
	return r.execute(vm.Entrypoint{Kind: vm.Event, Handler: handler}, index, e.Origin, input)
}

var replayKinds = [...]string{vm.Init: "init", vm.Event: "event", vm.Call: "call", vm.Timer: "timer", vm.Migrate: "migrate"}

func (r *replayer) execute(entry vm.Entrypoint, index uint64, caller protocol.Address, input []byte) (*ReplayedRun, error) {
	env := vm.Env{Height: r.height, TimeMs: r.timeMs, Self: r.h.Contract, Caller: caller}
	result, err := r.version.program.Run(ctx, entry, env, input, r.h.Params.DeliveryGas, &r.host)
	for _, known := range [...]error{errCallsOthers, errHasTokens} {
		if errors.Is(err, known) {
			err = known
		}
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	run := &ReplayedRun{Height: r.height, Run: Run{
		Kind: replayKinds[entry.Kind], Handler: entry.Handler, Index: index,
		Code: result.Code, GuestCode: result.GuestCode, Gas: result.GasUsed, Log: result.Log, Input: input,
	}}
	if result.Code == protocol.CodeOK {
		run.Emitted = r.host.emitted
		r.host.keep()
		r.name(run)
	} else {
		r.host.drop()
	}
	return run, nil
}

// name gives what a run emitted its place in the log: the one that it has on
// the ledger, as far as the same cause led to as many there.
func (r *replayer) name(run *ReplayedRun) {
	for i := range run.Emitted {
		e, n := &run.Emitted[i], r.given[run.Index]
		r.given[run.Index]++
		index := uint64(0)
		if made := r.made[run.Index]; n < len(made) {
			index = made[n]
		} else {
			index = r.beyond()
		}
		e.ID, e.Source = strconv.FormatUint(index, 10), "/contracts/"+r.version.manifest.Name
		if _, subscribed := r.version.manifest.Handler("", e.Type); subscribed {
			r.emitted = append(r.emitted, Past{
				Index: index, Height: r.height, Kind: protocol.EntryEmitted, Origin: r.h.Contract, Cause: run.Index, Hop: r.host.hop + 1, Event: e,
			})
		}
	}
	slices.SortStableFunc(r.emitted, func(a, b Past) int { return bytes.Compare(place(&a), place(&b)) })
}

// beyond is an index that no entry of the ledger has.
func (r *replayer) beyond() uint64 {
	r.synthetic++
	return r.synthetic - 1
}

func (r *replayer) note(run ReplayedRun) {
	run.Height, run.Input = r.height, nil
	r.result.Runs = append(r.result.Runs, run)
}

// What a contract may ask for that its own history does not tell.
var (
	errCallsOthers = errors.New("the contract calls another contract, whose state is not part of its history: such a contract cannot be replayed")
	errHasTokens   = errors.New("the contract asks for tokens, and balances are not part of its history: such a contract cannot be replayed")
)
