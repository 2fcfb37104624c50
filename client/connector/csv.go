package connector

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// maxFieldBytes bounds one field of a CSV file.
const maxFieldBytes = 16 << 10

// CSV reads rows as a Mapping says. The row's number, counted from 0 after the
// header, is its sequence.
type CSV struct {
	name    string
	reader  *csv.Reader
	close   io.Closer
	mapping *compiled
	row     uint64
}

// OpenCSV opens a file with the mapping of another.
func OpenCSV(path, mappingPath string) (*CSV, error) {
	mapping, err := LoadMapping(mappingPath)
	if err != nil {
		return nil, err
	}
	return openCSV(path, mapping)
}

// OpenParkingCSV opens car park readings with the columns SystemCodeNumber,
// Capacity, Occupancy, LastUpdated; the events' source is /parking/name.
func OpenParkingCSV(path, name string) (*CSV, error) { return openCSV(path, ParkingMapping(name)) }

func openCSV(path string, m Mapping) (*CSV, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := NewCSV(path, file, m)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

// NewCSV reads from r and closes it; name stands in errors.
func NewCSV(name string, r io.ReadCloser, m Mapping) (*CSV, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" { // byte order mark
		if _, err := buffered.Discard(3); err != nil {
			return nil, err
		}
	}
	reader := csv.NewReader(buffered)
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: header: %w", name, err)
	}
	mapping, err := m.compile(slices.Clone(header))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &CSV{name: name, reader: reader, close: r, mapping: mapping}, nil
}

// Next reads the next row.
func (c *CSV) Next() (Record, error) {
	fields, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return Record{}, io.EOF
	}
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", c.name, err)
	}
	line, _ := c.reader.FieldPos(0)
	for i, f := range fields {
		if len(f) > maxFieldBytes {
			return Record{}, fmt.Errorf("%s, line %d, column %s: longer than %d bytes", c.name, line, c.mapping.header[i], maxFieldBytes)
		}
	}
	event, err := c.mapping.event(fields)
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		return Record{}, fmt.Errorf("%s, line %d: %w", c.name, line, err)
	}
	c.row++
	return Record{c.row - 1, event}, nil
}

// Close closes the source.
func (c *CSV) Close() error { return c.close.Close() }

// template is text with the values of columns in it.
type template struct {
	parts []templatePart
}

type templatePart struct {
	text   string
	column int // -1 for text
}

// parseTemplate reads text such as "{Lot}@{time}"; time stands for the event's
// time in RFC 3339.
func parseTemplate(what, text string, header []string) (template, error) {
	var t template
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			t.parts = append(t.parts, templatePart{text, -1})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, templatePart{text[:open], -1})
		}
		end := strings.IndexByte(text, '}')
		if end < open {
			return t, fmt.Errorf("mapping: %s: { without }", what)
		}
		name := text[open+1 : end]
		column := slices.Index(header, name)
		if name == "time" && column < 0 {
			column = timeColumn
		} else if column < 0 {
			return t, fmt.Errorf("mapping: %s: the file has no column %q; it has %s", what, name, strings.Join(header, ", "))
		}
		t.parts = append(t.parts, templatePart{"", column})
		text = text[end+1:]
	}
	return t, nil
}

// timeColumn stands for the event's time in a template.
const timeColumn = -2

func (t template) fill(fields []string, e *protocol.Event) string {
	var out strings.Builder
	for _, p := range t.parts {
		switch p.column {
		case -1:
			out.WriteString(p.text)
		case timeColumn:
			out.WriteString(protocol.FormatTime(e.TimeNs))
		default:
			out.WriteString(fields[p.column])
		}
	}
	return out.String()
}
