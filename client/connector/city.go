package connector

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// City describes generated car parks. The same values always give the same
// readings; there are no floats and no clock in it.
type City struct {
	Seed  uint64
	Lots  int // car parks; 0 means 30
	Weeks int // of half-hourly readings from 08:00 to 16:30; 0 means 8
}

// Half-hours of a day with readings, and how many of a thousand readings are
// repeated, over capacity, or negative, as real files have them.
const (
	firstHalfHour  = 16
	slotsPerDay    = 18
	repeatedPerMil = 6
	overPerMil     = 10
	negativePerMil = 1
)

// GeneratedCity is a Source of generated readings.
type GeneratedCity struct {
	rows *cityRows
	m    *compiled
	next uint64
}

// NewCity makes a city.
func NewCity(c City) (*GeneratedCity, error) {
	if c.Lots == 0 {
		c.Lots = 30
	}
	if c.Weeks == 0 {
		c.Weeks = 8
	}
	if c.Lots < 1 || c.Lots > 999 || c.Weeks < 1 || c.Weeks > 520 {
		return nil, fmt.Errorf("city: %d lots and %d weeks; must be 1 to 999 and 1 to 520", c.Lots, c.Weeks)
	}
	mapping := ParkingMapping("city")
	m, err := mapping.compile(cityHeader)
	if err != nil {
		return nil, err
	}
	return &GeneratedCity{rows: newCityRows(c), m: m}, nil
}

// Next makes the next reading.
func (g *GeneratedCity) Next() (Record, error) {
	fields := g.rows.next()
	if fields == nil {
		return Record{}, io.EOF
	}
	event, err := g.m.event(fields)
	if err != nil {
		return Record{}, err
	}
	g.next++
	return Record{g.next - 1, event}, nil
}

// Close does nothing.
func (*GeneratedCity) Close() error { return nil }

var cityHeader = []string{"SystemCodeNumber", "Capacity", "Occupancy", "LastUpdated"}

// WriteCSV writes the city in the columns of Birmingham's file.
func (c City) WriteCSV(w io.Writer) error {
	city, err := NewCity(c)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(cityHeader); err != nil {
		return err
	}
	for fields := city.rows.next(); fields != nil; fields = city.rows.next() {
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cityRows walks lots, days and half-hours.
type cityRows struct {
	City
	random         *rand.Rand
	lot, day, slot int
	capacity       int
	peak           int // occupied thousandths at the busiest half-hour
	last           []string
	repeat         bool
}

func newCityRows(c City) *cityRows {
	r := &cityRows{City: c, random: rand.New(rand.NewPCG(c.Seed, 0x6361697265))}
	r.openLot()
	return r
}

func (r *cityRows) openLot() {
	r.capacity = 100 + r.random.IntN(2_000)
	r.peak = 650 + r.random.IntN(650)
}

var cityStart = time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC) // a Monday

func (r *cityRows) next() []string {
	if r.repeat {
		r.repeat = false
		return r.last
	}
	if r.slot == slotsPerDay {
		r.slot, r.day = 0, r.day+1
	}
	if r.day == r.Weeks*7 {
		if r.day, r.lot = 0, r.lot+1; r.lot < r.Lots {
			r.openLot()
		}
	}
	if r.lot >= r.Lots {
		return nil
	}
	// Occupancy rises to the peak in the middle of the day and falls; weekends are emptier.
	rise := 1_000 - abs(2*r.slot-slotsPerDay)*1_000/slotsPerDay*4/10
	occupied := r.capacity * r.peak / 1_000 * rise / 1_000
	if r.day%7 >= 5 {
		occupied = occupied * 9 / 10
	}
	occupied = min(occupied+r.random.IntN(r.capacity/10+1)-r.capacity/20, r.capacity)
	switch odd := r.random.IntN(1_000); {
	case odd < negativePerMil:
		occupied = -1 - r.random.IntN(5)
	case odd < negativePerMil+overPerMil:
		occupied = r.capacity + 1 + r.random.IntN(20)
	case odd < negativePerMil+overPerMil+repeatedPerMil:
		r.repeat = true
	}
	at := cityStart.AddDate(0, 0, r.day).Add(time.Duration(firstHalfHour+r.slot)*30*time.Minute + time.Duration(r.random.IntN(600))*time.Second)
	r.slot++
	r.last = []string{fmt.Sprintf("CITY-%02d", r.lot+1), strconv.Itoa(r.capacity), strconv.Itoa(max(occupied, -5)), at.Format(time.DateTime)}
	return r.last
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
