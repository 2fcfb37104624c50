// Saga is a contract that carries an order through payment, stock and
// shipment, and takes everything back in reverse order when a step fails: no
// customer stays charged for what is not in stock. README.md has the table of
// states; machine.go is that table.
package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Codes of refused deliveries. README.md explains each.
const (
	codeNotAllowed    = 1  // NOT_ALLOWED
	codeNotOwner      = 2  // NOT_OWNER
	codeBadParameters = 3  // BAD_PARAMETERS
	codeBadName       = 4  // BAD_NAME
	codeBadTime       = 5  // BAD_TIME
	codeBadAmount     = 6  // BAD_AMOUNT
	codeBadOrder      = 7  // BAD_ORDER
	codeOrderExists   = 8  // ORDER_EXISTS
	codeUnknownOrder  = 9  // UNKNOWN_ORDER
	codeOutOfOrder    = 10 // OUT_OF_ORDER
	codeEnded         = 11 // ENDED
	codeNotDue        = 12 // NOT_DUE
	codeReferenceUsed = 13 // REFERENCE_USED
	codeLimit         = 14 // LIMIT
	codeNotFound      = 15 // NOT_FOUND
	codeBadState      = 16 // BAD_STATE
	codeUnfunded      = 17 // UNFUNDED
	codeBankRefused   = 18 // BANK_REFUSED
	codeBadAccount    = 19 // BAD_ACCOUNT
)

// Bounds of what events and arguments may say.
const (
	maxName      = 64        // bytes of an order's, article's or reference's name
	maxLines     = 8         // of an order
	maxAmount    = 1<<53 - 1 // minor units, and pieces: exact in every reader of JSON
	maxQuantity  = 1_000_000 // of one line
	maxWaiting   = 16        // orders in one queue for funds or an article
	maxDue       = 16        // orders that one tick of the clock ends
	maxAheadSec  = 3600      // an event's time after its block's
	maxSpanSec   = 366 * 86400
	maxTimeNs    = 1 << 62 // of an event: the year 2116
	nanosPerSec  = 1_000_000_000
	waitDefault  = 86400
	transDefault = 14 * 86400
)

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnInit(configure)
	sdk.OnEvent("order.placed.v1", orderPlaced)
	sdk.OnEvent("order.cancelled.v1", orderCancelled)
	sdk.OnEvent("order.retry.v1", orderRetry)
	sdk.OnEvent("payment.ready.v1", paymentReady)
	sdk.OnEvent("stock.received.v1", stockReceived)
	sdk.OnEvent("shipment.dispatched.v1", shipmentDispatched)
	sdk.OnEvent("shipment.delivered.v1", shipmentDelivered)
	sdk.OnEvent("shipment.failed.v1", shipmentFailed)
	sdk.OnEvent("order.expire.v1", orderExpire)
	sdk.OnEvent("order.clock.v1", orderClock)
	sdk.OnCall("allow", callAllow)
	sdk.OnCall("revoke", callRevoke)
	sdk.OnCall("payOut", payOut)
	sdk.OnQuery("order", queryOrder)
	sdk.OnQuery("stock", queryStock)
	sdk.OnQuery("totals", queryTotals)
	sdk.OnQuery("allowed", queryAllowed)
}

func main() {}

// orderPlaced starts an order, and takes it as far as funds and stock allow.
func orderPlaced(e *sdk.Event) {
	admit(e, roleShop)
	terms := readTerms(e)
	if old := find(e.Subject); old != nil {
		if string(old.terms.encode()) == string(terms.encode()) {
			return // the order, once more
		}
		sdk.Abort(codeOrderExists, "ORDER_EXISTS: another order has this name")
	}
	o := newOrder(e, terms)
	o.fire(e, place)
	o.advance(e)
	o.save()
}

func orderCancelled(e *sdk.Event) {
	admit(e, roleShop)
	step(e, cancel)
}

// orderRetry tries a waiting order again, for what a compensation freed.
func orderRetry(e *sdk.Event) {
	admit(e, roleShop)
	o := mustFind(e.Subject)
	o.resume(e)
	o.save()
}

// stockReceived adds pieces of an article, and resumes what waits for it.
func stockReceived(e *sdk.Event) {
	admit(e, roleWarehouse)
	checkName(e.Subject)
	quantity, reference := e.Uint(), e.Bytes()
	if once(e, reference, quantity) {
		receive(e.Subject, quantity)
		wake(e, queueKey(forStock, e.Subject))
	}
}

func shipmentDispatched(e *sdk.Event) {
	admit(e, roleCarrier)
	step(e, dispatch)
}

func shipmentDelivered(e *sdk.Event) {
	admit(e, roleCarrier)
	step(e, deliver)
}

// shipmentFailed says whether goods that were under way came back.
func shipmentFailed(e *sdk.Event) {
	admit(e, roleCarrier)
	if e.Bool() {
		step(e, fail)
	} else {
		step(e, lose)
	}
}

// step fires what an event says has happened to an order. What happened once
// is ignored the second time.
func step(e *sdk.Event, by trigger) {
	o := mustFind(e.Subject)
	if o.happened(by) {
		return
	}
	o.fire(e, by)
	o.save()
}

// orderExpire ends one order whose deadline has passed.
func orderExpire(e *sdk.Event) {
	admit(e, roleClock)
	o := mustFind(e.Subject)
	if o.state.ended() {
		return
	}
	if e.TimeNs() < o.deadline {
		sdk.Abort(codeNotDue, "NOT_DUE: the order's deadline is later than this event")
	}
	o.fire(e, expire)
	o.save()
}

// orderClock ends the orders whose deadlines have passed, the earliest first.
func orderClock(e *sdk.Event) {
	admit(e, roleClock)
	now := e.TimeNs()
	for _, id := range dueBy(now) {
		o := mustFind(id)
		o.fire(e, expire)
		o.save()
	}
}

// once says whether a receipt is new. Its reference tells a repeat
// from a second one of the same amount, whatever the event is called.
func once(e *sdk.Event, reference []byte, amount uint64) bool {
	checkName(reference)
	if amount == 0 || amount > maxAmount {
		sdk.Abort(codeBadAmount, "BAD_AMOUNT: an amount is 1 to 2^53-1")
	}
	said := append(number(nil, amount), e.Subject...)
	key := append(append([]byte{}, e.Type...), 0)
	key = append(key, reference...)
	if before, found := references.Get(key); found {
		if string(before) != string(said) {
			sdk.Abort(codeReferenceUsed, "REFERENCE_USED: the reference was used for something else")
		}
		return false
	}
	references.Set(key, said)
	return true
}

// references maps an event type and a reference to what it was used for.
var references = sdk.NewMap("r")

// checkName aborts unless text can name an order, article or reference.
func checkName(text []byte) {
	if len(text) == 0 || len(text) > maxName {
		sdk.Abort(codeBadName, "BAD_NAME: a name has 1 to 64 bytes")
	}
}
