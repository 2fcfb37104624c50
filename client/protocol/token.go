package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Limits of tokens.
const (
	// MaxAmount bounds every amount, balance and supply, in minor units: a
	// signed 64-bit number holds it, in a contract too.
	MaxAmount = math.MaxInt64
	// MaxAssetSymbol bounds an asset's symbol.
	MaxAssetSymbol = 12
	// MaxDecimals bounds how many decimal places an asset has.
	MaxDecimals = 18
	// MaxMemo bounds what a payment says of itself, in bytes.
	MaxMemo = 128
	// MaxTokenOps bounds the operations of one transaction.
	MaxTokenOps = 256
	// MaxTokenMs bounds points in time and periods, in milliseconds: the year 6429.
	MaxTokenMs = 1 << 47
	// MinScheduleMs is the shortest period of a scheduled payment.
	MinScheduleMs = 60_000
	// MaxScheduleCount bounds the payments of one schedule.
	MaxScheduleCount = 10_000
)

// TokenKind is what an operation on tokens does, and what a movement was.
type TokenKind uint8

// Kinds of operations, and of movements. The numbers are part of the protocol.
const (
	TokenIssue      TokenKind = 1  // make an asset
	TokenMint       TokenKind = 2  // the issuer makes units
	TokenBurn       TokenKind = 3  // a holder destroys units
	TokenTransfer   TokenKind = 4  //
	TokenHold       TokenKind = 5  // set units aside for who may release them
	TokenRelease    TokenKind = 6  // pay from a hold; the rest goes back
	TokenRefund     TokenKind = 7  // all of a hold goes back
	TokenAllow      TokenKind = 8  // let somebody debit the sender up to an amount per period
	TokenRevoke     TokenKind = 9  // take an allowance back
	TokenDebit      TokenKind = 10 // pay with somebody's allowance
	TokenStream     TokenKind = 11 // set units aside that flow to somebody with time
	TokenSettle     TokenKind = 12 // pay what of a stream has flowed
	TokenStop       TokenKind = 13 // settle a stream; the rest goes back
	TokenSchedule   TokenKind = 14 // pay at times to come
	TokenUnschedule TokenKind = 15 // take a schedule back
	TokenFreeze     TokenKind = 16 // the issuer stops an account's units
	TokenUnfreeze   TokenKind = 17 //

	// Only the ledger itself makes these.
	TokenPayment TokenKind = 32 // a scheduled payment was made
	TokenMissed  TokenKind = 33 // a scheduled payment could not be made
	TokenReward  TokenKind = 34 // an accepted event was paid for
	TokenFee     TokenKind = 35 // the ledger was paid for
)

var tokenKindNames = map[TokenKind]string{
	TokenIssue: "issue", TokenMint: "mint", TokenBurn: "burn", TokenTransfer: "transfer",
	TokenHold: "hold", TokenRelease: "release", TokenRefund: "refund",
	TokenAllow: "allow", TokenRevoke: "revoke", TokenDebit: "debit",
	TokenStream: "stream", TokenSettle: "settle", TokenStop: "stop",
	TokenSchedule: "schedule", TokenUnschedule: "unschedule", TokenFreeze: "freeze", TokenUnfreeze: "unfreeze",
	TokenPayment: "payment", TokenMissed: "missed", TokenReward: "reward", TokenFee: "fee",
}

// String is the kind's published name.
func (k TokenKind) String() string {
	if name, ok := tokenKindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// MarshalText renders the published name.
func (k TokenKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a published name.
func (k *TokenKind) UnmarshalText(text []byte) error {
	for kind, name := range tokenKindNames { // names are unique: order does not matter
		if name == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("token operation %q is not known", text)
}

// TokenOp is one operation on tokens. Which fields an operation has is the
// table tokenFields; the others are zero.
type TokenOp struct {
	Kind       TokenKind `json:"kind"`
	Asset      string    `json:"asset,omitempty"`
	From       Address   `json:"from,omitzero"`       // who pays, where it is not the sender
	Account    Address   `json:"account,omitzero"`    // who is paid, allowed, frozen; the issuer of an issue
	Controller Address   `json:"controller,omitzero"` // who may release a hold; by default the sender
	Amount     uint64    `json:"amount,omitempty,string"`
	Rate       uint64    `json:"rate,omitempty,string"` // of a stream, per period
	ID         uint64    `json:"id,omitempty"`          // of a hold, stream or schedule
	StartMs    uint64    `json:"startMs,omitempty"`     // Unix; 0 is the block's time
	PeriodMs   uint64    `json:"periodMs,omitempty"`
	UntilMs    uint64    `json:"untilMs,omitempty"` // Unix; 0 is never
	Count      uint64    `json:"count,omitempty"`   // payments of a schedule
	Decimals   uint64    `json:"decimals,omitempty"`
	Freezable  bool      `json:"freezable,omitempty"`
	Memo       string    `json:"memo,omitempty"`
}

// tokenField is a field of an operation, as a bit.
type tokenField uint16

const (
	fieldAsset tokenField = 1 << iota
	fieldFrom
	fieldAccount
	fieldController
	fieldAmount
	fieldRate
	fieldID
	fieldStart
	fieldPeriod
	fieldUntil
	fieldCount
	fieldDecimals
	fieldFreezable
	fieldMemo
)

// tokenFields says what an operation consists of: the fields that must be
// there, and those that may be zero.
var tokenFields = map[TokenKind]struct{ need, may tokenField }{
	TokenIssue:      {fieldAsset, fieldAccount | fieldAmount | fieldDecimals | fieldFreezable | fieldMemo},
	TokenMint:       {fieldAsset | fieldAccount | fieldAmount, fieldMemo},
	TokenBurn:       {fieldAsset | fieldAmount, fieldMemo},
	TokenTransfer:   {fieldAsset | fieldAccount | fieldAmount, fieldMemo},
	TokenHold:       {fieldAsset | fieldAmount, fieldFrom | fieldAccount | fieldController | fieldUntil | fieldMemo},
	TokenRelease:    {fieldAccount | fieldAmount | fieldID, fieldMemo},
	TokenRefund:     {fieldID, 0},
	TokenAllow:      {fieldAsset | fieldAccount | fieldAmount, fieldPeriod | fieldUntil},
	TokenRevoke:     {fieldAsset | fieldAccount, 0},
	TokenDebit:      {fieldAsset | fieldFrom | fieldAccount | fieldAmount, fieldMemo},
	TokenStream:     {fieldAsset | fieldAccount | fieldAmount | fieldRate | fieldPeriod, fieldStart | fieldMemo},
	TokenSettle:     {fieldID, 0},
	TokenStop:       {fieldID, 0},
	TokenSchedule:   {fieldAsset | fieldAccount | fieldAmount | fieldCount, fieldStart | fieldPeriod | fieldMemo},
	TokenUnschedule: {fieldID, 0},
	TokenFreeze:     {fieldAsset | fieldAccount, fieldMemo},
	TokenUnfreeze:   {fieldAsset | fieldAccount, fieldMemo},
}

// has is the fields that are not zero.
func (o *TokenOp) has() (set tokenField) {
	for _, f := range [...]struct {
		field tokenField
		set   bool
	}{
		{fieldAsset, o.Asset != ""}, {fieldFrom, o.From != Address{}}, {fieldAccount, o.Account != Address{}},
		{fieldController, o.Controller != Address{}}, {fieldAmount, o.Amount != 0}, {fieldRate, o.Rate != 0},
		{fieldID, o.ID != 0}, {fieldStart, o.StartMs != 0}, {fieldPeriod, o.PeriodMs != 0}, {fieldUntil, o.UntilMs != 0},
		{fieldCount, o.Count != 0}, {fieldDecimals, o.Decimals != 0}, {fieldFreezable, o.Freezable}, {fieldMemo, o.Memo != ""},
	} {
		if f.set {
			set |= f.field
		}
	}
	return set
}

// Check holds an operation to its form, which does not depend on any state.
func (o *TokenOp) Check() error {
	fields, known := tokenFields[o.Kind]
	switch has := o.has(); {
	case !known:
		return Refuse(CodeMalformed, "token operation: kind %d is not known", o.Kind)
	case fields.need&^has == fieldAmount:
		return Refuse(CodeAmount, "%s: an amount of 0", o.Kind)
	case has&fields.need != fields.need:
		return Refuse(CodeTokenTerms, "%s: lacks a field", o.Kind)
	case has&^(fields.need|fields.may) != 0:
		return Refuse(CodeTokenTerms, "%s: has a field that means nothing there", o.Kind)
	case fields.need&fieldAsset != 0 && !ValidAsset(o.Asset):
		return Refuse(CodeTokenTerms, "%s: %q is no asset's symbol: a letter, then up to 11 letters, digits, '.' or '-'", o.Kind, o.Asset)
	case o.Amount > MaxAmount || o.Rate > MaxAmount:
		return Refuse(CodeAmount, "%s: an amount is over %d", o.Kind, uint64(MaxAmount))
	case max(o.StartMs, o.PeriodMs, o.UntilMs) > MaxTokenMs:
		return Refuse(CodeTokenTerms, "%s: a time is too far ahead", o.Kind)
	case o.Decimals > MaxDecimals:
		return Refuse(CodeTokenTerms, "%s: %d decimals, at most %d are possible", o.Kind, o.Decimals, MaxDecimals)
	case o.Count > MaxScheduleCount || o.Count > 1 && o.PeriodMs < MinScheduleMs:
		return Refuse(CodeTokenTerms, "%s: at most %d payments, at least %d ms apart", o.Kind, MaxScheduleCount, MinScheduleMs)
	case len(o.Memo) > MaxMemo || !utf8.ValidString(o.Memo):
		return Refuse(CodeTokenTerms, "%s: a memo is UTF-8 of at most %d bytes", o.Kind, MaxMemo)
	}
	return nil
}

// ValidAsset says whether a text can be an asset's symbol.
func ValidAsset[T ~string | ~[]byte](symbol T) bool {
	for i := range len(symbol) {
		c := symbol[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-') {
			return false
		}
	}
	return len(symbol) > 0 && len(symbol) <= MaxAssetSymbol
}

// AppendBinary appends the kind and the operation's fields, in the order of
// TokenOp: text behind its length, addresses as they are, numbers as LEB128.
func (o *TokenOp) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(o.Kind))
	used := tokenFields[o.Kind].need | tokenFields[o.Kind].may
	text := func(f tokenField, s string) {
		if used&f != 0 {
			dst = appendBytes(dst, s)
		}
	}
	address := func(f tokenField, a Address) {
		if used&f != 0 {
			dst = append(dst, a[:]...)
		}
	}
	number := func(f tokenField, n uint64) {
		if used&f != 0 {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	text(fieldAsset, o.Asset)
	address(fieldFrom, o.From)
	address(fieldAccount, o.Account)
	address(fieldController, o.Controller)
	number(fieldAmount, o.Amount)
	number(fieldRate, o.Rate)
	number(fieldID, o.ID)
	number(fieldStart, o.StartMs)
	number(fieldPeriod, o.PeriodMs)
	number(fieldUntil, o.UntilMs)
	number(fieldCount, o.Count)
	number(fieldDecimals, o.Decimals)
	if used&fieldFreezable != 0 {
		dst = append(dst, flagByte(o.Freezable))
	}
	text(fieldMemo, o.Memo)
	return dst
}

func flagByte(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// decodeTokenOp reads one operation and holds it to its form.
func decodeTokenOp(r *reader) (TokenOp, error) {
	o := TokenOp{Kind: TokenKind(r.u8("operation"))}
	used := tokenFields[o.Kind].need | tokenFields[o.Kind].may
	text := func(f tokenField, limit int, what string) (s string) {
		if used&f != 0 {
			s = r.string(limit, what)
		}
		return s
	}
	address := func(f tokenField, what string) (a Address) {
		if used&f != 0 {
			copy(a[:], r.take(20, what))
		}
		return a
	}
	number := func(f tokenField, what string) (n uint64) {
		if used&f != 0 {
			n = r.uvarint(math.MaxUint64, what)
		}
		return n
	}
	o.Asset = text(fieldAsset, MaxAssetSymbol, "asset")
	o.From = address(fieldFrom, "from")
	o.Account = address(fieldAccount, "account")
	o.Controller = address(fieldController, "controller")
	o.Amount = number(fieldAmount, "amount")
	o.Rate = number(fieldRate, "rate")
	o.ID = number(fieldID, "id")
	o.StartMs = number(fieldStart, "start")
	o.PeriodMs = number(fieldPeriod, "period")
	o.UntilMs = number(fieldUntil, "until")
	o.Count = number(fieldCount, "count")
	o.Decimals = number(fieldDecimals, "decimals")
	if used&fieldFreezable != 0 {
		o.Freezable = r.flag("freezable")
	}
	o.Memo = text(fieldMemo, MaxMemo, "memo")
	if r.err != nil {
		return o, Refuse(CodeMalformed, "token operation: %v", r.err)
	}
	return o, o.Check()
}

// flag reads a byte that is 0 or 1.
func (r *reader) flag(what string) bool {
	b := r.u8(what)
	if b > 1 {
		r.fail("%s: %d is neither 0 nor 1", what, b)
	}
	return b == 1
}

// Token is a transaction's body: operations on tokens that happen in order, all
// of them or none.
type Token struct{ Ops []TokenOp }

// Kind is TxToken.
func (*Token) Kind() TxKind { return TxToken }

func (t *Token) appendBody(dst []byte) ([]byte, error) {
	if len(t.Ops) == 0 || len(t.Ops) > MaxTokenOps {
		return nil, Refuse(CodeMalformed, "token: has %d operations, must have 1 to %d", len(t.Ops), MaxTokenOps)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.Ops)))
	for i := range t.Ops {
		if err := t.Ops[i].Check(); err != nil {
			return nil, err
		}
		dst = t.Ops[i].AppendBinary(dst)
	}
	return dst, nil
}

func decodeToken(r *reader) (*Token, error) {
	n := r.uvarint(MaxTokenOps, "operations")
	t := &Token{Ops: make([]TokenOp, 0, n)}
	for range n {
		op, err := decodeTokenOp(r)
		if err != nil {
			return nil, err
		}
		t.Ops = append(t.Ops, op)
	}
	if n == 0 {
		return nil, Refuse(CodeMalformed, "token: has no operation")
	}
	return t, r.malformed("token")
}
