package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// ladder is the rule's numbers, fixed when the contract is deployed. Prices
// and steps are in cents, occupancies in basis points (10000 is full).
type ladder struct {
	start, floor, ceiling    int64
	highBp, middleBp, lowBp  int64
	high, middle, low, empty int64 // steps at or above each occupancy, and below all
	maxAheadHours            int64 // 0: readings may lie any time ahead
}

// defaults is the ladder that SFpark published.
var defaults = ladder{
	start: 200, floor: 25, ceiling: 800,
	highBp: 8000, middleBp: 6000, lowBp: 3000,
	high: 25, middle: 0, low: -25, empty: -50,
}

// Bounds of the parameters: far above any real use, and low enough that no
// sum of them leaves an int32.
const (
	maxCents    = 100_000_000
	maxHours    = 1_000_000
	ladderBytes = 11 * 8
)

// ladderKey is outside every map and counter, whose keys begin with a length.
var ladderKey = []byte("\x00ladder")

// configure stores the deployment's parameters; what is left out is default.
func configure(r *sdk.Request) {
	d := &defaults
	p := ladder{
		start: r.IntOr(d.start), floor: r.IntOr(d.floor), ceiling: r.IntOr(d.ceiling),
		highBp: r.IntOr(d.highBp), middleBp: r.IntOr(d.middleBp), lowBp: r.IntOr(d.lowBp),
		high: r.IntOr(d.high), middle: r.IntOr(d.middle), low: r.IntOr(d.low), empty: r.IntOr(d.empty),
		maxAheadHours: r.IntOr(d.maxAheadHours),
	}
	p.check()
	setOperator(r)
	setTill(r)
	buf := make([]byte, ladderBytes)
	for i, v := range p.fields() {
		sdk.PutU64(buf[8*i:], uint64(*v))
	}
	sdk.Set(ladderKey, buf)
}

// check aborts unless the parameters make a ladder.
func (p *ladder) check() {
	prices := 0 <= p.floor && p.floor <= p.start && p.start <= p.ceiling && p.ceiling <= maxCents
	rungs := 0 <= p.lowBp && p.lowBp <= p.middleBp && p.middleBp <= p.highBp && p.highBp <= 10000
	steps := true
	for _, step := range []int64{p.high, p.middle, p.low, p.empty} {
		steps = steps && -maxCents <= step && step <= maxCents
	}
	if !prices || !rungs || !steps || p.maxAheadHours < 0 || p.maxAheadHours > maxHours {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: floor <= start <= ceiling and low <= middle <= high are required")
	}
}

// fields lists the parameters in the order of manifest and stored record.
func (p *ladder) fields() [ladderBytes / 8]*int64 {
	return [...]*int64{&p.start, &p.floor, &p.ceiling, &p.highBp, &p.middleBp, &p.lowBp,
		&p.high, &p.middle, &p.low, &p.empty, &p.maxAheadHours}
}

// parameters reads what configure stored.
func parameters() ladder {
	var buf [ladderBytes]byte
	p := defaults
	if size, found := sdk.GetInto(ladderKey, buf[:]); !found || size != ladderBytes {
		return p
	}
	for i, v := range p.fields() {
		*v = int64(sdk.U64(buf[8*i:]))
	}
	return p
}

// checkAhead aborts when a reading that would open a week lies too far ahead
// of the block: a wrong clock would otherwise close every week in between and
// turn all true readings away as late.
func (p *ladder) checkAhead(e *sdk.Event, sec int64) {
	if p.maxAheadHours > 0 && sec > int64(e.TimeMs/1000)+p.maxAheadHours*3600 {
		sdk.Abort(codeFutureReading, "FUTURE_READING: the reading's time is too far ahead of the block's")
	}
}

// step is how far the price moves at an occupancy.
func (p *ladder) step(occupancyBp int64) int64 {
	switch {
	case occupancyBp >= p.highBp:
		return p.high
	case occupancyBp >= p.middleBp:
		return p.middle
	case occupancyBp >= p.lowBp:
		return p.low
	}
	return p.empty
}

// move is a price after a step, kept between floor and ceiling.
func (p *ladder) move(price, step int64) int64 {
	return min(max(price+step, p.floor), p.ceiling)
}
