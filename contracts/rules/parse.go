package main

// parser reads a rule's text by recursive descent, one token ahead. README.md
// has the grammar. Depth, tests and groups are bounded while reading.
type parser struct {
	scanner
	rule  *rule
	depth int
}

// parse reads a rule's text, or says what is wrong with it.
func parse(text []byte) (*rule, *fault) {
	if len(text) > maxRuleBytes {
		return nil, &fault{"a rule has at most 1024 bytes", maxRuleBytes}
	}
	p := &parser{scanner: scanner{src: text}, rule: &rule{lateNs: defaultLateNs}}
	p.next()
	p.word("when")
	p.rule.when = p.pattern().bare()
	p.options()
	p.word("do")
	p.effect()
	if p.tok.kind != tokenEnd {
		p.fail("the rule ends here")
	}
	if p.fault == nil {
		p.fault = p.rule.check()
	}
	if p.fault != nil {
		return nil, p.fault
	}
	p.rule.when.place(nil)
	return p.rule, nil
}

// is says whether the token looked at is this word or symbol.
func (p *parser) is(text string) bool {
	return (p.tok.kind == tokenWord || p.tok.kind == tokenSymbol) && is(p.tok.text, text)
}

// accept moves over a word or symbol if it is there.
func (p *parser) accept(text string) bool {
	if p.fault != nil || !p.is(text) {
		return false
	}
	p.next()
	return true
}

// word moves over a word or symbol that must be there.
func (p *parser) word(text string) {
	if !p.accept(text) {
		p.fail("expected: " + text)
	}
}

// pattern reads parts joined by one and the same word, and their window and area.
func (p *parser) pattern() *pattern {
	g := &pattern{kind: kindOne, at: p.tok.at, id: p.node()}
	g.parts = append(g.parts, p.part())
	for p.fault == nil {
		kind := byte(kindOne)
		switch {
		case p.is("then"):
			kind = kindThen
		case p.is("and"):
			kind = kindAnd
		case p.is("or"):
			kind = kindOr
		}
		if kind == kindOne {
			break
		}
		if g.kind != kindOne && g.kind != kind {
			p.fail("then, and, or are not mixed: use parentheses")
			break
		}
		g.kind = kind
		p.next()
		g.parts = append(g.parts, p.part())
	}
	p.scope(g)
	return g
}

// scope reads a group's window and area.
func (p *parser) scope(g *pattern) {
	timed := g.kind == kindThen || g.kind == kindAnd
	if p.is("within") {
		if !timed {
			p.fail("within belongs to then or and")
		}
		p.next()
		if g.withinNs = p.span(); g.withinNs == 0 {
			p.fail("a window is longer than 0s")
		}
	} else if timed {
		p.fail("then and and need a window: within 5m")
	}
	if p.accept("in") {
		g.area = p.area()
	}
}

// part reads a test or a group in parentheses.
func (p *parser) part() *pattern {
	at, not := p.tok.at, p.accept("not")
	if !p.is("(") {
		return &pattern{kind: kindTest, not: not, at: at, id: p.node(), test: p.test()}
	}
	if p.depth++; p.depth > maxDepth {
		p.fail("groups stand at most 4 deep")
	}
	p.next()
	g := p.pattern()
	p.word(")")
	p.depth--
	g = g.bare()
	g.at, g.not = at, not
	return g
}

// bare takes away parentheses that say nothing.
func (g *pattern) bare() *pattern {
	if g.kind == kindOne && g.area == nil && !g.parts[0].not {
		return g.parts[0]
	}
	return g
}

// node counts a pattern, and answers its id.
func (p *parser) node() int {
	id := p.rule.nodes
	if p.rule.nodes++; p.rule.nodes > maxNodes {
		p.fail("a rule has at most 16 tests and groups")
	}
	return id
}

// test reads a condition on one reading.
func (p *parser) test() *test {
	t := &test{number: uint8(len(p.rule.tests)), property: p.name("a property")}
	if len(p.rule.tests) == maxTests {
		p.fail("a rule has at most 8 tests")
	}
	p.rule.tests = append(p.rule.tests, t)
	if p.accept("of") {
		t.bySubject = true
		t.subject, t.prefix = p.subject()
	}
	if p.accept("from") {
		t.from = p.address()
	}
	switch {
	case p.accept("seen"):
		t.look = lookSeen
	case p.accept("status"):
		t.look = lookStatus
		p.equality(t)
		t.text = p.text("a status")
	default:
		p.comparison(t)
	}
	return t
}

// comparison reads a relation and the value behind it.
func (p *parser) comparison(t *test) {
	if p.is("<") || p.is("<=") || p.is(">") || p.is(">=") {
		for rel, name := range relations {
			if p.is(name) {
				t.rel = byte(rel)
			}
		}
		p.next()
		t.look = lookNumber
		t.low = p.number()
		t.high = t.low
		p.unit(t)
		return
	}
	p.equality(t)
	switch {
	case p.tok.kind == tokenString:
		t.look, t.text = lookText, p.text("a text")
	case t.rel == relEqual && p.accept("true"):
		t.look, t.flag = lookFlag, true
	case t.rel == relEqual && p.accept("false"):
		t.look = lookFlag
	default:
		t.look = lookNumber
		t.low = p.number()
		t.high = t.low
		if p.accept("..") {
			if t.high = p.number(); t.high < t.low {
				p.fail("a range goes from low to high")
			}
		}
		p.unit(t)
	}
}

func (p *parser) equality(t *test) {
	if p.accept("!=") {
		t.rel = relOther
		return
	}
	p.word("=")
}

// unit reads the unit of measurement behind a number, if it is there.
func (p *parser) unit(t *test) {
	if p.tok.kind == tokenString {
		t.unit = p.text("a unit")
		if len(t.unit) == 0 {
			p.fail("a unit has a name")
		}
	}
}

// options read how the rule works, in this order, all optional.
func (p *parser) options() {
	if p.accept("global") {
		p.rule.global = true
	} else if p.accept("per") {
		p.word("subject")
	}
	if p.accept("late") {
		p.rule.lateNs = p.span()
	}
	if p.accept("cooldown") {
		p.rule.cooldownNs = p.span()
	}
}

// effect reads what happens.
func (p *parser) effect() {
	if p.accept("alert") {
		p.rule.name = p.name("an alert")
		return
	}
	if !p.accept("action") {
		p.fail("expected: alert or action")
		return
	}
	p.rule.action = true
	p.rule.name = p.name("an action")
	if p.accept("on") {
		if p.rule.actuator = p.string(maxSubject); len(p.rule.actuator) == 0 {
			p.fail("an actuator has a name of 1 to 64 bytes")
		}
	}
}
