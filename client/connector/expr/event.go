package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/cairn-ledger/cairn/client/cehttp"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// ErrFiltered is the answer for a record that the filter leaves out.
var ErrFiltered = errors.New("left out by map.filter")

// Event maps a record. position is the event's place in the stream, which its
// id is made of where the mapping has none. The error says which attribute could
// not be made and why; it is ErrFiltered where the record is not wanted.
func (m *Mapping) Event(stream string, position uint64, r *record.Record) (protocol.Event, error) {
	var e protocol.Event
	if r.Bad != nil {
		return e, r.Bad
	}
	if len(r.Value) > record.MaxValueBytes {
		return e, fmt.Errorf("the value has %d bytes, at most %d are read", len(r.Value), record.MaxValueBytes)
	}
	vars, err := m.variables(position, r)
	if err != nil {
		return e, err
	}
	if m.filter != nil {
		wanted, err := m.filter.eval(vars)
		if err != nil {
			return e, err
		}
		switch wanted {
		case types.True:
		case types.False:
			return e, ErrFiltered
		default:
			return e, fmt.Errorf("filter: is %s, must be true or false", wanted.Type().TypeName())
		}
	}
	if m.format == FormatCloudEvents {
		return cloudEvent(r)
	}
	if err := m.attributes(&e, vars); err != nil {
		return e, err
	}
	if m.id == nil {
		e.ID = stream + "/" + strconv.FormatUint(position, 10)
	}
	if err := m.setData(&e, vars, r); err != nil {
		return e, err
	}
	return e, e.Validate()
}

// variables are what expressions see of a record.
func (m *Mapping) variables(position uint64, r *record.Record) (map[string]any, error) {
	headers := r.Headers
	if headers == nil {
		headers = map[string]string{}
	}
	vars := map[string]any{
		"raw": r.Value, "key": textOrBytes(r.Key), "headers": headers, "topic": r.Topic, "partition": int64(r.Partition),
		"offset": r.Offset, "position": int64(position), "timestamp": types.NullValue,
	}
	if !r.Time.IsZero() {
		vars["timestamp"] = r.Time
	}
	if !m.needsValue {
		return vars, nil
	}
	switch {
	case r.Columns != nil:
		row := make(map[string]any, len(r.Columns))
		for _, c := range r.Columns {
			row[c.Name] = c.Text
		}
		vars["value"] = row
	case m.format == FormatText:
		if !utf8.Valid(r.Value) {
			return nil, errors.New("the value is not UTF-8")
		}
		vars["value"] = string(r.Value)
	case m.format == FormatBytes:
		vars["value"] = r.Value
	default:
		value, err := decodeJSON(r.Value)
		if err != nil {
			return nil, err
		}
		vars["value"] = value
	}
	return vars, nil
}

func textOrBytes(b []byte) any {
	switch {
	case b == nil:
		return types.NullValue
	case utf8.Valid(b):
		return string(b)
	}
	return b
}

func (p *program) eval(vars map[string]any) (ref.Val, error) {
	value, _, err := p.run.Eval(vars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return value, nil
}

// attributes fills everything but the data.
func (m *Mapping) attributes(e *protocol.Event, vars map[string]any) error {
	for _, a := range [...]struct {
		program  *program
		into     *string
		required bool
	}{
		{m.typ, &e.Type, true}, {m.source, &e.Source, true}, {m.id, &e.ID, true}, {m.subject, &e.Subject, false},
		{m.schema, &e.DataSchema, false}, {m.contentType, &e.DataContentType, false},
	} {
		if a.program == nil {
			continue
		}
		text, err := a.program.text(vars)
		if err != nil {
			return err
		}
		if text == "" && a.required {
			return fmt.Errorf("%s: is empty", a.program.name)
		}
		*a.into = text
	}
	if err := m.setTime(e, vars); err != nil {
		return err
	}
	for _, p := range m.extensions {
		if err := p.extension(e, vars); err != nil {
			return err
		}
	}
	return nil
}

// text evaluates to a text; whole numbers are written out, null is "".
func (p *program) text(vars map[string]any) (string, error) {
	value, err := p.eval(vars)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Null:
		return "", nil
	}
	return "", fmt.Errorf("%s: is %s, must be a text", p.name, value.Type().TypeName())
}

func (m *Mapping) setTime(e *protocol.Event, vars map[string]any) error {
	if m.time == nil {
		return nil
	}
	value, err := m.time.eval(vars)
	if err != nil {
		return err
	}
	switch v := value.(type) {
	case types.Null:
		return nil
	case types.String:
		if e.TimeNs, err = protocol.ParseTime([]byte(v)); err != nil {
			return fmt.Errorf("time: %q %w; parseTime(text, layout, zone) reads other notations", clip(string(v)), err)
		}
	case types.Timestamp:
		if year := v.Year(); year < 1678 || year > 2261 {
			return fmt.Errorf("time: the year %d is out of range", year)
		}
		e.TimeNs = v.UnixNano()
	default:
		return fmt.Errorf("time: is %s, must be a timestamp or a text of RFC 3339", value.Type().TypeName())
	}
	e.HasTime = true
	return nil
}

func (p *program) extension(e *protocol.Event, vars map[string]any) error {
	value, err := p.eval(vars)
	if err != nil {
		return fmt.Errorf("extensions.%w", err)
	}
	x := protocol.Extension{Name: p.name}
	switch v := value.(type) {
	case types.Null:
		return nil
	case types.String:
		x.Kind, x.Text = protocol.ExtensionString, string(v)
	case types.Bool:
		x.Kind, x.Bool = protocol.ExtensionBool, bool(v)
	case types.Int:
		if x.Kind, x.Int = protocol.ExtensionInteger, int32(v); types.Int(x.Int) != v {
			return fmt.Errorf("extensions.%s: %d is over 32 bits; string(...) makes it a text", p.name, v)
		}
	default:
		return fmt.Errorf("extensions.%s: is %s, must be a text, true or false, or a whole number", p.name, value.Type().TypeName())
	}
	e.Extensions = append(e.Extensions, x)
	return nil
}

// setData is the expression's value, or the record's own octets.
func (m *Mapping) setData(e *protocol.Event, vars map[string]any, r *record.Record) error {
	contentType := ""
	switch {
	case m.data != nil:
		value, err := m.data.eval(vars)
		if err != nil {
			return err
		}
		if octets, ok := value.(types.Bytes); ok {
			e.DataForm, e.Data, contentType = protocol.DataBinary, octets, "application/octet-stream"
			break
		}
		if e.Data, err = appendJSON(nil, value, 0); err != nil {
			return fmt.Errorf("data: %w", err)
		}
		e.DataForm, contentType = protocol.DataJSON, "application/json"
	case r.Columns != nil:
		e.DataForm, e.Data, contentType = protocol.DataJSON, row(r.Columns), "application/json"
	case m.format == FormatText:
		e.DataForm, e.Data, contentType = protocol.DataText, r.Value, "text/plain"
	case m.format == FormatBytes:
		e.DataForm, e.Data, contentType = protocol.DataBinary, r.Value, "application/octet-stream"
	default:
		if !json.Valid(r.Value) {
			_, err := decodeJSON(r.Value)
			return err
		}
		e.DataForm, e.Data, contentType = protocol.DataJSON, r.Value, "application/json"
	}
	if e.DataContentType == "" {
		e.DataContentType = contentType
	}
	return nil
}

// row is a row as JSON, columns in the file's order. A column's name that is
// there twice is refused as a member that is there twice.
func row(columns []record.Column) []byte {
	out := []byte{'{'}
	for i, c := range columns {
		if i > 0 {
			out = append(out, ',')
		}
		name, err1 := json.Marshal(c.Name)
		text, err2 := json.Marshal(c.Text)
		if err1 != nil || err2 != nil {
			return nil // texts are always rendered
		}
		out = append(append(append(out, name...), ':'), text...)
	}
	return append(out, '}')
}

// prefixes of attributes in the bindings of Kafka, NATS, AMQP (both spellings) and MQTT 5.
var prefixes = []string{"ce_", "ce-", "cloudEvents:", "cloudEvents_", ""}

// cloudEvent reads a record that is a CloudEvent: in the binary mode where a
// header names the version, and else structured.
func cloudEvent(r *record.Record) (protocol.Event, error) {
	for _, prefix := range prefixes {
		if _, there := r.Headers[prefix+"specversion"]; !there {
			continue
		}
		header := http.Header{}
		for name, value := range r.Headers {
			attribute, ours := strings.CutPrefix(name, prefix)
			switch lower := strings.ToLower(name); {
			case lower == "content-type" || lower == "contenttype" || lower == "datacontenttype":
				header.Set("Content-Type", value)
			case ours:
				header["Ce-"+attribute] = []string{url.PathEscape(value)}
			}
		}
		events, err := cehttp.Parse(header, r.Value)
		if err != nil || len(events) != 1 {
			return protocol.Event{}, err
		}
		return events[0], nil
	}
	return protocol.ParseEventJSON(r.Value)
}

// locations remembers zones: reading one takes long.
var locations sync.Map

func location(zone string) (*time.Location, error) {
	if known, ok := locations.Load(zone); ok {
		return known.(*time.Location), nil
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q is not in the list of time zones", clip(zone))
	}
	locations.Store(zone, place) // the list bounds how many there are
	return place, nil
}
