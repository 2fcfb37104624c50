package connector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"
)

// The same seed gives the same city, this year and next: who streamed one
// before must find it held. A change here changes what `make run` streams.
func TestACityNeverChanges(t *testing.T) {
	var first bytes.Buffer
	if err := (City{Seed: 1, Weeks: 8}).WriteCSV(&first); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first.Bytes())
	const want = "fb227e7ff2648d32c91b8ba2228e4a73d58afcf2b805defdc90f19a0eddbbf30"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the city of seed 1 and 8 weeks has the hash %s, had %s", got, want)
	}
	var other bytes.Buffer
	if err := (City{Seed: 2, Weeks: 8}).WriteCSV(&other); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other.Bytes(), first.Bytes()) {
		t.Error("two seeds give one city")
	}
}

// A city read from its file is the city generated; it has every lot, and the
// odd readings that real files have.
func TestACityHasWhatRealFilesHave(t *testing.T) {
	city := City{Seed: 7, Weeks: 4}
	var file bytes.Buffer
	if err := city.WriteCSV(&file); err != nil {
		t.Fatal(err)
	}
	source, err := NewCSV("city.csv", io.NopCloser(&file), ParkingMapping("city"))
	if err != nil {
		t.Fatal(err)
	}
	read, err := readAll(t, source)
	if err != nil {
		t.Fatal(err)
	}
	generator, err := NewCity(city)
	if err != nil {
		t.Fatal(err)
	}
	generated, err := readAll(t, generator)
	if err != nil || len(generated) != len(read) {
		t.Fatalf("%d generated, %d read, %v", len(generated), len(read), err)
	}
	lots, ids := map[string]bool{}, map[string]bool{}
	var repeated, over, negative int
	for i, r := range generated {
		if !bytes.Equal(r.Event.AppendRecord(nil), read[i].Event.AppendRecord(nil)) {
			t.Fatalf("reading %d: %+v, from the file %+v", i, r.Event, read[i].Event)
		}
		var data struct{ Occupied, Capacity int }
		if err := json.Unmarshal(r.Event.Data, &data); err != nil {
			t.Fatal(err)
		}
		switch {
		case ids[r.Event.ID]:
			repeated++
		case data.Occupied < 0:
			negative++
		case data.Occupied > data.Capacity:
			over++
		}
		lots[r.Event.Subject], ids[r.Event.ID] = true, true
	}
	if want := 30 * 4 * 7 * slotsPerDay; len(lots) != 30 || len(ids) != want {
		t.Errorf("%d lots with %d readings, want 30 with %d", len(lots), len(ids), want)
	}
	if repeated == 0 || over == 0 || negative == 0 {
		t.Errorf("%d repeated, %d over capacity, %d negative", repeated, over, negative)
	}
}

func TestCityBounds(t *testing.T) {
	for _, c := range []City{{Lots: -1}, {Lots: 1000}, {Weeks: -1}, {Weeks: 521}} {
		if _, err := NewCity(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// Birmingham's own file: every row becomes an event, 216 of them repeats.
func TestBirmingham(t *testing.T) {
	const path = "../../../shared/data/parking-birmingham/parking_birmingham.csv"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real data are not here: %v", err)
	}
	source, err := OpenParkingCSV(path, "birmingham")
	if err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, source)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range records {
		ids[r.Event.ID] = true
	}
	if len(records) != 35_717 || len(records)-len(ids) != 216 {
		t.Errorf("%d rows, %d repeats", len(records), len(records)-len(ids))
	}
}

func BenchmarkParkingCSV(b *testing.B) {
	var file bytes.Buffer
	if err := (City{Seed: 1, Weeks: 1}).WriteCSV(&file); err != nil {
		b.Fatal(err)
	}
	rows := 0
	for b.Loop() {
		source, err := NewCSV("city.csv", io.NopCloser(bytes.NewReader(file.Bytes())), ParkingMapping("city"))
		if err != nil {
			b.Fatal(err)
		}
		records, err := readAll(b, source)
		if err != nil {
			b.Fatal(err)
		}
		rows += len(records)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
