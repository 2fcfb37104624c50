package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Orders by asset and number (u32, big endian, so that an asset's come in
// their order). A name's length follows from the key's, so no two orders share one.
var (
	openOrders   = sdk.NewMap("o")
	closedOrders = sdk.NewMap("c")
)

// How many orders there are, over all assets.
var (
	ordersOpened    = sdk.NewCounter("opened")
	ordersEscalated = sdk.NewCounter("escalated")
	ordersConfirmed = sdk.NewCounter("confirmed")
	ordersFalsified = sdk.NewCounter("falsified")
)

// orderBytes is the size of a stored order:
//
//	 0  format   u8, 1
//	 1  flags    u8, bit 0 escalated, 1 closed, 2 confirmed, 3 there is a rate
//	 2  places   u8
//	 3  triggers u8
//	 4  measures 3 x i64            28  reading   u64
//	36  atNs     i64                44  producer  20 bytes
//	64  attached u32                68  reward    u64
//	76  escalatedReading u64        84  closedMs  u64
//	92  technician 20 bytes
//
// all little-endian.
const orderBytes = 112

// order asks a technician to look at an asset.
type order struct {
	key []byte // asset and number

	places   uint8
	triggers uint8    // that opened it or were attached, one bit each
	measures measures // of the reading that opened it, as the next three
	reading  uint64
	atNs     int64
	producer address
	reward   uint64 // if confirmed; what was configured when it opened
	attached uint32 // triggers that came while it was open

	escalated        bool
	escalatedReading uint64

	closed, confirmed bool
	closedMs          uint64 // block time
	technician        address
}

// orderKey is the key of an asset's order.
func orderKey(asset []byte, number uint32) []byte {
	key := append(make([]byte, 0, len(asset)+4), asset...)
	return append(key, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
}

func (o *order) asset() []byte { return o.key[:len(o.key)-4] }

// id is the order's name, such as pump#3.
func (o *order) id() []byte {
	n := o.key[len(o.key)-4:]
	number := uint64(n[0])<<24 | uint64(n[1])<<16 | uint64(n[2])<<8 | uint64(n[3])
	id := append(make([]byte, 0, len(o.key)+8), o.asset()...)
	return sdk.AppendUint(append(id, '#'), number)
}

// parseID answers the key of an order's name.
func parseID(id []byte) (key []byte, ok bool) {
	at := len(id) - 1
	for at > 0 && id[at] != '#' {
		at--
	}
	digits := len(id) - 1 - at
	if at <= 0 || at > maxAssetBytes || digits == 0 || digits > 10 || id[at+1] == '0' {
		return nil, false
	}
	number := uint64(0)
	for _, c := range id[at+1:] {
		if c < '0' || c > '9' {
			return nil, false
		}
		number = number*10 + uint64(c-'0')
	}
	return orderKey(id[:at], uint32(number)), number <= 1<<32-1
}

func badOrder() {
	sdk.Abort(codeBadOrder, "BAD_ORDER: an order's name is the asset's, # and a number")
}

// loadOrder reads an order; there is one under the key.
func loadOrder(m sdk.Map, key []byte) (o *order, found bool) {
	var r [orderBytes]byte
	size, found := m.GetInto(key, r[:])
	if !found {
		return nil, false
	}
	return decodeOrder(key, r[:], size), true
}

func decodeOrder(key, r []byte, size int) *order {
	if size != orderBytes || r[0] != 1 || len(key) < 5 {
		sdk.Abort(codeBadState, "BAD_STATE: a stored order is malformed")
	}
	o := &order{
		key: key, places: r[2], triggers: r[3],
		escalated: r[1]&1 != 0, closed: r[1]&2 != 0, confirmed: r[1]&4 != 0,
		reading: sdk.U64(r[28:]), atNs: int64(sdk.U64(r[36:])), producer: address(r[44:64]),
		attached: sdk.U32(r[64:]), reward: sdk.U64(r[68:]),
		escalatedReading: sdk.U64(r[76:]), closedMs: sdk.U64(r[84:]), technician: address(r[92:112]),
	}
	o.measures.hasRate = r[1]&8 != 0
	for i := range o.measures.of {
		o.measures.of[i] = int64(sdk.U64(r[4+8*i:]))
	}
	return o
}

// save stores the order among the open or the closed ones.
func (o *order) save() {
	var r [orderBytes]byte
	r[0], r[2], r[3] = 1, o.places, o.triggers
	for i, flag := range [...]bool{o.escalated, o.closed, o.confirmed, o.measures.hasRate} {
		if flag {
			r[1] |= 1 << i
		}
	}
	for i, v := range o.measures.of {
		sdk.PutU64(r[4+8*i:], uint64(v))
	}
	sdk.PutU64(r[28:], o.reading)
	sdk.PutU64(r[36:], uint64(o.atNs))
	copy(r[44:], o.producer[:])
	sdk.PutU32(r[64:], o.attached)
	sdk.PutU64(r[68:], o.reward)
	sdk.PutU64(r[76:], o.escalatedReading)
	sdk.PutU64(r[84:], o.closedMs)
	copy(r[92:], o.technician[:])
	if o.closed {
		closedOrders.Set(o.key, r[:])
	} else {
		openOrders.Set(o.key, r[:])
	}
}

// order does what a judged reading asks of the asset's order: opens one or
// attaches to it when triggers rose, and escalates it when they held too long.
func (a *asset) order(e *sdk.Event, p *parameters, m *measures, rising uint8) {
	escalate := a.isOpen || rising != 0
	escalate = escalate && !a.urgent && a.active != 0 &&
		(p.escalateMs > 0 && a.heldNs() >= p.escalateMs*1_000_000 ||
			p.escalateReadings > 0 && a.held >= p.escalateReadings)
	if rising == 0 && !escalate {
		return
	}
	var o *order
	if a.isOpen {
		o = a.currentOrder()
		if rising != 0 {
			o.attach(rising)
		}
	} else {
		o = a.open(e, p, m, rising)
	}
	if escalate {
		a.escalate(o, e, m)
	}
	o.save()
}

// currentOrder reads the asset's open order.
func (a *asset) currentOrder() *order {
	o, found := loadOrder(openOrders, orderKey(a.name, a.opened))
	if !found {
		sdk.Abort(codeBadState, "BAD_STATE: the asset's open order is missing")
	}
	return o
}

// attach adds triggers that rose while the order was open.
func (o *order) attach(rising uint8) {
	o.triggers |= rising
	for ; rising != 0; rising &= rising - 1 {
		o.attached++
	}
}

// open makes the asset's next order and emits it. The reading is its cause.
func (a *asset) open(e *sdk.Event, p *parameters, m *measures, rising uint8) *order {
	a.opened++
	a.isOpen, a.urgent = true, false
	ordersOpened.Add(1)
	o := &order{
		key: orderKey(a.name, a.opened), places: a.places, triggers: rising, measures: *m,
		reading: e.Index, atNs: a.lastNs(), producer: e.Origin, reward: p.reward,
	}
	var w sdk.JSON
	o.begin(&w)
	w.Key("triggers")
	names(&w, rising)
	m.values(&w, o.places)
	w.Key("reading").Uint(e.Index)
	w.Key("observedMs").Int(milliseconds(o.atNs))
	w.Key("producer")
	o.producer.write(&w)
	o.emit("maintenance.order.opened.v1", &w)
	return o
}

// escalate marks the order and emits that the triggers still hold.
func (a *asset) escalate(o *order, e *sdk.Event, m *measures) {
	a.urgent = true
	o.escalated, o.escalatedReading = true, e.Index
	ordersEscalated.Add(1)
	var w sdk.JSON
	o.begin(&w)
	w.Key("triggers")
	names(&w, a.active)
	m.values(&w, o.places)
	w.Key("reading").Uint(e.Index)
	w.Key("observedMs").Int(milliseconds(a.lastNs()))
	w.Key("openedBy").Uint(o.reading)
	w.Key("heldMs").Uint(a.heldNs() / 1_000_000)
	w.Key("heldReadings").Uint(a.held)
	o.emit("maintenance.order.escalated.v1", &w)
}

// begin writes the members that every event of an order has first.
func (o *order) begin(w *sdk.JSON) {
	w.Object().Key("order").Text(o.id())
	w.Key("asset").Text(o.asset())
}

func (o *order) emit(eventType string, w *sdk.JSON) {
	w.EndObject()
	sdk.Emit(eventType, o.asset(), w.Bytes())
}

// milliseconds rounds down, before 1970 too.
func milliseconds(ns int64) int64 {
	sec := sdk.Seconds(ns)
	return sec*1000 + (ns-sec*1_000_000_000)/1_000_000
}
