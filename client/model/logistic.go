package model

import (
	"encoding/json"
	"errors"
	"math"
)

// logistic is a logistic regression over the last Window readings. Its score
// is the log-odds: 0 is even, and the probability 1/(1+exp(-score)) grows with
// it. It learns nothing; its weights are from training.
type logistic struct {
	Bias      float64 `json:"bias"`
	Value     float64 `json:"value"`     // of the newest reading
	Mean      float64 `json:"mean"`      // of the readings
	Deviation float64 `json:"deviation"` // of the readings, over their count
	Change    float64 `json:"change"`    // from the oldest to the newest
	window    int
}

func newLogistic(window int, text json.RawMessage) (*logistic, error) {
	l := &logistic{window: window}
	if window < 1 || window > MaxListed {
		return nil, errors.New("window: a logistic model looks at 1 to 64 readings")
	}
	return l, weights(text, l, func() []float64 { return []float64{l.Bias, l.Value, l.Mean, l.Deviation, l.Change} })
}

func (l *logistic) listed() int { return l.window }

func (l *logistic) score(s State, values []float64) (State, float64) {
	n := float64(len(values))
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += float64((v - mean) * (v - mean))
	}
	first, last := values[0], values[len(values)-1]
	odds := l.Bias + float64(l.Value*last)
	odds += float64(l.Mean * mean)
	odds += float64(l.Deviation * math.Sqrt(squares/n))
	odds += float64(l.Change * (last - first))
	s.Readings++
	return s, odds
}
