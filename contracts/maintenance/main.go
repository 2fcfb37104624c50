// Maintenance is a contract that turns readings of machines into work orders.
// Each asset has up to three triggers: a threshold with hysteresis, the
// crossing of a moving average, and a rate of change. The reading that sets
// one off opens an order; a technician confirms it or calls it a false alarm;
// a confirmed order earns the reading's producer a reward. README.md has the
// rules; contracts/maintenance-rust is the same contract in Rust.
package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Codes of refused deliveries. README.md explains each.
const (
	codeLateReading   = 1  // LATE_READING
	codeBadReading    = 2  // BAD_READING
	codeBadAsset      = 3  // BAD_ASSET
	codeBadParameters = 4  // BAD_PARAMETERS
	codeFutureReading = 5  // FUTURE_READING
	codeNotAllowed    = 6  // NOT_ALLOWED
	codeNotFound      = 7  // NOT_FOUND
	codeBadState      = 8  // BAD_STATE
	codeNotOpen       = 9  // NOT_OPEN
	codeBadOutcome    = 10 // BAD_OUTCOME
	codeOwnOrder      = 11 // OWN_ORDER
	codeRewardLimit   = 12 // REWARD_LIMIT
	codeOtherPlaces   = 13 // OTHER_PLACES
	codeBadAddress    = 14 // BAD_ADDRESS
	codeBadOrder      = 15 // BAD_ORDER
	codeUnfunded      = 16 // UNFUNDED
)

// Decimal places of the two kinds of readings. Levels have coarsePlaces.
const (
	coarsePlaces = 9
	finePlaces   = 16
)

const maxAssetBytes = 64

// maxValue bounds a reading's scaled value, so that the difference of two
// fits an int64.
const maxValue = 1<<62 - 1

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnInit(setUp)
	sdk.OnEvent("machine.reading.v1", func(e *sdk.Event) { reading(e, e.Subject, e.Int(), coarsePlaces) })
	sdk.OnEvent("machine.reading.fine.v1", func(e *sdk.Event) { reading(e, e.Subject, e.Int(), finePlaces) })
	sdk.OnEvent("maintenance.order.close.v1", closeByEvent)
	sdk.OnEvent("machine.prediction.v1", prediction)
	sdk.OnCall("configure", configure)
	sdk.OnCall("technician", setTechnician)
	sdk.OnCall("close", closeByCall)
	sdk.OnCall("settle", settle)
	sdk.OnCall("withdraw", withdraw)
	sdk.OnQuery("order", queryOrder)
	sdk.OnQuery("orders", queryOrders)
	sdk.OnQuery("asset", queryAsset)
	sdk.OnQuery("stats", queryStats)
	sdk.OnQuery("rewards", queryRewards)
}

func main() {}

// reading takes one measurement of an asset. One that changes nothing about
// an order costs the asset's read and write and the reads of its parameters.
func reading(e *sdk.Event, asset []byte, value int64, places uint8) {
	checkAsset(asset)
	if value > maxValue || value < -maxValue {
		sdk.Abort(codeBadReading, "BAD_READING: the scaled value is 2^62 or more")
	}
	at := e.TimeNs()
	a := load(asset)
	if a.has(at) {
		return // a reading that was taken already, once more
	}
	if a.readings > 0 && at < a.lastNs() {
		sdk.Abort(codeLateReading, "LATE_READING: a later reading of this asset was taken already")
	}
	p := parametersOf(asset)
	if !p.producer.isZero() && p.producer != e.Origin {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: readings of this asset come from another producer")
	}
	if p.maxAheadMs > 0 && sdk.Seconds(at)*1000 > int64(e.TimeMs+p.maxAheadMs) {
		sdk.Abort(codeFutureReading, "FUTURE_READING: the reading's time is too far ahead of the block's")
	}
	if a.readings > 0 && places != a.places {
		sdk.Abort(codeOtherPlaces, "OTHER_PLACES: the asset's readings have another number of decimal places")
	}
	a.places = places
	m := a.measure(&p, value, at)
	rising := a.judge(&p, &m)
	a.take(e.Index, &m, at)
	a.order(e, &p, &m, rising)
	a.save()
}

func checkAsset(name []byte) {
	if len(name) == 0 || len(name) > maxAssetBytes {
		sdk.Abort(codeBadAsset, "BAD_ASSET: an asset's name has 1 to 64 bytes")
	}
}
