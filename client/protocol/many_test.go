package protocol

import (
	"bytes"
	"testing"
)

// FuzzTransactions holds that what is read as several transactions joins to
// octets that read as the same ones, within the limit.
func FuzzTransactions(f *testing.F) {
	f.Add(JoinTransactions([][]byte{[]byte("one"), {}, []byte("three")}))
	f.Add(bytes.Repeat([]byte{0}, MaxTransactions+1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, body []byte) {
		raws, err := SplitTransactions(body)
		if err != nil {
			return
		}
		if len(raws) == 0 || len(raws) > MaxTransactions {
			t.Fatalf("%d transactions", len(raws))
		}
		again, err := SplitTransactions(JoinTransactions(raws))
		if err != nil || len(again) != len(raws) {
			t.Fatalf("%d transactions joined and split again: %d, %v", len(raws), len(again), err)
		}
		for i := range raws {
			if !bytes.Equal(raws[i], again[i]) {
				t.Fatalf("transaction %d changed", i)
			}
		}
	})
}
