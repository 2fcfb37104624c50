package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// unsettled marks an error that leaves open what an audit asked: a node that
// does not answer, or no longer keeps what is needed.
type unsettled struct{ error }

func (u unsettled) Unwrap() error { return u.error }

// asUnsettled marks an error as one, unless it says more already.
func asUnsettled(err error) error {
	var usage usageError
	if err == nil || errors.As(err, &usage) || errors.Is(err, errInvalid) || errors.Is(err, errDiffers) {
		return err
	}
	return unsettled{err}
}

// errDiffers marks an outcome that does not reproduce.
var errDiffers = errors.New("the outcome does not reproduce")

func whyCommand(s *session) *cobra.Command {
	var trust, html string
	var writers int
	cmd := &cobra.Command{
		Use:   "why INDEX | why SOURCE ID",
		Short: "Say why an entry is there, prove each step, and run the contract again",
		Long: `Say why an entry of the log is there: a price, a bill, a work order, a movement of
tokens, a dead letter. The causes are followed back to what a producer signed; the
receipt of each step is verified offline against --trust (the founding document, or a
trust file). The block of each step that a contract made is executed again here, on
the machine that validators run and on state whose every value is proven by a
receipt, and has to come to the log that the validators signed, octet for octet.
Which of the values the contract had kept the outcome depends on is found by
repeating the run without each; --writers says how far back their origin is followed.
Nodes are believed nothing.

Exit 0: the outcome reproduces. 1: it does not. 2: wrong usage. 3: it could not be
established: a node is not reachable, no longer keeps what is needed, or lies.`,
		Example: "  cairn audit why 4711 --html report.html\n  cairn audit why /contracts/parking 4711",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError{errors.New("needs the index of an entry, or the source and id of an event")}
			}
			if writers < 0 || writers > 10_000 {
				return usageError{errors.New("--writers: must be 0 to 10000")}
			}
			return asUnsettled(s.why(cmd, args, trust, html, writers))
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "what to trust: a founding document or a trust file; the network's founding document without it")
	cmd.Flags().StringVar(&html, "html", "", "write a report of one file, with the receipts in it, that a browser shows and prints")
	cmd.Flags().IntVar(&writers, "writers", 50, "how many of the runs that wrote a value to list, the last first")
	return cmd
}

func (s *session) why(cmd *cobra.Command, args []string, trust, html string, writers int) error {
	l, err := s.connectTrusting(trust)
	if err != nil {
		return err
	}
	index, err := entryArg(cmd, l, args)
	if err != nil {
		return err
	}
	a, err := newAuditor(l, func(format string, args ...any) {
		if isTerminal(cmd.ErrOrStderr()) {
			fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
		}
	})
	if err != nil {
		return err
	}
	defer a.sandbox.Close()
	w, err := a.explain(cmd.Context(), index, writers)
	if err != nil {
		return err
	}
	w.Trust.File = s.trustFile(trust)
	if html != "" {
		page, err := w.html()
		if err != nil {
			return err
		}
		if err := os.WriteFile(html, page, 0o644); err != nil {
			return err
		}
	}
	if s.json {
		err = s.printJSON(w)
	} else if w.tree(s.out); html != "" {
		fmt.Fprintf(s.out, "wrote %s, for a browser\n", html)
	}
	if err == nil && !w.Reproduced {
		err = fmt.Errorf("%w: %s", errDiffers, w.Verdict)
	}
	return err
}

// trustFile names what trust began with.
func (s *session) trustFile(trust string) string {
	switch {
	case trust != "":
		return trust
	case s.genesis != "":
		return s.genesis
	}
	return s.network + ", genesis.json"
}

// entryArg finds the entry that is asked about.
func entryArg(cmd *cobra.Command, l *ledger, args []string) (uint64, error) {
	if len(args) == 1 {
		return indexArg(args[0])
	}
	e, err := l.FindEvent(cmd.Context(), protocol.Address{}, args[0], args[1])
	var refusal *client.Refusal
	if errors.As(err, &refusal) && refusal.Code == protocol.CodeNotFound && len(args[1]) > 0 {
		// What contracts emit has its index as its id.
		if index, bad := indexArg(args[1]); bad == nil {
			if entry, err := l.Entry(cmd.Context(), index); err == nil && entry.Event != nil && entry.Event.Source == args[0] {
				return index, nil
			}
		}
	}
	return e.Index, err
}
