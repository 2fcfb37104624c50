package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// mappingExample reads a file with the columns meter, read and kWh.
const mappingExample = `  {"source": "/meters/steel", "type": "meter.reading.v1", "id": "{meter}@{time}", "subject": "{meter}",
   "time": {"column": "read", "layout": "02/01/2006 15:04", "zone": "Asia/Seoul"},
   "data": [{"name": "kWh", "column": "kWh", "kind": "decimal"}]}`

func submitCommand(s *session) *cobra.Command {
	var key, stream, mapping string
	cmd := &cobra.Command{
		Use:   "submit FILE",
		Short: "Submit the events of a file and wait until all are final",
		Long: `Submit the events of a file and wait until all are final. FILE holds one CloudEvents
JSON document a line, or CSV when --mapping says how columns become events. Events
take the sequences 0, 1, 2, ... of the stream, so the same file again is absorbed:
after an interruption, run the same command again.

A mapping is a JSON file. Texts may hold {Column}, and {time} for the event's time:
` + mappingExample + `
Layouts are Go's, of the time 2006-01-02 15:04:05; the zone is UTC without one. Kinds are
int, uint, decimal (its digits are kept), string and bool.`,
		Args: exactly(1, "a file of events"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if stream == "" {
				stream = streamOf(args[0])
			}
			if mapping == "" && strings.EqualFold(filepath.Ext(args[0]), ".csv") {
				return usageError{fmt.Errorf("%s is CSV: --mapping FILE says how its columns become events", args[0])}
			}
			var source connector.Source
			var err error
			if mapping != "" {
				source, err = connector.OpenCSV(args[0], mapping)
			} else {
				source, err = connector.OpenJSONLines(args[0])
			}
			if err != nil {
				return err
			}
			defer source.Close()
			return s.submitAll(cmd.Context(), source, key, stream, func(*ledger, protocol.PrivateKey) (client.ProducerConfig, error) {
				return client.ProducerConfig{}, nil
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "producer", "key of a producer: a file, or a name in the network's keys folder")
	cmd.Flags().StringVar(&stream, "stream", "", "stream to append to; the file's name without one")
	cmd.Flags().StringVar(&mapping, "mapping", "", "mapping of CSV columns to events")
	return cmd
}

// submitSummary is what became of a file.
type submitSummary struct {
	Stream     string `json:"stream"`
	Events     int    `json:"events"`
	Committed  int    `json:"committed"`
	Duplicates int    `json:"duplicates"`
	Held       int    `json:"held"` // in the ledger before
	FirstIndex uint64 `json:"firstIndex"`
	LastIndex  uint64 `json:"lastIndex"`
}

// streamOf is the stream a file's events go to when none is named.
func streamOf(path string) string {
	return streamName(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
}

// submitAll submits what a source has as configure says.
func (s *session) submitAll(ctx context.Context, source connector.Source, keyName, stream string,
	configure func(*ledger, protocol.PrivateKey) (client.ProducerConfig, error)) error {
	l, err := s.connect()
	if err != nil {
		return err
	}
	key, err := s.key(keyName)
	if err != nil {
		return err
	}
	config, err := configure(l, key)
	if err != nil {
		return err
	}
	producer, err := l.NewProducer(ctx, key, stream, config)
	if err != nil {
		return err
	}
	sum := submitSummary{Stream: stream}
	futures := make(chan *client.Future, 20_000)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for future := range futures {
			result, err := future.Wait(ctx)
			if err != nil {
				return fmt.Errorf("event %d: %w", future.Sequence, err)
			}
			sum.add(result)
		}
		return nil
	})
	group.Go(func() error {
		defer close(futures)
		for {
			record, err := source.Next()
			if errors.Is(err, io.EOF) {
				return producer.Close(ctx)
			}
			if err != nil {
				return errors.Join(err, producer.Close(ctx)) // what came before it is submitted
			}
			future, err := producer.SubmitAt(ctx, record.Sequence, record.Event)
			if err != nil {
				return fmt.Errorf("event %d: %w", record.Sequence, err)
			}
			select {
			case futures <- future:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(sum)
	}
	fmt.Fprintf(s.out, "stream      %s\nevents      %d\ncommitted   %d\nduplicates  %d\nheld        %d before this run\n", sum.Stream, sum.Events, sum.Committed, sum.Duplicates, sum.Held)
	if sum.Events > 0 {
		fmt.Fprintf(s.out, "entries     %d to %d\n", sum.FirstIndex, sum.LastIndex)
	}
	return nil
}

func (sum *submitSummary) add(r client.Result) {
	if sum.Events == 0 {
		sum.FirstIndex = r.Index
	}
	sum.FirstIndex, sum.LastIndex = min(sum.FirstIndex, r.Index), max(sum.LastIndex, r.Index)
	sum.Events++
	if r.Duplicate {
		sum.Duplicates++
	} else {
		sum.Committed++
	}
	if r.Held {
		sum.Held++
	}
}
