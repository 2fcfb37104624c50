package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// lotBands maps a lot's name and its band's letter to a lotBand's record.
var lotBands = sdk.NewMap("p")

// evaluated counts the evaluations of all lots.
var evaluated = sdk.NewCounter("n")

// recordBytes is the size of a stored lotBand:
//
//	 0  format      u8, 1
//	 1  flags       u8, bit 0 open, bit 1 closed
//	 2  occupied    u64        18  lastNs      i64
//	10  capacity    u64        26  week        i32
//	30  closedWeek  i32        34  price       i32
//	38  occupancy   u32        42  step        i32
//	46  evaluations u32
//
// all little-endian.
const recordBytes = 50

// maxSum bounds the sums of a week, so that 10000 times one fits a uint64:
// at a million spaces, a billion readings.
const maxSum = 1 << 50

// lotBand is a lot's price in one band of the day, and the readings that will
// move it when their week closes.
type lotBand struct {
	key   []byte // lot and band
	known bool   // the state has a record

	open               bool  // the week has readings and is not evaluated
	week               int32 // that week, or the last one that was open
	occupied, capacity uint64
	lastNs             int64 // the latest reading's time

	closed      bool  // at least one week was evaluated; its result:
	closedWeek  int32 //
	occupancyBp uint32
	step        int32
	price       int32 // in force now
	evaluations uint32
}

// load reads a lot's band, or answers an unknown one.
func load(lot []byte, band byte) *lotBand {
	key := make([]byte, 0, len(lot)+1)
	key = append(append(key, lot...), band)
	var buf [recordBytes]byte
	size, found := lotBands.GetInto(key, buf[:])
	if !found {
		return &lotBand{key: key}
	}
	return decode(key, buf[:min(size, recordBytes)])
}

// decode reads a stored record.
func decode(key, r []byte) *lotBand {
	if len(r) != recordBytes || r[0] != 1 {
		sdk.Abort(codeBadState, "BAD_STATE: a stored lot is malformed")
	}
	return &lotBand{
		key: key, known: true,
		open: r[1]&1 != 0, closed: r[1]&2 != 0,
		occupied: sdk.U64(r[2:]), capacity: sdk.U64(r[10:]), lastNs: int64(sdk.U64(r[18:])),
		week: int32(sdk.U32(r[26:])), closedWeek: int32(sdk.U32(r[30:])), price: int32(sdk.U32(r[34:])),
		occupancyBp: sdk.U32(r[38:]), step: int32(sdk.U32(r[42:])), evaluations: sdk.U32(r[46:]),
	}
}

// save stores the record.
func (b *lotBand) save() {
	var r [recordBytes]byte
	r[0] = 1
	if b.open {
		r[1] |= 1
	}
	if b.closed {
		r[1] |= 2
	}
	sdk.PutU64(r[2:], b.occupied)
	sdk.PutU64(r[10:], b.capacity)
	sdk.PutU64(r[18:], uint64(b.lastNs))
	sdk.PutU32(r[26:], uint32(b.week))
	sdk.PutU32(r[30:], uint32(b.closedWeek))
	sdk.PutU32(r[34:], uint32(b.price))
	sdk.PutU32(r[38:], b.occupancyBp)
	sdk.PutU32(r[42:], uint32(b.step))
	sdk.PutU32(r[46:], b.evaluations)
	lotBands.Set(b.key, r[:])
}

// turn evaluates the open week, if there is one, and opens another.
func (b *lotBand) turn(p *ladder, week int32) {
	if b.open {
		b.evaluate(p)
		evaluated.Add(1)
	}
	if !b.known {
		b.known, b.price = true, int32(p.start)
	}
	b.open, b.week = true, week
}

// add counts a reading into the open week.
func (b *lotBand) add(occupied, capacity int64) {
	b.occupied += uint64(min(max(occupied, 0), capacity))
	b.capacity += uint64(capacity)
	if b.capacity > maxSum {
		sdk.Abort(codeWeekFull, "WEEK_FULL: the week's sums are at their limit")
	}
}

// evaluate closes the open week: it moves the price and emits the evaluation.
// The week has at least one reading, so its capacity is not 0. The caller
// counts: a counter costs as much as a record, and one delivery may close many.
func (b *lotBand) evaluate(p *ladder) {
	occupancy := int64(10000 * b.occupied / b.capacity)
	step := p.step(occupancy)
	b.occupancyBp, b.step = uint32(occupancy), int32(step)
	before := b.price
	b.price = int32(p.move(int64(before), step))
	b.open, b.closed, b.closedWeek = false, true, b.week
	b.occupied, b.capacity = 0, 0
	b.evaluations++
	if b.price != before {
		b.rememberFor(b.week)
	}

	var w sdk.JSON
	w.Object()
	b.name(&w)
	b.result(&w)
	w.EndObject()
	sdk.Emit("parking.price.set.v1", b.lot(), w.Bytes())
}

func (b *lotBand) lot() []byte { return b.key[:len(b.key)-1] }

// name writes the members that say which lot and band.
func (b *lotBand) name(w *sdk.JSON) {
	w.Key("lot").Text(b.lot())
	w.Key("band").Text(b.key[len(b.key)-1:])
}

// result writes the members of the last evaluation and the price in force.
func (b *lotBand) result(w *sdk.JSON) {
	w.Key("week")
	week(w, b.closed, b.closedWeek)
	w.Key("occupancyBp").Uint(uint64(b.occupancyBp))
	w.Key("stepCents").Int(int64(b.step))
	w.Key("priceCents").Int(int64(b.price))
}

// week writes an ISO week, or null where there is none.
func week(w *sdk.JSON, there bool, week int32) {
	if !there {
		w.Null()
		return
	}
	var text [8]byte
	w.Text(sdk.AppendISOWeek(text[:0], int64(week)))
}
