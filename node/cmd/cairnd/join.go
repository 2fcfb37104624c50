package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node/devnet"
)

func joinCommand() *cobra.Command {
	var o devnet.JoinOptions
	var home, network string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Make the home of a node that joins a network",
		Long: `Make the home of a node that joins a network which exists: keys of its own, the founding document, and a
configuration. The council has to admit the node before its peers let it in, and to give it power before it validates:
the answer says with which commands.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if network != "" {
				n, err := devnet.Load(network)
				if err == nil && n == nil {
					err = fmt.Errorf("%s holds no network", network)
				}
				if err != nil {
					return err
				}
				if o.Peers, err = n.Peers(); err != nil {
					return err
				}
				o.Genesis = n.Genesis
			}
			if o.Genesis == "" || len(o.Peers) == 0 {
				return usageError{errors.New("say which network: --network DIR, or --genesis FILE and --peer id@host:port")}
			}
			joined, err := devnet.Join(home, o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, joined)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `made %s
node id        %s
validator key  %s
log key        %s

A member of the council proposes, and the council votes:
  cairn gov propose node %s --name %q
then start it, and when it has caught up:
  cairnd start --home %s
  cairn gov propose validator %s --power 10 --name %q --log-key %s
`, joined.Home, joined.Node, joined.Validator, joined.LogKey, joined.Node, joined.Name, joined.Home, joined.Validator, joined.Name, joined.LogKey)
			return err
		},
	}
	homeFlag(cmd, &home)
	flags := cmd.Flags()
	flags.StringVar(&network, "network", "", "folder of a network on this machine")
	flags.StringVar(&o.Genesis, "genesis", "", "founding document of the network")
	flags.StringArrayVar(&o.Peers, "peer", nil, "a node of the network, as id@host:port; may be repeated")
	flags.StringVar(&o.Name, "name", "joined", "name of the node")
	flags.IntVar(&o.BasePort, "base-port", 8180, "API port; RPC is 1000 above, p2p 2000")
	jsonFlag(cmd, &asJSON)
	return cmd
}
