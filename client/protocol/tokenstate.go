package protocol

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// BankPrefix is the first byte of the bank's keys in the authenticated state.
//
//	b v || account || asset             -> balance; absent where there is nothing
//	b a || asset                        -> asset
//	b l || payer || spender || asset    -> allowance
//	b h || id                           -> hold
//	b s || id                           -> stream
//	b p || id                           -> schedule
//	b x || account || kind || id        -> the account's holds, streams and schedules
//
// What else there is under the prefix concerns the bank alone (node/internal/bank).
const BankPrefix = 'b'

// Second bytes of the bank's keys.
const (
	BankBalance   = 'v'
	BankAsset     = 'a'
	BankAllowance = 'l'
	BankHold      = 'h'
	BankStream    = 's'
	BankSchedule  = 'p'
	BankParty     = 'x'
)

func bankKey(kind byte, room int) []byte {
	return append(make([]byte, 0, 2+room), BankPrefix, kind)
}

// BalanceKey is the state key of an account's balance of an asset.
func BalanceKey(account Address, asset string) []byte {
	return append(append(bankKey(BankBalance, 20+len(asset)), account[:]...), asset...)
}

// AssetKey is the state key of an asset.
func AssetKey(asset string) []byte { return append(bankKey(BankAsset, len(asset)), asset...) }

// AllowanceKey is the state key of what a payer lets a spender debit.
func AllowanceKey(payer, spender Address, asset string) []byte {
	return append(append(append(bankKey(BankAllowance, 40+len(asset)), payer[:]...), spender[:]...), asset...)
}

// HoldKey is the state key of a hold.
func HoldKey(id uint64) []byte { return binary.BigEndian.AppendUint64(bankKey(BankHold, 8), id) }

// TokenStreamKey is the state key of a stream of payments.
func TokenStreamKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64(bankKey(BankStream, 8), id)
}

// ScheduleKey is the state key of a schedule of payments.
func ScheduleKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64(bankKey(BankSchedule, 8), id)
}

// Balance is what an account has of an asset.
type Balance struct {
	Amount uint64 `json:"amount,string"`
	Frozen bool   `json:"frozen,omitempty"`
}

// AppendBinary appends 8 bytes, and a 1 behind them where it is frozen. An
// empty balance that is not frozen is no key at all.
func (b Balance) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, b.Amount)
	if b.Frozen {
		dst = append(dst, 1)
	}
	return dst
}

// DecodeBalance reads what is under a BalanceKey; nil is the empty balance.
func DecodeBalance(value []byte) (Balance, error) {
	if value == nil {
		return Balance{}, nil
	}
	if len(value) != 8 && (len(value) != 9 || value[8] != 1) {
		return Balance{}, Refuse(CodeMalformed, "balance: %d bytes", len(value))
	}
	b := Balance{Amount: binary.BigEndian.Uint64(value), Frozen: len(value) == 9}
	if b.Amount > MaxAmount || b == (Balance{}) {
		return Balance{}, Refuse(CodeMalformed, "balance: %d is out of range", b.Amount)
	}
	return b, nil
}

// Asset is what can be owned. All but Supply was declared at its issue.
type Asset struct {
	Symbol    string  `json:"symbol"` // of the key, not the record
	Name      string  `json:"name,omitempty"`
	Issuer    Address `json:"issuer"` // an account or a contract: mints, and freezes where that was declared
	Decimals  uint64  `json:"decimals"`
	Cap       uint64  `json:"cap,omitempty,string"` // of the supply; 0 is none
	Supply    uint64  `json:"supply,string"`
	Freezable bool    `json:"freezable,omitempty"`
}

// AppendBinary appends the record under an AssetKey.
func (a *Asset) AppendBinary(dst []byte) []byte {
	dst = append(append(dst, a.Issuer[:]...), byte(a.Decimals), flagByte(a.Freezable))
	dst = binary.BigEndian.AppendUint64(dst, a.Cap)
	dst = binary.BigEndian.AppendUint64(dst, a.Supply)
	return appendBytes(dst, a.Name)
}

// DecodeAsset reads what is under an AssetKey.
func DecodeAsset(symbol string, value []byte) (*Asset, error) {
	r := reader{buf: value}
	a := &Asset{Symbol: symbol}
	copy(a.Issuer[:], r.take(20, "issuer"))
	a.Decimals, a.Freezable = uint64(r.u8("decimals")), r.flag("freezable")
	a.Cap, a.Supply = r.u64("cap"), r.u64("supply")
	a.Name = r.string(MaxMemo, "name")
	return a, r.malformed("asset")
}

// Allowance is what a payer lets a spender debit: Limit in each period, the
// first of which began at StartMs; in all, where PeriodMs is 0.
type Allowance struct {
	Limit    uint64 `json:"limit,string"`
	PeriodMs uint64 `json:"periodMs,omitempty"`
	StartMs  uint64 `json:"startMs"`
	UntilMs  uint64 `json:"untilMs,omitempty"` // Unix; 0 is never
	Period   uint64 `json:"period"`            // number of the period that Used is of
	Used     uint64 `json:"used,string"`
}

// At answers the period a time lies in, and what is left to debit then.
func (a *Allowance) At(timeMs uint64) (period, left uint64) {
	if a.UntilMs != 0 && timeMs >= a.UntilMs {
		return a.Period, 0
	}
	if a.PeriodMs != 0 && timeMs > a.StartMs {
		period = (timeMs - a.StartMs) / a.PeriodMs
	}
	if period > a.Period {
		return period, a.Limit
	}
	return a.Period, a.Limit - min(a.Used, a.Limit)
}

// AppendBinary appends the record under an AllowanceKey.
func (a *Allowance) AppendBinary(dst []byte) []byte {
	for _, n := range [...]uint64{a.Limit, a.PeriodMs, a.StartMs, a.UntilMs, a.Period, a.Used} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// DecodeAllowance reads what is under an AllowanceKey.
func DecodeAllowance(value []byte) (a Allowance, err error) {
	r := reader{buf: value}
	for _, n := range [...]*uint64{&a.Limit, &a.PeriodMs, &a.StartMs, &a.UntilMs, &a.Period, &a.Used} {
		*n = r.uvarint(math.MaxUint64, "allowance")
	}
	return a, r.malformed("allowance")
}

// Origin is where something of the bank's came from that acts later on its
// own: what it does then names the entry as its cause.
type Origin struct {
	Index uint64 `json:"cause"`
	Blind Blind  `json:"-"` // of that entry
}

// TokenTerms is a hold, a stream or a schedule. The fields a kind does not
// have are zero.
type TokenTerms struct {
	Kind       TokenKind `json:"kind"` // TokenHold, TokenStream or TokenSchedule
	ID         uint64    `json:"id"`   // of the key, not the record
	Asset      string    `json:"asset"`
	From       Address   `json:"from"`
	To         Address   `json:"to,omitzero"` // of a hold: nobody else can be paid from it
	Controller Address   `json:"controller,omitzero"`
	Amount     uint64    `json:"amount,string"`         // set aside, in all; of a schedule, each payment
	Paid       uint64    `json:"paid,omitempty,string"` // of a stream
	Rate       uint64    `json:"rate,omitempty,string"`
	StartMs    uint64    `json:"startMs,omitempty"` // of a schedule: when the next payment is due
	PeriodMs   uint64    `json:"periodMs,omitempty"`
	UntilMs    uint64    `json:"untilMs,omitempty"` // of a stream: when all of it has flowed
	Count      uint64    `json:"count,omitempty"`   // payments still to be made
	Memo       string    `json:"memo,omitempty"`
	Origin
}

// Held is how much of it is set aside.
func (t *TokenTerms) Held() uint64 {
	if t.Kind == TokenSchedule {
		return 0
	}
	return t.Amount - t.Paid
}

// Flowed is how much of a stream has flowed at a time: the rate times the time
// since its start, rounded down once, from the start each time, so that how
// often it is settled changes nothing.
func (t *TokenTerms) Flowed(timeMs uint64) uint64 {
	if timeMs <= t.StartMs || t.PeriodMs == 0 {
		return 0
	}
	high, low := bits.Mul64(t.Rate, timeMs-t.StartMs)
	if high >= t.PeriodMs {
		return t.Amount
	}
	flowed, _ := bits.Div64(high, low, t.PeriodMs)
	return min(flowed, t.Amount)
}

// AppendBinary appends the record under its key.
func (t *TokenTerms) AppendBinary(dst []byte) []byte {
	dst = appendBytes(append(dst, byte(t.Kind)), t.Asset)
	dst = append(append(append(dst, t.From[:]...), t.To[:]...), t.Controller[:]...)
	for _, n := range t.numbers() {
		dst = binary.AppendUvarint(dst, *n)
	}
	dst = appendBytes(dst, t.Memo)
	return append(dst, t.Blind[:]...)
}

func (t *TokenTerms) numbers() [8]*uint64 {
	return [...]*uint64{&t.Amount, &t.Paid, &t.Rate, &t.StartMs, &t.PeriodMs, &t.UntilMs, &t.Count, &t.Index}
}

// DecodeTokenTerms reads what is under a HoldKey, TokenStreamKey or ScheduleKey.
func DecodeTokenTerms(id uint64, value []byte) (*TokenTerms, error) {
	r := reader{buf: value}
	t := &TokenTerms{Kind: TokenKind(r.u8("kind")), ID: id}
	t.Asset = r.string(MaxAssetSymbol, "asset")
	copy(t.From[:], r.take(20, "from"))
	copy(t.To[:], r.take(20, "to"))
	copy(t.Controller[:], r.take(20, "controller"))
	for _, n := range t.numbers() {
		*n = r.uvarint(math.MaxUint64, "terms")
	}
	t.Memo = r.string(MaxMemo, "memo")
	copy(t.Blind[:], r.take(32, "blind"))
	if t.Paid > t.Amount {
		r.fail("%d of %d are paid", t.Paid, t.Amount)
	}
	return t, r.malformed("terms")
}
