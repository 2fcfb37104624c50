package schema

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Kinds of JSON values, as bits of a set.
const (
	kindNull uint8 = 1 << iota
	kindBool
	kindInteger // a number without a fraction: 1.0 is one
	kindNumber  // any other number
	kindString
	kindArray
	kindObject
	anyKind = 1<<iota - 1
)

// node is a value of a text, or the name of a member. A container's members
// follow it: of an object name and value in turn.
type node struct {
	start, end int32 // in the text; of a string with its quotes
	next       int32 // node behind this one and all in it
	count      int32 // members of a container
	kind       uint8
	escaped    bool // a string with escapes
}

// tape is a JSON text as nodes, outermost first.
type tape struct {
	text  []byte
	nodes []node
	off   int
	// repeated is the node of the first member whose name its object has
	// already, and outOfRange of the first number that is not compared; 0 is none.
	repeated, outOfRange int32
}

// read lists the nodes of one JSON text that protocol.CheckJSON accepts.
func (t *tape) read(text []byte) {
	t.text, t.nodes, t.off, t.repeated, t.outOfRange = text, t.nodes[:0], 0, 0, 0
	t.value()
}

func (t *tape) space() {
	for t.off < len(t.text) && t.text[t.off] <= ' ' {
		t.off++
	}
}

func (t *tape) value() {
	at := int32(len(t.nodes))
	t.nodes = append(t.nodes, node{start: int32(t.off)})
	var kind uint8
	switch c := t.text[t.off]; c {
	case '{', '[':
		kind = kindObject
		if c == '[' {
			kind = kindArray
		}
		t.members(at, kind == kindObject)
	case '"':
		kind = kindString
		t.nodes[at].escaped = t.skipString()
	case 't', 'n':
		kind = kindBool
		if c == 'n' {
			kind = kindNull
		}
		t.off += 4
	case 'f':
		kind = kindBool
		t.off += 5
	default:
		kind = t.number(at)
	}
	n := &t.nodes[at]
	n.kind, n.end, n.next = kind, int32(t.off), int32(len(t.nodes))
}

// members reads what is between a container's brackets.
func (t *tape) members(at int32, object bool) {
	t.off++
	count := int32(0)
	for t.space(); t.text[t.off] != '}' && t.text[t.off] != ']'; t.space() {
		if object {
			t.value() // the name
			t.space()
			t.off++ // the colon
			t.space()
		}
		t.value()
		count++
		if t.space(); t.text[t.off] == ',' {
			t.off++
		}
	}
	t.off++
	t.nodes[at].count = count
	if object && t.repeated == 0 {
		t.repeated = t.findRepeated(at, count)
	}
}

func (t *tape) skipString() (escaped bool) {
	t.off++
	for {
		switch t.text[t.off] {
		case '"':
			t.off++
			return escaped
		case '\\':
			escaped = true
			t.off++
		}
		t.off++
	}
}

func (t *tape) number(at int32) uint8 {
	start, plain := t.off, true
	for t.off < len(t.text) {
		switch c := t.text[t.off]; {
		case c >= '0' && c <= '9' || c == '-' || c == '+':
		case c == '.' || c == 'e' || c == 'E':
			plain = false
		default:
			goto end
		}
		t.off++
	}
end:
	if plain {
		return kindInteger
	}
	d, ok := parseDecimal(nil, t.text[start:t.off])
	if !ok && t.outOfRange == 0 {
		t.outOfRange = max(at, 1) // 0 means none; a lone number is found by its kind
	}
	if ok && d.exp >= 0 {
		return kindInteger
	}
	return kindNumber
}

// smallObject is how many members are compared each with each.
const smallObject = 12

func (t *tape) findRepeated(object, count int32) int32 {
	if count < 2 {
		return 0
	}
	if count > smallObject {
		seen := make(map[string]struct{}, count)
		for n, i := object+1, int32(0); i < count; i++ {
			name := string(t.bytes(n))
			if _, met := seen[name]; met {
				return n
			}
			seen[name] = struct{}{}
			n = t.nodes[n+1].next
		}
		return 0
	}
	for n, i := object+1, int32(0); i < count; i++ {
		name := t.bytes(n)
		for m := object + 1; m < n; m = t.nodes[m+1].next {
			if bytes.Equal(t.bytes(m), name) {
				return n
			}
		}
		n = t.nodes[n+1].next
	}
	return 0
}

// bytes is the content of a string.
func (t *tape) bytes(n int32) []byte {
	at := &t.nodes[n]
	quoted := t.text[at.start:at.end]
	if at.escaped {
		return []byte(protocol.UnquoteJSON(quoted))
	}
	return quoted[1 : len(quoted)-1]
}

// raw is the text of a value.
func (t *tape) raw(n int32) []byte { return t.text[t.nodes[n].start:t.nodes[n].end] }

// pointer leads from the whole text to a node (RFC 6901): to a name's member.
func (t *tape) pointer(target int32) string {
	var b strings.Builder
	for n := int32(0); n != target && t.nodes[n].count > 0; {
		object := t.nodes[n].kind == kindObject
		for child, i := n+1, 0; ; i++ {
			value := child
			if object {
				value++
			}
			if target >= child && target < t.nodes[value].next {
				if object {
					appendToken(&b, string(t.bytes(child)))
				} else {
					appendToken(&b, strconv.Itoa(i))
				}
				if target == child {
					value = target
				}
				n = value
				break
			}
			child = t.nodes[value].next
		}
	}
	return b.String()
}

// appendToken appends a reference token of a JSON Pointer.
func appendToken(b *strings.Builder, token string) {
	b.WriteByte('/')
	for _, r := range token {
		switch r {
		case '~':
			b.WriteString("~0")
		case '/':
			b.WriteString("~1")
		default:
			b.WriteRune(r)
		}
	}
}

// readJSON checks a text from outside and lists its nodes. White space around
// it is left out.
func readJSON(text []byte) (*tape, error) {
	text = bytes.TrimSpace(text)
	if err := protocol.CheckJSON(text); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	t := &tape{}
	t.read(text)
	if t.repeated != 0 {
		return nil, fmt.Errorf("%s: the object has this name twice", t.pointer(t.repeated))
	}
	if t.outOfRange != 0 {
		return nil, fmt.Errorf("%s: the number's exponent is over %d", t.pointer(t.outOfRange), maxExponent)
	}
	return t, nil
}
