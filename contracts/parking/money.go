package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// All money is in the ledger's bank, in one asset whose minor units are the
// cents of this contract. A payer is an account that allowed the contract to
// debit it. A deposit is held for a stay or a booking; what a stay costs is
// paid from the deposit, then debited. What cannot be debited is a debt, which
// is kept here until it can be: no charge is lost to an empty account.

// till is what the deployment says about money.
type till struct {
	asset   string // empty: nobody pays by the ledger, and all is due at the machine
	deposit uint64 // cents held for a stay or booking; 0 holds none
}

// tillKey is outside every map and counter, as ladderKey is.
var tillKey = []byte("\x00till")

// debts maps a payer to what it owes, u64 cents; nothing owed leaves no key.
var debts = sdk.NewMap("d")

// maxMoney is exact in every reader of JSON.
const maxMoney = 1<<53 - 1

// depositMs is how long a deposit outlives the block of its stay, or the end of
// its booking: longer than any stay. Then the bank gives it back by itself.
const depositMs = 60 * 86400 * 1000

// setTill stores the deployment's asset and deposit.
func setTill(r *sdk.Request) {
	t := till{asset: string(r.BytesOr(nil)), deposit: r.UintOr(0)}
	if t.deposit > maxCents || t.asset == "" && t.deposit > 0 || t.asset != "" && !sdk.IsAsset(t.asset) {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an asset is its symbol; a deposit is at most 100000000 cents, and of an asset")
	}
	if t.asset != "" {
		sdk.Set(tillKey, append(u64(nil, t.deposit), t.asset...))
	}
}

func openTill() (t till) {
	record, found := sdk.Get(tillKey)
	if found {
		checkState(len(record) > 8)
		t.deposit, t.asset = sdk.U64(record), string(record[8:])
	}
	return t
}

// checkPayer aborts unless an address can pay.
func (t *till) checkPayer(payer []byte) {
	if t.asset == "" || len(payer) != abi.AddressBytes || addressIn(payer) == sdk.Self() {
		sdk.Abort(codeBadPayer, "BAD_PAYER: a payer is 20 bytes, another account than the contract's, where the deployment has an asset")
	}
}

// engage makes sure that who wants to park by its account can: old debts are
// paid first, and the deposit is held. It answers the hold, or 0.
func (t *till) engage(e *sdk.Event, payer []byte, fromMs uint64) (hold uint64) {
	t.checkPayer(payer)
	if owed := debtOf(payer); owed > 0 {
		t.collect(payer, owed)
	}
	if t.deposit == 0 {
		return 0
	}
	hold, code := sdk.Hold(t.asset, addressIn(payer), int64(t.deposit), max(e.TimeMs, fromMs)+depositMs)
	if code != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the payer has less than the deposit, is frozen or has not allowed it to the contract")
	}
	return hold
}

// fromDeposit pays up to an amount from a deposit, whose rest goes back. A
// deposit that has expired pays nothing.
func (t *till) fromDeposit(hold, cents uint64) (paid uint64) {
	if hold == 0 {
		return 0
	}
	var code uint32
	if paid = min(cents, t.deposit); paid == 0 {
		code = sdk.Refund(hold)
	} else {
		code = sdk.Release(hold, sdk.Self(), int64(paid))
	}
	if code == sdk.TokensNoHold {
		return 0
	}
	checkState(code == sdk.TokensDone)
	return paid
}

// charge takes what a stay costs from its deposit and its payer, together with
// what the payer owes for earlier ones: all of it, or it is owed.
func (t *till) charge(payer []byte, hold, cents uint64) (paid, earlier, owed uint64) {
	paid = t.fromDeposit(hold, cents)
	before := debtOf(payer)
	owed = before + cents - paid
	if owed == 0 {
		return paid, 0, 0
	}
	if owed > maxMoney {
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: the payer would owe more than 2^53-1 cents")
	}
	if sdk.Debit(t.asset, addressIn(payer), int64(owed)) == sdk.TokensDone {
		setDebt(payer, before, 0)
		return cents, before, 0
	}
	setDebt(payer, before, owed)
	return paid, 0, owed
}

// collect debits a debt, or aborts.
func (t *till) collect(payer []byte, owed uint64) {
	if sdk.Debit(t.asset, addressIn(payer), int64(owed)) != sdk.TokensDone {
		sdk.Abort(codeUnpaid, "UNPAID: the payer owes for an earlier stay, and it cannot be debited")
	}
	setDebt(payer, owed, 0)
	var w sdk.JSON
	w.Object().Key("payer").Hex(payer).Key("amountCents").Uint(owed).EndObject()
	sdk.Emit("parking.debt.paid.v1", nil, w.Bytes())
}

// callCollect debits what a payer owes. Anybody may ask for it: the debt is on
// the ledger, and the allowance is the payer's consent.
func callCollect(r *sdk.Request) {
	t, payer := openTill(), r.Bytes()
	t.checkPayer(payer)
	owed := debtOf(payer)
	if owed == 0 {
		sdk.Abort(codeNotFound, "NOT_FOUND: the payer owes nothing")
	}
	t.collect(payer, owed)
}

// callPayOut pays what was collected. Deposits are not among it.
func callPayOut(r *sdk.Request) {
	t, to, cents := openTill(), r.Bytes(), r.Uint()
	checkAddress(to)
	if !isOperator(r.Caller) {
		refuseSource()
	}
	if t.asset == "" || sdk.Transfer(t.asset, addressIn(to), int64(cents)) != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the contract has not collected so much, or it cannot be paid")
	}
}

func debtOf(payer []byte) uint64 {
	var r [8]byte
	size, found := debts.GetInto(payer, r[:])
	if !found {
		return 0
	}
	checkState(size == len(r))
	return sdk.U64(r[:])
}

func setDebt(payer []byte, before, owed uint64) {
	switch {
	case owed == before:
	case owed == 0:
		debts.Delete(payer)
	default:
		debts.Set(payer, u64(nil, owed))
	}
}

func addressIn(b []byte) (a [abi.AddressBytes]byte) {
	copy(a[:], b)
	return a
}

// checkState aborts when stored state contradicts itself.
func checkState(ok bool) {
	if !ok {
		sdk.Abort(codeBadState, "BAD_STATE: stored state is malformed")
	}
}
