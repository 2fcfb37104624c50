package protocol

import (
	"fmt"
	"testing"
)

// BenchmarkEncodeBatch is what a producer does for 500 events: records,
// compression and one signature.
func BenchmarkEncodeBatch(b *testing.B) {
	e, err := ParseEventJSON([]byte(reading))
	if err != nil {
		b.Fatal(err)
	}
	events := make([]Event, 500)
	for i := range events {
		events[i] = e
		events[i].ID = fmt.Sprintf("BHMBCCMKT01@%d", i)
	}
	key := testKey(b, 7)
	b.ReportAllocs()
	for b.Loop() {
		batch := &Batch{Stream: "s"}
		for i := range events {
			batch.Records = append(batch.Records, events[i].AppendRecord(nil))
		}
		if _, err := SignTx(testChain, key, 9, 0, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifySignature is what every node does once for a transaction.
func BenchmarkVerifySignature(b *testing.B) {
	e, err := ParseEventJSON([]byte(reading))
	if err != nil {
		b.Fatal(err)
	}
	raw, err := SignTx(testChain, testKey(b, 7), 9, 0, &Batch{Stream: "s", Records: [][]byte{e.AppendRecord(nil)}})
	if err != nil {
		b.Fatal(err)
	}
	tx, err := DecodeTx(testChain, raw)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := tx.VerifySignature(); err != nil {
			b.Fatal(err)
		}
	}
}
