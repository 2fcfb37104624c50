package subscription

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Limits of one filter.
const (
	maxFilterDepth = 8
	maxFilterNodes = 64
)

// filter says which events are wanted; nil is all.
type filter func(e *protocol.Event) bool

// compiler reads the filters of one subscription.
type compiler struct {
	nodes       int
	expressions int
	failed      func() // is told of an expression that failed on an event
}

// compile reads filters in the dialects of CloudEvents Subscriptions: exact,
// prefix and suffix of attributes, all, any and not of others; and expressions
// of CEL. An event has to pass each of the list. Nothing is read again later.
func compile(list []json.RawMessage, failed func()) (filter, error) {
	return (&compiler{failed: failed}).every(list, 0)
}

func (c *compiler) every(list []json.RawMessage, depth int) (filter, error) {
	parts, err := c.list(list, depth)
	if err != nil {
		return nil, err
	}
	return func(e *protocol.Event) bool {
		for _, f := range parts {
			if !f(e) {
				return false
			}
		}
		return true
	}, nil
}

func (c *compiler) list(list []json.RawMessage, depth int) (out []filter, err error) {
	for _, text := range list {
		f, err := c.one(text, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (c *compiler) one(text json.RawMessage, depth int) (filter, error) {
	if c.nodes++; depth > maxFilterDepth || c.nodes > maxFilterNodes {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: at most %d, nested at most %d deep", maxFilterNodes, maxFilterDepth)
	}
	var by map[string]json.RawMessage
	if err := strict(text, &by); err != nil || len(by) != 1 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, `filters: %.80s is not an object of one dialect, such as {"exact":{"type":"reading.v1"}}`, text)
	}
	for dialect, body := range by { // order does not matter: there is one
		switch dialect {
		case "exact":
			return attributes(body, func(value, want string) bool { return value == want })
		case "prefix":
			return attributes(body, strings.HasPrefix)
		case "suffix":
			return attributes(body, strings.HasSuffix)
		case "cel":
			return c.compileCEL(body)
		case "not":
			f, err := c.one(body, depth+1)
			return func(e *protocol.Event) bool { return !f(e) }, err
		case "all", "any":
			var list []json.RawMessage
			if err := strict(body, &list); err != nil || len(list) == 0 {
				return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: %s takes a list of filters", dialect)
			}
			if dialect == "all" {
				return c.every(list, depth)
			}
			return c.some(list, depth)
		default:
			return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: dialect %.40q is not known; exact, prefix, suffix, all, any, not and cel are", dialect)
		}
	}
	return nil, nil
}

func (c *compiler) some(list []json.RawMessage, depth int) (filter, error) {
	parts, err := c.list(list, depth)
	if err != nil {
		return nil, err
	}
	return func(e *protocol.Event) bool {
		for _, f := range parts {
			if f(e) {
				return true
			}
		}
		return false
	}, nil
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// attributes compares each named attribute; one that an event lacks fails.
func attributes(body json.RawMessage, compare func(value, want string) bool) (filter, error) {
	var wanted map[string]string
	if err := strict(body, &wanted); err != nil || len(wanted) == 0 || len(wanted) > 16 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, `filters: %.80s is not an object of attributes and texts`, body)
	}
	for name, want := range wanted { // order does not matter: the first that is wrong is named
		if name == "" || want == "" || len(name) > protocol.MaxExtensionName || len(want) > protocol.MaxAttributeBytes {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: attribute %.64q: name and text must not be empty, nor too long", name)
		}
	}
	return func(e *protocol.Event) bool {
		for name, want := range wanted { // order does not matter: all must fit
			value, ok := attribute(e, name)
			if !ok || !compare(value, want) {
				return false
			}
		}
		return true
	}, nil
}

// attribute is an attribute's value as text; ok is false where there is none.
func attribute(e *protocol.Event, name string) (value string, ok bool) {
	switch name {
	case "specversion":
		return "1.0", true
	case "id":
		value = e.ID
	case "source":
		value = e.Source
	case "type":
		value = e.Type
	case "subject":
		value = e.Subject
	case "datacontenttype":
		value = e.DataContentType
	case "dataschema":
		value = e.DataSchema
	case "time":
		if e.HasTime {
			value = protocol.FormatTime(e.TimeNs)
		}
	default:
		for _, x := range e.Extensions {
			if x.Name != name {
				continue
			}
			switch x.Kind {
			case protocol.ExtensionBool:
				return strconv.FormatBool(x.Bool), true
			case protocol.ExtensionInteger:
				return strconv.Itoa(int(x.Int)), true
			}
			return x.Text, true
		}
	}
	return value, value != ""
}
