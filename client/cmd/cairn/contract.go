package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts"
)

func contractCommand(s *session) *cobra.Command {
	return group("contract", "Write, build, deploy, call and ask contracts",
		deployCommand(s), listCommand(s), showCommand(s), queryCommand(s), callCommand(s),
		upgradeCommand(s), logsCommand(s), deadLettersCommand(s), redeliverCommand(s), skipCommand(s), pauseCommand(s), resumeCommand(s),
		newContractCommand(s), buildCommand(s), testContractCommand(s), checkCommand(s), replayCommand(s))
}

func deployCommand(s *session) *cobra.Command {
	var module, manifest, args, key string
	cmd := &cobra.Command{
		Use:   "deploy [NAME]",
		Short: "Create a contract: a shipped one by name, or your own from its files",
		Args:  atMost(1, "the name of a shipped contract"),
		RunE: func(cmd *cobra.Command, names []string) error {
			code, text, err := contractFiles(names, module, manifest)
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
			status, err := l.Deploy(cmd.Context(), author, code, text, json.RawMessage(args))
			if err != nil {
				return err
			}
			return s.printDone(status, "deployed")
		},
	}
	cmd.Flags().StringVar(&module, "wasm", "", "WebAssembly module")
	cmd.Flags().StringVar(&manifest, "manifest", "", "manifest of the module")
	cmd.Flags().StringVar(&args, "args", "", "arguments of the initialisation, a JSON object")
	cmd.Flags().StringVar(&key, "key", "author", "key of an author: a file, or a name in the network's keys folder")
	return cmd
}

func contractFiles(names []string, module, manifest string) (code, text []byte, err error) {
	switch {
	case len(names) == 1 && module == "" && manifest == "":
		return contracts.Shipped(names[0])
	case len(names) == 0 && module != "" && manifest != "":
		if code, err = os.ReadFile(module); err != nil {
			return nil, nil, err
		}
		text, err = os.ReadFile(manifest)
		return code, text, err
	}
	return nil, nil, usageError{fmt.Errorf("needs the name of a shipped contract, or both --wasm and --manifest")}
}

func listCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the deployed contracts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			list, err := l.Contracts(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(list)
			}
			slices.SortFunc(list, func(a, b rest.Contract) int { return cmp.Compare(a.Since, b.Since) })
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tVERSION\tADDRESS\tSINCE\tSTATE\tLAG\tTIMERS")
			for _, c := range list {
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%d\t%d\n", c.Name, c.Version, c.Address, c.Since, state(c), c.Lag, c.Timers)
			}
			return table.Flush()
		},
	}
}

func showCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show what a contract is, takes and answers", Args: exactly(1, "a contract"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			c, err := named(cmd, l, args[0])
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(c)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			rows := [][2]string{
				{"name", c.Name}, {"version", c.Version}, {"description", c.Description}, {"address", c.Address.String()},
				{"author", c.Author.String()}, {"code", c.CodeHash.String()}, {"manifest", c.ManifestHash.String()},
				{"since", fmt.Sprintf("entry %d", c.Since)}, {"state", fmt.Sprintf("%s, %d entries behind, %d timers", state(c), c.Lag, c.Timers)},
			}
			if c.Retrying != nil {
				rows = append(rows, [2]string{"retrying", fmt.Sprintf("entry %d, refused %d times", c.Retrying.Index, c.Retrying.Attempts)})
			}
			for _, list := range []struct {
				name  string
				items []string
			}{{"events", c.Events}, {"calls", c.Calls}, {"queries", c.Queries}} {
				for i, item := range list.items {
					name := list.name
					if i > 0 {
						name = ""
					}
					rows = append(rows, [2]string{name, item})
				}
			}
			for _, row := range rows {
				fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
			}
			return table.Flush()
		},
	}
}

// state says in a word what a contract does.
func state(c rest.Contract) string {
	switch {
	case c.Paused:
		return "paused"
	case c.Retrying != nil:
		return "retrying"
	case c.Lag > 0:
		return "behind"
	}
	return "ready"
}

// textArgs reads name=value arguments.
func textArgs(args []string) (map[string]string, error) {
	out := make(map[string]string, len(args))
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("argument %q is not name=value", arg)}
		}
		out[name] = value
	}
	return out, nil
}

func queryCommand(s *session) *cobra.Command {
	var past pastFlags
	cmd := &cobra.Command{
		Use: "query CONTRACT QUERY [NAME=VALUE...]", Short: "Ask a contract; the answer is JSON", Args: atLeast(2, "a contract and a query"),
		Example: "  cairn contract query parking price lot=BHMBCCMKT01 band=A",
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := textArgs(args[2:])
			if err != nil {
				return err
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			at, err := past.at()
			if err != nil {
				return err
			}
			answer, err := l.QueryPast(cmd.Context(), args[0], args[1], at, values)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s\n", answer)
			return err
		},
	}
	past.add(cmd)
	return cmd
}

func callCommand(s *session) *cobra.Command {
	var key, callArgs string
	cmd := &cobra.Command{
		Use: "call CONTRACT METHOD", Short: "Run a method of a contract", Args: exactly(2, "a contract and a method"),
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
			status, err := l.Call(cmd.Context(), author, contract.Address, args[1], json.RawMessage(callArgs))
			if err != nil {
				return err
			}
			return s.printDone(status, "done")
		},
	}
	cmd.Flags().StringVar(&callArgs, "args", "", "arguments, a JSON object")
	cmd.Flags().StringVar(&key, "key", "author", "key of an author: a file, or a name in the network's keys folder")
	return cmd
}

func deadLettersCommand(s *session) *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use: "dead-letters CONTRACT", Short: "List deliveries that a contract's failures ended", Args: exactly(1, "a contract"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			letters, err := l.DeadLetters(cmd.Context(), args[0], from, 1000)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(letters)
			}
			if len(letters) == 0 {
				fmt.Fprintln(s.out, "no dead letters")
				return nil
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ENTRY\tCODE\tCONTRACT'S CODE")
			for _, letter := range letters {
				fmt.Fprintf(table, "%d\t%s\t%d\n", letter.Index, letter.Name, letter.GuestCode)
			}
			return table.Flush()
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "first entry to list")
	return cmd
}
