package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// deliveryGas is what a ledger allows one delivery by default.
const deliveryGas = 20_000_000

// onLedger deploys the built contract: alice is the shop and the clock, bob
// the warehouse, carol the carrier, and the producer the customer.
func onLedger(t *testing.T) *contracttest.Contract {
	l := contracttest.Found(t, contracttest.Options{})
	addresses := map[string][]byte{}
	for _, a := range l.Sim().Genesis().Accounts {
		addresses[a.Name] = a.Address[:]
	}
	l.Issue("EUR", maxAmount, "producer")
	return l.Deploy("saga", contracttest.Args{
		"shop": addresses["alice"], "clock": addresses["alice"], "warehouse": addresses["bob"],
		"carrier": addresses["carol"], "asset": "EUR",
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
	payer := contracttest.Address(account)
	return fmt.Sprintf(`{"account":%q,"mayWait":%v,"lineCount":%d,"totalMinor":%d,"lines":{%s}}`,
		base64.StdEncoding.EncodeToString(payer[:]), mayWait, len(items), total, strings.Join(lines, ","))
}

// The built contract on the real ledger: the manifest's paths, the sources,
// the causes, and what is refused.
func TestOnTheLedger(t *testing.T) {
	l := onLedger(t)
	l.Event("stock.received.v1", "bolt", `{"quantity": 2, "reference": "s1"}`, contracttest.From("bob"))
	customer := contracttest.Address("producer")
	ready := fmt.Sprintf(`{"account":%q}`, base64.StdEncoding.EncodeToString(customer[:]))
	two := ordered("producer", true, item{"bolt", 2, 150}, item{"nut", 3, 7})
	l.Event("order.placed.v1", "o1", two).Refused(codeNotAllowed)
	l.Event("order.placed.v1", "o1", two, contracttest.From("alice")).WantEmitted("payment.refused.v1", `{"order": "o1", "code": 237}`)
	l.Allow("producer", "EUR", 1_000)
	placed := l.Event("payment.ready.v1", "", ready, contracttest.From("producer"))
	placed.WantEmitted("order.status.v1", `{"status": "held", "by": "hold"}`)
	l.WantBalance("producer", "EUR", maxAmount-321)
	l.Want("order", contracttest.Args{"order": "o1"}, `{"status": "held", "waitsFor": "nut", "totalMinor": 321}`)
	l.Event("shipment.dispatched.v1", "o1", `{}`, contracttest.From("carol")).Refused(codeOutOfOrder)
	came := l.Event("stock.received.v1", "nut", `{"quantity": 9, "reference": "s2"}`, contracttest.From("bob"))
	reserved := came.WantEmitted("stock.reserved.v1", fmt.Sprintf(`{"order": "o1", "cause": %d}`, came.Index))
	if len(reserved) == 1 && reserved[0].Cause != came.Index {
		t.Errorf("the reservation's cause is entry %d, not the receipt %d", reserved[0].Cause, came.Index)
	}
	sent := l.Event("shipment.dispatched.v1", "o1", `{}`, contracttest.From("carol"))
	sent.WantEmitted("payment.captured.v1", fmt.Sprintf(`{"account": "%x", "amountMinor": 321}`, customer[:]))
	l.Event("order.cancelled.v1", "o1", `{}`, contracttest.From("alice")).Refused(codeOutOfOrder)
	lost := l.Event("shipment.failed.v1", "o1", `{"returned": false}`, contracttest.From("carol"))
	lost.WantEmitted("order.compensated.v1", `{"by": "lose", "undone": ["capture", "reserve"]}`)
	l.WantBalance("producer", "EUR", maxAmount)
	moves := l.Movements(placed.Index)
	if len(moves) != 3 || moves[0].Kind != protocol.TokenHold || moves[0].Cause != placed.Index ||
		moves[1].Kind != protocol.TokenRelease || moves[1].Cause != sent.Index || moves[1].To != l.Address() ||
		moves[2].Kind != protocol.TokenTransfer || moves[2].Cause != lost.Index || moves[2].To != customer {
		t.Errorf("%+v", moves)
	}
	l.Want("stock", contracttest.Args{"article": "nut"}, `{"received": 9, "available": 6, "reserved": 0, "shipped": 0, "lost": 3}`)
	t.Logf("gas: placing two lines %d, dispatch %d, compensation after dispatch %d", placed.Gas(), sent.Gas(), lost.Gas())
	contracttest.RefuseDeploy(t, "saga", contracttest.Args{"waitSeconds": 0, "asset": "EUR"}, codeBadParameters)
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
		l.Event("order.placed.v1", long(i), ordered("producer", true, items...), contracttest.From("alice"))
	}
	l.Allow("producer", "EUR", maxAmount)
	customer := contracttest.Address("producer")
	woken := l.Event("payment.ready.v1", "", fmt.Sprintf(`{"account":%q}`, base64.StdEncoding.EncodeToString(customer[:])))
	for i := range maxWaiting {
		l.Event("shipment.dispatched.v1", long(i), `{}`, contracttest.From("carol"))
	}
	l.Advance((transDefault + 1) * 1e9)
	ended := l.Event("order.clock.v1", "", `{}`, contracttest.From("alice"))
	if a, b := len(woken.Emitted("stock.reserved.v1")), len(ended.Emitted("order.compensated.v1")); a != maxWaiting || b != maxWaiting {
		t.Errorf("%d orders went on and %d ended", a, b)
	}
	t.Logf("gas: waking %d orders %d, ending them %d", maxWaiting, woken.Gas(), ended.Gas())
	if woken.Gas() > deliveryGas*6/10 || ended.Gas() > deliveryGas*6/10 {
		t.Errorf("%d and %d gas: more than six tenths of a delivery's", woken.Gas(), ended.Gas())
	}
}
