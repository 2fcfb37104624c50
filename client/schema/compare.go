package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Rule is which schemas may follow one another as versions of an event type.
type Rule = protocol.SchemaRule

// Rules.
const (
	RuleNone     = protocol.SchemaNone
	RuleBackward = protocol.SchemaBackward
	RuleForward  = protocol.SchemaForward
	RuleFull     = protocol.SchemaFull
)

// Breach says where one version may not follow another.
type Breach struct {
	Rule    Rule   // RuleBackward or RuleForward: which half was broken
	Pointer string // into the schema that is the narrower one there
	Reason  string
}

// Error renders the breach.
func (b *Breach) Error() string {
	which := "the new version"
	if b.Rule == RuleForward {
		which = "the old version"
	}
	return fmt.Sprintf("not %s compatible: %s of %s: %s", b.Rule, where(b.Pointer), which, b.Reason)
}

// Follow says whether next may follow previous under a rule: nil, or a *Breach.
//
// It answers nil only where it has proved what the rule asks for, keyword by
// keyword; what it cannot prove it refuses, though it may be so.
func Follow(rule Rule, previous, next *Schema) error {
	if rule == RuleBackward || rule == RuleFull {
		if b := includes(previous, next); b != nil {
			b.Rule = RuleBackward
			return b
		}
	}
	if rule == RuleForward || rule == RuleFull {
		if b := includes(next, previous); b != nil {
			b.Rule = RuleForward
			return b
		}
	}
	return nil
}

// comparison proves that whatever conforms to one schema conforms to another.
type comparison struct {
	checker Checker
	assumed map[string]bool // under way, or proved while what is under way is assumed
	trail   []string        // of assumed, in the order they came
	work    int
}

// includes answers nil where every instance of narrow is one of wide.
func includes(narrow, wide *Schema) *Breach {
	if narrow.Sealed && !wide.Sealed {
		return &Breach{Pointer: "/x-sealed", Reason: "sealed data were let through and no longer are"}
	}
	c := &comparison{assumed: map[string]bool{}}
	return c.proves(facts{narrow.root}, wide.root)
}

// facts are schemas that a value is known to conform to, all of them.
type facts []*sub

// known are the facts and what they contain in place.
func (c *comparison) known(f facts) facts {
	var all facts
	for _, s := range f {
		if s == nil || s.empty || slices.Contains(all, s) {
			continue
		}
		all = append(all, s)
		below := slices.Clone(s.allOf)
		if s.ref != nil {
			below = append(below, s.ref)
		}
		if len(below) > 0 {
			for _, one := range c.known(below) {
				if !slices.Contains(all, one) {
					all = append(all, one)
				}
			}
		}
	}
	return all
}

func (f facts) kinds() uint8 {
	kinds := uint8(anyKind)
	for _, s := range f {
		if s.kinds != 0 {
			kinds &= s.kinds
		}
	}
	return kinds
}

// any says whether one of the facts has what is looked for.
func (f facts) any(holds func(*sub) bool) bool { return slices.ContainsFunc(f, holds) }

func refuse(s *sub, keyword, format string, args ...any) *Breach {
	return &Breach{Pointer: s.at + keyword, Reason: fmt.Sprintf(format, args...)}
}

// proves answers nil where a value of which the facts are known conforms to s.
func (c *comparison) proves(given facts, s *sub) *Breach {
	if s.empty {
		return nil
	}
	if c.work++; c.work > maxCompareWork {
		return refuse(s, "", "the two schemas take too long to compare")
	}
	pair := pairName(given, s)
	if c.assumed[pair] {
		return nil // by induction on the value: coming here again means that it became smaller
	}
	mark := len(c.trail)
	c.assumed[pair], c.trail = true, append(c.trail, pair)
	b := c.compare(given, s)
	if b != nil { // and with it falls what was proved on its assumption
		for _, fallen := range c.trail[mark:] {
			delete(c.assumed, fallen)
		}
		c.trail = c.trail[:mark]
	}
	return b
}

// pairName names facts and what is to be proved of them; the facts are of one
// document and s is of the other.
func pairName(given facts, s *sub) string {
	ids := make([]int, 0, len(given))
	for _, f := range given {
		ids = append(ids, f.id)
	}
	slices.Sort(ids)
	name := strconv.AppendInt(nil, int64(s.id), 10)
	for _, id := range slices.Compact(ids) {
		name = strconv.AppendInt(append(name, ' '), int64(id), 10)
	}
	return string(name)
}

func (c *comparison) compare(given facts, s *sub) *Breach {
	known := c.known(given)
	if known.any(func(f *sub) bool { return f.never || f == s || f.text == s.text && !strings.Contains(f.text, "$ref") }) {
		return nil
	}
	if s.never {
		return refuse(s, "", "allows nothing, and something was allowed")
	}
	for _, f := range known {
		if f.enum != nil {
			return c.listed(f, s)
		}
	}
	b := c.own(known, s)
	if b == nil {
		return nil
	}
	// What conforms to one of some alternatives conforms to s if each of them does.
	for _, f := range known {
		for _, alternatives := range [...][]*sub{f.anyOf, f.oneOf} {
			met := slices.ContainsFunc(given, func(k *sub) bool { return slices.Contains(alternatives, k) })
			if alternatives != nil && !met && c.all(given, alternatives, s) {
				return nil
			}
		}
	}
	return b
}

func (c *comparison) all(given facts, alternatives []*sub, s *sub) bool {
	for _, one := range alternatives {
		if c.proves(append(slices.Clone(given), one), s) != nil {
			return false
		}
	}
	return true
}

// listed checks the finitely many values of an enum.
func (c *comparison) listed(f, s *sub) *Breach {
	for _, value := range f.list {
		steps, err := c.checker.CheckValid(&Schema{root: s}, value)
		c.work += steps
		if err != nil {
			return refuse(s, "", "the value %s was allowed: %v", clipText(string(value)), err)
		}
	}
	return nil
}

// own goes through what s asks for.
func (c *comparison) own(known facts, s *sub) *Breach {
	kinds := known.kinds()
	if s.kinds != 0 && kinds&^s.kinds != 0 {
		return refuse(s, "/type", "%s was allowed", kindList(kinds&^s.kinds))
	}
	if s.enum != nil {
		return refuse(s, "/enum", "other values were allowed")
	}
	type part struct {
		kinds uint8
		prove func(facts, *sub) *Breach
	}
	for _, p := range [...]part{
		{kindObject, c.objects}, {kindArray, c.arrays}, {kindString, c.strings}, {kindInteger | kindNumber, c.numbers}, {anyKind, c.applied},
	} {
		if kinds&p.kinds == 0 {
			continue
		}
		if b := p.prove(known, s); b != nil {
			return b
		}
	}
	return nil
}

func counts(known facts, s *sub, of func(*sub) bounds, keyword string) *Breach {
	b := of(s)
	if b.min > 0 && !known.any(func(f *sub) bool { return of(f).min >= b.min }) {
		return refuse(s, "/min"+keyword, "fewer than %d were allowed", b.min)
	}
	if b.max >= 0 && !known.any(func(f *sub) bool { return of(f).max >= 0 && of(f).max <= b.max }) {
		return refuse(s, "/max"+keyword, "more than %d were allowed", b.max)
	}
	return nil
}

func (c *comparison) strings(known facts, s *sub) *Breach {
	if b := counts(known, s, func(f *sub) bounds { return f.length }, "Length"); b != nil {
		return b
	}
	if s.pattern != nil && !known.any(func(f *sub) bool { return f.pattern != nil && f.pattern.text == s.pattern.text }) {
		return refuse(s, "/pattern", "the pattern is new or another")
	}
	return nil
}

func (c *comparison) numbers(known facts, s *sub) *Breach {
	if s.min.set && !known.any(func(f *sub) bool {
		order := f.min.compare(s.min.decimal)
		return f.min.set && (order > 0 || order == 0 && (f.min.exclusive || !s.min.exclusive))
	}) {
		return refuse(s, s.min.keyword("/minimum", "/exclusiveMinimum"), "smaller numbers were allowed")
	}
	if s.max.set && !known.any(func(f *sub) bool {
		order := f.max.compare(s.max.decimal)
		return f.max.set && (order < 0 || order == 0 && (f.max.exclusive || !s.max.exclusive))
	}) {
		return refuse(s, s.max.keyword("/maximum", "/exclusiveMaximum"), "greater numbers were allowed")
	}
	if s.multiple == nil {
		return nil
	}
	one := decimal{digits: []byte("1")}
	if known.kinds()&kindNumber == 0 && s.multiple.divides(one) {
		return nil
	}
	if known.any(func(f *sub) bool { return f.multiple != nil && s.multiple.divides(f.step) }) {
		return nil
	}
	return refuse(s, "/multipleOf", "other numbers were allowed")
}

// element is what is known of the element at a place.
func (f facts) element(i int) (all facts) {
	for _, s := range f {
		switch {
		case i < len(s.prefix):
			all = append(all, s.prefix[i])
		case s.items != nil:
			all = append(all, s.items)
		}
	}
	return all
}

func (c *comparison) arrays(known facts, s *sub) *Breach {
	if b := counts(known, s, func(f *sub) bounds { return f.elements }, "Items"); b != nil {
		return b
	}
	most, prefix := -1, len(s.prefix)
	for _, f := range known {
		if f.elements.max >= 0 && (most < 0 || f.elements.max < most) {
			most = f.elements.max
		}
		prefix = max(prefix, len(f.prefix))
	}
	if s.unique && most != 0 && most != 1 && !known.any(func(f *sub) bool { return f.unique }) {
		return refuse(s, "/uniqueItems", "elements could be repeated")
	}
	for i := 0; i <= prefix && (most < 0 || i < most); i++ {
		of, keyword := s.items, "/items"
		if i < len(s.prefix) {
			of, keyword = s.prefix[i], "/prefixItems/"+strconv.Itoa(i)
		}
		if of == nil {
			continue
		}
		if b := c.proves(known.element(i), of); b != nil {
			if b.Pointer == "" {
				b.Pointer = s.at + keyword
			}
			return b
		}
	}
	return nil
}

// applied goes through the schemas that s applies to the same value.
func (c *comparison) applied(known facts, s *sub) *Breach {
	all := slices.Clone(s.allOf)
	if s.ref != nil {
		all = append(all, s.ref)
	}
	for _, of := range all {
		if b := c.proves(known, of); b != nil {
			return b
		}
	}
	if s.anyOf != nil && !c.some(known, s.anyOf) && !known.any(func(f *sub) bool { return c.someEach(known, f.anyOf, s.anyOf) || c.someEach(known, f.oneOf, s.anyOf) }) {
		return refuse(s, "/anyOf", "no alternative is seen to allow all that was allowed")
	}
	if s.oneOf != nil && !known.any(func(f *sub) bool { return sameList(f.oneOf, s.oneOf) }) {
		return refuse(s, "/oneOf", "the alternatives are new or others")
	}
	if s.not != nil && !known.any(func(f *sub) bool { return same(f.not, s.not) }) {
		return refuse(s, "/not", "it is new or another")
	}
	if s.condition == nil {
		return nil
	}
	if known.any(func(f *sub) bool { return same(f.condition, s.condition) && same(f.yes, s.yes) && same(f.no, s.no) }) {
		return nil
	}
	for _, branch := range [...]*sub{s.yes, s.no} {
		if branch != nil && c.proves(known, branch) != nil {
			return refuse(s, "/if", "the condition is new or another")
		}
	}
	return nil
}

func (c *comparison) some(known facts, alternatives []*sub) bool {
	return slices.ContainsFunc(alternatives, func(of *sub) bool { return c.proves(known, of) == nil })
}

// someEach says whether each of some alternatives known is within one of others.
func (c *comparison) someEach(known facts, each, alternatives []*sub) bool {
	for _, one := range each {
		if !c.some(append(slices.Clone(known), one), alternatives) {
			return false
		}
	}
	return len(each) > 0
}

// same says that two schemas are one by their text alone.
func same(a, b *sub) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.text == b.text && !strings.Contains(a.text, "$ref")
}

func sameList(a, b []*sub) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, same)
}
