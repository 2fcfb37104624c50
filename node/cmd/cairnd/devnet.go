package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node/devnet"
)

func devnetCommand() *cobra.Command {
	var home, chainID string
	var validators, basePort int
	var detach, bare, asJSON bool
	var hidden measuring
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a network of validators on loopback, one process each",
		Long: `Run a network of validators on loopback, one process each, with everything in one
folder. A folder that holds a network already is started again with its data.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if asJSON { // one object on standard output, and words beside it
				out = cmd.ErrOrStderr()
			}
			network, err := openOrCreate(out, home, devnet.Options{
				ChainID: chainID, Validators: validators, BasePort: basePort, Now: time.Now(), NoSchemas: bare,
			}, cmd.Flags().Changed("validators"), cmd.Flags().Changed("base-port"))
			if err != nil {
				return err
			}
			running, err := devnet.Start(cmd.Context(), network, detach, hidden.args()...)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd, upOf(network, running))
			} else {
				err = printNodes(out, network, running)
			}
			if err != nil {
				return err
			}
			if detach {
				fmt.Fprintf(out, "\nthe network runs in the background; `cairnd devnet stop --home %s` ends it\n", home)
				return nil
			}
			fmt.Fprintf(out, "\nthe network is up; Ctrl-C ends it\n")
			err = running.Wait(cmd.Context(), func(died error) { fmt.Fprintf(cmd.ErrOrStderr(), "\n%v\n", died) })
			fmt.Fprintf(out, "\nthe network has stopped; its data are in %s\n", home)
			return err
		},
	}
	networkHomeFlag(cmd, &home)
	cmd.Flags().IntVar(&validators, "validators", 4, "how many validators a new network has")
	cmd.Flags().IntVar(&basePort, "base-port", 8080, "API port of the first node; its RPC is 1000 above, its p2p 2000")
	cmd.Flags().StringVar(&chainID, "chain-id", "cairn-devnet", "name of a new ledger: receipts and signatures are bound to it, and ledgers that take events of each other differ in it")
	cmd.Flags().BoolVar(&bare, "no-schemas", false, "found a new network without the schemas of the shipped contracts' events")
	cmd.Flags().BoolVar(&detach, "detach", false, "return when the network is ready and leave it running")
	hidden.flags(cmd)
	jsonFlag(cmd, &asJSON)
	cmd.AddCommand(stopCommand())
	return cmd
}

func stopCommand() *cobra.Command {
	var home string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "stop", Short: "End a network that runs in the background", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			stopped, err := devnet.Stop(ctx, home)
			switch {
			case err != nil:
			case asJSON:
				err = printJSON(cmd, map[string]int{"stopped": stopped})
			default:
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "stopped %d nodes\n", stopped)
			}
			return err
		},
	}
	networkHomeFlag(cmd, &home)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func openOrCreate(out io.Writer, home string, o devnet.Options, countGiven, portGiven bool) (*devnet.Network, error) {
	network, err := devnet.Load(home)
	if err != nil {
		return nil, err
	}
	if network == nil {
		if err := o.CheckPorts(); err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "founding a network of %d validators in %s\n", o.Validators, home)
		return devnet.Create(home, o)
	}
	if countGiven && len(network.Nodes) != o.Validators {
		return nil, usageError{fmt.Errorf("--validators: the network in %s has %d validators; remove the folder to found another", home, len(network.Nodes))}
	}
	if portGiven && network.Nodes[0].API != devnet.APIURL(o.BasePort) {
		return nil, usageError{fmt.Errorf("--base-port: the network in %s has its first API at %s; remove the folder to found another", home, network.Nodes[0].API)}
	}
	fmt.Fprintf(out, "starting the network of %d validators in %s again\n", len(network.Nodes), home)
	return network, nil
}

// upNetwork is what `cairnd devnet --json` answers once the network is up.
type upNetwork struct {
	ChainID string   `json:"chainId"`
	Genesis string   `json:"genesis"`
	Nodes   []upNode `json:"nodes"`
}

type upNode struct {
	devnet.Address
	PID int `json:"pid"`
}

func upOf(network *devnet.Network, running *devnet.Running) upNetwork {
	up := upNetwork{ChainID: network.ChainID, Genesis: network.Genesis}
	for i, n := range network.Nodes {
		up.Nodes = append(up.Nodes, upNode{n, running.Pid(i)})
	}
	return up
}

func printNodes(out io.Writer, network *devnet.Network, running *devnet.Running) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tAPI\tRPC\tPID\tHOME")
	for i, n := range network.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", n.Name, n.API, n.RPC, running.Pid(i), n.Home)
	}
	return table.Flush()
}
