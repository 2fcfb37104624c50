package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// operatorKey is outside every map and counter, as ladderKey is.
var operatorKey = []byte("\x00operator")

// gates has a key for every address that may report vehicles and bookings.
var gates = sdk.NewMap("g")

// maxAheadSec is how far an event about money may lie ahead of its block.
const maxAheadSec = 3600

// Bounds of event times, in Unix seconds: 1970-01-02 to 2242.
const minSec, maxSec = 86400, 1 << 33

// setOperator stores who runs the car parks: the address given, or the deployer's.
func setOperator(r *sdk.Request) {
	operator := r.BytesOr(r.Caller[:])
	checkAddress(operator)
	sdk.Set(operatorKey, operator)
}

func isOperator(address [abi.AddressBytes]byte) bool {
	operator, found := sdk.Get(operatorKey)
	return found && string(operator) == string(address[:])
}

// callGate lets a gate in or shuts it out. Only the operator may.
func callGate(r *sdk.Request) {
	address, open := r.Bytes(), r.Bool()
	checkAddress(address)
	if !isOperator(r.Caller) {
		refuseSource()
	}
	if open {
		gates.Set(address, nil)
	} else {
		gates.Delete(address)
	}
}

// admit aborts unless an event about a vehicle or booking comes from
// the operator, or, where gates may send it too, from a gate; and unless its
// time can be true. It answers that time.
func admit(e *sdk.Event, byGates bool) (ns int64) {
	allowed := false
	if byGates {
		_, allowed = gates.Get(e.Origin[:])
	}
	if !allowed && !isOperator(e.Origin) {
		refuseSource()
	}
	ns = e.TimeNs()
	if sec := sdk.Seconds(ns); sec < minSec || sec > maxSec || sec > int64(e.TimeMs/1000)+maxAheadSec {
		refuseTime()
	}
	return ns
}

func refuseSource() {
	sdk.Abort(codeNotAllowed, "NOT_ALLOWED: only the operator, and for vehicles and bookings its gates, may do this")
}

func refuseTime() {
	sdk.Abort(codeBadTime, "BAD_TIME: the time is out of bounds, far ahead of the block, or before what it follows")
}

func checkAddress(address []byte) {
	if len(address) != abi.AddressBytes {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an address has 20 bytes")
	}
}

// checkLot aborts unless the text names one lot.
func checkLot(lot []byte) {
	if len(lot) == 0 || len(lot) > maxLotBytes || string(lot) == everyLot {
		sdk.Abort(codeBadLot, "BAD_LOT: the subject names the lot, 1 to 64 bytes and not *")
	}
}

// checkName aborts unless the text names a ticket or booking.
func checkName(name []byte) {
	if len(name) == 0 || len(name) > maxLotBytes {
		sdk.Abort(codeBadName, "BAD_NAME: a ticket or reservation has 1 to 64 bytes")
	}
}
