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

const (
	maxFieldBytes = 16 << 10 // of one field of a CSV file
	maxRowBytes   = 1 << 20  // of one row: a quote that is never closed must not read the whole file into memory
)

// CSV reads rows as a Mapping says. The row's number, counted from 0 after the
// header, is its sequence.
type CSV struct {
	name    string
	input   *rowLimit
	reader  *csv.Reader
	close   io.Closer
	mapping *compiled
	row     uint64
	line    int // of the last row
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
	input := &rowLimit{from: withoutMark(r)}
	c := &CSV{name: name, input: input, reader: csv.NewReader(input), close: r}
	c.reader.ReuseRecord = true
	header, err := c.read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: is empty; its first line must name the columns", name)
	}
	if err != nil {
		return nil, err
	}
	if c.mapping, err = m.compile(slices.Clone(header)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// withoutMark skips a byte order mark.
func withoutMark(r io.Reader) *bufio.Reader {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(len(mark)) // they are buffered: it cannot fail
	}
	return buffered
}

// read reads a row; its error is io.EOF or says where.
func (c *CSV) read() ([]string, error) {
	c.input.left = maxRowBytes + readAhead
	fields, err := c.reader.Read()
	switch {
	case c.input.spent: // whatever the reader made of the part it saw
		return nil, fmt.Errorf("%s: the row after line %d is longer than %d bytes; is a quote left open?", c.name, c.line, maxRowBytes)
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	c.line, _ = c.reader.FieldPos(0)
	return fields, nil
}

// Next reads the next row.
func (c *CSV) Next() (Record, error) {
	fields, err := c.read()
	if err != nil {
		return Record{}, err
	}
	for i, f := range fields {
		if len(f) > maxFieldBytes {
			return Record{}, fmt.Errorf("%s, line %d, column %s: longer than %d bytes", c.name, c.line, c.mapping.header[i], maxFieldBytes)
		}
	}
	event, err := c.mapping.event(fields)
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		return Record{}, fmt.Errorf("%s, line %d: %w", c.name, c.line, err)
	}
	c.row++
	return Record{c.row - 1, event}, nil
}

// Close closes the source.
func (c *CSV) Close() error { return c.close.Close() }

// readAhead is what csv.Reader may have read beyond the row it answered.
const readAhead = 4 << 10

// rowLimit bounds what is read for one row.
type rowLimit struct {
	from  io.Reader
	left  int  // bytes that may still be read for this row
	spent bool // more was asked for
}

var errRowTooLong = errors.New("row too long")

// Read reads within what is left.
func (l *rowLimit) Read(into []byte) (int, error) {
	if l.left == 0 {
		l.spent = true
		return 0, errRowTooLong
	}
	n, err := l.from.Read(into[:min(len(into), l.left)])
	l.left -= n
	return n, err
}

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
		name, rest, closed := strings.Cut(text[open+1:], "}")
		if !closed {
			return t, fmt.Errorf("mapping: %s: { without }", what)
		}
		column := timeColumn
		if name != "time" || slices.Contains(header, name) {
			var err error
			if column, err = find(what, name, header); err != nil {
				return t, err
			}
		}
		t.parts = append(t.parts, templatePart{"", column})
		text = rest
	}
	return t, nil
}

// find answers the place of a column that is there once.
func find(what, name string, header []string) (int, error) {
	at := slices.Index(header, name)
	if at < 0 {
		return 0, fmt.Errorf("mapping: %s: the file has no column %q; it has %s", what, name, strings.Join(header, ", "))
	}
	if slices.Contains(header[at+1:], name) {
		return 0, fmt.Errorf("mapping: %s: the file has the column %q twice", what, name)
	}
	return at, nil
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
