package schema

import "slices"

// objects goes through what s asks of objects.
func (c *comparison) objects(known facts, s *sub) *Breach {
	if b := counts(known, s, func(f *sub) bounds { return f.members }, "Properties"); b != nil {
		return b
	}
	for _, name := range s.required {
		if !known.requires(name) {
			return refuse(s, "/required", "%q could be left out", clipText(name))
		}
	}
	if b := c.dependents(known, s); b != nil {
		return b
	}
	for _, name := range s.names {
		of := s.properties[name].schema
		if of == nil {
			continue
		}
		if b := c.proves(known.member(name), of); b != nil {
			return b
		}
	}
	for _, p := range s.patterns {
		if b := c.matching(known, p); b != nil {
			return b
		}
	}
	if s.additional != nil {
		if b := c.additional(known, s); b != nil {
			return b
		}
	}
	if s.keyNames != nil {
		return c.keyNames(known, s)
	}
	return nil
}

func (f facts) requires(name string) bool {
	return f.any(func(s *sub) bool { return slices.Contains(s.required, name) })
}

func (c *comparison) dependents(known facts, s *sub) *Breach {
	for _, d := range s.dependent {
		if known.member(d.name).any(func(f *sub) bool { return f.never }) {
			continue
		}
		for _, need := range d.needs {
			if !known.requires(need) && !known.any(func(f *sub) bool { return f.depends(d.name, need) }) {
				return refuse(s, "/dependentRequired", "%q could be there without %q", clipText(d.name), clipText(need))
			}
		}
	}
	return nil
}

func (s *sub) depends(name, need string) bool {
	return slices.ContainsFunc(s.dependent, func(d dependency) bool { return d.name == name && slices.Contains(d.needs, need) })
}

// member is what is known of the member with a name.
func (f facts) member(name string) (all facts) {
	for _, s := range f {
		evaluated := false
		if of := s.properties[name].schema; of != nil {
			all, evaluated = append(all, of), true
		}
		for _, p := range s.patterns {
			if p.MatchString(name) {
				all, evaluated = append(all, p.schema), true
			}
		}
		if !evaluated && s.additional != nil {
			all = append(all, s.additional)
		}
	}
	return all
}

// said lists the names that facts say something of.
func (f facts) said() (names []string) {
	for _, s := range f {
		names = append(names, s.names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unsaid is what each fact says of a member that its properties do not name:
// the schemas of which one at least holds. A fact that says nothing of some
// such member answers nothing.
func (s *sub) unsaid() []*sub {
	if s.additional == nil {
		return nil
	}
	of := []*sub{s.additional}
	for _, p := range s.patterns {
		of = append(of, p.schema)
	}
	return of
}

// others proves s of every member that no fact's properties name.
func (c *comparison) others(known facts, of *sub) *Breach {
	b := c.proves(nil, of)
	for _, f := range known {
		if b == nil {
			return nil
		}
		alternatives := f.unsaid()
		if alternatives == nil {
			continue
		}
		var first *Breach
		for _, one := range alternatives {
			if first = c.proves(facts{one}, of); first != nil {
				break
			}
		}
		b = first
	}
	return b
}

// matching proves a patternProperty of all members whose name matches.
func (c *comparison) matching(known facts, p patternProperty) *Breach {
	for _, name := range known.said() {
		if !p.MatchString(name) {
			continue
		}
		if b := c.proves(known.member(name), p.schema); b != nil {
			return b
		}
	}
	for _, f := range known {
		for _, other := range f.patterns {
			if other.text == p.text && c.proves(facts{other.schema}, p.schema) == nil {
				return nil
			}
		}
	}
	return c.others(known, p.schema)
}

// additional proves what s asks of the members that it does not name.
func (c *comparison) additional(known facts, s *sub) *Breach {
	for _, name := range known.said() {
		if s.names != nil && s.properties[name].schema != nil || slices.ContainsFunc(s.patterns, func(p patternProperty) bool { return p.MatchString(name) }) {
			continue
		}
		if b := c.proves(known.member(name), s.additional); b != nil {
			if s.additional.never {
				return refuse(s, "/additionalProperties", "the member %q was allowed", clipText(name))
			}
			return b
		}
	}
	b := c.proves(nil, s.additional)
	for _, f := range known {
		if b == nil {
			break
		}
		if f.additional == nil {
			continue
		}
		b = c.proves(facts{f.additional}, s.additional)
		for _, p := range f.patterns {
			covered := slices.ContainsFunc(s.patterns, func(own patternProperty) bool { return own.text == p.text })
			if b == nil && !covered {
				b = c.proves(facts{p.schema}, s.additional)
			}
		}
	}
	if b != nil && s.additional.never {
		return refuse(s, "/additionalProperties", "members that are not named were allowed")
	}
	return b
}

// keyNames proves what s asks of the names of members.
func (c *comparison) keyNames(known facts, s *sub) *Breach {
	text := newSub(0, s.at) // no schema of a document has this id
	text.kinds = kindString
	b := c.proves(facts{text}, s.keyNames)
	for _, f := range known {
		if b == nil {
			return nil
		}
		if f.keyNames != nil {
			b = c.proves(facts{text, f.keyNames}, s.keyNames)
		}
		if b != nil && f.additional != nil && f.additional.never && f.patterns == nil {
			b = c.namesListed(f, s)
		}
	}
	return b
}

// namesListed checks the only names that an object can have.
func (c *comparison) namesListed(f, s *sub) *Breach {
	for _, name := range f.names {
		if f.properties[name].schema == nil {
			continue
		}
		steps, err := c.checker.Check(&Schema{root: s.keyNames}, quote(name))
		if c.work += steps; err != nil {
			return refuse(s, "/propertyNames", "the name %q was allowed: %v", clipText(name), err)
		}
	}
	return nil
}
