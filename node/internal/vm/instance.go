package vm

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// instance is one module in memory. It serves one run at a time.
type instance struct {
	ctx     context.Context // carries the instance to the host functions
	mod     api.Module
	mem     api.Memory
	gas     api.MutableGlobal
	depth   api.MutableGlobal
	globals []api.MutableGlobal // the module's own mutable ones
	entries [entryKinds]api.Function
	stack   [2]uint64 // arguments and result of a call
	limit   uint64    // gas of the run
	run     *run      // under way, nil between runs; points to state
	state   run
}

// run is the state of one call of an entry point.
type run struct {
	kind      EntryKind
	env       Env
	input     []byte
	host      Host
	output    []byte
	emissions int
	log       []string
	inHost    bool            // a host function is working: a panic is the node's fault
	refusal   *protocol.Error // why a host function ended the run
	guestCode uint32          // with CodeContractAborted
	fault     error           // of this node, found by a host function
}

// instanceKey finds the instance in a host function's context.
type instanceKey struct{}

// instantiate makes an instance without running anything of the module. It
// fails on a data or element segment out of bounds, which is the module's fault.
func (p *Program) instantiate(ctx context.Context) (*instance, error) {
	in := &instance{}
	in.ctx = context.WithValue(context.Background(), instanceKey{}, in)
	mod, err := p.engine.runtime.InstantiateModule(in.ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, invalid(err)
	}
	in.mod, in.mem = mod, mod.Memory()
	global := func(name string) api.MutableGlobal {
		g, _ := mod.ExportedGlobal(name).(api.MutableGlobal)
		return g
	}
	in.gas, in.depth = global(meter.GasExport), global(meter.DepthExport)
	if in.mem == nil || in.gas == nil || in.depth == nil {
		return nil, errors.New("vm: metered module without memory or counters")
	}
	for i := 0; ; i++ {
		g := global(meter.GlobalExport + strconv.Itoa(i))
		if g == nil {
			break
		}
		in.globals = append(in.globals, g)
	}
	for kind, name := range entryNames {
		if p.entries[kind] {
			if in.entries[kind] = mod.ExportedFunction(name); in.entries[kind] == nil {
				return nil, fmt.Errorf("vm: export %s is gone", name)
			}
		}
	}
	return in, nil
}

// refill sets the counters for a run.
func (in *instance) refill() {
	in.gas.Set(in.limit)
	in.depth.Set(uint64(meter.MaxDepth))
}

func (in *instance) begin(r run) {
	in.state = r
	in.run = &in.state
}

// pay takes gas and says whether there was enough. cost is below 2^40.
func (in *instance) pay(cost uint64) bool {
	left := int64(in.gas.Get()) - int64(cost)
	in.gas.Set(uint64(left))
	return left >= 0
}

// errStop unwinds the guest; the reason is in the run.
var errStop = errors.New("stopped by the host")

// stop ends the run with a code of the ledger's.
func (in *instance) stop(code protocol.Code, format string, args ...any) {
	in.run.refusal = &protocol.Error{Code: code, Text: fmt.Sprintf(format, args...)}
	panic(errStop)
}

// misuse ends the run because the guest passed what the host does not accept.
func (in *instance) misuse(format string, args ...any) {
	in.stop(protocol.CodeHostMisuse, format, args...)
}

// check ends the run when the host answered an error.
func (in *instance) check(err error) {
	if err == nil {
		return
	}
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		in.run.refusal = refusal
	} else {
		in.run.fault = err
	}
	panic(errStop)
}

// charge takes gas before work is done, and ends the run without it.
func (in *instance) charge(cost uint64) {
	if !in.pay(cost) {
		in.stop(protocol.CodeOutOfGas, "out of gas in a host function")
	}
}

// view answers guest memory without copying; out of bounds ends the run.
func (in *instance) view(ptr, size uint64) []byte {
	b, ok := in.mem.Read(uint32(ptr), uint32(size))
	if !ok {
		in.misuse("memory %d..%d is out of bounds", uint32(ptr), uint64(uint32(ptr))+uint64(uint32(size)))
	}
	return b
}
