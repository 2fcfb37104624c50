package connect

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/connector/expr"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/source/file"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Tried is what the mapping makes of a record.
type Tried struct {
	Sample   int             `json:"sample"`
	Event    *protocol.Event `json:"event,omitempty"`
	Filtered bool            `json:"filtered,omitempty"`
	Error    string          `json:"error,omitempty"` // it would be a dead letter
}

// samplesOfFile is how many records of a file are tried where no samples are given.
const samplesOfFile = 3

// Try maps samples.
func (r *Runner) Try(ctx context.Context, values [][]byte) ([]Tried, error) {
	var records []*record.Record
	for i, value := range values {
		records = append(records, &record.Record{Position: uint64(i), Offset: int64(i), Value: value})
	}
	if len(values) == 0 {
		for i := range r.config.Samples {
			records = append(records, r.config.Samples[i].record())
		}
	}
	if f := r.config.Source.File; len(records) == 0 && f != nil {
		source, err := file.New(file.Config{Path: f.Path, Format: f.Format, Delimiter: f.Delimiter})
		if err != nil {
			return nil, err
		}
		enough := errors.New("enough")
		if _, err := source.Each(ctx, func(rec *record.Record) error {
			if records = append(records, rec); len(records) == samplesOfFile {
				return enough
			}
			return nil
		}); err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	tried := make([]Tried, len(records))
	for i, rec := range records {
		tried[i] = Tried{Sample: i}
		event, err := r.mapping.Event(r.config.Stream, rec.Position, rec)
		switch {
		case errors.Is(err, expr.ErrFiltered):
			tried[i].Filtered = true
		case err != nil:
			tried[i].Error = err.Error()
		default:
			tried[i].Event = &event
		}
	}
	return tried, nil
}

// Dial connects to the source and says what is there.
func (r *Runner) Dial(ctx context.Context) (string, error) {
	sentence, err := r.source.Dial(ctx)
	if err != nil {
		return "", fmt.Errorf("source: %w", err)
	}
	return sentence, nil
}
