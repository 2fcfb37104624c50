package schema

import (
	"fmt"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Mismatch says where and why an instance does not conform.
type Mismatch struct {
	Pointer string // into the instance (RFC 6901); empty is the whole of it
	Keyword string // pointer into the schema
	Reason  string
}

// Error renders the mismatch.
func (m *Mismatch) Error() string {
	at := m.Pointer
	if at == "" {
		at = "the value"
	}
	return fmt.Sprintf("%s %s (schema %s)", at, m.Reason, m.Keyword)
}

// Checker checks instances, one after the other. The zero Checker is ready;
// it keeps its buffers between checks and is for one goroutine.
type Checker struct {
	tape
	steps   int
	scratch []byte
	fail    failure
}

// failure is the first violation found.
type failure struct {
	node    int32
	at      *sub
	keyword string
	reason  string
}

// Check says whether an instance conforms: nil, a *Mismatch, or an error about
// a text that is no JSON. steps is what it cost, at most a little over MaxSteps.
// Both are the same on every machine.
func (c *Checker) Check(s *Schema, instance []byte) (steps int, err error) {
	if err := protocol.CheckJSON(instance); err != nil {
		return 1, fmt.Errorf("not JSON: %w", err)
	}
	return c.CheckValid(s, instance)
}

// CheckValid is Check of a text that protocol.CheckJSON accepts, such as the
// JSON data of a canonical event record. It panics on others.
func (c *Checker) CheckValid(s *Schema, instance []byte) (steps int, err error) {
	c.read(instance)
	c.steps = 4 + len(instance)/8 + len(c.nodes)
	switch {
	case c.repeated != 0:
		return c.steps, &Mismatch{c.pointer(c.repeated), "", "stands there twice"}
	case c.outOfRange != 0:
		return c.steps, &Mismatch{c.pointer(c.outOfRange), "", fmt.Sprintf("has an exponent over %d", maxExponent)}
	}
	if c.conforms(0, s.root) {
		return c.steps, nil
	}
	if c.steps > MaxSteps {
		return c.steps, &Mismatch{"", "", fmt.Sprintf("takes more than %d steps to check", MaxSteps)}
	}
	return c.steps, &Mismatch{c.pointer(c.fail.node), c.fail.at.at + c.fail.keyword, c.fail.reason}
}

// no notes a violation.
func (c *Checker) no(n int32, s *sub, keyword, reason string) bool {
	c.fail = failure{n, s, keyword, reason}
	return false
}

// nof is no with a reason to be formatted, which costs something.
func (c *Checker) nof(n int32, s *sub, keyword, format string, args ...any) bool {
	if c.steps += 16; c.steps > MaxSteps {
		return false
	}
	return c.no(n, s, keyword, fmt.Sprintf(format, args...))
}

// conforms checks one value against one schema. Once the steps are used up
// everything fails, and no alternative is tried any more.
func (c *Checker) conforms(n int32, s *sub) bool {
	if c.steps++; c.steps > MaxSteps {
		return false
	}
	if s.empty {
		return true
	}
	if s.never {
		return c.no(n, s, "", "must not be there")
	}
	kind := c.nodes[n].kind
	if s.kinds != 0 && s.kinds&kind == 0 {
		return c.nof(n, s, "/type", "is %s, must be %s", kindList(kind), kindList(s.kinds))
	}
	if s.enum != nil && !c.listed(n, s) {
		return c.no(n, s, "", "is none of the values that are allowed")
	}
	ok := true
	switch kind {
	case kindObject:
		ok = c.object(n, s)
	case kindArray:
		ok = c.array(n, s)
	case kindString:
		ok = c.text(n, s)
	case kindInteger, kindNumber:
		ok = c.numeric(n, s)
	}
	return ok && c.applied(n, s)
}

func (c *Checker) listed(n int32, s *sub) bool {
	c.scratch = c.appendCanonical(c.scratch[:0], n)
	c.steps += 2 + len(c.scratch)/2
	_, listed := s.enum[string(c.scratch)]
	return listed
}

func kindList(kinds uint8) string {
	list := ""
	for _, k := range [...]struct {
		kind uint8
		name string
	}{
		{kindNull, "null"}, {kindBool, "a boolean"}, {kindInteger | kindNumber, "a number"}, {kindInteger, "an integer"},
		{kindNumber, "a number with a fraction"}, {kindString, "a string"}, {kindArray, "an array"}, {kindObject, "an object"},
	} {
		if kinds&k.kind != k.kind {
			continue
		}
		if kinds &^= k.kind; list != "" {
			list += " or "
		}
		list += k.name
	}
	return list
}

func (c *Checker) object(n int32, s *sub) bool {
	if !c.within(n, s, s.members, int(c.nodes[n].count), "Properties", "members") {
		return false
	}
	var seen [maxRequired / 64]uint64
	met := 0
	if len(s.names) > 0 || s.patterns != nil || s.additional != nil || s.keyNames != nil {
		end := c.nodes[n].next
		for name := n + 1; name < end; name = c.nodes[name+1].next {
			place, ok := c.member(name, s)
			if !ok {
				return false
			}
			if place >= 0 {
				seen[place/64] |= 1 << (place % 64)
				met++
			}
		}
	}
	if met < len(s.required) {
		for i, name := range s.required {
			if seen[i/64]&(1<<(i%64)) == 0 {
				return c.nof(n, s, "/required", "lacks %q", clipText(name))
			}
		}
	}
	for _, d := range s.dependent {
		if !c.has(n, d.name) {
			continue
		}
		for _, need := range d.needs {
			if !c.has(n, need) {
				return c.nof(n, s, "/dependentRequired", "has %q and lacks %q", clipText(d.name), clipText(need))
			}
		}
	}
	return true
}

// member checks one member and answers its place in required, or -1.
func (c *Checker) member(name int32, s *sub) (place int, ok bool) {
	at := &c.nodes[name]
	text := c.tape.text[at.start+1 : at.end-1]
	if at.escaped {
		text = c.bytes(name)
	}
	c.steps++
	p, named := s.properties[string(text)]
	place = -1
	if named {
		place = p.required
	}
	if s.keyNames != nil && !c.conforms(name, s.keyNames) {
		return place, false
	}
	evaluated := named && p.schema != nil
	if evaluated && !c.conforms(name+1, p.schema) {
		return place, false
	}
	for i := range s.patterns {
		if !c.matches(s.patterns[i].pattern, text) {
			continue
		}
		evaluated = true
		if !c.conforms(name+1, s.patterns[i].schema) {
			return place, false
		}
	}
	if !evaluated && s.additional != nil {
		if s.additional.never {
			return place, c.no(name+1, s, "/additionalProperties", "is a member that the schema does not name")
		}
		return place, c.conforms(name+1, s.additional)
	}
	return place, true
}

func (c *Checker) has(object int32, name string) bool {
	for n := object + 1; n < c.nodes[object].next; n = c.nodes[n+1].next {
		if c.steps++; string(c.bytes(n)) == name {
			return true
		}
	}
	return false
}

func (c *Checker) matches(p *pattern, text []byte) bool {
	if c.steps += p.cost(len(text)); c.steps > MaxSteps {
		return false
	}
	return p.Match(text)
}

// within holds a count to its bounds.
func (c *Checker) within(n int32, s *sub, b bounds, count int, keyword, what string) bool {
	if count < b.min {
		return c.nof(n, s, "/min"+keyword, "has %d %s, must have at least %d", count, what, b.min)
	}
	if b.max >= 0 && count > b.max {
		return c.nof(n, s, "/max"+keyword, "has %d %s, must have at most %d", count, what, b.max)
	}
	return true
}

func (c *Checker) array(n int32, s *sub) bool {
	if !c.within(n, s, s.elements, int(c.nodes[n].count), "Items", "elements") {
		return false
	}
	if s.prefix != nil || s.items != nil {
		for child, i := n+1, 0; child < c.nodes[n].next; child, i = c.nodes[child].next, i+1 {
			of := s.items
			if i < len(s.prefix) {
				of = s.prefix[i]
			}
			if of != nil && !c.conforms(child, of) {
				return false
			}
		}
	}
	if !s.unique || c.nodes[n].count < 2 {
		return true
	}
	seen := make(map[string]struct{}, c.nodes[n].count)
	for child := n + 1; child < c.nodes[n].next; child = c.nodes[child].next {
		c.scratch = c.appendCanonical(c.scratch[:0], child)
		if c.steps += 8 + len(c.scratch)/4; c.steps > MaxSteps {
			return false
		}
		if _, met := seen[string(c.scratch)]; met {
			return c.no(child, s, "/uniqueItems", "is there twice")
		}
		seen[string(c.scratch)] = struct{}{}
	}
	return true
}

func (c *Checker) text(n int32, s *sub) bool {
	if s.length.none() && s.pattern == nil {
		return true
	}
	text := c.bytes(n)
	c.steps += 1 + len(text)/32
	if !c.within(n, s, s.length, length(text), "Length", "characters") {
		return false
	}
	if s.pattern != nil && !c.matches(s.pattern, text) {
		return c.no(n, s, "/pattern", "does not match the pattern "+strconv.Quote(s.pattern.text))
	}
	return true
}

func (c *Checker) numeric(n int32, s *sub) bool {
	if !s.min.set && !s.max.set && s.multiple == nil {
		return true
	}
	d, _ := parseDecimal(c.scratch[:0], c.raw(n))
	if d.digits != nil {
		c.scratch = d.digits[:0]
	}
	c.steps += 2 + len(d.digits)/8
	if s.min.set {
		if order := d.compare(s.min.decimal); order < 0 || order == 0 && s.min.exclusive {
			return c.nof(n, s, s.min.keyword("/minimum", "/exclusiveMinimum"), "must be %s %s", s.min.keyword("at least", "over"), s.min.decimal)
		}
	}
	if s.max.set {
		if order := d.compare(s.max.decimal); order > 0 || order == 0 && s.max.exclusive {
			return c.nof(n, s, s.max.keyword("/maximum", "/exclusiveMaximum"), "must be %s %s", s.max.keyword("at most", "under"), s.max.decimal)
		}
	}
	if s.multiple != nil {
		if c.steps += 4 + len(d.digits); !s.multiple.divides(d) {
			return c.nof(n, s, "/multipleOf", "must be a multiple of %s", s.step)
		}
	}
	return true
}

func (l *limit) keyword(inclusive, exclusive string) string {
	if l.exclusive {
		return exclusive
	}
	return inclusive
}

// applied checks the schemas that s applies to the same value.
func (c *Checker) applied(n int32, s *sub) bool {
	if s.ref != nil && !c.conforms(n, s.ref) {
		return false
	}
	for _, of := range s.allOf {
		if !c.conforms(n, of) {
			return false
		}
	}
	if s.anyOf != nil && c.matching(n, s.anyOf, 1) == 0 {
		return c.no(n, s, "/anyOf", "conforms to none of the "+strconv.Itoa(len(s.anyOf))+" alternatives")
	}
	if s.oneOf != nil {
		if count := c.matching(n, s.oneOf, 2); count != 1 {
			return c.no(n, s, "/oneOf", "must conform to exactly one of "+strconv.Itoa(len(s.oneOf))+" alternatives, conforms to "+[...]string{"none", "", "several"}[count])
		}
	}
	if s.not != nil && c.matching(n, []*sub{s.not}, 1) == 1 {
		return c.no(n, s, "/not", "conforms to what it must not be")
	}
	if s.condition == nil {
		return c.steps <= MaxSteps
	}
	branch := s.yes
	if c.matching(n, []*sub{s.condition}, 1) == 0 {
		branch = s.no
	}
	return c.steps <= MaxSteps && (branch == nil || c.conforms(n, branch))
}

// matching counts the alternatives that a value conforms to, up to enough.
func (c *Checker) matching(n int32, alternatives []*sub, enough int) (count int) {
	for _, of := range alternatives {
		if c.conforms(n, of) {
			if count++; count == enough {
				break
			}
		}
	}
	return count
}
