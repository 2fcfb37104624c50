package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// All money is in the ledger's bank. An order's total is held under its
// account's allowance; at dispatch it is captured to the contract's own account,
// from where it goes back when the order is undone, and only what was
// delivered can be paid out. Orders of nothing move nothing.

// captured is what orders that are shipped or delivered have paid, earned what
// the delivered ones have. The difference may have to go back.
var captured, earned = sdk.NewCounter("captured"), sdk.NewCounter("earned")

// holdMs is how long a hold outlives its order's deadline, for events that come
// late. Then the bank gives it back by itself: a clock that stopped holds
// nobody's money for ever.
const holdMs = 30 * 86400 * 1000

// assetKey holds the symbol of what is paid with. It is fixed for good.
var assetKey = []byte("\x00asset")

func setAsset(symbol string) {
	if !sdk.IsAsset(symbol) {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an asset is a letter, then up to 11 letters, digits, dots or dashes")
	}
	sdk.Set(assetKey, []byte(symbol))
}

func asset() string {
	symbol, found := sdk.Get(assetKey)
	checkState(found)
	return string(symbol)
}

// holdTotal sets the order's total aside, or answers why the bank would not.
func (o *order) holdTotal(e *sdk.Event) (refused uint32) {
	if o.total > 0 {
		until := max(e.TimeMs, uint64(o.deadline)/1_000_000) + holdMs
		o.hold, refused = sdk.Hold(asset(), o.payer(), int64(o.total), until)
	}
	return refused
}

// releaseTotal gives the hold back. One that expired went back by itself.
func (o *order) releaseTotal() {
	if o.hold != 0 {
		code := sdk.Refund(o.hold)
		checkState(code == sdk.TokensDone || code == sdk.TokensNoHold)
		o.hold = 0
	}
}

// capture takes what is held.
func (o *order) capture() {
	if o.hold != 0 {
		mustDo(sdk.Release(o.hold, sdk.Self(), int64(o.total)))
		o.hold = 0
	}
	captured.Add(o.total)
}

// refund gives back what was captured. It is there: see payOut.
func (o *order) refund() {
	if o.total > 0 {
		mustDo(sdk.Transfer(asset(), o.payer(), int64(o.total)))
	}
	checkState(o.total <= captured.Value())
	captured.Add(-o.total) // wraps to a subtraction
}

// mustDo aborts where the bank refuses: the delivery waits in the dead letters.
func mustDo(code uint32) {
	if code != sdk.TokensDone {
		sdk.Abort(codeBankRefused, "BANK_REFUSED: the hold has expired, or the contract's units are frozen")
	}
}

func (o *order) payer() (a [abi.AddressBytes]byte) {
	copy(a[:], o.account)
	return a
}

// checkAccount aborts unless an order can be paid by an account.
func checkAccount(account []byte) {
	if len(account) != abi.AddressBytes || string(account) == string(addressBytes(sdk.Self())) {
		sdk.Abort(codeBadAccount, "BAD_ACCOUNT: an account is 20 bytes, and not the contract's own")
	}
}

func addressBytes(a [abi.AddressBytes]byte) []byte { return a[:] }

// paymentReady resumes what waits for an account's funds or allowance. The
// account itself may say so, and payments.
func paymentReady(e *sdk.Event) {
	account := e.Bytes()
	checkAccount(account)
	if string(account) == string(e.Origin[:]) {
		checkTime(e)
	} else {
		admit(e, rolePayments)
	}
	wake(e, queueKey(forFunds, account))
}

// payOut pays the owner's choice of what was earned. What was captured of
// orders that are under way stays: they may have to be refunded.
func payOut(r *sdk.Request) {
	mustOwn(r)
	to, amount := r.Bytes(), r.Uint()
	checkAccount(to)
	o := order{terms: terms{account: to}}
	has, kept := uint64(sdk.Balance(asset(), sdk.Self())), captured.Value()-earned.Value()
	if has < kept || amount > has-kept || sdk.Transfer(asset(), o.payer(), int64(amount)) != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the contract has not earned so much, or the bank refuses")
	}
}

// checkState aborts when stored state contradicts itself.
func checkState(ok bool) {
	if !ok {
		sdk.Abort(codeBadState, "BAD_STATE: stored state is malformed")
	}
}
