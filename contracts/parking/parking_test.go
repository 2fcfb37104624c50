package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json.
const (
	eventOccupancy, eventClose                = 0, 1
	queryOfPrice, queryOfPrices, queryOfCount = 0, 1, 2
)

func TestManifest(t *testing.T) {
	text, err := os.ReadFile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := abi.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := sdk.CheckManifest(m); err != nil {
		t.Fatal(err)
	}
	if len(m.Init) != ladderBytes/8+3 {
		t.Fatalf("%d init fields, the ladder has %d, the operator one and money two", len(m.Init), ladderBytes/8)
	}
}

// town is a ledger with the parking contract on it.
type town struct {
	t *testing.T
	*sdk.Host
	bank    *sdk.Bank // of newCity
	asset   string
	deposit uint64
	minted  int64
}

// newTown deploys with the given init fields; the others are left out.
func newTown(t *testing.T, fields map[int]int64) *town {
	c := &town{t: t, Host: sdk.NewHost()}
	if err := c.deploy(fields); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *town) deploy(fields map[int]int64) error {
	args := new(sdk.Args)
	for i := range ladderBytes / 8 {
		if v, ok := fields[i]; ok {
			args.Int(v)
		} else {
			args.Absent()
		}
	}
	args.Bytes(operator[:])
	if c.asset == "" {
		return c.Init(args.Absent().Absent())
	}
	return c.Init(args.Text(c.asset).Uint(c.deposit))
}

func (c *town) read(lot, at string, occupied int64, capacity uint64) error {
	c.t.Helper()
	when, err := time.Parse("2006-01-02 15:04:05", at)
	if err != nil {
		c.t.Fatal(err)
	}
	header := abi.EventHeader{HasTime: true, EventTimeNs: when.UnixNano(), Subject: []byte(lot)}
	return c.Event(eventOccupancy, header, new(sdk.Args).Int(occupied).Uint(capacity))
}

func (c *town) mustRead(lot, at string, occupied int64, capacity uint64) {
	c.t.Helper()
	if err := c.read(lot, at, occupied, capacity); err != nil {
		c.t.Fatalf("%s at %s: %v", lot, at, err)
	}
}

func (c *town) close(subject string) {
	c.t.Helper()
	if err := c.Event(eventClose, abi.EventHeader{Subject: []byte(subject)}, nil); err != nil {
		c.t.Fatal(err)
	}
}

func (c *town) price(lot, band string) string {
	c.t.Helper()
	out, err := c.Query(queryOfPrice, new(sdk.Args).Text(lot).Text(band))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(out)
}

// evaluations renders what was emitted since the last call, one a line.
func (c *town) evaluations() string {
	var lines []string
	for _, e := range c.Emitted {
		lines = append(lines, fmt.Sprintf("%s %s %s", e.Type, e.Subject, e.Data))
	}
	c.Emitted = nil
	return strings.Join(lines, "\n")
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWeekClosesOnTheNext(t *testing.T) {
	c := newTown(t, nil)
	c.mustRead("North", "2016-10-04 08:00:00", 80, 100)
	c.mustRead("North", "2016-10-05 11:59:59", 80, 100)
	c.mustRead("North", "2016-10-09 12:00:00", 59, 100) // band B, Sunday
	equal(t, c.evaluations(), "")
	equal(t, c.price("North", "A"), `{"lot":"North","band":"A","week":null,"occupancyBp":0,"stepCents":0,"priceCents":200,"openWeek":"2016-W40","evaluations":0}`)

	c.mustRead("North", "2016-10-10 00:00:00", 0, 100) // Monday closes band A only
	equal(t, c.evaluations(), `parking.price.set.v1 North {"lot":"North","band":"A","week":"2016-W40","occupancyBp":8000,"stepCents":25,"priceCents":225}`)
	c.mustRead("North", "2016-10-24 13:00:00", 60, 100) // two weeks later; the week between had no readings
	equal(t, c.evaluations(), `parking.price.set.v1 North {"lot":"North","band":"B","week":"2016-W40","occupancyBp":5900,"stepCents":-25,"priceCents":175}`)
	c.close("North")
	equal(t, c.evaluations(),
		`parking.price.set.v1 North {"lot":"North","band":"A","week":"2016-W41","occupancyBp":0,"stepCents":-50,"priceCents":175}
parking.price.set.v1 North {"lot":"North","band":"B","week":"2016-W43","occupancyBp":6000,"stepCents":0,"priceCents":175}`)
	c.close("*") // nothing is open any more
	equal(t, c.evaluations(), "")
	equal(t, c.price("North", "B"), `{"lot":"North","band":"B","week":"2016-W43","occupancyBp":6000,"stepCents":0,"priceCents":175,"openWeek":null,"evaluations":2}`)
	out, _ := c.Query(queryOfCount, nil)
	equal(t, string(out), `{"evaluations":4}`)
}

// Occupancy is the ratio of sums, rounded down, of clamped readings.
func TestOccupancy(t *testing.T) {
	for _, c := range []struct {
		readings [][2]int64
		want     string
	}{
		{[][2]int64{{-5, 10}, {25, 10}}, `"occupancyBp":5000,`},
		{[][2]int64{{1, 3}, {2, 3}, {1, 1}}, `"occupancyBp":5714,`},
		{[][2]int64{{math.MinInt64, 1}}, `"occupancyBp":0,"stepCents":-50,"priceCents":150`},
		{[][2]int64{{math.MaxInt64, maxCapacity}}, `"occupancyBp":10000,"stepCents":25,"priceCents":225`},
		{[][2]int64{{7999, 10000}}, `"occupancyBp":7999,"stepCents":0,`},
		{[][2]int64{{6000, 10000}}, `"occupancyBp":6000,"stepCents":0,`},
		{[][2]int64{{5999, 10000}}, `"occupancyBp":5999,"stepCents":-25,`},
		{[][2]int64{{3000, 10000}}, `"occupancyBp":3000,"stepCents":-25,`},
		{[][2]int64{{2999, 10000}}, `"occupancyBp":2999,"stepCents":-50,`},
	} {
		tn := newTown(t, nil)
		for i, r := range c.readings {
			tn.mustRead("x", fmt.Sprintf("2020-01-01 00:00:%02d", i), r[0], uint64(r[1]))
		}
		tn.close("x")
		if got := tn.evaluations(); !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, want %s", c.readings, got, c.want)
		}
	}
}

func TestPriceStaysBetweenFloorAndCeiling(t *testing.T) {
	c := newTown(t, map[int]int64{1: 100, 2: 250}) // floor, ceiling
	monday := time.Date(2017, 1, 2, 9, 0, 0, 0, time.UTC)
	for week := range 8 {
		occupied := int64(100)
		if week >= 4 {
			occupied = 0
		}
		c.mustRead("x", monday.AddDate(0, 0, 7*week).Format("2006-01-02 15:04:05"), occupied, 100)
	}
	c.close("x")
	var prices []int
	for _, e := range c.Emitted {
		var v struct{ PriceCents int }
		if err := json.Unmarshal(e.Data, &v); err != nil {
			t.Fatal(err)
		}
		prices = append(prices, v.PriceCents)
	}
	equal(t, fmt.Sprint(prices), "[225 250 250 250 200 150 100 100]")
}

func TestRefusals(t *testing.T) {
	c := newTown(t, nil)
	c.mustRead("x", "2016-10-12 09:00:00", 1, 10)
	long := strings.Repeat("l", maxLotBytes+1)
	for _, r := range []struct {
		lot, at  string
		capacity uint64
		code     uint32
		name     string
	}{
		{"x", "2016-10-09 09:00:00", 10, codeLateReading, "LATE_READING"},
		{"x", "2016-10-12 10:00:00", 0, codeBadCapacity, "BAD_CAPACITY"},
		{"x", "2016-10-12 10:00:00", maxCapacity + 1, codeBadCapacity, "BAD_CAPACITY"},
		{"x", "2016-10-12 10:00:00", math.MaxUint64, codeBadCapacity, "BAD_CAPACITY"},
		{"", "2016-10-12 10:00:00", 10, codeBadLot, "BAD_LOT"},
		{"*", "2016-10-12 10:00:00", 10, codeBadLot, "BAD_LOT"},
		{long, "2016-10-12 10:00:00", 10, codeBadLot, "BAD_LOT"},
	} {
		before := fmt.Sprint(c.State)
		err := c.read(r.lot, r.at, 1, r.capacity)
		if sdk.CodeOf(err) != r.code || !strings.Contains(err.Error(), r.name) {
			t.Errorf("%q at %s of %d: %v, want %s", r.lot, r.at, r.capacity, err, r.name)
		}
		if fmt.Sprint(c.State) != before {
			t.Errorf("%s changed the state", r.name)
		}
	}
	// After an explicit close the week takes no more readings; the next does.
	c.close("*")
	if err := c.read("x", "2016-10-13 09:00:00", 1, 10); sdk.CodeOf(err) != codeLateReading {
		t.Errorf("a reading of a closed week: %v", err)
	}
	c.mustRead("x", "2016-10-17 09:00:00", 1, 10)
}

// The reading before this one, delivered again, counts once, in an open week
// and in a closed one.
func TestRepeatedReading(t *testing.T) {
	c := newTown(t, nil)
	c.mustRead("x", "2016-10-12 09:00:00", 9, 10)
	before := fmt.Sprint(c.State)
	c.mustRead("x", "2016-10-12 09:00:00", 3, 10)
	equal(t, fmt.Sprint(c.State), before)
	c.close("*")
	c.mustRead("x", "2016-10-12 09:00:00", 9, 10)
	if !strings.Contains(c.evaluations(), `"occupancyBp":9000,`) {
		t.Error("a repeat was counted")
	}
}

// Out of order inside a week is no trouble: the rule sums.
func TestReadingsOfAWeekInAnyOrder(t *testing.T) {
	c := newTown(t, nil)
	c.mustRead("x", "2016-10-14 09:00:00", 10, 10)
	c.mustRead("x", "2016-10-12 09:00:00", 0, 10)
	c.close("*")
	if !strings.Contains(c.evaluations(), `"occupancyBp":5000,`) {
		t.Error("an earlier reading of the open week was not counted")
	}
}

func TestTimeMissingIsTheBlocks(t *testing.T) {
	c := newTown(t, nil)
	c.TimeMs = uint64(time.Date(2024, 12, 30, 15, 0, 0, 0, time.UTC).UnixMilli())
	args := new(sdk.Args).Int(1).Uint(10)
	if err := c.Event(eventOccupancy, abi.EventHeader{Subject: []byte("x")}, args); err != nil {
		t.Fatal(err)
	}
	if got := c.price("x", "C"); !strings.Contains(got, `"openWeek":"2025-W01"`) {
		t.Error(got)
	}
}

func TestReadingsTooFarAhead(t *testing.T) {
	c := newTown(t, map[int]int64{10: 24}) // maxAheadHours
	c.TimeMs = uint64(time.Date(2016, 10, 12, 9, 0, 0, 0, time.UTC).UnixMilli())
	c.mustRead("x", "2016-10-13 09:00:00", 1, 10)
	if err := c.read("x", "2016-10-17 09:00:00", 1, 10); sdk.CodeOf(err) != codeFutureReading {
		t.Errorf("four days ahead: %v", err)
	}
	newTown(t, nil).mustRead("x", "2200-01-01 09:00:00", 1, 10) // no bound by default
}

func TestParameters(t *testing.T) {
	for _, bad := range []map[int]int64{
		{0: 10}, {0: 900}, {1: -1}, {2: maxCents + 1}, {3: 10001}, {4: 8001}, {5: 6001}, {5: -1},
		{6: maxCents + 1}, {9: math.MinInt64}, {10: -1}, {10: maxHours + 1},
	} {
		c := &town{t: t, Host: sdk.NewHost()}
		if err := c.deploy(bad); sdk.CodeOf(err) != codeBadParameters {
			t.Errorf("%v: %v", bad, err)
		}
	}
	c := newTown(t, map[int]int64{0: 1000, 1: 0, 2: 2000, 3: 9000, 4: 5000, 5: 1000, 6: 7, 7: 5, 8: -3, 9: -11})
	for lot, occupied := range map[string]int64{"a": 9000, "b": 5000, "c": 1000, "d": 999} {
		c.mustRead(lot, "2016-10-12 09:00:00", occupied, 10000)
	}
	c.close("*")
	for lot, price := range map[string]string{"a": "1007", "b": "1005", "c": "997", "d": "989"} {
		if got := c.price(lot, "A"); !strings.Contains(got, `"priceCents":`+price+`,`) {
			t.Errorf("%s, want %s", got, price)
		}
	}
}

func TestPricesInPages(t *testing.T) {
	c := newTown(t, nil)
	for i := range 70 {
		for _, hour := range []string{"09", "13", "16"} {
			c.mustRead(fmt.Sprintf("lot/%02d", i), "2016-10-12 "+hour+":00:00", 1, 10)
		}
	}
	for _, limit := range []uint64{1, 7, 64, 100, 210, 500, 0} {
		var seen []string
		after := new(sdk.Args).Absent()
		for pages := 0; ; pages++ {
			out, err := c.Query(queryOfPrices, after.Uint(limit))
			if err != nil {
				t.Fatal(err)
			}
			var page struct {
				Prices []struct{ Lot, Band string }
				Next   *string
			}
			if err := json.Unmarshal(out, &page); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, p := range page.Prices {
				seen = append(seen, p.Lot+"/"+p.Band)
			}
			if page.Next == nil {
				break
			}
			if limit != 0 && len(page.Prices) != int(limit) || pages > 210 {
				t.Fatalf("page %d has %d of %d", pages, len(page.Prices), limit)
			}
			after = new(sdk.Args).Text(*page.Next)
		}
		if len(seen) != 210 || seen[0] != "lot/00/A" || seen[209] != "lot/69/C" {
			t.Errorf("limit %d: %d prices, from %s to %s", limit, len(seen), seen[0], seen[len(seen)-1])
		}
	}
	if _, err := c.Query(queryOfPrice, new(sdk.Args).Text("lot/99").Text("A")); sdk.CodeOf(err) != codeNotFound {
		t.Errorf("an unknown lot: %v", err)
	}
	if _, err := c.Query(queryOfPrice, new(sdk.Args).Text("lot/01").Text("AB")); sdk.CodeOf(err) != codeNotFound {
		t.Errorf("an unknown band: %v", err)
	}
}

// Lots whose names begin one another, or end like a band, are apart.
func TestLotNames(t *testing.T) {
	c := newTown(t, nil)
	names := []string{"A", "AA", "AB", "AAA", "x/A", "x", `q"\`, "парк"}
	for i, name := range names {
		c.mustRead(name, "2016-10-12 09:00:00", int64(i), 100)
	}
	c.close("A")
	c.close("*")
	for i, e := range c.Emitted {
		var v struct {
			Lot         string
			OccupancyBp int
		}
		if err := json.Unmarshal(e.Data, &v); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		if v.Lot != e.Subject || v.OccupancyBp != 100*indexOf(names, v.Lot) {
			t.Errorf("evaluation %d: %s", i, e.Data)
		}
	}
	if len(c.Emitted) != len(names) {
		t.Errorf("%d evaluations of %d lots", len(c.Emitted), len(names))
	}
}

func indexOf(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}
