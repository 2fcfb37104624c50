package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// eraseFact is the entry that says an earlier one's payload was erased.
func eraseFact(erased, index, size uint64) *Receipt {
	act := protocol.EraseAct{Reason: protocol.ReasonRequest, Index: erased, TxID: testHash("tx", 2)}
	r := entryFact(protocol.EntryErase, act.AppendBinary(nil), index, size)
	r.Entry.Entry.Cause = erased
	return r
}

func withheldFact(index, size uint64) *Receipt {
	event := testEvent()
	r := entryFact(protocol.EntryEvent, event.AppendRecord(nil), index, size)
	r.Entry.Withheld, r.Entry.Blind, r.Entry.Payload = true, protocol.Blind{}, nil
	return r
}

func testErasure(t testing.TB, b *testbed) *Erasure {
	t.Helper()
	return &Erasure{Entry: b.sign(t, withheldFact(1234, 70_000), 3), Erase: b.sign(t, eraseFact(1234, 69_999, 70_000), 3)}
}

func TestErasureSaysWhoAndWhy(t *testing.T) {
	b := newTestbed(t, testChain, 5, 10, 10, 10)
	trust := NewTrust(b.anchor, 0, time.Time{})
	e := testErasure(t, b)
	s, err := e.VerifyWith(trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"entry 1234", "erased on 2025-10-09T08:53:20.123Z, at height 120", "request", testAddress("origin").String()} {
		if !strings.Contains(s.String(), words) {
			t.Errorf("%q is not in: %s", words, s)
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeErasure(text)
	if err != nil || !IsErasure(text) {
		t.Fatal(err)
	}
	if again, err := back.MarshalJSON(); err != nil || !bytes.Equal(again, text) {
		t.Fatalf("another text: %v", err)
	}
	type vector struct { // trust is that of receipt.json
		Erasure string               `json:"erasure"`
		Index   uint64               `json:"index"`
		Height  uint64               `json:"height"`
		By      protocol.Address     `json:"by"`
		Reason  protocol.EraseReason `json:"reason"`
	}
	erased := s.Erase.Entry
	var published vector
	vectors(t, "erasure.json", vector{string(text), s.Erased.Index, erased.Height, erased.Origin, s.Erased.Reason}, &published)
	if published.Erasure != string(text) {
		t.Error("the published text is another")
	}
}

// wrongErasures are pairs of sound receipts that prove no erasure, by name.
func wrongErasures(t testing.TB, b *testbed) map[string]Erasure {
	event := testEvent()
	shown := b.sign(t, entryFact(protocol.EntryEvent, event.AppendRecord(nil), 1234, 70_000), 3)
	otherCause := eraseFact(1234, 69_999, 70_000)
	otherCause.Entry.Entry.Cause = 1235
	good := testErasure(t, b)
	return map[string]Erasure{
		"of another entry":  {b.sign(t, withheldFact(1235, 70_000), 3), good.Erase},
		"is no erasure":     {good.Entry, b.sign(t, withheldFact(69_999, 70_000), 3)},
		"is an event":       {good.Entry, shown},
		"shows the payload": {shown, good.Erase},
		"comes before":      {good.Entry, b.sign(t, eraseFact(1234, 1000, 70_000), 3)},
		"has another cause": {good.Entry, b.sign(t, otherCause, 3)},
		"lacks one":         {good.Entry, nil},
		"is about a key":    {good.Entry, b.sign(t, stateFact("key/12", []byte("value 12")), 3)},
		"is by too few":     {good.Entry, b.sign(t, eraseFact(1234, 69_999, 70_000), 2)},
	}
}

func TestErasureRefusals(t *testing.T) {
	b := newTestbed(t, testChain, 5, 10, 10, 10)
	trust := NewTrust(b.anchor, 0, time.Time{})
	for name, e := range wrongErasures(t, b) {
		want := ErrErasure
		if name == "is by too few" {
			want = ErrPower
		}
		if _, err := e.VerifyWith(trust); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No character of the text can be another.
func TestEveryChangedCharacterOfAnErasureIsRefused(t *testing.T) {
	b := newTestbed(t, testChain, 5, 10, 10, 10)
	trust := NewTrust(b.anchor, 0, time.Time{})
	text, err := testErasure(t, b).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	accepts := func(text []byte) bool {
		e, err := DecodeErasure(text)
		if err == nil {
			_, err = e.VerifyWith(trust)
		}
		return err == nil
	}
	for i := range text {
		for _, bit := range []byte{1, 2, 32} {
			text[i] ^= bit
			if accepts(text) {
				t.Fatalf("character %d changed to %q is accepted", i, text[i])
			}
			text[i] ^= bit
		}
		if i%37 == 0 && accepts(text[:i]) {
			t.Fatalf("%d characters are accepted", i)
		}
	}
	if accepts(append(text, ' ')) || !accepts(text) {
		t.Fatal("the text itself")
	}
}

func FuzzErasure(f *testing.F) {
	b := newTestbed(f, testChain, 5, 10, 10, 10)
	text, err := testErasure(f, b).MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := DecodeErasure(text)
		if err != nil {
			return
		}
		if again, err := e.MarshalJSON(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("accepted a second form: %v", err)
		}
	})
}
