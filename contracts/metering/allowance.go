package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// payment is how a meter is paid from the ledger's bank: its payer gave this
// contract an allowance, and every reading debits what it costs. What the payer
// does not have, or does not allow, is owed, and debited with a later reading.
type payment struct {
	payer   []byte // 20 bytes; empty: the meter is not paid by allowance
	asset   []byte
	arrears uint64 // minor units owed for closed periods
	unpaid  bool   // the last debit was refused
}

func (p *payment) collects() bool { return len(p.payer) > 0 }

func (p *payment) bytes() int { return 1 + len(p.payer) + 1 + len(p.asset) + 8 }

func (p *payment) pack(w *packer) {
	w.run(p.payer)
	w.run(p.asset)
	w.u64(p.arrears)
}

func (p *payment) unpack(r *unpacker, unpaid bool) {
	p.payer, p.asset, p.arrears, p.unpaid = r.run(), r.run(), r.u64(), unpaid
}

// collect debits what the open period has cost and was not debited yet, and
// what is owed for others. A debit that is refused is told once, until one is not.
func (m *meter) collect(cost uint64) (told int) {
	due := m.arrears + cost - m.charged
	if due == 0 {
		return 0
	}
	code := sdk.Debit(string(m.asset), address(m.payer), int64(due))
	if code == sdk.TokensDone {
		m.charged, m.arrears, m.unpaid = cost, 0, false
		return 0
	}
	if m.unpaid {
		return 0
	}
	m.unpaid = true
	var w sdk.JSON
	w.Object().Key("account").Text(m.account).Key("meter").Text(m.name)
	w.Key("asset").Text(m.asset).Key("due").Uint(due).Key("code").Uint(uint64(code)).EndObject()
	sdk.Emit("metering.unpaid.v1", m.account, w.Bytes())
	return 1
}

// finish is collect for a period that closes: what is not paid stays owed.
func (m *meter) finish(total uint64) (told int) {
	told = m.collect(total)
	if m.arrears += total - m.charged; m.arrears > maxMoney {
		sdk.Abort(codeAccountFull, "ACCOUNT_FULL: what is owed is above 2^53 minor units")
	}
	return told
}

// payBy has a meter paid by an allowance from now on, or no longer where the
// payer is empty. The payer consents by the allowance itself.
func payBy(r *sdk.Request) {
	name, asset, payer := r.Bytes(), r.Bytes(), r.Bytes()
	loadSettings().mustOwn(r.Caller)
	m, known := loadMeter(name)
	switch {
	case !known:
		sdk.Abort(codeUnknownMeter, "UNKNOWN_METER: no such meter is registered")
	case m.open:
		sdk.Abort(codePeriodOpen, "PERIOD_OPEN: who pays changes while no period is open")
	case m.prepaid && len(payer) > 0:
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a prepaid meter is paid by its account")
	case len(payer) == 0:
		m.payment = payment{}
	default:
		address(payer)
		checkAsset(asset)
		m.payment = payment{payer: payer, asset: asset, arrears: m.arrears}
	}
	m.save()
}

// checkAsset aborts unless the ledger would take a symbol.
func checkAsset(symbol []byte) {
	ok := len(symbol) > 0 && len(symbol) <= 12
	for i, c := range symbol {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		ok = ok && (letter || i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-'))
	}
	if !ok {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a symbol is a letter, then up to 11 letters, digits, dots or dashes")
	}
}

// payOut pays what was collected.
func payOut(r *sdk.Request) {
	asset, to, amount := r.Text(), r.Bytes(), r.Uint()
	loadSettings().mustOwn(r.Caller)
	checkAsset([]byte(asset))
	if sdk.Transfer(asset, address(to), int64(amount)) != sdk.TokensDone {
		sdk.Abort(codeUnfunded, "UNFUNDED: the contract does not have so much, or it cannot be paid")
	}
}
