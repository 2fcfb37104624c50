// Command cairn is for everyone who is not running a node: producers submit
// events, authors deploy contracts, auditors fetch and verify receipts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
)

// Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 a receipt that
// does not hold, or an audit that could not be settled. The sentence on standard error says why.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitInvalid = 3
)

// usageError marks a mistake in the command line.
type usageError struct{ error }

// errInvalid marks a receipt that does not prove what it should.
var errInvalid = errors.New("the receipt does not hold")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := root()
	err := tellAsked(cmd, cmd.ExecuteContext(ctx))
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what was sent may be recorded still")
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "cairn: %v\n", err)
	}
	if code := exitCode(err); code != 0 {
		stop()
		os.Exit(code)
	}
}

// exitCode is what a script learns.
func exitCode(err error) int {
	var usage usageError
	var open unsettled
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		return exitUsage
	case errors.Is(err, errInvalid), errors.As(err, &open):
		return exitInvalid
	}
	return exitFailed
}

// session is what the flags every command has lead to.
type session struct {
	network string // folder of a network
	node    string // URL
	genesis string // file
	keys    string // file of log keys
	json    bool
	as      string // account of several members that is acted as; "" is the key's own
	tls     tlsFiles
	out     io.Writer
}

func root() *cobra.Command {
	s := &session{}
	cmd := &cobra.Command{
		Use:           "cairn",
		Short:         "Submit events to a Cairn ledger, ask its contracts, verify its receipts",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			s.out = cmd.OutOrStdout()
			if s.node != "" && !cmd.Flags().Changed("network") {
				s.network = "" // what was typed outranks CAIRN_NETWORK
			}
		},
	}
	cmd.SetVersionTemplate("cairn {{.Version}}\n")
	flags := cmd.PersistentFlags()
	flags.StringVar(&s.network, "network", os.Getenv("CAIRN_NETWORK"), "folder of a network, with network.json (CAIRN_NETWORK)")
	flags.StringVar(&s.node, "node", "", "URL of a node's API, together with --genesis")
	flags.StringVar(&s.genesis, "genesis", "", "founding document of the ledger, together with --node")
	flags.BoolVar(&s.json, "json", false, "answer in JSON, for scripts")
	flags.StringVar(&s.as, "as", "", "act as this `ACCOUNT` of several members: the key's is one of them, the others approve with 'cairn multisig approve'")
	s.tls.flags(cmd)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(keysCommand(s), submitCommand(s), statusCommand(s), eventCommand(s), receiptCommand(s), logCommand(s), auditCommand(s), trustCommand(s), contractCommand(s), accountCommand(s), roleCommand(s), govCommand(s), multisigCommand(s), sealCommand(s), schemaCommand(s), diffCommand(s), ledgerCommand(s), relayCommand(s), tokenCommand(s), subscribeCommand(s), connectCommand(s), demoCommand(s), benchCommand(s), scaleCommand(s), versionCommand(s))
	return cmd
}

// group is a command that only leads to others. A misspelt one is refused: a
// script that asks to verify must not read "here is some help" as "verified".
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q; `%s --help` lists them", args[0], cmd.CommandPath(), cmd.CommandPath())}
			}
			return usageError{fmt.Errorf("%s needs a command; `%s --help` lists them", cmd.CommandPath(), cmd.CommandPath())}
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// atMost and atLeast refuse another number of arguments, as exactly does.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("takes %s and no more", what)}
		}
		return nil
	}
}

func atLeast(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return usageError{fmt.Errorf("needs %s", what)}
		}
		return nil
	}
}

// exactly refuses another number of arguments, as a mistake in usage.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("needs %s", what)}
		}
		return nil
	}
}

// printJSON writes one JSON document on one line.
func (s *session) printJSON(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}

// printList is printJSON of a list: an empty one is [], not null.
func printList[T any](s *session, list []T) error {
	if list == nil {
		list = []T{}
	}
	return s.printJSON(list)
}

// ledger is a connection to the nodes of a ledger.
type ledger struct{ *client.Client }
