package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// clock says what a reading's time means: local time is UTC plus a fixed
// offset, and a stamp is the start or the end of the interval measured.
type clock struct {
	offsetMinutes   int16
	intervalMinutes uint16 // divides the day
	endStamped      bool
}

// place is where on a clock an interval lies: by its start, in local time.
// The interval that ends with a month's last midnight is of that month.
type place struct {
	sec     int64  // of the start, Unix, UTC
	period  int32  // months since year 0
	slot    uint16 // intervals since the month began
	weekday uint8  // 0 is Monday
	minute  uint16 // of the day
}

// locate finds an interval by a reading's time; a time between two intervals
// aborts, because two such readings could be of the same one.
func (c clock) locate(ns int64) place {
	sec := sdk.Seconds(ns)
	interval := int64(c.intervalMinutes) * 60
	local := sec + int64(c.offsetMinutes)*60
	if c.endStamped {
		sec, local = sec-interval, local-interval
	}
	day := sdk.Day(local)
	second := local - day*86400
	if sdk.Seconds(ns)*1e9 != ns || second%interval != 0 {
		sdk.Abort(codeBadTime, "BAD_TIME: a reading's time is the start or end of an interval")
	}
	year, month, dayOfMonth := sdk.Date(day)
	perDay := 86400 / interval
	return place{
		sec: sec, period: int32(year)*12 + int32(month) - 1,
		slot:    uint16(int64(dayOfMonth-1)*perDay + second/interval),
		weekday: uint8(day + 3 - 7*sdk.Week(day*86400)),
		minute:  uint16(second / 60),
	}
}

// slots is how many intervals a period has.
func (c clock) slots(period int32) uint32 {
	return uint32(firstDay(period+1)-firstDay(period)) * 1440 / uint32(c.intervalMinutes)
}

// start is the start of a period's slot, in Unix seconds.
func (c clock) start(period int32, slot uint16) int64 {
	return firstDay(period)*86400 + (int64(slot)*int64(c.intervalMinutes)-int64(c.offsetMinutes))*60
}

// firstDay is the day number of a period's first day. The count starts on 1
// March, which puts the leap day last in a year.
func firstDay(period int32) int64 {
	year, month := int64(period/12), int64(period%12)
	if month < 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-2)+2)/5 - 719468
}

// clockBytes is what pack writes.
const clockBytes = 5

func (c clock) pack(w *packer) {
	w.u16(uint16(c.offsetMinutes))
	w.u16(c.intervalMinutes)
	if c.endStamped {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func unpackClock(r *unpacker) clock {
	return clock{offsetMinutes: int16(r.u16()), intervalMinutes: r.u16(), endStamped: r.u8() == 1}
}

// appendPeriod appends a period as 2018-01.
func appendPeriod(dst []byte, period int32) []byte {
	return append(dst, sdk.AppendDate(nil, firstDay(period))[:7]...)
}

// parsePeriod reads what appendPeriod writes, for years of four digits.
func parsePeriod(b []byte) (period int32, ok bool) {
	if len(b) != 7 || b[4] != '-' {
		return 0, false
	}
	n := [2]int32{}
	for i, part := range [2][]byte{b[:4], b[5:]} {
		for _, c := range part {
			if c < '0' || c > '9' {
				return 0, false
			}
			n[i] = n[i]*10 + int32(c-'0')
		}
	}
	return n[0]*12 + n[1] - 1, n[1] >= 1 && n[1] <= 12
}

// appendTime appends Unix seconds as 2018-01-01T00:15:00Z.
func appendTime(dst []byte, sec int64) []byte {
	dst = append(sdk.AppendDate(dst, sdk.Day(sec)), 'T')
	s := sdk.SecondOfDay(sec)
	for i, n := range [3]int64{s / 3600, s / 60 % 60, s % 60} {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	return append(dst, 'Z')
}
