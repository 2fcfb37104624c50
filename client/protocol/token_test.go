package protocol

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

// tokenOps are one operation of each kind, with every field it may have.
func tokenOps() []TokenOp {
	a, b, c := Address{1}, Address{2}, Address{3}
	return []TokenOp{
		{Kind: TokenIssue, Asset: "EUR", Account: a, Amount: 1_000, Decimals: 2, Freezable: true, Memo: "Euro"},
		{Kind: TokenMint, Asset: "EUR", Account: a, Amount: MaxAmount, Memo: "m"},
		{Kind: TokenBurn, Asset: "EUR", Amount: 1},
		{Kind: TokenTransfer, Asset: "A.b-2", Account: b, Amount: 300, Memo: "rent"},
		{Kind: TokenHold, Asset: "EUR", From: a, Account: b, Controller: c, Amount: 7, UntilMs: MaxTokenMs},
		{Kind: TokenRelease, ID: 9, Account: b, Amount: 5},
		{Kind: TokenRefund, ID: 1 << 40},
		{Kind: TokenAllow, Asset: "EUR", Account: b, Amount: 60, PeriodMs: 1_000, UntilMs: 2_000},
		{Kind: TokenRevoke, Asset: "EUR", Account: b},
		{Kind: TokenDebit, Asset: "EUR", From: a, Account: b, Amount: 3},
		{Kind: TokenStream, Asset: "EUR", Account: b, Amount: 100, Rate: 2, PeriodMs: 1_000, StartMs: 5},
		{Kind: TokenSettle, ID: 2},
		{Kind: TokenStop, ID: 2},
		{Kind: TokenSchedule, Asset: "EUR", Account: b, Amount: 5, Count: 3, PeriodMs: MinScheduleMs, StartMs: 9},
		{Kind: TokenUnschedule, ID: 3},
		{Kind: TokenFreeze, Asset: "EUR", Account: b},
		{Kind: TokenUnfreeze, Asset: "EUR", Account: b, Memo: "sorry"},
	}
}

func movements() []*MovementAct {
	op := tokenOps()[4]
	return []*MovementAct{
		{Kind: TokenHold, Asset: "EUR", From: Address{1}, To: Address{2}, By: Address{3}, Amount: 7, ID: 4, TxID: Hash{5}, Memo: "m", Terms: &op},
		{Kind: TokenRelease, Asset: "EUR", From: Address{1}, To: Address{2}, By: Address{3}, Amount: 5, Rest: 2, ID: 4},
		{Kind: TokenDebit, Asset: "EUR", From: Address{1}, To: Address{2}, By: Address{2}, Amount: 64,
			Parts: []MovementPart{{Index: 7, Count: 1, Each: 4}, {Index: 7, Count: 3, Each: 10}, {Index: 300, Count: 30, Each: 1}}},
	}
}

func TestTokenVectors(t *testing.T) {
	type vector struct {
		Op     *TokenOp     `json:"operation,omitempty"`
		Act    *MovementAct `json:"act,omitempty"`
		Binary string       `json:"binary"`
	}
	var vectors []vector
	ops := tokenOps()
	for i := range ops {
		encoded := ops[i].AppendBinary(nil)
		r := reader{buf: encoded}
		if back, err := decodeTokenOp(&r); err != nil || r.end() != nil || back != ops[i] {
			t.Fatalf("%+v reads back %+v, %v", ops[i], back, err)
		}
		vectors = append(vectors, vector{Op: &ops[i], Binary: hex.EncodeToString(encoded)})
	}
	for _, act := range movements() {
		encoded := act.AppendBinary(nil)
		if back, err := DecodeAct(encoded); err != nil || !reflect.DeepEqual(back, act) {
			t.Fatalf("%+v reads back %+v, %v", act, back, err)
		}
		vectors = append(vectors, vector{Act: act, Binary: hex.EncodeToString(encoded)})
	}
	checkVectors(t, "token.json", vectors)
}

func TestTokenForms(t *testing.T) {
	for _, c := range []struct {
		op   TokenOp
		code Code
	}{
		{TokenOp{Kind: 99}, CodeMalformed},
		{TokenOp{Kind: TokenPayment}, CodeMalformed},
		{TokenOp{Kind: TokenMint, Asset: "EUR", Account: Address{1}}, CodeAmount},
		{TokenOp{Kind: TokenMint, Asset: "EUR", Amount: 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenBurn, Asset: "EUR", Amount: 1, Account: Address{1}}, CodeTokenTerms},
		{TokenOp{Kind: TokenBurn, Asset: "EUR", Amount: MaxAmount + 1}, CodeAmount},
		{TokenOp{Kind: TokenBurn, Asset: "1EUR", Amount: 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenBurn, Asset: "thirteenchars", Amount: 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenBurn, Asset: "EUR", Amount: 1, Memo: "\xff"}, CodeTokenTerms},
		{TokenOp{Kind: TokenIssue, Asset: "EUR", Decimals: MaxDecimals + 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenHold, Asset: "EUR", Amount: 1, UntilMs: MaxTokenMs + 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenSchedule, Asset: "EUR", Account: Address{1}, Amount: 1, Count: 2, PeriodMs: MinScheduleMs - 1}, CodeTokenTerms},
		{TokenOp{Kind: TokenSchedule, Asset: "EUR", Account: Address{1}, Amount: 1, Count: MaxScheduleCount + 1, PeriodMs: MinScheduleMs}, CodeTokenTerms},
	} {
		if code, ok := CodeOf(c.op.Check()); !ok || code != c.code {
			t.Errorf("%+v: %v, want %v", c.op, code, c.code)
		}
	}
	if _, err := (&Token{}).appendBody(nil); err == nil {
		t.Error("no operations are accepted")
	}
	if _, err := (&Token{Ops: make([]TokenOp, MaxTokenOps+1)}).appendBody(nil); err == nil {
		t.Error("too many operations are accepted")
	}
}

// FuzzToken: what is accepted, as operations, movement or records of the state,
// is the one encoding of what it means.
func FuzzToken(f *testing.F) {
	body, err := (&Token{Ops: tokenOps()}).appendBody(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	for _, act := range movements() {
		f.Add(act.AppendBinary(nil))
	}
	f.Add((&Asset{Issuer: Address{1}, Decimals: 2, Cap: 9, Supply: 3, Name: "x"}).AppendBinary(nil))
	f.Add((&Allowance{Limit: 9, PeriodMs: 3, Used: 200}).AppendBinary(nil))
	f.Add((&TokenTerms{Kind: TokenStream, Asset: "EUR", Amount: 9, Paid: 4, Rate: 300}).AppendBinary(nil))
	f.Add(Balance{Amount: 3, Frozen: true}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{buf: b}
		if token, err := decodeToken(&r); err == nil {
			if again, err := token.appendBody(nil); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("operations: %x %v", again, err)
			}
		}
		if act, err := DecodeAct(b); err == nil {
			if m, ok := act.(*MovementAct); ok && !bytes.Equal(m.AppendBinary(nil), b) {
				t.Fatalf("movement: %x", m.AppendBinary(nil))
			}
		}
		if a, err := DecodeAsset("X", b); err == nil && !bytes.Equal(a.AppendBinary(nil), b) {
			t.Fatalf("asset: %x", a.AppendBinary(nil))
		}
		if a, err := DecodeAllowance(b); err == nil && !bytes.Equal(a.AppendBinary(nil), b) {
			t.Fatalf("allowance: %x", a.AppendBinary(nil))
		}
		if terms, err := DecodeTokenTerms(1, b); err == nil && !bytes.Equal(terms.AppendBinary(nil), b) {
			t.Fatalf("terms: %x", terms.AppendBinary(nil))
		}
		if balance, err := DecodeBalance(b); err == nil && b != nil && !bytes.Equal(balance.AppendBinary(nil), b) {
			t.Fatalf("balance: %x", balance.AppendBinary(nil))
		}
	})
}
