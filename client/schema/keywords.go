package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// place is the value of a keyword.
type place struct {
	n     int32
	at    string
	depth int
}

func (p place) refuse(format string, args ...any) error {
	return fmt.Errorf("%s: %s", p.at, fmt.Sprintf(format, args...))
}

type keyword func(c *compiler, s *sub, p place) error

var keywords map[string]keyword

func init() { // refers to functions that refer to it
	keywords = map[string]keyword{
		"$schema": draft, "$id": rootText, "$defs": defs, "$ref": reference,
		"type": kinds, "enum": enum, "const": constant,
		"properties": properties, "required": required, "patternProperties": patternProperties,
		"additionalProperties": one(func(s *sub) **sub { return &s.additional }),
		"propertyNames":        one(func(s *sub) **sub { return &s.keyNames }),
		"dependentRequired":    dependentRequired,
		"minProperties":        least(func(s *sub) *bounds { return &s.members }),
		"maxProperties":        most(func(s *sub) *bounds { return &s.members }),
		"items":                one(func(s *sub) **sub { return &s.items }),
		"prefixItems":          several(func(s *sub) *[]*sub { return &s.prefix }),
		"minItems":             least(func(s *sub) *bounds { return &s.elements }),
		"maxItems":             most(func(s *sub) *bounds { return &s.elements }),
		"uniqueItems":          unique,
		"minLength":            least(func(s *sub) *bounds { return &s.length }),
		"maxLength":            most(func(s *sub) *bounds { return &s.length }),
		"pattern":              patternKeyword,
		"minimum":              number(false, false), "exclusiveMinimum": number(false, true),
		"maximum": number(true, false), "exclusiveMaximum": number(true, true),
		"multipleOf": multipleOf,
		"allOf":      several(func(s *sub) *[]*sub { return &s.allOf }),
		"anyOf":      several(func(s *sub) *[]*sub { return &s.anyOf }),
		"oneOf":      several(func(s *sub) *[]*sub { return &s.oneOf }),
		"not":        one(func(s *sub) **sub { return &s.not }),
		"if":         one(func(s *sub) **sub { return &s.condition }),
		"then":       one(func(s *sub) **sub { return &s.yes }),
		"else":       one(func(s *sub) **sub { return &s.no }),
	}
	// What the draft calls annotations, format among them, says nothing about validity.
	for _, name := range [...]string{"title", "description", "$comment", "format", "default", "examples", "deprecated", "readOnly", "writeOnly"} {
		keywords[name] = func(*compiler, *sub, place) error { return nil }
	}
}

func (c *compiler) string(p place) (string, error) {
	if c.nodes[p.n].kind != kindString {
		return "", p.refuse("must be a string")
	}
	return string(c.bytes(p.n)), nil
}

func draft(c *compiler, s *sub, p place) error {
	if text, err := c.string(p); err != nil || strings.TrimSuffix(text, "#") != Draft || s.at != "" {
		return p.refuse("must be %q, at the top", Draft)
	}
	return nil
}

func rootText(c *compiler, s *sub, p place) error {
	if _, err := c.string(p); err != nil || s.at != "" {
		return p.refuse("must be a string, at the top; it names the schema and changes nothing")
	}
	return nil
}

// each calls visit with the members of an object.
func (c *compiler) each(p place, visit func(name string, member place) error) error {
	if c.nodes[p.n].kind != kindObject {
		return p.refuse("must be an object")
	}
	for n := p.n + 1; n < c.nodes[p.n].next; n = c.nodes[n+1].next {
		var at strings.Builder
		at.WriteString(p.at)
		name := string(c.bytes(n))
		appendToken(&at, name)
		if err := visit(name, place{n + 1, at.String(), p.depth}); err != nil {
			return err
		}
	}
	return nil
}

// list calls visit with the elements of an array.
func (c *compiler) list(p place, visit func(element place) error) error {
	if c.nodes[p.n].kind != kindArray {
		return p.refuse("must be an array")
	}
	for n, i := p.n+1, 0; n < c.nodes[p.n].next; n, i = c.nodes[n].next, i+1 {
		if err := visit(place{n, p.at + "/" + strconv.Itoa(i), p.depth}); err != nil {
			return err
		}
	}
	return nil
}

// strings reads an array of different strings, sorted.
func (c *compiler) strings(p place) (all []string, err error) {
	err = c.list(p, func(e place) error {
		text, err := c.string(e)
		all = append(all, text)
		return err
	})
	slices.Sort(all)
	if before := len(all); err == nil && len(slices.Compact(slices.Clone(all))) != before {
		err = p.refuse("has a name twice")
	}
	if err == nil && len(all) > maxRequired {
		err = p.refuse("has %d names, the limit is %d", len(all), maxRequired)
	}
	return all, err
}

func defs(c *compiler, s *sub, p place) error {
	if s.at != "" {
		return p.refuse("$defs stand at the top")
	}
	return c.each(p, func(name string, member place) (err error) {
		c.defs[name], err = c.schema(member.n, member.at, p.depth+1)
		return err
	})
}

func reference(c *compiler, s *sub, p place) (err error) {
	s.refers, err = c.string(p)
	c.refs = append(c.refs, s)
	return err
}

var kindNames = map[string]uint8{
	"null": kindNull, "boolean": kindBool, "integer": kindInteger, "number": kindInteger | kindNumber,
	"string": kindString, "array": kindArray, "object": kindObject,
}

func kinds(c *compiler, s *sub, p place) error {
	add := func(e place) error {
		name, err := c.string(e)
		kind, known := kindNames[name]
		if err != nil || !known {
			return e.refuse("must be null, boolean, integer, number, string, array or object")
		}
		s.kinds |= kind
		return nil
	}
	if c.nodes[p.n].kind == kindString {
		return add(p)
	}
	if err := c.list(p, add); err != nil {
		return err
	}
	if s.kinds == 0 {
		return p.refuse("names no type")
	}
	return nil
}

func (c *compiler) allow(s *sub, p place) {
	if s.enum == nil {
		s.enum = map[string]struct{}{}
	}
	s.enum[string(c.appendCanonical(nil, p.n))] = struct{}{}
	s.list = append(s.list, c.raw(p.n))
}

func enum(c *compiler, s *sub, p place) error {
	if s.enum != nil {
		return p.refuse("stands beside const; one of them is enough")
	}
	if err := c.list(p, func(e place) error { c.allow(s, e); return nil }); err != nil {
		return err
	}
	if s.enum == nil {
		return p.refuse("lists nothing")
	}
	return nil
}

func constant(c *compiler, s *sub, p place) error {
	if s.enum != nil {
		return p.refuse("stands beside enum; one of them is enough")
	}
	c.allow(s, p)
	return nil
}

func properties(c *compiler, s *sub, p place) error {
	s.properties = map[string]property{}
	return c.each(p, func(name string, member place) error {
		of, err := c.schema(member.n, member.at, p.depth+1)
		s.properties[name] = property{schema: of}
		return err
	})
}

func required(c *compiler, s *sub, p place) (err error) {
	s.required, err = c.strings(p)
	return err
}

func patternProperties(c *compiler, s *sub, p place) error {
	return c.each(p, func(name string, member place) error {
		compiled, err := newPattern(name)
		if err != nil {
			return member.refuse("%v", err)
		}
		of, err := c.schema(member.n, member.at, p.depth+1)
		s.patterns = append(s.patterns, patternProperty{compiled, of})
		return err
	})
}

func dependentRequired(c *compiler, s *sub, p place) error {
	return c.each(p, func(name string, member place) error {
		needs, err := c.strings(member)
		s.dependent = append(s.dependent, dependency{name, needs})
		return err
	})
}

func one(field func(*sub) **sub) keyword {
	return func(c *compiler, s *sub, p place) (err error) {
		*field(s), err = c.schema(p.n, p.at, p.depth+1)
		return err
	}
}

func several(field func(*sub) *[]*sub) keyword {
	return func(c *compiler, s *sub, p place) error {
		err := c.list(p, func(e place) error {
			of, err := c.schema(e.n, e.at, p.depth+1)
			*field(s) = append(*field(s), of)
			return err
		})
		if err == nil && len(*field(s)) == 0 {
			err = p.refuse("lists nothing")
		}
		return err
	}
}

// count reads a bound of a count.
func (c *compiler) count32(p place) (int, error) {
	if c.nodes[p.n].kind == kindInteger {
		if d, _ := parseDecimal(nil, c.raw(p.n)); d.sign() >= 0 && len(d.digits)+d.exp <= 9 {
			if n, err := strconv.Atoi(d.String()); err == nil {
				return n, nil
			}
		}
	}
	return 0, p.refuse("must be an integer from 0 to 999999999")
}

func least(field func(*sub) *bounds) keyword {
	return func(c *compiler, s *sub, p place) (err error) {
		field(s).min, err = c.count32(p)
		return err
	}
}

func most(field func(*sub) *bounds) keyword {
	return func(c *compiler, s *sub, p place) (err error) {
		field(s).max, err = c.count32(p)
		return err
	}
}

func unique(c *compiler, s *sub, p place) error {
	if c.nodes[p.n].kind != kindBool {
		return p.refuse("must be true or false")
	}
	s.unique = c.raw(p.n)[0] == 't'
	return nil
}

func patternKeyword(c *compiler, s *sub, p place) error {
	text, err := c.string(p)
	if err != nil {
		return err
	}
	if s.pattern, err = newPattern(text); err != nil {
		return p.refuse("%v", err)
	}
	return nil
}

func (c *compiler) decimal(p place) (decimal, error) {
	if c.nodes[p.n].kind&(kindInteger|kindNumber) == 0 {
		return decimal{}, p.refuse("must be a number")
	}
	d, _ := parseDecimal(nil, c.raw(p.n))
	return d, nil
}

// number reads a bound of numbers. Of an inclusive and an exclusive one the
// narrower counts.
func number(upper, exclusive bool) keyword {
	return func(c *compiler, s *sub, p place) error {
		d, err := c.decimal(p)
		if err != nil {
			return err
		}
		of := &s.min
		if upper {
			of = &s.max
		}
		wider := of.set && (d.compare(of.decimal) < 0) != upper && d.compare(of.decimal) != 0
		if wider || of.set && of.exclusive && d.compare(of.decimal) == 0 {
			return nil
		}
		*of = limit{d, true, exclusive}
		return nil
	}
}

func multipleOf(c *compiler, s *sub, p place) error {
	d, err := c.decimal(p)
	if err != nil {
		return err
	}
	v, ok := newDivisor(d)
	if !ok {
		return p.refuse("must be over 0 and have at most 18 digits")
	}
	s.multiple, s.step = &v, d
	return nil
}

// length counts characters as the draft does.
func length(s []byte) int { return utf8.RuneCount(s) }
