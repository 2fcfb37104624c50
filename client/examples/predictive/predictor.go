package main

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// predictor makes a series of predictions for each asset.
type predictor struct {
	model *model.Model
	entry func(ctx context.Context, index uint64) (*protocol.Event, error)
}

// Key is the asset that a reading is of. What the model finds no number in is
// not scored.
func (p *predictor) Key(in *protocol.Event) (string, bool) {
	_, ok := p.model.Value(in)
	return in.Subject, ok && in.Subject != ""
}

// Stream is that of the asset and this very model: another file, another stream.
func (p *predictor) Stream(asset string) string { return p.model.Stream(asset) }

// Open goes on from the last prediction: its state, and the readings it was made of.
func (p *predictor) Open(ctx context.Context, asset string, last *protocol.Event) (derive.Series, *protocol.Event, error) {
	a := &assetSeries{model: p.model}
	if last == nil {
		first := p.model.Published(asset)
		return a, &first, nil
	}
	var err error
	if a.state, err = model.StateOf(last); err != nil {
		return nil, nil, err
	}
	inputs, err := derive.InputsOf(last)
	if err != nil {
		return nil, nil, err
	}
	for _, index := range inputs {
		e, err := p.entry(ctx, index)
		if err != nil {
			return nil, nil, err
		}
		if e == nil {
			return nil, nil, fmt.Errorf("the reading of entry %d was erased", index)
		}
		a.take(model.Reading{Index: index, Event: e})
	}
	return a, nil, nil
}

// assetSeries is where an asset's predictions stand.
type assetSeries struct {
	model    *model.Model
	state    model.State
	readings []model.Reading // the last ones, up to what a prediction lists
}

func (a *assetSeries) take(r model.Reading) {
	if len(a.readings) == a.model.Listed() {
		a.readings = a.readings[1:]
	}
	a.readings = append(a.readings, r)
}

// Next scores a reading.
func (a *assetSeries) Next(in *rest.Delivered) (protocol.Event, bool, error) {
	a.take(model.Reading{Index: in.Index, Event: &in.Event})
	e, after, err := a.model.Predict(a.state, a.readings)
	a.state = after
	return e, err == nil, err
}
