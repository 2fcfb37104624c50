package main

// place is where a reading stands in the order of a rule's time: by event time
// and, at the same time, by entry of the log. No two readings share a place.
type place struct {
	timeNs int64
	entry  uint64
}

func (p place) before(q place) bool {
	return p.timeNs < q.timeNs || p.timeNs == q.timeNs && p.entry < q.entry
}

// occurrence is a reading that met a test of the rule, as long as it may be needed.
type occurrence struct {
	place
	mask      uint8  // of the tests it met
	has       uint8  // what of the following there is
	number    int64  // millionths
	text      []byte //
	status    []byte
	subject   []byte // of a global rule; else the state's
	reference uint8  // its place in a stored record, while that is written
}

// Bits of occurrence.has.
const (
	hasNumber = 1 << iota
	hasText
	hasFlag
	hasStatus
	flagTrue
)

// match is a way in which a pattern came true: the readings, in order, each
// once. It is never empty and never changed.
type match []*occurrence

func (m match) start() place { return m[0].place }
func (m match) end() place   { return m[len(m)-1].place }

// spans says how long a match takes.
func (m match) spans() int64 { return m.end().timeNs - m.start().timeNs }

// later answers the match that began later, b where they began together: of
// all matches that ended, it is the one that fits any later window best.
func later(a, b match) match {
	if a != nil && (b == nil || b.start().before(a.start())) {
		return a
	}
	return b
}

// join is the readings of both matches.
func join(a, b match) match {
	out := make(match, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].place == b[0].place:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		case a[0].before(b[0].place):
			out, a = append(out, a[0]), a[1:]
		default:
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// memory is what a rule remembers of the readings before: for every part of a
// then or and, by the part's id, the match that began latest; for a not, when
// what must not happen last did.
type memory struct {
	matches [maxNodes]match
	against [maxNodes]instant
}

// instant is a time that may not be there.
type instant struct {
	known bool
	ns    int64
}

// forget uses up what happened, and keeps what speaks against.
func (m *memory) forget() { m.matches = [maxNodes]match{} }

// follow answers the match of a pattern that ends with the reading x, of
// several the one that began latest, or nil; and remembers what later readings
// may need. Readings come in the order of their places.
func (m *memory) follow(p *pattern, x *occurrence) match {
	switch p.kind {
	case kindTest:
		if x.mask>>p.test.number&1 == 1 {
			return match{x}
		}
		return nil
	case kindThen:
		return m.followThen(p, x)
	case kindAnd:
		return m.followAnd(p, x)
	}
	var best match
	for _, part := range p.parts {
		best = later(best, m.follow(part, x))
	}
	return best
}

// followThen goes through the parts from the last to the first, so that a
// reading meets what was there before it and fills one place only.
func (m *memory) followThen(p *pattern, x *occurrence) (whole match) {
	last := len(p.parts) - 1
	if p.parts[last].not {
		last-- // the state waits for it
	}
	for i := last; i >= 0; i-- {
		part := p.parts[i]
		found := m.follow(part, x)
		if part.not {
			m.interrupt(p, i, found, x)
			continue
		}
		if found = m.continued(p, i, found); found == nil {
			continue
		}
		if i == last {
			whole = found
		} else {
			m.matches[part.id] = later(m.matches[part.id], found)
		}
	}
	return whole
}

// interrupt takes note of what must not happen at this part: between two
// others it ends what was begun, before the first it counts for a window.
func (m *memory) interrupt(p *pattern, i int, found match, x *occurrence) {
	switch {
	case found == nil:
	case i == 0:
		m.against[p.parts[0].id] = instant{true, x.timeNs}
	default:
		m.matches[p.parts[i-1].id] = nil
	}
}

// continued joins a part's match to what came before it in the sequence, or
// answers nil when that is missing, too long ago, or was spoken against.
func (m *memory) continued(p *pattern, i int, found match) match {
	if found == nil || found.spans() > p.withinNs {
		return nil
	}
	if i == 0 {
		return found
	}
	before := p.parts[i-1]
	if before.not && i == 1 {
		if a := m.against[before.id]; a.known && a.ns >= found.start().timeNs-p.withinNs {
			return nil
		}
		return found
	}
	if before.not {
		before = p.parts[i-2]
	}
	begun := m.matches[before.id]
	if begun == nil {
		return nil
	}
	if found = join(begun, found); found.spans() > p.withinNs {
		return nil
	}
	return found
}

// followAnd joins the match of a part that ends now with the others' latest.
func (m *memory) followAnd(p *pattern, x *occurrence) (whole match) {
	var found [maxTests]match
	for i, part := range p.parts {
		f := m.follow(part, x)
		switch {
		case f == nil:
		case part.not:
			m.against[part.id] = instant{true, x.timeNs}
		default:
			found[i] = f
			m.matches[part.id] = later(m.matches[part.id], f)
		}
	}
	for i := range p.parts {
		if found[i] != nil {
			whole = later(whole, m.together(p, i, found[i]))
		}
	}
	return whole
}

// together joins the match of part i with the latest of the other parts, if
// they lie within the window and nothing speaks against them so far.
func (m *memory) together(p *pattern, i int, whole match) match {
	end := whole.end().timeNs
	for j, part := range p.parts {
		switch {
		case j == i:
		case part.not:
			if a := m.against[part.id]; a.known && a.ns >= end-p.withinNs {
				return nil
			}
		case m.matches[part.id] == nil:
			return nil
		default:
			whole = join(whole, m.matches[part.id])
		}
	}
	if whole.spans() > p.withinNs {
		return nil
	}
	return whole
}

// refutes says whether a reading is one that ends a wait: what must not happen
// in a group, or after a sequence.
func (m *memory) refutes(top *pattern, x *occurrence) bool {
	for i, part := range top.parts {
		if part.not && (top.kind == kindAnd || i == len(top.parts)-1) && m.follow(part, x) != nil {
			return true
		}
	}
	return false
}
