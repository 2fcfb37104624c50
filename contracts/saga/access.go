package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// role is what a source may tell the contract.
type role byte

const (
	roleShop role = iota
	roleWarehouse
	rolePayments
	roleCarrier
	roleClock
	roles // how many there are
)

var roleNames = [roles]string{"shop", "warehouse", "payments", "carrier", "clock"}

// allowed has a key of role and address for every source that is let in.
var allowed = sdk.NewMap("f")

// settings are the deployment's parameters.
type settings struct {
	owner      [abi.AddressBytes]byte // who deployed it
	waitSec    int64                  // from placing to dispatch, where the order does not say
	transitSec int64                  // from dispatch to delivery
}

// settingsKey is outside every map and counter, whose keys begin with a length.
var settingsKey = []byte("\x00settings")

// configure stores the parameters and lets in one source a role, as far as given.
func configure(r *sdk.Request) {
	s := settings{owner: r.Caller, waitSec: r.IntOr(waitDefault), transitSec: r.IntOr(transDefault)}
	if s.waitSec < 1 || s.waitSec > maxSpanSec || s.transitSec < 1 || s.transitSec > maxSpanSec {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: waitSeconds and transitSeconds are 1 to 31622400")
	}
	for of := range roles {
		if address := r.BytesOr(nil); address != nil {
			allowed.Set(sourceKey(of, address), nil)
		}
	}
	setAsset(r.Text())
	sdk.Set(settingsKey, number(number(append([]byte{}, s.owner[:]...), uint64(s.waitSec)), uint64(s.transitSec)))
}

// parameters reads what configure stored.
func parameters() (s settings) {
	var r [abi.AddressBytes + 16]byte
	size, found := sdk.GetInto(settingsKey, r[:])
	checkState(found && size == len(r))
	copy(s.owner[:], r[:])
	s.waitSec, s.transitSec = int64(sdk.U64(r[abi.AddressBytes:])), int64(sdk.U64(r[abi.AddressBytes+8:]))
	return s
}

// admit aborts unless an event's source has a role, and its time can be true.
// A time far ahead would end every order at once.
func admit(e *sdk.Event, of role) {
	if _, ok := allowed.Get(sourceKey(of, e.Origin[:])); !ok {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: the source may not send events of this type")
	}
	checkTime(e)
}

func checkTime(e *sdk.Event) {
	if now := e.TimeNs(); now < 0 || now > maxTimeNs || sdk.Seconds(now) > int64(e.TimeMs/1000)+maxAheadSec {
		sdk.Abort(codeBadTime, "BAD_TIME: an event's time is after 1970 and at most an hour ahead of its block")
	}
}

func sourceKey(of role, address []byte) []byte {
	if len(address) != abi.AddressBytes {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an address has 20 bytes")
	}
	return append([]byte{byte(of)}, address...)
}

// callAllow lets a source in; callRevoke shuts it out. Both are the owner's.
func callAllow(r *sdk.Request)  { allowed.Set(ownersKey(r), nil) }
func callRevoke(r *sdk.Request) { allowed.Delete(ownersKey(r)) }

// ownersKey reads role and address of a call that only the owner may make.
func ownersKey(r *sdk.Request) []byte {
	mustOwn(r)
	return sourceKey(readRole(r), r.Bytes())
}

func mustOwn(r *sdk.Request) {
	if r.Caller != parameters().owner {
		sdk.Abort(codeNotOwner, "NOT_OWNER: only who deployed the contract may do this")
	}
}

func readRole(r *sdk.Request) role {
	name := r.Bytes()
	for of := range roles {
		if roleNames[of] == string(name) {
			return of
		}
	}
	sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a role is shop, warehouse, payments, carrier or clock")
	return 0
}
