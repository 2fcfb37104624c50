package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// technicians maps the addresses that may close orders to nothing.
var technicians = sdk.NewMap("t")

// settingsKey holds the settings: owner and configurer, 20 bytes each.
var settingsKey = []byte("\x00settings")

// settings say who may do what; they are fixed when the contract is deployed.
type settings struct {
	owner      address // sets technicians and parameters, withdraws
	configurer address // sets parameters
}

// setUp stores the deployment's roles and parameters.
func setUp(r *sdk.Request) {
	owner := addressOr(r, r.Caller)
	configurer := addressOr(r, owner)
	technician := addressOr(r, address{})
	var p parameters
	p.read(r, &initial)
	setRewardAsset(r.BytesOr(nil))
	p.checkReward()
	sdk.Set(settingsKey, append(append(make([]byte, 0, 40), owner[:]...), configurer[:]...))
	sdk.Set(defaultsKey, p.encode())
	if !technician.isZero() {
		technicians.Set(technician[:], nil)
	}
}

func readSettings() (s settings) {
	var b [40]byte
	if size, found := sdk.GetInto(settingsKey, b[:]); !found || size != len(b) {
		sdk.Abort(codeBadState, "BAD_STATE: there are no settings")
	}
	copy(s.owner[:], b[:20])
	copy(s.configurer[:], b[20:])
	return s
}

func checkOwner(caller address) {
	if readSettings().owner != caller {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: only the owner may")
	}
}

// setTechnician adds an address to those that close orders, or removes it.
func setTechnician(r *sdk.Request) {
	checkOwner(r.Caller)
	who := readAddress(r.Bytes())
	if r.Bool() {
		technicians.Set(who[:], nil)
	} else {
		technicians.Delete(who[:])
	}
}

func checkTechnician(who address) {
	if _, found := technicians.GetInto(who[:], nil); !found {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: orders are closed by technicians")
	}
}
