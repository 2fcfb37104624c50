package connect

import (
	"context"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

// meddled is a source with something that happens once its stream is open.
type meddled struct {
	record.Source
	meddle func()
}

func sourceFunc(meddle func(), s record.Source) record.Source { return &meddled{s, meddle} }

func (m *meddled) Run(ctx context.Context, feed record.Feed) error {
	return m.Source.Run(ctx, &meddledFeed{feed, m.meddle})
}

type meddledFeed struct {
	record.Feed
	meddle func()
}

func (f *meddledFeed) Open(ctx context.Context, part string) (record.Stream, error) {
	stream, err := f.Feed.Open(ctx, part)
	f.meddle()
	return stream, err
}
