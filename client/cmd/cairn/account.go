package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func accountCommand(s *session) *cobra.Command {
	return group("account", "Accounts: what they may do, and the keys that speak for them",
		accountShowCommand(s), accountListCommand(s), rotateCommand(s), endCommand(s))
}

// signing is what the flags of a command that signs lead to.
type signing struct {
	key string
	dry bool
}

func (f *signing) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.key, "key", "author", "key that signs: a file, or a name in the network's keys folder")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "show what would be recorded, and send nothing")
	return cmd
}

// send executes a body and says what was done, or with --dry-run shows what
// would be.
func (f *signing) send(ctx context.Context, w *wallet, body protocol.Body, done string) error {
	key, err := w.s.key(f.key)
	if err != nil {
		return err
	}
	if f.dry {
		return w.tryBody(ctx, key, body)
	}
	status, err := w.Execute(ctx, key, body)
	if err != nil {
		return err
	}
	return w.s.printDone(status, done)
}

// tryBody shows the entries that a body would append.
func (w *wallet) tryBody(ctx context.Context, key protocol.PrivateKey, body protocol.Body) error {
	answer, err := w.Try(ctx, key, body)
	if err != nil {
		return err
	}
	if answer.Code != protocol.CodeOK {
		return fmt.Errorf("it would be refused: %s", answer.Message)
	}
	if w.s.json {
		return w.s.printJSON(answer)
	}
	fmt.Fprintf(w.s.out, "nothing was sent; at height %d it would record:\n", answer.Height)
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tKIND\tBY\tWHAT")
	for _, e := range answer.Entries {
		what, err := json.Marshal(e.Act)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", e.Index, e.Kind, w.name(e.Origin), what)
	}
	return table.Flush()
}

func accountShowCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "show ACCOUNT", Short: "Show what an account is and may do", Args: exactly(1, "an address, a key's name or a contract's"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			address, err := w.account(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a, err := w.Account(cmd.Context(), address.String(), height)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(a)
			}
			return w.showAccount(&a)
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func (w *wallet) showAccount(a *rest.Account) error {
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("address", "%s", a.Address)
	row("height", "%d", a.Height)
	if a.KeyOf != nil {
		row("key of", "%s", a.KeyOf)
		return table.Flush()
	}
	row("roles", "%s", dash(a.Roles.String()))
	if a.Revoked {
		row("revoked", "no key speaks for it")
	}
	if a.Weight > 0 {
		row("council", "weight %d", a.Weight)
	}
	if k := a.Keys; k != nil {
		row("key", "%s", k.At(a.Height+1))
		if k.From > a.Height+1 {
			row("next key", "%s, from height %d", k.Next, k.From)
		}
	}
	if m := a.Multisig; m != nil {
		row("acts", "when %d of %d members agree", m.Threshold, len(m.Members))
		for _, member := range m.Members {
			row("member", "%s", w.name(member))
		}
	}
	if !a.Grants.IsZero() {
		row("sources", "%s", dash(strings.Join(a.Grants.Sources, " ")))
		row("types", "%s", dash(strings.Join(a.Grants.Types, " ")))
	}
	if q := a.Quota; !q.IsZero() {
		row("quota", "%s", quotaWords(q))
		row("used", "%d events, %d bytes, %d gas; anew at height %d", a.Usage.Events, a.Usage.Bytes, a.Usage.Gas, a.Usage.Until)
	}
	return table.Flush()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func quotaWords(q protocol.Quota) string {
	if q.IsZero() {
		return "-"
	}
	var parts []string
	for _, bound := range []struct {
		n    uint64
		what string
	}{{q.Events, "events"}, {q.Bytes, "bytes"}, {q.Gas, "gas"}} {
		if bound.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", bound.n, bound.what))
		}
	}
	return fmt.Sprintf("%s in %d blocks", strings.Join(parts, ", "), q.Blocks)
}

func accountListCommand(s *session) *cobra.Command {
	var role string
	var height uint64
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts that the ledger knows something of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.listAccounts(cmd.Context(), role, height) },
	}
	cmd.Flags().StringVar(&role, "role", "", "only those with this role")
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func (s *session) listAccounts(ctx context.Context, role string, height uint64) error {
	w, err := s.wallet()
	if err != nil {
		return err
	}
	rows, err := w.Accounts(ctx, role, height)
	if err != nil {
		return err
	}
	if s.json {
		if rows == nil {
			rows = []rest.AccountRow{}
		}
		return s.printJSON(rows)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tROLES\tSOURCES\tTYPES\tQUOTA")
	for _, r := range rows {
		roles := dash(r.Roles.String())
		if r.Revoked {
			roles += " (revoked)"
		}
		if r.Multisig != nil {
			roles += fmt.Sprintf(" (%d of %d)", r.Multisig.Threshold, len(r.Multisig.Members))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", w.name(r.Address), roles,
			dash(strings.Join(r.Grants.Sources, " ")), dash(strings.Join(r.Grants.Types, " ")), quotaWords(r.Quota))
	}
	return table.Flush()
}

func rotateCommand(s *session) *cobra.Command {
	var f signing
	var to string
	var from, in uint64
	cmd := &cobra.Command{
		Use: "rotate --to NEWKEY", Short: "Give the signing key's account another key, from a height on", Args: cobra.NoArgs,
		Long: "Give the signing key's account another key: blocks before the height take the old one, blocks from it on the new\n" +
			"one. The account keeps its address, streams, roles and tokens; the old key is never of use again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			key, err := s.key(f.key)
			if err != nil {
				return err
			}
			next, err := s.key(to)
			if err != nil {
				return err
			}
			account, err := w.AccountOf(cmd.Context(), key.Public())
			if err != nil {
				return err
			}
			if from == 0 {
				head, err := w.Head(cmd.Context())
				if err != nil {
					return err
				}
				from = head.Height + in
			}
			done := fmt.Sprintf("%s has key %s from height %d on; recorded", account, next.Public(), from)
			return f.send(cmd.Context(), w, protocol.NewRotate(w.ChainID(), account, next, from), done)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the new key: a file, or a name in the network's keys folder")
	cmd.Flags().Uint64Var(&from, "from", 0, "first height of the new key")
	cmd.Flags().Uint64Var(&in, "in", 10, "without --from: how many blocks from now")
	return f.flags(cmd)
}

func endCommand(s *session) *cobra.Command {
	var f signing
	return f.flags(&cobra.Command{
		Use: "revoke ADDRESS", Short: "End the signing key's account; only the council can undo it", Args: exactly(1, "the account's address, to be sure"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			key, err := s.key(f.key)
			if err != nil {
				return err
			}
			account, err := w.AccountOf(cmd.Context(), key.Public())
			if err != nil {
				return err
			}
			if args[0] != account.String() {
				return usageError{fmt.Errorf("the key speaks for %s, not for %s", account, args[0])}
			}
			return f.send(cmd.Context(), w, &protocol.Revoke{}, account.String()+" is revoked; recorded")
		},
	})
}
