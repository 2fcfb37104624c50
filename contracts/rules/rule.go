package main

// Bounds of a rule. Together with those of a state (state.go) and of the index
// (registry.go) they bound the gas of one delivery; README.md has the numbers.
const (
	maxRuleBytes = 1024
	maxTests     = 8
	maxNodes     = 16 // tests and groups
	maxDepth     = 4  // groups inside one another
	maxNameBytes = 64 // properties, alerts and actions
	maxTextBytes = 32 // texts and states that are compared
	maxSubject   = 64
	maxSpanNs    = 366 * 24 * 3600 * 1_000_000_000
	maxRadiusM   = 100_000
)

// defaultLateNs is how long a rule waits for readings that overtook another.
const defaultLateNs = 30 * 1_000_000_000

// rule is a rule's text, read.
type rule struct {
	when       *pattern
	global     bool // one state for all subjects
	lateNs     int64
	cooldownNs int64
	action     bool   // else an alert
	name       []byte // of the alert or action
	actuator   []byte // of the action; empty: the subject
	tests      []*test
	nodes      int  // patterns have the ids 0 to nodes-1
	negative   bool // some part must not happen: only settled readings count
	deadline   bool // it fires when a time has passed, not with a reading
}

// Kinds of patterns.
const (
	kindTest = iota // one reading
	kindOne         // a group of one part, for its area
	kindThen        // parts in order
	kindAnd         // parts in any order
	kindOr          // one of the parts
)

// pattern is a test or a group.
type pattern struct {
	kind     byte
	not      bool
	id       int
	at       int // where it begins in the text
	parts    []*pattern
	withinNs int64 // of then and and
	area     *area // the group's own, or nil
	test     *test
}

// What a test looks at.
const (
	lookSeen = iota // that there is a reading at all
	lookNumber
	lookText
	lookFlag
	lookStatus
)

// Relations of a test.
const (
	relEqual = iota
	relOther
	relLess
	relMost
	relMore
	relLeast
)

var relations = [...]string{relEqual: "=", relOther: "!=", relLess: "<", relMost: "<=", relMore: ">", relLeast: ">="}

// test is a condition on one reading.
type test struct {
	number    uint8 // its place in rule.tests
	property  []byte
	subject   []byte // exactly, or what it begins with
	bySubject bool
	prefix    bool
	from      *address // who signed it, or nil for anybody
	area      *area    // of the innermost group that has one, or nil
	look, rel byte
	low, high int64 // millionths; the same but for a range
	unit      []byte
	text      []byte
	flag      bool
}

// observation is what is tested: one reading, whatever event brought it.
type observation struct {
	subject, property []byte
	origin            address
	hasNumber         bool
	number            int64 // millionths
	hasText           bool
	text              []byte
	hasFlag, flag     bool
	hasStatus         bool
	status            []byte
	placed            bool
	at                point
}

// holds says whether a reading meets the condition.
func (t *test) holds(o *observation) bool {
	if !same(t.property, o.property) || !t.hears(o.subject) {
		return false
	}
	if t.from != nil && *t.from != o.origin || t.area != nil && !(o.placed && t.area.holds(o.at)) {
		return false
	}
	switch t.look {
	case lookNumber:
		return o.hasNumber && t.compares(o.number)
	case lookText:
		return o.hasText && same(o.text, t.text) == (t.rel == relEqual)
	case lookStatus:
		return o.hasStatus && same(o.status, t.text) == (t.rel == relEqual)
	case lookFlag:
		return o.hasFlag && o.flag == t.flag
	}
	return true
}

// hears says whether the test is about a subject.
func (t *test) hears(subject []byte) bool {
	switch {
	case !t.bySubject:
		return true
	case t.prefix:
		return len(subject) >= len(t.subject) && same(subject[:len(t.subject)], t.subject)
	}
	return same(subject, t.subject)
}

func (t *test) compares(v int64) bool {
	switch t.rel {
	case relEqual:
		return t.low <= v && v <= t.high
	case relOther:
		return v < t.low || t.high < v
	case relLess:
		return v < t.low
	case relMost:
		return v <= t.low
	case relMore:
		return v > t.low
	}
	return v >= t.low
}

// mask says which tests of a rule a reading meets, bit by bit.
func (r *rule) mask(o *observation) (mask uint8) {
	for i, t := range r.tests {
		if t.holds(o) {
			mask |= 1 << i
		}
	}
	return mask
}
