package model

import (
	"encoding/json"
	"errors"
	"math"
)

// State is what a z-score has learnt. It goes into each prediction, so that
// the next one follows from it and one reading.
type State struct {
	Readings uint64  `json:"readings"`
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"`
}

// zscore says how many deviations a reading lies from the mean of those
// before it. Mean and variance are exponentially weighted over about Window
// readings; a reading moves them by at most Clip deviations, so that a failure
// is not soon taken for what is normal.
type zscore struct {
	Clip   float64 `json:"clip"`   // deviations; above 0
	Floor  float64 `json:"floor"`  // least deviation, in the reading's unit; above 0
	Warmup uint64  `json:"warmup"` // readings that only teach, with score 0; at least 1
	alpha  float64 // of the newest reading
}

func newZScore(window int, text json.RawMessage) (*zscore, error) {
	z := new(zscore)
	err := weights(text, z, func() []float64 { return []float64{z.Clip, z.Floor} })
	switch {
	case err != nil:
		return nil, err
	case window < 1 || window > MaxWindow:
		return nil, errors.New("window: a z-score remembers 1 to 1048576 readings")
	case z.Clip <= 0 || z.Floor <= 0 || z.Warmup < 1 || z.Warmup > MaxWindow:
		return nil, errors.New("weights: clip and floor are above 0, warmup is 1 to 1048576")
	}
	z.alpha = 2 / (float64(window) + 1)
	return z, nil
}

func (z *zscore) listed() int { return 1 }

// score rounds each product by a conversion: without one, a compiler may fuse
// it with the sum it is in, and some machines would come to other digits.
func (z *zscore) score(s State, values []float64) (State, float64) {
	x := values[len(values)-1]
	s.Readings++
	distance := x - s.Mean
	if s.Readings <= z.Warmup {
		n := float64(s.Readings)
		s.Mean += distance / n
		s.Variance += (float64(distance*(x-s.Mean)) - s.Variance) / n
		return s, 0
	}
	deviation := max(math.Sqrt(s.Variance), z.Floor)
	score := distance / deviation
	bound := float64(z.Clip * deviation)
	distance = min(max(distance, -bound), bound)
	step := float64(z.alpha * distance)
	s.Mean += step
	s.Variance = float64((1 - z.alpha) * (s.Variance + float64(step*distance)))
	return s, score
}
