package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Types of what is read and what is written.
const (
	typeEvaluated = "parking.price.set.v1"
	typeProposal  = "parking.price.propose.v1"
)

// policy is a proportional-integral controller in its velocity form: the price
// moves by kp times the change of the error and ki times the error, where the
// error is the occupancy above the target. In this form the price itself is
// the integral, so a limit that it meets winds nothing up. All are integers:
// the same evaluations lead to the same prices everywhere.
type policy struct {
	TargetBp int64 `json:"targetBp"` // occupancy that is wanted, in basis points
	Kp       int64 `json:"kp"`       // cents for 10,000 basis points
	Ki       int64 `json:"ki"`
	Floor    int64 `json:"floorCents"`
	Ceiling  int64 `json:"ceilingCents"`
	Step     int64 `json:"stepCents"` // most that one proposal moves the price
}

// Bounds of a policy: no product of them and an occupancy leaves an int64.
const (
	maxGain  = 1_000_000
	maxCents = 100_000_000
)

func (p *policy) validate() error {
	switch {
	case p.TargetBp < 0 || p.TargetBp > 10_000:
		return errors.New("--target: an occupancy is 0 to 10000 basis points")
	case p.Kp < 0 || p.Kp > maxGain || p.Ki < 0 || p.Ki > maxGain:
		return fmt.Errorf("--kp, --ki: gains are 0 to %d cents", maxGain)
	case p.Floor < 0 || p.Floor > p.Ceiling || p.Ceiling > maxCents || p.Step < 1 || p.Step > maxCents:
		return fmt.Errorf("--floor, --ceiling, --step: 0 <= floor <= ceiling <= %d cents, and a step of 1 or more", maxCents)
	}
	return nil
}

// next is the price after one of an evaluation, given this error and the one before.
func (p *policy) next(price, err, before int64) int64 {
	move := roundedDiv(p.Kp*(err-before)+p.Ki*err, 10_000)
	move = min(max(move, -p.Step), p.Step)
	return min(max(price+move, p.Floor), p.Ceiling)
}

// roundedDiv divides and rounds to the nearest, halves away from zero. b is above 0.
func roundedDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b/2) / b)
	}
	return (a + b/2) / b
}

// evaluation is what the parking contract says of a lot, a band of the day and a week.
type evaluation struct {
	Lot         string `json:"lot"`
	Band        string `json:"band"`
	Week        string `json:"week"`
	OccupancyBp int64  `json:"occupancyBp"`
	PriceCents  int64  `json:"priceCents"`
}

// proposal is the data of what is proposed. The contract reads the first
// three; the rest is what they follow from.
type proposal struct {
	Band        string `json:"band"`
	Week        string `json:"week"`
	PriceCents  int64  `json:"priceCents"`
	OccupancyBp int64  `json:"occupancyBp"`
	ErrorBp     int64  `json:"errorBp"` // of this evaluation; the next one needs it
	BeforeBp    int64  `json:"beforeBp"`
	Policy      policy `json:"policy"`
}

// optimiser makes a series of proposals for each lot and band.
type optimiser struct{ policy policy }

// Key is the lot and band of an evaluation.
func (o *optimiser) Key(in *protocol.Event) (string, bool) {
	v, err := readEvaluation(in)
	return v.Lot + "/" + v.Band, err == nil
}

func readEvaluation(in *protocol.Event) (v evaluation, err error) {
	switch {
	case in.Type != typeEvaluated || in.DataForm != protocol.DataJSON:
		return v, fmt.Errorf("not an evaluation")
	case json.Unmarshal(in.Data, &v) != nil:
		return v, fmt.Errorf("an evaluation's data: %.80q", in.Data)
	case v.Lot == "" || v.Lot != in.Subject || v.Band == "" || v.OccupancyBp < 0 || v.OccupancyBp > 10_000 || v.PriceCents < 0 || v.PriceCents > maxCents:
		return v, fmt.Errorf("an evaluation out of bounds: %.80q", in.Data)
	}
	return v, nil
}

// Stream is that of the lot, the band and this very policy.
func (o *optimiser) Stream(key string) string {
	text, err := json.Marshal(o.policy)
	if err != nil {
		panic(err) // integers have JSON
	}
	id := sha256.Sum256(append(text, key...))
	return "price." + hex.EncodeToString(id[:16])
}

// Open goes on from the last proposal.
func (o *optimiser) Open(_ context.Context, _ string, last *protocol.Event) (derive.Series, *protocol.Event, error) {
	s := &lotSeries{policy: o.policy}
	if last == nil {
		return s, nil, nil
	}
	var p proposal
	if err := json.Unmarshal(last.Data, &p); err != nil {
		return nil, nil, fmt.Errorf("the last proposal: %w", err)
	}
	s.before, s.known = p.ErrorBp, true
	return s, nil, nil
}

// lotSeries is where the proposals for a lot and band stand.
type lotSeries struct {
	policy policy
	before int64 // error of the last evaluation
	known  bool  // there was one
}

// Next answers an evaluation with a price.
func (s *lotSeries) Next(in *rest.Delivered) (protocol.Event, bool, error) {
	v, err := readEvaluation(&in.Event)
	if err != nil {
		return protocol.Event{}, false, err
	}
	fault := v.OccupancyBp - s.policy.TargetBp
	if !s.known {
		s.before, s.known = fault, true
	}
	data, err := json.Marshal(proposal{
		Band: v.Band, Week: v.Week, PriceCents: s.policy.next(v.PriceCents, fault, s.before),
		OccupancyBp: v.OccupancyBp, ErrorBp: fault, BeforeBp: s.before, Policy: s.policy,
	})
	s.before = fault
	return protocol.Event{
		ID: "price/" + strconv.FormatUint(in.Index, 10), Source: "/services/optimisation", Type: typeProposal, Subject: v.Lot,
		TimeNs: in.Event.TimeNs, HasTime: in.Event.HasTime, DataContentType: "application/json", DataForm: protocol.DataJSON, Data: data,
		Extensions: []protocol.Extension{derive.Extension(derive.Inputs, strconv.FormatUint(in.Index, 10))},
	}, err == nil, err
}
