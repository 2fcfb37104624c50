// Package journal keeps on this machine's disk what a broker without positions
// has delivered and the ledger may lack: a record is acknowledged to the broker
// once it is here. A record's place in the journal is its sequence in the
// ledger's stream, so the ledger says what can be forgotten.
package journal

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

const (
	segmentBytes  = 16 << 20 // a file is closed when it is over this
	maxFrameBytes = 4 << 20  // base64 of the longest value, and what is around it
	suffix        = ".journal"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is a record as it is kept. A frame is its length and CRC-32C, 4 octets
// each, little endian, and its JSON.
type entry struct {
	Key     []byte            `json:"k,omitempty"`
	Value   []byte            `json:"v,omitempty"`
	Headers map[string]string `json:"h,omitempty"`
	Topic   string            `json:"t,omitempty"`
	TimeNs  int64             `json:"n,omitempty"`
	Cursor  string            `json:"c,omitempty"`
	Bad     string            `json:"b,omitempty"`
}

// Journal is append-only files of records. One goroutine appends, another reads.
type Journal struct {
	dir string

	mu       sync.Mutex
	segments []segment // by first; the last one is written; guarded by mu
	next     uint64    // position of the next record; guarded by mu
	durable  uint64    // records below it are synced; guarded by mu
	cursor   string    // of the newest record that has one; guarded by mu
	file     *os.File  // of the last segment
	out      *bufio.Writer
}

type segment struct {
	first uint64
	bytes int64
}

// Open reads a folder, made where there is none. next is where the ledger's
// stream stands. lost says that the ledger is ahead of the journal, which was
// lost, or restored from an older copy: it begins anew.
func Open(dir string, next uint64) (j *Journal, lost bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("journal: %w", err)
	}
	j = &Journal{dir: dir}
	if err := j.list(); err != nil {
		return nil, false, fmt.Errorf("journal: %w", err)
	}
	if len(j.segments) > 0 && j.segments[0].first > next {
		return nil, false, fmt.Errorf("journal: %s begins at %d and the ledger's stream stands at %d: it belongs to another stream or ledger; give the connector another folder", dir, j.segments[0].first, next)
	}
	lost = len(j.segments) > 0 && j.next < next
	if len(j.segments) == 0 || lost {
		for _, s := range j.segments {
			if err := os.Remove(j.path(s.first)); err != nil {
				return nil, lost, fmt.Errorf("journal: %w", err)
			}
		}
		j.segments, j.next, j.durable = nil, next, next
		return j, lost, j.begin()
	}
	last := j.segments[len(j.segments)-1]
	if j.file, err = os.OpenFile(j.path(last.first), os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, false, fmt.Errorf("journal: %w", err)
	}
	j.out = bufio.NewWriter(j.file)
	return j, false, nil
}

func (j *Journal) path(first uint64) string {
	return filepath.Join(j.dir, fmt.Sprintf("%020d%s", first, suffix))
}

// list reads every segment, cutting off what a crash left unfinished at the end.
func (j *Journal) list() error {
	names, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, ours := strings.CutSuffix(name.Name(), suffix)
		if !ours {
			continue
		}
		first, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s is not a journal's file", name.Name())
		}
		j.segments = append(j.segments, segment{first: first})
	}
	slices.SortFunc(j.segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	for i := range j.segments {
		s := &j.segments[i]
		if i > 0 && s.first != j.next {
			return fmt.Errorf("%s: the file before it ends at %d", j.path(s.first), j.next)
		}
		j.next = s.first
		if err := j.scan(s, i == len(j.segments)-1); err != nil {
			return err
		}
	}
	j.durable = j.next
	return nil
}

func (j *Journal) scan(s *segment, last bool) error {
	file, err := os.OpenFile(j.path(s.first), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 256<<10)
	for {
		e, size, err := readFrame(in)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && last:
			if err := file.Truncate(s.bytes); err != nil {
				return err
			}
			return file.Sync()
		case err != nil:
			return fmt.Errorf("%s, byte %d: %w; the disk has damaged it", j.path(s.first), s.bytes, err)
		}
		s.bytes += int64(size)
		j.next++
		if e.Cursor != "" {
			j.cursor = e.Cursor
		}
	}
}

// readFrame answers io.EOF at the end, and another error for what is no frame.
func readFrame(in *bufio.Reader) (e entry, size int, err error) {
	var head [8]byte
	if n, err := io.ReadFull(in, head[:]); err != nil {
		if n == 0 {
			return e, 0, io.EOF
		}
		return e, 0, errors.New("ends inside a record's head")
	}
	length := binary.LittleEndian.Uint32(head[:4])
	if length > maxFrameBytes {
		return e, 0, fmt.Errorf("a record states %d bytes, no record has more than %d", length, maxFrameBytes)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return e, 0, errors.New("ends inside a record")
	}
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return e, 0, errors.New("a record's checksum is wrong")
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, 0, err
	}
	return e, len(head) + len(text), nil
}

// begin makes a new segment at next. The folder is synced, so that the file is
// there after a power cut.
func (j *Journal) begin() error {
	file, err := os.OpenFile(j.path(j.next), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	folder, err := os.Open(j.dir)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return errors.Join(err, file.Close())
	}
	j.file, j.out = file, bufio.NewWriter(file)
	j.segments = append(j.segments, segment{first: j.next})
	return nil
}

// Append adds records, and a cursor of the source that is kept with the last of
// them, and syncs: after it they survive a power cut.
func (j *Journal) Append(records []*record.Record, cursor string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, r := range records {
		if j.segments[len(j.segments)-1].bytes > segmentBytes {
			if err := j.turn(); err != nil {
				return err
			}
		}
		e := entry{Key: r.Key, Value: r.Value, Headers: r.Headers, Topic: r.Topic}
		if !r.Time.IsZero() {
			e.TimeNs = r.Time.UnixNano()
		}
		if len(r.Value) > record.MaxValueBytes {
			e.Bad, e.Value = fmt.Sprintf("the value has %d bytes, at most %d are read", len(r.Value), record.MaxValueBytes), r.Value[:record.MaxValueBytes]
		}
		if i == len(records)-1 {
			e.Cursor = cursor
		}
		if err := j.write(&e); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	if err := j.sync(); err != nil {
		return err
	}
	if cursor != "" {
		j.cursor = cursor
	}
	return nil
}

func (j *Journal) write(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(text) > maxFrameBytes {
		return fmt.Errorf("a record of topic %.80q has %d bytes of headers and value, at most %d are kept", e.Topic, len(text), maxFrameBytes)
	}
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(text)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(text, castagnoli))
	_, err1 := j.out.Write(head[:])
	_, err2 := j.out.Write(text)
	j.segments[len(j.segments)-1].bytes += int64(len(head) + len(text))
	j.next++
	return errors.Join(err1, err2)
}

func (j *Journal) sync() error {
	if err := errors.Join(j.out.Flush(), j.file.Sync()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.durable = j.next
	return nil
}

func (j *Journal) turn() error {
	if err := errors.Join(j.sync(), j.file.Close()); err != nil {
		return err
	}
	return j.begin()
}

// Cursor is the one kept with the newest record that has one.
func (j *Journal) Cursor() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cursor
}

// State is the position after the last durable record, and how many bytes there are.
func (j *Journal) State() (durable uint64, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		bytes += s.bytes
	}
	return j.durable, bytes
}

// forget removes the files whose records the ledger holds: those before the
// one that begins at first.
func (j *Journal) forget(first uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.segments) > 1 && j.segments[0].first < first {
		if err := os.Remove(j.path(j.segments[0].first)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		j.segments = j.segments[1:]
	}
	return nil
}

// Close closes the file that is written.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.out.Flush(), j.file.Close())
}

// reader reads durable records in order.
type reader struct {
	journal *Journal
	at      uint64
	first   uint64 // of the segment that is open
	file    *os.File
	in      *bufio.Reader
}

// read answers the record at the reader's place, which must be durable.
func (r *reader) read() (*record.Record, bool, error) {
	j := r.journal
	j.mu.Lock()
	i, found := slices.BinarySearchFunc(j.segments, r.at, func(s segment, at uint64) int {
		switch {
		case s.first < at:
			return -1
		case s.first > at:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	first := j.segments[i].first
	j.mu.Unlock()
	if r.file == nil || first != r.first {
		if err := r.open(first); err != nil {
			return nil, false, err
		}
	}
	e, _, err := readFrame(r.in)
	if err != nil {
		return nil, false, fmt.Errorf("journal: record %d: %w", r.at, err)
	}
	out := &record.Record{Position: r.at, Offset: int64(r.at), Key: e.Key, Value: e.Value, Headers: e.Headers, Topic: e.Topic}
	if e.TimeNs != 0 {
		out.Time = time.Unix(0, e.TimeNs).UTC()
	}
	if e.Bad != "" {
		out.Bad = errors.New(e.Bad)
	}
	r.at++
	return out, out.Position == first, nil
}

// open opens a segment and skips to the reader's place.
func (r *reader) open(first uint64) error {
	r.close()
	file, err := os.Open(r.journal.path(first))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	r.file, r.first, r.in = file, first, bufio.NewReaderSize(file, 256<<10)
	for at := first; at < r.at; at++ {
		if _, _, err := readFrame(r.in); err != nil {
			return fmt.Errorf("journal: record %d: %w", at, err)
		}
	}
	return nil
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
}
