package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// meters maps a meter's name to its record.
var meters = sdk.NewMap("m")

// Sizes of a stored meter's parts. Buffers are no larger than they must be:
// clearing them is paid for.
const (
	meterBytes = 2 + 3 + clockBytes + 4
	openBytes  = 4 + 8 + 8 + 8 + 2
	sumBytes   = 8 + 8 + 8 + 2
)

// sum is what some readings of a period add up to. Between first and last lie
// no other readings of the same meter and band than these, refused and
// repeated ones aside: that is why two indices name them all.
type sum struct {
	quantity    uint64
	first, last uint64 // indices of log entries
	readings    uint16 // a month has 44,640 minutes
}

// meter is a meter's registration and its open period, in one record, so that
// a reading costs one read and one write. The period has a copy of the tariff
// it is billed under.
type meter struct {
	name    []byte
	account []byte
	wanted  []byte // the tariff of the next period
	origin  []byte // the only signer of its readings; empty: anyone
	payment        // by whose allowance it is paid, if by one
	clock   clock

	closed       bool // at least one period was; the last was:
	closedPeriod int32

	open     bool
	period   int32
	seen     slots
	sums     []sum  // one a band of the tariff
	peak     uint64 // the highest quantity of an interval, and its
	peakAt   uint64 // log entry and
	peakSlot uint16 // slot
	charged  uint64 // minor units debited for this period
	terms    terms
}

// Flags of a stored meter.
const (
	flagPrepaid = 1 << iota
	flagClosed
	flagOpen
	flagCollects
	flagUnpaid
	flagLow
	flagCut
	flagEmpty
)

const meterFormat = 1

// loadMeter reads a meter's record, if it has one.
func loadMeter(name []byte) (m *meter, known bool) {
	checkName(name)
	record, found := meters.Get(name)
	if !found {
		return &meter{name: name}, false
	}
	return decodeMeter(name, record), true
}

func decodeMeter(name, record []byte) *meter {
	r := unpacker{b: record}
	if r.u8() != meterFormat {
		r.bad = true
	}
	flags := r.u8()
	m := &meter{
		name: name, account: r.run(), wanted: r.run(), origin: r.run(), clock: unpackClock(&r),
		closed: flags&flagClosed != 0, open: flags&flagOpen != 0,
		closedPeriod: int32(r.u32()),
	}
	if flags&flagCollects != 0 {
		m.unpack(&r, flags)
	}
	if m.open {
		b := r.raw(openBytes)
		m.period, m.charged = int32(sdk.U32(b)), sdk.U64(b[4:])
		m.peak, m.peakAt, m.peakSlot = sdk.U64(b[12:]), sdk.U64(b[20:]), uint16(b[28])|uint16(b[29])<<8
		m.seen = unpackSlots(&r)
		m.terms = r.raw(int(r.u16()))
		m.sums = make([]sum, r.count(maxBands))
		for i := range m.sums {
			b := r.raw(sumBytes)
			m.sums[i] = sum{sdk.U64(b), sdk.U64(b[8:]), sdk.U64(b[16:]), uint16(b[24]) | uint16(b[25])<<8}
		}
	}
	r.finish()
	return m
}

func (m *meter) save() {
	size := meterBytes + len(m.account) + len(m.wanted) + len(m.origin)
	if m.collects() {
		size += m.payment.bytes()
	}
	if m.open {
		size += openBytes + m.seen.bytes() + 2 + len(m.terms) + 1 + len(m.sums)*sumBytes
	}
	w := newPacker(size)
	flags := m.payment.flags()
	if m.closed {
		flags |= flagClosed
	}
	if m.open {
		flags |= flagOpen
	}
	w.u8(meterFormat)
	w.u8(flags)
	w.run(m.account)
	w.run(m.wanted)
	w.run(m.origin)
	m.clock.pack(&w)
	w.u32(uint32(m.closedPeriod))
	if m.collects() {
		m.payment.pack(&w)
	}
	if m.open {
		b := w.next(openBytes)
		sdk.PutU32(b, uint32(m.period))
		sdk.PutU64(b[4:], m.charged)
		sdk.PutU64(b[12:], m.peak)
		sdk.PutU64(b[20:], m.peakAt)
		b[28], b[29] = byte(m.peakSlot), byte(m.peakSlot>>8)
		m.seen.pack(&w)
		w.u16(uint16(len(m.terms)))
		w.raw(m.terms)
		w.u8(uint8(len(m.sums)))
		for i := range m.sums {
			s := &m.sums[i]
			b := w.next(sumBytes)
			sdk.PutU64(b, s.quantity)
			sdk.PutU64(b[8:], s.first)
			sdk.PutU64(b[16:], s.last)
			b[24], b[25] = byte(s.readings), byte(s.readings>>8)
		}
	}
	meters.Set(m.name, w.bytes())
}

// begin opens a period.
func (m *meter) begin(period int32, t *tariff) {
	m.open, m.period, m.terms = true, period, t.pack()
	m.seen, m.sums = slots{}, make([]sum, len(t.bands))
	m.peak, m.peakAt, m.peakSlot, m.charged = 0, 0, 0, 0
}

// add counts a reading into the open period.
func (m *meter) add(band int, quantity, index uint64, slot uint16) {
	if m.total().readings == 0 || quantity > m.peak {
		m.peak, m.peakAt, m.peakSlot = quantity, index, slot
	}
	s := &m.sums[band]
	if s.readings == 0 {
		s.first = index
	}
	s.quantity, s.last, s.readings = s.quantity+quantity, index, s.readings+1
	if m.total().quantity > maxQuantity {
		sdk.Abort(codePeriodFull, "PERIOD_FULL: a period has at most 1000000000 units")
	}
}

// total is the sum over all bands.
func (m *meter) total() (all sum) {
	for _, s := range m.sums {
		if s.readings == 0 {
			continue
		}
		if all.readings == 0 || s.first < all.first {
			all.first = s.first
		}
		all.last = max(all.last, s.last)
		all.quantity += s.quantity
		all.readings += s.readings
	}
	return all
}

// register makes a meter known, or changes what is registered of it: the
// signer at once, the tariff from the next period on, the account only while no
// period is open; then nobody pays by allowance, until payBy names who does.
func register(r *sdk.Request) {
	name, account, wanted := r.Bytes(), r.Bytes(), r.Bytes()
	origin := r.BytesOr(nil)
	s := loadSettings()
	s.mustOwn(r.Caller)
	checkName(account)
	checkName(wanted)
	if len(origin) != 0 && len(origin) != abi.AddressBytes {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an address has 20 bytes")
	}
	if !tariffExists(wanted) {
		sdk.Abort(codeNoTariff, "NO_TARIFF: the tariff has no version")
	}
	m, known := loadMeter(name)
	if known && string(m.account) != string(account) {
		if m.open {
			sdk.Abort(codePeriodOpen, "PERIOD_OPEN: the account changes while no period is open")
		}
		m.endPayment() // it was the account's before
	}
	m.account, m.wanted, m.origin, m.clock = account, wanted, origin, s.clock
	m.save()
}
