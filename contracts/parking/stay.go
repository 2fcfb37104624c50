package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// A stay is charged by the started minute, each at the price in force where
// and when it starts. README.md has the rule in words.
const (
	minuteNs   = 60_000_000_000
	maxStayMin = 56 * 24 * 60 // 27 lines at most
)

// stayLine is what a stay costs in one band of the day of one week.
type stayLine struct {
	week    int32
	band    byte
	minutes uint64
	price   int64 // cents an hour
}

// stay is the price of a time in a lot.
type stay struct {
	minutes uint64
	lines   []stayLine // in the order of their first minutes
}

// price lays the started minutes of a time from its first moment on, and
// groups them by week and band. end is not before start.
func price(p *ladder, lot []byte, start, end int64) (s stay) {
	s.minutes = startedMinutes(end - start)
	if s.minutes > maxStayMin {
		sdk.Abort(codeStayTooLong, "STAY_TOO_LONG: a stay is at most 56 days; the operator closes it for an amount")
	}
	at := start
	for left := s.minutes; left > 0; {
		sec := sdk.Seconds(at)
		band := sdk.BandOfDay(sec, 12, 15)
		bandEnd := sdk.Day(sec)*86400 + [...]int64{12, 15, 24}[band]*3600
		n := min(startedMinutes(bandEnd*1e9-at), left)
		s.line(p, lot, int32(sdk.Week(sec)), byte('A'+band)).minutes += n
		at += int64(n) * minuteNs
		left -= n
	}
	return s
}

// startedMinutes is a duration in minutes, rounded up; none is none.
func startedMinutes(ns int64) uint64 { return (uint64(ns) + minuteNs - 1) / minuteNs }

// line finds the line of a week and band, or adds it with the price in force.
func (s *stay) line(p *ladder, lot []byte, week int32, band byte) *stayLine {
	for i := range s.lines {
		if l := &s.lines[i]; l.week == week && l.band == band {
			return l
		}
	}
	s.lines = append(s.lines, stayLine{week: week, band: band, price: p.priceIn(lot, band, week)})
	return &s.lines[len(s.lines)-1]
}

// sixtieths is a line's exact amount in sixtieths of a cent.
func (l *stayLine) sixtieths() uint64 { return l.minutes * uint64(l.price) }

// cents is the whole amount, rounded once, half up.
func (s *stay) cents() uint64 {
	sum := uint64(0)
	for i := range s.lines {
		sum += s.lines[i].sixtieths()
	}
	return (sum + 30) / 60
}

// write adds the lines, from which the amount can be recomputed.
func (s *stay) write(w *sdk.JSON) {
	w.Key("lines").Array()
	for i := range s.lines {
		l := &s.lines[i]
		w.Object().Key("week")
		week(w, true, l.week)
		w.Key("band").Text([]byte{l.band})
		w.Key("minutes").Uint(l.minutes)
		w.Key("priceCents").Int(l.price)
		w.Key("sixtieths").Uint(l.sixtieths()).EndObject()
	}
	w.EndArray()
}
