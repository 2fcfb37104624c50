package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// reading is what one validator said of itself at one moment.
type reading struct {
	at              time.Time
	height, entries float64 // entries of transactions, since the start
	lag             float64 // entries that a contract has yet to look at
	delivered, dead float64 // deliveries since the start
	blocks          float64
	txs, refused    float64 // transactions in blocks, and of them those refused
	cpuSeconds      float64
	gcCPU, userCPU  float64 // of collecting garbage and of all else, by the runtime's estimate
	rssBytes        float64
	executeSeconds  float64
	commitSeconds   float64
}

// names of the metrics in a reading.
func (r *reading) fields() map[string]*float64 {
	return map[string]*float64{
		"cairn_height": &r.height, "cairn_entries_total": &r.entries, "cairn_contract_lag_entries": &r.lag,
		"cairn_deliveries_total": &r.delivered, "cairn_dead_letters_total": &r.dead, "cairn_blocks_total": &r.blocks,
		"cairn_transactions_total": &r.txs, "cairn_transactions_refused_total": &r.refused,
		"cairn_execute_seconds_total": &r.executeSeconds, "cairn_commit_seconds_total": &r.commitSeconds,
		"process_cpu_seconds_total": &r.cpuSeconds, "process_resident_memory_bytes": &r.rssBytes,
		"go_cpu_classes_gc_total_cpu_seconds_total": &r.gcCPU, "go_cpu_classes_user_cpu_seconds_total": &r.userCPU,
	}
}

var local = &http.Client{Timeout: 20 * time.Second}

func fetch(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := local.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return response, nil
}

func fetchJSON(ctx context.Context, url string, into any) error {
	response, err := fetch(ctx, url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 16<<20)).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// read asks a validator for its metrics.
func (v *validator) read(ctx context.Context) (r reading, err error) {
	response, err := fetch(ctx, v.API+"/metrics")
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	fields := r.fields()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if field := fields[name]; field != nil {
			if *field, err = strconv.ParseFloat(value, 64); err != nil {
				return r, fmt.Errorf("%s: %s: %w", v.Name, name, err)
			}
		}
	}
	r.at = time.Now()
	return r, nil
}

// sent are the bytes a validator has sent its peers, by CometBFT's own count,
// encryption not included; 0 where it offers no RPC.
func (v *validator) sent(ctx context.Context) uint64 {
	var answer struct {
		Result struct {
			Peers []struct {
				Status struct {
					SendMonitor struct {
						Bytes string
					}
				} `json:"connection_status"`
			} `json:"peers"`
		} `json:"result"`
	}
	if v.RPC == "" || fetchJSON(ctx, v.RPC+"/net_info", &answer) != nil {
		return 0
	}
	sum := uint64(0)
	for _, p := range answer.Result.Peers {
		n, err := strconv.ParseUint(p.Status.SendMonitor.Bytes, 10, 64)
		if err != nil {
			return 0
		}
		sum += n
	}
	return sum
}

// disk is what the validator's home holds.
func (v *validator) disk() (sum uint64) {
	filepath.WalkDir(v.Home, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // a file that is gone by now
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			sum += uint64(info.Size())
		}
		return nil
	})
	return sum
}

// point is one moment of a run, for the plot.
type point struct {
	seconds   float64 // since the load began
	perSecond float64 // final since the point before
	latency   Latency // of those
}

// watch collects a point each interval until ctx ends.
func watch(ctx context.Context, final func() uint64, l *latencies, interval time.Duration) []point {
	began := time.Now()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var points []point
	before, counts, at := final(), l.snapshot(), began
	for {
		select {
		case <-ctx.Done():
			return points
		case now := <-ticker.C:
			n := final()
			points = append(points, point{
				seconds: now.Sub(began).Seconds(), perSecond: float64(n-before) / now.Sub(at).Seconds(), latency: l.since(counts),
			})
			before, counts, at = n, l.snapshot(), now
		}
	}
}
