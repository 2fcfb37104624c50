package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report writes what a run shows, for people.
func (r *Result) Report(w io.Writer) {
	d := &r.Details
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("final", "%.0f events/s", r.EventsPerSecond)
	if r.ExecutedPerSecond > 0 {
		row("executed", "%.0f events/s", r.ExecutedPerSecond)
	}
	if r.Ratio > 0 {
		row("engine alone", "%.0f events/s; p50 %.0f, p95 %.0f, p99 %.0f ms; a block every %.0f ms; ratio %.3f",
			r.BaselineEventsPerSecond, d.Baseline.LatencyMs.P50, d.Baseline.LatencyMs.P95, d.Baseline.LatencyMs.P99, d.Baseline.BlockMs, r.Ratio)
	}
	if d.FirstTenth > 0 {
		row("growth", "%.0f events/s in the first tenth of the time, %.0f in the last: %.3f", d.FirstTenth, d.LastTenth, d.LastTenth/d.FirstTenth)
	}
	row("latency", "p50 %.1f, p95 %.1f, p99 %.1f ms; at most %.0f", r.LatencyMs.P50, r.LatencyMs.P95, r.LatencyMs.P99, d.MaxMs)
	if d.BlockMs > 0 {
		row("transactions", "%.0f a second in blocks, %.1f %% refused there and sent again", d.TxsPerSecond, 100*d.RefusedShare)
		row("blocks", "every %.0f ms; executing %.0f %% and committing %.0f %% of the time", d.BlockMs, 100*d.ExecuteShare, 100*d.CommitShare)
	}
	for _, p := range d.Processes {
		row(p.Name, "%.2f cores, %.0f MB resident, %.0f %% of its time in garbage collection", p.Cores, p.RSSBytes/1e6, 100*p.GCShare)
	}
	row("load generator", "%.2f cores", d.LoadCPU)
	row("processor time", "%.1f us an event in all validators, %.1f in the load generator", d.CPUMicros, d.LoadCPU*1e6/r.EventsPerSecond)
	row("per event", "%d bytes as JSON, %d as a record, %.0f sent by a validator, %.0f on its disk", r.EventBytes, d.RecordBytes, d.WireBytes, d.DiskBytes)
	if b := d.Baseline; b != nil {
		row("per event, engine alone", "%.0f bytes sent by a validator, %.0f on its disk; %.1f us in all validators", b.WireBytes, b.DiskBytes, b.CPUMicros)
	}
	if d.QueriesBeside > 0 {
		row("beside", "%d queries, %d receipts verified", d.QueriesBeside, d.ReceiptsBeside)
	}
	row("audit", "%d events, %d lost, %d duplicated; %d receipts verified", d.Events, r.Lost, r.Duplicated, r.ReceiptsVerified)
	if d.LoadAverage != "" {
		row("machine", "load average %s when the run began", d.LoadAverage)
	}
	table.Flush()
}
