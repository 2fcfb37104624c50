package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func mustEncode(t testing.TB, r *Receipt) (binary, text []byte) {
	t.Helper()
	binary, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = r.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return binary, text
}

// parseAndVerify is what a verifier does with a file.
func parseAndVerify(b []byte, anchor Anchor) (*Receipt, Statement, error) {
	r, err := Parse(b)
	if err != nil {
		return nil, Statement{}, err
	}
	s, err := r.Verify(anchor)
	return r, s, err
}

func TestReceiptOfEachKindVerifies(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	for name, r := range oneOfEach(t, bed) {
		t.Run(name, func(t *testing.T) {
			binary, text := mustEncode(t, r)
			fromBinary, first, err := parseAndVerify(binary, bed.anchor)
			if err != nil {
				t.Fatal(err)
			}
			fromText, second, err := parseAndVerify(text, bed.anchor)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(first, second) {
				t.Errorf("the two forms state different things:\n%+v\n%+v", first, second)
			}
			for _, back := range []*Receipt{fromBinary, fromText} {
				if b, s := mustEncode(t, back); !bytes.Equal(b, binary) || !bytes.Equal(s, text) {
					t.Error("decoding and encoding changes the receipt")
				}
			}
			if (first.Entry == nil) == (first.State == nil) {
				t.Error("the statement is not about one thing")
			}
			if sentence := first.String(); !strings.Contains(sentence, testChain) || !strings.Contains(sentence, "3 of 4 of the voting power") {
				t.Errorf("sentence: %s", sentence)
			}
			if _, err := json.Marshal(first); err != nil {
				t.Error(err)
			}
			embedded, err := json.Marshal(map[string]*Receipt{"receipt": r})
			if err != nil {
				t.Fatal(err)
			}
			var out map[string]*Receipt
			if err := json.Unmarshal(embedded, &out); err != nil || !reflect.DeepEqual(out["receipt"], fromText) {
				t.Errorf("inside another document: %v", err)
			}
		})
	}
}

// TestEveryBitOfAReceiptCounts flips each bit of both forms. In the binary
// form it flips each a second time with the digest renewed, as a forger would.
func TestEveryBitOfAReceiptCounts(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	tree := newSmallState(somePairs(300))
	for name, r := range oneOfEach(t, bed) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, text := mustEncode(t, r)
			for _, form := range [][]byte{binary, text} {
				for i := range 8 * len(form) {
					form[i/8] ^= 0x80 >> (i % 8)
					if _, s, err := parseAndVerify(form, bed.anchor); err == nil {
						t.Fatalf("bit %d of byte %d flipped, and it verifies: %s", i%8, i/8, s)
					}
					form[i/8] ^= 0x80 >> (i % 8)
				}
			}
			body := slices.Clone(binary[:len(binary)-digestBytes])
			for i := range 8 * len(body) {
				body[i/8] ^= 0x80 >> (i % 8)
				digest := digestOf(body)
				changed, s, err := parseAndVerify(append(slices.Clone(body), digest[:]...), bed.anchor)
				body[i/8] ^= 0x80 >> (i % 8)
				if err != nil {
					continue
				}
				// One proof may show the absence of many keys. Then it must be so.
				if s.State == nil || s.State.Exists || bytes.Equal(s.State.Key, r.State.Key) {
					t.Fatalf("bit %d of byte %d flipped, the digest renewed, and it verifies: %s", i%8, i/8, s)
				}
				truth := tree.prove(s.State.Key, nil)
				if name == "empty state" {
					truth = smallState{}.prove(s.State.Key, nil)
				}
				if truth.Verify(s.State.Root) != nil || changed.State.Exists() {
					t.Fatalf("bit %d of byte %d flipped, and it proves what is not so: %s", i%8, i/8, s)
				}
			}
		})
	}
}

func TestReceiptCutExtendedOrRewritten(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	for name, r := range oneOfEach(t, bed) {
		binary, text := mustEncode(t, r)
		for n := range binary {
			if _, err := Parse(binary[:n]); err == nil {
				t.Fatalf("%s: decodes when cut to %d bytes", name, n)
			}
		}
		for n := range text {
			if _, err := Parse(text[:n]); err == nil {
				t.Fatalf("%s: JSON decodes when cut to %d bytes", name, n)
			}
		}
		body := append(slices.Clone(binary[:len(binary)-digestBytes]), 0)
		digest := digestOf(body)
		rewritten := map[string][]byte{
			"a byte more":            append(slices.Clone(binary), 0),
			"a byte and its digest":  append(body, digest[:]...),
			"a newline":              append(slices.Clone(text), '\n'),
			"a space":                bytes.Replace(text, []byte(`,"`), []byte(`, "`), 1),
			"another member":         bytes.Replace(text, []byte(`{"cairnReceipt"`), []byte(`{"note":1,"cairnReceipt"`), 1),
			"a repeated member":      bytes.Replace(text, []byte(`{"cairnReceipt":1`), []byte(`{"cairnReceipt":1,"cairnReceipt":1`), 1),
			"a member's case":        bytes.Replace(text, []byte(`"chainId"`), []byte(`"chainID"`), 1),
			"an escape":              bytes.Replace(text, []byte(testChain), []byte(`\u0063`+testChain[1:]), 1),
			"a number's form":        bytes.Replace(text, []byte(`"round":0`), []byte(`"round":0e0`), 1),
			"null for nothing":       bytes.Replace(text, []byte(`"digest"`), []byte(`"x":null,"digest"`), 1),
			"two documents":          append(slices.Clone(text), text...),
			"a digest in upper case": append(slices.Clone(text[:len(text)-18]), bytes.ToUpper(text[len(text)-18:])...),
		}
		if name == "event" {
			rewritten["a commitment beside the payload"] = bytes.Replace(text, []byte(`"blind"`),
				[]byte(`"commitment":"`+r.Entry.Entry.Commitment.String()+`","blind"`), 1)
			rewritten["a foreign map sibling"] = bytes.Replace(text, []byte(`"map":{`),
				[]byte(`"map":{"logParams":"`+r.Entry.Params.String()+`",`), 1)
			payload := bytes.Index(text, []byte(`"payload":"`)) + len(`"payload":"`)
			rewritten["a line break in base64"] = slices.Insert(slices.Clone(text), payload, []byte(`\n`)...)
		}
		for what, bad := range rewritten {
			if _, err := Parse(bad); err == nil {
				t.Errorf("%s: decodes with %s", name, what)
			} else if !errors.Is(err, ErrForm) && !errors.Is(err, ErrCanonical) && !errors.Is(err, ErrDigest) {
				t.Errorf("%s: %s: %v is of no kind", name, what, err)
			}
		}
	}
}

// TestReceiptRefusals holds each check to its own error.
func TestReceiptRefusals(t *testing.T) {
	bed := newTestbed(t, testChain, 10, 10, 10, 10)
	strangers := newTestbed(t, testChain, 5, 5, 5, 5, 5, 5, 5)
	elsewhere := newTestbed(t, "cairn-elsewhere", 10, 10, 10, 10)
	cases := []struct {
		name   string
		of     string
		change func(t *testing.T, r *Receipt)
		anchor Anchor
		want   error
	}{
		{"empty anchor", "event", nil, Anchor{}, ErrAnchor},
		{"another chain", "event", nil, elsewhere.anchor, ErrChain},
		{"another chain, renamed", "event", func(t *testing.T, r *Receipt) { r.ChainID = "cairn-elsewhere" }, elsewhere.anchor, ErrUnsigned},
		{"another validator set", "event", nil, strangers.anchor, ErrSignature},
		{"both facts", "event", func(t *testing.T, r *Receipt) { r.State = &StateProof{} }, bed.anchor, ErrForm},
		{"no fact", "event", func(t *testing.T, r *Receipt) { r.Entry = nil }, bed.anchor, ErrForm},
		{"index beyond the log", "event", func(t *testing.T, r *Receipt) { r.Entry.Index = r.Entry.LogSize }, bed.anchor, ErrInclusion},
		{"another index", "event", func(t *testing.T, r *Receipt) { r.Entry.Index++ }, bed.anchor, ErrUnsigned},
		{"a shorter path", "event", func(t *testing.T, r *Receipt) { r.Entry.Path = r.Entry.Path[1:] }, bed.anchor, ErrInclusion},
		{"a path over the limit", "event", func(t *testing.T, r *Receipt) { r.Entry.Path = make([]protocol.Hash, 65) }, bed.anchor, ErrForm},
		{"swapped siblings", "event", func(t *testing.T, r *Receipt) {
			r.Entry.Path[0], r.Entry.Path[1] = r.Entry.Path[1], r.Entry.Path[0]
		}, bed.anchor, ErrUnsigned},
		{"swapped map leaves", "event", func(t *testing.T, r *Receipt) {
			r.Entry.Params, r.Entry.State = r.Entry.State, r.Entry.Params
		}, bed.anchor, ErrUnsigned},
		{"swapped header parts", "event", func(t *testing.T, r *Receipt) {
			r.Header.Next, r.Header.Tail = r.Header.Tail, r.Header.Next
		}, bed.anchor, ErrUnsigned},
		{"another payload", "event", func(t *testing.T, r *Receipt) { r.Entry.Payload = []byte("x") }, bed.anchor, ErrCommitment},
		{"another blind", "event", func(t *testing.T, r *Receipt) { r.Entry.Blind[0]++ }, bed.anchor, ErrCommitment},
		{"withheld with payload", "event", func(t *testing.T, r *Receipt) { r.Entry.Withheld = true }, bed.anchor, ErrForm},
		{"another event and its commitment", "event", func(t *testing.T, r *Receipt) {
			event := testEvent()
			event.Data = []byte(`{"occupied":62,"capacity":577}`)
			r.Entry.Payload = event.AppendRecord(nil)
			r.Entry.Entry.Commitment = protocol.Commitment(r.Entry.Blind, r.Entry.Payload)
		}, bed.anchor, ErrUnsigned},
		{"payload that is no event", "event", repay([]byte("no event")), bed.anchor, ErrEvent},
		{"event of another type", "event", func(t *testing.T, r *Receipt) { r.Entry.Entry.Type[0]++ }, bed.anchor, ErrType},
		{"payload that is no act", "gap", repay([]byte{99}), bed.anchor, ErrAct},
		{"empty act", "gap", repay(nil), bed.anchor, ErrAct},
		{"act of another kind", "gap", repay((&protocol.DeadLetterAct{}).AppendBinary(nil)), bed.anchor, ErrAct},
		{"kind that is not known", "gap", func(t *testing.T, r *Receipt) { r.Entry.Entry.Kind = 99 }, bed.anchor, ErrForm},
		{"entry after the signed block", "event", func(t *testing.T, r *Receipt) {
			r.Entry.Entry.Height = r.Commit.Height
			bed.resign(t, r, 3)
		}, bed.anchor, ErrHeight},
		{"a number over 2^53", "event", func(t *testing.T, r *Receipt) { r.Entry.Entry.Sequence = 1 << 53 }, bed.anchor, ErrForm},
		{"two thirds and no more", "event", func(t *testing.T, r *Receipt) { bed.resign(t, r, 2) }, bed.anchor, ErrPower},
		{"no signature", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures = nil }, bed.anchor, ErrPower},
		{"a signature too many", "event", func(t *testing.T, r *Receipt) {
			bed.resign(t, r, 4)
			r.Commit.Signatures[3].Bytes[5]++
		}, bed.anchor, ErrSignature},
		{"a validator twice", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures[1] = r.Commit.Signatures[0] }, bed.anchor, ErrForm},
		{"validators out of order", "event", func(t *testing.T, r *Receipt) { slices.Reverse(r.Commit.Signatures) }, bed.anchor, ErrForm},
		{"a validator under another's name", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures[2].Validator = 3 }, bed.anchor, ErrSignature},
		{"a validator beyond the set", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures[2].Validator = 4 }, bed.anchor, ErrValidator},
		{"a validator beyond all sets", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures[2].Validator = MaxValidators }, bed.anchor, ErrForm},
		{"another round", "event", func(t *testing.T, r *Receipt) { r.Commit.Round++ }, bed.anchor, ErrUnsigned},
		{"a round over 2^31", "event", func(t *testing.T, r *Receipt) { r.Commit.Round = 1 << 31 }, bed.anchor, ErrForm},
		{"another height", "event", func(t *testing.T, r *Receipt) { r.Commit.Height++ }, bed.anchor, ErrUnsigned},
		{"height zero", "event", func(t *testing.T, r *Receipt) { r.Commit.Height = 0 }, bed.anchor, ErrForm},
		{"no parts", "event", func(t *testing.T, r *Receipt) { r.Commit.Parts.Total = 0 }, bed.anchor, ErrForm},
		{"another vote's time", "event", func(t *testing.T, r *Receipt) { r.Commit.Signatures[1].TimeNs++ }, bed.anchor, ErrSignature},
		{"another block time", "event", func(t *testing.T, r *Receipt) { r.Header.TimeNs++ }, bed.anchor, ErrUnsigned},
		{"another value", "state value", func(t *testing.T, r *Receipt) { r.State.Value = []byte("more") }, bed.anchor, ErrState},
		{"another value and its leaf", "state value", func(t *testing.T, r *Receipt) {
			r.State.Value = []byte("more")
			*r.State.Leaf = NewStateLeaf(r.State.Key, r.State.Value)
		}, bed.anchor, ErrUnsigned},
		{"absence of what is there", "state value", func(t *testing.T, r *Receipt) { r.State.Value = nil }, bed.anchor, ErrState},
		{"presence of what is not", "state absence", func(t *testing.T, r *Receipt) { r.State.Value = []byte{} }, bed.anchor, ErrState},
		{"chain id over the limit", "event", func(t *testing.T, r *Receipt) { r.ChainID = strings.Repeat("x", 51) }, bed.anchor, ErrChain},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := oneOfEach(t, bed)[c.of]
			if c.change != nil {
				c.change(t, r)
			}
			_, err := r.Verify(c.anchor)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if b, err := r.MarshalBinary(); err == nil { // what encodes must decode and fail alike
				if _, _, err := parseAndVerify(b, c.anchor); !errors.Is(err, c.want) {
					t.Fatalf("after encoding: %v, want %v", err, c.want)
				}
			}
		})
	}
}

// repay gives an entry another payload, which it then commits to.
func repay(payload []byte) func(*testing.T, *Receipt) {
	return func(_ *testing.T, r *Receipt) {
		r.Entry.Payload = payload
		r.Entry.Entry.Commitment = protocol.Commitment(r.Entry.Blind, payload)
	}
}

// TestPartsOfOtherReceipts puts parts of one valid receipt into another.
func TestPartsOfOtherReceipts(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	all := oneOfEach(t, bed)
	for name, r := range all {
		for other, donor := range all {
			if name == other {
				continue
			}
			for part, changed := range map[string]*Receipt{
				"commit":       {r.ChainID, r.Entry, r.State, r.Header, donor.Commit},
				"fact":         {r.ChainID, donor.Entry, donor.State, r.Header, r.Commit},
				"whole header": {r.ChainID, r.Entry, r.State, donor.Header, donor.Commit},
			} {
				// Facts under one app hash share header and commit, rightly.
				if _, err := changed.Verify(bed.anchor); err == nil && appHashOf(t, r) != appHashOf(t, donor) {
					t.Errorf("%s with the %s of %s verifies", name, part, other)
				}
			}
		}
	}
}

func appHashOf(t *testing.T, r *Receipt) (appHash protocol.Hash) {
	t.Helper()
	var err error
	if r.Entry != nil {
		_, appHash, err = r.Entry.climb()
	} else {
		_, appHash, err = r.State.climb(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return appHash
}

func TestStatementSaysWhatWasProven(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	all := oneOfEach(t, bed)
	event, err := all["event"].Verify(bed.anchor)
	if err != nil {
		t.Fatal(err)
	}
	e := event.Entry
	if e.Index != 1234 || e.LogSize != 70_000 || e.Height != testHeight || e.Sequence != 4242 || e.Cause != nil ||
		*e.Stream != protocol.NewStreamID(e.Origin, "birmingham") || e.Event.Subject != "BHMBCCMKT01" ||
		event.Height != testHeight+1 || event.Time.UnixNano() != testTimeNs || len(event.Signed.Validators) != 3 {
		t.Errorf("%+v, entry %+v", event, e)
	}
	for name, words := range map[string][]string{
		"event":           {"entry 1234 (of 70000)", `"BHMBCCMKT01"`, "submitted by cairn1", "sequence 4242", "recorded by block 120"},
		"duplicate":       {"second arrival", "the first is entry 34999"},
		"emitted":         {"emitted by contract cairn1", "because of entry 38"},
		"gap":             {"12 events were skipped"},
		"dead letter":     {"gave up the delivery of entry 39", "CONTRACT_ABORTED", "its own code 7"},
		"deployment":      {`the deployment of contract "parking"`},
		"call":            {`a call of "close"`},
		"withheld":        {"a payload not shown here"},
		"state value":     {"the state after block 120", `"key/12"`, `"value 12"`},
		"state absence":   {"has no key"},
		"state emptiness": {"has no key"},
	} {
		s, err := all[name].Verify(bed.anchor)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(s.String(), w) {
				t.Errorf("%s: %q is not in: %s", name, w, s)
			}
		}
	}
	loud := StateStatement{Key: []byte{0, 1}, Exists: true, Value: bytes.Repeat([]byte("v"), 500)}
	if s := loud.String(); !strings.Contains(s, "0x0001") || !strings.Contains(s, "(500 bytes)") {
		t.Error(s)
	}
}

func TestAnchor(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 7, 3, 7)
	set := bed.anchor.Validators()
	for i := 1; i < len(set); i++ {
		a, b := set[i-1].PubKey.Address(), set[i].PubKey.Address()
		if set[i-1].Power < set[i].Power || (set[i-1].Power == set[i].Power && bytes.Compare(a[:], b[:]) >= 0) {
			t.Errorf("validators %d and %d are out of order", i-1, i)
		}
	}
	for power, want := range map[uint64]bool{0: false, 12: false, 13: true, 18: true} {
		if bed.anchor.IsQuorum(power) != want {
			t.Errorf("%d of %d a quorum: %v", power, bed.anchor.TotalPower(), !want)
		}
	}
	if (Anchor{}).IsQuorum(1) {
		t.Error("an empty anchor has a quorum")
	}
	v := set[0]
	for name, err := range map[string]error{
		"no validator": second(NewAnchor(testChain, nil)),
		"twice":        second(NewAnchor(testChain, []Validator{v, {v.PubKey, 2}})),
		"no power":     second(NewAnchor(testChain, []Validator{{v.PubKey, 0}})),
		"overflow":     second(NewAnchor(testChain, []Validator{v, {set[1].PubKey, MaxTotalPower}})),
		"wrap":         second(NewAnchor(testChain, []Validator{v, {set[1].PubKey, math.MaxUint64}})),
		"no chain":     second(NewAnchor("", set)),
		"long chain":   second(NewAnchor(strings.Repeat("x", 51), set)),
		"bad chain":    second(NewAnchor("a<b", set)),
		"bad chain 2":  second(NewAnchor("a\nb", set)),
	} {
		if !errors.Is(err, ErrAnchor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ Anchor, err error) error { return err }

func TestDecodersDoNotKeepTheInput(t *testing.T) {
	bed := newTestbed(t, testChain, 1, 1, 1, 1)
	for name, r := range oneOfEach(t, bed) {
		binary, _ := mustEncode(t, r)
		back, err := Decode(binary)
		if err != nil {
			t.Fatal(err)
		}
		clear(binary)
		if _, err := back.Verify(bed.anchor); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(make([]byte, MaxReceiptBytes+1)); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
	if _, err := DecodeJSON(make([]byte, MaxReceiptBytes+1)); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
}
