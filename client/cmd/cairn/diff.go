package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/sim"
)

// pastFlags are the flags that say when.
type pastFlags struct {
	height uint64
	time   string
}

func (p *pastFlags) add(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&p.height, "height", 0, "as it was after this block")
	cmd.Flags().StringVar(&p.time, "time", "", "as it was after the last block at or before this time, such as 2024-05-01T12:00:00Z")
}

// at reads the flags; the zero At is now.
func (p *pastFlags) at() (client.At, error) {
	if p.time == "" {
		return client.At{Height: p.height}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, p.time)
	if err != nil || p.height > 0 {
		return client.At{}, usageError{errors.New("give either --height, or --time of RFC 3339 such as 2024-05-01T12:00:00Z")}
	}
	return client.At{Time: at}, nil
}

func diffCommand(s *session) *cobra.Command {
	var from, to uint64
	var contract string
	var limit int
	cmd := &cobra.Command{
		Use:   "diff --from H1 [--to H2]",
		Short: "Show what changed in the state between two heights",
		Long: `Show what changed in the state between two heights: streams, accounts, balances,
contracts and what they keep, dead letters, timers. Heights are those that the node
keeps. The list is the node's word; cairn audit and receipts of the state prove values.`,
		Example: "  cairn diff --from 100 --to 200 --contract parking",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("from") || to != 0 && from > to || limit < 1 {
				return usageError{errors.New("needs --from H1, not above --to H2, and a --limit of at least 1")}
			}
			return s.diff(cmd, from, to, contract, limit)
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "the earlier height")
	cmd.Flags().Uint64Var(&to, "to", 0, "the later height; the newest without it")
	cmd.Flags().StringVar(&contract, "contract", "", "only what is of this contract: a name or address")
	cmd.Flags().IntVar(&limit, "limit", 1000, "how many changes to show, at most")
	return cmd
}

// stateChange is a changed key in words.
type stateChange struct {
	Kind     string      `json:"kind"`
	Contract string      `json:"contract,omitempty"`
	Name     string      `json:"name"`
	Before   *string     `json:"before"` // nil: absent
	After    *string     `json:"after"`
	Key      string      `json:"key"` // in hex
	Raw      rest.Change `json:"raw"`
}

// stateDifference is what changed between two heights.
type stateDifference struct {
	From    uint64        `json:"from"`
	To      uint64        `json:"to"`
	Changes []stateChange `json:"changes"`
	More    bool          `json:"more"` // than were asked for
}

func (s *session) diff(cmd *cobra.Command, from, to uint64, contract string, limit int) error {
	l, err := s.connect()
	if err != nil {
		return err
	}
	list, err := l.Contracts(cmd.Context())
	if err != nil {
		return err
	}
	names := map[protocol.Address]string{}
	var only protocol.Address
	for _, c := range list {
		names[c.Address] = c.Name
		if contract == c.Name || contract == c.Address.String() {
			only = c.Address
		}
	}
	if contract != "" && only.IsZero() {
		return fmt.Errorf("no contract is named %q; `cairn contract list` shows what there is", contract)
	}
	d := stateDifference{From: from, To: to, Changes: []stateChange{}}
	for after := []byte(nil); !d.More; {
		page, err := l.Diff(cmd.Context(), from, d.To, after, rest.MaxDiff)
		if err != nil {
			return err
		}
		d.To, after = page.To, page.Next // the newest is to be the same on every page
		for _, c := range page.Changes {
			change, of := inWords(c, names)
			if !only.IsZero() && of != only {
				continue
			}
			if d.More = len(d.Changes) == limit; d.More {
				break
			}
			d.Changes = append(d.Changes, change)
		}
		if after == nil {
			break
		}
	}
	slices.SortStableFunc(d.Changes, func(a, b stateChange) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Key, b.Key))
	})
	if s.json {
		return s.printJSON(d)
	}
	return s.showDiff(&d)
}

// inWords puts a change into words, and says which contract it is of.
func inWords(c rest.Change, names map[protocol.Address]string) (stateChange, protocol.Address) {
	k := sim.DescribeKey(c.Key)
	out := stateChange{Kind: k.Kind, Name: k.Name, Key: hex.EncodeToString(c.Key), Raw: c}
	if !k.Contract.IsZero() {
		if out.Contract = names[k.Contract]; out.Contract == "" {
			out.Contract = k.Contract.String()
		}
	}
	out.Before, out.After = valueWords(c.Key, c.Before), valueWords(c.Key, c.After)
	return out, k.Contract
}

func valueWords(key []byte, v *rest.Value) *string {
	if v == nil {
		return nil
	}
	text := fmt.Sprintf("%d bytes, SHA-256 %.16s", v.Size, v.Hash)
	if v.Size <= rest.MaxShownValue {
		text = sim.DescribeValue(key, append([]byte{}, v.Bytes...))
	}
	return &text
}

func (s *session) showDiff(d *stateDifference) error {
	fmt.Fprintf(s.out, "%d keys of the state differ between block %d and block %d\n", len(d.Changes), d.From, d.To)
	if len(d.Changes) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tKIND\tOF\tNAME\tBEFORE\tAFTER")
	for i := range d.Changes {
		c := &d.Changes[i]
		mark := "~"
		if c.Before == nil {
			mark = "+"
		} else if c.After == nil {
			mark = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", mark, c.Kind, c.Contract, cut(&c.Name), cut(c.Before), cut(c.After))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if d.More {
		fmt.Fprintf(s.out, "and more: --limit shows them\n")
	}
	return nil
}

// cut shortens a cell of the table.
func cut(text *string) string {
	if text == nil {
		return "-"
	}
	if runes := []rune(*text); len(runes) > 64 {
		return string(runes[:61]) + "..."
	}
	return *text
}
