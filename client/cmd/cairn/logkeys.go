package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// logKeysFile is log keys of a validator set that a receipt of the state proved.
// Whoever can change the file decides whose checkpoints are taken.
type logKeysFile struct {
	Version int                    `json:"cairnLogKeys"`
	ChainID string                 `json:"chainId"`
	Height  uint64                 `json:"height"` // of the block that proves it was the newest set
	Set     *protocol.ValidatorSet `json:"set"`
}

const (
	logKeysVersion = 1
	logKeysPrefix  = `{"cairnLogKeys":`
)

func logKeyCommand(s *session) *cobra.Command {
	var policy, today bool
	var output string
	cmd := &cobra.Command{
		Use: "key", Short: "Print the keys that verify the log's checkpoints, for tools of others", Args: cobra.NoArgs,
		Long: `Print the keys that verify the log's checkpoints, for tools of others. They are those of
the founding document, or with --today those of the validators of today: a node is asked
for receipts of the state, and these are verified with what is trusted of the
validators. -o writes the keys to a file for --keys, or for --trust of a receipt that
ends at a checkpoint.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && !today {
				return usageError{errors.New("-o goes with --today")}
			}
			if !today {
				by, err := s.cosigners()
				if err != nil {
					return err
				}
				return s.printLogKeys(by, policy)
			}
			return s.logKeysToday(cmd.Context(), policy, output)
		},
	}
	cmd.Flags().BoolVar(&policy, "policy", false, "print a policy file (C2SP tlog-policy) instead")
	cmd.Flags().BoolVar(&today, "today", false, "of the validators of today, proven by receipts")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write the keys to")
	return cmd
}

func (s *session) logKeysToday(ctx context.Context, policy bool, output string) error {
	l, err := s.connect()
	if err != nil {
		return err
	}
	proven, err := l.ValidatorSet(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	by, err := proof.SetCosigners(l.ChainID(), proven.Set)
	if err != nil {
		return err
	}
	if output == "" {
		return s.printLogKeys(by, policy)
	}
	text, err := json.Marshal(logKeysFile{logKeysVersion, l.ChainID(), proven.Height, proven.Set})
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, append(text, '\n'), 0o644); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "since": proven.Set.Since, "height": proven.Height, "validators": len(proven.Set.Validators)})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s: log keys of %d validators, in force since height %d, proven at height %d\n",
		output, len(proven.Set.Validators), proven.Set.Since, proven.Height)
	return err
}

// cosigners are those of --keys, or of the founding document.
func (s *session) cosigners() (proof.Cosigners, error) {
	if s.keys != "" {
		return cosignersIn(s.keys)
	}
	path, err := s.genesisPath()
	if err != nil {
		return proof.Cosigners{}, err
	}
	return cosignersIn(path)
}

// cosignersIn reads a founding document, or a file of log keys.
func cosignersIn(path string) (proof.Cosigners, error) {
	if path != "" {
		text, err := readBounded(path)
		if err == nil && bytes.HasPrefix(text, []byte(logKeysPrefix)) {
			var file logKeysFile
			if err := json.Unmarshal(text, &file); err != nil || file.Version != logKeysVersion || file.Set == nil {
				return proof.Cosigners{}, fmt.Errorf("%s is no file of log keys of version %d (%v); `cairn log key --today -o` makes one", path, logKeysVersion, err)
			}
			return proof.SetCosigners(file.ChainID, file.Set)
		}
	}
	doc, err := genesis.Load(path)
	if err != nil {
		return proof.Cosigners{}, err
	}
	return doc.Cosigners()
}

// following verifies once more with the log keys of today, where err says that
// those of by are not enough. The keys are proven by receipts of the state.
func (s *session) following(ctx context.Context, l *ledger, by *proof.Cosigners, err error, again func() error) error {
	if !errors.Is(err, proof.ErrUncosigned) && !errors.Is(err, proof.ErrLogSignature) {
		return err
	}
	proven, setErr := l.ValidatorSet(ctx)
	if setErr != nil {
		return errors.Join(err, setErr)
	}
	now, setErr := proof.SetCosigners(l.ChainID(), proven.Set)
	if setErr != nil {
		return errors.Join(err, setErr)
	}
	*by = now
	return again()
}

func (s *session) printLogKeys(by proof.Cosigners, policy bool) error {
	if policy {
		_, err := s.out.Write(by.Policy())
		return err
	}
	type row struct {
		Name     string `json:"name"`
		Power    uint64 `json:"power"`
		Log      string `json:"log"`
		Cosigner string `json:"cosigner"`
	}
	rows := []row{}
	for _, c := range by.List() {
		if (c.Key != proof.LogKey{}) {
			rows = append(rows, row{c.Name, c.Power, c.LogVKey(by.Origin()), c.VKey()})
		}
	}
	if len(rows) == 0 {
		return errors.New("no validator has a log key; `cairn gov propose log-key` gives it one")
	}
	if s.json {
		return s.printJSON(map[string]any{"origin": by.Origin(), "totalPower": by.TotalPower(), "keys": rows})
	}
	fmt.Fprintf(s.out, "origin  %s\nThe log is signed by each validator; any one of these keys is the log's, and\ncosigners with more than two thirds of the power %d make a checkpoint final.\n\n", by.Origin(), by.TotalPower())
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tPOWER\tVKEY")
	for _, r := range rows {
		fmt.Fprintf(table, "log\t\t%s\ncosigner\t%d\t%s\n", r.Log, r.Power, r.Cosigner)
	}
	return table.Flush()
}
