package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// keyFlag adds the flag that names the author's key.
func keyFlag(cmd *cobra.Command, key *string) {
	cmd.Flags().StringVar(key, "key", "author", "key of the contract's author: a file, or a name in the network's keys folder")
}

// named finds a contract, or says how to see which there are.
func named(cmd *cobra.Command, l *ledger, name string) (rest.Contract, error) {
	contract, ok, err := l.Contract(cmd.Context(), name)
	if err == nil && !ok {
		err = fmt.Errorf("no contract is named %q; `cairn contract list` shows what there is", name)
	}
	return contract, err
}

func upgradeCommand(s *session) *cobra.Command {
	var module, manifest, args, key string
	cmd := &cobra.Command{
		Use: "upgrade NAME", Short: "Give a contract of yours other code", Args: exactly(1, "a contract"),
		Long: "Gives a contract of yours other code and runs its migration. The manifest keeps the name and changes the\n" +
			"version; address, state and queue stay. Without --wasm and --manifest it takes the shipped contract of that name.",
		RunE: func(cmd *cobra.Command, names []string) error {
			files := names
			if module != "" || manifest != "" {
				files = nil
			}
			code, text, err := contractFiles(files, module, manifest)
			if err != nil {
				return err
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			author, err := s.key(key)
			if err != nil {
				return err
			}
			contract, err := named(cmd, l, names[0])
			if err != nil {
				return err
			}
			status, err := l.Upgrade(cmd.Context(), author, contract.Address, code, text, json.RawMessage(args))
			if err != nil {
				return err
			}
			return s.printDone(status, "upgraded")
		},
	}
	cmd.Flags().StringVar(&module, "wasm", "", "WebAssembly module")
	cmd.Flags().StringVar(&manifest, "manifest", "", "manifest of the module")
	cmd.Flags().StringVar(&args, "args", "", "arguments of the migration, a JSON object")
	keyFlag(cmd, &key)
	return cmd
}

func (s *session) printDone(status rest.Status, what string) error {
	if s.json {
		return s.printJSON(status)
	}
	_, err := fmt.Fprintf(s.out, "%s at height %d, entry %d\n", what, status.Height, status.FirstIndex)
	return err
}

func pauseCommand(s *session) *cobra.Command {
	return controlCommand(s, protocol.ActionPause, "pause NAME", "Stop a contract of yours: no deliveries, timers or calls", "paused")
}

func resumeCommand(s *session) *cobra.Command {
	return controlCommand(s, protocol.ActionResume, "resume NAME", "Let a paused contract of yours go on where it stopped", "resumed")
}

func redeliverCommand(s *session) *cobra.Command {
	return controlCommand(s, protocol.ActionRedeliver, "redeliver NAME INDEX...", "Deliver dead letters again; INDEX is the entry, or all", "redelivered")
}

func skipCommand(s *session) *cobra.Command {
	return controlCommand(s, protocol.ActionSkip, "skip NAME INDEX...", "Drop dead letters, or the entry that is being retried", "skipped")
}

func controlCommand(s *session, action protocol.Action, use, short, done string) *cobra.Command {
	var key string
	args := exactly(1, "a contract")
	if action.Indexed() {
		args = atLeast(2, "a contract and an entry")
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			author, err := s.key(key)
			if err != nil {
				return err
			}
			contract, err := named(cmd, l, args[0])
			if err != nil {
				return err
			}
			indexes := []uint64{0}
			if action.Indexed() {
				if indexes, err = letterIndexes(cmd, l, args); err != nil {
					return err
				}
			}
			var failed []error
			for _, index := range indexes {
				what := done
				if action.Indexed() {
					what = fmt.Sprintf("%s entry %d", done, index)
				}
				status, err := l.Control(cmd.Context(), author, contract.Address, action, index)
				if err != nil && action.Indexed() {
					err = fmt.Errorf("entry %d: %w", index, err)
				}
				if err == nil {
					err = s.printDone(status, what)
				}
				failed = append(failed, err)
			}
			return errors.Join(failed...)
		},
	}
	keyFlag(cmd, &key)
	return cmd
}

// letterIndexes reads the entries that are named, or lists all dead letters.
func letterIndexes(cmd *cobra.Command, l *ledger, args []string) ([]uint64, error) {
	if len(args) == 2 && args[1] == "all" {
		letters, err := l.DeadLetters(cmd.Context(), args[0], 0, 1000)
		indexes := make([]uint64, len(letters))
		for i, letter := range letters {
			indexes[i] = letter.Index
		}
		return indexes, err
	}
	var indexes []uint64
	for _, arg := range args[1:] {
		index, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return nil, usageError{fmt.Errorf("%q is neither the index of an entry nor all", arg)}
		}
		indexes = append(indexes, index)
	}
	return indexes, nil
}

func logsCommand(s *session) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs NAME", Short: "Show what a contract said on the node that is asked, and why runs failed", Args: exactly(1, "a contract"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			for after := uint64(0); ; {
				logs, err := l.ContractLogs(cmd.Context(), args[0], after)
				if err != nil {
					return err
				}
				for _, log := range logs {
					if err := s.printLog(log); err != nil {
						return err
					}
					after = log.Number
				}
				if !follow {
					if after == 0 && !s.json {
						fmt.Fprintln(s.out, "nothing was said on this node")
					}
					return nil
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(500 * time.Millisecond):
				}
			}
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	return cmd
}

func (s *session) printLog(log rest.ContractLog) error {
	if s.json {
		return s.printJSON(log)
	}
	code := log.Name
	if log.GuestCode > 0 {
		code = fmt.Sprintf("%s %d", code, log.GuestCode)
	}
	_, err := fmt.Fprintf(s.out, "height %d  entry %d  %s  %s\n", log.Height, log.Index, code, strings.Join(log.Lines, " | "))
	return err
}
