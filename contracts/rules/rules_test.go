package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

const anyRule = `when a = 1 then b = 1 within 1m do alert x`

func (c *city) wants(code uint32, err error) {
	c.t.Helper()
	if sdk.CodeOf(err) != code {
		c.t.Errorf("%v, want code %d", err, code)
	}
}

// Who may do what.
func TestRights(t *testing.T) {
	c := newCity(t)
	who := func(a address) string { return string(a.text()) }
	register := func(as address, id string) error {
		return c.call(callOfRegister, as, fields{}.text(id).text(anyRule))
	}
	c.wants(codeNotAllowed, register(author, "r"))
	c.wants(codeNotAllowed, c.call(callOfAllow, author, fields{}.text(who(author)).flag(true)))
	c.wants(codeBadAddress, c.call(callOfAllow, owner, fields{}.text("cairn1").flag(true)))
	c.wants(0, c.call(callOfAllow, owner, fields{}.text(who(author)).flag(true)))
	c.wants(0, c.call(callOfAllow, owner, fields{}.text(who(stranger)).flag(true)))
	c.wants(0, register(author, "r"))
	c.wants(codeNotAllowed, register(stranger, "r")) // an author, but of other rules
	c.wants(codeNotAllowed, c.call(callOfEnable, stranger, fields{}.text("r").flag(false)))
	c.wants(codeNotAllowed, c.call(callOfDefine, author, fields{}.text("a").text("any").absent().absent().absent()))
	c.wants(0, c.event(eventClock, 0, "", author, nil))
	c.wants(0, c.call(callOfAllow, owner, fields{}.text(who(author)).flag(false)))
	c.wants(codeNotAllowed, register(author, "r")) // its owner, but no author any more
	c.wants(codeNotAllowed, c.event(eventClock, 0, "", author, nil))
	c.wants(0, register(owner, "r"))
	if got := c.query(queryOfRule, fields{}.text("r")); !strings.Contains(got, `"version":2,"enabled":true,"owner":"`+who(author)) {
		t.Error(got)
	}
}

// A new text or a switch begins anew; a rule switched off hears nothing.
func TestEpochs(t *testing.T) {
	c := newCity(t)
	c.register("r", anyRule)
	at := time.Duration(0)
	read := func(property string) {
		at += time.Second
		c.mustRead(at, "x", said{property: property, value: 1_000_000})
	}
	enable := func(on bool) { c.wants(0, c.call(callOfEnable, owner, fields{}.text("r").flag(on))) }
	read("a")
	c.register("r", anyRule)
	read("b")
	equal(t, c.fired(), "")
	read("a")
	enable(false)
	read("b")
	enable(true)
	read("b")
	equal(t, c.fired(), "")
	read("a")
	enable(true) // it is on
	read("b")
	if got := c.fired(); !strings.Contains(got, `"version":2,`) {
		t.Errorf("got %s", got)
	}
	if got := c.query(queryOfProperty, fields{}.text("a")); got != `{"property":"a","kind":"any","rules":["r"]}` {
		t.Error(got)
	}
	enable(false)
	if got := c.query(queryOfProperty, fields{}.text("a")); got != `{"property":"a","kind":"any","rules":[]}` {
		t.Error(got)
	}
}

// What waits for the clock under an old text is forgotten, not fired.
func TestClockAfterChange(t *testing.T) {
	c := newCity(t)
	waits := `when a = 1 then not b = 1 within 1m late 0s do alert x`
	for i, change := range []func(){
		func() { c.register("r", anyRule) },
		func() { c.wants(0, c.call(callOfEnable, owner, fields{}.text("r").flag(false))) },
	} {
		c.register("r", waits)
		at := time.Duration(i) * time.Hour
		c.mustRead(at, "x", said{property: "a", value: 1_000_000})
		change()
		c.clock(at + 30*time.Minute)
		equal(t, c.fired(), "")
	}
	for key := range c.State {
		if strings.HasPrefix(key, "\x01d") || strings.HasPrefix(key, "\x01s") {
			t.Errorf("left behind: %q", key)
		}
	}
	// And one that waits under the text in force fires, sixteen a clock event.
	c.register("r", waits)
	for i := range 20 {
		c.mustRead(3*time.Hour, fmt.Sprint(i), said{property: "a", value: 1_000_000})
	}
	for _, want := range []int{16, 20, 20} {
		c.clock(4 * time.Hour)
		if len(c.Emitted) != want {
			t.Errorf("%d fired, want %d", len(c.Emitted), want)
		}
	}
}

// The bounds of the index, and that a refused rule leaves no trace in it.
func TestBounds(t *testing.T) {
	c := newCity(t)
	for i := range maxRulesPerProperty {
		c.register(fmt.Sprintf("r%d", i), `when a = 1 do alert x`)
	}
	before := fmt.Sprint(c.State)
	c.wants(codeTooManyRules, c.call(callOfRegister, owner, fields{}.text("more").text(`when b = 1 or a = 1 do alert x`)))
	equal(t, fmt.Sprint(c.State), before)
	c.mustRead(0, "s", said{property: "a", value: 1_000_000})
	if len(c.Emitted) != maxRulesPerProperty {
		t.Errorf("%d fired", len(c.Emitted))
	}
	c.wants(0, c.call(callOfEnable, owner, fields{}.text("r7").flag(false)))
	c.register("more", `when b = 1 or a = 1 do alert x`)
	c.wants(codeTooManyRules, c.call(callOfEnable, owner, fields{}.text("r7").flag(true)))

	long := `when ` + strings.Repeat(" ", 900) + `a="` + strings.Repeat("x", 32) + `"or b=1..2 do action ` + strings.Repeat("y", 64)
	c.wants(codeBadRule, c.call(callOfRegister, owner, fields{}.text("long").text(long)))
	c.wants(codeBadName, c.call(callOfRegister, owner, fields{}.text("").text(anyRule)))
	c.wants(codeNotFound, c.call(callOfEnable, owner, fields{}.text("none").flag(true)))
}

// Domains turn rules and readings away that are not of them.
func TestDomains(t *testing.T) {
	c := newCity(t)
	define := func(name, kind string) fields { return fields{}.text(name).text(kind) }
	ok := func(f fields) { t.Helper(); c.wants(0, c.call(callOfDefine, owner, f)) }
	bad := func(code uint32, f fields) { t.Helper(); c.wants(code, c.call(callOfDefine, owner, f)) }
	ok(define("level", "number").number(0).number(20e6).text("m"))
	ok(define("smoke", "flag").absent().absent().absent())
	ok(define("gate", "text").absent().absent().absent())
	ok(define("lamp", "status").absent().absent().absent())
	bad(codeBadDomain, define("level", "numbers").absent().absent().absent())
	bad(codeBadDomain, define("smoke", "flag").number(0).absent().absent())
	bad(codeBadDomain, define("level", "number").number(2).number(1).absent())
	bad(codeBadDomain, define("level", "number").absent().absent().text("\t"))
	bad(codeBadName, define("when", "any").absent().absent().absent())
	bad(codeReserved, define("parking.price", "any").absent().absent().absent())
	for text, code := range map[string]uint32{
		`level = true`: codeAgainstDomain, `level >= 21`: codeAgainstDomain, `level >= 2 "ft"`: codeAgainstDomain,
		`smoke = "yes"`: codeAgainstDomain, `gate = 1`: codeAgainstDomain, `lamp = true`: codeAgainstDomain, `other >= 2 "m"`: codeAgainstDomain,
		`level >= 2 "m"`: 0, `level status = "broken"`: 0, `smoke = true`: 0, `gate != "open"`: 0, `lamp status = "on"`: 0, `level = -1..2`: codeAgainstDomain,
	} {
		if err := c.call(callOfRegister, owner, fields{}.text("r").text("when "+text+" do alert x")); sdk.CodeOf(err) != code {
			t.Errorf("%s: %v, want %d", text, err, code)
		}
	}
	c.register("r", `when level >= 2 do alert x`)
	bad(codeBadDomain, define("level", "number").number(0).number(20e6).text("ft"))
	ok(define("level", "number").number(0).number(30e6).text("m"))
	for _, s := range []said{
		{property: "level", value: 30_000_001}, {property: "level", value: -1}, {property: "level", value: 1, unit: "ft"}, {property: "level", flag: true},
		{property: "smoke", value: 1}, {property: "gate", flag: true}, {property: "lamp", text: "on"},
	} {
		c.wants(codeOutOfDomain, c.read(0, "x", s))
	}
	c.mustRead(0, "x", said{property: "level", value: 30_000_000, status: "fine", unit: "m"})
}

// What other contracts say is heard under the names of its own.
func TestOtherEvents(t *testing.T) {
	c := newCity(t)
	c.register("busy", `when parking.occupancy >= 90 and maintenance.order status = "opened" within 1h global late 0s do alert busy`)
	c.register("dear", `when parking.price of "North*" > 299 and parking.price status = "A" within 1s do alert dear`)
	c.register("dark", `when metering.supply status = "off" then not metering.supply status = "on" within 1d late 0s do alert dark`)
	read := func(handler int, after time.Duration, subject string, f fields) {
		t.Helper()
		c.wants(0, c.event(handler, after, subject, stranger, f))
	}
	read(eventOccupancy, 0, "North", fields{}.number(899).number(1000))
	read(eventOrderOpened, time.Second, "pump-1", nil)
	equal(t, c.fired(), "")
	read(eventOccupancy, time.Minute, "North", fields{}.number(1200).number(1000))
	if got := c.fired(); !strings.Contains(got, `"subject":"North"`) || !strings.Contains(got, `"subject":"pump-1","property":"maintenance.order","status":"opened"`) ||
		!strings.Contains(got, `"value":"100"`) {
		t.Errorf("got %s", got)
	}
	read(eventPrice, 0, "North-2", fields{}.text("A").number(300))
	if got := c.fired(); !strings.Contains(got, `"alert":"dear"`) || strings.Count(got, "entry") != 1 {
		t.Errorf("got %s", got)
	}
	read(eventOrderOpened+3, 0, "meter-1", nil)
	read(eventOrderOpened+3, time.Hour, "meter-2", nil)
	read(eventOrderOpened+4, 2*time.Hour, "meter-2", nil)
	c.TimeMs += 100 * 3600_000
	c.clock(26 * time.Hour)
	if got := c.fired(); !strings.HasPrefix(got, "rules.alert.v1 meter-1 ") || strings.Contains(got, "meter-2") {
		t.Errorf("got %s", got)
	}
}

// A test may ask who signed the reading.
func TestOrigin(t *testing.T) {
	c := newCity(t)
	c.register("r", `when a from `+string(author.text())+` = 1 do alert x`)
	s := said{property: "a", value: 1_000_000}.fields()
	c.wants(0, c.event(eventReading, 0, "x", stranger, s))
	equal(t, c.fired(), "")
	c.wants(0, c.event(eventReading, 0, "x", author, s))
	if c.fired() == "" {
		t.Error("a reading of the author's was not heard")
	}
}

func TestRulesInPages(t *testing.T) {
	c := newCity(t)
	for i := range 23 {
		c.register(fmt.Sprintf("r%02d", i), fmt.Sprintf("when p%d = 1 do alert x", i))
	}
	for _, limit := range []int64{1, 7, 23, 100, 0} {
		var seen []string
		for after := (fields{}).absent(); after != nil; {
			var page struct {
				Rules []struct{ Rule, Text string }
				Next  *string
			}
			if err := json.Unmarshal([]byte(c.query(queryOfRules, after.number(limit))), &page); err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rules {
				seen = append(seen, r.Rule)
			}
			if after = nil; page.Next != nil {
				after = fields{}.text(*page.Next)
			}
		}
		if len(seen) != 23 || seen[0] != "r00" || seen[22] != "r22" {
			t.Errorf("limit %d: %v", limit, seen)
		}
	}
}

// The compiled form is the rule.
func TestCompiled(t *testing.T) {
	for _, c := range rulesOfAllKinds {
		r, f := parse([]byte(c[0]))
		if f != nil {
			t.Fatal(f)
		}
		var w writer
		r.compile(&w)
		in := reader(w)
		got := tested(&in)
		got.followed(&in)
		var again writer
		got.compile(&again)
		if !reflect.DeepEqual(again.buf, w.buf) || got.when.kind != r.when.kind || got.deadline != r.deadline {
			t.Errorf("%s: %x, want %x", c[0], again.buf, w.buf)
		}
	}
}

// A state's query is JSON whatever it holds, and says what the rule waits for.
func TestStateQuery(t *testing.T) {
	c := newCity(t)
	c.register("r", `when a seen then b seen then not c seen within 1m do alert x`)
	c.mustRead(0, `q"\`, said{property: "a", value: -1_500_000, text: `t"\`, flag: false, status: "é"})
	c.mustRead(40*time.Second, `q"\`, said{property: "b"})
	c.mustRead(75*time.Second, `q"\`, said{property: "b"})
	out := c.query(queryOfState, fields{}.text("r").text(`q"\`))
	if !json.Valid([]byte(out)) || !strings.Contains(out, `"firesNs":"`+fmt.Sprint(noon.Add(time.Minute).UnixNano())+`"`) {
		t.Error(out)
	}
	if !strings.Contains(out, `"value":"-1.5","text":"t\"\\","flag":false,"status":"é"`) {
		t.Error(out)
	}
	if _, err := c.request(sdk.EntryQuery, queryOfState, address{}, fields{}.text("r").text("nobody")); sdk.CodeOf(err) != codeNotFound {
		t.Error(err)
	}
}

// Times that would spoil a rule's order are refused; a reading that is late
// for one rule and not for another is counted.
func TestTimes(t *testing.T) {
	c := newCity(t)
	c.register("strict", `when a = 1 then b = 1 within 1m late 0s do alert x`)
	c.register("patient", `when a = 1 then b = 1 within 1m late 1m do alert y`)
	one := func(property string) said { return said{property: property, value: 1_000_000} }
	ahead := 24*time.Hour + defaultAheadSeconds*time.Second
	c.wants(codeFutureReading, c.read(ahead+time.Second, "x", one("a")))
	c.wants(codeFutureReading, c.event(eventClock, ahead+time.Second, "", owner, nil))
	c.wants(codeBadReading, c.read(noon.Sub(noon.AddDate(60, 0, 0)), "x", one("a")))
	c.wants(codeBadReading, c.read(noon.AddDate(100, 0, 0).Sub(noon), "x", one("a")))
	c.wants(codeBadSubject, c.read(0, strings.Repeat("s", 65), one("a")))
	c.mustRead(ahead, "y", one("a"))
	c.mustRead(time.Minute, "x", one("b"))
	c.mustRead(30*time.Second, "x", one("a"))
	if got := c.fired(); strings.Count(got, "\n") != 0 || !strings.Contains(got, `"rule":"patient"`) {
		t.Errorf("got %s", got)
	}
	c.wants(codeLateReading, c.read(-time.Second, "x", one("a")))
	for rule, late := range map[string]string{"strict": `"late":1,`, "patient": `"late":0,`} {
		if got := c.query(queryOfState, fields{}.text(rule).text("x")); !strings.Contains(got, late) {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

// The last of a rule's subjects, and one too many.
func TestSubjects(t *testing.T) {
	c := newCity(t)
	c.register("r", `when a = 1 then b = 1 within 1m do alert x`)
	c.mustRead(0, "first", said{property: "a", value: 1_000_000})
	var w writer
	w.byte(format)
	for _, v := range []uint32{0, 0, maxSubjectsPerRule - 1} {
		w.u32(v)
	}
	c.State["\x01t"+string(numberKey(1))] = w.buf
	c.mustRead(0, "last", said{property: "a", value: 1_000_000})
	c.wants(codeSubjectsFull, c.read(0, "more", said{property: "a", value: 1_000_000}))
	c.mustRead(0, "first", said{property: "b", value: 1_000_000})
}

// Whatever the record, a handler answers or refuses.
func FuzzRecords(f *testing.F) {
	f.Add(uint8(eventReading), []byte(said{property: "level", value: 5_000_000, lat: 1, lon: 2}.fields()))
	f.Add(uint8(eventPrice), []byte(fields{}.text("A").number(300)))
	f.Add(uint8(20+callOfRegister), []byte(fields{}.text("r").text(rulesOfAllKinds[4][0])))
	f.Add(uint8(40+queryOfState), []byte(fields{}.text("rule-2").text("x")))
	f.Fuzz(func(t *testing.T, entry uint8, record []byte) {
		c := newCity(t)
		for i, r := range rulesOfAllKinds {
			_ = c.call(callOfRegister, owner, fields{}.text(fmt.Sprintf("rule-%d", i)).text(r[0])) // one lacks its unit
		}
		for i := range 3 {
			c.mustRead(time.Duration(i)*time.Second, "x", said{property: "level", value: 3_000_000 * i, lat: 1, lon: 1})
		}
		switch kind := entry / 20; kind {
		case 0:
			_ = c.event(int(entry), 3*time.Second, "x", owner, record)
		case 1, 2:
			_, _ = c.request([]sdk.Entry{1: sdk.EntryCall, 2: sdk.EntryQuery}[kind], int(entry%20), owner, record)
		}
	})
}
