package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// TrustPath is a run of steps from one validator set on.
type TrustPath struct {
	ChainID string
	Steps   []TrustStep
}

const (
	// trustVersion stands in the first member of a trust file and of a path.
	trustVersion = 1
	// MaxTrustBytes bounds a trust file, and a path.
	MaxTrustBytes = 16 << 20
)

type validatorJSON struct {
	PubKey []byte `json:"pubKey"`
	Power  uint64 `json:"power"`
}

type stepJSON struct {
	Skip   bool            `json:"skip"`
	Time   timeJSON        `json:"time"`
	Beside []protocol.Hash `json:"beside"`
	Commit commitJSON      `json:"commit"`
	Next   []validatorJSON `json:"next"`
}

type pathJSON struct {
	Version int        `json:"cairnTrustPath"`
	ChainID string     `json:"chainId"`
	Steps   []stepJSON `json:"steps"`
}

type pointJSON struct {
	Since      uint64          `json:"since"`
	Seen       uint64          `json:"seen"`
	At         timeJSON        `json:"at"`
	Validators []validatorJSON `json:"validators"`
}

type trustJSON struct {
	Version int         `json:"cairnTrust"`
	ChainID string      `json:"chainId"`
	Points  []pointJSON `json:"points"`
}

func validatorsJSON(validators []Validator) []validatorJSON {
	out := make([]validatorJSON, len(validators))
	for i, v := range validators {
		out[i] = validatorJSON{v.PubKey[:], v.Power}
	}
	return out
}

func readValidators(list []validatorJSON) ([]Validator, error) {
	if len(list) > MaxValidators {
		return nil, fmt.Errorf("%w: %d validators, over the limit %d", ErrForm, len(list), MaxValidators)
	}
	out := make([]Validator, len(list))
	for i, v := range list {
		if len(v.PubKey) != len(ValidatorKey{}) {
			return nil, fmt.Errorf("%w: validator key of %d bytes", ErrForm, len(v.PubKey))
		}
		out[i] = Validator{ValidatorKey(v.PubKey), v.Power}
	}
	return out, nil
}

// strictJSON decodes one document without unknown members.
func strictJSON(b []byte, into any) error {
	if len(b) > MaxTrustBytes {
		return fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxTrustBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("%w: more follows the document", ErrForm)
	}
	return nil
}

// MarshalJSON writes the path.
func (p *TrustPath) MarshalJSON() ([]byte, error) {
	text := pathJSON{Version: trustVersion, ChainID: p.ChainID, Steps: make([]stepJSON, len(p.Steps))}
	for i := range p.Steps {
		s := &p.Steps[i]
		text.Steps[i] = stepJSON{s.Skip, timeJSON(s.TimeNs), notNil(s.Beside), s.Commit.toJSON(), validatorsJSON(s.Next)}
	}
	return marshalJSON(text)
}

// UnmarshalJSON reads a path. It verifies nothing: Trust.Extend does.
func (p *TrustPath) UnmarshalJSON(b []byte) error {
	var text pathJSON
	if err := strictJSON(b, &text); err != nil {
		return err
	}
	if text.Version != trustVersion {
		return fmt.Errorf("%w: cairnTrustPath is %d, must be %d", ErrForm, text.Version, trustVersion)
	}
	*p = TrustPath{ChainID: text.ChainID}
	for _, s := range text.Steps {
		commit, err := s.Commit.commit()
		if err != nil {
			return err
		}
		next, err := readValidators(s.Next)
		if err != nil {
			return err
		}
		p.Steps = append(p.Steps, TrustStep{Skip: s.Skip, TimeNs: int64(s.Time), Beside: s.Beside, Commit: commit, Next: next})
	}
	return nil
}

// MarshalJSON writes what is trusted, for a file.
func (t *Trust) MarshalJSON() ([]byte, error) {
	text := trustJSON{Version: trustVersion, ChainID: t.ChainID()}
	for _, p := range t.points {
		text.Points = append(text.Points, pointJSON{p.Since, p.Seen, timeJSON(p.At.UnixNano()), validatorsJSON(p.validators)})
	}
	return marshalJSON(text)
}

// ParseTrust reads what MarshalJSON writes. Whoever can change the file
// decides what is trusted.
func ParseTrust(b []byte) (*Trust, error) {
	var text trustJSON
	if err := strictJSON(b, &text); err != nil {
		return nil, err
	}
	if text.Version != trustVersion || len(text.Points) == 0 {
		return nil, fmt.Errorf("%w: cairnTrust is %d, must be %d, with at least one point", ErrForm, text.Version, trustVersion)
	}
	t := &Trust{}
	for i, p := range text.Points {
		validators, err := readValidators(p.Validators)
		if err != nil {
			return nil, err
		}
		anchor, err := NewAnchor(text.ChainID, validators)
		if err != nil {
			return nil, err
		}
		if p.Seen < p.Since || p.Seen > MaxInteger || i > 0 && p.Since <= t.points[i-1].Since {
			return nil, fmt.Errorf("%w: point %d is since %d and seen at %d, out of order", ErrForm, i, p.Since, p.Seen)
		}
		t.points = append(t.points, TrustPoint{anchor, p.Since, p.Seen, p.At.time()})
	}
	return t, nil
}
