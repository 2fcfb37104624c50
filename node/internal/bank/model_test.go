package bank

import (
	"math/big"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// model is the bank once more, as a page of accounts and no bytes: what the
// bank does is held against it. Amounts are big integers, times are whole.
type model struct {
	now    int64
	assets map[string]*modelAsset
	has    map[modelOwner]*big.Int
	frozen map[modelOwner]bool
	allow  map[modelGrant]*modelAllowance
	terms  map[uint64]*modelTerms
	lastID uint64
}

type modelAsset struct {
	issuer      protocol.Address
	cap, supply *big.Int
	freezable   bool
}

type modelOwner struct {
	who   protocol.Address
	asset string
}

type modelGrant struct {
	payer, spender protocol.Address
	asset          string
}

type modelAllowance struct {
	limit                *big.Int
	since, period, until int64
	debits               []modelDebit
}

type modelDebit struct {
	at     int64
	amount *big.Int
}

type modelTerms struct {
	op       protocol.TokenOp
	from     protocol.Address
	start    int64
	paid     *big.Int
	payments uint64 // made or missed
}

func newModel() *model {
	return &model{
		assets: map[string]*modelAsset{}, has: map[modelOwner]*big.Int{}, frozen: map[modelOwner]bool{},
		allow: map[modelGrant]*modelAllowance{}, terms: map[uint64]*modelTerms{},
	}
}

func units(n uint64) *big.Int { return new(big.Int).SetUint64(n) }

func (m *model) of(who protocol.Address, asset string) *big.Int {
	o := modelOwner{who, asset}
	if m.has[o] == nil {
		m.has[o] = new(big.Int)
	}
	return m.has[o]
}

func (m *model) give(who protocol.Address, asset string, n *big.Int) {
	b := m.of(who, asset)
	b.Add(b, n)
}

func (m *model) takes(who protocol.Address, asset string, n *big.Int) protocol.Code {
	switch {
	case m.frozen[modelOwner{who, asset}]:
		return protocol.CodeFrozen
	case m.assets[asset] == nil:
		return protocol.CodeAssetUnknown
	case m.of(who, asset).Cmp(n) < 0:
		return protocol.CodeFunds
	}
	b := m.of(who, asset)
	b.Sub(b, n)
	return 0
}

// use books a debit against an allowance: the sum of this period's must fit.
func (m *model) use(payer, spender protocol.Address, asset string, n *big.Int, book bool) protocol.Code {
	a := m.allow[modelGrant{payer, spender, asset}]
	if a == nil || a.until != 0 && m.now >= a.until {
		return protocol.CodeAllowance
	}
	sum := new(big.Int).Set(n)
	for _, d := range a.debits {
		if a.period == 0 || (d.at-a.since)/a.period == (m.now-a.since)/a.period {
			sum.Add(sum, d.amount)
		}
	}
	if sum.Cmp(a.limit) > 0 {
		return protocol.CodeAllowance
	}
	if book {
		a.debits = append(a.debits, modelDebit{m.now, n})
	}
	return 0
}

func (t *modelTerms) flowed(now int64) *big.Int {
	if now <= t.start {
		return new(big.Int)
	}
	n := new(big.Int).Mul(units(t.op.Rate), big.NewInt(now-t.start))
	n.Div(n, units(t.op.PeriodMs))
	if all := units(t.op.Amount); n.Cmp(all) > 0 {
		return all
	}
	return n
}

// left is what a hold or stream still has.
func (t *modelTerms) left() *big.Int {
	if t.op.Kind == protocol.TokenSchedule {
		return new(big.Int)
	}
	return new(big.Int).Sub(units(t.op.Amount), t.paid)
}

// at lets time pass; what falls due happens in the order of its time and id.
func (m *model) at(now int64) {
	m.now = now
	for {
		best, bestDue := uint64(0), int64(0)
		for id, t := range m.terms {
			due := int64(t.op.UntilMs)
			switch t.op.Kind {
			case protocol.TokenStream:
				// The first millisecond at which all has flowed.
				all := new(big.Int).Mul(units(t.op.Amount), units(t.op.PeriodMs))
				rest := new(big.Int)
				all.DivMod(all, units(t.op.Rate), rest)
				if due = t.start + all.Int64(); rest.Sign() > 0 {
					due++
				}
			case protocol.TokenSchedule:
				due = t.start + int64(t.payments)*int64(t.op.PeriodMs)
			}
			if due == 0 || due > now {
				continue
			}
			if best == 0 || due < bestDue || due == bestDue && id < best {
				best, bestDue = id, due
			}
		}
		if best == 0 {
			return
		}
		m.fall(best)
	}
}

func (m *model) fall(id uint64) {
	t := m.terms[id]
	switch t.op.Kind {
	case protocol.TokenHold:
		m.give(t.from, t.op.Asset, t.left())
		delete(m.terms, id)
	case protocol.TokenStream:
		m.give(t.op.Account, t.op.Asset, t.left())
		delete(m.terms, id)
	default:
		if m.takes(t.from, t.op.Asset, units(t.op.Amount)) == 0 {
			m.give(t.op.Account, t.op.Asset, units(t.op.Amount))
		}
		if t.payments++; t.payments == t.op.Count {
			delete(m.terms, id)
		}
	}
}

// apply does an operation whose form is right.
func (m *model) apply(by protocol.Address, op protocol.TokenOp) protocol.Code {
	n, asset := units(op.Amount), m.assets[op.Asset]
	switch op.Kind {
	case protocol.TokenIssue:
		if asset != nil {
			return protocol.CodeAssetExists
		}
		limit := n
		if op.Amount == 0 {
			limit = units(protocol.MaxAmount)
		}
		if op.Account == (protocol.Address{}) {
			op.Account = by
		}
		m.assets[op.Asset] = &modelAsset{op.Account, limit, new(big.Int), op.Freezable}
	case protocol.TokenMint, protocol.TokenFreeze, protocol.TokenUnfreeze:
		return m.applyIssuer(by, op, n, asset)
	case protocol.TokenBurn:
		if code := m.takes(by, op.Asset, n); code != 0 {
			return code
		}
		asset.supply.Sub(asset.supply, n)
	case protocol.TokenTransfer:
		if op.Account == by {
			return protocol.CodeTokenTerms
		}
		if code := m.takes(by, op.Asset, n); code != 0 {
			return code
		}
		m.give(op.Account, op.Asset, n)
	case protocol.TokenAllow:
		switch {
		case asset == nil:
			return protocol.CodeAssetUnknown
		case op.Account == by || op.UntilMs != 0 && int64(op.UntilMs) <= m.now:
			return protocol.CodeTokenTerms
		}
		m.allow[modelGrant{by, op.Account, op.Asset}] = &modelAllowance{n, m.now, int64(op.PeriodMs), int64(op.UntilMs), nil}
	case protocol.TokenRevoke:
		if m.allow[modelGrant{by, op.Account, op.Asset}] == nil {
			return protocol.CodeAllowance
		}
		delete(m.allow, modelGrant{by, op.Account, op.Asset})
	case protocol.TokenDebit:
		if op.Account == op.From {
			return protocol.CodeTokenTerms
		}
		if code := m.use(op.From, by, op.Asset, n, false); code != 0 {
			return code
		}
		if code := m.takes(op.From, op.Asset, n); code != 0 {
			return code
		}
		m.use(op.From, by, op.Asset, n, true)
		m.give(op.Account, op.Asset, n)
	default:
		return m.applyTerms(by, op, n, asset)
	}
	return 0
}

func (m *model) applyIssuer(by protocol.Address, op protocol.TokenOp, n *big.Int, asset *modelAsset) protocol.Code {
	switch {
	case asset == nil:
		return protocol.CodeAssetUnknown
	case asset.issuer != by:
		return protocol.CodeNotIssuer
	case op.Kind == protocol.TokenMint:
		supply := new(big.Int).Add(asset.supply, n)
		if supply.Cmp(asset.cap) > 0 {
			return protocol.CodeSupplyCap
		}
		asset.supply = supply
		m.give(op.Account, op.Asset, n)
		return 0
	case !asset.freezable:
		return protocol.CodeNotFreezable
	}
	m.frozen[modelOwner{op.Account, op.Asset}] = op.Kind == protocol.TokenFreeze
	return 0
}

// applyTerms makes and changes holds, streams and schedules.
func (m *model) applyTerms(by protocol.Address, op protocol.TokenOp, n *big.Int, asset *modelAsset) protocol.Code {
	t := &modelTerms{op: op, from: by, start: int64(op.StartMs), paid: new(big.Int)}
	if t.start == 0 {
		t.start = m.now
	}
	switch op.Kind {
	case protocol.TokenHold:
		if op.UntilMs != 0 && int64(op.UntilMs) <= m.now {
			return protocol.CodeTokenTerms
		}
		if op.Controller == (protocol.Address{}) {
			t.op.Controller = by
		}
		if op.From != (protocol.Address{}) && op.From != by {
			t.from = op.From
			if code := m.use(t.from, by, op.Asset, n, false); code != 0 {
				return code
			}
		}
		if code := m.takes(t.from, op.Asset, n); code != 0 {
			return code
		}
		if t.from != by {
			m.use(t.from, by, op.Asset, n, true)
		}
	case protocol.TokenStream:
		lasts := new(big.Int).Div(new(big.Int).Mul(n, units(op.PeriodMs)), units(op.Rate))
		if op.Account == by || t.start < m.now || lasts.Cmp(units(2*protocol.MaxTokenMs)) >= 0 {
			return protocol.CodeTokenTerms
		}
		if code := m.takes(by, op.Asset, n); code != 0 {
			return code
		}
	case protocol.TokenSchedule:
		switch {
		case op.Account == by || t.start < m.now:
			return protocol.CodeTokenTerms
		case asset == nil:
			return protocol.CodeAssetUnknown
		}
	default:
		return m.applyToTerms(by, op, n)
	}
	m.lastID++
	m.terms[m.lastID] = t
	return 0
}

func (m *model) applyToTerms(by protocol.Address, op protocol.TokenOp, n *big.Int) protocol.Code {
	t, kinds := m.terms[op.ID], map[protocol.TokenKind]protocol.TokenKind{
		protocol.TokenRelease: protocol.TokenHold, protocol.TokenRefund: protocol.TokenHold,
		protocol.TokenSettle: protocol.TokenStream, protocol.TokenStop: protocol.TokenStream,
		protocol.TokenUnschedule: protocol.TokenSchedule,
	}
	if t == nil || t.op.Kind != kinds[op.Kind] {
		return protocol.CodeTokenIDUnknown
	}
	none := protocol.Address{}
	if party := by == t.from || by == t.op.Account; t.op.Kind == protocol.TokenHold && by != t.op.Controller || t.op.Kind != protocol.TokenHold && !party {
		return protocol.CodeNotController
	}
	switch op.Kind {
	case protocol.TokenRelease:
		if t.op.Account != none && t.op.Account != op.Account {
			return protocol.CodeNotController
		}
		rest := t.left()
		if rest.Cmp(n) < 0 {
			return protocol.CodeFunds
		}
		m.give(op.Account, t.op.Asset, n)
		m.give(t.from, t.op.Asset, rest.Sub(rest, n))
	case protocol.TokenRefund:
		m.give(t.from, t.op.Asset, t.left())
	case protocol.TokenSettle, protocol.TokenStop:
		flowed := t.flowed(m.now)
		pays := new(big.Int).Sub(flowed, t.paid)
		if pays.Sign() == 0 && op.Kind == protocol.TokenSettle {
			return protocol.CodeFunds
		}
		m.give(t.op.Account, t.op.Asset, pays)
		t.paid = flowed
		if op.Kind == protocol.TokenSettle && t.left().Sign() > 0 {
			return 0
		}
		m.give(t.from, t.op.Asset, t.left())
	}
	delete(m.terms, op.ID)
	return 0
}
