package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts"
)

func demoCommand(s *session) *cobra.Command {
	d := &parkingDemo{session: s}
	parking := &cobra.Command{
		Use:   "parking",
		Short: "Stream car park readings, watch the prices move, verify receipts",
		Long: `Stream car park readings into the ledger, let the parking contract move the prices
week by week, and verify receipts of the events offline. The file has the columns
SystemCodeNumber,Capacity,Occupancy,LastUpdated; without one a city is generated.
The last line is one JSON object; the exit code is 0 when every event is final and
every sampled receipt has verified.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	parking.Flags().StringVar(&d.data, "data", "", "CSV file of readings")
	parking.Flags().BoolVar(&d.generate, "generate", false, "generate a city of 30 car parks instead")
	parking.Flags().IntVar(&d.weeks, "weeks", 8, "weeks of readings to generate")
	parking.Flags().Uint64Var(&d.seed, "seed", 1, "seed of the generated city: the same seed gives the same readings")
	parking.Flags().StringVar(&d.receipts, "receipts", "20", "how many receipts to verify: a number, or all")
	return group("demo", "See the ledger at work on real input", parking)
}

// parkingDemo streams readings and shows what became of them.
type parkingDemo struct {
	*session
	data     string
	generate bool
	weeks    int
	seed     uint64
	receipts string

	ledger   *ledger
	producer protocol.PrivateKey
	stream   string
	say      io.Writer // for people: standard output, or standard error with --json
	started  time.Time

	sent, final atomic.Int64
	held        atomic.Int64 // in the ledger before this run
	duplicates  atomic.Int64
	indexes     []uint64 // of the committed events, in order
	lots        map[string]bool
	lastTimeNs  int64
}

// demoSummary is the last line.
type demoSummary struct {
	Events           int     `json:"events"`
	Committed        int     `json:"committed"`
	Duplicates       int     `json:"duplicates"`
	DeadLettered     int     `json:"deadLettered"`
	ReceiptsVerified int     `json:"receiptsVerified"`
	Seconds          float64 `json:"seconds"`
}

func (d *parkingDemo) run(ctx context.Context) error {
	d.say, d.started, d.lots = d.out, time.Now(), map[string]bool{}
	if d.json {
		d.say = os.Stderr
	}
	if _, err := d.receiptCount(); err != nil {
		return err // before anything is sent
	}
	source, err := d.open()
	if err != nil {
		return err
	}
	defer source.Close()
	if d.ledger, err = d.connect(); err != nil {
		return err
	}
	if d.producer, err = d.key("producer"); err != nil {
		return err
	}
	if err := d.deploy(ctx); err != nil {
		return err
	}
	if err := d.streamAll(ctx, source); err != nil {
		return err
	}
	closing, err := d.closeWeek(ctx)
	if err != nil {
		return err
	}
	summary := demoSummary{Events: int(d.sent.Load()), Committed: len(d.indexes), Duplicates: int(d.duplicates.Load())}
	d.tellStream(summary)
	if err := d.showPrices(ctx); err != nil {
		return err
	}
	if summary.ReceiptsVerified, err = d.verifyReceipts(ctx, closing); err != nil {
		return err
	}
	if summary.DeadLettered, err = d.countDeadLetters(ctx); err != nil {
		return err
	}
	summary.Seconds = float64(time.Since(d.started).Milliseconds()) / 1000
	return d.printJSON(summary)
}

// open finds the readings and names the stream after them.
func (d *parkingDemo) open() (connector.Source, error) {
	switch {
	case d.data != "" && d.generate:
		return nil, usageError{errors.New("--data and --generate exclude each other")}
	case d.data == "" && !d.generate:
		return nil, usageError{errors.New("say what to stream: --data FILE.csv, or --generate")}
	case d.generate:
		d.stream = fmt.Sprintf("city-%d-%d", d.seed, d.weeks)
		return connector.NewCity(connector.City{Seed: d.seed, Weeks: d.weeks})
	}
	name := strings.TrimSuffix(filepath.Base(d.data), filepath.Ext(d.data))
	d.stream = streamName(name)
	return connector.OpenParkingCSV(d.data, d.stream)
}

// streamName makes a file's name a stream's.
func streamName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return name[:min(len(name), protocol.MaxStreamName-len(closeSuffix))]
}

func (d *parkingDemo) deploy(ctx context.Context) error {
	contract, ok, err := d.ledger.Contract(ctx, "parking")
	if err != nil {
		return err
	}
	if ok {
		fmt.Fprintf(d.say, "contract parking %s is there, at %s\n", contract.Version, contract.Address)
		return nil
	}
	author, err := d.key("author")
	if err != nil {
		return err
	}
	module, manifest, err := contracts.Shipped("parking")
	if err != nil {
		return err
	}
	status, err := d.ledger.Deploy(ctx, author, module, manifest, nil)
	if err != nil {
		return fmt.Errorf("deploy parking: %w", err)
	}
	fmt.Fprintf(d.say, "deployed contract parking (%d bytes of WebAssembly) in block %d\n", len(module), status.Height)
	return nil
}

// streamAll sends every reading under its row as sequence and waits until all are final.
func (d *parkingDemo) streamAll(ctx context.Context, source connector.Source) error {
	producer, err := d.ledger.NewProducer(ctx, d.producer, d.stream, client.ProducerConfig{})
	if err != nil {
		return err
	}
	if held := producer.Held(); held > 0 {
		fmt.Fprintf(d.say, "the ledger holds the first %d readings of stream %s already\n", held, d.stream)
	}
	stop := d.showProgress(ctx)
	defer stop()
	futures := make(chan *client.Future, 20_000)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.collect(ctx, futures) })
	group.Go(func() error {
		defer close(futures)
		for {
			record, err := source.Next()
			if errors.Is(err, io.EOF) {
				return producer.Close(ctx)
			}
			if err != nil {
				return err
			}
			future, err := producer.SubmitAt(ctx, record.Sequence, record.Event)
			if err != nil {
				return fmt.Errorf("reading %d: %w", record.Sequence, err)
			}
			d.sent.Add(1)
			d.lots[record.Event.Subject] = true
			d.lastTimeNs = max(d.lastTimeNs, record.Event.TimeNs)
			select {
			case futures <- future:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

// collect counts what became final, in order.
func (d *parkingDemo) collect(ctx context.Context, futures <-chan *client.Future) error {
	for future := range futures {
		result, err := future.Wait(ctx)
		if err != nil {
			return fmt.Errorf("reading %d: %w", future.Sequence, err)
		}
		if result.Duplicate {
			d.duplicates.Add(1)
		} else {
			d.indexes = append(d.indexes, result.Index)
		}
		if result.Held {
			d.held.Add(1)
		}
		d.final.Add(1)
	}
	return nil
}

const closeSuffix = "-close"

// maxLotsAtOnce is how many car parks one close message can serve.
const maxLotsAtOnce = 80

// closeWeek sends the explicit message that ends the week still open, and
// answers the index of its entry. The same file gives the same message, so it
// too is absorbed the second time.
func (d *parkingDemo) closeWeek(ctx context.Context) (uint64, error) {
	producer, err := d.ledger.NewProducer(ctx, d.producer, d.stream+closeSuffix, client.ProducerConfig{})
	if err != nil {
		return 0, err
	}
	subjects := []string{"*"}
	if len(d.lots) > maxLotsAtOnce {
		subjects = sortedKeys(d.lots)
	}
	var last *client.Future
	for i, subject := range subjects {
		event := protocol.Event{
			ID: fmt.Sprintf("%s/%d", d.stream, i), Source: "/parking/" + d.stream, Type: "parking.week.close.v1",
			Subject: subject, TimeNs: d.lastTimeNs, HasTime: true,
		}
		if last, err = producer.SubmitAt(ctx, uint64(i), event); err != nil {
			return 0, fmt.Errorf("close the week: %w", err)
		}
	}
	if err := producer.Close(ctx); err != nil {
		return 0, fmt.Errorf("close the week: %w", err)
	}
	result, err := last.Wait(ctx)
	if err != nil {
		return 0, err
	}
	return result.Index, d.waitForContract(ctx)
}

// waitForContract waits until the contract has looked at every entry.
func (d *parkingDemo) waitForContract(ctx context.Context) error {
	for {
		head, err := d.ledger.Head(ctx)
		if err != nil || head.Lag == 0 {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *parkingDemo) countDeadLetters(ctx context.Context) (count int, err error) {
	for from := uint64(0); ; {
		page, err := d.ledger.DeadLetters(ctx, "parking", from, 1000)
		if err != nil || len(page) == 0 {
			return count, err
		}
		count += len(page)
		from = page[len(page)-1].Index + 1
	}
}

// receiptCount is how many receipts were asked for.
func (d *parkingDemo) receiptCount() (int, error) {
	if d.receipts == "all" {
		return len(d.indexes), nil
	}
	n, err := strconv.Atoi(d.receipts)
	if err != nil || n < 0 {
		return 0, usageError{fmt.Errorf("--receipts: %q must be a number or all", d.receipts)}
	}
	return min(n, len(d.indexes)), nil
}
