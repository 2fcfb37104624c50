package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func nodesCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "List the nodes that are let in as peers; none registered is everybody", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			nodes, err := l.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(nodes)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NODE\tID")
			for _, n := range nodes {
				fmt.Fprintf(table, "%s\t%s\n", n.Name, n.Node)
			}
			return table.Flush()
		},
	}
}

func disputeCommand(s *session) *cobra.Command {
	var f signing
	var text string
	cmd := &cobra.Command{
		Use: "dispute ENTRY --text CLAIM", Short: "Dispute an entry of the log", Args: exactly(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, &protocol.Raise{Entry: index, Text: text}, "disputed")
		},
	}
	cmd.Flags().StringVar(&text, "text", "", "the claim, at most 4 KiB")
	return f.flags(cmd)
}

func resolveCommand(s *session) *cobra.Command {
	var f signing
	var text string
	cmd := &cobra.Command{
		Use: "resolve DISPUTE upheld|dismissed|settled --text REASONS", Short: "Resolve a dispute, as an arbiter who is no party to it", Args: exactly(2, "a dispute and a ruling"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			var ruling protocol.Ruling
			if err := ruling.UnmarshalText([]byte(args[1])); err != nil || ruling == 0 {
				return usageError{fmt.Errorf("%q is no ruling: upheld, dismissed or settled", args[1])}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, &protocol.Resolve{Dispute: index, Ruling: ruling, Text: text}, ruling.String())
		},
	}
	cmd.Flags().StringVar(&text, "text", "", "the reasons, at most 4 KiB")
	return f.flags(cmd)
}

func disputesCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "disputes", Short: "List what was disputed, and how it ended", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			list, err := w.Disputes(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return printList(s, list)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "DISPUTE\tENTRY\tBY\tRULING\tARBITER\tRESOLUTION")
			for _, d := range list {
				arbiter, resolution := "-", "-"
				if d.Ruling != 0 {
					arbiter, resolution = w.name(d.Arbiter), fmt.Sprint(d.Resolution)
				}
				fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%s\t%s\n", d.Index, d.Entry, w.name(d.By), d.Ruling, arbiter, resolution)
			}
			return table.Flush()
		},
	}
}
