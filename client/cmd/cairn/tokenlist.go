package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func tokenBalanceCommand(s *session) *cobra.Command {
	var height uint64
	var prove bool
	cmd := &cobra.Command{
		Use: "balance ACCOUNT [ASSET]", Short: "Show what an account or contract has", Args: oneOrTwo("an account, and perhaps an asset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			account, err := w.account(ctx, args[0])
			if err != nil {
				return err
			}
			if prove {
				if len(args) < 2 {
					return usageError{fmt.Errorf("--prove needs an asset")}
				}
				return w.showProven(ctx, account, args[1], height)
			}
			var list []rest.TokenBalance
			if len(args) == 2 {
				one, err := w.Balance(ctx, account.String(), args[1], height)
				if err != nil {
					return err
				}
				list = []rest.TokenBalance{one}
			} else if list, err = w.Balances(ctx, account.String(), height); err != nil {
				return err
			}
			return w.showBalances(list)
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was after this block")
	cmd.Flags().BoolVar(&prove, "prove", false, "fetch a receipt of the state and verify it")
	return cmd
}

func oneOrTwo(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > 2 {
			return usageError{fmt.Errorf("needs %s", what)}
		}
		return nil
	}
}

func (w *wallet) showBalances(list []rest.TokenBalance) error {
	if w.s.json {
		return w.s.printJSON(list)
	}
	width := 0
	for _, b := range list {
		width = max(width, len(decimal(b.Amount, b.Decimals)))
	}
	for _, b := range list {
		frozen := ""
		if b.Frozen {
			frozen = " frozen"
		}
		fmt.Fprintf(w.s.out, "%*s %s%s\n", width, decimal(b.Amount, b.Decimals), b.Asset, frozen)
	}
	if len(list) == 0 {
		fmt.Fprintln(w.s.out, "nothing")
	}
	return nil
}

// showProven shows a balance that a verified receipt has.
func (w *wallet) showProven(ctx context.Context, account protocol.Address, asset string, height uint64) error {
	receipt, err := w.StateReceipt(ctx, protocol.BalanceKey(account, asset), height)
	if err != nil {
		return err
	}
	balance, err := protocol.DecodeBalance(receipt.State.State.Value)
	if err != nil {
		return err
	}
	statement, err := w.Verify(ctx, receipt)
	if err != nil {
		return err
	}
	places, err := w.places(ctx, asset)
	if err != nil {
		return err
	}
	if w.s.json {
		return w.s.printJSON(rest.TokenBalance{Asset: asset, Decimals: places, Balance: balance})
	}
	_, err = fmt.Fprintf(w.s.out, "%s %s\n\nthe receipt proves:\n%s\n", decimal(balance.Amount, places), asset, statement)
	return err
}

func tokenListCommand(s *session) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use:   "list assets|rules | allowances|holds|streams|schedules ACCOUNT",
		Short: "List assets, rewards and fees, or what an account allows, holds, streams and schedules",
		Args:  oneOrTwo("what to list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			ctx, what := cmd.Context(), args[0]
			if alone := what == "assets" || what == "rules"; alone != (len(args) == 1) {
				return usageError{fmt.Errorf("list takes assets or rules alone, and allowances, holds, streams or schedules with an account")}
			}
			switch what {
			case "assets":
				return w.listAssets(ctx, height)
			case "rules":
				rules, err := w.TokenRules(ctx)
				if err != nil {
					return err
				}
				return w.showRules(ctx, rules)
			}
			w.nameContracts(ctx)
			account, err := w.account(ctx, args[1])
			if err != nil {
				return err
			}
			if what == "allowances" {
				return w.listAllowances(ctx, account, height)
			}
			var kind protocol.TokenKind
			_ = kind.UnmarshalText([]byte(strings.TrimSuffix(what, "s")))
			if kind != protocol.TokenHold && kind != protocol.TokenStream && kind != protocol.TokenSchedule {
				return usageError{fmt.Errorf("%q cannot be listed", what)}
			}
			return w.listTerms(ctx, account, kind, height)
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "as it was after this block")
	return cmd
}

func (w *wallet) listAssets(ctx context.Context, height uint64) error {
	list, err := w.Assets(ctx, height)
	if err != nil {
		return err
	}
	if w.s.json {
		return w.s.printJSON(list)
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SYMBOL\tNAME\tDECIMALS\tSUPPLY\tCAP\tFREEZABLE\tISSUER")
	for _, a := range list {
		limit := "-"
		if a.Cap != 0 {
			limit = decimal(a.Cap, a.Decimals)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%v\t%s\n", a.Symbol, a.Name, a.Decimals, decimal(a.Supply, a.Decimals), limit, a.Freezable, w.name(a.Issuer))
	}
	return table.Flush()
}

func showPeriod(ms uint64) string {
	if ms == 0 {
		return "-"
	}
	const day = 86_400_000
	if ms%day == 0 {
		return fmt.Sprintf("%dd", ms/day)
	}
	text := (time.Duration(ms) * time.Millisecond).String()
	if short, whole := strings.CutSuffix(text, "m0s"); whole {
		text = strings.TrimSuffix(short+"m", "h0m")
		if text != short+"m" {
			text += "h"
		}
	}
	return text
}

func (w *wallet) listAllowances(ctx context.Context, account protocol.Address, height uint64) error {
	list, err := w.Allowances(ctx, account.String(), height)
	if err != nil {
		return err
	}
	if w.s.json {
		return w.s.printJSON(list)
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SPENDER\tASSET\tLIMIT\tPER\tLEFT\tUNTIL")
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", w.name(a.Spender), a.Asset, decimal(a.Limit, a.Decimals), showPeriod(a.PeriodMs), decimal(a.Left, a.Decimals), showTime(a.UntilMs))
	}
	return table.Flush()
}

func (w *wallet) listTerms(ctx context.Context, account protocol.Address, kind protocol.TokenKind, height uint64) error {
	list, err := w.TokenTerms(ctx, account.String(), kind, height)
	if err != nil {
		return err
	}
	if w.s.json {
		return w.s.printJSON(list)
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	switch kind {
	case protocol.TokenHold:
		fmt.Fprintln(table, "ID\tAMOUNT\tASSET\tFROM\tTO\tCONTROLLER\tUNTIL\tMEMO")
	case protocol.TokenStream:
		fmt.Fprintln(table, "ID\tAMOUNT\tASSET\tFROM\tTO\tRATE\tFLOWED\tPAID\tUNTIL\tMEMO")
	default:
		fmt.Fprintln(table, "ID\tAMOUNT\tASSET\tFROM\tTO\tNEXT\tEVERY\tLEFT\tMEMO")
	}
	for _, t := range list {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t", t.ID, decimal(t.Amount, t.Decimals), t.Asset, w.name(t.From), w.name(t.To))
		switch kind {
		case protocol.TokenHold:
			fmt.Fprintf(table, "%s\t%s\t", w.name(t.Controller), showTime(t.UntilMs))
		case protocol.TokenStream:
			fmt.Fprintf(table, "%s/%s\t%s\t%s\t%s\t", decimal(t.Rate, t.Decimals), showPeriod(t.PeriodMs), decimal(t.Flowed, t.Decimals), decimal(t.Paid, t.Decimals), showTime(t.UntilMs))
		default:
			fmt.Fprintf(table, "%s\t%s\t%d\t", showTime(t.StartMs), showPeriod(t.PeriodMs), t.Count)
		}
		fmt.Fprintln(table, dash(t.Memo))
	}
	return table.Flush()
}

func (w *wallet) showRules(ctx context.Context, rules rest.TokenRules) error {
	if w.s.json {
		return w.s.printJSON(rules)
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REWARD FOR\tEACH\tLIMIT\tPER\tUSED\tASSET\tFROM")
	for _, r := range rules.Rewards {
		places, err := w.places(ctx, r.Asset)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Type, decimal(r.Each, places), decimal(r.Limit, places), showPeriod(r.PeriodMs), decimal(r.Used, places), r.Asset, w.name(r.From))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fee := "there are no fees"
	if f := rules.Fees; f != nil {
		places, err := w.places(ctx, f.Asset)
		if err != nil {
			return err
		}
		fee = fmt.Sprintf("fees: %s %s an event, %s %s a million gas, to %s", decimal(f.PerEvent, places), f.Asset, decimal(f.PerMillionGas, places), f.Asset, w.name(f.To))
	}
	_, err := fmt.Fprintln(w.s.out, fee)
	return err
}
