package machine

import (
	"crypto/sha256"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// deploy stores a contract and runs its initialisation.
func (x *execution) deploy(c *checked, d *protocol.Deploy, out *Outcome) error {
	manifest, err := x.admitCode(d)
	if err != nil {
		return err
	}
	overlay := x.b.State()
	if _, taken, err := overlay.Get(key(prefixName, []byte(manifest.Name))); err != nil || taken {
		if err == nil {
			err = protocol.Refuse(protocol.CodeContractExists, "a contract named %q exists", manifest.Name)
		}
		return err
	}
	deployed, err := overlay.Scan([]byte{prefixContract}, nil, maxContracts)
	if err != nil {
		return err
	}
	if len(deployed) == maxContracts {
		return protocol.Refuse(protocol.CodeContractLimit, "the ledger holds %d contracts, and no more", maxContracts)
	}
	contract := &Contract{Address: protocol.ContractAddress(c.sender, manifest.Name), Author: c.sender, Since: x.b.LogSize()}
	child := overlay.Child()
	err = child.Set(key(prefixName, []byte(manifest.Name)), contract.Address[:])
	if err == nil {
		err = x.install(child, contract, d)
	}
	if err != nil {
		child.Discard()
		return err
	}
	entry := vm.Entrypoint{Kind: vm.Init}
	return x.act(c, contract, child, entry, contract.rules.init, codeAct(c, protocol.TxDeploy, contract, d), out)
}

// upgrade gives a contract other code and runs its migration. What waits to be
// delivered is delivered to the new code.
func (x *execution) upgrade(c *checked, u *protocol.Upgrade, out *Outcome) error {
	contract, err := x.ownContract(c, u.Contract)
	if err != nil {
		return err
	}
	manifest, err := x.admitCode(&u.Deploy)
	if err != nil {
		return err
	}
	if err := x.approved(&u.Deploy); err != nil {
		return err
	}
	switch old := contract.Manifest; {
	case manifest.Name != old.Name:
		return protocol.Refuse(protocol.CodeVersion, "the contract is named %q, the upgrade's manifest says %q", old.Name, manifest.Name)
	case manifest.Version == old.Version:
		return protocol.Refuse(protocol.CodeVersion, "contract %s is at version %s already; an upgrade has another", old.Name, old.Version)
	}
	child := x.b.State().Child()
	if err := x.install(child, contract, &u.Deploy); err != nil {
		child.Discard()
		return err
	}
	entry := vm.Entrypoint{Kind: vm.Migrate}
	return x.act(c, contract, child, entry, contract.rules.migrate, codeAct(c, protocol.TxUpgrade, contract, &u.Deploy), out)
}

// admitCode checks manifest and module by static rules.
func (x *execution) admitCode(d *protocol.Deploy) (*abi.Manifest, error) {
	manifest, err := abi.ParseManifest(d.Manifest)
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeManifestInvalid, "%v", err)
	}
	return manifest, x.engine.Check(d.Code)
}

// approved refuses code that the council did not approve, where it has to.
func (x *execution) approved(d *protocol.Deploy) error {
	if !x.params.ApproveUpgrades {
		return nil
	}
	code := protocol.Hash(sha256.Sum256(d.Code))
	ok, err := governance.Approved(x.b.State(), code)
	if err == nil && !ok {
		err = protocol.Refuse(protocol.CodeNotApproved, "the council did not approve code %s", code)
	}
	return err
}

// install writes a contract's code and record, and holds the module's entry
// points to what the manifest promises.
func (x *execution) install(child *state.Overlay, contract *Contract, d *protocol.Deploy) error {
	contract.program = nil
	contract.CodeHash, contract.ManifestHash = sha256.Sum256(d.Code), sha256.Sum256(d.Manifest)
	for _, kv := range [...]struct{ key, value []byte }{
		{key(prefixCode, contract.CodeHash[:]), d.Code},
		{key(prefixManifest, contract.ManifestHash[:]), d.Manifest},
		{key(prefixContract, contract.Address[:]), contract.record()},
	} {
		if err := child.Set(kv.key, kv.value); err != nil {
			return err
		}
	}
	var err error
	if contract.rules, err = x.rules(child, contract); err != nil {
		return err
	}
	contract.Manifest = contract.rules.manifest
	return x.checkExports(child, contract)
}

func codeAct(c *checked, kind protocol.TxKind, contract *Contract, d *protocol.Deploy) protocol.ContractAct {
	return protocol.ContractAct{
		Kind: kind, Contract: contract.Address, Name: contract.Manifest.Name,
		CodeHash: contract.CodeHash, ManifestHash: contract.ManifestHash, Args: d.Args, TxID: c.ID,
	}
}

// checkExports compiles the module and holds its entry points to what the
// manifest promises, before anything is kept.
func (x *execution) checkExports(state State, contract *Contract) error {
	program, err := x.program(state, contract)
	if err != nil {
		return err
	}
	m := contract.Manifest
	for _, need := range [...]struct {
		kind     vm.EntryKind
		promised int
		export   string
	}{
		{vm.Event, len(m.Events), abi.ExportEvent}, {vm.Call, len(m.Calls), abi.ExportCall},
		{vm.Query, len(m.Queries), abi.ExportQuery}, {vm.Timer, len(m.Timers), abi.ExportTimer},
	} {
		if need.promised > 0 && !program.Has(need.kind) {
			return protocol.Refuse(protocol.CodeContractInvalid, "the manifest needs the export %s, which the module lacks", need.export)
		}
	}
	return nil
}

// call runs a contract's method.
func (x *execution) call(c *checked, call *protocol.Call, out *Outcome) error {
	overlay := x.b.State()
	contract, handler, err := x.callable(overlay, call.Contract, call.Method)
	if err != nil {
		return err
	}
	act := protocol.ContractAct{Kind: protocol.TxCall, Contract: contract.Address, Name: call.Method, Args: call.Args, TxID: c.ID}
	entry := vm.Entrypoint{Kind: vm.Call, Handler: handler}
	return x.act(c, contract, overlay.Child(), entry, contract.rules.calls[handler], act, out)
}

// callable finds a method that can be called now.
func (x *execution) callable(state State, address protocol.Address, method string) (*Contract, uint32, error) {
	contract, err := x.Contract(state, address)
	if err != nil {
		return nil, 0, err
	}
	name := contract.Manifest.Name
	if contract.Paused {
		return nil, 0, protocol.Refuse(protocol.CodeContractPaused, "contract %s is paused", name)
	}
	handler, ok := contract.Manifest.Call(method)
	if !ok {
		return nil, 0, protocol.Refuse(protocol.CodeMethodUnknown, "contract %s has no call %q", name, method)
	}
	return contract, handler, nil
}
