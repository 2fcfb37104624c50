package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func roleCommand(s *session) *cobra.Command {
	return group("role", "Roles, what producers may speak for, and quotas",
		roleListCommand(s), roleSetCommand(s), roleQuotaCommand(s))
}

func roleListCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "list [ROLE]", Short: "List the accounts with a role, or all", Args: atMost(1, "a role"),
		RunE: func(cmd *cobra.Command, args []string) error {
			role := ""
			if len(args) == 1 {
				if role = args[0]; !slices.Contains(protocol.RoleNames(), role) {
					return usageError{fmt.Errorf("%q is no role; there are %v", role, protocol.RoleNames())}
				}
			}
			return s.listAccounts(cmd.Context(), role, height)
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func roleSetCommand(s *session) *cobra.Command {
	var p proposing
	var grants protocol.Grants
	cmd := &cobra.Command{
		Use: "set ACCOUNT [ROLE ...]", Short: "Propose which roles an account has, all of them at once", Args: atLeast(1, "an account"),
		Long: "Propose to the council which roles an account has, all of them at once, and of which sources and types a producer\n" +
			"may submit events: those that begin with one of the prefixes, and any where there is none. A seat in the council\n" +
			"stays: `cairn gov propose council` is for that.",
		RunE: func(cmd *cobra.Command, args []string) error {
			roles, err := protocol.ParseRoles(args[1:])
			if err != nil {
				return usageError{err}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			account, err := w.account(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			slices.Sort(grants.Sources)
			slices.Sort(grants.Types)
			p.suggest("%s is %s", args[0], dash(roles.String()))
			return p.send(cmd.Context(), w, protocol.GovAction{Kind: protocol.GovRoles, Account: account, Roles: roles, Grants: grants})
		},
	}
	cmd.Flags().StringArrayVar(&grants.Sources, "source", nil, "prefix of event sources that the producer may speak for; may be repeated")
	cmd.Flags().StringArrayVar(&grants.Types, "type", nil, "prefix of event types that the producer may speak for; may be repeated")
	return p.flags(cmd)
}

func roleQuotaCommand(s *session) *cobra.Command {
	var p proposing
	var quota protocol.Quota
	cmd := &cobra.Command{
		Use: "quota ACCOUNT", Short: "Propose what an account may use in a window of blocks; without flags, as much as it wants", Args: exactly(1, "an account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			account, err := w.account(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.suggest("quota of %s: %s", args[0], quotaWords(quota))
			return p.send(cmd.Context(), w, protocol.GovAction{Kind: protocol.GovQuota, Account: account, Quota: quota})
		},
	}
	cmd.Flags().Uint64Var(&quota.Blocks, "blocks", 0, "how many blocks a window has")
	cmd.Flags().Uint64Var(&quota.Events, "events", 0, "accepted events in a window; 0 is no bound")
	cmd.Flags().Uint64Var(&quota.Bytes, "bytes", 0, "bytes of events and transactions in a window; 0 is no bound")
	cmd.Flags().Uint64Var(&quota.Gas, "gas", 0, "gas of deployments, upgrades and calls in a window; 0 is no bound")
	return p.flags(cmd)
}
