package sdk

// Calendar arithmetic in integers, proleptic Gregorian, UTC. Unix seconds may
// be negative; every division rounds down, so that days before 1970 count
// backwards without a seam.

const daySeconds = 86400

// floorDiv is a/b rounded down, for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if q*b > a {
		q--
	}
	return q
}

// Seconds converts nanoseconds to whole seconds, rounded down.
func Seconds(ns int64) int64 { return floorDiv(ns, 1e9) }

// Day is the number of days since 1970-01-01 at Unix time sec.
func Day(sec int64) int64 { return floorDiv(sec, daySeconds) }

// SecondOfDay is 0 to 86399.
func SecondOfDay(sec int64) int64 { return sec - Day(sec)*daySeconds }

// BandOfDay answers which stretch of the day a time falls into, given the
// hours at which a new stretch begins, ascending: 0 before the first.
func BandOfDay(sec int64, startHours ...int64) int {
	s := SecondOfDay(sec)
	for i, hour := range startHours {
		if s < hour*3600 {
			return i
		}
	}
	return len(startHours)
}

// Date is the civil date of a day number: month 1 to 12, day 1 to 31. Exact
// for every day that Unix nanoseconds in an int64 can name.
//
// The count starts on 1 March of a year divisible by 400, which puts the leap
// day last in a year and makes a 400-year era always 146,097 days.
func Date(day int64) (year int64, month, dayOfMonth int) {
	day += 719468 // from 0000-03-01 to 1970-01-01
	era := floorDiv(day, 146097)
	d := day - era*146097                        // of the era: 0 to 146096
	y := (d - d/1460 + d/36524 - d/146096) / 365 // of the era: 0 to 399
	yearDay := d - (365*y + y/4 - y/100)         // from 1 March: 0 to 365
	m := (5*yearDay + 2) / 153                   // 0 is March
	dayOfMonth = int(yearDay - (153*m+2)/5 + 1)  // months from March: 31 30 31 30 31, twice, 31 28
	year, month = y+era*400, int(m)+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, dayOfMonth
}

// Week numbers the weeks that begin on a Monday: week 0 holds 1970-01-01.
// Consecutive weeks have consecutive numbers, across years too.
func Week(sec int64) int64 { return floorDiv(Day(sec)+3, 7) }

// ISOWeek is the ISO 8601 year and week (1 to 53) of a week's number: the
// year is the one its Thursday falls into.
func ISOWeek(week int64) (year int64, number int) {
	thursday := week * 7
	year, _, _ = Date(thursday)
	// The first Thursday of the year is in its week 1.
	return year, int(thursday-newYear(year))/7 + 1
}

// newYear is the day number of 1 January.
func newYear(year int64) int64 {
	y := year - 1 // leap days up to the end of the year before
	return 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) - 719162
}

// AppendISOWeek appends a week as ISO 8601 writes it, such as 2016-W40.
func AppendISOWeek(dst []byte, week int64) []byte {
	year, number := ISOWeek(week)
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-', 'W')
	return appendPadded(dst, int64(number), 2)
}

// AppendDate appends a day as ISO 8601 writes it, such as 2016-10-04.
func AppendDate(dst []byte, day int64) []byte {
	year, month, dayOfMonth := Date(day)
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, int64(month), 2)
	dst = append(dst, '-')
	return appendPadded(dst, int64(dayOfMonth), 2)
}

// appendPadded appends a number with at least width digits.
func appendPadded(dst []byte, v int64, width int) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	for limit := int64(10); width > 1; width-- {
		if v < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
		limit *= 10
	}
	return AppendUint(dst, uint64(v))
}
