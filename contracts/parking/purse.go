package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// purse is all that parking asks of money. A bank of the ledger's own can take
// book's place. Amounts are cents, at most maxMoney.
type purse interface {
	credit(account []byte, cents uint64)
	// debit takes an amount from a balance, or answers false and does nothing.
	debit(account []byte, cents uint64) bool
}

var money purse = book{}

// maxMoney is exact in every reader of JSON.
const maxMoney = 1<<53 - 1

// book is a purse in the contract's own state: for every account, what was
// credited is balance + paid, at all times.
type book struct{}

// accounts maps a name to balance and paid, u64 each.
var accounts = sdk.NewMap("a")

func loadAccount(name []byte) (balance, paid uint64, known bool) {
	var r [16]byte
	size, found := accounts.GetInto(name, r[:])
	if !found {
		return 0, 0, false
	}
	checkState(size == len(r))
	return sdk.U64(r[:]), sdk.U64(r[8:]), true
}

func saveAccount(name []byte, balance, paid uint64) {
	accounts.Set(name, u64(u64(nil, balance), paid))
}

func (book) credit(name []byte, cents uint64) {
	balance, paid, _ := loadAccount(name)
	if cents > maxMoney-balance-paid {
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: the account's credits are above 2^53-1 cents")
	}
	saveAccount(name, balance+cents, paid)
}

func (book) debit(name []byte, cents uint64) bool {
	balance, paid, _ := loadAccount(name)
	if balance < cents {
		return false
	}
	saveAccount(name, balance-cents, paid+cents)
	return true
}

// references maps a credit's reference to what it credited.
var references = sdk.NewMap("r")

// creditAccount takes a prepayment. Its reference tells a repeat from a
// second one of the same amount, whatever the event is called.
func creditAccount(e *sdk.Event) {
	admit(e, false)
	cents, reference := e.Uint(), e.Bytes()
	checkName(e.Subject)
	checkName(reference)
	if cents == 0 || cents > maxMoney {
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: a credit is 1 to 2^53-1 cents")
	}
	said := append(u64(nil, cents), e.Subject...)
	if before, found := references.Get(reference); found {
		if string(before) != string(said) {
			sdk.Abort(codeReferenceUsed, "REFERENCE_USED: the reference was used for something else")
		}
		return
	}
	references.Set(reference, said)
	money.credit(e.Subject, cents)
}

// checkState aborts when stored state contradicts itself.
func checkState(ok bool) {
	if !ok {
		sdk.Abort(codeBadState, "BAD_STATE: stored state is malformed")
	}
}
