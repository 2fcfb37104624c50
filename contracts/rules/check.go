package main

// What a pattern must be beyond its grammar, so that it can be followed with
// one remembered match a part, and has one meaning.

// check says what is wrong with the rule's pattern, and notes how it fires.
func (r *rule) check() *fault {
	top := r.when
	if f := top.check(true); f != nil {
		return f
	}
	for i, part := range top.parts {
		if part.not {
			r.negative = true
			r.deadline = r.deadline || top.kind == kindAnd || i == len(top.parts)-1
		}
	}
	return nil
}

// check looks at a pattern and what is in it.
func (p *pattern) check(top bool) *fault {
	positive := p.kind == kindTest
	for i, part := range p.parts {
		if !part.not {
			positive = true
		} else if f := part.checkNot(p, top); f != nil {
			return f
		}
		if f := part.check(false); f != nil {
			return f
		}
		if p.kind == kindThen && i > 0 {
			before := p.parts[i-1]
			if part.not && before.not {
				return &fault{"two nots stand next to one another: write not (... or ...)", part.at}
			}
			if !part.single() {
				return &fault{"what comes after then is a single reading: a test, or tests joined by or", part.at}
			}
		}
	}
	if !positive {
		return &fault{"something must happen: not alone is no pattern", p.at}
	}
	return nil
}

// checkNot looks at where a not stands.
func (p *pattern) checkNot(in *pattern, top bool) *fault {
	switch {
	case !top || in.kind != kindThen && in.kind != kindAnd:
		return &fault{"not stands in the outermost then or and alone", p.at}
	case !p.single():
		return &fault{"what must not happen is a single reading: a test, or tests joined by or", p.at}
	}
	return nil
}

// single says whether the pattern is one reading.
func (p *pattern) single() bool {
	if p.kind == kindThen || p.kind == kindAnd {
		return false
	}
	for _, part := range p.parts {
		if !part.single() {
			return false
		}
	}
	return true
}

// place gives every test the area of the innermost group that has one.
func (p *pattern) place(a *area) {
	if p.area != nil {
		a = p.area
	}
	if p.test != nil {
		p.test.area = a
	}
	for _, part := range p.parts {
		part.place(a)
	}
}
