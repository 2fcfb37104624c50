package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// properties maps a property to its domain and to the rules that listen to it:
// one read says whether a reading is sound and whom it concerns.
var properties = sdk.NewMap("p")

// Kinds of a domain.
const (
	domainAny = iota
	domainNumber
	domainText
	domainFlag
	domainStatus
)

var domainKinds = [...]string{domainAny: "any", domainNumber: "number", domainText: "text", domainFlag: "flag", domainStatus: "status"}

// property is what is known of a property.
type property struct {
	name      []byte
	kind      byte
	low, high int64 // millionths, of a number
	unit      []byte
	rules     []uint32 // the enabled rules with a test of it, by number
}

const (
	lowest  = -999_999_999_999_999_999
	highest = 999_999_999_999_999_999
)

// loadProperty reads a property; one that nobody named is of any kind.
func loadProperty(name []byte) (p *property, known bool) {
	p = &property{name: name, low: lowest, high: highest}
	record, found := properties.Get(name)
	if !found {
		return p, false
	}
	r := newReader(record)
	p.kind = r.byte()
	p.low, p.high = r.i64(), r.i64()
	p.unit = r.short()
	for range r.byte() {
		p.rules = append(p.rules, r.u32())
	}
	r.end()
	if int(p.kind) >= len(domainKinds) {
		badState()
	}
	return p, true
}

func (p *property) save() {
	w := newWriter()
	w.byte(p.kind)
	w.i64(p.low)
	w.i64(p.high)
	w.short(p.unit)
	w.byte(byte(len(p.rules)))
	for _, n := range p.rules {
		w.u32(n)
	}
	properties.Set(p.name, w.buf)
}

// callDefine gives a property its domain. Rules in force keep to the domain
// that they were registered under, so that only the range may change below them.
func callDefine(r *sdk.Request) {
	name, kindText := r.Bytes(), r.Bytes()
	low, high := r.IntOr(lowest), r.IntOr(highest)
	unit := r.BytesOr(nil)
	if loadSettings().owner != r.Caller {
		notAllowed("the owner defines properties")
	}
	kind := len(domainKinds)
	for k, text := range domainKinds {
		if is(kindText, text) {
			kind = k
		}
	}
	numeric := kind == domainNumber
	switch {
	case !isName(name):
		sdk.Abort(codeBadName, "BAD_NAME: a property is letters, digits, points, hyphens and underlines, 1 to 64, and no word of the language")
	case isReserved(name):
		sdk.Abort(codeReserved, "RESERVED: the property belongs to another event")
	case kind == len(domainKinds), !numeric && (low != lowest || high != highest || len(unit) > 0),
		low < lowest, high > highest, low > high, !isPlain(unit):
		sdk.Abort(codeBadDomain, "BAD_DOMAIN: a domain is any, number (with low, high and unit), text, flag or status")
	}
	p, _ := loadProperty(name)
	if len(p.rules) > 0 && (int(p.kind) != kind || !same(p.unit, unit)) {
		sdk.Abort(codeBadDomain, "BAD_DOMAIN: rules in force rest on the property's kind and unit")
	}
	p.kind, p.low, p.high, p.unit = byte(kind), low, high, unit
	p.save()
}

// isPlain says whether a text can be compared with: short, without control characters.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < 0x20 {
			return false
		}
	}
	return len(text) <= maxTextBytes
}

// suits says why a test does not suit the property's domain, or nothing.
func (p *property) suits(t *test) string {
	kinds := [...]byte{lookNumber: domainNumber, lookText: domainText, lookFlag: domainFlag}
	switch {
	case t.look == lookSeen, t.look == lookStatus: // a value of any kind may have a status
	case p.kind != domainAny && kinds[t.look] != p.kind:
		return "the test is of another kind than the property"
	case len(t.unit) > 0 && !same(t.unit, p.unit):
		return "the property has another unit, or none"
	case t.look == lookNumber && (t.low < p.low || t.high > p.high):
		return "the number is outside the property's range"
	}
	return ""
}

// admits aborts when a reading is not of the property's domain.
func (p *property) admits(o *observation, unit []byte) {
	strange := o.hasNumber && p.kind != domainAny && p.kind != domainNumber ||
		o.hasText && p.kind != domainAny && p.kind != domainText ||
		o.hasFlag && p.kind != domainAny && p.kind != domainFlag
	switch {
	case strange:
		sdk.Abort(codeOutOfDomain, "OUT_OF_DOMAIN: the property has values of another kind")
	case o.hasNumber && (o.number < p.low || o.number > p.high):
		sdk.Abort(codeOutOfDomain, "OUT_OF_DOMAIN: the value is outside the property's range")
	case len(unit) > 0 && !same(unit, p.unit):
		sdk.Abort(codeOutOfDomain, "OUT_OF_DOMAIN: the property has another unit, or none")
	}
}

// properties lists the names that a rule's tests are about, each once.
func (r *rule) properties() (names [][]byte) {
next:
	for _, t := range r.tests {
		for _, name := range names {
			if same(name, t.property) {
				continue next
			}
		}
		names = append(names, t.property)
	}
	return names
}

// enterIndex lets the rule hear its properties, if it suits their domains.
func (e *entry) enterIndex() {
	for _, name := range e.rule.properties() {
		p, _ := loadProperty(name)
		for _, t := range e.rule.tests {
			if !same(t.property, name) {
				continue
			}
			if why := p.suits(t); why != "" {
				sdk.Abort(codeAgainstDomain, "AGAINST_DOMAIN: "+string(name)+": "+why)
			}
		}
		if len(p.rules) == maxRulesPerProperty {
			sdk.Abort(codeTooManyRules, "TOO_MANY_RULES: 16 rules listen to "+string(name))
		}
		p.rules = append(p.rules, e.number)
		p.save()
	}
}

// leaveIndex lets it hear them no more.
func (e *entry) leaveIndex() {
	for _, name := range e.rule.properties() {
		p, _ := loadProperty(name)
		for i, n := range p.rules {
			if n == e.number {
				p.rules = append(p.rules[:i], p.rules[i+1:]...)
				break
			}
		}
		p.save()
	}
}
