package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Draft is the only $schema that is accepted.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// Schema is a compiled schema. It is immutable and safe for concurrent use.
type Schema struct {
	root *sub
	// Sealed says that the schema lets through, unread, data that their
	// producer sealed: its "x-sealed" is true.
	Sealed bool
}

// sub is one schema of a document: a conjunction of all that is set.
type sub struct {
	id    int    // in the document, from 1
	at    string // JSON Pointer in the document
	text  string // canonical
	never bool   // false
	empty bool   // true, or nothing that is checked

	kinds uint8 // 0: any
	enum  map[string]struct{}
	list  [][]byte // of enum, as JSON texts

	names      []string // of properties and required, sorted
	properties map[string]property
	required   []string // sorted
	patterns   []patternProperty
	additional *sub
	keyNames   *sub
	dependent  []dependency
	members    bounds // of an object

	items    *sub
	prefix   []*sub
	elements bounds
	unique   bool

	length   bounds // of a string, in characters
	pattern  *pattern
	min, max limit
	multiple *divisor
	step     decimal // of multiple

	allOf, anyOf, oneOf     []*sub
	not, condition, yes, no *sub
	ref                     *sub
	refers                  string // of ref, until it is resolved
}

// property is what is said of a member by its name.
type property struct {
	schema   *sub // nil: nothing
	required int  // place in required, or -1
}

type patternProperty struct {
	*pattern
	schema *sub
}

type dependency struct {
	name  string
	needs []string
}

// bounds of a count; max is -1 where there is none.
type bounds struct{ min, max int }

func (b bounds) none() bool { return b.min == 0 && b.max < 0 }

// limit is a bound of a number.
type limit struct {
	decimal
	set, exclusive bool
}

// pattern is a regular expression with what it costs.
type pattern struct {
	text   string
	weight int
	*regexp.Regexp
}

// compiler turns a text into a Schema.
type compiler struct {
	*tape
	defs  map[string]*sub
	refs  []*sub
	count int
}

// Compile reads a schema. The error leads with the JSON Pointer of what is
// wrong with it.
func Compile(text []byte) (*Schema, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("the schema has %d bytes, the limit is %d", len(text), MaxBytes)
	}
	t, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	c := &compiler{tape: t, defs: map[string]*sub{}}
	s := &Schema{}
	if s.root, err = c.schema(0, "", 0); err != nil {
		return nil, err
	}
	if err := c.resolve(s.root); err != nil {
		return nil, err
	}
	s.Sealed = c.sealed()
	return s, nil
}

func (c *compiler) sealed() bool {
	value, there := c.member(0, "x-sealed")
	return there && c.text[c.nodes[value].start] == 't'
}

// member finds a member of an object.
func (c *compiler) member(object int32, name string) (value int32, ok bool) {
	if c.nodes[object].kind != kindObject {
		return 0, false
	}
	for n := object + 1; n < c.nodes[object].next; n = c.nodes[n+1].next {
		if string(c.bytes(n)) == name {
			return n + 1, true
		}
	}
	return 0, false
}

func newSub(id int, at string) *sub {
	none := bounds{max: -1}
	return &sub{id: id, at: at, members: none, elements: none, length: none}
}

func (c *compiler) schema(n int32, at string, depth int) (*sub, error) {
	if c.count++; c.count > maxSubschemas {
		return nil, fmt.Errorf("%s: more than %d schemas in one", where(at), maxSubschemas)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: nested deeper than %d", where(at), maxDepth)
	}
	s := newSub(c.count, at)
	s.text = string(c.appendCanonical(nil, n))
	switch c.nodes[n].kind {
	case kindBool:
		s.empty = c.text[c.nodes[n].start] == 't'
		s.never = !s.empty
		return s, nil
	case kindObject:
	default:
		return nil, fmt.Errorf("%s: a schema is an object, true or false", where(at))
	}
	for name := n + 1; name < c.nodes[n].next; name = c.nodes[name+1].next {
		keyword := string(c.bytes(name))
		read, known := keywords[keyword]
		if !known {
			if strings.HasPrefix(keyword, "x-") {
				continue
			}
			return nil, fmt.Errorf("%s: the keyword %q is not one that this ledger checks; docs/schemas.md lists those it does", where(at), clipText(keyword))
		}
		if err := read(c, s, place{name + 1, at + "/" + keyword, depth}); err != nil {
			return nil, err
		}
	}
	return s, s.finish()
}

// where names a place for people; the whole document has an empty pointer.
func where(at string) string {
	if at == "" {
		return "schema"
	}
	return at
}

func clipText(s string) string { return s[:min(len(s), 80)] }

// finish settles what depends on several keywords.
func (s *sub) finish() error {
	if s.yes != nil && s.condition == nil || s.no != nil && s.condition == nil {
		return fmt.Errorf("%s: then and else need an if", where(s.at))
	}
	for i, name := range s.required {
		if s.properties == nil {
			s.properties = map[string]property{}
		}
		p := s.properties[name]
		p.required = i
		s.properties[name] = p
	}
	s.names = slices.Sorted(maps.Keys(s.properties))
	for _, name := range s.names {
		if p := s.properties[name]; !slices.Contains(s.required, name) {
			p.required = -1
			s.properties[name] = p
		}
	}
	s.empty = s.kinds == 0 && s.enum == nil && len(s.names) == 0 && s.patterns == nil && s.additional == nil && s.keyNames == nil &&
		s.dependent == nil && s.members.none() && s.items == nil && s.prefix == nil && s.elements.none() && !s.unique && s.length.none() &&
		s.pattern == nil && !s.min.set && !s.max.set && s.multiple == nil && s.allOf == nil && s.anyOf == nil && s.oneOf == nil &&
		s.not == nil && s.condition == nil && s.refers == ""
	return nil
}

// resolve leads references to what they name, and refuses chains of schemas
// about one value that are too long or come back to where they were.
func (c *compiler) resolve(root *sub) error {
	for _, s := range c.refs {
		target := root
		if s.refers != "#" {
			name, local := strings.CutPrefix(s.refers, "#/$defs/")
			name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
			if target = c.defs[name]; !local || target == nil {
				return fmt.Errorf("%s/$ref: %q is not # or #/$defs/ and a name that the document's $defs have; nothing is fetched", s.at, clipText(s.refers))
			}
		}
		s.ref = target
	}
	lengths := map[*sub]int{}
	if err := c.inPlace(root, lengths, 0); err != nil {
		return err
	}
	for _, s := range c.refs { // chains that begin deeper
		if err := c.inPlace(s, lengths, 0); err != nil {
			return err
		}
	}
	return nil
}

// inPlace works out how many schemas in a row look at the value s looks at.
func (c *compiler) inPlace(s *sub, lengths map[*sub]int, depth int) error {
	if _, done := lengths[s]; done {
		if lengths[s] < 0 {
			return fmt.Errorf("%s: refers to itself without going deeper into the value", where(s.at))
		}
		return nil
	}
	lengths[s] = -1
	longest := 0
	for _, next := range s.appliesHere() {
		if depth > maxSubschemas {
			return fmt.Errorf("%s: refers too far", where(s.at))
		}
		if err := c.inPlace(next, lengths, depth+1); err != nil {
			return err
		}
		longest = max(longest, lengths[next]+1)
	}
	if longest > maxInPlace {
		return fmt.Errorf("%s: more than %d schemas in a row look at one value", where(s.at), maxInPlace)
	}
	lengths[s] = longest
	return nil
}

// appliesHere lists the schemas that s applies to the value it looks at.
func (s *sub) appliesHere() []*sub {
	list := slices.Concat(s.allOf, s.anyOf, s.oneOf)
	for _, one := range [...]*sub{s.not, s.condition, s.yes, s.no, s.ref} {
		if one != nil {
			list = append(list, one)
		}
	}
	return list
}
