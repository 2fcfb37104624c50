package main

// The compiled form of a rule is what deliveries read: the same rule without
// words, units and defaults. It is made once, when the rule is registered, and
// never read from anybody's input.

// Bits of a rule's and of a test's first byte.
const (
	bitGlobal = 1 << iota
	bitAction
	bitNegative
	bitDeadline
)

const (
	bitSubject = 1 << iota
	bitPrefix
	bitFrom
	bitArea
	bitFlag
)

func bits(list ...bool) (b uint8) {
	for i, v := range list {
		if v {
			b |= 1 << i
		}
	}
	return b
}

// compile writes the rule.
func (r *rule) compile(w *writer) {
	w.byte(bits(r.global, r.action, r.negative, r.deadline))
	w.byte(byte(len(r.tests)))
	for _, t := range r.tests {
		t.compile(w)
	}
	w.byte(byte(r.nodes))
	w.i64(r.lateNs)
	w.i64(r.cooldownNs)
	w.short(r.name)
	w.short(r.actuator)
	r.when.compile(w)
}

func (t *test) compile(w *writer) {
	w.byte(bits(t.bySubject, t.prefix, t.from != nil, t.area != nil, t.flag))
	w.byte(t.look<<4 | t.rel)
	w.short(t.property)
	if t.bySubject {
		w.short(t.subject)
	}
	if t.from != nil {
		w.buf = append(w.buf, t.from[:]...)
	}
	if t.area != nil {
		w.area(t.area)
	}
	switch t.look {
	case lookNumber:
		w.i64(t.low)
		w.i64(t.high)
	case lookText, lookStatus:
		w.short(t.text)
	}
}

func (w *writer) area(a *area) {
	for _, v := range [...]int32{a.centre.lat, a.centre.lon, a.far.lat, a.far.lon, int32(a.radiusM)} {
		w.u32(uint32(v))
	}
}

func (p *pattern) compile(w *writer) {
	w.byte(p.kind | bits(p.not)<<7)
	w.byte(byte(p.id))
	if p.kind == kindTest {
		w.byte(p.test.number)
		return
	}
	w.i64(p.withinNs)
	w.byte(byte(len(p.parts)))
	for _, part := range p.parts {
		part.compile(w)
	}
}

// tested reads the first part of a compiled rule: what decides whether a
// reading matters to it. The rest is read when one does.
func tested(r *reader) *rule {
	flags := r.byte()
	rule := &rule{
		global: flags&bitGlobal != 0, action: flags&bitAction != 0,
		negative: flags&bitNegative != 0, deadline: flags&bitDeadline != 0,
	}
	tests := make([]test, r.byte())
	rule.tests = make([]*test, len(tests))
	for i := range tests {
		rule.tests[i] = &tests[i]
		tests[i].number = uint8(i)
		tests[i].read(r)
	}
	return rule
}

func (t *test) read(r *reader) {
	flags, what := r.byte(), r.byte()
	t.bySubject, t.prefix, t.flag = flags&bitSubject != 0, flags&bitPrefix != 0, flags&bitFlag != 0
	t.look, t.rel = what>>4, what&15
	t.property = r.short()
	if t.bySubject {
		t.subject = r.short()
	}
	if flags&bitFrom != 0 {
		from := address(r.take(len(address{})))
		t.from = &from
	}
	if flags&bitArea != 0 {
		t.area = r.area()
	}
	switch t.look {
	case lookNumber:
		t.low, t.high = r.i64(), r.i64()
	case lookText, lookStatus:
		t.text = r.short()
	}
}

func (r *reader) area() *area {
	a := &area{
		centre: point{int32(r.u32()), int32(r.u32())}, far: point{int32(r.u32()), int32(r.u32())},
		radiusM: int64(r.u32()),
	}
	a.isCircle = a.radiusM > 0
	return a
}

// followed reads the rest of a compiled rule.
func (r *rule) followed(in *reader) {
	r.nodes = int(in.byte())
	if r.nodes > maxNodes {
		badState()
	}
	r.lateNs, r.cooldownNs = in.i64(), in.i64()
	r.name, r.actuator = in.short(), in.short()
	r.when = r.pattern(in)
	in.end()
}

func (r *rule) pattern(in *reader) *pattern {
	kind, id := in.byte(), in.byte()
	p := &pattern{kind: kind &^ 0x80, not: kind>>7 == 1, id: int(id)}
	if p.kind == kindTest {
		p.test = r.tests[in.byte()]
		return p
	}
	p.withinNs = in.i64()
	p.parts = make([]*pattern, in.byte())
	for i := range p.parts {
		p.parts[i] = r.pattern(in)
	}
	return p
}
