package model

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const zscoreFile = `{"cairnModel": 1, "name": "wear", "version": "1.2.0", "kind": "zscore",
 "input": {"type": "machine.reading.v1", "field": "value"}, "window": 99, "weights": {"clip": 3, "floor": 0.25, "warmup": 20}}`

const logisticFile = `{"cairnModel": 1, "name": "odds", "version": "1", "kind": "logistic",
 "input": {"type": "machine.reading.v1", "field": "value"}, "window": 4,
 "weights": {"bias": -2, "value": 0.5, "mean": -0.25, "deviation": 1.5, "change": 0.125}}`

func parse(t *testing.T, text string) *Model {
	t.Helper()
	m, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func reading(index uint64, value string) Reading {
	return Reading{Index: index, Event: &protocol.Event{
		ID: fmt.Sprint(index), Source: "/plant", Type: "machine.reading.v1", Subject: "pump", HasTime: true, TimeNs: int64(index) * 60e9,
		DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"value":%s}`, value),
	}}
}

// What is not a model is refused, and says why.
func TestRefusedFiles(t *testing.T) {
	for _, c := range []struct{ old, new, says string }{
		{`"cairnModel": 1`, `"cairnModel": 2`, "format 1"},
		{`"wear"`, `"We ar"`, "name and version"},
		{`"1.2.0"`, `""`, "name and version"},
		{`"zscore"`, `"forest"`, "known are"},
		{`"field": "value"`, `"field": ""`, "input needs"},
		{`"window": 99`, `"window": 0`, "window"},
		{`"window": 99`, `"window": 1048577`, "window"},
		{`"clip": 3`, `"clip": 0`, "clip"},
		{`"clip": 3`, `"clip": 1e10`, "out of bounds"},
		{`"warmup": 20`, `"warmup": 0`, "warmup"},
		{`"warmup": 20`, `"warmup": 20, "more": 1`, "unknown field"},
		{`"window": 99`, `"window": 99, "more": 1`, "unknown field"},
		{`"weights"`, `"wights"`, "unknown field"},
		{`}}`, `}} {}`, "more follows"},
		{`{`, strings.Repeat(" ", MaxFileBytes) + `{`, "larger than"},
	} {
		if _, err := Parse([]byte(strings.Replace(zscoreFile, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s for %s: %v, want %q", c.new, c.old, err, c.says)
		}
	}
	for _, window := range []string{"0", "65"} {
		if _, err := Parse([]byte(strings.Replace(logisticFile, `"window": 4`, `"window": `+window, 1))); err == nil {
			t.Errorf("a logistic model of %s readings", window)
		}
	}
}

// The event that carries a model gives it back, and no other event does.
func TestPublished(t *testing.T) {
	m := parse(t, zscoreFile)
	e := m.Published("pump")
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePublished(&e); err != nil || got.Hash != m.Hash || got.Name != "wear" {
		t.Fatalf("%+v, %v", got, err)
	}
	forged := e
	forged.Data = []byte(strings.Replace(zscoreFile, `"floor": 0.25`, `"floor": 0.5`, 1))
	if _, err := ParsePublished(&forged); err == nil {
		t.Error("another file under the hash of the first")
	}
}

// A z-score against the same rule in exact fractions and 200-bit square
// roots: rounding takes at most the last of the six places printed.
func TestZScoreAgainstExact(t *testing.T) {
	m := parse(t, zscoreFile)
	r := rand.New(rand.NewPCG(7, 8))
	real := func(v float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(v) }
	op := func(f func(z, x, y *big.Float) *big.Float, x, y *big.Float) *big.Float {
		return f(new(big.Float).SetPrec(200), x, y)
	}
	mean, variance, alpha, state := real(0), real(0), op((*big.Float).Quo, real(2), real(100)), State{}
	for i := range 2000 {
		x := math.Round((70+3*r.NormFloat64()-20*float64(i/1500))*100) / 100
		var got float64
		state, got = m.scorer.score(state, []float64{x})
		distance, want := op((*big.Float).Sub, real(x), mean), real(0)
		if n := real(float64(i + 1)); i < 20 {
			mean = op((*big.Float).Add, mean, op((*big.Float).Quo, distance, n))
			grown := op((*big.Float).Sub, op((*big.Float).Mul, distance, op((*big.Float).Sub, real(x), mean)), variance)
			variance = op((*big.Float).Add, variance, op((*big.Float).Quo, grown, n))
		} else {
			deviation := new(big.Float).SetPrec(200).Sqrt(variance)
			if deviation.Cmp(real(0.25)) < 0 {
				deviation = real(0.25)
			}
			want = op((*big.Float).Quo, distance, deviation)
			if bound := op((*big.Float).Mul, real(3), deviation); new(big.Float).Abs(distance).Cmp(bound) > 0 {
				if distance.Sign() < 0 {
					bound.Neg(bound)
				}
				distance = bound
			}
			step := op((*big.Float).Mul, alpha, distance)
			mean = op((*big.Float).Add, mean, step)
			variance = op((*big.Float).Mul, op((*big.Float).Sub, real(1), alpha), op((*big.Float).Add, variance, op((*big.Float).Mul, step, distance)))
		}
		if w, _ := want.Float64(); math.Abs(w-got) > 1e-6 {
			t.Fatalf("reading %d: %v, exactly %v", i, got, w)
		}
	}
}

// A logistic model's odds, worked out by hand.
func TestLogistic(t *testing.T) {
	m := parse(t, logisticFile)
	var readings []Reading
	for i, v := range []string{"1", "5", "3", "7"} { // mean 4, deviation sqrt(5)
		readings = append(readings, reading(uint64(10+i), v))
	}
	e, _, err := m.Predict(State{}, readings)
	want := -2 + 0.5*7 - 0.25*4 + 1.5*math.Sqrt(5) + 0.125*6
	if err != nil || !strings.HasPrefix(string(e.Data), fmt.Sprintf(`{"score":%.6f,"model":"odds"`, want)) {
		t.Fatalf("%s, %v, want %f", e.Data, err, want)
	}
	if e.Extensions[0].Text != "10-13" {
		t.Errorf("inputs %s", e.Extensions[0].Text)
	}
	if _, _, err := m.Predict(State{}, append(readings, reading(14, "1"))); err == nil {
		t.Error("more readings than the window has")
	}
}

// Each prediction follows from the model, the readings it names and the one
// before it; whatever else is changed, checking finds it.
func TestPredictionsReproduce(t *testing.T) {
	for _, file := range []string{zscoreFile, logisticFile} {
		m, r := parse(t, file), rand.New(rand.NewPCG(3, 4))
		before, state, readings := m.Published("pump"), State{}, []Reading(nil)
		for i := range uint64(200) {
			readings = append(readings, reading(i, fmt.Sprintf("%.3f", 50+10*r.NormFloat64())))
			readings = readings[max(0, len(readings)-m.Listed()):]
			e, after, err := m.Predict(state, readings)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := m.Check(&e, &before, readings); err != nil {
				t.Fatal(err)
			}
			other := slices.Clone(readings)
			other[len(other)-1] = reading(i, "51.5")
			changed := e
			changed.Data = []byte(strings.Replace(string(e.Data), `"score":`, `"score":1`, 1))
			if m.Check(&e, &before, other) == nil || m.Check(&changed, &before, readings) == nil {
				t.Fatalf("prediction %d reproduces from another reading, or with another score", i)
			}
			before, state = e, after
		}
	}
}

// What has no number, or none in bounds, is not scored.
func TestValues(t *testing.T) {
	m := parse(t, zscoreFile)
	for data, want := range map[string]bool{
		`{"value":1}`: true, `{"value":-1.5e3}`: true, `{"value":1e12}`: true, `{"value":1.1e12}`: false, `{"value":1e999}`: false,
		`{"value":"1"}`: false, `{"value":null}`: false, `{"value":true}`: false, `{"other":1}`: false, `[1]`: false, `{"VALUE":1}`: false,
	} {
		if _, ok := m.Value(&protocol.Event{Type: "machine.reading.v1", DataForm: protocol.DataJSON, Data: json.RawMessage(data)}); ok != want {
			t.Errorf("%s: %v", data, ok)
		}
	}
	if got := string(scoreText(-1e-9)) + " " + string(scoreText(1e300)) + " " + string(scoreText(-0.0000005)); got != "0.000000 1000000.000000 -0.000001" && got != "0.000000 1000000.000000 -0.000000" {
		t.Error(got)
	}
}
