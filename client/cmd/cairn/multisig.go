package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func multisigCommand(s *session) *cobra.Command {
	return group("multisig", "Accounts as which several members act together; any command that signs takes --as ACCOUNT",
		multisigCreateCommand(s), multisigChangeCommand(s), actsCommand(s), approveCommand(s))
}

// members are the flags that say who acts as an account.
type members struct {
	threshold uint8
	names     []string
}

func (m *members) flags(cmd *cobra.Command) {
	cmd.Flags().Uint8Var(&m.threshold, "threshold", 0, "how many members have to agree")
	cmd.Flags().StringArrayVar(&m.names, "member", nil, "a member: an address, or a key's name; repeat it for each")
}

func (m *members) read(ctx context.Context, w *wallet) (out protocol.Multisig, err error) {
	out.Threshold = m.threshold
	for _, name := range m.names {
		member, err := w.account(ctx, name)
		if err != nil {
			return out, err
		}
		out.Members = append(out.Members, member)
	}
	slices.SortFunc(out.Members, func(a, b protocol.Address) int { return slices.Compare(a[:], b[:]) })
	if err := out.Check(); err != nil {
		return out, usageError{err}
	}
	return out, nil
}

func multisigCreateCommand(s *session) *cobra.Command {
	var f signing
	var m members
	cmd := &cobra.Command{
		Use: "create NAME --threshold M --member ACCOUNT ...", Short: "Make an account as which any M of its members act", Args: exactly(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			terms, err := m.read(cmd.Context(), w)
			if err != nil {
				return err
			}
			key, err := s.key(f.key)
			if err != nil {
				return err
			}
			creator, err := w.AccountOf(cmd.Context(), key.Public())
			if err != nil {
				return err
			}
			address := protocol.MultisigAddress(creator, args[0])
			return f.send(cmd.Context(), w, &protocol.CreateMultisig{Name: args[0], Multisig: terms}, address.String()+" made")
		},
	}
	m.flags(cmd)
	return f.flags(cmd)
}

func multisigChangeCommand(s *session) *cobra.Command {
	var f signing
	var m members
	cmd := &cobra.Command{
		Use: "change --as ACCOUNT --threshold M --member ACCOUNT ...", Short: "Give an account other members", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.as == "" {
				return usageError{fmt.Errorf("say which account: --as")}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			terms, err := m.read(cmd.Context(), w)
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, &protocol.ChangeMultisig{Multisig: terms}, "members changed")
		},
	}
	m.flags(cmd)
	return f.flags(cmd)
}

func actsCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "acts ACCOUNT", Short: "Show what waits for the approval of an account's members", Args: exactly(1, "an account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			account, err := w.account(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			acts, err := w.Acts(cmd.Context(), account.String())
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(acts)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ACT\tKIND\tBY\tUNTIL\tAPPROVED BY\tASKS")
			for _, a := range acts {
				var by []string
				for _, member := range a.Approvals {
					by = append(by, w.name(member))
				}
				fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%s\t%s\n", a.Index, a.Kind, w.name(a.Proposer), a.Expiry, strings.Join(by, " "), a.Asks)
			}
			return table.Flush()
		},
	}
}

func approveCommand(s *session) *cobra.Command {
	var f signing
	return f.flags(&cobra.Command{
		Use: "approve ACT", Short: "Agree to what a member asked for; the approval that is enough does it", Args: exactly(1, "an act's index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			act, err := indexArg(args[0])
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, &protocol.ApproveAct{Act: act}, "approved")
		},
	})
}

// actAs reads --as.
func (s *session) actAs() (*client.ActAs, error) {
	if s.as == "" {
		return nil, nil
	}
	account, err := protocol.ParseAddress(s.as)
	if err != nil {
		return nil, usageError{fmt.Errorf("--as: %w", err)}
	}
	return &client.ActAs{Account: account}, nil
}

// tellAsked says of what members were asked for that it is under way: that is
// no failure.
func tellAsked(cmd *cobra.Command, err error) error {
	var asked *client.Asked
	if !errors.As(err, &asked) {
		return err
	}
	if inJSON, err := cmd.PersistentFlags().GetBool("json"); err == nil && inJSON {
		return (&session{out: cmd.OutOrStdout()}).printJSON(struct {
			Act uint64 `json:"act"`
			rest.Status
		}{asked.Act, asked.Status})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "asked the members at height %d; it is done when enough of them run `cairn multisig approve %d`\n", asked.Status.Height, asked.Act)
	return err
}
