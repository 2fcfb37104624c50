package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node/devnet"
)

func initCommand() *cobra.Command {
	var home, chainID string
	var validators, basePort int
	var bare, asJSON bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Found a network: a genesis file and one home for each validator",
		Long: `Found a network: generate the keys, the founding document and one home for each
validator, as ` + "`cairnd devnet`" + ` does, without starting anything. Move each node's folder
to its machine, set api_address, p2p_address and peers in its cairnd.toml, and run
` + "`cairnd start --home FOLDER`" + ` there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := devnet.Create(home, devnet.Options{ChainID: chainID, Validators: validators, BasePort: basePort, Now: time.Now(), NoSchemas: bare})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, network)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "founded %s with %d validators in %s\n", network.ChainID, len(network.Nodes), home)
			return err
		},
	}
	networkHomeFlag(cmd, &home)
	cmd.Flags().StringVar(&chainID, "chain-id", "cairn-devnet", "name of the ledger; receipts and signatures are bound to it")
	cmd.Flags().IntVar(&validators, "validators", 4, "how many validators")
	cmd.Flags().BoolVar(&bare, "no-schemas", false, "leave out the schemas of the shipped contracts' events")
	cmd.Flags().IntVar(&basePort, "base-port", 8080, "API port of the first node; its RPC is 1000 above, its p2p 2000")
	jsonFlag(cmd, &asJSON)
	return cmd
}
