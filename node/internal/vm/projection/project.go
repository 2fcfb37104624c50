package projection

import (
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// Plan is a field list prepared for reading. It is immutable; its methods are
// safe for concurrent use.
type Plan struct {
	fields []abi.Field
	root   *branch
	closed bool // unknown members are refused
	code   protocol.Code
}

// branch is one object the fields' paths go through.
type branch struct{ members []member }

// member is a name that some path goes through: a field, or a branch.
type member struct {
	name   string
	field  int // index, -1 for a branch
	branch *branch
	seen   int // place in the walk's marks
}

// maxMarks bounds the members of all branches of a plan.
const maxMarks = abi.MaxFields * abi.MaxPathSegments

// Events prepares the fields of a subscription.
func Events(fields []abi.Field) *Plan { return compile(fields, false, protocol.CodeProjection) }

// Arguments prepares the fields of an initialisation, call or query.
func Arguments(fields []abi.Field) *Plan { return compile(fields, true, protocol.CodeArgument) }

// compile builds the tree of paths. Manifests have no overlapping paths.
func compile(fields []abi.Field, closed bool, code protocol.Code) *Plan {
	p := &Plan{fields: fields, root: &branch{}, closed: closed, code: code}
	marks := 0
	for i := range fields {
		at := p.root
		for depth, name := range fields[i].Path {
			last := depth == len(fields[i].Path)-1
			found := slices.IndexFunc(at.members, func(m member) bool { return m.name == name })
			if found < 0 {
				m := member{name: name, field: -1, seen: marks}
				if last {
					m.field = i
				} else {
					m.branch = &branch{}
				}
				marks++
				at.members = append(at.members, m)
				found = len(at.members) - 1
			}
			if !last {
				at = at.members[found].branch
			}
		}
	}
	return p
}

// span is where a field's value is in the text; end 0 means absent.
type span struct{ start, end int }

// walk is the state of reading one text.
type walk struct {
	scanner
	plan  *Plan
	spans [abi.MaxFields]span
	marks [maxMarks / 64]uint64 // members met already
}

// Append reads the fields from JSON text and appends their part of the record
// to dst. Empty text reads like {}. On error, a *protocol.Error that names the
// field, dst keeps its length.
func (p *Plan) Append(dst, text []byte) ([]byte, error) {
	w := walk{scanner: scanner{text: text}, plan: p}
	if len(text) > 0 && !w.document() {
		return dst, protocol.Refuse(p.code, "the JSON %s (offset %d)", w.fault, w.off)
	}
	out := dst
	for i := range p.fields {
		f := &p.fields[i]
		s := w.spans[i]
		if s.end == 0 {
			if !f.Optional {
				return dst, protocol.Refuse(p.code, "field %q is missing", f.Name)
			}
			out = abi.AppendFlag(out, false)
			continue
		}
		var fault string
		if out, fault = appendValue(abi.AppendFlag(out, true), text[s.start:s.end], f); fault != "" {
			return dst, protocol.Refuse(p.code, "field %q %s", f.Name, fault)
		}
	}
	return out, nil
}

// document walks the whole text.
func (w *walk) document() bool {
	w.space()
	if w.peek() != '{' {
		return w.fail("is not an object")
	}
	if !w.object(w.plan.root, 0) {
		return false
	}
	if w.space(); w.off != len(w.text) {
		return w.fail("is followed by something")
	}
	return true
}

// object walks an object that paths go through.
func (w *walk) object(at *branch, depth int) bool {
	w.off++ // the brace
	if w.space(); w.peek() == '}' {
		w.off++
		return true
	}
	for {
		w.space()
		start := w.off
		if !w.member() {
			return false
		}
		m, ok := w.find(at, start)
		if !ok || !w.take(m, depth) {
			return false
		}
		if w.space(); w.peek() != ',' {
			return w.expect('}', "is not JSON: , or } expected")
		}
		w.off++
	}
}

// find answers the member that the name at start names, nil for one that no
// path goes through.
func (w *walk) find(at *branch, start int) (*member, bool) {
	end := start + 1
	plain := true
	for w.text[end] != '"' {
		if w.text[end] == '\\' {
			plain = false
			end++
		}
		end++
	}
	name := w.text[start+1 : end]
	if !plain {
		if len(name) > 6*abi.MaxPath {
			name = nil // longer than any name of a path, however it is written
		} else {
			var room [6 * abi.MaxPath]byte
			name = appendUnquoted(room[:0], w.text[start:end+1])
			return w.match(at, name)
		}
	}
	return w.match(at, name)
}

func (w *walk) match(at *branch, name []byte) (*member, bool) {
	for i := range at.members {
		m := &at.members[i]
		if m.name != string(name) {
			continue
		}
		bit := uint64(1) << (m.seen % 64)
		if w.marks[m.seen/64]&bit != 0 {
			return nil, w.fail("repeats the member " + m.name)
		}
		w.marks[m.seen/64] |= bit
		return m, true
	}
	if w.plan.closed {
		return nil, w.fail("has a member that is not an argument")
	}
	return nil, true
}

// take reads a member's value.
func (w *walk) take(m *member, depth int) bool {
	switch c := w.peek(); {
	case m == nil || c == 'n':
		return w.value(depth + 1)
	case m.branch != nil:
		if c != '{' {
			return w.fail("has no object at " + m.name)
		}
		return w.object(m.branch, depth+1)
	}
	start := w.off
	if !w.value(depth + 1) {
		return false
	}
	w.spans[m.field] = span{start, w.off}
	return true
}

// appendValue encodes one value, which the scanner has checked.
func appendValue(dst, raw []byte, f *abi.Field) ([]byte, string) {
	kind := raw[0]
	switch f.Kind {
	case abi.KindUint, abi.KindInt, abi.KindDecimal:
		if kind != '-' && (kind < '0' || kind > '9') {
			return dst, "must be a number"
		}
		return appendNumber(dst, raw, f)
	case abi.KindBool:
		if kind != 't' && kind != 'f' {
			return dst, "must be true or false"
		}
		return abi.AppendFlag(dst, kind == 't'), ""
	}
	if kind != '"' {
		return dst, "must be a string"
	}
	if f.Kind == abi.KindTime {
		var room [64]byte
		if len(raw) > len(room) {
			return dst, protocol.ErrTimeForm.Error()
		}
		ns, err := protocol.ParseTime(appendUnquoted(room[:0], raw))
		if err != nil {
			return dst, err.Error()
		}
		return abi.AppendU64(dst, uint64(ns)), ""
	}
	start := len(dst)
	dst = appendUnquoted(abi.AppendU32(dst, 0), raw)
	if f.Kind == abi.KindBytes {
		decoded, fault := decodeBase64(dst[start+4:])
		if fault != "" {
			return dst, fault
		}
		dst = dst[:start+4+len(decoded)]
	}
	abi.AppendU32(dst[:start], uint32(len(dst)-start-4)) // over the length's place
	return dst, ""
}
