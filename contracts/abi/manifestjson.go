//go:build !tinygo

package abi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ManifestError says which part of a manifest is wrong and what is allowed.
type ManifestError struct {
	Field string // such as events[0].fields[2].scale; empty for the whole document
	Text  string
}

// Error renders the field and what is wrong with it.
func (e *ManifestError) Error() string {
	if e.Field == "" {
		return "manifest: " + e.Text
	}
	return "manifest: " + e.Field + ": " + e.Text
}

// ParseManifest reads a manifest strictly: unknown, repeated, differently
// cased and missing members, wrong types and anything over a limit are
// refused by a *ManifestError. It never panics on input.
//
//	{"name": "parking", "version": "1.0.0", "abi": 1, "description": "...",
//	 "author":  "...", "source": "SHA-256 in hex",
//	 "events":  [{"type": "...", "ledger": "...", "fields": [{"name": "...", "kind": "uint"}], "retries": 0}],
//	 "init":    {"fields": []},
//	 "migrate": {"fields": []},
//	 "calls":   [{"name": "...", "fields": []}],
//	 "timers":  [{"name": "..."}],
//	 "queries": [{"name": "...", "fields": []}],
//	 "state":   [{"name": "...", "kind": "map", "description": "..."}]}
//
// A field's kind is uint, int, decimal (with "scale", 0 to 18), bool, string,
// bytes or time; "path" (dotted, the name by default) and "optional" (false by
// default) may be given. An event's "ledger" is the name of another ledger that
// it comes from. Only name, version and abi are required.
func ParseManifest(text []byte) (*Manifest, error) {
	if len(text) > MaxManifestBytes {
		return nil, &ManifestError{Text: fmt.Sprintf("has %d bytes, the limit is %d", len(text), MaxManifestBytes)}
	}
	if !utf8.Valid(text) {
		return nil, &ManifestError{Text: "is not UTF-8"}
	}
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	var p manifestParser
	m := p.manifest(tree)
	if p.err != nil {
		return nil, p.err
	}
	return m, nil
}

// node is one JSON value; exactly one of the fields is set, by kind.
type node struct {
	kind    string // object, array, string, number, bool, null
	names   []string
	members map[string]*node
	items   []*node
	text    string
	truth   bool
}

// maxTreeDepth is deeper than any valid manifest nests.
const maxTreeDepth = 8

func parseTree(text []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	tree, err := parseNode(dec, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &ManifestError{Text: "more follows the document"}
	}
	return tree, nil
}

func parseNode(dec *json.Decoder, at string, depth int) (*node, error) {
	if depth > maxTreeDepth {
		return nil, &ManifestError{at, fmt.Sprintf("nests deeper than %d", maxTreeDepth)}
	}
	token, err := dec.Token()
	if err != nil {
		return nil, &ManifestError{at, "is not JSON: " + err.Error()}
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return parseObject(dec, at, depth)
		}
		return parseArray(dec, at, depth)
	case string:
		return &node{kind: "string", text: t}, nil
	case json.Number:
		return &node{kind: "number", text: t.String()}, nil
	case bool:
		return &node{kind: "bool", truth: t}, nil
	}
	return &node{kind: "null"}, nil
}

func parseObject(dec *json.Decoder, at string, depth int) (*node, error) {
	n := &node{kind: "object", members: map[string]*node{}}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, &ManifestError{at, "is not JSON: " + err.Error()}
		}
		name := token.(string) // the decoder admits only strings here
		where := join(at, name)
		if _, twice := n.members[name]; twice {
			return nil, &ManifestError{where, "is given twice"}
		}
		member, err := parseNode(dec, where, depth+1)
		if err != nil {
			return nil, err
		}
		n.names = append(n.names, name)
		n.members[name] = member
	}
	return n, closeNode(dec, at)
}

func parseArray(dec *json.Decoder, at string, depth int) (*node, error) {
	n := &node{kind: "array"}
	for dec.More() {
		item, err := parseNode(dec, fmt.Sprintf("%s[%d]", at, len(n.items)), depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	return n, closeNode(dec, at)
}

// closeNode consumes the closing bracket.
func closeNode(dec *json.Decoder, at string) error {
	if _, err := dec.Token(); err != nil {
		return &ManifestError{at, "is not JSON: " + err.Error()}
	}
	return nil
}

func join(at, name string) string {
	if len(name) > MaxName {
		name = name[:MaxName] + "..."
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

// manifestParser reads the tree; the first fault sticks.
type manifestParser struct{ err error }

func (p *manifestParser) fail(at, format string, args ...any) {
	if p.err == nil {
		p.err = &ManifestError{at, fmt.Sprintf(format, args...)}
	}
}

// object checks that n is an object with these members only; required ones
// are marked by a leading "!".
func (p *manifestParser) object(n *node, at string, members ...string) bool {
	if n.kind != "object" {
		p.fail(at, "must be an object, is %s", n.kind)
		return false
	}
	for _, name := range n.names {
		if !slices.Contains(members, name) && !slices.Contains(members, "!"+name) {
			p.fail(join(at, name), "is not a member of a manifest here; known are %s", strings.ReplaceAll(strings.Join(members, ", "), "!", ""))
			return false
		}
	}
	for _, name := range members {
		if required, is := strings.CutPrefix(name, "!"); is && n.members[required] == nil {
			p.fail(join(at, required), "is required")
			return false
		}
	}
	return true
}

// text reads a string of lo to hi bytes without control characters; a nil node is "".
func (p *manifestParser) text(n *node, at string, lo, hi int) string {
	if n == nil {
		return ""
	}
	if n.kind != "string" {
		p.fail(at, "must be a string, is %s", n.kind)
		return ""
	}
	if len(n.text) < lo || len(n.text) > hi {
		p.fail(at, "must have %d to %d bytes, has %d", lo, hi, len(n.text))
		return ""
	}
	for _, r := range n.text {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			p.fail(at, "holds the character U+%04X", r)
			return ""
		}
	}
	return n.text
}

// list answers the items of an array of at most limit; a nil node is empty.
func (p *manifestParser) list(n *node, at string, limit int) []*node {
	if n == nil {
		return nil
	}
	if n.kind != "array" {
		p.fail(at, "must be an array, is %s", n.kind)
		return nil
	}
	if len(n.items) > limit {
		p.fail(at, "has %d items, the limit is %d", len(n.items), limit)
		return nil
	}
	return n.items
}

// number reads a plain decimal integer of 0 to hi.
func (p *manifestParser) number(n *node, at string, hi uint64) uint64 {
	if n.kind != "number" {
		p.fail(at, "must be a number, is %s", n.kind)
		return 0
	}
	v, err := strconv.ParseUint(n.text, 10, 64)
	if err != nil || v > hi {
		p.fail(at, "must be an integer from 0 to %d, is %s", hi, n.text)
		return 0
	}
	return v
}

func (p *manifestParser) manifest(n *node) *Manifest {
	m := &Manifest{}
	if !p.object(n, "", "!name", "!version", "!abi", "description", "author", "source",
		"events", "init", "migrate", "calls", "timers", "queries", "state") {
		return m
	}
	m.Name = p.contractName(n.members["name"], "name")
	m.Version = p.text(n.members["version"], "version", 1, MaxVersionText)
	if v := p.number(n.members["abi"], "abi", 1<<32); p.err == nil && v != Version {
		p.fail("abi", "is %d, this ledger runs %d", v, Version)
	}
	m.Description = p.text(n.members["description"], "description", 0, MaxDescription)
	m.Author = p.text(n.members["author"], "author", 0, MaxDescription)
	m.Source = p.text(n.members["source"], "source", 64, 64)
	if strings.Trim(m.Source, "0123456789abcdef") != "" {
		p.fail("source", "must be a SHA-256 in lower-case hex")
	}
	m.Events = p.subscriptions(n.members["events"])
	m.Init = p.arguments(n.members["init"], "init")
	m.Migrate = p.arguments(n.members["migrate"], "migrate")
	m.Calls = p.methods(n.members["calls"], "calls")
	m.Timers = p.timers(n.members["timers"])
	m.Queries = p.methods(n.members["queries"], "queries")
	m.State = p.state(n.members["state"])
	return m
}

func (p *manifestParser) arguments(n *node, at string) []Field {
	if n == nil || !p.object(n, at, "fields") {
		return nil
	}
	return p.fields(n.members["fields"], at+".fields")
}

func (p *manifestParser) timers(n *node) []Timer {
	var timers []Timer
	for i, item := range p.list(n, "timers", MaxMethods) {
		at := fmt.Sprintf("timers[%d]", i)
		if !p.object(item, at, "!name") {
			return nil
		}
		t := Timer{Name: p.word(item.members["name"], at+".name")}
		if slices.Contains(timers, t) {
			p.fail(at+".name", "%q is there twice", t.Name)
		}
		timers = append(timers, t)
	}
	return timers
}

func (p *manifestParser) state(n *node) []StateEntry {
	var entries []StateEntry
	for i, item := range p.list(n, "state", MaxStateEntries) {
		at := fmt.Sprintf("state[%d]", i)
		if !p.object(item, at, "!name", "!kind", "description") {
			return nil
		}
		e := StateEntry{
			Name: p.text(item.members["name"], at+".name", 1, MaxName), Kind: p.text(item.members["kind"], at+".kind", 1, MaxName),
			Description: p.text(item.members["description"], at+".description", 0, MaxDescription),
		}
		if !slices.Contains(StateKinds, e.Kind) {
			p.fail(at+".kind", "%q is not one of %s", e.Kind, strings.Join(StateKinds, ", "))
		}
		entries = append(entries, e)
	}
	return entries
}

func (p *manifestParser) subscriptions(n *node) []Subscription {
	var subs []Subscription
	for i, item := range p.list(n, "events", MaxEvents) {
		at := fmt.Sprintf("events[%d]", i)
		if !p.object(item, at, "!type", "ledger", "fields", "retries") {
			return nil
		}
		s := Subscription{
			Type:   p.text(item.members["type"], at+".type", 1, MaxEventType),
			Fields: p.fields(item.members["fields"], at+".fields"),
		}
		if retries := item.members["retries"]; retries != nil {
			s.Retries = uint8(p.number(retries, at+".retries", MaxRetries))
		}
		if ledger := item.members["ledger"]; ledger != nil {
			s.Ledger = p.contractName(ledger, at+".ledger")
		}
		if slices.ContainsFunc(subs, func(o Subscription) bool { return o.Type == s.Type && o.Ledger == s.Ledger }) {
			p.fail(at+".type", "%q is subscribed to twice", s.Type)
		}
		subs = append(subs, s)
	}
	return subs
}

func (p *manifestParser) methods(n *node, list string) []Method {
	var methods []Method
	for i, item := range p.list(n, list, MaxMethods) {
		at := fmt.Sprintf("%s[%d]", list, i)
		if !p.object(item, at, "!name", "fields") {
			return nil
		}
		m := Method{
			Name:   p.word(item.members["name"], at+".name"),
			Fields: p.fields(item.members["fields"], at+".fields"),
		}
		if slices.ContainsFunc(methods, func(o Method) bool { return o.Name == m.Name }) {
			p.fail(at+".name", "%q is there twice", m.Name)
		}
		methods = append(methods, m)
	}
	return methods
}

func (p *manifestParser) fields(n *node, list string) []Field {
	var fields []Field
	for i, item := range p.list(n, list, MaxFields) {
		at := fmt.Sprintf("%s[%d]", list, i)
		f := p.field(item, at)
		for _, o := range fields {
			if o.Name == f.Name {
				p.fail(at+".name", "%q is there twice", f.Name)
			}
			if short := min(len(o.Path), len(f.Path)); slices.Equal(o.Path[:short], f.Path[:short]) {
				p.fail(at+".path", "%s overlaps with that of field %q", strings.Join(f.Path, "."), o.Name)
			}
		}
		if p.err != nil {
			return nil
		}
		fields = append(fields, f)
	}
	return fields
}

func (p *manifestParser) field(n *node, at string) Field {
	var f Field
	if !p.object(n, at, "!name", "!kind", "scale", "optional", "path") {
		return f
	}
	f.Name = p.word(n.members["name"], at+".name")
	kind := p.text(n.members["kind"], at+".kind", 1, MaxName)
	k := slices.Index(kindNames[1:], kind)
	if k < 0 && p.err == nil {
		p.fail(at+".kind", "%q is not one of %s", kind, strings.Join(kindNames[1:], ", "))
	}
	f.Kind = Kind(k + 1)
	scale := n.members["scale"]
	switch {
	case scale != nil && f.Kind != KindDecimal:
		p.fail(at+".scale", "is for decimals only")
	case scale != nil:
		f.Scale = uint8(p.number(scale, at+".scale", MaxScale))
	case f.Kind == KindDecimal:
		p.fail(at+".scale", "is required for a decimal")
	}
	if o := n.members["optional"]; o != nil {
		if o.kind != "bool" {
			p.fail(at+".optional", "must be true or false, is %s", o.kind)
		}
		f.Optional = o.truth
	}
	f.Path = []string{f.Name}
	if path := n.members["path"]; path != nil {
		f.Path = p.path(path, at+".path")
	}
	return f
}

// path reads member names separated by dots. A member whose own name holds a
// dot cannot be reached.
func (p *manifestParser) path(n *node, at string) []string {
	segments := strings.Split(p.text(n, at, 1, MaxPath), ".")
	if len(segments) > MaxPathSegments {
		p.fail(at, "has %d segments, the limit is %d", len(segments), MaxPathSegments)
	}
	if p.err == nil && slices.Contains(segments, "") {
		p.fail(at, "has an empty segment")
	}
	return segments
}

// word reads an identifier: a letter or underscore, then letters, digits and underscores.
func (p *manifestParser) word(n *node, at string) string {
	w := p.text(n, at, 1, MaxName)
	for i, c := range w {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			p.fail(at, "%q: only letters, digits and underscores are allowed, and no digit first", w)
			return ""
		}
	}
	return w
}

// contractName reads a name that is safe in URLs and file names.
func (p *manifestParser) contractName(n *node, at string) string {
	name := p.text(n, at, 1, MaxName)
	for i, c := range name {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '-') {
			p.fail(at, "%q: only a-z, 0-9 and - are allowed, starting with a letter", name)
			return ""
		}
	}
	return name
}
