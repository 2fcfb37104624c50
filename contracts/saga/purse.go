package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// purse is all that the saga asks of money. A bank of the ledger's own can
// take book's place. Amounts are minor units of one currency, at most maxAmount.
type purse interface {
	credit(account []byte, amount uint64)
	// hold sets an amount of the balance aside, or answers false and does nothing.
	hold(account []byte, amount uint64) bool
	release(account []byte, amount uint64) // what was held is balance again
	capture(account []byte, amount uint64) // what was held is the seller's
	refund(account []byte, amount uint64)  // what was captured is held again
}

var money purse = book{}

// book is a purse in the contract's own state. For every account and at all
// times, what was credited is balance + held + captured; the sum of all
// credits is at most maxAmount, so no other sum can overflow.
type book struct{}

// accounts maps a name to an account's record: balance, held and captured, u64 each.
var accounts = sdk.NewMap("a")

// credited and captured are the sums over all accounts.
var credited, captured = sdk.NewCounter("credited"), sdk.NewCounter("captured")

// account is what one customer has.
type account struct{ balance, held, captured uint64 }

func loadAccount(name []byte) (a account, known bool) {
	var r [24]byte
	size, found := accounts.GetInto(name, r[:])
	if !found {
		return a, false
	}
	checkState(size == len(r))
	return account{sdk.U64(r[:]), sdk.U64(r[8:]), sdk.U64(r[16:])}, true
}

func (a *account) save(name []byte) {
	accounts.Set(name, number(number(number(nil, a.balance), a.held), a.captured))
}

func (book) credit(name []byte, amount uint64) {
	a, _ := loadAccount(name)
	a.balance += amount // at most the sum of all credits, which is checked next
	if amount > maxAmount || credited.Add(amount) > maxAmount {
		sdk.Abort(codeLimit, "LIMIT: all credits together are at most 2^53-1")
	}
	a.save(name)
}

func (book) hold(name []byte, amount uint64) bool {
	a, _ := loadAccount(name)
	if a.balance < amount {
		return false
	}
	a.balance, a.held = a.balance-amount, a.held+amount
	a.save(name)
	return true
}

func (book) release(name []byte, amount uint64) {
	a, _ := loadAccount(name)
	checkState(amount <= a.held)
	a.held, a.balance = a.held-amount, a.balance+amount
	a.save(name)
}

func (book) capture(name []byte, amount uint64) {
	a, _ := loadAccount(name)
	checkState(amount <= a.held)
	a.held, a.captured = a.held-amount, a.captured+amount
	a.save(name)
	captured.Add(amount)
}

func (book) refund(name []byte, amount uint64) {
	a, _ := loadAccount(name)
	checkState(amount <= a.captured && amount <= captured.Value())
	a.captured, a.held = a.captured-amount, a.held+amount
	a.save(name)
	captured.Add(-amount) // wraps to a subtraction
}

// checkState aborts when stored state contradicts itself.
func checkState(ok bool) {
	if !ok {
		sdk.Abort(codeBadState, "BAD_STATE: stored state is malformed")
	}
}
