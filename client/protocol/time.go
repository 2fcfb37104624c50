package protocol

import (
	"errors"
	"math"
	"time"
)

// Faults of ParseTime, worded to stand behind the name of what was read.
var (
	ErrTimeForm  = errors.New("is not an RFC 3339 time of at most nanoseconds, like 2016-10-04T07:59:42Z")
	ErrTimeRange = errors.New("is outside the years 1677 to 2262")
)

// FormatTime renders Unix nanoseconds as RFC 3339 in UTC.
func FormatTime(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// ParseTime reads an RFC 3339 time into Unix nanoseconds. It is exact and
// strict, since consensus depends on it: T and Z are capitals, there is no
// leap second, and an offset is within a day.
func ParseTime(text []byte) (ns int64, err error) {
	// 0123456789012345678
	// 2006-01-02T15:04:05[.999999999](Z|+15:04)
	if len(text) < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return 0, ErrTimeForm
	}
	ok := true
	number := func(from, to, low, high int) int64 {
		v := 0
		for _, c := range text[from:to] {
			if c < '0' || c > '9' {
				ok = false
				return 0
			}
			v = v*10 + int(c-'0')
		}
		ok = ok && v >= low && v <= high
		return int64(v)
	}
	year, month, day := number(0, 4, 0, 9999), number(5, 7, 1, 12), number(8, 10, 1, 31)
	seconds := number(11, 13, 0, 23)*3600 + number(14, 16, 0, 59)*60 + number(17, 19, 0, 59)
	if !ok || day > daysIn(year, month) {
		return 0, ErrTimeForm
	}
	at, nanos := 19, int64(0)
	if text[at] == '.' {
		unit := int64(100_000_000)
		for at++; at < len(text) && text[at] >= '0' && text[at] <= '9'; at++ {
			if unit == 0 {
				return 0, ErrTimeForm
			}
			nanos += int64(text[at]-'0') * unit
			unit /= 10
		}
		if at == 20 {
			return 0, ErrTimeForm
		}
	}
	switch zone := text[at:]; {
	case len(zone) == 1 && zone[0] == 'Z':
	case len(zone) == 6 && zone[3] == ':' && (zone[0] == '+' || zone[0] == '-'):
		offset := number(at+1, at+3, 0, 23)*3600 + number(at+4, at+6, 0, 59)*60
		if zone[0] == '+' {
			offset = -offset
		}
		seconds += offset
	default:
		return 0, ErrTimeForm
	}
	if !ok {
		return 0, ErrTimeForm
	}
	return unixNanos(daysSinceEpoch(year, month, day)*86_400+seconds, nanos)
}

// unixNanos joins seconds and nanoseconds, 0 to 999,999,999, checked.
func unixNanos(seconds, nanos int64) (int64, error) {
	const whole = math.MaxInt64 / 1_000_000_000
	if seconds > whole || seconds < -whole-1 {
		return 0, ErrTimeRange
	}
	if seconds < 0 {
		// Count down from the next second, so that the least value fits.
		seconds, nanos = seconds+1, nanos-1_000_000_000
	}
	ns := seconds * 1_000_000_000
	if sum := ns + nanos; (nanos < 0) == (sum < ns) {
		return sum, nil
	}
	return 0, ErrTimeRange
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts days from 1970-01-01 in the proleptic Gregorian
// calendar, in years that begin in March so that the leap day comes last.
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	inYear := (153*(month-3)+2)/5 + day - 1
	era := year + 400 // never negative
	return era*365 + era/4 - era/100 + era/400 + inYear - 719_468 - 146_097
}
