package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client/rest"
)

// noopLoad feeds a network whose validators run the engine with an application
// that does nothing: the same events as CloudEvents JSON, uncompressed and
// unsigned, in batches of the same size, as many of them in flight.
type noopLoad struct {
	latencies latencies
	final     atomic.Uint64 // events
	sent      atomic.Uint64
	http      *http.Client
}

func newNoopLoad() *noopLoad {
	return &noopLoad{http: &http.Client{
		Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute},
	}}
}

// run feeds until stop closes, and waits until everything is final.
func (l *noopLoad) run(ctx context.Context, nodes []*validator, c *Config, stop <-chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range c.Streams {
		f := feed{kind: parking, stream: i, bytes: c.EventBytes}
		if c.Scenario == "metering" {
			f.kind = metering
		}
		next := new(atomic.Uint64)
		for range c.InFlight {
			group.Go(func() error {
				for {
					select {
					case <-stop:
						return nil
					default:
					}
					first := next.Add(uint64(c.BatchEvents)) - uint64(c.BatchEvents)
					if err := l.batch(ctx, nodes[i%len(nodes)].API, &f, first, c.BatchEvents); err != nil {
						return fmt.Errorf("engine alone: %w", err)
					}
				}
			})
		}
	}
	return group.Wait()
}

// batch sends one batch and waits until it is in a block.
func (l *noopLoad) batch(ctx context.Context, api string, f *feed, first uint64, count int) error {
	since := time.Now()
	body := make([]byte, 0, count*(f.bytes+1))
	for n := range uint64(count) {
		body = f.appendJSON(body, first+n)
	}
	l.sent.Add(uint64(count))
	var taken rest.Submitted
	for attempt := 0; ; attempt++ {
		busy, err := l.ask(ctx, http.MethodPost, api+"/v1/transactions", body, &taken)
		if err != nil {
			return err
		}
		if !busy {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var status rest.Status
	for status.State != rest.StateCommitted {
		if _, err := l.ask(ctx, http.MethodGet, api+"/v1/transactions/"+taken.TxID.String()+"?wait=2s", nil, &status); err != nil {
			return err
		}
		if status.State == rest.StateUnknown || time.Since(since) > settleWithin {
			return fmt.Errorf("transaction %s was lost", taken.TxID)
		}
	}
	for range count {
		l.latencies.add(time.Since(since))
	}
	l.final.Add(uint64(count))
	return nil
}

// ask sends one request; busy says to send it again.
func (l *noopLoad) ask(ctx context.Context, method, url string, body []byte, into any) (busy bool, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	response, err := l.http.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return false, err
	case response.StatusCode == http.StatusServiceUnavailable:
		return true, nil
	case response.StatusCode >= 300:
		return false, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, text)
	}
	return false, json.Unmarshal(text, into)
}

// appendJSON appends event n as CloudEvents JSON and a line's end. Nothing in
// these events needs an escape.
func (f *feed) appendJSON(dst []byte, n uint64) []byte {
	e := f.event(n)
	dst = append(dst, `{"specversion":"1.0","id":"`...)
	dst = append(dst, e.ID...)
	dst = append(dst, `","source":"`...)
	dst = append(dst, e.Source...)
	dst = append(dst, `","type":"`...)
	dst = append(dst, e.Type...)
	dst = append(dst, `","subject":"`...)
	dst = append(dst, e.Subject...)
	dst = append(dst, `","time":"`...)
	dst = time.Unix(0, e.TimeNs).UTC().AppendFormat(dst, time.RFC3339)
	dst = append(dst, `","datacontenttype":"application/json","data":`...)
	dst = append(dst, e.Data...)
	return append(dst, '}', '\n')
}
