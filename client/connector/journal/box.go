package journal

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

// Config of a journal, as part of a source's.
type Config struct {
	Journal string `yaml:"journal"`       // folder; of this connector alone
	MaxMiB  int64  `yaml:"journal_limit"` // MiB on disk after which no more is taken until the ledger has some of it; 1024
}

// Validate refuses a Config without a folder.
func (c *Config) Validate() error {
	if c.Journal == "" {
		return errors.New("journal is missing: a folder that keeps what was acknowledged to the source until the ledger has it")
	}
	if c.MaxMiB < 0 {
		return errors.New("journal_limit is below 0")
	}
	return nil
}

// Box is a journal with the ledger's stream behind it.
type Box struct {
	*Journal
	limit  int64
	stream record.Stream
	wake   chan struct{}
}

// Run opens the stream and the journal, carries records from one to the other,
// and meanwhile runs fill, which takes them from the source.
func Run(ctx context.Context, c Config, feed record.Feed, fill func(context.Context, *Box) error) error {
	stream, err := feed.Open(ctx, "")
	if err != nil {
		return err
	}
	j, lost, err := Open(c.Journal, stream.Next())
	if err != nil {
		return err
	}
	if lost {
		feed.Log("the journal in %s ended before the ledger's stream, at %d: it was lost or is an older copy; it begins anew", c.Journal, stream.Next())
	}
	if c.MaxMiB == 0 {
		c.MaxMiB = 1024
	}
	b := &Box{Journal: j, limit: c.MaxMiB << 20, stream: stream, wake: make(chan struct{}, 1)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.pump(ctx) })
	group.Go(func() error { return fill(ctx, b) })
	err = group.Wait()
	return errors.Join(err, j.Close())
}

// Take makes records durable. It waits while the journal is full.
func (b *Box) Take(ctx context.Context, records []*record.Record, cursor string) error {
	for {
		if _, bytes := b.State(); bytes < b.limit {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := b.Append(records, cursor); err != nil {
		return err
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// pump carries durable records to the ledger.
func (b *Box) pump(ctx context.Context) error {
	r := reader{journal: b.Journal, at: b.stream.Next()}
	defer r.close()
	failed := make(chan error, 1)
	for {
		durable, _ := b.State()
		b.stream.End(durable)
		for r.at < durable {
			rec, first, err := r.read()
			if err != nil {
				return err
			}
			if first { // once it is final, the files before its own are not needed
				rec.Done = func() {
					if err := b.forget(rec.Position); err != nil {
						select {
						case failed <- err:
						default:
						}
					}
				}
			}
			if err := b.stream.Put(ctx, rec); err != nil {
				return err
			}
		}
		select {
		case <-b.wake:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
