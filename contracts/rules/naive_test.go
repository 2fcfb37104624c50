package main

import (
	"slices"
	"sort"
)

// A second reading of what rules mean, by definition: it keeps the whole
// history, enumerates all combinations of readings, and shares nothing with
// the contract but README.md. It is slow and obvious.

// nReading is a reading of the history.
type nReading struct {
	at, entry int64
	property  string
	value     int64
}

func (a nReading) before(b nReading) bool {
	return a.at < b.at || a.at == b.at && a.entry < b.entry
}

// nPart is a test (property and value) or a group of parts.
type nPart struct {
	joint    string // test, then, and, or
	not      bool
	parts    []nPart
	window   int64
	property string
	value    int64 // the test is: property = value
}

// combination is the readings of one way in which a part came true, in order.
type combination []nReading

func (c combination) first() nReading { return c[0] }
func (c combination) last() nReading  { return c[len(c)-1] }

func united(a, b combination) combination {
	all := append(slices.Clone(a), b...)
	sort.Slice(all, func(i, j int) bool { return all[i].before(all[j]) })
	return slices.Compact(all)
}

// ways lists all combinations of readings that make a part true. denied are
// the readings that a not looks at.
func (p nPart) ways(readings, denied []nReading) (out []combination) {
	switch p.joint {
	case "test":
		for _, r := range readings {
			if r.property == p.property && r.value == p.value {
				out = append(out, combination{r})
			}
		}
	case "or":
		for _, part := range p.parts {
			out = append(out, part.ways(readings, denied)...)
		}
	case "then":
		out = p.sequences(readings, denied)
	case "and":
		first := true
		for _, part := range p.parts {
			if part.not {
				continue
			}
			ways := part.ways(readings, denied)
			if first {
				out, first = ways, false
				continue
			}
			var both []combination
			for _, a := range out {
				for _, b := range ways {
					if u := united(a, b); u.last().at-u.first().at <= p.window {
						both = append(both, u)
					}
				}
			}
			out = both
		}
	}
	return slices.DeleteFunc(out, func(c combination) bool {
		return p.window > 0 && c.last().at-c.first().at > p.window
	})
}

// sequences lists the ways of a then: the parts after one another, in the
// window, with nothing denied in between nor, for a leading not, in the window before.
func (p nPart) sequences(readings, denied []nReading) (out []combination) {
	var between *nPart
	started := false
	for i := range p.parts {
		part := p.parts[i]
		if part.not {
			between = &p.parts[i]
			continue
		}
		ways := part.ways(readings, denied)
		var next []combination
		if !started {
			for _, w := range ways {
				if between == nil || !between.happens(denied, func(b nReading) bool {
					return b.before(w.first()) && b.at >= w.first().at-p.window
				}) {
					next = append(next, w)
				}
			}
		} else {
			for _, a := range out {
				for _, b := range ways {
					if !a.last().before(b.first()) || b.last().at-a.first().at > p.window {
						continue
					}
					if between == nil || !between.happens(denied, func(d nReading) bool {
						return a.last().before(d) && d.before(b.first())
					}) {
						next = append(next, append(slices.Clone(a), b...))
					}
				}
			}
		}
		out, started, between = next, true, nil
	}
	return out
}

// happens says whether a denied part came true where it must not.
func (p nPart) happens(denied []nReading, where func(nReading) bool) bool {
	for _, w := range p.ways(denied, nil) {
		if where(w[0]) {
			return true
		}
	}
	return false
}

func (p nPart) negative() bool {
	return slices.ContainsFunc(p.parts, func(q nPart) bool { return q.not })
}

func (p nPart) deadline() bool {
	return p.negative() && (p.joint == "and" || p.parts[len(p.parts)-1].not)
}

// nFiring is when a rule came true, and the first and last reading of it.
type nFiring struct{ at, first, last int64 }

// best answers the way that ends with reading x and began latest.
func (p nPart) best(x nReading, readings, denied []nReading) combination {
	var best combination
	for _, w := range p.ways(readings, denied) {
		if w.last() == x && (best == nil || best.first().before(w.first())) {
			best = w
		}
	}
	return best
}

// settledFirings lists all firings of a rule with a not: readings are settled
// and in order, and every time before horizon has passed.
func (p nPart) settledFirings(settled []nReading, horizon int64) (out []nFiring) {
	usedTo := nReading{at: -1 << 62}
	for {
		var fresh []nReading
		for _, r := range settled {
			if usedTo.before(r) {
				fresh = append(fresh, r)
			}
		}
		firing, end, found := p.next(fresh, settled)
		if !found || p.deadline() && firing.at >= horizon {
			return out
		}
		out, usedTo = append(out, firing), end
	}
}

// next is the first firing over readings that are not used up.
func (p nPart) next(fresh, settled []nReading) (best nFiring, end nReading, found bool) {
	for _, x := range fresh {
		upTo := slices.DeleteFunc(slices.Clone(fresh), func(r nReading) bool { return x.before(r) })
		w := p.best(x, upTo, settled)
		if w == nil {
			continue
		}
		if !p.deadline() {
			return nFiring{x.at, w.first().entry, x.entry}, x, true
		}
		due := w.first().at + p.window
		if p.refuted(x, due, settled) || found && best.at <= due {
			continue
		}
		best, end, found = nFiring{due, w.first().entry, x.entry}, nReading{at: due, entry: 1 << 62}, true
	}
	return best, end, found
}

// refuted says whether what must not happen does: after x until the deadline
// for a then; for an and as far as it fits a window with what did happen.
func (p nPart) refuted(x nReading, due int64, settled []nReading) bool {
	for _, part := range p.parts {
		if !part.not {
			continue
		}
		if p.joint == "and" && part.happens(settled, func(b nReading) bool { return x.at-p.window <= b.at && b.at <= due }) {
			return true
		}
	}
	last := p.parts[len(p.parts)-1]
	return p.joint == "then" && last.happens(settled, func(b nReading) bool { return x.before(b) && b.at <= due })
}

// naive is a rule over the history of one subject.
type naive struct {
	pattern        nPart
	late, cooldown int64

	known    bool
	newest   int64
	floor    nReading // what is not after it is settled
	heard    []nReading
	fires    []nFiring // all so far
	reported int       // of them, those seen
}

// matters says whether a reading meets a test of the rule.
func (p nPart) matters(r nReading) bool {
	if p.joint == "test" {
		return r.property == p.property && r.value == p.value
	}
	return slices.ContainsFunc(p.parts, func(q nPart) bool { return q.matters(r) })
}

// listens says whether the rule has a test of a property.
func (p nPart) listens(property string) bool {
	return p.property == property || slices.ContainsFunc(p.parts, func(q nPart) bool { return q.listens(property) })
}

// hear takes a reading; it answers whether it was late, and what fired outside
// the cool-down.
func (n *naive) hear(r nReading) (late bool, fired []nFiring) {
	if !n.pattern.listens(r.property) {
		return false, nil
	}
	if !n.pattern.matters(r) {
		if n.known && r.at > n.newest {
			n.pass(r)
		}
		return false, n.news()
	}
	if n.known && !n.floor.before(r) {
		return true, nil
	}
	n.heard = append(n.heard, r)
	slices.SortFunc(n.heard, func(a, b nReading) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	if !n.known || r.at > n.newest {
		n.newest = r.at
	}
	n.known = true
	n.pass(r)
	var waiting []nReading
	for _, h := range n.heard {
		if n.floor.before(h) {
			waiting = append(waiting, h)
		}
	}
	if len(waiting) > maxWaiting {
		n.floor = waiting[0]
	}
	return false, n.news()
}

// clock says what time it is. It moves a rule with a not that has something to
// settle by then, and no other.
func (n *naive) clock(at int64) (fired []nFiring) {
	after := *n
	after.heard = slices.Clone(n.heard)
	if !n.known || !n.pattern.negative() || at <= n.newest {
		return nil
	}
	after.pass(nReading{at: at})
	fired = after.news()
	settles := slices.ContainsFunc(n.heard, func(h nReading) bool { return n.floor.before(h) && !after.floor.before(h) })
	if settles || len(after.fires) > len(n.fires) {
		*n = after
	}
	return fired
}

// pass lets time pass up to a reading's.
func (n *naive) pass(r nReading) {
	n.newest = max(n.newest, r.at)
	if f := (nReading{at: n.newest - n.late, entry: r.entry}); len(n.heard) == 1 && n.floor == (nReading{}) || n.floor.before(f) {
		n.floor = f
	}
}

// news lists the firings that were not there before, without those inside a cool-down.
func (n *naive) news() (fired []nFiring) {
	if n.pattern.negative() {
		var settled []nReading
		for _, h := range n.heard {
			if !n.floor.before(h) {
				settled = append(settled, h)
			}
		}
		n.fires = n.pattern.settledFirings(settled, n.floor.at)
	} else {
		n.anticipate()
	}
	last, any := int64(0), false
	for i, f := range n.fires {
		if any && f.at < last+n.cooldown {
			continue
		}
		last, any = f.at, true
		if i >= n.reported {
			fired = append(fired, f)
		}
	}
	n.reported = len(n.fires)
	return fired
}

// anticipate fires a rule without a not on all readings that were heard and
// are not used up.
func (n *naive) anticipate() {
	for _, x := range n.heard {
		var upTo []nReading
		for _, h := range n.heard {
			if !x.before(h) {
				upTo = append(upTo, h)
			}
		}
		if w := n.pattern.best(x, upTo, nil); w != nil {
			n.fires = append(n.fires, nFiring{x.at, w.first().entry, x.entry})
			n.heard = slices.DeleteFunc(n.heard, func(h nReading) bool { return !x.before(h) })
			if n.floor.before(x) {
				n.floor = x
			}
			n.anticipate()
			return
		}
	}
}
