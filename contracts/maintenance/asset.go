package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// assets maps an asset's name to its record.
var assets = sdk.NewMap("a")

// known counts them.
var known = sdk.NewCounter("assets")

// remembered is how many of the last readings' times an asset keeps, to know
// a reading that comes again.
const remembered = 16

// assetBytes is the size of a stored asset:
//
//	 0  format    u8, 1
//	 1  flags     u8, bits 0 to 2 triggers that hold, 3 an order is open, 4 it is escalated, 5 there is a rate
//	 2  places    u8
//	 3  measures  3 x i64 of the last reading
//	27  lastIndex u64          35  sinceNs   i64
//	43  held      u64          51  readings  u64
//	59  triggered u64          67  opened    u32
//	71  confirmed u32          75  falsified u32
//	79  timesNs   16 x i64, that of reading i at i mod 16
//
// all little-endian.
const assetBytes = 79 + 8*remembered

// asset is what is known of a machine.
type asset struct {
	name     []byte
	places   uint8    // decimal places of its readings, the first one's
	last     measures // of the last reading
	active   uint8    // triggers that hold, one bit each
	isOpen   bool     // order number opened is
	urgent   bool     // it was escalated
	readings uint64   // taken
	// A reading is triggered when at least one trigger holds at it.
	triggered uint64 // readings, over all time
	held      uint64 // readings in a row, up to the last; since then:
	sinceNs   int64

	lastIndex uint64 // of the last reading's entry
	opened    uint32 // orders; their numbers start at 1
	confirmed uint32
	falsified uint32
	timesNs   [remembered]int64
}

// load reads an asset, or answers one without readings.
func load(name []byte) *asset {
	a := &asset{name: name}
	var r [assetBytes]byte
	size, found := assets.GetInto(name, r[:])
	if !found {
		return a
	}
	if size != assetBytes || r[0] != 1 {
		sdk.Abort(codeBadState, "BAD_STATE: a stored asset is malformed")
	}
	a.active, a.isOpen, a.urgent = r[1]&7, r[1]&8 != 0, r[1]&16 != 0
	a.last.hasRate, a.places = r[1]&32 != 0, r[2]
	for i := range a.last.of {
		a.last.of[i] = int64(sdk.U64(r[3+8*i:]))
	}
	a.lastIndex, a.sinceNs = sdk.U64(r[27:]), int64(sdk.U64(r[35:]))
	a.held, a.readings, a.triggered = sdk.U64(r[43:]), sdk.U64(r[51:]), sdk.U64(r[59:])
	a.opened, a.confirmed, a.falsified = sdk.U32(r[67:]), sdk.U32(r[71:]), sdk.U32(r[75:])
	for i := range a.timesNs {
		a.timesNs[i] = int64(sdk.U64(r[79+8*i:]))
	}
	return a
}

// save stores the asset.
func (a *asset) save() {
	var r [assetBytes]byte
	r[0], r[1], r[2] = 1, a.active, a.places
	for i, flag := range [...]bool{a.isOpen, a.urgent, a.last.hasRate} {
		if flag {
			r[1] |= 8 << i
		}
	}
	for i, v := range a.last.of {
		sdk.PutU64(r[3+8*i:], uint64(v))
	}
	sdk.PutU64(r[27:], a.lastIndex)
	sdk.PutU64(r[35:], uint64(a.sinceNs))
	sdk.PutU64(r[43:], a.held)
	sdk.PutU64(r[51:], a.readings)
	sdk.PutU64(r[59:], a.triggered)
	sdk.PutU32(r[67:], a.opened)
	sdk.PutU32(r[71:], a.confirmed)
	sdk.PutU32(r[75:], a.falsified)
	for i, v := range a.timesNs {
		sdk.PutU64(r[79+8*i:], uint64(v))
	}
	assets.Set(a.name, r[:])
}

// has says whether a reading of this time is among the last ones.
func (a *asset) has(ns int64) bool {
	for i := range min(a.readings, remembered) {
		if a.timesNs[i] == ns {
			return true
		}
	}
	return false
}

// lastNs is the time of the last reading, of which there is one.
func (a *asset) lastNs() int64 { return a.timesNs[(a.readings-1)%remembered] }

// measure answers what the triggers compare at a new reading, later than the last.
func (a *asset) measure(p *parameters, value, ns int64) measures {
	m := measures{of: [triggerCount]int64{byThreshold: value, byEWMA: value}}
	if a.readings > 0 {
		m.hasRate = true
		m.of[byEWMA] = smooth(a.last.of[byEWMA], value, p.alpha)
		m.of[byRate] = perMinute(value-a.last.of[byThreshold], uint64(ns)-uint64(a.lastNs()))
	}
	return m
}

// judge sets which triggers hold, and answers those that did not before.
func (a *asset) judge(p *parameters, m *measures) (rising uint8) {
	before := a.active
	a.active = 0
	for i := range p.triggers {
		if i == byRate && !m.hasRate {
			continue
		}
		if p.triggers[i].holds(m.of[i], a.places, before>>i&1 == 1) {
			a.active |= 1 << i
		}
	}
	return a.active &^ before
}

// take counts a judged reading.
func (a *asset) take(index uint64, m *measures, ns int64) {
	if a.readings == 0 {
		known.Add(1)
	}
	a.timesNs[a.readings%remembered] = ns
	a.readings++
	a.last, a.lastIndex = *m, index
	if a.active == 0 {
		a.held = 0
		return
	}
	if a.held == 0 {
		a.sinceNs = ns
	}
	a.held++
	a.triggered++
}

// heldNs is how long at least one trigger has held without a pause.
func (a *asset) heldNs() uint64 { return uint64(a.lastNs()) - uint64(a.sinceNs) }
