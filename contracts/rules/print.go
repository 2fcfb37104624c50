package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// The canonical text of a rule: single spaces, numbers and times in their
// shortest form, no needless parentheses, and everything written out that was
// left to its default. Reading it gives the same rule.

// canonical writes a rule.
func (r *rule) canonical() []byte {
	b := append(make([]byte, 0, 512), "when "...)
	b = r.when.print(b)
	if r.global {
		b = append(b, " global"...)
	} else {
		b = append(b, " per subject"...)
	}
	b = appendSpan(append(b, " late "...), r.lateNs)
	b = appendSpan(append(b, " cooldown "...), r.cooldownNs)
	if !r.action {
		return append(append(b, " do alert "...), r.name...)
	}
	b = append(append(b, " do action "...), r.name...)
	if len(r.actuator) > 0 {
		b = appendQuoted(append(b, " on "...), r.actuator)
	}
	return b
}

var joints = [...]string{kindThen: " then ", kindAnd: " and ", kindOr: " or "}

// print writes a pattern without parentheses of its own.
func (p *pattern) print(b []byte) []byte {
	if p.kind == kindTest {
		return p.test.print(b)
	}
	for i, part := range p.parts {
		if i > 0 {
			b = append(b, joints[p.kind]...)
		}
		if part.not {
			b = append(b, "not "...)
		}
		if part.kind == kindTest {
			b = part.print(b)
		} else {
			b = append(part.print(append(b, '(')), ')')
		}
	}
	if p.withinNs > 0 {
		b = appendSpan(append(b, " within "...), p.withinNs)
	}
	if p.area != nil {
		b = p.area.print(append(b, " in "...))
	}
	return b
}

func (t *test) print(b []byte) []byte {
	b = append(b, t.property...)
	if t.bySubject {
		subject := t.subject
		if t.prefix {
			subject = append(append(make([]byte, 0, len(subject)+1), subject...), '*')
		}
		b = appendQuoted(append(b, " of "...), subject)
	}
	if t.from != nil {
		b = append(append(b, " from "...), t.from.text()...)
	}
	switch t.look {
	case lookSeen:
		return append(b, " seen"...)
	case lookStatus:
		b = append(b, " status"...)
	}
	b = append(append(append(b, ' '), relations[t.rel]...), ' ')
	switch t.look {
	case lookFlag:
		if t.flag {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case lookText, lookStatus:
		return appendQuoted(b, t.text)
	}
	b = appendScaled(b, t.low, 6)
	if t.high != t.low {
		b = appendScaled(append(b, ".."...), t.high, 6)
	}
	if len(t.unit) > 0 {
		b = appendQuoted(append(b, ' '), t.unit)
	}
	return b
}

func (a *area) print(b []byte) []byte {
	if a.isCircle {
		b = a.centre.print(append(b, "circle "...))
		return append(sdk.AppendInt(append(b, ", "...), a.radiusM), 'm')
	}
	b = a.centre.print(append(b, "box "...))
	return a.far.print(append(b, ", "...))
}

func (p point) print(b []byte) []byte {
	b = appendScaled(b, int64(p.lat), 7)
	return appendScaled(append(b, ", "...), int64(p.lon), 7)
}

// appendQuoted writes a string as the scanner reads it.
func appendQuoted(b, text []byte) []byte {
	b = append(b, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
