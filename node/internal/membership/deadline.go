package membership

import (
	"encoding/binary"
	"fmt"
)

// What a deadline is of.
const (
	DeadlineAct      = 'a' // an act that waits for approvals
	DeadlineProposal = 'p' // a proposal to the council
)

// Deadline is something that is over when a height begins.
type Deadline struct {
	Height uint64
	What   byte
	Index  uint64 // log index of the entry that proposed it
}

func (d Deadline) key() []byte { return own(keyDeadline, u64(d.Height), []byte{d.What}, u64(d.Index)) }

// SetDeadline keeps a deadline.
func SetDeadline(s Writer, d Deadline) error { return s.Set(d.key(), []byte{1}) }

// DropDeadline forgets a deadline.
func DropDeadline(s Writer, d Deadline) error { return s.Delete(d.key()) }

// Due lists deadlines of at most a height, the earliest first.
func Due(s Lister, height uint64, limit int) ([]Deadline, error) {
	prefix := own(keyDeadline)
	found, err := s.Scan(prefix, nil, limit)
	if err != nil {
		return nil, err
	}
	var due []Deadline
	for _, kv := range found {
		if len(kv.Key) != len(prefix)+17 {
			return nil, fmt.Errorf("membership: deadline %x is damaged", kv.Key)
		}
		at := kv.Key[len(prefix):]
		d := Deadline{binary.BigEndian.Uint64(at), at[8], binary.BigEndian.Uint64(at[9:])}
		if d.Height > height {
			break
		}
		due = append(due, d)
	}
	return due, nil
}
