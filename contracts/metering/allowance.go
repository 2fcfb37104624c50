package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// payment is how a meter is paid from the ledger's bank: its payer gave this
// contract an allowance, and every reading debits what it costs. What the payer
// does not have, or does not allow, is owed, and debited with a later reading.
// A prepaid meter besides warns when little is left, and is disconnected when
// for a time of grace nothing was. It is part of the meter's record, so that a
// reading costs one state read, one debit, one balance where it is prepaid, and
// one write.
type payment struct {
	payer   []byte // 20 bytes; empty: the meter is not paid by allowance
	asset   []byte
	arrears uint64 // minor units owed for closed periods
	unpaid  bool   // the last debit was refused
	prepaid bool   // then, too:

	lowBalance uint64 // a balance below it is low
	graceHours uint32
	low        bool  // it was told that the balance is low
	cut        bool  // it was decided to disconnect
	empty      bool  // nothing was left, or a debit refused, since:
	emptySec   int64 //
}

func (p *payment) collects() bool { return len(p.payer) > 0 }

func (p *payment) bytes() int {
	n := 1 + len(p.payer) + 1 + len(p.asset) + 8
	if p.prepaid {
		n += 8 + 4 + 8
	}
	return n
}

func (p *payment) pack(w *packer) {
	w.run(p.payer)
	w.run(p.asset)
	w.u64(p.arrears)
	if p.prepaid {
		w.u64(p.lowBalance)
		w.u32(p.graceHours)
		w.u64(uint64(p.emptySec))
	}
}

func (p *payment) unpack(r *unpacker, flags uint8) {
	p.payer, p.asset, p.arrears = r.run(), r.run(), r.u64()
	p.unpaid, p.prepaid = flags&flagUnpaid != 0, flags&flagPrepaid != 0
	p.low, p.cut, p.empty = flags&flagLow != 0, flags&flagCut != 0, flags&flagEmpty != 0
	if p.prepaid {
		p.lowBalance, p.graceHours, p.emptySec = r.u64(), r.u32(), int64(r.u64())
	}
}

func (p *payment) flags() uint8 {
	if !p.collects() {
		return 0
	}
	f := uint8(flagCollects)
	if p.unpaid {
		f |= flagUnpaid
	}
	if p.prepaid {
		f |= flagPrepaid
	}
	if p.low {
		f |= flagLow
	}
	if p.cut {
		f |= flagCut
	}
	if p.empty {
		f |= flagEmpty
	}
	return f
}

// collect debits what the open period has cost and was not debited yet, and
// what is owed for others, at the time of a reading or message. A debit that is
// refused is told once, until one is not. It answers how many events it made.
func (m *meter) collect(cost uint64, sec int64) (told int) {
	due := m.arrears + cost - m.charged
	moved := due > 0
	if moved {
		code := sdk.Debit(string(m.asset), address(m.payer), int64(due))
		if code == sdk.TokensDone {
			m.charged, m.arrears, m.unpaid, due = cost, 0, false, 0
		} else if !m.unpaid {
			m.unpaid = true
			var w sdk.JSON
			w.Object().Key("account").Text(m.account).Key("meter").Text(m.name)
			w.Key("asset").Text(m.asset).Key("due").Uint(due).Key("code").Uint(uint64(code)).EndObject()
			sdk.Emit("metering.unpaid.v1", m.account, w.Bytes())
			told++
		}
	}
	if m.prepaid && (moved || m.empty) {
		told += m.watch(moved && due == 0, due, sec)
	}
	return told
}

// watch decides about a prepaid meter's supply after a debit: the payer's
// balance, less what is owed, is what is left. Whoever paid had something left
// until then: the time of grace starts anew.
func (m *meter) watch(paid bool, owed uint64, sec int64) (told int) {
	left := sdk.Balance(string(m.asset), address(m.payer)) - int64(owed)
	wasLow := m.low
	if m.low = left < int64(m.lowBalance); m.low && !wasLow {
		m.tell("metering.balance.low.v1", m.account, left)
		told++
	}
	if left > 0 && !m.unpaid {
		m.empty, m.emptySec = false, 0
		if m.cut {
			m.cut = false
			m.tell("metering.reconnect.v1", m.name, left)
			told++
		}
		return told
	}
	if paid || !m.empty {
		m.empty, m.emptySec = true, sec
	}
	if !m.cut && sec-m.emptySec >= int64(m.graceHours)*3600 {
		m.cut = true
		m.tell("metering.disconnect.v1", m.name, left)
		told++
	}
	return told
}

func (m *meter) tell(eventType string, subject []byte, left int64) {
	var w sdk.JSON
	w.Object().Key("account").Text(m.account).Key("meter").Text(m.name)
	w.Key("balance").Int(left).EndObject()
	sdk.Emit(eventType, subject, w.Bytes())
}

// finish is collect for a period that closes: what is not paid stays owed.
func (m *meter) finish(total uint64, sec int64) (told int) {
	told = m.collect(total, sec)
	if m.arrears += total - m.charged; m.arrears > maxMoney {
		sdk.Abort(codeAccountFull, "ACCOUNT_FULL: what is owed is above 2^53 minor units")
	}
	m.charged = total
	return told
}

// debts maps a payer to what it owes for meters that it pays no longer, u64.
var debts = sdk.NewMap("d")

func debtOf(payer []byte) uint64 {
	var buf [8]byte
	if size, found := debts.GetInto(payer, buf[:]); !found || size != len(buf) {
		return 0
	}
	return sdk.U64(buf[:])
}

// endPayment has nobody pay the meter. What its payer owes, that payer still
// owes; a meter that was cut off is supplied again.
func (m *meter) endPayment() {
	if m.arrears > 0 {
		var buf [8]byte
		owed := debtOf(m.payer) + m.arrears
		if owed > maxMoney {
			sdk.Abort(codeAccountFull, "ACCOUNT_FULL: what is owed is above 2^53 minor units")
		}
		sdk.PutU64(buf[:], owed)
		debts.Set(m.payer, buf[:])
	}
	if m.cut {
		m.tell("metering.reconnect.v1", m.name, 0)
	}
	m.payment = payment{}
}

// payBy has a meter paid by an allowance from now on, or no longer where the
// payer is empty. The payer consents by the allowance itself.
func payBy(r *sdk.Request) {
	name, payer, prepaid := r.Bytes(), r.Bytes(), r.BoolOr(false)
	s := loadSettings()
	s.mustOwn(r.Caller)
	m, known := loadMeter(name)
	if !known {
		sdk.Abort(codeUnknownMeter, "UNKNOWN_METER: no such meter is registered")
	}
	if m.open {
		sdk.Abort(codePeriodOpen, "PERIOD_OPEN: who pays changes while no period is open")
	}
	var arrears uint64
	if string(payer) == string(m.payer) {
		arrears, m.arrears = m.arrears, 0 // owed for the same meter still
	}
	m.endPayment()
	if len(payer) > 0 {
		if address(payer) == sdk.Self() {
			sdk.Abort(codeBadParameters, "BAD_PARAMETERS: the contract does not pay itself")
		}
		m.payment = payment{payer: payer, asset: mustHaveAsset(), arrears: arrears, prepaid: prepaid}
		if prepaid {
			m.lowBalance, m.graceHours = uint64(s.lowBalance), s.graceHours
		}
	}
	m.save()
}

// collectNow debits what a meter owes, without a reading: for a payer that has
// the money again, or allows it. Anybody may ask for it.
func collectNow(r *sdk.Request) {
	m, known := loadMeter(r.Bytes())
	if !known || !m.collects() {
		sdk.Abort(codeUnknownMeter, "UNKNOWN_METER: no such meter is paid by allowance")
	}
	cost := m.charged
	if m.open {
		cost = m.cost().floor()
	}
	m.collect(cost, int64(r.TimeMs/1000))
	m.save()
	m.reply(r)
}

// collectDebt debits what a payer owes for meters that it pays no longer.
func collectDebt(r *sdk.Request) {
	payer := r.Bytes()
	from, owed := address(payer), debtOf(payer)
	if owed == 0 {
		sdk.Abort(codeNotFound, "NOT_FOUND: nothing is owed for meters of before")
	}
	if sdk.Debit(string(mustHaveAsset()), from, int64(owed)) != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the payer does not have so much, or does not allow it")
	}
	debts.Delete(payer)
}

// assetKey is outside every map. It holds what is paid with, fixed for good.
var assetKey = []byte("\x00asset")

// setAsset stores the deployment's asset; empty is none.
func setAsset(symbol []byte) {
	if len(symbol) == 0 {
		return
	}
	if !sdk.IsAsset(string(symbol)) {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a symbol is a letter, then up to 11 letters, digits, dots or dashes")
	}
	sdk.Set(assetKey, symbol)
}

func mustHaveAsset() []byte {
	symbol, found := sdk.Get(assetKey)
	if !found {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: the deployment names no asset to pay with")
	}
	return symbol
}

// payOut pays what was collected.
func payOut(r *sdk.Request) {
	to, amount := r.Bytes(), r.Uint()
	loadSettings().mustOwn(r.Caller)
	if sdk.Transfer(string(mustHaveAsset()), address(to), int64(amount)) != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the contract does not have so much, or it cannot be paid")
	}
}
