package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// states maps a rule's number and a subject to how far the rule is with it;
// a global rule has one state, of the empty subject.
var states = sdk.NewMap("s")

// dues lists the states that only the clock may move on, by the time it has to
// reach: time, rule's number, subject.
var dues = sdk.NewMap("d")

func stateKey(number uint32, subject []byte) []byte {
	k := make([]byte, 0, 4+maxSubject)
	k = append(k, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	return append(k, subject...)
}

// dueKey orders by time, which is not negative.
func dueKey(due int64, stateKey []byte) []byte {
	k := make([]byte, 0, 8+len(stateKey))
	for shift := 56; shift >= 0; shift -= 8 {
		k = append(k, byte(due>>shift))
	}
	return append(k, stateKey...)
}

// load reads the state under a key, and the whole rule with it; a state of an
// earlier epoch of the rule is begun anew.
func load(key []byte, e *entry) *state {
	record, found := readRecord(states, key)
	return loaded(record, found, e)
}

func loaded(record []byte, found bool, e *entry) *state {
	e.complete()
	s := &state{rule: e.rule}
	if s.stored = found; !found {
		return s
	}
	r := newReader(record)
	epoch := r.u32()
	s.due = r.i64()
	if epoch == e.epoch {
		s.decode(r)
	}
	return s
}

// save writes the state, and moves its place in the index of times.
func (s *state) save(key []byte, e *entry) {
	if wanted := s.wanted(); wanted != s.due {
		if s.due != 0 {
			dues.Delete(dueKey(s.due, key))
		}
		if wanted != 0 {
			dues.Set(dueKey(wanted, key), nil)
		}
		s.due = wanted
	}
	if !s.stored {
		t := loadTally(e.number)
		if t.subjects == maxSubjectsPerRule {
			sdk.Abort(codeSubjectsFull, "SUBJECTS_FULL: the rule has states of 10000 subjects")
		}
		t.subjects++
		t.save(e.number)
	}
	w := newWriter()
	w.u32(e.epoch)
	w.i64(s.due)
	s.encode(w)
	states.Set(key, w.buf)
}

// drop deletes a state that no delivery will look at again.
func (s *state) drop(key []byte, e *entry) {
	if s.stored {
		states.Delete(key)
		t := loadTally(e.number)
		t.subjects--
		t.save(e.number)
	}
}

// encode writes what decode reads: the readings that are referred to, each
// once, and the places where.
func (s *state) encode(w *writer) {
	w.i64(s.newest)
	w.place(s.floor)
	w.bool(s.fired)
	w.i64(s.firedNs)
	w.u32(s.late)
	w.u32(s.suppressed)
	w.byte(byte(len(s.waiting)))
	readings := s.readings()
	w.byte(byte(len(readings)))
	for i, x := range readings {
		x.reference = byte(i)
		x.encode(w)
	}
	for id := range s.rule.nodes {
		w.match(s.memory.matches[id])
	}
	for id := range s.rule.nodes {
		if a := s.memory.against[id]; a.known {
			w.byte(byte(id))
			w.i64(a.ns)
		}
	}
	w.byte(0xff)
	w.match(s.pending)
}

// readings lists what the state refers to, each once: first what waits, then
// what the matches hold.
func (s *state) readings() []*occurrence {
	all := append(make([]*occurrence, 0, maxWaiting+maxTests), s.waiting...)
	add := func(m match) {
	next:
		for _, x := range m {
			for _, known := range all {
				if known == x {
					continue next
				}
			}
			all = append(all, x)
		}
	}
	for id := range s.rule.nodes {
		add(s.memory.matches[id])
	}
	add(s.pending)
	return all
}

// match writes the numbers of a match's readings.
func (w *writer) match(m match) {
	w.byte(byte(len(m)))
	for _, x := range m {
		w.byte(x.reference)
	}
}

func (x *occurrence) encode(w *writer) {
	w.place(x.place)
	w.byte(x.mask)
	w.byte(x.has)
	if x.has&hasNumber != 0 {
		w.i64(x.number)
	}
	if x.has&hasText != 0 {
		w.short(x.text)
	}
	if x.has&hasStatus != 0 {
		w.short(x.status)
	}
	w.short(x.subject)
}

func (r *reader) occurrence() *occurrence {
	x := &occurrence{place: r.place(), mask: r.byte(), has: r.byte()}
	if x.has&hasNumber != 0 {
		x.number = r.i64()
	}
	if x.has&hasText != 0 {
		x.text = r.short()
	}
	if x.has&hasStatus != 0 {
		x.status = r.short()
	}
	x.subject = r.short()
	return x
}

func (s *state) decode(r *reader) {
	s.known = true
	s.newest = r.i64()
	s.floor = r.place()
	s.fired = r.bool()
	s.firedNs = r.i64()
	s.late = r.u32()
	s.suppressed = r.u32()
	waiting, count := int(r.byte()), int(r.byte())
	if waiting > count {
		badState()
	}
	readings := make([]*occurrence, count)
	for i := range readings {
		readings[i] = r.occurrence()
	}
	s.waiting = append(s.waiting, readings[:waiting]...)
	for id := range s.rule.nodes {
		s.memory.matches[id] = r.match(readings)
	}
	for id := r.byte(); id != 0xff; id = r.byte() {
		if id >= maxNodes {
			badState()
		}
		s.memory.against[id] = instant{true, r.i64()}
	}
	s.pending = r.match(readings)
	r.end()
}

// match reads the numbers of a match's readings; none is nil.
func (r *reader) match(readings []*occurrence) (m match) {
	for _, i := range r.take(int(r.byte())) {
		if int(i) >= len(readings) {
			badState()
		}
		m = append(m, readings[i])
	}
	return m
}
