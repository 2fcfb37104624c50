package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Types of the events of a stream of predictions: the model at sequence 0, and
// a prediction at each later one.
const (
	TypePublished  = "model.published.v1"
	TypePrediction = "machine.prediction.v1"
)

// Extension attributes of predictions, beside derive.Inputs.
const (
	AttributeName    = "modelname"
	AttributeVersion = "modelversion"
	AttributeHash    = "modelhash" // SHA-256 of the model file, in hex
)

// Stream names the stream of an asset's predictions by a model: a hash of
// both, as an asset's name may be of any characters.
func (m *Model) Stream(asset string) string { return StreamOf(m.Hash, asset) }

// StreamOf is Stream for whoever has the hash of the model's file alone.
func StreamOf(file protocol.Hash, asset string) string {
	id := sha256.Sum256(append(file[:], asset...))
	return "model." + hex.EncodeToString(id[:16])
}

// HashOf reads which model an event says it is of; false where it says none.
func HashOf(e *protocol.Event) (protocol.Hash, bool) {
	for i := range e.Extensions {
		if x := &e.Extensions[i]; x.Name == AttributeHash {
			hash, err := protocol.ParseHash(x.Text)
			return hash, err == nil
		}
	}
	return protocol.Hash{}, false
}

// source is the CloudEvents source of all that the model says.
func (m *Model) source() string { return "/models/" + m.Name + "/" + m.Version }

// extensions are the model's attributes, by name.
func (m *Model) extensions() []protocol.Extension {
	return []protocol.Extension{
		derive.Extension(AttributeHash, m.Hash.String()),
		derive.Extension(AttributeName, m.Name),
		derive.Extension(AttributeVersion, m.Version),
	}
}

// Published is the event that puts the model on record before an asset's
// predictions: its data are the model file's octets.
func (m *Model) Published(asset string) protocol.Event {
	return protocol.Event{
		ID: m.Hash.String()[:16] + "/" + asset, Source: m.source(), Type: TypePublished, Subject: asset,
		DataContentType: "application/json", DataForm: protocol.DataBinary, Data: m.Text, Extensions: m.extensions(),
	}
}

// ParsePublished reads the model out of such an event.
func ParsePublished(e *protocol.Event) (*Model, error) {
	if e.Type != TypePublished || e.DataForm != protocol.DataBinary {
		return nil, fmt.Errorf("model: the event is of type %q, a model is %s with its file as binary data", e.Type, TypePublished)
	}
	m, err := Parse(e.Data)
	if err != nil {
		return nil, err
	}
	if want := m.Published(e.Subject); !bytes.Equal(want.AppendRecord(nil), e.AppendRecord(nil)) {
		return nil, errors.New("model: the event's attributes are not those of the model in it")
	}
	return m, nil
}

// Reading is an entry that a prediction is made of.
type Reading struct {
	Index uint64
	Event *protocol.Event
}

// predicted is a prediction's data.
type predicted struct {
	Score json.Number `json:"score"` // at most 6 decimal places
	Model string      `json:"model"`
	State State       `json:"state"` // after it
}

// Predict scores the newest of the readings, of which there are up to Listed,
// given the state after the prediction before. The event follows from these
// alone: the same again has the same octets.
func (m *Model) Predict(before State, readings []Reading) (protocol.Event, State, error) {
	values, indexes := make([]float64, len(readings)), make([]uint64, len(readings))
	for i, r := range readings {
		v, ok := m.Value(r.Event)
		if !ok {
			return protocol.Event{}, before, fmt.Errorf("model: entry %d has no number %q in data of the type %s", r.Index, m.Input.Field, m.Input.Type)
		}
		values[i], indexes[i] = v, r.Index
	}
	if len(values) == 0 || len(values) > m.Listed() {
		return protocol.Event{}, before, fmt.Errorf("model: %d readings, a score is made of 1 to %d", len(values), m.Listed())
	}
	newest := readings[len(readings)-1]
	after, score := m.scorer.score(before, values)
	data, err := json.Marshal(predicted{Score: scoreText(score), Model: m.Name, State: after})
	if err != nil {
		return protocol.Event{}, before, err
	}
	e := protocol.Event{
		ID: m.Hash.String()[:16] + "/" + strconv.FormatUint(newest.Index, 10), Source: m.source(), Type: TypePrediction, Subject: newest.Event.Subject,
		TimeNs: newest.Event.TimeNs, HasTime: newest.Event.HasTime,
		DataContentType: "application/json", DataForm: protocol.DataJSON, Data: data,
		Extensions: append([]protocol.Extension{derive.Extension(derive.Inputs, derive.FormatInputs(indexes))}, m.extensions()...),
	}
	return e, after, nil
}

// scoreText writes a score with six decimal places, cut at a million.
func scoreText(score float64) json.Number {
	score = min(max(score, -maxScore), maxScore)
	if math.Abs(score) < 0.5e-6 {
		score = 0 // not -0
	}
	return json.Number(strconv.FormatFloat(score, 'f', 6, 64))
}

// StateOf reads the state after a prediction; the zero state of what is none.
func StateOf(e *protocol.Event) (State, error) {
	if e.Type != TypePrediction {
		return State{}, nil
	}
	var p predicted
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return State{}, fmt.Errorf("model: a prediction's data: %w", err)
	}
	return p.State, nil
}

// Check scores again: whether a prediction is, octet for octet, what the model
// says of the readings, given the event before it in its stream.
func (m *Model) Check(prediction, before *protocol.Event, readings []Reading) error {
	state, err := StateOf(before)
	if err != nil {
		return err
	}
	again, _, err := m.Predict(state, readings)
	if err != nil {
		return err
	}
	if !bytes.Equal(again.AppendRecord(nil), prediction.AppendRecord(nil)) {
		return fmt.Errorf("model: scored again, it is %s %s", again.ID, again.Data)
	}
	return nil
}
