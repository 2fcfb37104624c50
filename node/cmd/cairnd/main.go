// Command cairnd runs validators: one from its home, or a whole network on
// loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node"
)

// Exit codes: 0 done, 1 failed (the sentence on standard error says why),
// 2 wrong usage, 70 the node halted itself.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks a mistake in the command line.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "cairnd: %v\n", err)
	var usage usageError
	switch {
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		os.Exit(exitUsage)
	case errors.Is(err, node.ErrHalted):
		os.Exit(node.ExitFault)
	}
	os.Exit(exitFailed)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "cairnd",
		Short:         "Run validators of a Cairn ledger",
		Version:       node.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetVersionTemplate("cairnd {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(initCommand(), joinCommand(), startCommand(), devnetCommand(), configCommand(), fsckCommand(), tokenCommand(), versionCommand())
	return cmd
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd, map[string]string{"version": node.Version()})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "cairnd %s\n", node.Version())
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
