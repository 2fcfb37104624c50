package main

// Kinds of tokens of a rule's text.
const (
	tokenEnd = iota
	tokenWord
	tokenNumber
	tokenString
	tokenSymbol
)

// token is one piece of a rule's text.
type token struct {
	kind byte
	at   int    // where it begins
	text []byte // a word, a number without its unit, a symbol, a string without quotes
	unit []byte // letters that follow a number at once: 5m, 500m
}

// fault says what is wrong with a rule's text, and where.
type fault struct {
	text string
	at   int
}

// scanner cuts a rule's text into tokens, and keeps the first fault.
type scanner struct {
	src   []byte
	off   int
	tok   token // the one looked at
	fault *fault
}

// fail notes the first fault at the token looked at; after it there are no
// tokens, so that every loop of the parser ends.
func (s *scanner) fail(text string) {
	if s.fault == nil {
		s.fault = &fault{text, s.tok.at}
	}
	s.off, s.tok = len(s.src), token{at: len(s.src)}
}

// next moves to the next token.
func (s *scanner) next() {
	for s.off < len(s.src) && (s.src[s.off] == ' ' || s.src[s.off] == '\n') {
		s.off++
	}
	start := s.off
	s.tok = token{at: start}
	if start == len(s.src) {
		return
	}
	switch c := s.src[start]; {
	case isLetter(c):
		s.tok.kind, s.tok.text = tokenWord, s.run(isNamePart)
	case isDigit(c), c == '-':
		s.number()
	case c == '"':
		s.quoted()
	default:
		s.symbol()
	}
}

// run takes bytes as long as they belong.
func (s *scanner) run(belongs func(byte) bool) []byte {
	start := s.off
	for s.off < len(s.src) && belongs(s.src[s.off]) {
		s.off++
	}
	return s.src[start:s.off]
}

// number takes an optional sign, digits, a point with digits behind it, and a unit.
func (s *scanner) number() {
	start := s.off
	if s.src[s.off] == '-' {
		s.off++
	}
	if len(s.run(isDigit)) == 0 {
		s.fail("a number has digits behind its sign")
		return
	}
	if s.off+1 < len(s.src) && s.src[s.off] == '.' && isDigit(s.src[s.off+1]) {
		s.off++
		s.run(isDigit)
	}
	s.tok.kind, s.tok.text = tokenNumber, s.src[start:s.off]
	s.tok.unit = s.run(isLetter)
}

// quoted takes a string: \" and \\ stand for a quote and a backslash.
func (s *scanner) quoted() {
	out := make([]byte, 0, 32)
	for s.off++; s.off < len(s.src); s.off++ {
		c := s.src[s.off]
		switch {
		case c == '"':
			s.off++
			s.tok.kind, s.tok.text = tokenString, out
			return
		case c < 0x20:
			s.fail("a string has no control characters")
			return
		case c == '\\':
			s.off++
			if s.off == len(s.src) || s.src[s.off] != '"' && s.src[s.off] != '\\' {
				s.fail(`a backslash stands before " or \ only`)
				return
			}
			c = s.src[s.off]
		}
		out = append(out, c)
	}
	s.fail("a string ends with a quote")
}

func (s *scanner) symbol() {
	size := 1
	if s.off+1 < len(s.src) {
		pair := s.src[s.off : s.off+2]
		if is(pair, "!=") || is(pair, "<=") || is(pair, ">=") || is(pair, "..") {
			size = 2
		}
	}
	s.tok.kind, s.tok.text = tokenSymbol, s.src[s.off:s.off+size]
	s.off += size
	if size == 1 {
		switch s.tok.text[0] {
		case '(', ')', ',', '=', '<', '>':
		default:
			s.fail("no rule has this character")
		}
	}
}

func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isLetter(c byte) bool   { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
func isNamePart(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' || c == '-' }
