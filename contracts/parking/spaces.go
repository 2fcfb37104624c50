package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bookings are counted in slots of a quarter of an hour. A lot's day has a
// record of 96 counters, u16 each, from 00:00 UTC; its key lies outside every
// map and counter.
//
//	00 'd' length lot day    day is u32, big-endian
const (
	slotNs        = 900_000_000_000
	slotsOfDay    = 96
	dayNs         = slotNs * slotsOfDay
	maxReservable = 10_000
)

// reservable maps a lot to how many of its spaces can be reserved, u64.
var reservable = sdk.NewMap("c")

func spacesOf(lot []byte) uint64 {
	var r [8]byte
	if _, found := reservable.GetInto(lot, r[:]); !found {
		return 0
	}
	return sdk.U64(r[:])
}

// setSpaces says how many spaces of a lot can be reserved. It cannot fall
// below what is booked from now on.
func setSpaces(e *sdk.Event) {
	now := admit(e, false)
	checkLot(e.Subject)
	n := e.Uint()
	if n > maxReservable {
		sdk.Abort(codeBadCapacity, "BAD_CAPACITY: at most 10000 spaces of a lot can be reserved")
	}
	prefix := lotKey('d', e.Subject)
	sdk.Each(prefix, dayKey(e.Subject, now/dayNs-1), func(key, counters []byte) bool {
		first := 0
		if string(key) == string(dayKey(e.Subject, now/dayNs)) {
			first = int(now % dayNs / slotNs)
		}
		for slot := first; slot < slotsOfDay; slot++ {
			if uint64(countOf(counters, slot)) > n {
				sdk.Abort(codeNoSpace, "NO_SPACE: more spaces than that are booked")
			}
		}
		return true
	})
	var r [8]byte
	sdk.PutU64(r[:], n)
	reservable.Set(e.Subject, r[:])
}

func dayKey(lot []byte, day int64) []byte {
	key := append(lotKey('d', lot), 0, 0, 0, 0)
	bigEndian(key[len(key)-4:], uint32(day))
	return key
}

func countOf(counters []byte, slot int) uint16 {
	return uint16(counters[2*slot]) | uint16(counters[2*slot+1])<<8
}

// eachDay calls visit with the counters of every day that a range touches,
// and the range's slots in it. Both ends are multiples of slotNs.
func eachDay(lot []byte, from, to int64, visit func(key, counters []byte, first, end int)) {
	for from < to {
		day := from / dayNs
		end := min(to, (day+1)*dayNs)
		key, counters := dayKey(lot, day), make([]byte, 2*slotsOfDay)
		sdk.GetInto(key, counters)
		visit(key, counters, int(from%dayNs/slotNs), int((end-1)%dayNs/slotNs)+1)
		from = end
	}
}

// takeSlots takes a space in every slot of a range, or aborts.
func takeSlots(lot []byte, from, to int64) {
	spaces := spacesOf(lot)
	eachDay(lot, from, to, func(key, counters []byte, first, end int) {
		for slot := first; slot < end; slot++ {
			n := countOf(counters, slot)
			if uint64(n) >= spaces {
				sdk.Abort(codeNoSpace, "NO_SPACE: all spaces are booked in a part of the time")
			}
			counters[2*slot], counters[2*slot+1] = byte(n+1), byte((n+1)>>8)
		}
		sdk.Set(key, counters)
	})
}

// freeSlots gives the space back. A day without bookings leaves no record.
func freeSlots(lot []byte, from, to int64) {
	eachDay(lot, from, to, func(key, counters []byte, first, end int) {
		for slot := first; slot < end; slot++ {
			n := countOf(counters, slot)
			checkState(n > 0)
			counters[2*slot], counters[2*slot+1] = byte(n-1), byte((n-1)>>8)
		}
		for _, b := range counters {
			if b != 0 {
				sdk.Set(key, counters)
				return
			}
		}
		sdk.Delete(key)
	})
}

// freeSpaces is how many can still be booked for all of a range.
func freeSpaces(lot []byte, from, to int64) uint64 {
	booked := uint64(0)
	eachDay(lot, from, to, func(_, counters []byte, first, end int) {
		for slot := first; slot < end; slot++ {
			booked = max(booked, uint64(countOf(counters, slot)))
		}
	})
	if spaces := spacesOf(lot); booked < spaces {
		return spaces - booked
	}
	return 0
}
