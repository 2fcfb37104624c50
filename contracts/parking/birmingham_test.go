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
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// evaluationsDigest is the SHA-256 of all evaluations of the Birmingham data,
// in order. The ledger's tests expect the same of the built contract.
const evaluationsDigest = "6c6b1453647cb92ac2f288e5fde290942d4ca0234a9205a037d382ddc005fd3c"

const birmingham = "../../../shared/data/parking-birmingham/parking_birmingham.csv"

// row is one line of the file.
type row struct {
	lot, at            string
	capacity, occupied int64
}

// readBirmingham answers the file's rows without repeats of a lot and time.
func readBirmingham(t *testing.T) (rows []row, repeats int) {
	f, err := os.Open(birmingham)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the Birmingham car park data are not at %s", birmingham)
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
		r := row{lot: l[0], at: l[3]}
		if seen[r.lot+"@"+r.at] {
			repeats++
			continue
		}
		seen[r.lot+"@"+r.at] = true
		var err1, err2 error
		r.capacity, err1 = strconv.ParseInt(l[1], 10, 64)
		r.occupied, err2 = strconv.ParseInt(l[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows, repeats
}

// answer is one evaluation as the rule's text asks for it.
type answer struct {
	Lot, Band, Week                    string
	OccupancyBp, StepCents, PriceCents int64
}

// recompute follows the rule's text with big rationals, the standard
// library's calendar and a pass per lot, band and week: it shares nothing
// with the contract.
func recompute(t *testing.T, rows []row) map[string][]answer {
	type bucket struct{ lot, band, week string }
	used, size := map[bucket]*big.Int{}, map[bucket]*big.Int{}
	var buckets []bucket
	for _, r := range rows {
		when, err := time.Parse(time.DateTime, r.at)
		if err != nil {
			t.Fatal(err)
		}
		year, week := when.ISOWeek()
		band := "C"
		if when.Hour() < 12 {
			band = "A"
		} else if when.Hour() < 15 {
			band = "B"
		}
		k := bucket{r.lot, band, strconv.Itoa(year) + "-W" + strconv.Itoa(week + 100)[1:]}
		if used[k] == nil {
			used[k], size[k] = new(big.Int), new(big.Int)
			buckets = append(buckets, k)
		}
		n := r.occupied
		if n < 0 {
			n = 0
		}
		if n > r.capacity {
			n = r.capacity
		}
		used[k].Add(used[k], big.NewInt(n))
		size[k].Add(size[k], big.NewInt(r.capacity))
	}
	slices.SortFunc(buckets, func(a, b bucket) int {
		if a.week < b.week {
			return -1
		}
		return 1 // order inside a week does not matter
	})
	out := map[string][]answer{}
	for _, k := range buckets {
		bp := new(big.Int).Div(new(big.Int).Mul(used[k], big.NewInt(10000)), size[k]).Int64()
		a := answer{Lot: k.lot, Band: k.band, Week: k.week, OccupancyBp: bp}
		if bp >= 8000 {
			a.StepCents = 25
		} else if bp < 3000 {
			a.StepCents = -50
		} else if bp < 6000 {
			a.StepCents = -25
		}
		price := int64(200)
		if past := out[k.lot+"/"+k.band]; len(past) > 0 {
			price = past[len(past)-1].PriceCents
		}
		if price += a.StepCents; price > 800 {
			price = 800
		}
		if price < 25 {
			price = 25
		}
		a.PriceCents = price
		out[k.lot+"/"+k.band] = append(out[k.lot+"/"+k.band], a)
	}
	return out
}

// Eleven weeks of 30 real car parks: every evaluation and every final price.
func TestBirmingham(t *testing.T) {
	rows, repeats := readBirmingham(t)
	if len(rows) != 35_501 || repeats != 216 {
		t.Fatalf("%d rows and %d repeats, the file has 35501 and 216", len(rows), repeats)
	}
	want := recompute(t, rows)
	c := newTown(t, nil)
	for _, r := range rows {
		c.mustRead(r.lot, r.at, r.occupied, uint64(r.capacity))
	}
	c.close("*")

	got := map[string][]answer{}
	digest := sha256.New()
	for _, e := range c.Emitted {
		fmt.Fprintf(digest, "%s %s %s\n", e.Type, e.Subject, e.Data)
		var a answer
		if err := json.Unmarshal(e.Data, &a); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		got[a.Lot+"/"+a.Band] = append(got[a.Lot+"/"+a.Band], a)
	}
	if len(c.Emitted) != 1023 || len(got) != 90 || len(want) != 90 {
		t.Fatalf("%d evaluations of %d lot bands, want 1023 of 90", len(c.Emitted), len(got))
	}
	if sum := fmt.Sprintf("%x", digest.Sum(nil)); sum != evaluationsDigest {
		t.Errorf("the evaluations' digest is %s, want %s", sum, evaluationsDigest)
	}
	for name, w := range want {
		if !slices.Equal(got[name], w) {
			t.Errorf("%s\ngot  %v\nwant %v", name, got[name], w)
		}
		var last answer
		if err := json.Unmarshal([]byte(c.price(w[0].Lot, w[0].Band)), &last); err != nil {
			t.Fatal(err)
		}
		if last != w[len(w)-1] {
			t.Errorf("the price of %s is %v, want %v", name, last, w[len(w)-1])
		}
	}
	out, err := c.Query(queryOfCount, new(sdk.Args))
	if err != nil || string(out) != `{"evaluations":1023}` {
		t.Errorf("evaluations: %s, %v", out, err)
	}
}
