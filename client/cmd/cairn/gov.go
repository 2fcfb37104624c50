package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func govCommand(s *session) *cobra.Command {
	return group("gov", "Propose to the council, vote, see what it decided, dispute entries",
		proposeCommand(s), voteCommand(s), withdrawCommand(s), proposalsCommand(s), proposalCommand(s),
		councilCommand(s), validatorsCommand(s), nodesCommand(s),
		disputeCommand(s), resolveCommand(s), disputesCommand(s))
}

// proposing is what the flags of a command that proposes lead to.
type proposing struct {
	signing
	title  string
	blocks uint64
	vote   bool
}

func (p *proposing) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&p.title, "title", "", "what the proposal is about, in a few words; made up where it is missing")
	cmd.Flags().Uint64Var(&p.blocks, "open", 10_000, "for how many blocks it can pass")
	cmd.Flags().BoolVar(&p.vote, "vote", false, "vote yes at once")
	return p.signing.flags(cmd)
}

// suggest is the title where none is given.
func (p *proposing) suggest(format string, args ...any) {
	if p.title == "" {
		p.title = fmt.Sprintf(format, args...)
		p.title = p.title[:min(len(p.title), protocol.MaxTitle)]
	}
}

func (p *proposing) send(ctx context.Context, w *wallet, actions ...protocol.GovAction) error {
	body, err := w.NewProposal(ctx, p.title, p.blocks, actions...)
	if err != nil {
		return err
	}
	for i := range actions {
		if err := actions[i].Check(); err != nil {
			return usageError{err}
		}
	}
	key, err := w.s.key(p.key)
	if err != nil {
		return err
	}
	if p.dry {
		return w.tryBody(ctx, key, body)
	}
	status, err := w.Execute(ctx, key, body)
	if err != nil {
		return err
	}
	index := status.FirstIndex
	if p.vote {
		if status, err = w.Vote(ctx, key, index, true); err != nil {
			return fmt.Errorf("proposal %d is there, the vote on it is not: %w", index, err)
		}
	}
	if w.s.json {
		return w.s.printJSON(struct {
			Proposal uint64 `json:"proposal"`
			rest.Status
		}{index, status})
	}
	fmt.Fprintf(w.s.out, "proposal %d at height %d: %s\n", index, status.Height, p.title)
	return w.showStanding(ctx, index)
}

// showStanding says how a proposal stands.
func (w *wallet) showStanding(ctx context.Context, index uint64) error {
	p, err := w.Proposal(ctx, index, 0)
	if err != nil {
		return err
	}
	switch p.Status {
	case protocol.GovProposed:
		_, err = fmt.Fprintf(w.s.out, "yes %d, no %d of %d; it passes with more than %d, until height %d\n", p.Tally.Yes, p.Tally.No, p.Tally.Total, 2*p.Tally.Total/3, p.Expiry)
	case protocol.GovFailed:
		_, err = fmt.Fprintf(w.s.out, "it passed and could not be done: %s, %s\n", p.Code, p.Code.Meaning())
	default:
		_, err = fmt.Fprintf(w.s.out, "%s at height %d with %d of %d\n", p.Status, p.Closed, p.Tally.Yes, p.Tally.Total)
	}
	return err
}

func voteCommand(s *session) *cobra.Command {
	var f signing
	return f.flags(&cobra.Command{
		Use: "vote PROPOSAL yes|no", Short: "Vote on a proposal; another vote takes its place until it closes", Args: exactly(2, "a proposal and yes or no"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			if args[1] != "yes" && args[1] != "no" {
				return usageError{errors.New("vote yes or no")}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			err = f.send(cmd.Context(), w, &protocol.Vote{Proposal: index, Yes: args[1] == "yes"}, "voted "+args[1])
			if err != nil || s.json || f.dry {
				return err
			}
			return w.showStanding(cmd.Context(), index)
		},
	})
}

func withdrawCommand(s *session) *cobra.Command {
	var f signing
	return f.flags(&cobra.Command{
		Use: "withdraw PROPOSAL", Short: "Take a proposal of yours back", Args: exactly(1, "a proposal"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, &protocol.Withdraw{Proposal: index}, "withdrawn")
		},
	})
}

func proposalsCommand(s *session) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the proposals that can be voted on", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			list, err := w.Proposals(cmd.Context(), !all)
			if err != nil {
				return err
			}
			if s.json {
				return printList(s, list)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "PROPOSAL\tSTATUS\tBY\tYES\tNO\tOF\tUNTIL\tTITLE")
			for _, p := range list {
				fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", p.Index, p.Status, w.name(p.Proposer), p.Tally.Yes, p.Tally.No, p.Tally.Total, p.Expiry, p.Title)
			}
			return table.Flush()
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are closed")
	return cmd
}

func proposalCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "show PROPOSAL", Short: "Show a proposal, its actions and its votes", Args: exactly(1, "a proposal"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			p, err := w.Proposal(cmd.Context(), index, height)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(p)
			}
			return w.showProposal(&p)
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func (w *wallet) showProposal(p *rest.Proposal) error {
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "proposal\t%d\ntitle\t%s\nstatus\t%s\nby\t%s at height %d\n", p.Index, p.Title, p.Status, w.name(p.Proposer), p.Opened)
	if p.Closed > 0 {
		fmt.Fprintf(table, "closed\tat height %d\n", p.Closed)
	} else {
		fmt.Fprintf(table, "until\theight %d\n", p.Expiry)
	}
	if p.Code != protocol.CodeOK {
		fmt.Fprintf(table, "not done\t%s\n", p.Code)
	}
	fmt.Fprintf(table, "weights\tyes %d, no %d of %d; more than %d pass it\n", p.Tally.Yes, p.Tally.No, p.Tally.Total, 2*p.Tally.Total/3)
	for i := range p.Actions {
		text, err := actionText(&p.Actions[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "action\t%s\n", text)
	}
	for _, v := range p.Votes {
		vote := "no"
		if v.Yes {
			vote = "yes"
		}
		fmt.Fprintf(table, "vote\t%s\t%s, weight %d\n", vote, w.name(v.Account), v.Weight)
	}
	return table.Flush()
}

func councilCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "council", Short: "List who votes, and with which weight", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			council, err := w.Council(cmd.Context(), height)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(council)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "MEMBER\tWEIGHT\tOPEN PROPOSALS")
			for _, m := range council.Members {
				fmt.Fprintf(table, "%s\t%d of %d\t%d\n", w.name(m.Account), m.Weight, council.Total, m.Open)
			}
			return table.Flush()
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was at this height; 0 is now")
	return cmd
}

func validatorsCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use: "validators", Short: "List who signs blocks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			set, err := w.Validators(cmd.Context(), height)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(set)
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "VALIDATOR\tPOWER\tPUBLIC KEY\tLOG KEY")
			for _, v := range set.Validators {
				logKey := "none"
				if v.LogKey != (protocol.LogKey{}) {
					logKey = v.LogKey.String()
				}
				fmt.Fprintf(table, "%s\t%d of %d\t%s\t%s\n", v.Name, v.Power, set.Power, v.Key, logKey)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if set.Next != nil {
				fmt.Fprintf(s.out, "from height %d on another set signs: `cairn gov validators --height %d` shows it then\n", set.Next.Since, set.Next.Since)
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "who signs the block of this height; 0 is the newest")
	return cmd
}

// number reads a whole number that is an argument.
func numberArg(what, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%s: %q is not a whole number", what, text)}
	}
	return n, nil
}
