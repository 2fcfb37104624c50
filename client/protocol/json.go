package protocol

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds nesting, and so the recursion of the scanner.
const maxJSONDepth = 64

// jsonScanner walks RFC 8259 text without building values. It is stricter
// than encoding/json: lone surrogates and invalid UTF-8 are refused.
type jsonScanner struct {
	text []byte
	off  int
}

var errJSONEnd = errors.New("text ends early")

func (s *jsonScanner) space() {
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
func (s *jsonScanner) peek() byte {
	if s.off < len(s.text) {
		return s.text[s.off]
	}
	return 0
}

func (s *jsonScanner) expect(c byte) error {
	if s.off >= len(s.text) {
		return errJSONEnd
	}
	if s.text[s.off] != c {
		return fmt.Errorf("offset %d: expected %q, found %q", s.off, c, s.text[s.off])
	}
	s.off++
	return nil
}

// value skips one value and returns its exact text.
func (s *jsonScanner) value(depth int) ([]byte, error) {
	start := s.off
	if err := s.skip(depth); err != nil {
		return nil, err
	}
	return s.text[start:s.off], nil
}

func (s *jsonScanner) skip(depth int) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("offset %d: nested deeper than %d", s.off, maxJSONDepth)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.members(depth, func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.elements(func() error { return s.skip(depth + 1) })
	case c == '"':
		return s.skipString()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(s.text)-s.off >= len(word) && string(s.text[s.off:s.off+len(word)]) == word {
			s.off += len(word)
			return nil
		}
	}
	if s.off >= len(s.text) {
		return errJSONEnd
	}
	return fmt.Errorf("offset %d: no JSON value starts with %q", s.off, s.peek())
}

// members walks an object, calling visit at each value with the raw name,
// quotes included.
func (s *jsonScanner) members(depth int, visit func(name []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.space(); s.peek() == '}' {
		s.off++
		return nil
	}
	for {
		s.space()
		start := s.off
		if err := s.skipString(); err != nil {
			return err
		}
		name := s.text[start:s.off]
		s.space()
		if err := s.expect(':'); err != nil {
			return err
		}
		s.space()
		if err := visit(name); err != nil {
			return err
		}
		if s.space(); s.peek() != ',' {
			return s.expect('}')
		}
		s.off++
	}
}

// elements walks an array, calling visit at each value.
func (s *jsonScanner) elements(visit func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.space(); s.peek() == ']' {
		s.off++
		return nil
	}
	for {
		s.space()
		if err := visit(); err != nil {
			return err
		}
		if s.space(); s.peek() != ',' {
			return s.expect(']')
		}
		s.off++
	}
}

// skipString checks one string: escapes, UTF-8, paired surrogates.
func (s *jsonScanner) skipString() error {
	if err := s.expect('"'); err != nil {
		return err
	}
	for s.off < len(s.text) {
		switch c := s.text[s.off]; {
		case c == '"':
			s.off++
			return nil
		case c == '\\':
			if _, err := s.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return fmt.Errorf("offset %d: control character in a string", s.off)
		case c < utf8.RuneSelf:
			s.off++
		default:
			r, n := utf8.DecodeRune(s.text[s.off:])
			if r == utf8.RuneError && n == 1 {
				return fmt.Errorf("offset %d: not UTF-8", s.off)
			}
			s.off += n
		}
	}
	return errJSONEnd
}

// escape reads one escape sequence, surrogate pairs included.
func (s *jsonScanner) escape() (rune, error) {
	if s.off+1 >= len(s.text) {
		return 0, errJSONEnd
	}
	c := s.text[s.off+1]
	if c != 'u' {
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		for i := range len(from) {
			if from[i] == c {
				s.off += 2
				return rune(to[i]), nil
			}
		}
		return 0, fmt.Errorf("offset %d: unknown escape \\%c", s.off, c)
	}
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	at := s.off
	if s.peek() == '\\' && s.off+1 < len(s.text) && s.text[s.off+1] == 'u' {
		low, err := s.hex4()
		if err != nil {
			return 0, err
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, nil
		}
	}
	return 0, fmt.Errorf("offset %d: surrogate without its pair", at)
}

// hex4 reads \uXXXX.
func (s *jsonScanner) hex4() (rune, error) {
	if s.off+6 > len(s.text) {
		return 0, errJSONEnd
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
			return 0, fmt.Errorf("offset %d: bad \\u escape", s.off)
		}
	}
	s.off += 6
	return r, nil
}

// number checks the grammar of RFC 8259 section 6; the value does not matter here.
func (s *jsonScanner) number() error {
	if s.peek() == '-' {
		s.off++
	}
	if s.peek() == '0' {
		s.off++
	} else if s.digits() == 0 {
		return fmt.Errorf("offset %d: a number needs a digit", s.off)
	}
	if s.peek() == '.' {
		s.off++
		if s.digits() == 0 {
			return fmt.Errorf("offset %d: a fraction needs a digit", s.off)
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.off++
		if c := s.peek(); c == '+' || c == '-' {
			s.off++
		}
		if s.digits() == 0 {
			return fmt.Errorf("offset %d: an exponent needs a digit", s.off)
		}
	}
	return nil
}

func (s *jsonScanner) digits() (n int) {
	for s.peek() >= '0' && s.peek() <= '9' {
		s.off++
		n++
	}
	return n
}

// unquote decodes a string that skipString accepted.
func unquote(quoted []byte) string {
	body := quoted[1 : len(quoted)-1]
	out := make([]byte, 0, len(body))
	s := jsonScanner{text: body}
	for s.off < len(body) {
		if body[s.off] != '\\' {
			out = append(out, body[s.off])
			s.off++
			continue
		}
		r, err := s.escape()
		if err != nil {
			panic(fmt.Sprintf("protocol: string was not checked: %v", err))
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// checkJSON accepts exactly one JSON value without surrounding space.
func checkJSON(text []byte) error {
	s := jsonScanner{text: text}
	if err := s.skip(0); err != nil {
		return err
	}
	if s.off != len(text) {
		return fmt.Errorf("offset %d: more follows the value", s.off)
	}
	return nil
}

// appendQuoted appends s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
