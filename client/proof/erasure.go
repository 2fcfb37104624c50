package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// ErrErasure: two receipts that do not belong together as entry and erasure.
var ErrErasure = errors.New("the receipts do not prove an erasure")

// Erasure proves that an entry existed, and that its payload was erased: when,
// by whom and why. It is what a node answers for the entry from then on. A
// receipt issued before goes on to verify as it did: what it shows is in it.
type Erasure struct {
	Entry *Receipt // of the erased entry, payload withheld
	Erase *Receipt // of the entry that says so
}

// ErasureStatement is what both receipts say.
type ErasureStatement struct {
	Entry Statement `json:"entry"`
	Erase Statement `json:"erase"`
	// Erased is what the erasing entry says.
	Erased *protocol.EraseAct `json:"erased"`
}

// String says in words what was proven.
func (s ErasureStatement) String() string {
	return fmt.Sprintf("%s\nIts payload was erased on %s, at height %d, because of: %s.\n%s",
		s.Entry, stamp(s.Erase.Entry.Time), s.Erase.Entry.Height, s.Erased.Reason, s.Erase)
}

// VerifyWith checks both receipts, and that the one is about the other.
func (e *Erasure) VerifyWith(trust *Trust) (ErasureStatement, error) {
	var s ErasureStatement
	err := e.check()
	if err == nil {
		s.Entry, err = e.Entry.VerifyWith(trust)
	}
	if err == nil {
		s.Erase, err = e.Erase.VerifyWith(trust)
	}
	if err != nil {
		return ErasureStatement{}, err
	}
	erased, ok := s.Erase.Entry.Act.(*protocol.EraseAct)
	switch {
	case !ok:
		return ErasureStatement{}, fmt.Errorf("%w: entry %d is of kind %s", ErrErasure, s.Erase.Entry.Index, s.Erase.Entry.Kind)
	case erased.Index != s.Entry.Entry.Index:
		return ErasureStatement{}, fmt.Errorf("%w: entry %d is erased, entry %d is shown", ErrErasure, erased.Index, s.Entry.Entry.Index)
	case s.Erase.Entry.Cause == nil || *s.Erase.Entry.Cause != erased.Index:
		return ErasureStatement{}, fmt.Errorf("%w: its cause is another entry", ErrErasure)
	case s.Erase.Entry.Index <= erased.Index:
		return ErasureStatement{}, fmt.Errorf("%w: it comes before what it erases", ErrErasure)
	}
	s.Erased = erased
	return s, nil
}

func (e *Erasure) check() error {
	switch {
	case e.Entry == nil || e.Erase == nil || e.Entry.Entry == nil || e.Erase.Entry == nil:
		return fmt.Errorf("%w: it needs receipts of two entries", ErrErasure)
	case !e.Entry.Entry.Withheld:
		return fmt.Errorf("%w: it shows the payload it says was erased", ErrErasure)
	}
	return nil
}

// erasureJSON is the one form of an Erasure: one line, its receipts in theirs.
type erasureJSON struct {
	Version int             `json:"cairnErasure"`
	Entry   json.RawMessage `json:"entry"`
	Erase   json.RawMessage `json:"erase"`
}

// MarshalJSON is the erasure's form. It does not verify.
func (e *Erasure) MarshalJSON() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	entry, err := e.Entry.MarshalJSON()
	if err != nil {
		return nil, err
	}
	erase, err := e.Erase.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return join(`{"cairnErasure":1,"entry":`, entry, `,"erase":`, erase, `}`), nil
}

func join(open string, a []byte, between string, b []byte, end string) []byte {
	out := append([]byte(open), a...)
	out = append(append(out, between...), b...)
	return append(out, end...)
}

// IsErasure says whether a document begins as an Erasure's does.
func IsErasure(b []byte) bool { return bytes.HasPrefix(b, []byte(`{"cairnErasure":`)) }

// DecodeErasure accepts exactly what MarshalJSON writes. It does not verify.
func DecodeErasure(b []byte) (*Erasure, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var text erasureJSON
	if err := decoder.Decode(&text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	e := new(Erasure)
	var err error
	if e.Entry, err = DecodeJSON(text.Entry); err != nil {
		return nil, fmt.Errorf("the entry's receipt: %w", err)
	}
	if e.Erase, err = DecodeJSON(text.Erase); err != nil {
		return nil, fmt.Errorf("the erasure's receipt: %w", err)
	}
	again, err := e.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: from byte %d on", ErrCanonical, firstDifference(again, b))
	}
	return e, nil
}

// UnmarshalJSON is DecodeErasure, for one inside another document.
func (e *Erasure) UnmarshalJSON(b []byte) error {
	decoded, err := DecodeErasure(b)
	if err == nil {
		*e = *decoded
	}
	return err
}
