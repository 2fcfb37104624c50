package main

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

const steel = "../../../shared/data/metering-steel/Steel_industry_data.csv"

// billsDigest is the SHA-256 of the year's bills, in order. The ledger's tests
// expect the same of the built contract.
const billsDigest = "38e731641eec5404ce551e3a2b2d18d1cb47148cfade4726da396dc1a269653a"

// row is one line of the file.
type row struct{ date, kwh, load string }

func readSteel(t *testing.T) (rows []row) {
	f, err := os.Open(steel)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the steel works' meter data are not at %s", steel)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		rows = append(rows, row{l[0], l[1], l[10]})
	}
	if len(rows) != 35_040 {
		t.Fatalf("%d rows, the file has 35040", len(rows))
	}
	return rows
}

// steelTariff is the rule of the data's README.
var steelTariff = price{name: "industrial", bands: "Light_Load 56.1, Medium_Load 109.0, Maximum_Load 191.1", demand: 8320 * scale}

// steelBill is what the rule's text asks of a month.
type steelBill struct {
	period string
	rows   []int // of the file, from 1: the log's indices in the tests below
	kwh    map[string]*big.Rat
	peak   *big.Rat
	peakAt int
	exact  *big.Rat
	total  *big.Int
}

// recompute follows the rule's text with big rationals: a month is what the
// file's dates say, and nothing here knows of intervals, clocks or slots.
func recompute(t *testing.T, rows []row) (bills []*steelBill) {
	t.Helper()
	prices := map[string]*big.Rat{"Light_Load": big.NewRat(561, 10), "Medium_Load": big.NewRat(109, 1), "Maximum_Load": big.NewRat(1911, 10)}
	var b *steelBill
	for i, r := range rows {
		period := r.date[6:10] + "-" + r.date[3:5]
		if b == nil || b.period != period {
			b = &steelBill{period: period, kwh: map[string]*big.Rat{}, peak: big.NewRat(-1, 1), exact: new(big.Rat)}
			bills = append(bills, b)
		}
		kwh, ok := new(big.Rat).SetString(r.kwh)
		if !ok || prices[r.load] == nil {
			t.Fatalf("row %d: %v", i, r)
		}
		b.rows = append(b.rows, i+1)
		if b.kwh[r.load] == nil {
			b.kwh[r.load] = new(big.Rat)
		}
		b.kwh[r.load].Add(b.kwh[r.load], kwh)
		if kwh.Cmp(b.peak) > 0 {
			b.peak, b.peakAt = kwh, i+1
		}
	}
	for _, b := range bills {
		for load, kwh := range b.kwh {
			b.exact.Add(b.exact, new(big.Rat).Mul(kwh, prices[load]))
		}
		b.exact.Add(b.exact, new(big.Rat).Mul(b.peak, big.NewRat(4*8320, 1)))
		n := new(big.Int).Mul(b.exact.Num(), big.NewInt(2)) // floor(x + 1/2)
		n.Add(n, b.exact.Denom())
		b.total = n.Div(n, new(big.Int).Mul(b.exact.Denom(), big.NewInt(2)))
	}
	return bills
}

// micro is a decimal in 10^-6.
func micro(t *testing.T, decimal string) int64 {
	r, ok := new(big.Rat).SetString(decimal)
	if !ok {
		t.Fatal(decimal)
	}
	r.Mul(r, big.NewRat(scale, 1))
	if !r.IsInt() {
		t.Fatalf("%s has more than 6 places", decimal)
	}
	return r.Num().Int64()
}

// The file stamps the interval that ends a day with the 00:00 at which that
// day began: the rows are in order but for their stamps. Read as they stand,
// such rows come a day late, and are of the right month when a stamp starts
// an interval. Put right to the next day's 00:00, they end a month, and are
// of it when a stamp ends an interval. Both ways give the rule's bills; the
// second also on a clock of the works' own time zone.
func TestSteel(t *testing.T) {
	rows := readSteel(t)
	want := recompute(t, rows)
	if len(want) != 12 {
		t.Fatalf("%d months", len(want))
	}
	for _, way := range []struct {
		name   string
		set    set
		zone   *time.Location
		mended bool
	}{
		{"as stamped", set{stamp: "start"}, time.UTC, false},
		{"mended, end of interval", set{stamp: "end"}, time.UTC, true},
		{"mended, Korean time", set{offset: 540}, time.FixedZone("KST", 9*3600), true},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := newUtility(t, way.set)
			c.must(c.setTariff(steelTariff), c.register("works", "steelmaker", "industrial", false))
			for _, r := range rows {
				when, err := time.ParseInLocation("02/01/2006 15:04", r.date, way.zone)
				if err != nil {
					t.Fatal(err)
				}
				if way.mended && strings.HasSuffix(r.date, " 00:00") {
					when = when.AddDate(0, 0, 1)
				}
				c.must(c.readAt("works", when.UnixNano(), micro(t, r.kwh), r.load))
			}
			c.must(c.close("*", "2018-12"))
			if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(c.all()))); !way.mended && sum != billsDigest {
				t.Errorf("the bills' digest is %s, want %s", sum, billsDigest)
			}
			got := c.takeBills()
			if len(got) != 12 {
				t.Fatalf("%d bills", len(got))
			}
			for i := range got {
				got[i].check(t, want[i])
			}
		})
	}
}

// check holds a bill against the recomputation: its total, every item's
// quantity, amount and causes, and that the items add up to the total.
func (s *statement) check(t *testing.T, want *steelBill) {
	t.Helper()
	if s.Period != want.period || s.Readings != len(want.rows) || s.Missing != 0 || s.Version != 1 {
		t.Fatalf("%+v is not the bill of %s with %d readings", s, want.period, len(want.rows))
	}
	if big.NewInt(s.Total).Cmp(want.total) != 0 {
		t.Errorf("%s: total %d, want %d", s.Period, s.Total, want.total)
	}
	if got, all := fmt.Sprint(s.Causes), fmt.Sprint([][2]int{{want.rows[0], want.rows[len(want.rows)-1]}}); got != all {
		t.Errorf("%s: causes %s, want %s", s.Period, got, all)
	}
	sum, energy := new(big.Rat), 0
	for _, x := range s.Items {
		amount, ok := new(big.Rat).SetString(x.Amount)
		if !ok {
			t.Fatalf("%+v", x)
		}
		sum.Add(sum, amount)
		quantity, _ := new(big.Rat).SetString(x.Quantity)
		switch x.Item {
		case "energy":
			energy += x.Readings
			if quantity.Cmp(want.kwh[x.Band]) != 0 {
				t.Errorf("%s: %s %s kWh, want %s", s.Period, x.Band, x.Quantity, want.kwh[x.Band].FloatString(6))
			}
		case "demand":
			peak := new(big.Rat).Mul(want.peak, big.NewRat(4, 1))
			if quantity.Cmp(peak) != 0 || fmt.Sprint(x.Causes) != fmt.Sprint([][2]int{{want.peakAt, want.peakAt}}) {
				t.Errorf("%s: demand %s by %v, want %s by %d", s.Period, x.Quantity, x.Causes, peak.FloatString(6), want.peakAt)
			}
		case "rounding":
		default:
			t.Errorf("%s has an item %q", s.Period, x.Item)
		}
	}
	if energy != s.Readings || sum.Cmp(new(big.Rat).SetInt64(s.Total)) != 0 {
		t.Errorf("%s: %d readings in the items, which add up to %s", s.Period, energy, sum.FloatString(12))
	}
}

// Read the wrong way, the midnight rows change the bills, so the convention
// is no detail: an end-stamped clock puts a month's first midnight row into
// the month before, which has not begun or is closed.
func TestSteelMidnights(t *testing.T) {
	rows := readSteel(t)[:32*96]
	c := newUtility(t, set{stamp: "end"})
	c.must(c.setTariff(steelTariff), c.register("works", "steelmaker", "industrial", false))
	refused := 0
	for _, r := range rows {
		when, err := time.Parse("02/01/2006 15:04", r.date)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.readAt("works", when.UnixNano(), micro(t, r.kwh), r.load); err != nil {
			c.refused(codeLateReading, err)
			refused++
		}
	}
	if refused != 2 { // of 1 January and 1 February
		t.Errorf("%d midnight rows were refused, want 2", refused)
	}
}
