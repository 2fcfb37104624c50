package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Properties that other events than readings bring.
const (
	propertyOccupancy = "parking.occupancy" // percent
	propertyPrice     = "parking.price"     // cents
	propertyOrder     = "maintenance.order" // status opened, escalated, closed
	propertySupply    = "metering.supply"   // status off, on
)

// isReserved says whether readings and definitions keep off a property.
func isReserved(name []byte) bool {
	return is(name, propertyOccupancy) || is(name, propertyPrice) || is(name, propertyOrder) || is(name, propertySupply)
}

// maxTimeNs bounds event times, so that no sum with a span of time overflows.
const maxTimeNs = 1 << 62

func badReading(why string) { sdk.Abort(codeBadReading, "BAD_READING: "+why) }

// hearReading takes a reading of any property.
func hearReading(e *sdk.Event) {
	o := &observation{property: e.Bytes()}
	o.hasNumber, o.number = optionalInt(e)
	o.text = e.BytesOr(nil)
	o.hasText = o.text != nil
	o.hasFlag, o.flag = optionalBool(e)
	o.status = e.BytesOr(nil)
	o.hasStatus = o.status != nil
	unit := e.BytesOr(nil)
	hasLat, lat := optionalInt(e)
	hasLon, lon := optionalInt(e)
	switch {
	case !isWord(o.property):
		badReading("the property is no name")
	case isReserved(o.property):
		sdk.Abort(codeReserved, "RESERVED: the property belongs to another event")
	case hasLat != hasLon || !placed(lat, lon):
		badReading("a place has a latitude, -90 to 90, and a longitude, -180 to 180")
	case !isPlain(o.text), !isPlain(o.status):
		badReading("texts have at most 32 bytes and no control characters")
	}
	if o.placed = hasLat; hasLat {
		o.at = point{int32(lat), int32(lon)}
	}
	observe(e, o, unit)
}

// optionalInt and optionalBool read a field whose every value may occur: twice,
// with two defaults, of which a field that is there takes neither.
func optionalInt(e *sdk.Event) (has bool, v int64) {
	again := e.Fields
	v = e.IntOr(0)
	return v == again.IntOr(1), v
}

func optionalBool(e *sdk.Event) (has, v bool) {
	again := e.Fields
	v = e.BoolOr(false)
	return v == again.BoolOr(true), v
}

// hearOccupancy takes how full a car park is, as a percentage of its spaces.
func hearOccupancy(e *sdk.Event) {
	occupied, capacity := e.Int(), e.Uint()
	if capacity == 0 || capacity > 1_000_000 {
		badReading("a car park has 1 to 1000000 spaces")
	}
	within := min(max(occupied, 0), int64(capacity))
	observe(e, &observation{property: []byte(propertyOccupancy), hasNumber: true, number: within * 100_000_000 / int64(capacity)}, nil)
}

// hearPrice takes a new price of a car park, in cents; its status is the band of the day.
func hearPrice(e *sdk.Event) {
	band, cents := e.Bytes(), e.Int()
	if cents < -1e9 || cents > 1e9 || !isPlain(band) {
		badReading("the price is beyond all measure")
	}
	o := &observation{property: []byte(propertyPrice), hasNumber: true, number: cents * 1_000_000, hasStatus: true, status: band}
	observe(e, o, nil)
}

// hearStatus answers a handler of events that say by their type alone what
// state their subject is in.
func hearStatus(property, status string) func(*sdk.Event) {
	return func(e *sdk.Event) {
		observe(e, &observation{property: []byte(property), hasStatus: true, status: []byte(status)}, nil)
	}
}

// observe gives an observation to the rules that listen to its property.
func observe(e *sdk.Event, o *observation, unit []byte) {
	p, known := loadProperty(o.property)
	if !known {
		return // no rule, no domain: nobody asked
	}
	at := place{e.TimeNs(), e.Index}
	p.admits(o, unit)
	if len(p.rules) == 0 {
		return
	}
	o.subject, o.origin = e.Subject, e.Origin
	if len(o.subject) > maxSubject {
		sdk.Abort(codeBadSubject, "BAD_SUBJECT: a subject has at most 64 bytes")
	}
	met, late, checked := 0, 0, false
	for _, number := range p.rules {
		r := byNumber(number)
		mask := r.rule.mask(o)
		key := r.stateKey(o.subject)
		record, found := readRecord(states, key)
		if mask == 0 && !found {
			continue
		}
		if !checked {
			checkTime(e, at.timeNs)
			checked = true
		}
		if mask != 0 {
			met++
		}
		if s := loaded(record, found, r); !s.observe(r, key, o, at, mask) {
			late++
		}
	}
	if met > 0 && late == met {
		sdk.Abort(codeLateReading, "LATE_READING: the reading comes too late for every rule that it concerns")
	}
}

// checkTime aborts when a reading lies ahead of its block, or out of all time:
// a wrong clock would make every true reading late.
func checkTime(e *sdk.Event, ns int64) {
	ahead := loadSettings().aheadSeconds
	if ns < 0 || ns >= maxTimeNs {
		badReading("the time lies outside 1970 to 2116")
	}
	if ahead > 0 && uint64(ns)/1e9 > e.TimeMs/1000+ahead {
		sdk.Abort(codeFutureReading, "FUTURE_READING: the reading's time is too far ahead of the block's")
	}
}

// stateKey is the key of the rule's state for a subject.
func (e *entry) stateKey(subject []byte) []byte {
	if e.rule.global {
		subject = nil
	}
	return stateKey(e.number, subject)
}

// observe gives an observation to one rule: mask is of the tests it meets. It
// answers false when it meets some and comes too late.
func (s *state) observe(e *entry, key []byte, o *observation, at place, mask uint8) bool {
	switch {
	case mask == 0 && (!s.known || at.timeNs <= s.newest):
		return true
	case mask == 0:
		s.tick(at)
	case s.isLate(at):
		s.late++
		s.save(key, e)
		return false
	default:
		s.hear(e.occurrence(o, at, mask))
	}
	s.report(e, o.subject)
	s.save(key, e)
	return true
}

// occurrence is what a state keeps of an observation.
func (e *entry) occurrence(o *observation, at place, mask uint8) *occurrence {
	x := &occurrence{place: at, mask: mask, number: o.number, text: o.text, status: o.status}
	if e.rule.global {
		x.subject = o.subject
	}
	for i, has := range [...]bool{o.hasNumber, o.hasText, o.hasFlag, o.hasStatus, o.flag} {
		if has {
			x.has |= 1 << i
		}
	}
	return x
}
