package main

// The terms of a rule's text: names, strings, numbers, spans of time, places.

// reserved are the words of the language, which name nothing.
var reserved = [...]string{"when", "then", "and", "or", "not", "within", "in", "of", "from", "seen", "status", "true", "false",
	"global", "per", "subject", "late", "cooldown", "do", "alert", "action", "on", "circle", "box"}

// isWord says whether a text has the form of a name.
func isWord(text []byte) bool {
	if len(text) == 0 || len(text) > maxNameBytes || !isLetter(text[0]) {
		return false
	}
	for _, c := range text {
		if !isNamePart(c) {
			return false
		}
	}
	return true
}

// isName says whether a text can name a property, alert or action.
func isName(text []byte) bool {
	if !isWord(text) {
		return false
	}
	for _, word := range reserved {
		if is(text, word) {
			return false
		}
	}
	return true
}

// name reads a name.
func (p *parser) name(what string) []byte {
	if p.tok.kind != tokenWord || !isName(p.tok.text) {
		p.fail("expected: the name of " + what)
		return nil
	}
	text := p.tok.text
	p.next()
	return text
}

// string reads a string of at most limit bytes.
func (p *parser) string(limit int) []byte {
	if p.tok.kind != tokenString {
		p.fail("expected: a string in quotes")
		return nil
	}
	if len(p.tok.text) > limit {
		p.fail("the string is too long")
		return nil
	}
	text := p.tok.text
	p.next()
	return text
}

// text reads a string to compare with.
func (p *parser) text(what string) []byte {
	if p.tok.kind != tokenString {
		p.fail("expected: " + what + " in quotes")
		return nil
	}
	return p.string(maxTextBytes)
}

// subject reads a subject, or what a subject begins with, before a star.
func (p *parser) subject() (text []byte, prefix bool) {
	text = p.string(maxSubject + 1)
	if n := len(text); n > 0 && text[n-1] == '*' {
		return text[:n-1], true
	}
	if len(text) > maxSubject {
		p.fail("a subject has at most 64 bytes")
	}
	return text, false
}

// address reads a bech32 address.
func (p *parser) address() *address {
	if p.tok.kind == tokenWord {
		if a, ok := readAddress(p.tok.text); ok {
			p.next()
			return &a
		}
	}
	p.fail("expected: an address, such as cairn1...")
	return nil
}

// number reads a decimal number as millionths.
func (p *parser) number() int64 {
	v, ok := scaled(p.tok.text, 6, 12)
	if p.tok.kind != tokenNumber || len(p.tok.unit) > 0 || !ok {
		p.fail("expected: a number of at most 12 digits and 6 decimal places; its unit stands apart in quotes")
		return 0
	}
	p.next()
	return v
}

// span reads a span of time.
func (p *parser) span() int64 {
	ns, ok := span(p.tok.text, p.tok.unit)
	if p.tok.kind != tokenNumber || !ok {
		p.fail("expected: a time such as 500ms, 30s, 5m, 2h or 7d, at most 366d")
		return 0
	}
	p.next()
	return ns
}

// area reads a circle or box.
func (p *parser) area() *area {
	switch {
	case p.accept("circle"):
		a := &area{isCircle: true, centre: p.point()}
		p.word(",")
		metres, ok := radius(p.tok.text, p.tok.unit)
		if p.tok.kind != tokenNumber || !ok {
			p.fail("expected: a radius such as 500m or 2km, at most 100km")
			return nil
		}
		p.next()
		a.radiusM = metres
		return a
	case p.accept("box"):
		a := &area{centre: p.point()}
		p.word(",")
		if a.far = p.point(); a.far.lat < a.centre.lat {
			p.fail("a box goes from its south-west corner to its north-east one")
		}
		return a
	}
	p.fail("expected: circle or box")
	return nil
}

// point reads a latitude and a longitude in degrees.
func (p *parser) point() point {
	lat := p.degrees()
	p.word(",")
	lon := p.degrees()
	if !placed(lat, lon) {
		p.fail("a latitude is -90 to 90, a longitude -180 to 180")
		return point{}
	}
	return point{int32(lat), int32(lon)}
}

func (p *parser) degrees() int64 {
	v, ok := scaled(p.tok.text, 7, 3)
	if p.tok.kind != tokenNumber || len(p.tok.unit) > 0 || !ok {
		p.fail("expected: degrees with at most 7 decimal places")
		return 0
	}
	p.next()
	return v
}
