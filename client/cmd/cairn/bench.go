package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/bench"
)

// benchRun is a bench as the command line describes it.
type benchRun struct {
	*session
	config  bench.Config
	plot    string
	profile string
	home    string
}

func benchCommand(s *session) *cobra.Command {
	b := &benchRun{session: s, config: bench.Default()}
	c := &b.config
	cmd := &cobra.Command{
		Use:   "bench SCENARIO",
		Short: "Measure a network of validators on this machine",
		Long:  benchHelp(),
		Args:  exactly(1, "one scenario"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Scenario = args[0]
			if c.Scenario == "small" {
				smallDefaults(cmd, c)
			}
			return b.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Cairnd, "cairnd", "", "the program cairnd; by default the one beside this program, or in PATH")
	flags.StringVar(&b.home, "home", "", "an empty or new folder to run in and to keep; by default a temporary one")
	flags.IntVar(&c.Validators, "validators", c.Validators, "how many validators, one process each")
	flags.IntVar(&c.Seconds, "seconds", c.Seconds, "how long to measure")
	flags.DurationVar(&c.Warmup, "warmup", c.Warmup, "load before measuring begins")
	flags.IntVar(&c.EventBytes, "event-bytes", c.EventBytes, "size of an event as CloudEvents JSON")
	flags.IntVar(&c.BatchEvents, "batch", c.BatchEvents, "events of a batch")
	flags.IntVar(&c.Streams, "streams", c.Streams, "streams that events come in, each with a producer; of reads, how many at once")
	flags.IntVar(&c.InFlight, "in-flight", c.InFlight, "batches of a stream under way at once")
	flags.IntVar(&c.Rate, "rate", 0, "events a second to offer, whether the ledger keeps up or not; 0 sends as fast as it takes them")
	flags.BoolVar(&c.Ramp, "ramp", false, "raise the rate by half, from --rate or 1000 on, until the ledger does not keep up")
	flags.BoolVar(&c.Baseline, "baseline", c.Baseline, "measure the consensus engine alone too")
	flags.IntVar(&c.Receipts, "receipts", c.Receipts, "how many receipts to verify")
	flags.StringVar(&b.profile, "profile", "", "write the first validator's processor profile to this file, for `go tool pprof`")
	flags.StringVar(&b.plot, "plot", "", "write throughput and latency over time to this SVG file")
	return cmd
}

func benchHelp() string {
	var text strings.Builder
	text.WriteString("Measure a network of validators on this machine: found one in a temporary folder, feed it,\n" +
		"audit what it holds, stop it. Scenarios:\n\n")
	names, about := bench.Scenarios()
	for i := range names {
		fmt.Fprintf(&text, "  %-9s %s\n", names[i], about[i])
	}
	text.WriteString("\nBefore it the same events go, uncompressed, through CometBFT alone with the same settings\n" +
		"and an application that does nothing; the ratio compares the two. The last line is one JSON\n" +
		"object. There are no figures, and the exit code is 1, when an event was lost or duplicated,\n" +
		"when nodes disagree or when a receipt does not verify.")
	return text.String()
}

// smallDefaults are those of transactions of one event: many streams, as
// sensors that sign for themselves would be.
func smallDefaults(cmd *cobra.Command, c *bench.Config) {
	for _, d := range [...]struct {
		flag  string
		field *int
		value int
	}{{"batch", &c.BatchEvents, 1}, {"streams", &c.Streams, 32}, {"in-flight", &c.InFlight, 128}} {
		if !cmd.Flags().Changed(d.flag) {
			*d.field = d.value
		}
	}
}

func (b *benchRun) run(ctx context.Context) (err error) {
	if b.network != "" && os.Getenv("CAIRN_NETWORK") != b.network || b.node != "" || b.genesis != "" {
		return usageError{errors.New("a bench founds its own network; leave out --network, --node and --genesis")}
	}
	if b.config.Cairnd, err = findCairnd(b.config.Cairnd); err != nil {
		return err
	}
	if b.config.Dir = b.home; b.home == "" {
		if b.config.Dir, err = os.MkdirTemp("", "cairn-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.config.Dir)
	}
	b.config.Say, b.config.Profile = b.out, b.profile != ""
	if b.json {
		b.config.Say = os.Stderr
	}
	result, err := bench.Run(ctx, b.config)
	if err != nil {
		return err
	}
	result.Report(b.config.Say)
	if b.profile != "" {
		if err := copyFile(b.profile, result.Details.Profile); err != nil {
			return err
		}
	}
	if b.plot != "" {
		if err := writePlot(b.plot, result.Plot); err != nil {
			return err
		}
	}
	return b.printJSON(result)
}

// findCairnd finds the program that runs validators.
func findCairnd(given string) (string, error) {
	if given != "" {
		return exec.LookPath(given)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "cairnd")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath("cairnd")
	if err != nil {
		return "", errors.New("cairnd is neither beside this program nor in PATH; say where with --cairnd")
	}
	return path, nil
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

func writePlot(path string, plot func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(plot(file), file.Close())
}
