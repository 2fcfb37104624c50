package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/bench"
	"github.com/cairn-ledger/cairn/client/scale"
)

// scaleRun is what `cairn scale` is asked.
type scaleRun struct {
	*session
	constants scale.Constants
	districts []int
	measure   bool
	cairnd    string
	simulate  int
	seed      uint64
}

func scaleCommand(s *session) *cobra.Command {
	r := &scaleRun{session: s, constants: scale.Default()}
	c := &r.constants
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "Predict what many ledgers come to that anchor their logs in one",
		Long: `Predict what a city comes to that has a ledger for each district and a hub, on which
every district's checkpoints are recorded (cairn log anchor). Measured constants go in;
the load of the hub, disk, the size of a receipt over both ledgers and the time to anchor
come out, by a closed form, and beside it by a simulation of the hub's queue. --measure
runs three short benches here first and takes their figures; docs/scale.md has the model.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&r.districts, "districts", nil, "how many districts; 10, 100, 1000 and the most one hub is planned for without it")
	flags.Float64Var(&c.EventsPerSecond, "events", c.EventsPerSecond, "events a second of a district")
	flags.Float64Var(&c.LedgerRate, "ledger-rate", c.LedgerRate, "events a second that one ledger carries")
	flags.Float64Var(&c.CPUMicros, "event-cpu", c.CPUMicros, "processor time of one validator for one event, in microseconds")
	flags.Float64Var(&c.DiskBytes, "event-disk", c.DiskBytes, "bytes on one validator's disk for one event")
	flags.Float64Var(&c.EventBytes, "event-record", c.EventBytes, "bytes of an event's record")
	flags.Float64Var(&c.FinalSeconds, "final", c.FinalSeconds, "seconds from submitting to final, in a ledger that is not full")
	flags.IntVar(&c.Validators, "validators", c.Validators, "validators of every ledger")
	flags.Float64Var(&c.Cores, "cores", c.Cores, "cores of every validator's machine")
	flags.Float64Var(&c.CheckpointSeconds, "interval", c.CheckpointSeconds, "seconds between a district's anchored checkpoints")
	flags.Float64Var(&c.HubRate, "hub-rate", c.HubRate, "anchors a second that the hub carries, each a transaction of its own")
	flags.Float64Var(&c.HubShare, "hub-share", c.HubShare, "share of that to plan for, below 1")
	flags.Float64Var(&c.AnchorCPUMicros, "anchor-cpu", c.AnchorCPUMicros, "processor time of one hub validator for one anchor, in microseconds")
	flags.Float64Var(&c.AnchorDiskBytes, "anchor-disk", c.AnchorDiskBytes, "bytes on one hub validator's disk for one anchor, beside its event")
	flags.Float64Var(&c.VerifyMicros, "verify", c.VerifyMicros, "microseconds to verify a receipt")
	flags.Float64Var(&c.SignatureMicros, "signature", c.SignatureMicros, "microseconds to verify a checkpoint's signature")
	flags.BoolVar(&r.measure, "measure", false, "run three short benches on this machine and take their figures")
	flags.StringVar(&r.cairnd, "cairnd", "", "the program cairnd, for --measure; by default the one beside this program, or in PATH")
	flags.IntVar(&r.simulate, "simulate", 50_000, "anchors to simulate for each row; 0 simulates none")
	flags.Uint64Var(&r.seed, "seed", 1, "of the simulation: the same seed plays the same")
	return cmd
}

// scaleRow is a number of districts, predicted and simulated.
type scaleRow struct {
	scale.Prediction
	Simulated *scale.Simulated `json:"simulated,omitempty"`
}

// scaleAnswer is what --json prints.
type scaleAnswer struct {
	Constants scale.Constants `json:"constants"`
	Limit     int             `json:"limit"` // districts that HubShare of the hub carries
	Rows      []scaleRow      `json:"rows"`
}

func (r *scaleRun) run(ctx context.Context) error {
	if r.measure {
		if err := r.measureHere(ctx); err != nil {
			return err
		}
	}
	limit, err := scale.Limit(r.constants)
	if err != nil {
		return usageError{err}
	}
	answer := scaleAnswer{Constants: r.constants, Limit: limit, Rows: []scaleRow{}}
	if len(r.districts) == 0 {
		for _, n := range []int{10, 100, 1000} {
			if n < limit {
				r.districts = append(r.districts, n)
			}
		}
		r.districts = append(r.districts, limit)
	}
	slices.Sort(r.districts)
	for _, n := range slices.Compact(r.districts) {
		p, err := scale.Predict(r.constants, n)
		if err != nil {
			return usageError{err}
		}
		row := scaleRow{Prediction: p}
		if r.simulate > 0 {
			s, err := scale.Simulate(r.constants, scale.Simulation{Districts: n, Anchors: r.simulate, Seed: r.seed})
			if err != nil {
				return usageError{err}
			}
			row.Simulated = &s
		}
		answer.Rows = append(answer.Rows, row)
	}
	if r.json {
		return r.printJSON(answer)
	}
	return answer.table(r.out)
}

// measureHere runs three benches and takes what they come to.
func (r *scaleRun) measureHere(ctx context.Context) error {
	cairnd, err := findCairnd(r.cairnd)
	if err != nil {
		return err
	}
	full := bench.Default()
	full.Scenario, full.Seconds, full.Warmup, full.Baseline = "parking", 4, time.Second, false
	full.Cairnd, full.Validators, full.Say = cairnd, r.constants.Validators, os.Stderr
	single, idle := full, full
	single.Scenario, single.BatchEvents, single.Streams, single.InFlight = "small", 1, 32, 32
	idle.Rate = 200
	var results [3]*bench.Result
	for i, config := range [...]bench.Config{full, single, idle} {
		if config.Dir, err = os.MkdirTemp("", "cairn-scale-"); err != nil {
			return err
		}
		results[i], err = bench.Run(ctx, config)
		os.RemoveAll(config.Dir)
		if err != nil {
			return err
		}
	}
	r.constants.Measured(results[0], results[1], results[2])
	return nil
}

// table prints the answer for people.
func (a *scaleAnswer) table(out io.Writer) error {
	c := &a.Constants
	fmt.Fprintf(out, "a district    %s events/s of the %s that a ledger carries, %d validators, a checkpoint every %g s\n", rounded(c.EventsPerSecond), rounded(c.LedgerRate), c.Validators, c.CheckpointSeconds)
	fmt.Fprintf(out, "the hub       %s anchors/s at most; %s districts take up %.0f %% of that\n", rounded(c.HubRate), grouped(uint64(a.Limit)), 100*c.HubShare)
	fmt.Fprintf(out, "one validator %.0f us and %s bytes for an event, %.0f us and %s bytes for an anchor beside its event; final in %.2g s\n\n",
		c.CPUMicros, rounded(c.DiskBytes), c.AnchorCPUMicros, rounded(c.AnchorDiskBytes), c.FinalSeconds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "DISTRICTS\tEVENTS/S\tANCHORS/S\tHUB USE\tSIMULATED\tWAIT\tSIMULATED\tTO ANCHOR\tSIMULATED\t99 OF 100\tHUB DISK A DAY\t")
	for i := range a.Rows {
		p, s := &a.Rows[i].Prediction, a.Rows[i].Simulated
		use, wait, anchor, most := "-", "-", "-", "-"
		if s != nil {
			use, wait = fmt.Sprintf("%.1f %%", 100*s.HubUse), fmt.Sprintf("%.2f ms", 1000*s.QueueSeconds)
			anchor, most = fmt.Sprintf("%.2f s", s.AnchorSeconds), fmt.Sprintf("%.2f s", s.Anchor99)
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f %%\t%s\t%.2f ms\t%s\t%.2f s\t%s\t%s\t%s\t\n", grouped(uint64(p.Districts)), grouped(uint64(p.EventsPerSecond)),
			p.AnchorsPerSecond, 100*p.HubUse, use, 1000*p.QueueSeconds, wait, p.AnchorSeconds, anchor, most, bytesOf(p.HubDisk))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	last := &a.Rows[len(a.Rows)-1].Prediction
	_, err := fmt.Fprintf(out, "\nof one validator of a district: %.0f %% of its processors, %s on disk a day\nan anchor is an event of %s bytes; a receipt over both ledgers has %s bytes after a year, verified in %.2f ms\n",
		100*last.DistrictCPU, bytesOf(last.DistrictDisk), rounded(last.AnchorBytes), rounded(last.ReceiptBytes), last.VerifyMicros/1000)
	return err
}

// rounded writes a figure as a whole number, in groups of three digits.
func rounded(n float64) string { return grouped(uint64(math.Round(n))) }

// bytesOf writes a number of bytes with a decimal prefix.
func bytesOf(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if n < 1000 || unit == "TB" {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return ""
}
