package e2e

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// lotBand is a car park in one band of the day.
type lotBand struct{ lot, band string }

// recomputed is what the parking rule makes of a file of readings.
type recomputed struct {
	rows, repeats, evaluations int
	prices                     map[lotBand]int // cents
}

// recompute applies the published parking rule to a whole file at once. It
// shares no code with the contract: it groups first and prices afterwards.
func recompute(path string) (recomputed, error) {
	file, err := os.Open(path)
	if err != nil {
		return recomputed{}, err
	}
	defer file.Close()
	type week struct{ occupied, capacity int64 }
	weeks := map[lotBand]map[int]*week{} // by year*100+week of ISO 8601
	seen := map[string]bool{}
	out := recomputed{prices: map[lotBand]int{}}
	reader := csv.NewReader(file)
	if _, err := reader.Read(); err != nil {
		return out, err
	}
	for {
		row, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, err
		}
		out.rows++
		if seen[row[0]+row[3]] {
			out.repeats++
			continue
		}
		seen[row[0]+row[3]] = true
		capacity, err1 := strconv.ParseInt(row[1], 10, 64)
		occupied, err2 := strconv.ParseInt(row[2], 10, 64)
		at, err3 := time.Parse(time.DateTime, row[3])
		if err1 != nil || err2 != nil || err3 != nil {
			return out, fmt.Errorf("row %d: %v", out.rows, row)
		}
		key := lotBand{row[0], bandOf(at.Hour())}
		if weeks[key] == nil {
			weeks[key] = map[int]*week{}
		}
		year, number := at.ISOWeek()
		w := weeks[key][year*100+number]
		if w == nil {
			w = &week{}
			weeks[key][year*100+number] = w
		}
		w.occupied += min(max(occupied, 0), capacity)
		w.capacity += capacity
	}
	for key, byWeek := range weeks {
		price := 200
		numbers := sortedKeys(byWeek)
		for _, n := range numbers {
			w := byWeek[n]
			price = min(max(price+step(10_000*w.occupied/w.capacity), 25), 800)
			out.evaluations++
		}
		out.prices[key] = price
	}
	return out, nil
}

func bandOf(hour int) string {
	switch {
	case hour < 12:
		return "A"
	case hour < 15:
		return "B"
	}
	return "C"
}

func step(basisPoints int64) int {
	switch {
	case basisPoints >= 8_000:
		return 25
	case basisPoints >= 6_000:
		return 0
	case basisPoints >= 3_000:
		return -25
	}
	return -50
}
