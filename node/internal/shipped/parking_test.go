package shipped

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

const birmingham = "../../../../shared/data/parking-birmingham/parking_birmingham.csv"

// parkingGas bounds a reading in the middle of a week. About 17,500 of it are
// the engine's, for the memory image, one state read and one write.
const parkingGas = 30_000

// Eleven weeks of real readings through the manifest's projection and the
// built contract: the digest of all evaluations is the one that the contract's
// own tests compute natively, where they also compare every evaluation with an
// independent recomputation of the rule.
func TestParkingBirmingham(t *testing.T) {
	l := load(t, "parking", false)
	records := parkingRecords(t)
	args := abi.AppendCallHeader(nil, &abi.CallHeader{})
	args, err := projection.Arguments(parkingManifest(t).Init).Append(args, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if r := l.run(t, vm.Init, 0, args); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	digest, evaluations, middle := sha256.New(), 0, uint64(0)
	deliver := func(handler uint32, record []byte) {
		if r := l.run(t, vm.Event, handler, record); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		if len(l.emitted) == 0 && len(l.written) == 1 {
			middle = max(middle, l.gas)
		}
		for _, e := range l.emitted {
			fmt.Fprintf(digest, "%s %s %s\n", e.Type, e.Subject, e.Data)
			evaluations++
		}
	}
	for _, record := range records {
		deliver(0, record)
	}
	deliver(1, abi.AppendEventHeader(nil, &abi.EventHeader{Subject: []byte("*")}))
	t.Logf("%d readings, at most %d gas each in the middle of a week; closing 90 weeks took %d", len(records), middle, l.gas)
	if middle == 0 || middle > parkingGas {
		t.Errorf("a reading takes up to %d gas, expected are at most %d", middle, parkingGas)
	}
	const want = "6c6b1453647cb92ac2f288e5fde290942d4ca0234a9205a037d382ddc005fd3c"
	if got := fmt.Sprintf("%x", digest.Sum(nil)); evaluations != 1023 || got != want {
		t.Errorf("%d evaluations with digest %s, want 1023 with %s", evaluations, got, want)
	}
}

// A delivery of one reading, without the ledger around it.
func BenchmarkParkingReading(b *testing.B) {
	l := load(b, "parking", false)
	records := parkingRecords(b)[:100]
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := l.run(b, vm.Event, 0, records[i%len(records)]); r.Code != 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(l.gas), "gas/op")
}

func parkingManifest(t testing.TB) *abi.Manifest {
	t.Helper()
	m, err := abi.ParseManifest(readFile(t, "parking", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parkingRecords reads the file's rows, without repeats, as input records.
func parkingRecords(t testing.TB) [][]byte {
	f, err := os.Open(birmingham)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the Birmingham car park data are not at %s", birmingham)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	plan := projection.Events(parkingManifest(t).Events[0].Fields)
	seen := map[string]bool{}
	var records [][]byte
	for _, row := range rows[1:] {
		id := row[0] + "@" + row[3]
		if seen[id] {
			continue
		}
		seen[id] = true
		at, err := time.Parse(time.DateTime, row[3])
		if err != nil {
			t.Fatal(err)
		}
		record := abi.AppendEventHeader(nil, &abi.EventHeader{
			HasTime: true, EventTimeNs: at.UnixNano(), ID: []byte(id), Subject: []byte(row[0]),
			Source: []byte("/parking/birmingham"), Type: []byte("parking.occupancy.v1"),
		})
		record, err = plan.Append(record, fmt.Appendf(nil, `{"occupied":%s,"capacity":%s}`, row[2], row[1]))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}
