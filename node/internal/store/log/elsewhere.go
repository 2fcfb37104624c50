package log

import (
	"fmt"
	"math/bits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Elsewhere is a log that is kept elsewhere: its size, its peaks (of Peaks),
// and a way to read an entry. Appenders add to it; nothing is written.
func Elsewhere(size uint64, peaks []protocol.Hash, entry func(index uint64) ([]byte, error)) (*Log, error) {
	if want := bits.OnesCount64(size); len(peaks) != want {
		return nil, fmt.Errorf("log: %d peaks, a log of %d entries has %d", len(peaks), size, want)
	}
	l := &Log{reader: entry}
	l.size.Store(size)
	l.edge.size = size
	for level := 63; level >= 0; level-- {
		if size>>level&1 == 1 {
			l.edge.subtrees[level], peaks = peaks[0], peaks[1:]
		}
	}
	return l, nil
}

// EdgeRoot is the root of the log that has these peaks.
func (l *Log) EdgeRoot() protocol.Hash { return l.edge.root() }

// Peaks are the roots of the complete subtrees that a log of a size is made
// of, the largest first: enough to append to it.
func (l *Log) Peaks(size uint64) ([]protocol.Hash, error) {
	if size > l.Size() {
		return nil, fmt.Errorf("%w: size %d of %d", ErrNotFound, size, l.Size())
	}
	var peaks []protocol.Hash
	for level := 63; level >= 0; level-- {
		if size>>level&1 == 1 {
			h, err := l.subtree(level, size>>level-1)
			if err != nil {
				return nil, err
			}
			peaks = append(peaks, h)
		}
	}
	return peaks, nil
}
