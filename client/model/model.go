// Package model scores readings with a model from a file, so that anyone who
// has the file and the readings comes to the same scores, digit for digit, on
// any machine: all arithmetic is IEEE 754 binary64, each operation rounded by
// itself, and of functions only the square root, which that standard fixes.
package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Bounds of a model file and of what is scored.
const (
	MaxFileBytes = 16 << 10
	MaxName      = 32      // characters of a name or version
	MaxWindow    = 1 << 20 // readings a z-score remembers
	MaxListed    = 64      // readings a logistic model looks at
	MaxValue     = 1e12    // of a reading
	maxScore     = 1e6     // scores are cut there
	maxWeight    = 1e9
)

// Kinds of models.
const (
	KindZScore   = "zscore"
	KindLogistic = "logistic"
)

// Input says which events are scored, and by which member of their data.
type Input struct {
	Type  string `json:"type"`
	Field string `json:"field"`
}

// file is a model file's JSON.
type file struct {
	Format  int             `json:"cairnModel"`
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Kind    string          `json:"kind"`
	Input   Input           `json:"input"`
	Window  int             `json:"window"`
	Weights json.RawMessage `json:"weights"`
}

// Model is a model that was read from a file. It does not change.
type Model struct {
	Name    string
	Version string
	Kind    string
	Input   Input
	Window  int           // readings; what for, the kind says
	Hash    protocol.Hash // SHA-256 of the file's octets
	Text    []byte        // those octets
	scorer  scorer
}

// scorer is what a kind does. It is a pure function of what it is given.
type scorer interface {
	// listed is how many readings up to the newest a score is made of, beside the state.
	listed() int
	// score answers the score of the newest of the values and the state after it.
	score(before State, values []float64) (State, float64)
}

// Load reads a model file.
func Load(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse reads a model file's octets, and refuses members it does not know.
func Parse(text []byte) (*Model, error) {
	if len(text) > MaxFileBytes {
		return nil, fmt.Errorf("model: the file is larger than %d bytes", MaxFileBytes)
	}
	var f file
	if err := strict(text, &f); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m := &Model{Name: f.Name, Version: f.Version, Kind: f.Kind, Input: f.Input, Window: f.Window,
		Hash: sha256.Sum256(text), Text: bytes.Clone(text)}
	if err := m.check(f.Format); err != nil {
		return nil, err
	}
	var err error
	switch f.Kind {
	case KindZScore:
		m.scorer, err = newZScore(f.Window, f.Weights)
	case KindLogistic:
		m.scorer, err = newLogistic(f.Window, f.Weights)
	default:
		err = fmt.Errorf("kind is %q, known are %s and %s", f.Kind, KindZScore, KindLogistic)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return m, nil
}

func (m *Model) check(format int) error {
	switch {
	case format != 1:
		return fmt.Errorf("model: cairnModel is %d, this program knows format 1", format)
	case !plain(m.Name) || !plain(m.Version):
		return fmt.Errorf("model: name and version have 1 to %d characters of a-z 0-9 . _ -", MaxName)
	case m.Input.Type == "" || m.Input.Field == "":
		return errors.New("model: input needs the type of the events and the field of their data")
	}
	return nil
}

// plain says whether a text can be part of a stream's name.
func plain(text string) bool {
	return len(text) <= MaxName && protocol.CheckStreamName(text) == nil
}

// strict decodes one JSON document without members that are not known.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more follows the document")
	}
	return nil
}

// weights reads a kind's weights and holds each to the bounds.
func weights(text json.RawMessage, into any, values func() []float64) error {
	if len(text) == 0 {
		return errors.New("weights are missing")
	}
	if err := strict(text, into); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	for _, v := range values() {
		if math.Abs(v) > maxWeight {
			return fmt.Errorf("weights: %g is out of bounds, at most %g", v, float64(maxWeight))
		}
	}
	return nil
}

// Listed is how many readings, up to the one that is scored, a prediction
// names as its inputs.
func (m *Model) Listed() int { return m.scorer.listed() }

// Value reads the number that a reading has for the model; false where it has
// none, or none that is scored.
func (m *Model) Value(e *protocol.Event) (float64, bool) {
	if e.Type != m.Input.Type || e.DataForm != protocol.DataJSON {
		return 0, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(e.Data, &members) != nil {
		return 0, false
	}
	var v float64
	raw := members[m.Input.Field]
	if len(raw) == 0 || strings.IndexByte("-0123456789", raw[0]) < 0 || json.Unmarshal(raw, &v) != nil || math.Abs(v) > MaxValue {
		return 0, false
	}
	return v, true
}
