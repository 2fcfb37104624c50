package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// deliveryGas is what a ledger allows one delivery by default.
const deliveryGas = 20_000_000

// onLedger deploys the built contract: alice is the shop and the clock, bob
// the warehouse, carol the carrier, and the producer takes the payments.
func onLedger(t *testing.T) *contracttest.Contract {
	l := contracttest.Found(t, contracttest.Options{})
	addresses := map[string][]byte{}
	for _, a := range l.Sim().Genesis().Accounts {
		addresses[a.Name] = a.Address[:]
	}
	return l.Deploy("saga", contracttest.Args{
		"shop": addresses["alice"], "clock": addresses["alice"], "warehouse": addresses["bob"],
		"carrier": addresses["carol"], "payments": addresses["producer"],
	})
}

// ordered is an order's data.
func ordered(account string, mayWait bool, items ...item) string {
	var lines []string
	total := uint64(0)
	for i, it := range items {
		lines = append(lines, fmt.Sprintf(`"%d":{"article":%q,"quantity":%d,"priceMinor":%d}`, i+1, it.article, it.quantity, it.price))
		total += it.quantity * it.price
	}
	return fmt.Sprintf(`{"account":%q,"mayWait":%v,"lineCount":%d,"totalMinor":%d,"lines":{%s}}`,
		account, mayWait, len(items), total, strings.Join(lines, ","))
}

// The built contract on the real ledger: the manifest's paths, the sources,
// the causes, and what is refused.
func TestOnTheLedger(t *testing.T) {
	l := onLedger(t)
	l.Event("payment.topup.v1", "ann", `{"amountMinor": 1000, "reference": "p1"}`)
	l.Event("payment.topup.v1", "ann", `{"amountMinor": 1e3, "reference": "p1"}`)
	l.Event("stock.received.v1", "bolt", `{"quantity": 2, "reference": "s1"}`, contracttest.From("bob"))
	two := ordered("ann", true, item{"bolt", 2, 150}, item{"nut", 3, 7})
	l.Event("order.placed.v1", "o1", two).Refused(codeNotAllowed)
	placed := l.Event("order.placed.v1", "o1", two, contracttest.From("alice"))
	placed.WantEmitted("order.status.v1", `{"status": "placed"}`, `{"status": "held", "by": "hold"}`)
	l.Want("order", contracttest.Args{"order": "o1"}, `{"status": "held", "waitsFor": "nut", "totalMinor": 321}`)
	l.Event("shipment.dispatched.v1", "o1", `{}`, contracttest.From("carol")).Refused(codeOutOfOrder)
	came := l.Event("stock.received.v1", "nut", `{"quantity": 9, "reference": "s2"}`, contracttest.From("bob"))
	reserved := came.WantEmitted("stock.reserved.v1", fmt.Sprintf(`{"order": "o1", "cause": %d}`, came.Index))
	if len(reserved) == 1 && reserved[0].Cause != came.Index {
		t.Errorf("the reservation's cause is entry %d, not the receipt %d", reserved[0].Cause, came.Index)
	}
	sent := l.Event("shipment.dispatched.v1", "o1", `{}`, contracttest.From("carol"))
	sent.WantEmitted("payment.captured.v1", `{"account": "ann", "amountMinor": 321}`)
	l.Event("order.cancelled.v1", "o1", `{}`, contracttest.From("alice")).Refused(codeOutOfOrder)
	lost := l.Event("shipment.failed.v1", "o1", `{"returned": false}`, contracttest.From("carol"))
	lost.WantEmitted("order.compensated.v1", `{"by": "lose", "undone": ["capture", "reserve", "hold"]}`)
	l.Want("account", contracttest.Args{"account": "ann"}, `{"balanceMinor": 1000, "heldMinor": 0, "capturedMinor": 0}`)
	l.Want("stock", contracttest.Args{"article": "nut"}, `{"received": 9, "available": 6, "reserved": 0, "shipped": 0, "lost": 3}`)
	t.Logf("gas: placing two lines %d, dispatch %d, compensation after dispatch %d", placed.Gas(), sent.Gas(), lost.Gas())
	l.Both()
	contracttest.RefuseDeploy(t, "saga", contracttest.Args{"waitSeconds": 0}, codeBadParameters)
}

// The longest deliveries that the bounds allow stay within a delivery's gas,
// so no bound can make an event fail for good: a full queue of whole orders
// that all go on, and a tick that ends as many shipped ones.
func TestLongestDeliveries(t *testing.T) {
	l := onLedger(t)
	long := func(n int) string { return strings.Repeat("x", maxName-2) + fmt.Sprintf("%02d", n) }
	var items []item
	for i := range maxLines {
		items = append(items, item{long(i), maxQuantity, 1_000_000})
		data := fmt.Sprintf(`{"quantity": %d, "reference": "s%d"}`, maxQuantity*maxWaiting, i)
		l.Event("stock.received.v1", long(i), data, contracttest.From("bob"))
	}
	for i := range maxWaiting {
		l.Event("order.placed.v1", long(i), ordered(long(0), true, items...), contracttest.From("alice"))
	}
	woken := l.Event("payment.topup.v1", long(0), fmt.Sprintf(`{"amountMinor": %d, "reference": "p"}`, uint64(maxAmount)))
	for i := range maxWaiting {
		l.Event("shipment.dispatched.v1", long(i), `{}`, contracttest.From("carol"))
	}
	l.Advance((transDefault + 1) * 1e9)
	ended := l.Event("order.clock.v1", "", `{}`, contracttest.From("alice"))
	if a, b := len(woken.Emitted("stock.reserved.v1")), len(ended.Emitted("order.compensated.v1")); a != maxWaiting || b != maxWaiting {
		t.Errorf("%d orders went on and %d ended", a, b)
	}
	t.Logf("gas: waking %d orders %d, ending them %d", maxWaiting, woken.Gas(), ended.Gas())
	if woken.Gas() > deliveryGas/2 || ended.Gas() > deliveryGas/2 {
		t.Errorf("%d and %d gas: more than half of a delivery's", woken.Gas(), ended.Gas())
	}
}
