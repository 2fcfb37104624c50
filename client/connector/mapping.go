package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Kind   string `json:"kind"` // int, uint, decimal, string or bool
}

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
	column := func(what, name string) (int, error) {
		i := slices.Index(header, name)
		if i < 0 {
			return 0, fmt.Errorf("mapping: %s: the file has no column %q; it has %s", what, name, strings.Join(header, ", "))
		}
		return i, nil
	}
	var err error
	if m.Time != nil {
		if c.timeColumn, err = column("time", m.Time.Column); err != nil {
			return nil, err
		}
		c.layout = m.Time.Layout
		if c.zone, err = time.LoadLocation(m.Time.Zone); err != nil {
			return nil, fmt.Errorf("mapping: time: zone %q: %w", m.Time.Zone, err)
		}
	}
	for _, f := range m.Data {
		i, err := column("data "+f.Name, f.Column)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"int", "uint", "decimal", "string", "bool"}, f.Kind) {
			return nil, fmt.Errorf("mapping: data %s: kind %q must be int, uint, decimal, string or bool", f.Name, f.Kind)
		}
		c.data = append(c.data, dataColumn{f, i})
	}
	return c, nil
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
		data = append(strconv.AppendQuote(data, d.Name), ':')
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
		if _, ok := new(big.Rat).SetString(text); !ok || !json.Valid([]byte(text)) {
			return nil, fmt.Errorf("%q is not a decimal number", text)
		}
		return []byte(text), nil
	case "bool":
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
		return []byte(text), nil
	}
	return json.Marshal(text)
}
