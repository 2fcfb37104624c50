// Package file reads files of JSON lines and of CSV, and follows those that
// others append to. A line's number, or a row's after the header, counted from
// 0, is its position.
package file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

// Config of the source.
type Config struct {
	Path      string `yaml:"path"`
	Format    string `yaml:"format"`    // lines or csv; without one, the name's ending says it
	Follow    bool   `yaml:"follow"`    // wait for more at the end, for good
	Delimiter string `yaml:"delimiter"` // of CSV; a comma
}

const (
	maxRowBytes  = record.MaxValueBytes
	lookEvery    = 200 * time.Millisecond
	readerBuffer = 64 << 10
)

// Source reads one file.
type Source struct{ config Config }

// New checks a Config.
func New(c Config) (*Source, error) {
	if c.Path == "" {
		return nil, errors.New("file.path is missing")
	}
	if c.Format == "" {
		c.Format = "lines"
		if strings.EqualFold(filepath.Ext(c.Path), ".csv") {
			c.Format = "csv"
		}
	}
	if c.Delimiter == "" {
		c.Delimiter = ","
	}
	switch {
	case c.Format != "lines" && c.Format != "csv":
		return nil, fmt.Errorf("file.format is %q, must be lines or csv", c.Format)
	case utf8.RuneCountInString(c.Delimiter) != 1 || strings.ContainsAny(c.Delimiter, "\"\r\n"):
		return nil, fmt.Errorf("file.delimiter is %q, must be one character", c.Delimiter)
	}
	return &Source{c}, nil
}

// Dial says what the file is.
func (s *Source) Dial(context.Context) (string, error) {
	info, err := os.Stat(s.config.Path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a folder", s.config.Path)
	}
	return fmt.Sprintf("file: %s has %d bytes", s.config.Path, info.Size()), nil
}

// Run feeds the file from where the ledger stands.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	stream, err := feed.Open(ctx, "")
	if err != nil {
		return err
	}
	from := stream.Next()
	read, err := s.Each(ctx, func(r *record.Record) error {
		if r.Position < from {
			return nil
		}
		return stream.Put(ctx, r)
	})
	if err != nil {
		return err
	}
	if read < from {
		return fmt.Errorf("%s holds %d records and the ledger's stream stands at %d: it is not the file that was read before; give the connector another stream", s.config.Path, read, from)
	}
	return nil
}

// Each hands every record to a function and answers how many positions there were.
func (s *Source) Each(ctx context.Context, take func(*record.Record) error) (uint64, error) {
	file, err := os.Open(s.config.Path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var input io.Reader = file
	if s.config.Follow {
		input = &tail{ctx: ctx, file: file, path: s.config.Path}
	}
	in := bufio.NewReaderSize(input, readerBuffer)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = in.Discard(len(mark)) // they are buffered: it cannot fail
	}
	if s.config.Format == "csv" {
		return s.rows(in, take)
	}
	return s.lines(in, take)
}

// lines reads a record a line; of one that is too long the beginning is kept.
func (s *Source) lines(in *bufio.Reader, take func(*record.Record) error) (uint64, error) {
	for position := uint64(0); ; position++ {
		line, long, err := readLine(in)
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return position, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) == 0 {
			continue // its position is left out
		}
		r := &record.Record{Position: position, Offset: int64(position), Value: line, Topic: s.config.Path}
		if long {
			r.Bad = fmt.Errorf("the line is longer than %d bytes", record.MaxValueBytes)
		}
		if err := take(r); err != nil {
			return position, err
		}
	}
}

// readLine reads to the line's end, and keeps no more than can be an event.
func readLine(in *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > record.MaxValueBytes+2 {
			long = true
			part = part[:max(0, record.MaxValueBytes-len(line))]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

func (s *Source) rows(in *bufio.Reader, take func(*record.Record) error) (uint64, error) {
	limited := &rowLimit{from: in}
	reader := csv.NewReader(limited)
	reader.Comma, _ = utf8.DecodeRuneInString(s.config.Delimiter)
	reader.FieldsPerRecord = -1
	limited.left = maxRowBytes
	names, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%s: is empty; its first line must name the columns", s.config.Path)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.config.Path, err)
	}
	for position := uint64(0); ; position++ {
		limited.left = maxRowBytes
		fields, err := reader.Read()
		var wrong *csv.ParseError
		switch {
		case limited.spent:
			return position, fmt.Errorf("%s: row %d is longer than %d bytes; is a quote left open?", s.config.Path, position, maxRowBytes)
		case errors.Is(err, io.EOF):
			return position, nil
		case errors.As(err, &wrong):
			err = fmt.Errorf("line %d: %w", wrong.StartLine, wrong.Err)
		case err != nil:
			return position, err
		case len(fields) != len(names):
			line, _ := reader.FieldPos(0)
			err = fmt.Errorf("line %d: has %d fields, the header names %d", line, len(fields), len(names))
		}
		r := &record.Record{Position: position, Offset: int64(position), Topic: s.config.Path, Bad: err}
		if err == nil {
			r.Columns = make([]record.Column, len(names))
			for i := range names {
				r.Columns[i] = record.Column{Name: names[i], Text: fields[i]}
			}
		} else {
			r.Value = []byte(strings.Join(fields, s.config.Delimiter))
		}
		if err := take(r); err != nil {
			return position, err
		}
	}
}

// rowLimit bounds what is read for one row: a quote that is never closed must
// not read the whole file into memory.
type rowLimit struct {
	from  io.Reader
	left  int
	spent bool
}

var errTooLong = errors.New("row too long")

// Read reads within what is left.
func (l *rowLimit) Read(into []byte) (int, error) {
	if l.left <= 0 {
		l.spent = true
		return 0, errTooLong
	}
	n, err := l.from.Read(into)
	l.left -= n
	return n, err
}

// tail reads a file that grows: at its end it waits. A file that was cut or
// replaced ends it, as its positions mean nothing any more.
type tail struct {
	ctx  context.Context
	file *os.File
	path string
	at   int64
}

// Read waits for at least one byte.
func (t *tail) Read(into []byte) (int, error) {
	for {
		n, err := t.file.Read(into)
		t.at += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := t.same(); err != nil {
			return 0, err
		}
		select {
		case <-time.After(lookEvery):
		case <-t.ctx.Done():
			return 0, t.ctx.Err()
		}
	}
}

func (t *tail) same() error {
	ours, err := t.file.Stat()
	if err != nil {
		return err
	}
	theirs, err := os.Stat(t.path)
	if err != nil {
		return fmt.Errorf("%s was taken away while it was followed: %w", t.path, err)
	}
	if !os.SameFile(ours, theirs) || ours.Size() < t.at {
		return fmt.Errorf("%s was replaced or cut while it was followed; all that it held is submitted; give the new file a stream of its own", t.path)
	}
	return nil
}
