package main

// maxWaiting bounds the readings that a state keeps until they are settled.
// The oldest is settled early when there are more.
const maxWaiting = 8

// state is how far a rule is with one subject, or with all.
//
// Readings come in any order. A reading is settled when none that stands
// before it will be taken any more: when a later one is more than the rule's
// lateness away. memory holds what settled readings came to; the others wait.
// A rule without a not fires as soon as the readings it has complete it; one
// with a not looks at settled readings alone, so that nothing it denies can
// still come.
type state struct {
	rule   *rule
	stored bool  // there is a record
	known  bool  // of this epoch
	newest int64 // the latest time heard of
	floor  place // readings up to here are settled: another is late

	memory  memory
	pending match // complete but for the time that must pass, or nil
	waiting []*occurrence

	fired      bool
	firedNs    int64 // when it last fired
	late       uint32
	suppressed uint32
	due        int64 // what the clock has to reach, as it is in the index; 0: nothing

	firings  []firing // of this delivery
	silenced uint32   // firings of this delivery inside the cool-down
}

// firing is one time that a rule came true, outside its cool-down.
type firing struct {
	match
	atNs int64
}

// raise settles what is older than the lateness allows, now that a time was heard of.
func (s *state) raise(to place) {
	if s.newest = max(s.newest, to.timeNs); !s.known {
		s.newest = to.timeNs
	}
	settled := place{s.newest - s.rule.lateNs, to.entry}
	if !s.known || s.floor.before(settled) {
		s.floor = settled
	}
	s.known = true
}

// isLate says whether a reading comes too late to be taken.
func (s *state) isLate(at place) bool { return s.known && !s.floor.before(at) }

// hear takes a reading that is not late.
func (s *state) hear(x *occurrence) {
	i := len(s.waiting)
	for i > 0 && x.before(s.waiting[i-1].place) {
		i--
	}
	s.waiting = append(s.waiting, nil)
	copy(s.waiting[i+1:], s.waiting[i:])
	s.waiting[i] = x
	s.raise(x.place)
	if len(s.waiting) > maxWaiting && s.floor.before(s.waiting[0].place) {
		s.floor = s.waiting[0].place
	}
	s.advance()
}

// tick hears of a time without a reading that matters.
func (s *state) tick(at place) {
	s.raise(at)
	s.advance()
}

// advance fires what is complete and settles what is due.
func (s *state) advance() {
	if !s.rule.negative {
		s.anticipate()
	}
	settled := 0
	for ; settled < len(s.waiting) && !s.floor.before(s.waiting[settled].place); settled++ {
		x := s.waiting[settled]
		s.expire(x.timeNs)
		s.settle(x)
	}
	s.waiting = s.waiting[settled:]
	s.expire(s.floor.timeNs)
}

// anticipate looks whether the readings that wait complete a rule that no
// further reading can contradict. One reading completes it once: what is left
// after it was there before and was not complete.
func (s *state) anticipate() {
	ahead := s.memory
	for i, x := range s.waiting {
		if m := ahead.follow(s.rule.when, x); m != nil {
			s.waiting = s.waiting[i+1:]
			if s.floor.before(x.place) {
				s.floor = x.place
			}
			s.fire(m, x.timeNs)
			return
		}
	}
}

// settle takes a reading into memory, in the order of places.
func (s *state) settle(x *occurrence) {
	top := s.rule.when
	if s.rule.deadline && s.memory.refutes(top, x) {
		s.pending = nil
	}
	m := s.memory.follow(top, x)
	switch {
	case m == nil:
	case !s.rule.deadline:
		s.fire(m, x.timeNs)
	case s.pending == nil || m.start().timeNs < s.pending.start().timeNs:
		s.pending = m
	}
}

// deadline is when a match that waits comes true.
func (s *state) deadline() int64 { return s.pending.start().timeNs + s.rule.when.withinNs }

// expire fires what waited for a time that has passed before this one.
func (s *state) expire(beforeNs int64) {
	if s.pending != nil && s.deadline() < beforeNs {
		s.fire(s.pending, s.deadline())
	}
}

// fire uses up the readings so far, and notes the firing outside the cool-down.
func (s *state) fire(m match, atNs int64) {
	s.memory.forget()
	s.pending = nil
	if s.fired && atNs < s.firedNs+s.rule.cooldownNs {
		s.suppressed++
		s.silenced++
		return
	}
	s.fired, s.firedNs = true, atNs
	s.firings = append(s.firings, firing{m, atNs})
}

// wanted is the time that the clock has to reach for the state to go on by
// itself, or 0.
func (s *state) wanted() int64 {
	if !s.rule.negative {
		return 0
	}
	var at int64
	if s.pending != nil {
		at = s.deadline() + s.rule.lateNs + 1
	}
	if len(s.waiting) > 0 {
		if t := s.waiting[0].timeNs + s.rule.lateNs + 1; at == 0 || t < at {
			at = t
		}
	}
	return at
}
