package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of a page of rules.
const (
	defaultPage = 50
	maxPage     = 100
)

// queryRule answers one rule.
func queryRule(r *sdk.Request) {
	e := byID(r.Bytes())
	if e == nil {
		notFound("no rule has this id")
	}
	var w sdk.JSON
	e.describe(&w)
	r.Reply(w.Bytes())
}

// queryRules answers the rules in the byte order of their ids, from the first
// after the given one, and where the next page starts.
func queryRules(r *sdk.Request) {
	after := r.BytesOr(nil)
	limit := r.UintOr(defaultPage)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	if len(after) > maxNameBytes {
		notFound("an id has at most 64 bytes")
	}
	var w sdk.JSON
	w.Object().Key("rules").Array()
	var last []byte
	more := false
	ruleNumbers.Each(after, func(id, number []byte) bool {
		if more = limit == 0; more {
			return false
		}
		n := reader{number}
		byNumber(n.u32()).describe(&w)
		last = id
		limit--
		return true
	})
	w.EndArray().Key("next")
	if more {
		w.Text(last)
	} else {
		w.Null()
	}
	w.EndObject()
	r.Reply(w.Bytes())
}

// describe writes all that is known of a rule.
func (e *entry) describe(w *sdk.JSON) {
	t := loadTally(e.number)
	w.Object().Key("rule").Text(e.id).Key("version").Uint(uint64(e.version))
	w.Key("enabled").Bool(e.enabled).Key("owner").Text(e.owner.text()).Key("text").Text(e.text())
	w.Key("fired").Uint(uint64(t.fired)).Key("suppressed").Uint(uint64(t.suppressed))
	w.Key("subjects").Uint(uint64(t.subjects)).EndObject()
}

// queryState answers how far a rule is with a subject; a global rule has the
// same answer for all.
func queryState(r *sdk.Request) {
	id, subject := r.Bytes(), r.BytesOr([]byte{})
	e := byID(id)
	if e == nil {
		notFound("no rule has this id")
	}
	if e.rule.global {
		subject = nil
	}
	if len(subject) > maxSubject {
		notFound("a subject has at most 64 bytes")
	}
	s := load(stateKey(e.number, subject), e)
	if !s.known {
		notFound("the rule has met no reading of this subject")
	}
	r.Reply(s.describe(e, subject))
}

// describe writes what a state knows.
func (s *state) describe(e *entry, subject []byte) []byte {
	b := appendJSON(append(make([]byte, 0, 2048), `{"rule":`...), e.id)
	b = sdk.AppendUint(append(b, `,"version":`...), uint64(e.version))
	b = appendJSON(append(b, `,"subject":`...), subject)
	b = appendNs(append(b, `,"heardNs":`...), true, s.newest)
	b = appendNs(append(b, `,"settledNs":`...), true, s.floor.timeNs)
	b = appendNs(append(b, `,"firedNs":`...), s.fired, s.firedNs)
	b = sdk.AppendUint(append(b, `,"late":`...), uint64(s.late))
	b = sdk.AppendUint(append(b, `,"suppressed":`...), uint64(s.suppressed))
	b = match(s.waiting).append(append(b, `,"waiting":`...), e.rule, subject)
	b = append(b, `,"begun":[`...)
	first := true
	for _, m := range s.memory.matches {
		if m == nil {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = m.append(b, e.rule, subject), false
	}
	b = append(b, `],"firesNs":`...)
	if s.pending != nil {
		b = appendNs(b, true, s.deadline())
	} else {
		b = appendNs(b, false, 0)
	}
	return append(b, '}')
}

// appendNs writes a time as a string, or null where there is none.
func appendNs(b []byte, there bool, ns int64) []byte {
	if !there {
		return append(b, "null"...)
	}
	return append(sdk.AppendInt(append(b, '"'), ns), '"')
}

// append writes the readings of a match.
func (m match) append(b []byte, r *rule, subject []byte) []byte {
	b = append(b, '[')
	for i, x := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = x.append(b, r, subject)
	}
	return append(b, ']')
}

// queryProperty answers a property's domain and the rules that listen to it.
func queryProperty(r *sdk.Request) {
	name := r.Bytes()
	if !isName(name) {
		notFound("the property is no name")
	}
	p, known := loadProperty(name)
	if !known {
		notFound("no domain and no rule names this property")
	}
	var w sdk.JSON
	w.Object().Key("property").Text(name).Key("kind").String(domainKinds[p.kind])
	if p.kind == domainNumber {
		w.Key("low").Text(appendScaled(nil, p.low, 6)).Key("high").Text(appendScaled(nil, p.high, 6))
		w.Key("unit").Text(p.unit)
	}
	w.Key("rules").Array()
	for _, n := range p.rules {
		w.Text(byNumber(n).id)
	}
	w.EndArray().EndObject()
	r.Reply(w.Bytes())
}

// queryExplain answers how the contract reads a text, or what is wrong with it
// and at which byte.
func queryExplain(r *sdk.Request) {
	rule, canonical, f := read(r.Bytes())
	var w sdk.JSON
	w.Object()
	if f != nil {
		w.Key("error").String(f.text).Key("at").Uint(uint64(f.at))
	} else {
		w.Key("text").Text(canonical).Key("firesBy")
		switch {
		case rule.deadline:
			w.String("deadline")
		case rule.negative:
			w.String("settled reading")
		default:
			w.String("reading")
		}
		w.Key("hears").Array()
		for _, name := range rule.properties() {
			w.Text(name)
		}
		w.EndArray()
	}
	w.EndObject()
	r.Reply(w.Bytes())
}
