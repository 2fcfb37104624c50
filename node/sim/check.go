package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// Report is what a check found out about a module, as far as it could be read.
type Report struct {
	Manifest *abi.Manifest // nil where it is not valid
	CodeHash protocol.Hash
	Imports  []string // host functions
	Exports  []string
	Uses     []Use // of every limit, in the order of docs/contracts.md; none where the module cannot be decoded
	// Init is what the initialisation came to without arguments. A refusal of
	// the contract's own, or of the arguments, does not keep it from being
	// deployed with others.
	Init Outcome
}

// Use is how far a module goes towards a limit.
type Use struct {
	Limit    string
	Used     int
	Max      int
	Function string // that uses most of it; empty where the limit is on the whole module
}

// Refusal says why a contract would not be deployed. It is a *protocol.Error
// to errors.As.
type Refusal struct {
	Code     protocol.Code
	Rule     string // of the module's rules, empty for another reason
	Function string // that breaks it, empty for the whole module
	Text     string
}

// Error names the rule and the function.
func (r *Refusal) Error() string { return r.Unwrap().Error() }

// Unwrap gives the refusal its code.
func (r *Refusal) Unwrap() error { return &protocol.Error{Code: r.Code, Text: r.Text} }

// Check decides whether a contract may be deployed by deploying it, on a
// ledger in memory: the code is that of every validator. The error is a
// *Refusal where it may not; the report holds what could be found out anyway.
func Check(wasm, manifest []byte) (Report, error) {
	report := Report{CodeHash: sha256.Sum256(wasm)}
	var err error
	if report.Manifest, err = abi.ParseManifest(manifest); err != nil {
		return report, &Refusal{Code: protocol.CodeManifestInvalid, Text: err.Error()}
	}
	report.measure(wasm)
	if err := checkModule(wasm); err != nil {
		return report, err
	}
	l, err := New(Options{Interpreter: true})
	if err != nil {
		return report, err
	}
	_, err = l.Deploy(wasm, manifest, nil)
	err = errors.Join(err, l.Close())
	var refused *Refused
	switch code, known := protocol.CodeOf(err); {
	case err == nil:
		return report, nil
	case !known:
		return report, err
	case errors.As(err, &refused) && !static(code):
		report.Init = refused.Outcome
		return report, nil
	default:
		return report, &Refusal{Code: code, Text: text(err)}
	}
}

// static says whether a code is about module and manifest, whatever the
// arguments are.
func static(code protocol.Code) bool {
	return code == protocol.CodeContractInvalid || code == protocol.CodeManifestInvalid || code == protocol.CodeTooLarge
}

func text(err error) string {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return refusal.Text
	}
	return err.Error()
}

// checkModule holds a module to the engine's rules, for the rule's name and
// the function's, which an outcome does not keep apart.
func checkModule(wasm []byte) error {
	engine, err := vm.New(ctx, vm.Config{Interpreter: true})
	if err != nil {
		return err
	}
	defer engine.Close()
	err = engine.Check(wasm)
	if err == nil {
		_, err = engine.Load(wasm)
	}
	var fault *module.Fault
	if !errors.As(err, &fault) {
		return err
	}
	r := &Refusal{Code: protocol.CodeContractInvalid, Rule: fault.Rule, Text: fault.Error()}
	if fault.Function != module.NoFunction {
		r.Function = functionNames(wasm).name(fault.Function)
		r.Text = fmt.Sprintf("rule %q: %s: %s", r.Rule, r.Function, fault.Text)
	}
	return r
}
