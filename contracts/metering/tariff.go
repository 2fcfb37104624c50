package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of a tariff.
const (
	maxBands     = 8
	maxRules     = 16
	maxTiers     = 8
	maxBandBytes = 32
	maxUnitBytes = 16
)

// tariff is one version of a tariff. What its parts ask for is added up:
// a price a unit by band, a price a unit by block of the period's quantity, a
// price a kW of the highest demand, and a fixed charge.
type tariff struct {
	name, unit   []byte
	version      uint32
	effectiveSec int64
	bands        []band // at least one
	rules        []rule // none: a reading names its band
	tiers        []tier // none, or the last without end
	demand       uint64 // price of a unit an hour
	fixed        uint64 // of a period, 10^-6 minor units
}

// band is a price a unit for some of the readings.
type band struct {
	price uint64
	name  []byte
}

// rule puts the intervals that start on some days of the week, in some
// minutes of the day, into a band.
type rule struct {
	days     uint8 // bit 0 is Monday
	from, to uint16
	band     uint8
}

// tier is a price a unit for the quantity of a period above the tier before
// and up to its end.
type tier struct{ end, price uint64 }

// noEnd is the end of the last tier.
const noEnd = 1<<64 - 1

// terms is a tariff as it is stored: its bands, its rules, and what a reading
// in the middle of a period need not know.
type terms []byte

// band finds the price of a reading: by the clock if the tariff has rules,
// else by the name in the reading. A tariff of one band asks for none. It
// makes nothing, because it is done for every reading.
func (t terms) band(at place, label []byte) int {
	r := unpacker{b: t}
	n := r.count(maxBands)
	named := -1
	for i := range n {
		if string(r.raw(int(r.u8()) + 8)[8:]) == string(label) {
			named = i
		}
	}
	rules := r.count(maxRules)
	for range rules {
		if x := unpackRule(&r); x.days>>at.weekday&1 == 1 && at.minute >= x.from && at.minute < x.to {
			return int(x.band)
		}
	}
	if rules > 0 || n == 1 {
		return 0
	}
	if named < 0 {
		sdk.Abort(codeUnknownBand, "UNKNOWN_BAND: the reading names no band of the tariff")
	}
	return named
}

// pack is the stored form of a tariff: the bands' prices stand between the
// sizes of their names and the names.
func (t *tariff) pack() terms {
	n := 2 + len(t.name) + len(t.unit) + 4 + 3*8 + 3 + len(t.rules)*ruleBytes + len(t.tiers)*16
	for i := range t.bands {
		n += 9 + len(t.bands[i].name)
	}
	w := newPacker(n)
	w.u8(uint8(len(t.bands)))
	for _, b := range t.bands {
		w.u8(uint8(len(b.name)))
		w.u64(b.price)
		w.raw(b.name)
	}
	w.u8(uint8(len(t.rules)))
	for _, r := range t.rules {
		w.u8(r.days)
		w.u16(r.from)
		w.u16(r.to)
		w.u8(r.band)
	}
	w.u8(uint8(len(t.tiers)))
	for _, x := range t.tiers {
		w.u64(x.end)
		w.u64(x.price)
	}
	w.run(t.name)
	w.run(t.unit)
	w.u32(t.version)
	w.u64(uint64(t.effectiveSec))
	w.u64(t.demand)
	w.u64(t.fixed)
	return w.bytes()
}

// unpack reads what pack wrote.
func (t terms) unpack() (x tariff) {
	r := unpacker{b: t}
	x.bands = make([]band, r.count(maxBands))
	for i := range x.bands {
		size := int(r.u8())
		x.bands[i] = band{r.u64(), r.raw(size)}
	}
	x.rules = make([]rule, r.count(maxRules))
	for i := range x.rules {
		x.rules[i] = unpackRule(&r)
	}
	x.tiers = make([]tier, r.count(maxTiers))
	for i := range x.tiers {
		x.tiers[i] = tier{r.u64(), r.u64()}
	}
	x.name, x.unit, x.version = r.run(), r.run(), r.u32()
	x.effectiveSec, x.demand, x.fixed = int64(r.u64()), r.u64(), r.u64()
	r.finish()
	return x
}

// charges are the price of the demand and the fixed charge, which come last.
func (t terms) charges() (demand, fixed uint64) {
	return sdk.U64(t[len(t)-16:]), sdk.U64(t[len(t)-8:])
}

// ruleBytes is what a stored rule takes.
const ruleBytes = 6

func unpackRule(r *unpacker) rule {
	return rule{r.u8(), r.u16(), r.u16(), r.u8()}
}

// tariffVersions maps the versions of a tariff, the newest first, to records.
func tariffVersions(name []byte) sdk.Map { return sdk.NewMap("t" + string(name)) }

// versionKey orders versions from the newest to the oldest.
func versionKey(version uint32) []byte {
	v := ^version
	return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// eachVersion visits a tariff's versions from the newest on.
func eachVersion(name []byte, visit func(t *tariff) bool) {
	tariffVersions(name).Each(nil, func(_, value []byte) bool {
		t := terms(value).unpack()
		return visit(&t)
	})
}

// findTariff answers the version in force at a time: the newest that had
// taken effect.
func findTariff(name []byte, sec int64) (in tariff, found bool) {
	eachVersion(name, func(t *tariff) bool {
		if t.effectiveSec <= sec {
			in, found = *t, true
		}
		return !found
	})
	return in, found
}

// setTariff adds a version to a tariff.
func setTariff(r *sdk.Request) {
	s := loadSettings()
	s.mustOwn(r.Caller)
	storeTariff(r, r.Bytes(), s)
}

// storeTariff reads a tariff's fields and keeps it as the newest version,
// which takes effect when the one before has or later: what was in force at a
// time is changed for no period that is open or closed.
func storeTariff(r *sdk.Request, name []byte, s *settings) {
	checkName(name)
	t := tariff{name: name, version: 1, effectiveSec: sdk.Seconds(r.IntOr(int64(r.TimeMs) * 1e6))}
	t.unit = r.BytesOr([]byte("kWh"))
	p := parser{}
	t.bands = p.bands(r.BytesOr([]byte("0")))
	t.rules = p.rules(r.BytesOr(nil), t.bands)
	t.tiers = p.tiers(r.BytesOr(nil))
	demand, fixed := r.IntOr(0), r.IntOr(0)
	t.demand, t.fixed = uint64(demand), uint64(fixed)
	if p.bad || demand < 0 || demand > maxPrice || fixed < 0 || fixed > maxFixed ||
		len(t.unit) == 0 || len(t.unit) > maxUnitBytes ||
		demand > 0 && 60%s.clock.intervalMinutes != 0 {
		sdk.Abort(codeBadTariff, "BAD_TARIFF: README.md says how bands, hours and tiers are written; demand needs intervals that divide the hour")
	}
	eachVersion(name, func(newest *tariff) bool {
		if newest.effectiveSec > t.effectiveSec {
			sdk.Abort(codeBadTariff, "BAD_TARIFF: a version takes effect no earlier than the one before")
		}
		t.version = newest.version + 1
		return false
	})
	tariffVersions(name).Set(versionKey(t.version), t.pack())
}

// tariffExists says whether a tariff has a version.
func tariffExists(name []byte) (found bool) {
	eachVersion(name, func(*tariff) bool {
		found = true
		return false
	})
	return found
}
