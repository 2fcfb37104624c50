package protocol

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestAddressTextIsCanonical(t *testing.T) {
	a := testKey(t, 1).Address()
	text := a.String()
	if !strings.HasPrefix(text, "cairn1") {
		t.Fatal(text)
	}
	back, err := ParseAddress(text)
	if err != nil || back != a {
		t.Fatalf("%v %v", back, err)
	}
	// The checksum catches every single wrong character; upper case is another text.
	for i := range text {
		for _, c := range []byte("q5z1A") {
			if text[i] == c {
				continue
			}
			wrong := text[:i] + string(c) + text[i+1:]
			if _, err := ParseAddress(wrong); err == nil {
				t.Fatalf("%s accepted", wrong)
			}
		}
	}
	for _, bad := range []string{"", "cairn1", strings.ToUpper(text), "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", strings.Repeat("c", 200)} {
		if _, err := ParseAddress(bad); err == nil {
			t.Fatalf("%q accepted", bad)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	e := Entry{Kind: EntryEmitted, Height: 1, TimeMs: 2, Origin: Address{3}, Stream: StreamID{4}, Sequence: 5, Cause: 6, Type: TypeHash{7}, Commitment: Hash{8}}
	b := e.AppendBinary(nil)
	if len(b) != EntryBytes {
		t.Fatalf("%d bytes", len(b))
	}
	back, err := DecodeEntry(b)
	if err != nil || back != e {
		t.Fatalf("%+v %v", back, err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{2}, b[1:]...), append([]byte{1, 99}, b[2:]...)} {
		if _, err := DecodeEntry(bad); err == nil {
			t.Fatalf("%x accepted", bad)
		}
	}
}

func TestOutcomeRoundTrip(t *testing.T) {
	o := Outcome{Code: CodeSequenceGap, First: 1, Entries: 2, Absorbed: 3, Duplicates: 4, Next: 5, GuestCode: 6}
	b := o.AppendBinary(nil)
	back, err := DecodeOutcome(b)
	if err != nil || back != o || len(b) != OutcomeBytes {
		t.Fatalf("%+v %v", back, err)
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Codes() {
		if c.Name() == "" || c.Meaning() == "" || names[c.Name()] {
			t.Errorf("code %d: name %q, meaning %q", c, c.Name(), c.Meaning())
		}
		names[c.Name()] = true
	}
}

func TestEraseRefusals(t *testing.T) {
	for _, e := range []Erase{
		{Reason: 0, Count: 1}, {Reason: 7, Count: 1}, {Reason: 1}, {Reason: 1, Count: MaxEraseEntries + 1},
		{Reason: 1, Count: 1, First: MaxSequence + 1}, {Reason: 1, Count: 1, Stream: "A b"},
	} {
		if _, err := SignTx(testChain, testKey(t, 7), 9, 0, &e); !hasCode(err, CodeMalformed) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	for _, name := range EraseReasons() {
		var reason EraseReason
		if err := reason.UnmarshalText([]byte(name)); err != nil || reason.String() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if new(EraseReason).UnmarshalText([]byte("")) == nil {
		t.Error("the empty reason is known")
	}
}

func TestPrivateKeyRange(t *testing.T) {
	for _, bad := range [][]byte{nil, make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), make([]byte, 31)} {
		if _, err := PrivateKeyFromBytes(bad); err == nil {
			t.Errorf("%x accepted", bad)
		}
	}
	key := testKey(t, 3)
	if strings.Contains(key.String(), "0303") {
		t.Error("a printed key shows its secret")
	}
	var pub PublicKey
	if err := pub.UnmarshalText([]byte(key.Public().String())); err != nil || pub != key.Public() {
		t.Fatal(err)
	}
	if err := pub.UnmarshalText([]byte(strings.Repeat("05", 33))); err == nil {
		t.Error("a key off the curve was accepted")
	}
}

func TestActsRoundTrip(t *testing.T) {
	for _, act := range []interface{ AppendBinary([]byte) []byte }{
		&GapAct{Count: 9},
		&DeadLetterAct{Code: CodeContractTrap, GuestCode: 3},
		&ContractAct{Kind: TxCall, Contract: Address{1}, Name: "close", CodeHash: Hash{2}, ManifestHash: Hash{3}, Args: []byte("{}"), TxID: Hash{4}},
		&TimerAct{ID: 5, Handler: 6, Data: []byte("due")},
		&EraseAct{Reason: ReasonConsent, Index: 7, TxID: Hash{8}},
	} {
		b := act.AppendBinary(nil)
		back, err := DecodeAct(b)
		if err != nil || !reflect.DeepEqual(back, act) {
			t.Fatalf("%+v %v", back, err)
		}
		for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), {99}} {
			if _, err := DecodeAct(bad); err == nil {
				t.Fatalf("%x accepted", bad)
			}
		}
	}
}
