package protocol

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// ParseEventJSON reads one event in the CloudEvents 1.0 JSON format. Member
// names must be unique; a null attribute counts as absent; data keeps its
// exact text. Errors carry a code and name the attribute.
func ParseEventJSON(text []byte) (Event, error) {
	if len(text) > MaxEventJSONBytes {
		return Event{}, Refuse(CodeEventTooLarge, "event: JSON has %d bytes, the limit is %d", len(text), MaxEventJSONBytes)
	}
	s := jsonScanner{text: text}
	s.space()
	e, err := parseEvent(&s)
	if err != nil {
		return Event{}, err
	}
	if s.space(); s.off != len(text) {
		return Event{}, Refuse(CodeEventMalformed, "event: offset %d: more follows the event", s.off)
	}
	return e, nil
}

// ParseEventBatchJSON reads a CloudEvents JSON batch: an array of events, at
// most MaxBatchEvents. The error names the place of the first bad one.
func ParseEventBatchJSON(text []byte) ([]Event, error) {
	if len(text) > MaxBatchRawBytes*2 {
		return nil, Refuse(CodeTooLarge, "batch: JSON has %d bytes, the limit is %d", len(text), MaxBatchRawBytes*2)
	}
	s := jsonScanner{text: text}
	s.space()
	var events []Event
	err := s.elements(func() error {
		if len(events) == MaxBatchEvents {
			return Refuse(CodeTooLarge, "batch: more than %d events", MaxBatchEvents)
		}
		e, err := parseEvent(&s)
		if err != nil {
			code, _ := CodeOf(err)
			return Refuse(code, "batch: event %d: %v", len(events), err)
		}
		events = append(events, e)
		return nil
	})
	if err == nil {
		if s.space(); s.off != len(text) {
			err = Refuse(CodeEventMalformed, "batch: offset %d: more follows the array", s.off)
		}
	}
	if err != nil {
		return nil, asMalformed(err)
	}
	return events, nil
}

// asMalformed gives a scanner's plain error the code of a malformed event.
func asMalformed(err error) error {
	if _, coded := CodeOf(err); coded {
		return err
	}
	return Refuse(CodeEventMalformed, "event: not JSON: %v", err)
}

// eventParser gathers the members of one event.
type eventParser struct {
	event      Event
	seen       []string // member names met so far
	version    bool
	data       []byte // raw text of data, nil if absent
	dataBase64 []byte // raw text of data_base64, nil if absent
}

func parseEvent(s *jsonScanner) (Event, error) {
	if s.peek() != '{' {
		return Event{}, Refuse(CodeEventMalformed, "event: must be a JSON object")
	}
	var p eventParser
	err := s.members(0, func(rawName []byte) error {
		raw, err := s.value(1)
		if err != nil {
			return err
		}
		return p.member(unquote(rawName), raw)
	})
	if err != nil {
		return Event{}, asMalformed(err)
	}
	if !p.version {
		return Event{}, Refuse(CodeEventMissing, `event: attribute "specversion" is required and must be "1.0"`)
	}
	if err := p.finishData(); err != nil {
		return Event{}, err
	}
	slices.SortFunc(p.event.Extensions, func(a, b Extension) int { return strings.Compare(a.Name, b.Name) })
	if err := p.event.Validate(); err != nil {
		return Event{}, err
	}
	return p.event, nil
}

func (p *eventParser) member(name string, raw []byte) error {
	if slices.Contains(p.seen, name) {
		return Refuse(CodeEventMalformed, "event: member %q is there twice", clip([]byte(name)))
	}
	if len(p.seen) > MaxExtensions+len(reservedNames) {
		return Refuse(CodeEventMalformed, "event: more than %d extension attributes", MaxExtensions)
	}
	p.seen = append(p.seen, name)
	if name == "data" {
		p.data = raw
		return nil
	}
	if string(raw) == "null" {
		return nil // the JSON format lets an unset attribute be null
	}
	text := map[string]*string{
		"id": &p.event.ID, "source": &p.event.Source, "type": &p.event.Type, "subject": &p.event.Subject,
		"datacontenttype": &p.event.DataContentType, "dataschema": &p.event.DataSchema,
	}
	switch dst := text[name]; {
	case dst != nil:
		return attributeText(name, raw, dst)
	case name == "specversion":
		p.version = string(raw) == `"1.0"`
		if !p.version {
			return Refuse(CodeEventAttribute, `event: specversion is %s, must be "1.0"`, clip(raw))
		}
		return nil
	case name == "time":
		return p.time(raw)
	case name == "data_base64":
		p.dataBase64 = raw
		return nil
	}
	return p.extension(name, raw)
}

// attributeText reads a string attribute; present, it must not be empty.
func attributeText(name string, raw []byte, dst *string) error {
	if raw[0] != '"' {
		return Refuse(CodeEventAttribute, "event: attribute %q must be a string", name)
	}
	if *dst = unquote(raw); *dst == "" {
		return Refuse(CodeEventAttribute, "event: attribute %q must not be empty; leave it out instead", name)
	}
	return nil
}

func (p *eventParser) time(raw []byte) error {
	var text string
	if err := attributeText("time", raw, &text); err != nil {
		return err
	}
	ns, err := ParseTime([]byte(text))
	if err != nil {
		return Refuse(CodeEventAttribute, "event: time %q %v", clip([]byte(text)), err)
	}
	p.event.TimeNs, p.event.HasTime = ns, true
	return nil
}

func (p *eventParser) extension(name string, raw []byte) error {
	x := Extension{Name: name}
	switch c := raw[0]; {
	case c == '"':
		x.Kind, x.Text = ExtensionString, unquote(raw)
	case c == 't' || c == 'f':
		x.Kind, x.Bool = ExtensionBool, c == 't'
	case c == '-' || c >= '0' && c <= '9':
		n, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil {
			return Refuse(CodeEventAttribute, "event: extension %q: %s is not a signed 32-bit integer", clip([]byte(name)), clip(raw))
		}
		x.Kind, x.Int = ExtensionInteger, int32(n)
	default:
		return Refuse(CodeEventAttribute, "event: extension %q must be a string, a boolean or an integer", clip([]byte(name)))
	}
	p.event.Extensions = append(p.event.Extensions, x)
	return nil
}

// finishData decides what the data octets are, once the content type is known.
func (p *eventParser) finishData() error {
	switch {
	case p.data != nil && p.dataBase64 != nil:
		return Refuse(CodeEventMalformed, "event: has both data and data_base64; keep one")
	case p.dataBase64 != nil:
		if p.dataBase64[0] != '"' {
			return Refuse(CodeEventMalformed, "event: data_base64 must be a string")
		}
		octets, err := base64.StdEncoding.Strict().DecodeString(unquote(p.dataBase64))
		if err != nil {
			return Refuse(CodeEventMalformed, "event: data_base64: %v", err)
		}
		p.event.DataForm, p.event.Data = DataBinary, octets
	case p.data == nil:
	case p.data[0] == '"' && !isJSONType(p.event.DataContentType):
		p.event.DataForm, p.event.Data = DataText, []byte(unquote(p.data))
	default:
		p.event.DataForm, p.event.Data = DataJSON, slices.Clone(p.data)
	}
	return nil
}

// MarshalJSON renders the event in the CloudEvents 1.0 JSON format. Parsing
// the result gives the same event back, data octet for octet.
func (e Event) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 256+len(e.Data)*4/3)
	out = append(out, `{"specversion":"1.0"`...)
	for _, a := range [...]struct{ name, value string }{
		{"id", e.ID}, {"source", e.Source}, {"type", e.Type}, {"subject", e.Subject},
		{"datacontenttype", e.DataContentType}, {"dataschema", e.DataSchema},
	} {
		if a.value != "" {
			out = append(append(append(out, `,"`...), a.name...), `":`...)
			out = appendQuoted(out, a.value)
		}
	}
	if e.HasTime {
		out = append(append(append(out, `,"time":"`...), FormatTime(e.TimeNs)...), '"')
	}
	for _, x := range e.Extensions {
		out = append(append(append(out, `,"`...), x.Name...), `":`...)
		switch x.Kind {
		case ExtensionBool:
			out = strconv.AppendBool(out, x.Bool)
		case ExtensionInteger:
			out = strconv.AppendInt(out, int64(x.Int), 10)
		default:
			out = appendQuoted(out, x.Text)
		}
	}
	switch e.DataForm {
	case DataJSON:
		out = append(append(out, `,"data":`...), e.Data...)
	case DataText:
		out = appendQuoted(append(out, `,"data":`...), string(e.Data))
	case DataBinary:
		out = append(out, `,"data_base64":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, e.Data), '"')
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and any other CloudEvents JSON.
func (e *Event) UnmarshalJSON(text []byte) (err error) {
	*e, err = ParseEventJSON(text)
	return err
}
