package schema

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// appendCanonical appends an encoding of a value that is equal for values that
// JSON Schema calls equal: 1.0 and 1, members in any order, escapes or none.
func (t *tape) appendCanonical(dst []byte, n int32) []byte {
	at := &t.nodes[n]
	switch at.kind {
	case kindNull, kindBool:
		return append(dst, t.text[at.start])
	case kindInteger, kindNumber:
		d, _ := parseDecimal(nil, t.raw(n))
		sign := byte('+')
		if d.neg {
			sign = '-'
		}
		dst = binary.AppendVarint(append(dst, sign), int64(d.exp))
		return appendCounted(dst, d.digits)
	case kindString:
		return appendCounted(append(dst, '"'), t.bytes(n))
	case kindArray:
		dst = binary.AppendUvarint(append(dst, '['), uint64(at.count))
		for child := n + 1; child < at.next; child = t.nodes[child].next {
			dst = t.appendCanonical(dst, child)
		}
		return dst
	}
	type member struct {
		name  string
		value int32
	}
	members := make([]member, 0, at.count)
	for child := n + 1; child < at.next; child = t.nodes[child+1].next {
		members = append(members, member{string(t.bytes(child)), child + 1})
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	dst = binary.AppendUvarint(append(dst, '{'), uint64(at.count))
	for _, m := range members {
		dst = t.appendCanonical(appendCounted(dst, []byte(m.name)), m.value)
	}
	return dst
}

func appendCounted(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// quote renders a text as JSON.
func quote(s string) []byte {
	const hexDigits = "0123456789abcdef"
	out := []byte{'"'}
	for _, b := range []byte(s) {
		switch {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b < 0x20:
			out = append(out, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		default:
			out = append(out, b)
		}
	}
	return append(out, '"')
}
