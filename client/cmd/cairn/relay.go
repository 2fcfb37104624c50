package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func relayCommand(s *session) *cobra.Command {
	return group("relay", "Carry events from one ledger to another that has it registered", relayRunCommand(s, false), relayRunCommand(s, true))
}

// relaying is what the flags of `cairn relay` lead to.
type relaying struct {
	from, to, ledger, key, state string
	types                        []string
	start                        uint64
	batch                        int
	once                         bool
}

func relayRunCommand(s *session, once bool) *cobra.Command {
	o := relaying{once: once}
	cmd := &cobra.Command{
		Use: "run --from NETWORK --to NETWORK", Short: "Carry events as they become final, until it is stopped", Args: cobra.NoArgs,
		Long: `Carry events from one ledger to another as they become final, until it is stopped.
A network is the folder of one, or the URL of a node. What is relayed already is asked of the
other ledger, so that a relay that was killed, or another one beside it, leads neither to
a loss nor to a repeat. The other ledger believes its own registered validators, and not the
relay: any account with a role may run one.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.relay(cmd.Context(), o) },
	}
	if once {
		cmd.Use, cmd.Short, cmd.Long = "once --from NETWORK --to NETWORK", "Carry what there is, and end", ""
	}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "ledger that the events are of: the folder of its network, or the URL of a node")
	flags.StringVar(&o.to, "to", "", "ledger that is shown them: the folder of its network")
	flags.StringVar(&o.ledger, "ledger", "", "name of the first at the second; found by its chain id where it is missing")
	flags.StringVar(&o.key, "key", "author", "key that signs at the second: a file, or a name in the network's keys folder")
	flags.StringSliceVar(&o.types, "types", nil, "prefixes of the types to carry; all that the second accepts where it is missing")
	flags.StringVar(&o.state, "state", "", "file that keeps how far the log was looked at; without it, from --start on")
	flags.Uint64Var(&o.start, "start", 0, "first entry of the log to look at")
	flags.IntVar(&o.batch, "batch", 64, "events of one transaction, at most 500")
	return cmd
}

// relayState is the file of --state. It spares a relay work; what was relayed
// is known by the ledger alone.
type relayState struct {
	From string `json:"from"` // chain id
	To   string `json:"to"`   // chain id
	Next uint64 `json:"next"`
}

// at is the session of another network.
func (s *session) at(network string) *session {
	other := *s
	other.network, other.node, other.genesis = network, "", ""
	return &other
}

// relayer connects both ledgers.
func (s *session) relayer(ctx context.Context, o relaying) (*client.Relayer, error) {
	if o.from == "" || o.to == "" {
		return nil, usageError{errors.New("say between which ledgers: --from NETWORK --to NETWORK")}
	}
	if o.batch < 1 || o.batch > rest.MaxIndices {
		return nil, usageError{fmt.Errorf("--batch: 1 to %d events", rest.MaxIndices)}
	}
	there := s.at(o.to)
	to, err := there.connect()
	if err != nil {
		return nil, err
	}
	r := &client.Relayer{To: to.Client, Types: o.types, Next: o.start, Batch: o.batch}
	if r.Key, err = there.key(o.key); err != nil {
		return nil, err
	}
	chainID := ""
	if !strings.Contains(o.from, "://") {
		from, err := s.at(o.from).connect()
		if err != nil {
			return nil, err
		}
		r.From, chainID = from.Client, from.ChainID()
	}
	row, err := knownAs(ctx, to, o.ledger, chainID)
	if err != nil {
		return nil, err
	}
	if r.Name = row.Name; r.From == nil {
		r.From, err = client.New(client.Config{Nodes: []string{o.from}, ChainID: row.ChainID})
	}
	return r, err
}

// knownAs finds a ledger by its name, or by its chain id.
func knownAs(ctx context.Context, l *ledger, name, chainID string) (*rest.LedgerRow, error) {
	list, err := l.Ledgers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		row := &list[i]
		switch {
		case name == "" && chainID == "" && len(list) == 1, name == "" && chainID != "" && row.ChainID == chainID:
			return row, nil
		case name != "" && row.Name == name && (chainID == "" || row.ChainID == chainID):
			return row, nil
		}
	}
	return nil, usageError{fmt.Errorf("%s has no ledger %q of chain %q registered; `cairn ledger list` shows those it has, `cairn gov propose ledger` registers one", l.ChainID(), name, chainID)}
}

func (s *session) relay(ctx context.Context, o relaying) error {
	r, err := s.relayer(ctx, o)
	if err != nil {
		return err
	}
	if err := readRelayState(o.state, r); err != nil {
		return err
	}
	if !s.json {
		fmt.Fprintf(s.out, "relaying %s to %s, which knows it as %s, from entry %d on\n", r.From.ChainID(), r.To.ChainID(), r.Name, r.Next)
	}
	head, err := r.From.Head(ctx)
	if err != nil {
		return err
	}
	for failed := 0; ; {
		wait := 20 * time.Second
		if o.once {
			wait = 0
		}
		done, err := r.Step(ctx, wait)
		if ctx.Err() != nil {
			return nil
		}
		if printed := s.printRelay(r, &done, err); printed != nil {
			return printed
		}
		if err != nil {
			if o.once || lasting(err) {
				return err
			}
			failed++
			if !pause(ctx, min(time.Second<<min(failed, 5), 30*time.Second)) {
				return nil
			}
			continue
		}
		failed = 0
		if err := writeRelayState(o.state, r); err != nil {
			return err
		}
		if o.once && r.Next >= head.LogSize {
			return nil
		}
	}
}

// lasting says whether trying again changes nothing until somebody else acts.
func lasting(err error) bool {
	code, refused := protocol.CodeOf(err)
	return refused && !code.Retryable() && (code == protocol.CodeRelayExpired || code == protocol.CodeMultisigTerms || code == protocol.CodeLedgerUnknown || code == protocol.CodeUnauthorized || code == protocol.CodeRelayChain)
}

// pause waits, and says whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// printRelay says what a step came to; nothing where nothing happened.
func (s *session) printRelay(r *client.Relayer, done *client.Relay, failed error) error {
	if s.json {
		line := struct {
			*client.Relay
			Error string `json:"error,omitempty"`
		}{Relay: done}
		if failed != nil {
			line.Error = failed.Error()
		}
		return s.printJSON(line)
	}
	now := time.Now().Format(time.TimeOnly)
	if failed != nil {
		_, err := fmt.Fprintf(s.out, "%s  entry %d of %s: %v\n", now, done.From, r.From.ChainID(), failed)
		return err
	}
	if done.Found == 0 && len(done.Sent) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "%s  entries %d to %d of %s: %d accepted, %d relayed, %d there before, %d too old, in %d transactions\n", now,
		done.From, done.Next, r.From.ChainID(), done.Found, done.Relayed, done.Known, done.Stale, len(done.Sent))
	return err
}

func readRelayState(path string, r *client.Relayer) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var state relayState
	if err := json.Unmarshal(text, &state); err != nil {
		return fmt.Errorf("%s is no state of a relay: %w", path, err)
	}
	if state.From != r.From.ChainID() || state.To != r.To.ChainID() {
		return fmt.Errorf("%s is of a relay from %s to %s; use another file", path, state.From, state.To)
	}
	r.Next = max(r.Next, state.Next)
	return nil
}

func writeRelayState(path string, r *client.Relayer) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(relayState{r.From.ChainID(), r.To.ChainID(), r.Next})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func ledgerCommand(s *session) *cobra.Command {
	return group("ledger", "Other ledgers whose events this one takes", ledgerListCommand(s), ledgerShowCommand(s))
}

func ledgerListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the ledgers that are registered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			list, err := l.Ledgers(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return printList(s, list)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "LEDGER\tCHAIN\tRELAYED\tNEXT\tTRUSTED SINCE\tSEEN\tAT")
			for _, row := range list {
				name := row.Name
				if row.Suspended {
					name += " (suspended)"
				}
				fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", name, row.ChainID, row.Relayed, row.Next, row.Since, row.Seen, relayTime(row.AtMs))
			}
			return table.Flush()
		},
	}
}

func relayTime(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339) }

func ledgerShowCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show the terms of a ledger and whom it is believed by, verified by a receipt", Args: exactly(1, "a ledger's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			r, err := l.ProvenLedger(cmd.Context(), args[0], height)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(rest.LedgerRow{LedgerRecord: *r, Address: r.Address()})
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintf(table, "ledger\t%s\nchain\t%s\nfounding document\t%s\norigin of its events\t%s\n", r.Name, r.ChainID, r.Genesis, r.Address())
			fmt.Fprintf(table, "suspended\t%t\naccepted sources\t%s\naccepted types\t%s\n", r.Suspended, all(r.Accept.Sources), all(r.Accept.Types))
			fmt.Fprintf(table, "trusted validators\t%s, which sign since height %d, seen at height %d of %s\n", r.Set, r.Since, r.Seen, relayTime(r.AtMs))
			fmt.Fprintf(table, "trusting period\t%s\n", time.Duration(r.PeriodMs)*time.Millisecond)
			if r.MaxAgeMs > 0 {
				fmt.Fprintf(table, "greatest age\t%s\n", time.Duration(r.MaxAgeMs)*time.Millisecond)
			}
			if q := r.Quota; !q.IsZero() {
				fmt.Fprintf(table, "quota\tin %d blocks: %d events, %d bytes, %d gas (0 is no bound)\n", q.Blocks, q.Events, q.Bytes, q.Gas)
			}
			fmt.Fprintf(table, "relayed\t%d entries, the greatest index is below %d\n", r.Relayed, r.Next)
			return table.Flush()
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func all(prefixes []string) string {
	if len(prefixes) == 0 {
		return "all"
	}
	return strings.Join(prefixes, ", ")
}
