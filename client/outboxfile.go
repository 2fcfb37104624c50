package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A spool is an outbox's files: segments of records that are only appended
// to, named by the sequence of their first record, and removed when all of it
// is final. Numbers are big-endian.
//
//	segment: magic [16] || identity [32] || first sequence u64 || CRC-32C of these
//	record:  length u32 || CRC-32C of sequence and octets || sequence u64 || octets
//
// What a crash leaves of a record at the end of the newest segment is cut off:
// nobody was told that it was taken. Anything else that does not read is an
// error, not a shorter outbox.
type spool struct {
	dir      string
	identity [32]byte
	limit    int64 // a segment that has more is closed
	lock     *os.File
	segments []segment
	file     *os.File // the newest segment's
	size     int64    // of its whole records
}

type segment struct {
	first uint64
	file  *os.File // nil of one that was there when the spool was opened
}

var spoolMagic = [16]byte([]byte("cairn outbox 1\n\x00"))

const (
	spoolHeader  = 16 + 32 + 8 + 4
	recordHeader = 4 + 4 + 8
	spoolSuffix  = ".outbox"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func spoolIdentity(chainID string, account protocol.Address, stream string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "cairn outbox\n%s\n%s\n%s", chainID, account, stream))
}

func (s *spool) path(first uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", first, spoolSuffix))
}

// openSpool locks a folder and reads its records, in order.
func openSpool(dir string, identity [32]byte, limit int64) (s *spool, records [][]byte, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	s = &spool{dir: dir, identity: identity, limit: limit}
	if s.lock, err = lockFile(filepath.Join(dir, "lock")); err != nil {
		return nil, nil, fmt.Errorf("%w: %s is in use by another process, or cannot be locked: %w", ErrOutbox, dir, err)
	}
	if records, err = s.load(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", ErrOutbox, err), s.close())
	}
	return s, records, nil
}

func (s *spool) load() (records [][]byte, err error) {
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range found {
		name, ours := strings.CutSuffix(entry.Name(), spoolSuffix)
		first, err := strconv.ParseUint(name, 16, 64)
		if !ours || len(name) != 16 || err != nil {
			continue
		}
		s.segments = append(s.segments, segment{first: first})
	}
	slices.SortFunc(s.segments, func(a, b segment) int { return cmpUint(a.first, b.first) })
	for i := 0; i < len(s.segments); i++ {
		at, newest := s.segments[i], i == len(s.segments)-1
		text, err := os.ReadFile(s.path(at.first))
		if err != nil {
			return nil, err
		}
		if i > 0 && at.first != s.segments[0].first+uint64(len(records)) {
			return nil, fmt.Errorf("%s: records %d to %d are missing before it", s.path(at.first), s.segments[0].first+uint64(len(records)), at.first-1)
		}
		if newest && len(text) < spoolHeader { // a crash while it was made
			s.segments = s.segments[:i]
			if err := os.Remove(s.path(at.first)); err != nil {
				return nil, err
			}
			break
		}
		some, whole, err := s.parse(at.first, text, newest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path(at.first), err)
		}
		records = append(records, some...)
		s.size = int64(whole)
	}
	if len(s.segments) == 0 {
		return nil, nil
	}
	return records, s.reopen()
}

func cmpUint(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1 // names differ
}

// reopen goes on with the newest segment, without what a crash left of a record.
func (s *spool) reopen() (err error) {
	newest := &s.segments[len(s.segments)-1]
	if newest.file, err = os.OpenFile(s.path(newest.first), os.O_RDWR, 0o600); err != nil {
		return err
	}
	s.file = newest.file
	if err = s.file.Truncate(s.size); err == nil {
		if _, err = s.file.Seek(s.size, io.SeekStart); err == nil {
			err = s.file.Sync()
		}
	}
	return err
}

// parse reads a segment; whole is the size of what is whole of the newest.
func (s *spool) parse(first uint64, text []byte, newest bool) (records [][]byte, whole int, err error) {
	if len(text) < spoolHeader || !bytes.Equal(text[:16], spoolMagic[:]) || binary.BigEndian.Uint64(text[48:]) != first ||
		crc32.Checksum(text[:56], castagnoli) != binary.BigEndian.Uint32(text[56:]) {
		return nil, 0, errors.New("the header is damaged")
	}
	if !bytes.Equal(text[16:48], s.identity[:]) {
		return nil, 0, errors.New("it is the outbox of another stream, account or ledger; use a folder for each")
	}
	at := spoolHeader
	for at < len(text) {
		record, ok := parseRecord(text[at:], first+uint64(len(records)))
		if !ok {
			break
		}
		records, at = append(records, record), at+recordHeader+len(record)
	}
	if at == len(text) {
		return records, at, nil
	}
	if !newest || later(text[at:], first+uint64(len(records))) {
		return nil, 0, fmt.Errorf("record %d is damaged, at offset %d; restore the file, or move it away and give up what it holds", first+uint64(len(records)), at)
	}
	return records, at, nil
}

func parseRecord(text []byte, sequence uint64) (record []byte, ok bool) {
	if len(text) < recordHeader {
		return nil, false
	}
	length := binary.BigEndian.Uint32(text)
	if binary.BigEndian.Uint64(text[8:]) != sequence || uint64(length) > uint64(len(text)-recordHeader) {
		return nil, false
	}
	end := recordHeader + int(length)
	return text[recordHeader:end:end], crc32.Checksum(text[8:end], castagnoli) == binary.BigEndian.Uint32(text[4:])
}

// later says whether a whole record of a later sequence follows: then what is
// before it was damaged, not cut off.
func later(text []byte, sequence uint64) bool {
	for at := 1; at+recordHeader <= len(text); at++ {
		found := binary.BigEndian.Uint64(text[at+8:])
		if found > sequence && found-sequence < math.MaxUint32 {
			if _, ok := parseRecord(text[at:], found); ok {
				return true
			}
		}
	}
	return false
}

// begin makes the first or the next segment. It outlives a power cut.
func (s *spool) begin(first uint64) (err error) {
	file, err := os.OpenFile(s.path(first), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	header := append(spoolMagic[:], s.identity[:]...)
	header = binary.BigEndian.AppendUint64(header, first)
	header = binary.BigEndian.AppendUint32(header, crc32.Checksum(header, castagnoli))
	if _, err = file.Write(header); err == nil {
		if err = file.Sync(); err == nil {
			err = syncDir(s.dir)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrOutbox, err), file.Close(), os.Remove(s.path(first)))
	}
	s.segments = append(s.segments, segment{first, file})
	s.file, s.size = file, spoolHeader
	return nil
}

// append writes a record; after an error the file is as it was.
func (s *spool) append(sequence uint64, record []byte) error {
	if s.size > s.limit {
		if err := s.file.Sync(); err != nil { // later syncs are of the next one
			return fmt.Errorf("%w: %w", errDisk, err)
		}
		if err := s.begin(sequence); err != nil {
			return err
		}
	}
	text := make([]byte, 8, recordHeader+len(record))
	binary.BigEndian.PutUint32(text, uint32(len(record)))
	text = append(binary.BigEndian.AppendUint64(text, sequence), record...)
	binary.BigEndian.PutUint32(text[4:], crc32.Checksum(text[8:], castagnoli))
	if _, err := s.file.Write(text); err != nil {
		if undone := s.undo(); undone != nil {
			return fmt.Errorf("%w: %w: %w", errDisk, err, undone)
		}
		return fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	s.size += int64(len(text))
	return nil
}

// errDisk marks a failure after which what is in the files is not known.
var errDisk = fmt.Errorf("%w: the disk failed; open it again when that is mended", ErrOutbox)

// undo takes back what was written of a record.
func (s *spool) undo() error {
	_, err := s.file.Seek(s.size, io.SeekStart)
	return errors.Join(err, s.file.Truncate(s.size))
}

// drop removes segments whose records are all below a sequence.
func (s *spool) drop(below uint64) error {
	for len(s.segments) > 1 && s.segments[1].first <= below {
		if file := s.segments[0].file; file != nil {
			file.Close() // it was synced
		}
		if err := os.Remove(s.path(s.segments[0].first)); err != nil {
			return fmt.Errorf("%w: %w", ErrOutbox, err)
		}
		s.segments = s.segments[1:]
	}
	return nil
}

func (s *spool) close() (err error) {
	for _, at := range s.segments {
		if at.file != nil {
			err = errors.Join(err, at.file.Close())
		}
	}
	return errors.Join(err, s.lock.Close())
}

// syncDir makes a folder's names outlive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
