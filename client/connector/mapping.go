package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have no list of them
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Mapping says how a row becomes an event. Texts may hold {Column}, and
// {time} for the event's time in RFC 3339.
type Mapping struct {
	Source  string      `json:"source"`
	Type    string      `json:"type"`
	ID      string      `json:"id"`
	Subject string      `json:"subject,omitempty"`
	Time    *TimeColumn `json:"time,omitempty"`
	Data    []DataField `json:"data"`
}

// TimeColumn says where the event's time is and how it is written.
type TimeColumn struct {
	Column string `json:"column"`
	Layout string `json:"layout"`         // Go's reference time, such as 2006-01-02 15:04:05
	Zone   string `json:"zone,omitempty"` // IANA name; UTC without one
}

// DataField is one member of the event's JSON data.
type DataField struct {
	Name   string `json:"name"`
	Column string `json:"column"`
	Kind   string `json:"kind"`
}

// kinds of a DataField. A decimal keeps the digits it is written with.
var kinds = []string{"int", "uint", "decimal", "string", "bool"}

// ParkingMapping reads Birmingham's car park columns. Its times have no zone
// and are read as UTC.
func ParkingMapping(name string) Mapping {
	return Mapping{
		Source: "/parking/" + name, Type: "parking.occupancy.v1", ID: "{SystemCodeNumber}@{time}", Subject: "{SystemCodeNumber}",
		Time: &TimeColumn{Column: "LastUpdated", Layout: time.DateTime},
		Data: []DataField{{"occupied", "Occupancy", "int"}, {"capacity", "Capacity", "uint"}},
	}
}

// LoadMapping reads a mapping file; unknown members are refused.
func LoadMapping(path string) (Mapping, error) {
	var m Mapping
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fmt.Errorf("mapping %s: %w", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("mapping %s: more follows the document", path)
	}
	return m, nil
}

// compiled is a mapping for one header.
type compiled struct {
	header                   []string
	source, typ, id, subject template
	timeColumn               int // -1 without one
	layout                   string
	zone                     *time.Location
	data                     []dataColumn
}

type dataColumn struct {
	DataField
	column int
	member []byte // the name as JSON, and a colon
}

func (m *Mapping) compile(header []string) (*compiled, error) {
	c := &compiled{header: header, timeColumn: -1, zone: time.UTC}
	for _, t := range [...]struct {
		what, text string
		into       *template
	}{{"source", m.Source, &c.source}, {"type", m.Type, &c.typ}, {"id", m.ID, &c.id}, {"subject", m.Subject, &c.subject}} {
		var err error
		if *t.into, err = parseTemplate(t.what, t.text, header); err != nil {
			return nil, err
		}
	}
	if m.Time != nil {
		var err error
		if c.timeColumn, err = find("time", m.Time.Column, header); err != nil {
			return nil, err
		}
		if c.layout = m.Time.Layout; c.layout == "" {
			return nil, fmt.Errorf("mapping: time: layout is missing, such as %s", time.DateTime)
		}
		if c.zone, err = time.LoadLocation(m.Time.Zone); err != nil {
			return nil, fmt.Errorf("mapping: time: zone %q: %w", m.Time.Zone, err)
		}
	} else if usesTime(c.source, c.typ, c.id, c.subject) {
		return nil, errors.New("mapping: {time} stands for the event's time, and the mapping has no time")
	}
	return c, c.compileData(m.Data)
}

func usesTime(templates ...template) bool {
	for _, t := range templates {
		if slices.ContainsFunc(t.parts, func(p templatePart) bool { return p.column == timeColumn }) {
			return true
		}
	}
	return false
}

func (c *compiled) compileData(fields []DataField) error {
	for i, f := range fields {
		what := "data " + strconv.Quote(f.Name)
		column, err := find(what, f.Column, c.header)
		if err != nil {
			return err
		}
		switch {
		case f.Name == "" || !utf8.ValidString(f.Name):
			return fmt.Errorf("mapping: %s: a member needs a name in UTF-8", what)
		case slices.ContainsFunc(fields[:i], func(other DataField) bool { return other.Name == f.Name }):
			return fmt.Errorf("mapping: %s: is there twice", what)
		case !slices.Contains(kinds, f.Kind):
			return fmt.Errorf("mapping: %s: kind %q must be one of %s", what, f.Kind, strings.Join(kinds, ", "))
		}
		member, err := json.Marshal(f.Name)
		if err != nil {
			return fmt.Errorf("mapping: %s: %w", what, err)
		}
		c.data = append(c.data, dataColumn{f, column, append(member, ':')})
	}
	return nil
}

// event maps one row; the error names the column.
func (c *compiled) event(fields []string) (protocol.Event, error) {
	var e protocol.Event
	if c.timeColumn >= 0 {
		at, err := time.ParseInLocation(c.layout, fields[c.timeColumn], c.zone)
		if err != nil {
			return e, fmt.Errorf("column %s: %q is not a time like %s", c.header[c.timeColumn], fields[c.timeColumn], c.layout)
		}
		if year := at.Year(); year < 1678 || year > 2261 {
			return e, fmt.Errorf("column %s: the year %d is out of range", c.header[c.timeColumn], year)
		}
		e.TimeNs, e.HasTime = at.UnixNano(), true
	}
	e.Source, e.Type = c.source.fill(fields, &e), c.typ.fill(fields, &e)
	e.ID, e.Subject = c.id.fill(fields, &e), c.subject.fill(fields, &e)
	if len(c.data) == 0 {
		return e, nil
	}
	e.DataForm, e.DataContentType = protocol.DataJSON, "application/json"
	data := []byte{'{'}
	for i, d := range c.data {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, d.member...)
		value, err := d.render(fields[d.column])
		if err != nil {
			return e, fmt.Errorf("column %s: %w", d.Column, err)
		}
		data = append(data, value...)
	}
	e.Data = append(data, '}')
	return e, nil
}

// render checks a field and writes it as JSON.
func (d *dataColumn) render(text string) ([]byte, error) {
	switch d.Kind {
	case "int":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return strconv.AppendInt(nil, n, 10), nil
	case "uint":
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number of 0 or more", text)
		}
		return strconv.AppendUint(nil, n, 10), nil
	case "decimal":
		if !isDecimal(text) {
			return nil, fmt.Errorf("%q is not a decimal number", text)
		}
		return []byte(text), nil
	case "bool":
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
		return []byte(text), nil
	}
	if !utf8.ValidString(text) { // it would be replaced, and the record no longer what was read
		return nil, fmt.Errorf("%q is not UTF-8", text)
	}
	return json.Marshal(text)
}

// isDecimal says whether a text is a JSON number; it stays as it is written.
func isDecimal(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') &&
		json.Valid([]byte(text)) && !strings.ContainsAny(text, " \t\r\n")
}
