package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// showProgress prints a line every second until stopped: on a terminal the
// same line, elsewhere a new one every five seconds.
func (d *parkingDemo) showProgress(ctx context.Context) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	every, end := 5*time.Second, "\n"
	if isTerminal(d.say) {
		every, end = 500*time.Millisecond, "\r"
	}
	started := time.Now()
	line := func() {
		head, err := d.ledger.Head(ctx)
		if err != nil {
			return
		}
		now := d.final.Load()
		rate := float64(now) / time.Since(started).Seconds()
		fmt.Fprintf(d.say, "sent %7d   committed %7d   %6.0f events/s   head %5d   lag %5d%s", d.sent.Load(), now, rate, head.Height, head.Lag, end)
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				line()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		if line(); end == "\r" {
			fmt.Fprintln(d.say)
		}
	}
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (d *parkingDemo) tellStream(s demoSummary) {
	fmt.Fprintf(d.say, "%d readings are final: %d events, %d repeats that point to the event they repeat\n", s.Events, s.Committed, s.Duplicates)
	if held := int(d.held.Load()); held == s.Events && held > 0 {
		fmt.Fprintln(d.say, "the ledger held every one of them before: nothing was sent, nothing changed")
	}
}

// priceRow is a lot and band as the contract's prices query answers it.
type priceRow struct {
	Lot         string `json:"lot"`
	Band        string `json:"band"`
	PriceCents  int    `json:"priceCents"`
	Evaluations int    `json:"evaluations"`
}

// shownLots is how many car parks the table shows.
const shownLots = 8

// showPrices prints what an hour costs, by car park and time of day.
func (d *parkingDemo) showPrices(ctx context.Context) error {
	prices, evaluations := map[string]map[string]int{}, 0
	for after := ""; ; {
		args := map[string]string{"limit": "500"}
		if after != "" {
			args["after"] = after
		}
		answer, err := d.ledger.Query(ctx, "parking", "prices", args)
		if err != nil {
			return err
		}
		var page struct {
			Prices []priceRow `json:"prices"`
			Next   *string    `json:"next"`
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return fmt.Errorf("prices: %w: %s", err, answer)
		}
		for _, p := range page.Prices {
			if prices[p.Lot] == nil {
				prices[p.Lot] = map[string]int{}
			}
			prices[p.Lot][p.Band] = p.PriceCents
			evaluations += p.Evaluations
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	fmt.Fprintf(d.say, "\nprices after %d weekly evaluations, started at 2.00\n", evaluations)
	table := tabwriter.NewWriter(d.say, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "car park\tbefore 12\t12 to 15\tfrom 15\t")
	lots := sortedKeys(prices)
	for _, lot := range lots[:min(len(lots), shownLots)] {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", lot, cents(prices[lot], "A"), cents(prices[lot], "B"), cents(prices[lot], "C"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := len(lots) - shownLots; more > 0 {
		fmt.Fprintf(d.say, "... and %d more: cairn contract query parking prices\n", more)
	}
	return nil
}

func cents(bands map[string]int, band string) string {
	price, ok := bands[band]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%d.%02d", price/100, price%100)
}

// verifyReceipts fetches receipts spread over the stream and verifies them
// offline; then it shows one of a price that the contract set.
func (d *parkingDemo) verifyReceipts(ctx context.Context, closing uint64) (int, error) {
	count, err := d.receiptCount()
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(d.say, "\nverifying %d receipts offline against the genesis file\n", count)
	var verified atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range count {
		index := d.indexes[i*len(d.indexes)/count]
		group.Go(func() error {
			if _, err := d.ledger.Receipt(groupCtx, index); err != nil {
				return err
			}
			if n := verified.Add(1); n%5_000 == 0 {
				fmt.Fprintf(d.say, "verified %d\n", n)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return int(verified.Load()), err
	}
	return int(verified.Load()), d.showPriceReceipt(ctx, closing)
}

// showPriceReceipt says in words what the receipt of one price proves.
func (d *parkingDemo) showPriceReceipt(ctx context.Context, closing uint64) error {
	for index := closing + 1; index < closing+1_000; index++ {
		entry, err := d.ledger.Entry(ctx, index)
		if code, refused := protocol.CodeOf(err); refused && code == protocol.CodeNotFound {
			return nil // the close message moved no price: nothing was open
		}
		if err != nil {
			return err
		}
		if entry.Kind != protocol.EntryEmitted || entry.Cause == nil || *entry.Cause != closing {
			continue
		}
		receipt, err := d.ledger.Receipt(ctx, index)
		if err != nil {
			return err
		}
		statement, err := d.ledger.Verify(ctx, receipt)
		if err != nil {
			return err
		}
		binary, err := receipt.MarshalBinary()
		if err != nil {
			return err
		}
		fmt.Fprintf(d.say, "\nthe receipt of one price (%d bytes) proves:\n%s\n\n", len(binary), statement)
		return nil
	}
	return nil
}
