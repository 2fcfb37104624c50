package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Give and take access to the node's gateway and subscriptions",
		Long: `Give and take access to what a node does on behalf of others: submit their events
signed with its own account (scope produce), keep their subscriptions (scope consume).
Callers are known by a token, which is made here and shown once, by a client certificate,
or by a claim of a JWT. Grants lie in api-tokens.json of the node's home, tokens as
hashes. A running node heeds a change within a second.`,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("needs one of its commands; `cairnd token --help` lists them")}
		},
	}
	var home string
	revoke := &cobra.Command{
		Use: "revoke NAME", Short: "Take a grant back", Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error { return node.RevokeToken(home, args[0]) },
	}
	homeFlag(revoke, &home)
	cmd.AddCommand(addTokenCommand(), listTokensCommand(), revoke, gatewayKeyCommand())
	return cmd
}

func addTokenCommand() *cobra.Command {
	var home string
	var t node.Token
	var ends time.Duration
	var claim string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a token and print it, once; or grant to a certificate or a claim", Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if claim != "" {
				t.Claim, t.Value, _ = strings.Cut(claim, "=")
				if t.Claim == "" || t.Value == "" {
					return usageError{fmt.Errorf("--claim: %q must be NAME=VALUE, such as sub=meter7", claim)}
				}
			}
			t.Name, t.Since = args[0], time.Now().UTC().Truncate(time.Second)
			if ends > 0 {
				t.Until = t.Since.Add(ends)
			}
			secret, err := node.AddToken(home, t)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, addedToken{t.Name, secret})
			}
			if secret != "" {
				fmt.Fprintln(cmd.OutOrStdout(), secret)
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&t.Scopes, "scope", []string{"produce"}, "what it is for: produce, consume")
	cmd.Flags().StringVar(&t.Certificate, "certificate", "", "for a client certificate instead of a token: its first URI as uri:URI, without one its first DNS name as dns:HOST, without one its subject's common name as cn:NAME")
	cmd.Flags().StringVar(&claim, "claim", "", "for JWTs instead of a token: `NAME=VALUE` of a claim that is VALUE or a list with it")
	cmd.MarkFlagsMutuallyExclusive("certificate", "claim")
	cmd.Flags().StringSliceVar(&t.Sources, "source", nil, "prefix that the events' source must have; may be repeated")
	cmd.Flags().StringSliceVar(&t.Types, "type", nil, "prefix that the events' type must have; may be repeated")
	cmd.Flags().Uint64Var(&t.Rate.Events, "events-per-second", 0, "how many events it may submit a second; 0 is no bound")
	cmd.Flags().Uint64Var(&t.Rate.Bytes, "bytes-per-second", 0, "how many bytes of requests it may submit a second; 0 is no bound")
	cmd.Flags().DurationVar(&ends, "ends", 0, "after how long it ends, such as 720h; never without it")
	homeFlag(cmd, &home)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// addedToken is what `cairnd token add --json` answers.
type addedToken struct {
	Name   string `json:"name"`
	Secret string `json:"secret,omitempty"` // none of a certificate or a claim
}

func listTokensCommand() *cobra.Command {
	var home string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the grants, without what is secret", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tokens, err := node.Tokens(home)
			if err != nil {
				return err
			}
			if asJSON {
				shown := append(make([]node.Token, 0, len(tokens)), tokens...) // [], not null
				for i := range shown {
					shown[i].SHA256 = protocol.Hash{}
				}
				return printJSON(cmd, shown)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tKNOWN BY\tSCOPES\tSOURCES\tTYPES\tRATE\tSINCE\tUNTIL")
			for _, t := range tokens {
				until := "-"
				if !t.Until.IsZero() {
					until = t.Until.Format(time.RFC3339)
				}
				rate := "any"
				if t.Rate != (node.Token{}).Rate {
					rate = t.Rate.String()
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, knownBy(&t), strings.Join(t.Scopes, ","), orAny(t.Sources), orAny(t.Types), rate, t.Since.Format(time.RFC3339), until)
			}
			return table.Flush()
		},
	}
	homeFlag(cmd, &home)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func knownBy(t *node.Token) string {
	switch {
	case t.Certificate != "":
		return "certificate " + t.Certificate
	case t.Claim != "":
		return "claim " + t.Claim + "=" + t.Value
	}
	return "token"
}

// oneName refuses anything but one name.
func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("needs the name of a grant")}
	}
	return nil
}

func orAny(prefixes []string) string {
	if len(prefixes) == 0 {
		return "any"
	}
	return strings.Join(prefixes, ",")
}

// gatewayKeyCommand gives a gateway to a home that was made without one.
func gatewayKeyCommand() *cobra.Command {
	var home string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "gateway-key", Short: "Make the key of the node's gateway, for a home that has none", Args: cobra.NoArgs,
		Long: `Make the key that the node submits events with on behalf of others, and print its
address. The account needs the role producer: ask the council for it. The node finds
the key when it starts.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := node.MakeGatewayKey(home)
			if err != nil {
				return err
			}
			file := filepath.Join(home, node.GatewayKeyFile)
			if asJSON {
				return printJSON(cmd, gatewayKey{address, file})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s in %s\n", address, file)
			return err
		},
	}
	homeFlag(cmd, &home)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// gatewayKey is what `cairnd token gateway-key --json` answers.
type gatewayKey struct {
	Address protocol.Address `json:"address"`
	File    string           `json:"file"`
}
