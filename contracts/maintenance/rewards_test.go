package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// Random confirmations, payments into the pot, settlements and withdrawals:
// accrued = paid + due, no unit is made or lost, and what is due is never
// withdrawn while the pot covers it.
func TestRewardsAreConserved(t *testing.T) {
	c := newPlant(t, set{"threshold": "above", "thresholdOn": one, "reward": 70, "rewardAsset": "EUR"})
	r := rand.New(rand.NewPCG(7, 7))
	var minted, pot, due, paid, withdrawn int64
	refusals := map[uint32]int{}
	for step := range int64(600) {
		want, err := uint32(0), error(nil)
		switch r.IntN(5) {
		case 0:
			n := int64(r.IntN(300))
			c.bank.Endow("EUR", c.Address, n)
			minted, pot = minted+n, pot+n
		case 1:
			switch err = c.call(callSettle, stranger, producer.text()); {
			case due == 0:
				want = codeNotFound
			case due > pot:
				want = codeUnfunded
			default:
				pot, paid, due = pot-due, paid+due, 0
			}
		case 2:
			n := int64(r.IntN(120) + 1)
			if err = c.call(callWithdraw, owner, owner.text(), n); n > pot-due {
				want = codeUnfunded
			} else {
				pot, withdrawn = pot-n, withdrawn+n
			}
		default:
			name := fmt.Sprint("a", step)
			c.mustRead(name, 60*step, 2*one)
			err = c.call(callClose, technician, name+"#1", "confirmed")
			if pot >= 70 {
				pot, paid = pot-70, paid+70
			} else {
				due += 70
			}
		}
		refused(t, fmt.Sprint("step ", step), err, want)
		refusals[want]++
		if got := c.bank.Balance("EUR", c.Address); got != pot || got+c.bank.Balance("EUR", producer)+c.bank.Balance("EUR", owner) != minted {
			t.Fatalf("step %d: the pot has %d, want %d", step, got, pot)
		}
		equal(t, c.ask(queryDue, producer.text()), fmt.Sprintf(`{"producer":"%s","asset":"EUR","due":%d}`, producer.text(), due))
	}
	if c.bank.Balance("EUR", producer) != paid || c.bank.Balance("EUR", owner) != withdrawn {
		t.Errorf("%d were paid and %d withdrawn", paid, withdrawn)
	}
	if t.Log(refusals, paid, due); refusals[codeUnfunded] < 10 || refusals[codeNotFound] < 10 {
		t.Error("the test is blind")
	}
}

// Both built contracts on the real bank: a confirmed order pays its producer at
// once, by an entry whose cause is the confirmation; an empty pot makes it due.
func TestRewardsOnTheLedger(t *testing.T) {
	for _, name := range []string{"maintenance", "maintenance-rust"} {
		t.Run(name, func(t *testing.T) {
			technician, producer := contracttest.Address("bob").String(), contracttest.Address("producer").String()
			l := contracttest.Deploy(t, name, contracttest.Args{
				"technician": technician, "threshold": "above", "thresholdOn": 80, "reward": 250, "rewardAsset": "EUR"})
			l.Issue("EUR", 400, "alice")
			l.Token("alice", protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: l.Address(), Amount: 400})
			confirm := func(asset string) *contracttest.Result {
				l.Event("machine.reading.v1", asset, `{"value":81}`)
				return l.Event("maintenance.order.close.v1", "", fmt.Sprintf(`{"order":"%s#1","outcome":"confirmed"}`, asset), contracttest.From("bob"))
			}
			first := confirm("pump")
			first.WantEmitted("maintenance.reward.paid.v1", `{"order":"pump#1","amount":250}`)
			l.WantBalance("producer", "EUR", 250)
			moves := l.Movements(first.Index)
			if len(moves) != 1 || moves[0].Kind != protocol.TokenTransfer || moves[0].Cause != first.Index || moves[0].From != l.Address() {
				t.Errorf("%+v", moves)
			}
			confirm("fan").WantEmitted("maintenance.reward.due.v1", `{"order":"fan#1","amount":250}`)
			l.Call("carol", "settle", contracttest.Args{"producer": producer}).Refused(codeUnfunded)
			l.Token("author", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: l.Address(), Amount: 150})
			l.Call("author", "withdraw", contracttest.Args{"to": technician, "amount": 51}).Refused(codeUnfunded)
			l.Call("author", "withdraw", contracttest.Args{"to": technician, "amount": 50})
			l.Call("carol", "settle", contracttest.Args{"producer": producer}).WantEmitted("maintenance.reward.settled.v1", fmt.Sprintf(`{"producer":%q,"amount":250}`, producer))
			l.WantBalance("producer", "EUR", 500)
			l.Want("stats", nil, `{"rewards":{"accrued":500,"paid":500,"due":0}}`)
		})
	}
}
