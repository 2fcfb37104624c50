package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// hearClock says what time it is to the states that wait for one, those that
// wait longest first, a few in one delivery.
func hearClock(e *sdk.Event) {
	if !mayWrite(e.Origin) {
		notAllowed("the owner and allowed authors move the clock")
	}
	now := e.TimeNs()
	checkTime(e, now)
	var keys [][]byte
	dues.Each(nil, func(key, _ []byte) bool {
		if len(keys) == maxDuePerClock || dueOf(key) > now {
			return false
		}
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		due, key := dueOf(key), key[8:]
		r := &reader{key}
		n := r.take(4)
		number := uint32(n[0])<<24 | uint32(n[1])<<16 | uint32(n[2])<<8 | uint32(n[3])
		rule := byNumber(number)
		s := load(key, rule)
		if !rule.enabled || !s.known { // of before the rule was changed
			dues.Delete(dueKey(due, key))
			s.drop(key, rule)
			continue
		}
		s.tick(place{now, 0})
		s.report(rule, r.buf)
		s.save(key, rule)
	}
}

// maxDuePerClock bounds the states that one clock event moves on.
const maxDuePerClock = 16

// dueOf reads the time in a key of dues.
func dueOf(key []byte) (due int64) {
	for _, c := range key[:8] {
		due = due<<8 | int64(c)
	}
	return due
}
