// Package connector turns outside sources into events with positions: files
// now, brokers later. It runs beside a producer, never inside a validator.
package connector

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Record is an event and its position in the source: the sequence it takes in
// its stream, so that reading a source again from any place is harmless.
type Record struct {
	Sequence uint64
	Event    protocol.Event
}

// Source gives records in order. Next answers io.EOF after the last one; any
// other error says where in the source it arose.
type Source interface {
	Next() (Record, error)
	Close() error
}

// maxLineBytes bounds a line of JSON: one event.
const maxLineBytes = protocol.MaxEventJSONBytes + 1

// JSONLines reads one CloudEvents JSON document a line; blank lines are skipped.
type JSONLines struct {
	name  string
	scan  *bufio.Scanner
	close io.Closer
	line  int
	next  uint64
}

// OpenJSONLines opens a file.
func OpenJSONLines(path string) (*JSONLines, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return NewJSONLines(path, file), nil
}

// NewJSONLines reads from r and closes it; name stands in errors.
func NewJSONLines(name string, r io.ReadCloser) *JSONLines {
	scan := bufio.NewScanner(withoutMark(r))
	scan.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	return &JSONLines{name: name, scan: scan, close: r}
}

// Next reads the next event.
func (j *JSONLines) Next() (Record, error) {
	for j.scan.Scan() {
		j.line++
		if len(bytes.TrimSpace(j.scan.Bytes())) == 0 {
			continue
		}
		event, err := protocol.ParseEventJSON(j.scan.Bytes())
		if err != nil {
			return Record{}, fmt.Errorf("%s, line %d: %w", j.name, j.line, err)
		}
		j.next++
		return Record{j.next - 1, event}, nil
	}
	switch err := j.scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Record{}, fmt.Errorf("%s, line %d: longer than %d bytes", j.name, j.line+1, maxLineBytes)
	case err != nil:
		return Record{}, fmt.Errorf("%s, line %d: %w", j.name, j.line+1, err)
	}
	return Record{}, io.EOF
}

// Close closes the source.
func (j *JSONLines) Close() error { return j.close.Close() }
