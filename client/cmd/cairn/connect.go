package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/connector/connect"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func connectCommand(s *session) *cobra.Command {
	return group("connect", "Carry events from other systems to the ledger, and from it to them", connectRunCommand(s), connectCheckCommand(s))
}

func connectRunCommand(s *session) *cobra.Command {
	var settings string
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Run a connector until its source ends, or until it is stopped",
		Long: `Run a connector until its source ends, or until it is stopped by SIGINT or SIGTERM:
then it reads no more and waits for what is on its way. Where the ledger stands is
asked of the ledger itself, so a connector may be killed at any time and started again,
here or elsewhere. docs/connect.md describes the settings.
Exit code 0: the source ended, or the connector was stopped, and all that was read is
final. 1: it could not go on, or not all became final in time; the reason is printed.
2: the settings are wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.connectRun(cmd, settings) },
	}
	cmd.Flags().StringVarP(&settings, "config", "c", "", "the connector's settings, in YAML")
	return cmd
}

func connectCheckCommand(s *session) *cobra.Command {
	var settings, sample string
	var dial bool
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Look for mistakes in a connector's settings, and show what its mapping makes of samples",
		Long: `Look for mistakes in a connector's settings, and show what its mapping makes of samples:
those of the settings, the lines of --sample FILE, each the value of a record, or the
first records of a source that is a file. Nothing is sent. With --dial the source and the
ledger are connected to.
Exit code 0: all is well. 1: a sample would become a dead letter, or something does
not answer. 2: the settings are wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.connectCheck(cmd.Context(), settings, sample, dial)
		},
	}
	cmd.Flags().StringVarP(&settings, "config", "c", "", "the connector's settings, in YAML")
	cmd.Flags().StringVar(&sample, "sample", "", "file with the value of a record in each line")
	cmd.Flags().BoolVar(&dial, "dial", false, "connect to the source and the ledger too")
	return cmd
}

// loadConnector reads settings; a mistake in them is one of usage.
func loadConnector(path string) (*connect.Config, connect.Connector, error) {
	if path == "" {
		return nil, nil, usageError{errors.New("-c FILE: the connector's settings are needed; docs/connect.md describes them")}
	}
	config, err := connect.Load(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	runner, err := connect.New(config)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	return config, runner, nil
}

// ledgerOf connects to the ledger that the settings name, or else the flags.
func (s *session) ledgerOf(l connect.Ledger) (*ledger, error) {
	switch {
	case l.Network == "" && len(l.Nodes) == 0:
		return s.connect()
	case l.Network != "" && (len(l.Nodes) > 0 || l.Genesis != ""):
		return nil, usageError{errors.New("ledger: network stands alone; nodes and genesis go together")}
	}
	s.network, s.node, s.genesis = l.Network, "", l.Genesis
	if l.Network != "" {
		return s.connect()
	}
	return s.connectTo(l.Nodes, l.Genesis)
}

func (s *session) connectRun(cmd *cobra.Command, settings string) error {
	config, runner, err := loadConnector(settings)
	if err != nil {
		return err
	}
	l, err := s.ledgerOf(config.Ledger)
	if err != nil {
		return err
	}
	var key protocol.PrivateKey
	if runner.Signs() {
		if key, err = s.key(config.Ledger.KeyName()); err != nil {
			return err
		}
	}
	return runner.Run(cmd.Context(), l.Client, key, s.out, s.json)
}

func (s *session) connectCheck(ctx context.Context, settings, sample string, dial bool) error {
	config, runner, err := loadConnector(settings)
	if err != nil {
		return err
	}
	values, err := lines(sample)
	if err != nil {
		return err
	}
	tried, err := runner.Try(ctx, values)
	if err != nil {
		return err
	}
	bad := 0
	for _, t := range tried {
		if t.Error != "" {
			bad++
		}
		if err := s.showTried(t); err != nil {
			return err
		}
	}
	if dial {
		if err := s.dialConnector(ctx, config, runner); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d samples would become dead letters", bad, len(tried))
	}
	if !s.json {
		fmt.Fprintf(s.out, "%s: no mistakes, %d samples tried\n", settings, len(tried))
	}
	return nil
}

func (s *session) showTried(t connect.Tried) error {
	if s.json {
		return s.printJSON(t)
	}
	switch {
	case t.Filtered:
		fmt.Fprintf(s.out, "sample %d is left out by the filter\n", t.Sample)
	case t.Error != "":
		fmt.Fprintf(s.out, "sample %d would become a dead letter: %s\n", t.Sample, t.Error)
	default:
		text, err := json.MarshalIndent(t.Event, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "sample %d becomes\n%s\n", t.Sample, text)
	}
	return nil
}

// dialConnector says what answers.
func (s *session) dialConnector(ctx context.Context, config *connect.Config, runner connect.Connector) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	there, err := runner.Dial(ctx)
	if err != nil {
		return err
	}
	l, err := s.ledgerOf(config.Ledger)
	if err != nil {
		return err
	}
	as := "nobody: it only reads"
	if runner.Signs() {
		key, err := s.key(config.Ledger.KeyName())
		if err != nil {
			return err
		}
		account, err := l.AccountOf(ctx, key.Public())
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		as = account.String()
	}
	head, err := l.Head(ctx)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if s.json {
		return s.printJSON(map[string]any{"system": there, "chainId": head.ChainID, "height": head.Height, "account": as})
	}
	fmt.Fprintf(s.out, "%s\nledger: %s is at height %d; events are sent as %s\n", there, head.ChainID, head.Height, as)
	return nil
}

// lines reads a file's lines that are not blank; no file has none.
func lines(path string) (all [][]byte, err error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, record.MaxValueBytes)
	for scan.Scan() {
		if line := bytes.TrimSpace(scan.Bytes()); len(line) > 0 {
			all = append(all, bytes.Clone(line))
		}
	}
	return all, scan.Err()
}
