package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// payerOf is a driver's account.
func payerOf(name string) [abi.AddressBytes]byte {
	return addressOf(map[string]byte{"ann": 100, "bob": 101, "nobody": 102}[name])
}

func whose(name string) *sdk.Args { return withPayer(new(sdk.Args), name) }

// withPayer adds a payer's field; "" leaves it out.
func withPayer(args *sdk.Args, name string) *sdk.Args {
	if name == "" {
		return args.Absent()
	}
	a := payerOf(name)
	return args.Bytes(a[:])
}

// newCity is a town whose parking takes EUR, with a deposit.
func newCity(t *testing.T, deposit uint64) *town {
	c := &town{t: t, Host: sdk.NewHost(), asset: "EUR", deposit: deposit}
	c.Address = addressOf(5)
	c.bank = c.OpenBank()
	c.bank.Issue("EUR", operator)
	c.must(c.deploy(nil))
	return c
}

// fund gives a driver units, and the contract the driver's allowance.
func (c *town) fund(name string, amount, allowed int64) {
	c.minted += amount
	c.bank.Endow("EUR", payerOf(name), amount)
	c.bank.Allow("EUR", payerOf(name), allowed)
}

// conserved checks that all units are somewhere.
func (c *town) conserved() {
	c.t.Helper()
	sum := c.bank.Held("EUR") + c.bank.Balance("EUR", c.Address) + c.bank.Balance("EUR", addressOf(99))
	for _, name := range []string{"ann", "bob"} {
		sum += c.bank.Balance("EUR", payerOf(name))
	}
	if sum != c.minted {
		c.t.Fatalf("there are %d units, %d were minted", sum, c.minted)
	}
}

func (c *town) as(caller [abi.AddressBytes]byte, call int, args *sdk.Args) error {
	_, err := c.CallAs(caller, call, args)
	return err
}

func (c *town) collect(name string) error { return c.as(addressOf(98), 2, whose(name)) }

// payOut pays the operator's bank, 99.
func (c *town) payOut(caller [abi.AddressBytes]byte, cents uint64) error {
	to := addressOf(99)
	return c.as(caller, 3, new(sdk.Args).Bytes(to[:]).Uint(cents))
}

func (c *town) owed(name string) string {
	out, err := c.Query(queryOfPayer, whose(name))
	c.must(err)
	return string(out)
}

func TestLostTickets(t *testing.T) {
	c := newCity(t, 0)
	at := clock("2016-10-12 09:00:00")
	c.fund("ann", 1_500, 5_000)
	enter := func(ticket string) error {
		return c.tell(operator, eventEnter, 1, "x", at, entering(ticket, "ann", ""))
	}
	c.must(enter("flat"))
	c.must(enter("ladder"))
	c.must(c.tell(operator, eventLost, 2, "x", at.AddDate(0, 0, 4), ticketed("flat").Uint(1_501)))
	if got := c.lastCharge(); !got.Lost || got.AmountCents != 1_501 || got.PaidCents != 0 || got.OwedCents != 1_501 || len(got.Lines) > 0 {
		t.Errorf("%+v", got) // the balance does not suffice, so nothing of it is taken
	}
	c.refuse(codeUnpaid, "UNPAID", enter("again"))
	c.must(c.tell(operator, eventLost, 2, "x", at.AddDate(0, 0, 18), ticketed("ladder").Absent()))
	if got := c.lastCharge(); got.AmountCents != 18*24*200 || len(got.Lines) == 0 || got.OwedCents != 1_501+18*24*200 {
		t.Errorf("%+v", got)
	}
	out, _ := c.Query(queryOfSession, ticketed("flat"))
	equal(t, string(out), `{"open":false,"lot":"x","ticket":"flat","payer":"6400000000000000000000000000000000000064","reservation":null,"enterIndex":1,"leaveIndex":2,"amountCents":1501,"paidCents":0,"dueCents":1501}`)
	c.refuse(codeUnpaid, "UNPAID", c.collect("ann"))
	c.fund("ann", 100_000, 100_000)
	c.must(c.collect("ann"))
	equal(t, c.Emitted[len(c.Emitted)-1].Type+" "+string(c.Emitted[len(c.Emitted)-1].Data),
		`parking.debt.paid.v1 {"payer":"6400000000000000000000000000000000000064","amountCents":87901}`)
	c.refuse(codeNotFound, "NOT_FOUND", c.collect("ann"))
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.payOut(gate, 1))
	c.refuse(codeUnfunded, "UNFUNDED", c.payOut(operator, 87_902))
	c.must(c.payOut(operator, 87_901))
	c.conserved()
}

// driver is what the model has of one.
type driver struct{ balance, allowed, owed, held int64 }

// take is a debit or hold under the allowance.
func (m *driver) take(amount int64) bool {
	if amount > m.balance || amount > m.allowed {
		return false
	}
	m.balance, m.allowed = m.balance-amount, m.allowed-amount
	return true
}

// cashier drives the contract and a model of its money.
type cashier struct {
	*town
	r                  *rand.Rand
	at                 time.Time
	drivers            map[string]*driver
	open               map[string]bool
	collected, paidOut int64
}

// act does something at random and answers the code that the model expects.
func (b *cashier) act(step int, name string) (want uint32, err error) {
	m := b.drivers[name]
	switch kind := b.r.IntN(8); {
	case kind < 2:
		m.balance, m.allowed = m.balance+int64(step), int64(b.r.IntN(9_000))
		b.fund(name, int64(step), m.allowed)
	case kind == 2:
		amount := int64(b.r.IntN(2_000)) + 1
		if err = b.payOut(operator, uint64(amount)); amount > b.collected-b.paidOut {
			return codeUnfunded, err
		}
		b.paidOut += amount
	case kind == 3:
		switch err = b.town.collect(name); {
		case m.owed == 0:
			return codeNotFound, err
		case !m.take(m.owed):
			return codeUnpaid, err
		}
		m.owed, b.collected = 0, b.collected+m.owed
	case !b.open[name]:
		return b.enter(name, m)
	default:
		b.leave(name, m)
	}
	return 0, err
}

func (b *cashier) enter(name string, m *driver) (want uint32, err error) {
	before := *m
	err = b.tell(operator, eventEnter, 1, "x", b.at, entering(name, name, ""))
	if m.owed > 0 && !m.take(m.owed) {
		return codeUnpaid, err
	}
	if !m.take(int64(b.deposit)) {
		*m = before
		return codeUnfunded, err
	}
	b.collected, m.owed, m.held, b.open[name] = b.collected+m.owed, 0, int64(b.deposit), true
	return 0, err
}

func (b *cashier) leave(name string, m *driver) {
	b.must(b.tell(operator, eventLeave, 2, "x", b.at, ticketed(name)))
	got := b.lastCharge()
	amount := int64(got.AmountCents)
	paid, earlier := min(amount, m.held), int64(0)
	m.balance, b.collected = m.balance+m.held-paid, b.collected+paid
	owed := m.owed + amount - paid
	if m.take(owed) {
		paid, earlier, b.collected, m.owed = amount, m.owed, b.collected+owed, 0
	} else {
		m.owed = owed
	}
	m.held, b.open[name] = 0, false
	if int64(got.PaidCents) != paid || int64(got.EarlierCents) != earlier || int64(got.OwedCents) != m.owed || got.DueCents != got.AmountCents-got.PaidCents {
		b.t.Fatalf("%+v, want %+v", got, m)
	}
}

// Random stays with and without deposits, funds and allowances: every answer is
// that of a model, what is charged is paid, owed or due at the machine, and no
// unit is made or lost.
func TestMoneyModel(t *testing.T) {
	for seed := range uint64(4) {
		b := &cashier{town: newCity(t, seed%2*700), r: rand.New(rand.NewPCG(seed, 4)), at: clock("2016-10-12 09:00:00"),
			drivers: map[string]*driver{"ann": {}, "bob": {}}, open: map[string]bool{}}
		refused := map[uint32]int{}
		for step := range 500 {
			name := []string{"ann", "bob"}[b.r.IntN(2)]
			b.at = b.at.Add(time.Duration(b.r.IntN(100)) * time.Minute)
			want, err := b.act(step, name)
			m := b.drivers[name]
			if refused[want]++; sdk.CodeOf(err) != want || err != nil && want == 0 {
				t.Fatalf("seed %d step %d: %v, the model says code %d", seed, step, err, want)
			}
			if b.bank.Balance("EUR", payerOf(name)) != m.balance || b.bank.Balance("EUR", b.Address) != b.collected-b.paidOut {
				t.Fatalf("seed %d step %d: %+v, the contract collected %d", seed, step, m, b.collected)
			}
			equal(t, b.owed(name), fmt.Sprintf(`{"payer":"%x","asset":"EUR","owedCents":%d}`, payerOf(name), m.owed))
			b.conserved()
		}
		if t.Log(b.deposit, refused); refused[codeUnpaid] < 5 || b.deposit > 0 && refused[codeUnfunded] < 5 {
			t.Errorf("seed %d: the test is blind: %v", seed, refused)
		}
	}
}

// A booking's deposit is the stay's when the vehicle comes, goes back when the
// booking is given up, and stays with the city when nobody comes.
func TestBookedDeposits(t *testing.T) {
	c := newCity(t, 500)
	now := clock("2016-10-12 09:00:00")
	from, to := now.Add(time.Hour), now.Add(2*time.Hour)
	send := func(handler int, at time.Time, args *sdk.Args) error {
		return c.tell(operator, handler, 1, "x", at, args)
	}
	c.must(send(eventSpaces, now, new(sdk.Args).Uint(4)))
	c.refuse(codeUnfunded, "UNFUNDED", send(eventRequest, now, askingFor("r", from, to, "ann")))
	c.fund("ann", 2_000, 2_000)
	want := func(balance, held, contract int64) {
		t.Helper()
		if b, h, s := c.bank.Balance("EUR", payerOf("ann")), c.bank.Held("EUR"), c.bank.Balance("EUR", c.Address); b != balance || h != held || s != contract {
			t.Errorf("ann has %d, %d are held, the contract has %d; want %d, %d, %d", b, h, s, balance, held, contract)
		}
		c.conserved()
	}
	for _, id := range []string{"cancel", "expire", "miss", "come"} {
		c.must(send(eventRequest, now, askingFor(id, from, to, "ann")))
		c.must(send(eventRequest, now, askingFor(id, from, to, "ann")))
		if id == "miss" || id == "come" {
			c.must(send(eventConfirm, now, ticketed(id)))
		}
	}
	want(0, 2_000, 0)
	c.must(send(eventCancel, now, ticketed("cancel")))
	c.must(send(eventExpire, from, ticketed("expire")))
	want(1_000, 1_000, 0)
	c.refuse(codeBadPayer, "BAD_PAYER", send(eventEnter, from, entering("T", "bob", "come")))
	c.must(send(eventEnter, from, entering("T", "", "come")))
	c.must(send(eventEnter, from, entering("T", "", "come")))
	c.must(send(eventExpire, from.Add(30*time.Minute), ticketed("miss")))
	want(1_000, 500, 500)
	out, _ := c.Query(queryOfReservation, ticketed("miss"))
	equal(t, string(out), `{"reservation":"miss","lot":"x","status":"no-show","fromSec":1476266400,"toSec":1476270000,"freedAtSec":1476266400,"payer":"6400000000000000000000000000000000000064","keptCents":500}`)
	c.must(send(eventLeave, from.Add(30*time.Minute), ticketed("T"))) // 100 of the 500
	want(1_400, 0, 600)

	c.bank.Allow("EUR", payerOf("ann"), 1_000) // what was held counts, though it went back
	c.must(send(eventEnter, to, entering("U", "ann", "")))
	c.TimeMs += depositMs
	want(900, 500, 600)
	_, _ = c.Query(queryOfCount, nil) // the hold ends by itself
	want(1_400, 0, 600)
	header := abi.EventHeader{Origin: operator, HasTime: true, EventTimeNs: to.Add(time.Hour).UnixNano(), Subject: []byte("x")}
	c.must(c.Event(eventLeave, header, ticketed("U")))
	want(1_200, 0, 800) // debited instead
}

// The built contract on the real bank: the entries that move money have the
// vehicle's events as their causes.
func TestPaidOnTheLedger(t *testing.T) {
	operator := contracttest.Address("producer")
	l := contracttest.Found(t, contracttest.Options{Start: "2024-01-01T08:00:00Z"}).
		Deploy("parking", contracttest.Args{"operator": operator[:], "asset": "EUR", "depositCents": 300})
	l.Issue("EUR", 1_000, "carol")
	carol := contracttest.Address("carol")
	enter := func(ticket string) *contracttest.Result {
		return l.Event("parking.session.enter.v1", "North", fmt.Sprintf(`{"ticket":%q,"payer":%q}`, ticket, base64.StdEncoding.EncodeToString(carol[:])), contracttest.Time("2024-01-01T08:00:00Z"))
	}
	enter("T").Refused(codeUnfunded)
	l.Allow("carol", "EUR", 900)
	in := enter("T")
	l.WantBalance("carol", "EUR", 700)
	l.Advance(3 * time.Hour)
	out := l.Event("parking.session.leave.v1", "North", `{"ticket":"T"}`, contracttest.Time("2024-01-01T11:00:00Z"))
	out.WantEmitted("parking.session.charged.v1", `{"amountCents":600,"paidCents":600,"owedCents":0}`)
	l.WantBalance("carol", "EUR", 400)
	moves := l.Movements(in.Index)
	if len(moves) != 3 || moves[0].Kind != protocol.TokenHold || moves[0].Cause != in.Index ||
		moves[1].Kind != protocol.TokenRelease || moves[1].Cause != out.Index || moves[1].Amount != 300 ||
		moves[2].Kind != protocol.TokenDebit || moves[2].Cause != out.Index || moves[2].Amount != 300 {
		t.Errorf("%+v", moves)
	}
	l.Token("author", protocol.TokenOp{Kind: protocol.TokenFreeze, Asset: "EUR", Account: carol})
	enter("U").Refused(codeUnfunded)
	l.Call("bob", "payOut", contracttest.Args{"to": carol[:], "amountCents": 600}).Refused(codeNotAllowed)
}
