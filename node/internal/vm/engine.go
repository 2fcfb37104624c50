package vm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/meter"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// features is everything package module lets through, and no more.
const features = api.CoreFeatureMutableGlobal | api.CoreFeatureSignExtensionOps |
	api.CoreFeatureNonTrappingFloatToIntConversion | api.CoreFeatureBulkMemoryOperations

// Config of an engine.
type Config struct {
	// Interpreter runs contracts without compiling them: slower by one or two
	// orders of magnitude, and the second opinion of every differential test.
	Interpreter bool
	// CacheDir keeps compiled code across restarts; empty keeps none. Its
	// contents are executed: it is created for the owner only, and refused
	// when others could write to it.
	CacheDir string
}

// Engine compiles and runs contracts. Its methods are safe for concurrent use.
type Engine struct {
	runtime wazero.Runtime
	cache   wazero.CompilationCache
	dir     string // of the cache
	limits  module.Limits

	mu       sync.Mutex
	programs map[programKey]*Program // guarded by mu
	uses     uint64                  // counts uses, to tell which program was not asked for longest; guarded by mu
}

// maxPrograms bounds the programs that are kept compiled: each holds its code
// and up to poolSize memories. Others are compiled again when asked for, and
// freed when nobody has them any more.
const maxPrograms = 256

// programKey names compiled code: what it was and how it was metered.
type programKey struct {
	code    protocol.Hash
	version int
}

// New starts an engine; ctx carries values to wazero and does not end it.
func New(ctx context.Context, c Config) (*Engine, error) {
	e := &Engine{limits: module.Contract(), programs: make(map[programKey]*Program)}
	rc := wazero.NewRuntimeConfig()
	if c.Interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithCoreFeatures(features).WithMemoryLimitPages(uint32(e.limits.MemoryPages)).WithDebugInfoEnabled(false)
	if c.CacheDir != "" {
		cache, err := openCache(c.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("contract cache: %w", err)
		}
		e.cache, e.dir = cache, c.CacheDir
		rc = rc.WithCompilationCache(cache)
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, rc)
	if err := instantiateHost(ctx, e.runtime); err != nil {
		return nil, fmt.Errorf("contract host module: %w", err)
	}
	return e, nil
}

// Close frees compiled code. No run may be under way.
func (e *Engine) Close() error {
	ctx := context.Background()
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		if cacheErr := e.cache.Close(ctx); err == nil {
			err = cacheErr
		}
	}
	return err
}

// Check decides whether a module may be deployed, by static rules alone. The
// error is a *protocol.Error with CodeContractInvalid to errors.As, whose text
// names the rule and the function.
func (e *Engine) Check(code []byte) error {
	metered, err := e.meter(code)
	if err != nil {
		return err
	}
	return e.validate(context.Background(), metered)
}

// invalid is the refusal of what only the engine's validation noticed.
func invalid(err error) error {
	return &module.Fault{Rule: "validation", Function: module.NoFunction, Text: err.Error()}
}

// meter parses, admits and rewrites a module.
func (e *Engine) meter(code []byte) ([]byte, error) {
	m, err := module.Parse(code, &e.limits)
	if err != nil {
		return nil, err
	}
	if err := m.Admit(hostTypes); err != nil {
		return nil, err
	}
	return meter.Inject(m, &e.limits, meter.Options{MemoryPages: uint32(e.limits.MemoryPages)})
}

// Load checks, rewrites and compiles a module, and takes its memory image.
// The same code answers the same Program. Refusals are like those of Check; a
// module whose _initialize fails, calls the host or takes more than
// initializeGas is refused too.
func (e *Engine) Load(code []byte) (*Program, error) {
	key := programKey{sha256.Sum256(code), meter.Version}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.use(key); p != nil {
		return p, nil
	}
	metered, err := e.meter(code)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	compiled, err := e.compile(ctx, metered)
	if err != nil {
		return nil, err
	}
	p := newProgram(e, compiled)
	exports := compiled.ExportedFunctions()
	for kind, name := range entryNames {
		_, p.entries[kind] = exports[name]
	}
	_, p.initializes = exports[abi.ExportInitialize]
	if err := p.takeImage(ctx); err != nil {
		compiled.Close(ctx)
		return nil, err
	}
	e.programs[key] = p
	e.use(key)
	e.evict()
	return p, nil
}

// Cached answers the program of a module by the module's hash, or nil where it
// has to be loaded.
func (e *Engine) Cached(code protocol.Hash) *Program {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.use(programKey{code, meter.Version})
}

// use answers a program and notes that it was asked for. e.mu is held.
func (e *Engine) use(key programKey) *Program {
	p := e.programs[key]
	if p != nil {
		e.uses++
		p.used = e.uses
	}
	return p
}

// evict forgets the program that was not asked for longest, where there are
// too many. e.mu is held.
func (e *Engine) evict() {
	if len(e.programs) <= maxPrograms {
		return
	}
	var oldest programKey
	for key, p := range e.programs { // uses differ: order does not matter
		if q := e.programs[oldest]; q == nil || p.used < q.used {
			oldest = key
		}
	}
	delete(e.programs, oldest)
}

// compile answers compiled code, from the cache where it is there and sound.
// That a compiler panics is this node's fault, unless the validation, which
// is the same on every node, refuses the module too.
func (e *Engine) compile(ctx context.Context, metered []byte) (wazero.CompiledModule, error) {
	compiled, err := compileWith(ctx, e.runtime, metered)
	if err != nil && e.cache == nil && !errors.Is(err, errPanic) {
		return nil, invalid(err)
	}
	if err != nil {
		// A damaged cache file reads like a refusal of the module. Whether the
		// module is at fault is decided without the cache, so that every node
		// says the same; if it is not, the cache is emptied and built again.
		if invalidErr := e.validate(ctx, metered); invalidErr != nil {
			return nil, invalidErr
		}
		if errors.Is(err, errPanic) {
			return nil, fmt.Errorf("vm: %w", err)
		}
		if err := emptyCache(e.dir); err != nil {
			return nil, fmt.Errorf("contract cache: %w", err)
		}
		if compiled, err = compileWith(ctx, e.runtime, metered); err != nil {
			return nil, fmt.Errorf("contract cache: %w", err)
		}
	}
	if e.cache != nil {
		if err := sealCache(e.dir); err != nil {
			return nil, fmt.Errorf("contract cache: %w", err)
		}
	}
	return compiled, nil
}

// errPanic is what a panic of the compiler becomes.
var errPanic = errors.New("the compiler panicked")

// compileWith compiles on a runtime, and outlives a panic.
func compileWith(ctx context.Context, r wazero.Runtime, metered []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			compiled, err = nil, fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return r.CompileModule(ctx, metered)
}

// validate runs wazero's own validation, which checks operand types, without
// compiling to machine code: the interpreter only translates.
func (e *Engine) validate(ctx context.Context, metered []byte) error {
	checker := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features).
		WithMemoryLimitPages(uint32(e.limits.MemoryPages)))
	defer checker.Close(ctx)
	if _, err := compileWith(ctx, checker, metered); err != nil {
		return invalid(err)
	}
	return nil
}
