package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"testing"
	"time"
)

// ordersDigest is the SHA-256 of all events that the data below make the
// contract emit, in order. The ledger's tests expect the same of both modules.
const ordersDigest = "0c2ff4f665ad01a3c73b30f5745441c1d4b51d114db8c0b5ee7ddb86f6ea82d8"

const nab = "../../../shared/data/pdm-nab/"

// point is one line of the file.
type point struct {
	at     time.Time
	value  *big.Rat
	repeat bool // of an earlier line's time
}

// readNAB answers the file's lines and the labelled failure windows.
func readNAB(t *testing.T) (points []point, windows [][2]time.Time) {
	f, err := os.Open(nab + "machine_temperature_system_failure.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the machine temperature data are not at %s", nab)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range lines[1:] {
		value, ok := new(big.Rat).SetString(l[1])
		if !ok {
			t.Fatalf("%q is no number", l[1])
		}
		points = append(points, point{parseTime(t, l[0]), value, seen[l[0]]})
		seen[l[0]] = true
	}
	text, err := os.ReadFile(nab + "combined_windows.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][][2]string
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, w := range all["realKnownCause/machine_temperature_system_failure.csv"] {
		windows = append(windows, [2]time.Time{parseTime(t, w[0]), parseTime(t, w[1])})
	}
	return points, windows
}

func parseTime(t *testing.T, text string) time.Time {
	at, err := time.Parse(time.DateTime, text) // takes a fraction too
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// window is the number of the labelled window that a time lies in, or -1.
func window(windows [][2]time.Time, at time.Time) int {
	for i, w := range windows {
		if !at.Before(w[0]) && !at.After(w[1]) {
			return i
		}
	}
	return -1
}

// Eleven weeks of a real machine with four labelled failures. A triggered
// point is a reading at which a trigger holds, here value <= 60; the point is
// true inside a window, false outside, and missed when a reading inside a
// window is not triggered. The technician answers an order at the first
// reading that no longer holds: confirmed when it held inside a window.
func TestMachineTemperature(t *testing.T) {
	points, windows := readNAB(t)
	c := newPlant(t, set{"threshold": "below", "thresholdOn": 60 * one, "reward": 100, "rewardAsset": "EUR"})
	limit := big.NewRat(60, 1)
	unit := new(big.Rat).SetInt64(10_000_000_000_000_000)
	var taken, hits, orders, confirmed, repeats int
	var right, wrong, missed int
	hit := map[int]bool{}
	held, inside := false, false // inside: the order has a triggered reading in a window
	for i, p := range points {
		scaled := new(big.Rat).Mul(p.value, unit)
		if !scaled.IsInt() {
			t.Fatalf("line %d has more than %d decimal places", i+2, finePlaces)
		}
		if err := c.event(eventFine, producer, "machine", p.at.UnixNano(), scaled.Num().Int64()); err != nil {
			t.Fatalf("line %d: %v", i+2, err)
		}
		in := window(windows, p.at)
		triggered := p.value.Cmp(limit) <= 0
		if p.repeat {
			repeats++
		} else {
			taken++
			switch {
			case triggered && in >= 0:
				right++
				hit[in] = true
			case triggered:
				wrong++
			case in >= 0:
				missed++
			}
			if triggered {
				hits++
			}
			if triggered && !held {
				orders++
				inside = false
			}
			inside = inside || triggered && in >= 0
			if held && !triggered {
				outcome := outcomeFalseAlarm
				if inside {
					outcome = outcomeConfirmed
					confirmed++
				}
				if err := c.call(callClose, technician, fmt.Sprintf("machine#%d", orders), outcome); err != nil {
					t.Fatalf("line %d: order %d: %v", i+2, orders, err)
				}
			}
			held = triggered
		}
		c.compare(i+2, taken, hits, orders, confirmed, held)
	}
	t.Logf("%d readings, %d repeats; %d true, %d false, %d missed points; %d orders, %d confirmed; %d windows hit",
		taken, repeats, right, wrong, missed, orders, confirmed, len(hit))
	if repeats != 12 || taken != 22_683 || right != 1045 || wrong != 494 || missed != 1223 || len(hit) != 4 || len(windows) != 4 {
		t.Error("these are not the data's figures")
	}
	c.checkEvents(orders, confirmed)
}

// checkEvents holds the totals and the digest of what was emitted.
func (c *plant) checkEvents(orders, confirmed int) {
	c.t.Helper()
	equal(c.t, c.ask(queryOfStats), fmt.Sprintf(`{"assets":1,"orders":{"opened":%d,"open":0,"escalated":0,"confirmed":%d,"falseAlarms":%d},"rewards":{"accrued":%d,"paid":0,"due":%d}}`,
		orders, confirmed, orders-confirmed, 100*confirmed, 100*confirmed))
	digest := sha256.New()
	for _, e := range c.Emitted {
		fmt.Fprintf(digest, "%s %s %s\n", e.Type, e.Subject, e.Data)
	}
	if len(c.Emitted) != 2*orders+confirmed {
		c.t.Errorf("%d events of %d orders, %d confirmed", len(c.Emitted), orders, confirmed)
	}
	if sum := fmt.Sprintf("%x", digest.Sum(nil)); sum != ordersDigest {
		c.t.Errorf("the events' digest is %s, want %s", sum, ordersDigest)
	}
}

// compare holds the asset's counts against those of the recomputation, which
// after every line makes them equal point by point.
func (c *plant) compare(line, readings, triggered, orders, confirmed int, held bool) {
	c.t.Helper()
	var a struct {
		Readings, Triggered, Orders, Confirmed int
		Active                                 []string
		OpenOrder                              *string
	}
	if err := json.Unmarshal([]byte(c.ask(queryOfAsset, "machine")), &a); err != nil {
		c.t.Fatal(err)
	}
	if a.Readings != readings || a.Triggered != triggered || a.Orders != orders || a.Confirmed != confirmed ||
		(len(a.Active) == 1) != held || (a.OpenOrder != nil) != held {
		c.t.Fatalf("after line %d: %+v, want %d readings, %d triggered, %d orders, %d confirmed, holding: %v",
			line, a, readings, triggered, orders, confirmed, held)
	}
}
