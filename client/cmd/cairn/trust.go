package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/genesis"
)

// loadTrust reads a founding document, or a trust file that goes on from one.
func loadTrust(path string) (*proof.Trust, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > proof.MaxTrustBytes {
		return nil, fmt.Errorf("%s has %d bytes, no trust file has more than %d", path, info.Size(), proof.MaxTrustBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(text, []byte(`{"cairnTrust":`)) {
		trust, err := proof.ParseTrust(text)
		if err != nil {
			return nil, fmt.Errorf("trust file %s: %w", path, err)
		}
		return trust, nil
	}
	if bytes.HasPrefix(text, []byte(logKeysPrefix)) {
		return nil, fmt.Errorf("%s has the keys of the log's checkpoints, not those of blocks; `cairn trust update` makes a trust file", path)
	}
	doc, err := genesis.Load(path)
	if err != nil {
		return nil, err
	}
	return doc.Trust()
}

func trustCommand(s *session) *cobra.Command {
	return group("trust", "Follow the validators as they change", trustUpdateCommand(s), trustShowCommand(s))
}

func trustUpdateCommand(s *session) *cobra.Command {
	var from, output string
	var period time.Duration
	cmd := &cobra.Command{
		Use:   "update -o FILE [--trust FILE]",
		Short: "Follow the validators to those of today, and write what is trusted to a file",
		Long: `Follow the validators to those of today, and write what is trusted to a file.
It begins with --trust: the founding document (the default) or an earlier trust
file. Nodes are asked for the steps and believed nothing: each set must have
named the next one by more than two thirds of its power, or more than a third of
it must have signed together with more than two thirds of the next one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "" {
				return usageError{errors.New("say where to write: -o FILE")}
			}
			l, err := s.connectTrusting(from)
			if err != nil {
				return err
			}
			trust, err := l.UpdateTrust(cmd.Context(), period)
			if err != nil {
				return fmt.Errorf("%w: %w", errInvalid, err)
			}
			text, err := trust.MarshalJSON()
			if err != nil {
				return err
			}
			if err := os.WriteFile(output, append(text, '\n'), 0o644); err != nil {
				return err
			}
			latest := trust.Latest()
			if s.json {
				return s.printJSON(map[string]any{"file": output, "since": latest.Since, "seen": latest.Seen, "sets": len(trust.Points())})
			}
			fmt.Fprintf(s.out, "wrote %s: %d validators, in force since height %d, seen to sign at height %d of %s\n",
				output, len(latest.Validators()), latest.Since, latest.Seen, latest.At.Format(time.RFC3339))
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "trust", "", "where to begin: a founding document or a trust file")
	cmd.Flags().StringVarP(&output, "output", "o", "", "trust file to write")
	cmd.Flags().DurationVar(&period, "period", 0, "refuse to go on from validators last seen longer ago, such as 336h; 0 sets no bound")
	return cmd
}

// connectTrusting is connect with another beginning of trust than the
// founding document.
func (s *session) connectTrusting(file string) (*ledger, error) {
	l, err := s.connect()
	if err != nil || file == "" {
		return l, err
	}
	trust, err := loadTrust(file)
	if err != nil {
		return nil, err
	}
	config := l.Config()
	config.Trust = trust
	c, err := client.New(config)
	if err != nil {
		return nil, err
	}
	return &ledger{c}, nil
}

func trustShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "show FILE", Short: "Show whom a founding document or a trust file trusts", Args: exactly(1, "a founding document or trust file"),
		RunE: func(_ *cobra.Command, args []string) error {
			trust, err := loadTrust(args[0])
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(trust)
			}
			fmt.Fprintf(s.out, "chain %s\n", trust.ChainID())
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "SINCE\tSEEN\tTIME\tPOWER\tVALIDATOR")
			for _, p := range trust.Points() {
				for i, v := range p.Validators() {
					since, seen, at := "", "", ""
					if i == 0 {
						since, seen, at = fmt.Sprint(p.Since), fmt.Sprint(p.Seen), p.At.Format(time.RFC3339)
					}
					fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", since, seen, at, v.Power, hex.EncodeToString(v.PubKey[:]))
				}
			}
			return table.Flush()
		},
	}
}
