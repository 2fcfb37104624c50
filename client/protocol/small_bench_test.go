package protocol

import (
	"strconv"
	"testing"
)

// smallRecords are readings whose data is half a sensor's own signature, in
// hexadecimal: what a batch of one or few events holds.
func smallRecords(tb testing.TB, count int) (records [][]byte) {
	tb.Helper()
	for i := range count {
		e, err := ParseEventJSON([]byte(`{"specversion":"1.0","id":"bench-001-02@` + strconv.Itoa(i) + `","source":"/bench/parking-1","type":"parking.occupancy.v1","subject":"bench-001-02",` +
			`"time":"2024-01-01T00:05:00Z","datacontenttype":"application/json","data":{"occupied":61,"capacity":577,"batteryMv":3123,"signalDbm":-71,"proof":"9e3779b97f4a7c15bf58476d1ce4e5b994d0"}}`))
		if err != nil {
			tb.Fatal(err)
		}
		records = append(records, e.AppendRecord(nil))
	}
	return records
}

// BenchmarkSignSmall is what a producer does for a batch of one event.
func BenchmarkSignSmall(b *testing.B) {
	key, records := testKey(b, 7), smallRecords(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SignTx(testChain, key, 9, 0, &Batch{Stream: "s", Records: records}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeSmall is what a node does with a batch of one event, its
// signature aside.
func BenchmarkDecodeSmall(b *testing.B) {
	raw, err := SignTx(testChain, testKey(b, 7), 9, 0, &Batch{Stream: "s", Records: smallRecords(b, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeTx(testChain, raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "B/tx")
}

// BenchmarkSign is one signature.
func BenchmarkSign(b *testing.B) {
	key := testKey(b, 7)
	b.ReportAllocs()
	for b.Loop() {
		key.Sign(Hash{1})
	}
}
