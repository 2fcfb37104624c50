package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxDeadLetters bounds OutboxConfig.DeadLetters.
const MaxDeadLetters = 100_000

var (
	// ErrDeadLetter marks an event that the ledger refused for good and that
	// the outbox put aside; the refusal is in the same chain.
	ErrDeadLetter = errors.New("client: the event became a dead letter")
	// ErrNoDeadLetter is what Redeliver and Drop answer for a sequence without one.
	ErrNoDeadLetter = errors.New("client: the outbox has no dead letter of this sequence")
)

// DeadLetter is an event that the ledger refused for good, and why.
type DeadLetter struct {
	Sequence uint64        `json:"sequence"` // that the event had; the ledger records it as left out
	Time     time.Time     `json:"time"`     // when it was put aside
	Code     protocol.Code `json:"code"`
	Name     string        `json:"name"`    // of the code
	Message  string        `json:"message"` // the ledger's sentence
	Record   []byte        `json:"record"`  // the event's canonical record, sealed where the outbox seals
}

// Event decodes the record.
func (l *DeadLetter) Event() (protocol.Event, error) { return protocol.DecodeRecord(l.Record) }

// morgue is an outbox's dead letters: a file for each, named by its sequence.
//
//	SEQUENCE.dead: magic [16] || identity [32] || CRC-32C of the rest u32 || JSON
//	SEQUENCE.gone: empty; the letter was redelivered or dropped
//
// Either name says that the sequence will not be sent. A name without a letter
// stays as long as the spool may hold the record. The outbox's mu guards it.
type morgue struct {
	dir      string
	identity [32]byte
	letters  map[uint64]struct{} // that have a file
	gone     map[uint64]struct{}
}

var letterMagic = [16]byte([]byte("cairn letter 1\n\x00"))

const (
	letterHeader = 16 + 32 + 4
	// maxLetterBytes is what a letter of the largest event can take: its record
	// in base64, a sentence of a few kilobytes, names.
	maxLetterBytes = 2 * protocol.MaxRecordBytes
	maxMessage     = 4 << 10

	letterSuffix = ".dead"
	goneSuffix   = ".gone"
	newSuffix    = ".new" // of a letter that a crash left unfinished
)

func (m *morgue) path(sequence uint64, suffix string) string {
	return filepath.Join(m.dir, fmt.Sprintf("%016x%s", sequence, suffix))
}

func openMorgue(dir string, identity [32]byte) (*morgue, error) {
	m := &morgue{dir: dir, identity: identity, letters: map[uint64]struct{}{}, gone: map[uint64]struct{}{}}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	for _, entry := range found {
		name := entry.Name()
		suffix := filepath.Ext(name)
		text := strings.TrimSuffix(name, suffix)
		sequence, err := strconv.ParseUint(text, 16, 64)
		if len(text) != 16 || err != nil {
			continue
		}
		switch suffix {
		case letterSuffix:
			m.letters[sequence] = struct{}{}
		case goneSuffix:
			m.gone[sequence] = struct{}{}
		case newSuffix: // of a crash: its event is sent again
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrOutbox, err)
			}
		}
	}
	return m, nil
}

// has says whether a sequence will not be sent.
func (m *morgue) has(sequence uint64) bool {
	_, letter := m.letters[sequence]
	_, gone := m.gone[sequence]
	return letter || gone
}

// put writes a letter. It outlives a power cut once it is answered.
func (m *morgue) put(l *DeadLetter) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	text := append(letterMagic[:], m.identity[:]...)
	text = binary.BigEndian.AppendUint32(text, crc32.Checksum(body, castagnoli))
	if err := m.write(l.Sequence, append(text, body...)); err != nil {
		return fmt.Errorf("%w: put event %d aside: %w", ErrOutbox, l.Sequence, err)
	}
	m.letters[l.Sequence] = struct{}{}
	return nil
}

func (m *morgue) write(sequence uint64, text []byte) error {
	unfinished := m.path(sequence, newSuffix)
	file, err := os.OpenFile(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(unfinished, m.path(sequence, letterSuffix))
	}
	if err != nil {
		return errors.Join(err, os.Remove(unfinished))
	}
	return syncDir(m.dir)
}

func (m *morgue) read(sequence uint64) (*DeadLetter, error) {
	path := m.path(sequence, letterSuffix)
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxLetterBytes {
		err = errors.New("it is larger than any letter")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	var l DeadLetter
	switch {
	case err != nil:
	case len(text) < letterHeader || !bytes.Equal(text[:16], letterMagic[:]) || crc32.Checksum(text[letterHeader:], castagnoli) != binary.BigEndian.Uint32(text[48:]):
		err = errors.New("it is damaged; restore it, or drop it")
	case !bytes.Equal(text[16:48], m.identity[:]):
		err = errors.New("it is of another stream, account or ledger; move it away")
	default:
		if err = json.Unmarshal(text[letterHeader:], &l); err == nil && l.Sequence != sequence {
			err = fmt.Errorf("it is the letter of event %d; give it that name", l.Sequence)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: dead letter %s: %w", ErrOutbox, path, err)
	}
	return &l, nil
}

// remove forgets a letter, and not that its sequence is left out.
func (m *morgue) remove(sequence uint64) error {
	gone := m.path(sequence, goneSuffix)
	err := os.Rename(m.path(sequence, letterSuffix), gone)
	if err == nil {
		delete(m.letters, sequence)
		m.gone[sequence] = struct{}{}
		if err = os.Truncate(gone, 0); err == nil {
			err = syncDir(m.dir)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutbox, err)
	}
	return nil
}

// forget removes the names without a letter of records the spool no longer holds.
func (m *morgue) forget(below uint64) error {
	for sequence := range m.gone {
		if sequence >= below {
			continue
		}
		if err := os.Remove(m.path(sequence, goneSuffix)); err != nil {
			return fmt.Errorf("%w: %w", ErrOutbox, err)
		}
		delete(m.gone, sequence)
	}
	return nil
}

// DeadLetters reads the events that were put aside, oldest first: those there
// are when it begins. One that cannot be read is an error in its place, and
// the others follow. It works until Close, also once the outbox has failed.
func (o *Outbox) DeadLetters() iter.Seq2[*DeadLetter, error] {
	return func(yield func(*DeadLetter, error) bool) {
		o.mu.Lock()
		sequences := make([]uint64, 0, len(o.dead.letters))
		for sequence := range o.dead.letters {
			sequences = append(sequences, sequence)
		}
		o.mu.Unlock()
		slices.Sort(sequences)
		for _, sequence := range sequences {
			l, err := o.deadLetter(sequence)
			if errors.Is(err, ErrNoDeadLetter) {
				continue // redelivered or dropped meanwhile
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func (o *Outbox) deadLetter(sequence uint64) (*DeadLetter, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.mayRemove(sequence); err != nil {
		return nil, err
	}
	return o.dead.read(sequence)
}

// Redeliver submits a dead letter's event again, once what it was refused for
// is mended: under the stream's next sequence, so behind all that were taken
// meanwhile. When it answers without an error the event is in the outbox and
// the letter is gone. After a crash, or an error of the disk, both may be
// there: the ledger records a second redelivery as a duplicate of the first.
func (o *Outbox) Redeliver(ctx context.Context, sequence uint64) (*Future, error) {
	o.redelivering.Lock()
	defer o.redelivering.Unlock()
	letter, err := o.deadLetter(sequence)
	if err != nil {
		return nil, err
	}
	future, err := o.addRecord(ctx, letter.Record, nil)
	if err == nil {
		err = o.waitDurable(ctx, future.Sequence)
	}
	if err != nil {
		return nil, err
	}
	return future, o.Drop(sequence)
}

// Drop removes a dead letter for good. Its sequence stays left out. It works
// until Close, also once the outbox has failed.
func (o *Outbox) Drop(sequence uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.mayRemove(sequence); err != nil {
		return err
	}
	return o.dead.remove(sequence)
}

// mayRemove says that a letter is there and the folder is still this outbox's.
// The caller holds mu.
func (o *Outbox) mayRemove(sequence uint64) error {
	if o.shut {
		return ErrClosed
	}
	if _, there := o.dead.letters[sequence]; !there {
		return fmt.Errorf("%w: %d", ErrNoDeadLetter, sequence)
	}
	return nil
}
