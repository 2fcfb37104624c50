package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// This file is all that knows where money is. What was credited to an account
// is what was debited from it and its balance, always.

// purses maps a prepaid account to its record.
var purses = sdk.NewMap("a")

// maxLinks bounds the meters of an account: one delivery can decide on all.
const maxLinks = 64

// links maps the meters of a prepaid account to nothing.
func links(account []byte) sdk.Map { return sdk.NewMap("l" + string(account)) }

// purse is a prepaid account, in minor units of money. The balance may fall
// below zero: a meter that still counts is still paid for.
type purse struct {
	account           []byte
	credited, debited uint64
	low               int64 // a balance below it is low
	graceHours        uint32
	empty             bool  // the balance is zero or below, since a debit at:
	emptySec          int64 //
	cut               bool  // it was decided to disconnect
}

const purseBytes = 2*8 + 8 + 4 + 1 + 8

// openPurse reads an account, which is made if it is new.
func openPurse(s *settings, account []byte) *purse {
	p, known := loadPurse(account)
	if !known {
		p.low, p.graceHours = s.lowBalance, s.graceHours
		p.save()
	}
	return p
}

func loadPurse(account []byte) (p *purse, known bool) {
	p = &purse{account: account}
	var buf [purseBytes]byte
	size, found := purses.GetInto(account, buf[:])
	if !found {
		return p, false
	}
	r := unpacker{b: buf[:min(size, purseBytes)]}
	p.credited, p.debited, p.low, p.graceHours = r.u64(), r.u64(), int64(r.u64()), r.u32()
	flags := r.u8()
	p.empty, p.cut = flags&1 != 0, flags&2 != 0
	p.emptySec = int64(r.u64())
	r.finish()
	return p, true
}

// mustLoadPurse aborts where the account is not known.
func mustLoadPurse(account []byte) *purse {
	checkName(account)
	p, known := loadPurse(account)
	if !known {
		sdk.Abort(codeUnknownAccount, "UNKNOWN_ACCOUNT: no prepaid meter was registered for it")
	}
	return p
}

func (p *purse) save() {
	w := newPacker(purseBytes)
	w.u64(p.credited)
	w.u64(p.debited)
	w.u64(uint64(p.low))
	w.u32(p.graceHours)
	var flags uint8
	if p.empty {
		flags |= 1
	}
	if p.cut {
		flags |= 2
	}
	w.u8(flags)
	w.u64(uint64(p.emptySec))
	purses.Set(p.account, w.bytes())
}

// balance is what is left. Both sums are at most maxMoney.
func (p *purse) balance() int64 { return int64(p.credited) - int64(p.debited) }

// debit takes an amount out, of 0 too, at the time of what caused it: a
// balance that falls below the warning's is told once, and one that was zero
// or less for the time of grace disconnects the account's meters. It answers
// how many events it made.
func (p *purse) debit(amount uint64, sec int64, cause []byte) (told int) {
	before, wasEmpty := p.balance(), p.empty
	if amount > maxMoney || p.debited+amount > maxMoney {
		sdk.Abort(codeAccountFull, "ACCOUNT_FULL: an account's debits are at their limit")
	}
	p.debited += amount
	if before >= p.low && p.balance() < p.low {
		p.tell("metering.balance.low.v1", p.account, cause)
		told++
	}
	if !p.empty && p.balance() <= 0 {
		p.empty, p.emptySec = true, sec
	}
	cuts := p.empty && !p.cut && sec-p.emptySec >= int64(p.graceHours)*3600
	if cuts {
		p.cut = true
		told += p.supplyAll("metering.disconnect.v1")
	}
	if amount > 0 || cuts || p.empty != wasEmpty {
		p.save()
	}
	return told
}

// credit puts an amount in. A balance above zero ends the time of grace and
// reconnects what was disconnected.
func (p *purse) credit(amount uint64) {
	if amount == 0 || amount > maxMoney {
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: an amount is 1 to 2^53 minor units")
	}
	if p.credited+amount > maxMoney {
		sdk.Abort(codeAccountFull, "ACCOUNT_FULL: an account's credits are at their limit")
	}
	p.credited += amount
	if p.balance() > 0 {
		p.empty, p.emptySec = false, 0
		if p.cut {
			p.cut = false
			p.supplyAll("metering.reconnect.v1")
		}
	}
	p.save()
}

// supplyAll tells the account's meters that they are cut off or supplied again.
func (p *purse) supplyAll(eventType string) (told int) {
	links(p.account).Each(nil, func(meter, _ []byte) bool {
		p.supply(eventType, meter)
		told++
		return true
	})
	return told
}

func (p *purse) supply(eventType string, meter []byte) { p.tell(eventType, meter, meter) }

func (p *purse) tell(eventType string, subject, meter []byte) {
	var w sdk.JSON
	w.Object().Key("account").Text(p.account).Key("meter").Text(meter)
	w.Key("balance").Int(p.balance()).EndObject()
	sdk.Emit(eventType, subject, w.Bytes())
}

func (p *purse) link(meter []byte) {
	n := 0
	all := links(p.account)
	all.Each(nil, func(_, _ []byte) bool {
		n++
		return n < maxLinks
	})
	if n == maxLinks {
		sdk.Abort(codeAccountFull, "ACCOUNT_FULL: a prepaid account has at most 64 meters")
	}
	all.Set(meter, nil)
}

func (p *purse) unlink(meter []byte) { links(p.account).Delete(meter) }

// topUp credits an account by an event of the owner's.
func topUp(e *sdk.Event) {
	amount := e.Uint()
	loadSettings().mustOwn(e.Origin)
	mustLoadPurse(e.Subject).credit(amount)
}

// credit is topUp as a call, which answers the new balance.
func credit(r *sdk.Request) {
	account, amount := r.Bytes(), r.Uint()
	loadSettings().mustOwn(r.Caller)
	p := mustLoadPurse(account)
	p.credit(amount)
	p.reply(r)
}
