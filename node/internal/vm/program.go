package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/tetratelabs/wazero"
)

// initializeGas bounds _initialize, which runs once when a module is loaded.
const initializeGas = 10_000_000

// poolSize bounds the idle instances of one program: blocks need one, queries
// that run at the same time the others.
const poolSize = 8

// entryNames are the exports of the entry kinds.
var entryNames = [entryKinds]string{
	Init: abi.ExportInit, Event: abi.ExportEvent, Call: abi.ExportCall, Query: abi.ExportQuery,
	Timer: abi.ExportTimer, Migrate: abi.ExportMigrate,
}

// Program is a loaded contract. Its methods are safe for concurrent use.
type Program struct {
	engine      *Engine
	entries     [entryKinds]bool
	initializes bool
	image       []byte   // memory every run starts from
	globals     []uint64 // mutable globals every run starts from
	used        uint64   // guarded by the engine's mu

	*resources
}

// resources are what outlives the Go memory of a Program and has to be closed.
// They know nothing of their Program, so that it can be found unused.
type resources struct {
	compiled wazero.CompiledModule

	mu   sync.Mutex
	idle []*instance // guarded by mu
}

// newProgram makes a program whose resources are closed once nobody has it.
func newProgram(e *Engine, compiled wazero.CompiledModule) *Program {
	p := &Program{engine: e, resources: &resources{compiled: compiled}}
	runtime.AddCleanup(p, func(r *resources) { r.close() }, p.resources)
	return p
}

func (r *resources) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.idle {
		in.mod.Close(in.ctx)
	}
	r.idle = nil
	r.compiled.Close(context.Background())
}

// Has tells whether the module exports the entry point of a kind.
func (p *Program) Has(kind EntryKind) bool { return kind < entryKinds && p.entries[kind] }

// takeImage runs _initialize in a fresh instance and keeps what it leaves.
func (p *Program) takeImage(ctx context.Context) error {
	in, err := p.instantiate(ctx)
	if err != nil {
		return err
	}
	if p.initializes {
		in.limit = initializeGas
		in.refill()
		in.begin(run{kind: entryKinds}) // no host function accepts this kind
		_, err := in.mod.ExportedFunction(abi.ExportInitialize).Call(in.ctx)
		result, fault := in.end(0, err)
		if fault != nil {
			return fault
		}
		if result.Code != protocol.CodeOK {
			in.mod.Close(ctx)
			return invalid(fmt.Errorf("%s: %s: %s", abi.ExportInitialize, result.Code.Name(), strings.Join(result.Log, "; ")))
		}
	}
	memory, ok := in.mem.Read(0, in.mem.Size())
	if !ok {
		return errors.New("vm: memory cannot be read")
	}
	p.image = bytes.Clone(memory)
	p.globals = make([]uint64, len(in.globals))
	for i, g := range in.globals {
		p.globals[i] = g.Get()
	}
	p.put(in)
	return nil
}

// get answers an instance that looks as if it had never run.
func (p *Program) get(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	var in *instance
	if n := len(p.idle); n > 0 {
		in, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if in == nil {
		var err error
		if in, err = p.instantiate(ctx); err != nil {
			// It worked when the program was loaded: this node is at fault.
			return nil, fmt.Errorf("vm: another instance: %v", err)
		}
		if in.mem.Size() > uint32(len(p.image)) {
			return nil, fmt.Errorf("vm: an instance begins with %d bytes of memory, the image has %d", in.mem.Size(), len(p.image))
		}
		if missing := uint32(len(p.image)) - in.mem.Size(); missing > 0 { // _initialize grew it
			if _, ok := in.mem.Grow(missing / wasmPage); !ok {
				return nil, errors.New("vm: memory cannot be grown to its image")
			}
		}
	}
	if !in.mem.Write(0, p.image) {
		return nil, errors.New("vm: memory is smaller than its image")
	}
	for i, g := range in.globals {
		g.Set(p.globals[i])
	}
	return in, nil
}

const wasmPage = 65_536

// put keeps an instance for later, or throws it away when its memory grew
// (memory never shrinks) or there are enough.
func (p *Program) put(in *instance) {
	if in.mem.Size() == uint32(len(p.image)) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.idle) < poolSize {
			p.idle = append(p.idle, in)
			return
		}
	}
	in.mod.Close(in.ctx)
}

// Run calls an entry point with an input record of contracts/abi. A kind that
// the module does not export succeeds for Init and Migrate and is
// CodeMethodUnknown otherwise. The error is a fault of this node or of the caller (an input
// over abi.MaxInputBytes), never the contract's. ctx does not interrupt a
// run: gas does.
func (p *Program) Run(ctx context.Context, entry Entrypoint, env Env, input []byte, gasLimit uint64, host Host) (Result, error) {
	if entry.Kind >= entryKinds {
		return Result{}, fmt.Errorf("vm: unknown entry kind %d", entry.Kind)
	}
	if len(input) > abi.MaxInputBytes {
		return Result{}, fmt.Errorf("vm: input of %d bytes, the limit is %d", len(input), abi.MaxInputBytes)
	}
	if !p.entries[entry.Kind] {
		if entry.Kind == Init || entry.Kind == Migrate {
			return Result{}, nil
		}
		return Result{Code: protocol.CodeMethodUnknown}, nil
	}
	in, err := p.get(ctx)
	if err != nil {
		return Result{}, err
	}
	in.limit = min(gasLimit, math.MaxInt64)
	in.refill()
	if !in.pay(uint64(len(p.image)) / imageBytesPerGas) {
		p.put(in)
		return Result{Code: protocol.CodeOutOfGas, GasUsed: in.limit}, nil
	}
	in.begin(run{kind: entry.Kind, env: env, input: input, host: host})
	stack := in.stack[:2]
	stack[0], stack[1] = uint64(entry.Handler), uint64(len(input))
	if entry.Kind == Init || entry.Kind == Migrate {
		stack[0] = uint64(len(input))
	}
	callErr := in.entries[entry.Kind].CallWithStack(in.ctx, stack)
	result, err := in.end(int32(stack[0]), callErr)
	if err != nil {
		return Result{}, err
	}
	if result.Code == protocol.CodeCallDepth {
		in.mod.Close(in.ctx) // its stack has grown and would be kept
	} else {
		p.put(in) // after a trap too: all that a guest can change is reset
	}
	return result, nil
}

// end turns what a call came to into a result, or finds this node at fault.
func (in *instance) end(answer int32, callErr error) (Result, error) {
	result, err := in.outcome(answer, callErr)
	if result.Code != protocol.CodeOK {
		result.GasUsed = min(result.GasUsed+gasFailure, in.limit)
	}
	return result, err
}

func (in *instance) outcome(answer int32, callErr error) (Result, error) {
	r := in.run
	in.run = nil
	left, depth := int64(in.gas.Get()), int32(in.depth.Get())
	result := Result{GasUsed: in.limit - uint64(max(left, 0)), Log: r.log}
	if callErr == nil {
		switch {
		case depth != meter.MaxDepth || left < 0:
			return result, fmt.Errorf("vm: a run ended with depth %d and gas %d", depth, left)
		case answer == abi.Done:
			result.Output = r.output
		case answer > 0:
			result.Code, result.GuestCode = protocol.CodeContractAborted, uint32(answer)
		default:
			result.Code = protocol.CodeContractTrap
			result.Log = append(result.Log, fmt.Sprintf("trap: the entry point answered %d", answer))
		}
		return result, nil
	}
	var goFault runtime.Error
	switch {
	case r.fault != nil:
		return result, r.fault
	case r.refusal != nil:
		result.Code, result.GuestCode = r.refusal.Code, r.guestCode
		result.Log = append(result.Log, clip(r.refusal.Text))
	case r.inHost || errors.As(callErr, &goFault):
		return result, fmt.Errorf("vm: host function failed: %w", callErr)
	case left < 0:
		result.Code = protocol.CodeOutOfGas
	case depth < 0:
		result.Code = protocol.CodeCallDepth
	case strings.HasPrefix(callErr.Error(), "wasm error: ") && !strings.HasPrefix(callErr.Error(), "wasm error: stack overflow"):
		result.Code = protocol.CodeContractTrap
		result.Log = append(result.Log, clip(callErr.Error()))
	default:
		// The engines overflow their stacks at different depths, and MaxDepth
		// keeps both far from it: stop rather than diverge.
		return result, fmt.Errorf("vm: engine failed: %w", callErr)
	}
	return result, nil
}

// clip keeps a reason short; traps carry a stack trace.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 4*abi.MaxLogBytes)], "?")
}
