package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of all rules together.
const (
	maxRules            = 1000
	maxRulesPerProperty = 16     // enabled ones: what one reading may concern
	maxSubjectsPerRule  = 10_000 // states
)

// rules maps a rule's number to its compiled form, texts to its canonical
// text, tallies to what it did so far; ruleNumbers maps its id to its number.
var (
	rules       = sdk.NewMap("r")
	texts       = sdk.NewMap("x")
	ruleNumbers = sdk.NewMap("n")
	tallies     = sdk.NewMap("t")
	ruleCount   = sdk.NewCounter("c")
)

// entry is a registered rule.
type entry struct {
	number  uint32
	version uint32 // counts the texts registered under the id
	epoch   uint32 // changes whenever states begin anew
	enabled bool
	owner   address
	id      []byte
	rule    *rule
	rest    reader // of the compiled form, until it is needed
}

func numberKey(n uint32) []byte { return stateKey(n, nil) }

// complete reads what of the rule only its states need.
func (e *entry) complete() {
	if e.rule.when == nil {
		e.rule.followed(&e.rest)
	}
}

func (e *entry) save() {
	w := newWriter()
	w.u32(e.version)
	w.u32(e.epoch)
	w.bool(e.enabled)
	w.buf = append(w.buf, e.owner[:]...)
	w.short(e.id)
	e.rule.compile(w)
	rules.Set(numberKey(e.number), w.buf)
}

// byNumber reads a rule that the index or a state refers to.
func byNumber(number uint32) *entry {
	record, found := readRecord(rules, numberKey(number))
	if !found {
		badState()
	}
	r := newReader(record)
	e := &entry{number: number, version: r.u32(), epoch: r.u32(), enabled: r.bool()}
	e.owner = address(r.take(len(e.owner)))
	e.id = r.short()
	e.rule = tested(r)
	e.rest = *r
	return e
}

// text reads the rule's canonical text.
func (e *entry) text() []byte {
	text, _ := texts.Get(numberKey(e.number))
	return text
}

// byID reads a rule by its id, or answers nil.
func byID(id []byte) *entry {
	if !isName(id) {
		return nil
	}
	n, found := ruleNumbers.Get(id)
	if !found {
		return nil
	}
	r := reader{n}
	return byNumber(r.u32())
}

// tally counts what a rule did.
type tally struct{ fired, suppressed, subjects uint32 }

func loadTally(number uint32) (t tally) {
	if record, found := tallies.Get(numberKey(number)); found {
		r := newReader(record)
		t = tally{r.u32(), r.u32(), r.u32()}
		r.end()
	}
	return t
}

func (t *tally) save(number uint32) {
	w := newWriter()
	w.u32(t.fired)
	w.u32(t.suppressed)
	w.u32(t.subjects)
	tallies.Set(numberKey(number), w.buf)
}

// read reads a rule's text, and writes it in its canonical form.
func read(text []byte) (*rule, []byte, *fault) {
	r, f := parse(text)
	if f != nil {
		return nil, nil, f
	}
	canonical := r.canonical()
	if len(canonical) > maxRuleBytes {
		return nil, nil, &fault{"written out the rule has more than 1024 bytes", len(text)}
	}
	return r, canonical, nil
}

// callRegister adds a rule, or gives one a new text.
func callRegister(r *sdk.Request) {
	id, text := r.Bytes(), r.Bytes()
	if !isName(id) {
		sdk.Abort(codeBadName, "BAD_NAME: an id is letters, digits, points, hyphens and underlines, 1 to 64, and no word of the language")
	}
	if !mayWrite(r.Caller) {
		notAllowed("the owner and allowed authors register rules")
	}
	rule, canonical, f := read(text)
	if f != nil {
		var number [20]byte
		sdk.Abort(codeBadRule, "BAD_RULE: at "+string(sdk.AppendInt(number[:0], int64(f.at)))+": "+f.text)
	}
	e := byID(id)
	switch {
	case e == nil:
		e = newEntry(r, id)
	case !e.managedBy(r.Caller):
		notAllowed("a rule is changed by who registered it or the contract's owner")
	case e.enabled:
		e.leaveIndex()
	}
	texts.Set(numberKey(e.number), canonical)
	e.rule, e.enabled = rule, true
	e.version++
	e.epoch++
	e.enterIndex()
	e.save()
	e.reply(r)
}

func newEntry(r *sdk.Request, id []byte) *entry {
	if ruleCount.Value() == maxRules {
		sdk.Abort(codeTooManyRules, "TOO_MANY_RULES: the contract has 1000 rules; give one that is not needed a new text")
	}
	e := &entry{number: uint32(ruleCount.Add(1)), owner: r.Caller, id: id}
	var w writer
	w.u32(e.number)
	ruleNumbers.Set(id, w.buf)
	return e
}

// managedBy says whether an account may change the rule: its owner, as long
// as it may write rules at all, and the contract's.
func (e *entry) managedBy(a address) bool {
	return e.owner == a && mayWrite(a) || loadSettings().owner == a
}

// callEnable switches a rule on or off. Switched on it begins anew: it does
// not know what happened meanwhile.
func callEnable(r *sdk.Request) {
	id, enabled := r.Bytes(), r.Bool()
	e := byID(id)
	if e == nil {
		notFound("no rule has this id")
	}
	if !e.managedBy(r.Caller) {
		notAllowed("a rule is switched by who registered it or the contract's owner")
	}
	if e.complete(); enabled != e.enabled {
		if e.enabled = enabled; enabled {
			e.epoch++
			e.enterIndex()
		} else {
			e.leaveIndex()
		}
		e.save()
	}
	e.reply(r)
}

func (e *entry) reply(r *sdk.Request) {
	var w sdk.JSON
	w.Object().Key("rule").Text(e.id).Key("version").Uint(uint64(e.version))
	w.Key("enabled").Bool(e.enabled).Key("text").Text(e.text()).EndObject()
	r.Reply(w.Bytes())
}

func notFound(why string) { sdk.Abort(codeNotFound, "NOT_FOUND: "+why) }
