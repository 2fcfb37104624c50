package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// report emits what fired in this delivery, and counts it.
func (s *state) report(e *entry, subject []byte) {
	if len(s.firings) == 0 && s.silenced == 0 {
		return
	}
	t := loadTally(e.number)
	t.fired += uint32(len(s.firings))
	t.suppressed += s.silenced
	t.save(e.number)
	for _, f := range s.firings {
		f.emit(e, subject)
	}
}

// emit records that the rule came true: which rule in which version, when,
// and on what readings it rests.
func (f *firing) emit(e *entry, subject []byte) {
	r := e.rule
	about := f.match[len(f.match)-1].about(r, subject)
	actuator := r.actuator
	if len(actuator) == 0 {
		actuator = about
	}
	var w sdk.JSON
	w.Object().Key("rule").Text(e.id).Key("version").Uint(uint64(e.version))
	if r.action {
		w.Key("action").Text(r.name).Key("actuator").Text(actuator)
	} else {
		w.Key("alert").Text(r.name)
	}
	w.Key("subject").Text(about)
	w.Key("timeNs").Text(sdk.AppendInt(nil, f.atNs))
	w.Key("causes").Array()
	for _, x := range f.match {
		x.write(&w, r, subject)
	}
	w.EndArray().EndObject()
	if r.action {
		sdk.Emit("rules.action.v1", actuator, w.Bytes())
	} else {
		sdk.Emit("rules.alert.v1", about, w.Bytes())
	}
}

// about is a reading's subject, given that of its state.
func (x *occurrence) about(r *rule, subject []byte) []byte {
	if r.global {
		return x.subject
	}
	return subject
}

// write writes a reading: where it is in the log and what it said. Numbers are
// strings, because they are exact.
func (x *occurrence) write(w *sdk.JSON, r *rule, subject []byte) {
	w.Object().Key("entry").Uint(x.entry)
	w.Key("timeNs").Text(sdk.AppendInt(nil, x.timeNs))
	w.Key("subject").Text(x.about(r, subject))
	for i, t := range r.tests { // all tests that it met are of its property
		if x.mask>>i&1 == 1 {
			w.Key("property").Text(t.property)
			break
		}
	}
	if x.has&hasNumber != 0 {
		w.Key("value").Text(appendScaled(nil, x.number, 6))
	}
	if x.has&hasText != 0 {
		w.Key("text").Text(x.text)
	}
	if x.has&hasFlag != 0 {
		w.Key("flag").Bool(x.has&flagTrue != 0)
	}
	if x.has&hasStatus != 0 {
		w.Key("status").Text(x.status)
	}
	w.EndObject()
}
