package abi

import (
	"bytes"
	"testing"
)

func TestEventRecordRoundTrip(t *testing.T) {
	want := EventHeader{
		Height: 7, TimeMs: 1_475_000_000_123, Index: 1 << 40, EventTimeNs: -5, HasTime: true,
		Origin: [20]byte{1, 19: 0xff}, ID: []byte("lot@1"), Source: []byte("/parking"), Type: []byte("t.v1"),
	}
	record := AppendEventHeader(nil, &want)
	record = AppendFlag(record, true)
	record = AppendU64(record, 0xfedcba9876543210)
	record = AppendFlag(record, false)
	record = AppendFlag(record, true)
	record = AppendRun(record, []byte("text"))
	record = AppendFlag(record, true)
	record = AppendFlag(record, true)

	r := NewReader(record)
	got := r.EventHeader()
	if got.Height != want.Height || got.TimeMs != want.TimeMs || got.Index != want.Index || got.EventTimeNs != -5 ||
		!got.HasTime || got.Origin != want.Origin || !bytes.Equal(got.ID, want.ID) || !bytes.Equal(got.Source, want.Source) ||
		!bytes.Equal(got.Type, want.Type) || len(got.Subject) != 0 {
		t.Fatalf("header = %+v", got)
	}
	if !r.Present() || r.Uint() != 0xfedcba9876543210 || r.Present() || !r.Present() || string(r.Bytes()) != "text" || !r.Present() || !r.Bool() {
		t.Fatal("fields differ")
	}
	if !r.Done() {
		t.Fatal("record is not used up")
	}
	for cut := range record {
		r := NewReader(record[:cut])
		r.EventHeader()
		_, _, _, _, _ = r.Present(), r.Uint(), r.Present(), r.Present(), r.Bytes()
		_, _ = r.Present(), r.Bool()
		if r.Ok() || r.Done() {
			t.Fatalf("record cut to %d bytes reads as whole", cut)
		}
	}
}

func TestCallRecordRoundTrip(t *testing.T) {
	want := CallHeader{Height: 1, TimeMs: 2, Caller: [20]byte{3}}
	record := AppendCallHeader(nil, &want)
	if len(record) != CallHeaderBytes {
		t.Fatalf("header has %d bytes", len(record))
	}
	r := NewReader(record)
	if got := r.CallHeader(); got != want || !r.Done() {
		t.Fatalf("header = %+v", got)
	}
}

func TestEventHeaderSize(t *testing.T) {
	if n := len(AppendEventHeader(nil, &EventHeader{})); n != EventHeaderBytes+4*4 {
		t.Fatalf("empty event header has %d bytes", n)
	}
}

// FuzzReader shows that no record makes a guest's reader go past its end.
func FuzzReader(f *testing.F) {
	f.Add(AppendEventHeader(nil, &EventHeader{ID: []byte("a")}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, record []byte) {
		r := NewReader(record)
		r.EventHeader()
		for !r.Done() && r.Ok() {
			if r.Present() {
				r.Bytes()
			}
		}
	})
}
