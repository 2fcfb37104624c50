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
	buf := make([]byte, 0, 2048)
	for _, f := range s.firings {
		buf = f.emit(buf[:0], e, subject)
	}
}

// emit records that the rule came true: which rule in which version, when,
// and on what readings it rests. It answers the buffer, for the next.
func (f *firing) emit(b []byte, e *entry, subject []byte) []byte {
	r := e.rule
	about := f.match[len(f.match)-1].about(r, subject)
	actuator := r.actuator
	if len(actuator) == 0 {
		actuator = about
	}
	b = appendJSON(append(b, `{"rule":`...), e.id)
	b = sdk.AppendUint(append(b, `,"version":`...), uint64(e.version))
	if r.action {
		b = appendJSON(append(b, `,"action":`...), r.name)
		b = appendJSON(append(b, `,"actuator":`...), actuator)
	} else {
		b = appendJSON(append(b, `,"alert":`...), r.name)
	}
	b = appendJSON(append(b, `,"subject":`...), about)
	b = sdk.AppendInt(append(b, `,"timeNs":"`...), f.atNs)
	b = f.match.append(append(b, `","causes":`...), r, subject)
	b = append(b, '}')
	if r.action {
		sdk.Emit("rules.action.v1", actuator, b)
	} else {
		sdk.Emit("rules.alert.v1", about, b)
	}
	return b
}

// about is a reading's subject, given that of its state.
func (x *occurrence) about(r *rule, subject []byte) []byte {
	if r.global {
		return x.subject
	}
	return subject
}

// append writes a reading: where it is in the log and what it said. Numbers
// are strings, because they are exact.
func (x *occurrence) append(b []byte, r *rule, subject []byte) []byte {
	b = sdk.AppendUint(append(b, `{"entry":`...), x.entry)
	b = sdk.AppendInt(append(b, `,"timeNs":"`...), x.timeNs)
	b = appendJSON(append(b, `","subject":`...), x.about(r, subject))
	for i, t := range r.tests { // all tests that it met are of its property
		if x.mask>>i&1 == 1 {
			b = appendJSON(append(b, `,"property":`...), t.property)
			break
		}
	}
	if x.has&hasNumber != 0 {
		b = append(appendScaled(append(b, `,"value":"`...), x.number, 6), '"')
	}
	if x.has&hasText != 0 {
		b = appendJSON(append(b, `,"text":`...), x.text)
	}
	if x.has&hasFlag != 0 {
		if x.has&flagTrue != 0 {
			b = append(b, `,"flag":true`...)
		} else {
			b = append(b, `,"flag":false`...)
		}
	}
	if x.has&hasStatus != 0 {
		b = appendJSON(append(b, `,"status":`...), x.status)
	}
	return append(b, '}')
}

// appendJSON writes a string of JSON. Events' strings are UTF-8; names, texts
// and subjects have no control characters. It makes room once and then counts,
// because every append costs a guest a call.
//
//go:noinline
func appendJSON(b, text []byte) []byte {
	n := len(b)
	if most := n + 2*len(text) + 2; most > cap(b) {
		b = append(make([]byte, 0, 2*most), b...)
	}
	out := b[:cap(b)]
	out[n] = '"'
	n++
	for _, c := range text {
		if c == '"' || c == '\\' {
			out[n] = '\\'
			n++
		}
		out[n] = c
		n++
	}
	out[n] = '"'
	return out[:n+1]
}
