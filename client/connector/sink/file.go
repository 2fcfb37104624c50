package sink

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cairn-ledger/cairn/client/rest"
)

// FileConfig is a file of JSON lines, each with the entry's index. What the
// file holds is not written again.
type FileConfig struct {
	Path string `yaml:"path"`
}

type file struct {
	path string
	file *os.File // nil until the first Write
	have map[uint64]bool
	last []uint64 // of have, oldest first
}

// NewFile checks a FileConfig.
func NewFile(c FileConfig) (Sink, error) {
	if c.Path == "" {
		return nil, errors.New("file.path is missing")
	}
	return &file{path: c.Path, have: map[uint64]bool{}}, nil
}

func (f *file) note(index uint64) {
	f.have[index] = true
	if f.last = append(f.last, index); len(f.last) > 2*recent {
		for _, old := range f.last[:recent] {
			delete(f.have, old)
		}
		f.last = append([]uint64(nil), f.last[recent:]...)
	}
}

// open reads what is there and cuts off a line that a crash left unfinished.
func (f *file) open() error {
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	in, whole := bufio.NewReaderSize(out, 1<<20), int64(0)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var event struct {
			Index *uint64 `json:"index"`
		}
		if err == nil {
			err = json.Unmarshal(line, &event)
		}
		if err != nil || event.Index == nil {
			return errors.Join(fmt.Errorf("%s, byte %d: is not a line that a connector wrote (%v)", f.path, whole, err), out.Close())
		}
		whole += int64(len(line))
		f.note(*event.Index)
	}
	if err := out.Truncate(whole); err != nil {
		return errors.Join(err, out.Close())
	}
	if _, err := out.Seek(whole, io.SeekStart); err != nil {
		return errors.Join(err, out.Close())
	}
	f.file = out
	return nil
}

// Write appends and syncs.
func (f *file) Write(_ context.Context, events []rest.Delivered) error {
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	var added []uint64
	for _, e := range events {
		if f.have[e.Index] {
			continue
		}
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text.Write(append(line, '\n'))
		added = append(added, e.Index)
	}
	_, err := f.file.Write(text.Bytes())
	if err := errors.Join(err, f.file.Sync()); err != nil {
		f.file.Close()
		f.file, f.have, f.last = nil, map[uint64]bool{}, nil // the next Write looks at what is there
		return err
	}
	for _, index := range added {
		f.note(index)
	}
	return nil
}

// Dial says whether the file can be written.
func (f *file) Dial(context.Context) (string, error) {
	if err := f.open(); err != nil {
		return "", err
	}
	defer f.Close()
	return fmt.Sprintf("file: %s can be written", f.path), nil
}

func (f *file) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
