package projection

import (
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth bounds nesting, and so the recursion of the scanner.
const MaxDepth = 64

// scanner walks JSON text without building values. It answers false at the
// first fault and keeps where and what it was; it does not allocate.
type scanner struct {
	text  []byte
	off   int
	fault string
}

func (s *scanner) fail(what string) bool {
	if s.fault == "" {
		s.fault = what
	}
	return false
}

func (s *scanner) space() {
	for s.off < len(s.text) {
		switch s.text[s.off] {
		case ' ', '\t', '\n', '\r':
			s.off++
		default:
			return
		}
	}
}

// peek answers the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.off < len(s.text) {
		return s.text[s.off]
	}
	return 0
}

// expect consumes one byte.
func (s *scanner) expect(c byte, what string) bool {
	if s.off >= len(s.text) || s.text[s.off] != c {
		return s.fail(what)
	}
	s.off++
	return true
}

// value skips one value of any kind.
func (s *scanner) value(depth int) bool {
	if depth > MaxDepth {
		return s.fail("is nested too deep")
	}
	switch c := s.peek(); {
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.fail("is not JSON where a value should start")
}

func (s *scanner) word(w string) bool {
	if len(s.text)-s.off < len(w) || string(s.text[s.off:s.off+len(w)]) != w {
		return s.fail("is not JSON where a value should start")
	}
	s.off += len(w)
	return true
}

func (s *scanner) object(depth int) bool {
	s.off++ // the brace
	if s.space(); s.peek() == '}' {
		s.off++
		return true
	}
	for {
		if !s.member() || !s.value(depth+1) {
			return false
		}
		if s.space(); s.peek() != ',' {
			return s.expect('}', "is not JSON: , or } expected")
		}
		s.off++
	}
}

// member skips a member's name and colon, up to its value.
func (s *scanner) member() bool {
	s.space()
	if s.peek() != '"' {
		return s.fail("is not JSON: a member's name expected")
	}
	if !s.str() {
		return false
	}
	s.space()
	if !s.expect(':', "is not JSON: : expected") {
		return false
	}
	s.space()
	return true
}

func (s *scanner) array(depth int) bool {
	s.off++ // the bracket
	if s.space(); s.peek() == ']' {
		s.off++
		return true
	}
	for {
		s.space()
		if !s.value(depth + 1) {
			return false
		}
		if s.space(); s.peek() != ',' {
			return s.expect(']', "is not JSON: , or ] expected")
		}
		s.off++
	}
}

// str checks and skips one string, quotes included.
func (s *scanner) str() bool {
	s.off++ // the quote
	for s.off < len(s.text) {
		switch c := s.text[s.off]; {
		case c == '"':
			s.off++
			return true
		case c == '\\':
			if _, ok := s.escape(); !ok {
				return false
			}
		case c < 0x20:
			return s.fail("has a control character in a string")
		case c < utf8.RuneSelf:
			s.off++
		default:
			r, n := utf8.DecodeRune(s.text[s.off:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("is not UTF-8")
			}
			s.off += n
		}
	}
	return s.fail("ends inside a string")
}

// escape reads one escape sequence, both halves of a surrogate pair.
func (s *scanner) escape() (rune, bool) {
	if s.off+1 >= len(s.text) {
		return 0, s.fail("ends inside a string")
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := s.text[s.off+1]
	for i := range len(from) {
		if from[i] == c {
			s.off += 2
			return rune(to[i]), true
		}
	}
	if c != 'u' {
		return 0, s.fail("has an unknown escape in a string")
	}
	high, ok := s.hex4()
	if !ok || !utf16.IsSurrogate(high) {
		return high, ok
	}
	if s.off+1 < len(s.text) && s.text[s.off] == '\\' && s.text[s.off+1] == 'u' {
		low, ok := s.hex4()
		if pair := utf16.DecodeRune(high, low); ok && pair != utf8.RuneError {
			return pair, true
		}
	}
	return 0, s.fail("has half a surrogate pair in a string")
}

// hex4 reads \uXXXX.
func (s *scanner) hex4() (rune, bool) {
	if s.off+6 > len(s.text) {
		return 0, s.fail("ends inside a string")
	}
	var r rune
	for _, c := range s.text[s.off+2 : s.off+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, s.fail("has a bad \\u escape in a string")
		}
	}
	s.off += 6
	return r, true
}

// number checks the grammar of RFC 8259 section 6.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.off++
	}
	if s.peek() == '0' {
		s.off++
	} else if s.digits() == 0 {
		return s.fail("has a number without digits")
	}
	if s.peek() == '.' {
		s.off++
		if s.digits() == 0 {
			return s.fail("has a number without digits after the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.off++
		if c := s.peek(); c == '+' || c == '-' {
			s.off++
		}
		if s.digits() == 0 {
			return s.fail("has a number without digits in the exponent")
		}
	}
	return true
}

func (s *scanner) digits() (n int) {
	for s.off < len(s.text) && s.text[s.off] >= '0' && s.text[s.off] <= '9' {
		s.off++
		n++
	}
	return n
}

// appendUnquoted appends the text of a string that str accepted, quotes included.
func appendUnquoted(dst, quoted []byte) []byte {
	s := scanner{text: quoted[1 : len(quoted)-1]}
	for s.off < len(s.text) {
		run := s.off
		for s.off < len(s.text) && s.text[s.off] != '\\' {
			s.off++
		}
		dst = append(dst, s.text[run:s.off]...)
		if s.off < len(s.text) {
			r, _ := s.escape()
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
