package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// newPattern compiles a regular expression: RE2, without what depends on
// Unicode's tables, which grow with every release, and within a weight.
func newPattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a pattern has at most %d bytes", maxPattern)
	}
	w := weigher{text: text}
	weight, err := w.alternatives(0)
	switch {
	case err != nil:
		return nil, err
	case weight > maxWeight:
		return nil, fmt.Errorf("the pattern weighs more than %d with its repetitions written out", maxWeight)
	case w.off != len(text):
		return nil, fmt.Errorf("the pattern has a ) too many at %d", w.off)
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the pattern is not of RE2: %v", err)
	}
	return &pattern{text, max(weight, 1), compiled}, nil
}

// cost is the steps that matching a text of n bytes counts for.
func (p *pattern) cost(n int) int { return 2 + (n+4)*p.weight/4 }

// weigher sums what a pattern looks at for each character of a text.
type weigher struct {
	text string
	off  int
}

const maxGroups = 16

func (w *weigher) alternatives(depth int) (sum int, err error) {
	if depth > maxGroups {
		return 0, fmt.Errorf("groups nest deeper than %d", maxGroups)
	}
	for w.off < len(w.text) && w.text[w.off] != ')' {
		weight, err := w.atom(depth)
		if err != nil {
			return 0, err
		}
		if weight, err = w.repeated(weight); err != nil {
			return 0, err
		}
		if sum += weight; sum > maxWeight {
			return maxWeight + 1, nil
		}
	}
	return sum, nil
}

func (w *weigher) atom(depth int) (int, error) {
	c := w.text[w.off]
	w.off++
	switch c {
	case '\\':
		if w.off == len(w.text) || !strings.ContainsRune(`dDwWsSbBtnrfv\/.^$|?*+()[]{}-`, rune(w.text[w.off])) {
			return 0, fmt.Errorf("the escape at %d is not one of \\d \\w \\s \\b, their opposites, \\t \\n \\r \\f \\v, and of a sign itself", w.off-1)
		}
		w.off++
	case '(':
		if strings.HasPrefix(w.text[w.off:], "?") {
			if !strings.HasPrefix(w.text[w.off:], "?:") {
				return 0, fmt.Errorf("groups are ( or (?: and nothing else, at %d", w.off-1)
			}
			w.off += 2
		}
		weight, err := w.alternatives(depth + 1)
		if err != nil {
			return 0, err
		}
		if weight <= maxWeight {
			if w.off == len(w.text) {
				return 0, errors.New("a group is not closed")
			}
			w.off++
		}
		return weight + 1, nil
	case '[':
		return 1, w.class()
	}
	return 1, nil
}

// class passes over a bracket expression.
func (w *weigher) class() error {
	if strings.HasPrefix(w.text[w.off:], "^") {
		w.off++
	}
	for start := w.off; w.off < len(w.text); w.off++ {
		switch c := w.text[w.off]; {
		case c == ']' && w.off > start:
			w.off++
			return nil
		case c == '[':
			return fmt.Errorf("a [ within brackets is written \\[, at %d", w.off)
		case c == '\\':
			if w.off+1 == len(w.text) || !strings.ContainsRune(`dDwWsStnrfv\/.^$|?*+()[]{}-`, rune(w.text[w.off+1])) {
				return fmt.Errorf("the escape at %d is not known", w.off)
			}
			w.off++
		}
	}
	return errors.New("a [ is not closed")
}

// repeated multiplies by the count of {m,n}; * and + go round in place.
func (w *weigher) repeated(weight int) (int, error) {
	rest := w.text[w.off:]
	if !strings.HasPrefix(rest, "{") {
		return weight, nil
	}
	inside, _, closed := strings.Cut(rest[1:], "}")
	least, most, ranged := strings.Cut(inside, ",")
	if !ranged || most == "" {
		most = least
	}
	count, err := strconv.ParseUint(most, 10, 16)
	if _, bad := strconv.ParseUint(least, 10, 16); !closed || err != nil || bad != nil || count > maxRepeat {
		return 0, fmt.Errorf("the repetition at %d is not {m}, {m,} or {m,n} of at most %d", w.off, maxRepeat)
	}
	w.off += len(inside) + 2
	return weight * int(max(count, 1)), nil
}
