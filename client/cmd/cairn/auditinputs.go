package main

import (
	"context"
	"fmt"
	"io"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// whyDeclared is what the producer of an event says it was made of. The ledger
// takes that down and checks nothing; here it is proven and, where a model
// made it, repeated.
type whyDeclared struct {
	Inputs []whyWriter `json:"inputs"`
	Model  *whyModel   `json:"model,omitempty"`
	Wrong  string      `json:"wrong,omitempty"` // what contradicts the declaration
}

// whyModel is the model that an event names.
type whyModel struct {
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Kind    string        `json:"kind"`
	Hash    protocol.Hash `json:"hash"`  // SHA-256 of its file
	Entry   uint64        `json:"entry"` // that holds the file
	Before  uint64        `json:"before"`
	Same    bool          `json:"same"` // scored again, it is the same octet for octet
}

// declared follows the inputs that an event declares, and scores it again
// where it is a prediction.
func (a *auditor) declared(ctx context.Context, w *why, e *provenEntry, step *whyStep) error {
	if e.Event == nil || e.Kind != protocol.EntryEvent || e.withheld() {
		return nil
	}
	inputs, err := derive.InputsOf(e.Event)
	if err != nil { // anybody may use that name for something else
		w.Notes = append(w.Notes, fmt.Sprintf("Entry %d has an attribute %q that lists no entries.", e.Index, derive.Inputs))
		return nil
	}
	hash, ofModel := model.HashOf(e.Event)
	if ofModel = ofModel && e.Event.Type == model.TypePrediction; len(inputs) == 0 && !ofModel {
		return nil
	}
	d := &whyDeclared{Inputs: []whyWriter{}}
	step.Declared = d
	var readings []model.Reading
	for _, index := range inputs {
		if index >= e.Index {
			d.Wrong = fmt.Sprintf("entry %d came after it", index)
			break
		}
		input, err := a.entry(ctx, index)
		if err != nil {
			return err
		}
		described, err := a.step(ctx, w, input)
		if err != nil {
			return err
		}
		d.Inputs = append(d.Inputs, whyWriter{whyStep: described, Short: w.short(input)})
		readings = append(readings, model.Reading{Index: index, Event: input.Event})
	}
	if ofModel && d.Wrong == "" {
		if err := a.scoreAgain(ctx, e, d, hash, readings); err != nil {
			return err
		}
	}
	if d.Wrong != "" {
		w.Reproduced, w.Verdict = false, fmt.Sprintf("Entry %d is not what its producer declares it to be: %s.", e.Index, d.Wrong)
	}
	return nil
}

// scoreAgain finds the model and the prediction before in the stream, and
// scores the readings again.
func (a *auditor) scoreAgain(ctx context.Context, e *provenEntry, d *whyDeclared, hash protocol.Hash, readings []model.Reading) error {
	stream := model.StreamOf(hash, e.Event.Subject)
	if e.Stream != protocol.NewStreamID(e.Origin, stream) || e.Sequence == 0 {
		d.Wrong = "it is not in the stream of the model that it names, which has the model and what was scored before it"
		return nil
	}
	published, err := a.inStream(ctx, e, stream, 0)
	if err != nil {
		return err
	}
	before, err := a.inStream(ctx, e, stream, e.Sequence-1)
	if err != nil {
		return err
	}
	for _, r := range readings {
		if r.Event == nil {
			d.Wrong = fmt.Sprintf("the reading of entry %d is not there any more, or is none, so it cannot be scored again", r.Index)
			return nil
		}
	}
	if published.Event == nil || before.Event == nil {
		d.Wrong = "the model, or the prediction before it, is not there any more"
		return nil
	}
	m, err := model.ParsePublished(published.Event)
	if err != nil {
		d.Wrong = err.Error()
		return nil
	}
	d.Model = &whyModel{Name: m.Name, Version: m.Version, Kind: m.Kind, Hash: m.Hash, Entry: published.Index, Before: before.Index}
	if err := m.Check(e.Event, before.Event, readings); err != nil {
		d.Wrong = err.Error()
	}
	d.Model.Same = d.Wrong == ""
	return nil
}

// inStream fetches a proven entry at a sequence of a stream. Which index has
// it is a node's word, that the entry is of that sequence is in its receipt.
func (a *auditor) inStream(ctx context.Context, e *provenEntry, stream string, sequence uint64) (*provenEntry, error) {
	at, err := a.StreamEntries(ctx, e.Origin, stream, sequence, 1)
	if err != nil {
		return nil, err
	}
	if len(at) != 1 {
		return nil, fmt.Errorf("%w: the node does not know sequence %d of stream %s, which the ledger has", errInvalid, sequence, stream)
	}
	found, err := a.entry(ctx, at[0].Index)
	if err != nil {
		return nil, err
	}
	if found.Stream != e.Stream || found.Origin != e.Origin || found.Sequence != sequence {
		return nil, fmt.Errorf("%w: entry %d is not sequence %d of stream %s", errInvalid, at[0].Index, sequence, stream)
	}
	return found, nil
}

// scored says whether a step is a prediction that was scored again.
func (s *whyStep) scored() bool {
	return s.Declared != nil && s.Declared.Model != nil && s.Declared.Model.Same
}

// wrong is the entry whose producer declares what does not hold.
func (w *why) wrong() *uint64 {
	for i := range w.Steps {
		if d := w.Steps[i].Declared; d != nil && d.Wrong != "" {
			return &w.Steps[i].Index
		}
	}
	return nil
}

// show prints what was declared.
func (d *whyDeclared) show(out io.Writer, bar string) {
	if m := d.Model; m != nil {
		fmt.Fprintf(out, "%s      model %s %s (%s), whose file is entry %d, sha256 %.16s...; its state is in entry %d\n", bar, m.Name, m.Version, m.Kind, m.Entry, m.Hash, m.Before)
		fmt.Fprintf(out, "%s      scored again: %s\n", bar, map[bool]string{true: "the same, octet for octet", false: "NOT THE SAME"}[m.Same])
	}
	if len(d.Inputs) > 0 {
		fmt.Fprintf(out, "%s      declared to be made of, each proven:\n", bar)
	}
	for i := range d.Inputs {
		head := "├─"
		if i == len(d.Inputs)-1 {
			head = "└─"
		}
		fmt.Fprintf(out, "%s      %s %d  %s\n", bar, head, d.Inputs[i].Index, d.Inputs[i].Short)
	}
	if d.Wrong != "" {
		fmt.Fprintf(out, "%s      BUT: %s\n", bar, d.Wrong)
	}
}
